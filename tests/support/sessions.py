"""A session that answers from `tests.support.reports`, so that commands can be tested without running an application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.reports import mobility, mobility_plan, mobility_run, three_sites

from ecotone.core.continuum import Continuum
from ecotone.core.problems import Problem
from ecotone.design.check import CheckResult
from ecotone.design.continuum import ContinuumResult
from ecotone.design.read import ReadResult
from ecotone.orchestration.performance.samples import Samples, VariantSamples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecotone.core.plan import Plan
    from ecotone.core.report import RunReport

__all__ = ["PlayedSession", "some_samples"]


def some_samples() -> Samples:
    """Two variants of one component, one not measured to the end."""
    return Samples(
        application="mobility",
        machine="a machine",
        machine_score=1.0,
        taken_at="2031-05-04T10:00:00+00:00",
        variants=tuple(
            VariantSamples(
                component="detect",
                variant=name,
                key="k",
                cpu_s=(base_s, base_s * 1.1, base_s * 1.2),
                wall_s=(base_s, base_s * 1.1, base_s * 1.2),
                output_bytes=(500_000, 510_000, 520_000),
                outputs_per_input=1.0,
                memory_peak_bytes=120e6,
                start_s=0.15,
                accuracy=accuracy,
                accuracy_source="agreement",
                complete=accuracy == 1.0,
            )
            for name, base_s, accuracy in (("large", 0.0271, 1.0), ("small", 0.0075, 0.89))
        ),
    )


class PlayedSession:
    """What `ecotone.session.Session` offers; class attributes say how it should go."""

    report: RunReport = mobility_run()
    problems: tuple[Problem, ...] = ()
    error: BaseException | None = None
    state: Path = Path("/nowhere")
    runs: list[dict[str, Any]] = []  # noqa: RUF012 - shared on purpose: what `run` was asked for

    def __init__(
        self,
        app: str | Path,
        *,
        continuum: str | Path | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.app, self.continuum, self.parameters = app, continuum, parameters

    @property
    def state_folder(self) -> Path:
        return self.state

    def check(self) -> CheckResult:
        continuum: Continuum = three_sites()
        return CheckResult(
            problems=self.problems,
            application=None if self.problems else mobility(),
            continuum=continuum,
            read=ReadResult(application=None, problems=self.problems),
            continuum_read=ContinuumResult(continuum=continuum, problems=(), file=Path("continuum.yaml")),
        )

    def profile(self, *, budget_s: float | None = None, force: bool = False, progress: Any = None) -> Samples:
        self._fail()
        if progress is not None:
            progress("detect", "large", 0.5, "measuring")
        return some_samples()

    def plan(self, **options: Any) -> Plan:
        self._fail()
        return mobility_plan()

    def differences(self, plan: Plan) -> list[str]:
        return ["detect: large on roadside instead of cloud"]

    def run(self, plan: Plan | None = None, **options: Any) -> RunReport:
        self._fail()
        self.runs.append({"plan": plan, **options})
        if options.get("on_snapshot") is not None:
            options["on_snapshot"](mobility_run(finished=False))
        return self.report

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error
