"""A session that answers from `tests.support.reports`: commands can be tested without running an application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from tests.support.reports import mobility, mobility_plan, mobility_run, three_sites

from ecotone.core.continuum import Continuum
from ecotone.core.plan import Assignment
from ecotone.core.problems import Problem
from ecotone.design import CheckResult
from ecotone.design.continuum import ContinuumResult
from ecotone.design.read import ReadResult
from ecotone.orchestration.performance.interface import StageTiming
from ecotone.orchestration.performance.samples import Samples, VariantSamples
from ecotone.orchestration.placement.explanation import (
    Alternative,
    ComponentExplanation,
    Explanation,
    NodeVerdict,
    PathExplanation,
    Promise,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecotone.core.plan import Plan
    from ecotone.core.report import RunReport

__all__ = ["PlayedSession", "some_explanation", "some_samples"]


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


def some_explanation() -> Explanation:
    """Two components of a plan, one of them with every kind of line."""
    layers = Promise(
        subject="camera",
        what="layers",
        sentence="camera may run only in layer device",
        limit=None,
        predicted=None,
        judged=None,
        slack=None,
        binds=True,
        saving_eur_per_h=0.004,
    )
    accuracy = Promise(
        subject="detect",
        what="accuracy",
        sentence="detect promises an accuracy of at least 0.95",
        limit=0.95,
        predicted=1.0,
        judged=1.0,
        slack=0.0526,
        binds=None,
        saving_eur_per_h=0.0,
    )
    rows = (Assignment(component="detect", variant="large", node="edge-1", replicas=2),)
    elsewhere = (Assignment(component="detect", variant="large", node="edge-2"),)
    private = "its input is private to device, edge, {} is in cloud"
    detect = ComponentExplanation(
        component="detect",
        variant="large",
        assignments=rows,
        cost_eur_per_h=0.0256,
        utilisation=0.65,
        nodes=(
            NodeVerdict(node="edge-1", chosen=True, admissible=True, reasons=(), cost_eur_per_h=0.034),
            NodeVerdict(node="camera", chosen=False, admissible=True, reasons=(), cost_eur_per_h=0.034),
            NodeVerdict(node="edge-2", chosen=False, admissible=True, reasons=("a", "b", "c", "d")),
            *(
                NodeVerdict(node=name, chosen=False, admissible=False, reasons=(private.format(name),))
                for name in ("cloud-1", "cloud-2")
            ),
        ),
        variants_refused=("accuracy of small is 0.89, at least 0.95 is required",),
        promises=(accuracy,),
        alternatives=(
            Alternative(instead_of="node", found=True, assignments=elsewhere, extra_eur_per_h=0.03, moved=("quality",)),
            Alternative(instead_of="variant", found=False),
        ),
    )
    camera = msgspec.structs.replace(
        detect,
        component="camera",
        variant="default",
        nodes=(),
        variants_refused=(),
        promises=(layers,),
        alternatives=(),
    )
    path = PathExplanation(
        components=("camera", "detect"),
        percentile=95.0,
        promised_s=0.1,
        predicted_s=0.06,
        low_s=0.057,
        high_s=0.062,
        judged_s=0.062,
        slack_s=0.038,
        mean_s=0.0575,
        spread_s=0.0025,
        stages=(
            StageTiming(component="camera", link_s=0.0, hop_s=0.0, waiting_s=0.0, service_s=0.0011),
            StageTiming(component="detect", link_s=0.0229, hop_s=0.0009, waiting_s=0.0002, service_s=0.0324),
        ),
    )
    return Explanation(
        application="mobility",
        continuum="street",
        cost_eur_per_h=0.034,
        lower_bound_eur_per_h=0.034,
        optimal=True,
        components=(camera, detect),
        paths=(path,),
        promises=(layers, accuracy),
        nodes=(),
        links=(),
        violations=(),
        notes=("services are taken as independent",),
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

    def explain(self, plan: Plan | None = None) -> Explanation:
        self._fail()
        return some_explanation()

    def differences(self, plan: Plan) -> list[str]:
        return ["detect: large on roadside instead of cloud"]

    def check_bus(self, bus_url: str) -> None:
        self._fail()

    def run(self, plan: Plan | None = None, **options: Any) -> RunReport:
        self._fail()
        self.runs.append({"plan": plan, **options})
        if options.get("on_snapshot") is not None:
            options["on_snapshot"](mobility_run(finished=False))
        return self.report

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error
