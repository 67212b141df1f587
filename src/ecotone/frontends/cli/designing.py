"""`ecotone new`, `ecotone check` and `ecotone profile`. Loaded by `app` when one of them is called."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from ecotone.core.errors import InputError
from ecotone.frontends.cli.main import DONE, WRONG_INPUT, problem_document
from ecotone.frontends.cli.options import (
    AppArgument,
    ContinuumOption,
    Duration,
    JsonOption,
    SetOption,
    Share,
    settings,
)
from ecotone.frontends.cli.output import Output
from ecotone.frontends.cli.profiling import profile_progress
from ecotone.frontends.words import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from ecotone.core.application import Application
    from ecotone.core.continuum import Continuum
    from ecotone.core.problems import Problem
    from ecotone.orchestration.performance.samples import Samples, VariantSamples
    from ecotone.session import Session

__all__ = ["check", "new", "profile"]


def new(
    name: Annotated[str, Parameter(help="Folder to make; its last part names the application.")],
    /,
    *,
    from_: Annotated[
        str | None, Parameter(name="--from", metavar="USE_CASE", help="Start from a use case, for example mobility.")
    ] = None,
    json: JsonOption = False,
) -> int:
    """Write a new application that runs.

    Three small components, or with --from a copy of a use case.

    Examples: `ecotone new hello`, `ecotone new street --from mobility`
    """
    from ecotone.design.usecases import new_application

    folder = new_application(name, from_)
    output = Output(json=json)

    def picture(width: int) -> RenderableType:
        from rich.text import Text

        return Text.assemble(f"wrote {folder}\nrun it with: ", (f"ecotone run {folder} --for 20s", "bold"))

    output.show(picture, lambda: {"folder": str(folder)})
    return DONE


def check(
    apps: Annotated[tuple[str, ...], Parameter(help="Applications; continuum files; folders of either.")],
    /,
    *,
    continuum: ContinuumOption = None,
    set_: SetOption = (),
    json: JsonOption = False,
) -> int:
    """Find every mistake of an application and its continuum.

    In one pass, without running any of its code. Several can be named; of a folder without app.py, every application
    and every continuum file in it is checked. Exit status: 0 there is no mistake, 2 there are some.

    Example: `ecotone check hello`
    """
    from ecotone.design import files_to_check, read_continuum
    from ecotone.session import Session

    output = Output(json=json)
    problems: list[Problem] = []
    documents: list[dict[str, Any]] = []
    fine: list[RenderableType] = []
    for path in files_to_check(apps):
        if Path(path).suffix in {".yaml", ".yml"}:
            described = read_continuum(path)
            problems += described.problems
            documents.append(_document(described.problems, continuum=described.continuum))
            fine += [_fine(None, described.continuum)] if described.continuum is not None else []
        else:
            result = Session(path, continuum=continuum, parameters=settings(set_)).check()
            problems += result.problems
            documents.append(_document(result.problems, result.application, result.continuum))
            fine += [] if result.problems else [_fine(result.application, result.continuum)]
    whole = documents[0] if len(documents) == 1 else {"ok": not problems, "checked": documents}
    output.show(lambda width: _findings(problems, fine, width), lambda: whole)
    return WRONG_INPUT if problems else DONE


def _findings(problems: Sequence[Problem], fine: Sequence[RenderableType], width: int) -> RenderableType:
    from rich.console import Group

    if not problems:
        return Group(*fine)
    from ecotone.frontends.terminal.problems import problems_view

    return Group(problems_view(problems, width), *fine)


def _fine(application: Application | None, continuum: Continuum | None) -> RenderableType:
    from rich.text import Text

    assert continuum is not None, "a continuum without problems was read"
    where = f"{continuum.name}: {count_text(len(continuum.sites), 'site')}, {count_text(len(continuum.nodes), 'node')}"
    if application is None:
        return Text.assemble((f"{continuum.name} is fine", "kept"), f"  {where}")
    parts = [
        count_text(len(application.components), "component"),
        count_text(len(application.channels), "channel"),
        count_text(len(application.paths), "promised path"),
    ]
    return Text.assemble((f"{application.name} is fine", "kept"), f"  {', '.join(parts)}; {where}")


def _document(
    problems: Sequence[Problem], application: Application | None = None, continuum: Continuum | None = None
) -> dict[str, Any]:
    return {
        "ok": not problems,
        "application": None if application is None else application.name,
        "components": [] if application is None else [each.name for each in application.components],
        "continuum": None if continuum is None else continuum.name,
        "problems": [problem_document(each) for each in sorted(problems)],
    }


def profile(
    app: AppArgument,
    /,
    *,
    continuum: ContinuumOption = None,
    set_: SetOption = (),
    vary: Annotated[
        tuple[str, ...],
        Parameter(
            name="--vary",
            metavar="NAME=VALUE,...",
            consume_multiple=False,
            help="Learn how calls depend on this: batch, cores, or a parameter of the application; may be repeated.",
        ),
    ] = (),
    component: Annotated[str | None, Parameter(metavar="NAME", help="With --vary: only this component.")] = None,
    accuracy: Annotated[
        Share | None, Parameter(help="With --vary: the error at which to stop, 10% without it.")
    ] = None,
    budget: Annotated[
        Duration | None, Parameter(help='Longest time to measure, for example "60s"; with --vary 5m without it.')
    ] = None,
    force: bool = False,
    json: JsonOption = False,
) -> int:
    """Measure each component on real inputs.

    Every variant, until the figures are certain or the budget is spent; what has not changed is not measured again.
    With --vary it chooses which configurations to measure, keeps every run, and learns models from them.

    Examples: `ecotone profile hello`, `ecotone profile hello --vary cores=1,2 --vary batch=1,2,4,8`

    Args:
        force: Measure again what has not changed.
    """
    from ecotone.session import Session

    output = Output(json=json)
    session = Session(app, continuum=continuum, parameters=settings(set_))
    if vary:
        if force:
            raise InputError("--force has no meaning with --vary: delete .ecotone/performance to start anew")
        return _explore(session, vary, component=component, accuracy=accuracy, budget=budget, output=output)
    if component is not None or accuracy is not None:
        raise InputError("--component and --accuracy belong to --vary: name what to vary, for example --vary cores=1,2")
    with profile_progress() as progress:
        samples = session.profile(budget_s=budget, force=force, progress=progress)

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.profile import profile_view

        return profile_view(samples, width)

    output.show(picture, lambda: _profile_document(samples, session.state_folder / "samples.json"))
    return DONE


def _explore(
    session: Session,
    vary: Sequence[str],
    *,
    component: str | None,
    accuracy: float | None,
    budget: float | None,
    output: Output,
) -> int:
    if accuracy == 0.0:
        raise InputError("--accuracy 0: no model is without error; write for example --accuracy 10%")
    options = {} if budget is None else {"budget_s": budget}
    try:
        with profile_progress() as progress:
            explored = session.explore(
                vary,
                component=component,
                accuracy=0.1 if accuracy is None else accuracy,
                progress=progress,
                **options,
            )
    except KeyboardInterrupt:
        output.say(f"what was measured is in {session.state_folder / 'performance'}; the same command goes on from it")
        raise

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.exploration import exploration_view

        return exploration_view(explored, width)

    def document() -> dict[str, Any]:
        return {"variants": [msgspec.to_builtins(each) for each in explored]}

    output.show(picture, document)
    return DONE


def _profile_document(samples: Samples, file: Path) -> dict[str, Any]:
    return {
        "application": samples.application,
        "machine": samples.machine,
        "machine_score": samples.machine_score,
        "taken_at": samples.taken_at,
        "file": str(file),
        "variants": [_variant_document(each) for each in samples.variants],
    }


def _variant_document(each: VariantSamples) -> dict[str, Any]:
    from ecotone.frontends.words import quantile

    def ms(fraction: float) -> float | None:
        value_s = quantile(each.wall_s, fraction)
        return None if value_s is None else round(value_s * 1e3, 4)

    wall_s = sum(each.wall_s)
    return {
        "component": each.component,
        "variant": each.variant,
        "calls": len(each.wall_s),
        "complete": each.complete,
        "cores": each.cores,
        "by_cores": [
            {
                "cores": cores,
                "p50_ms": round((quantile(wall_s, 0.5) or 0.0) * 1e3, 4),
                "cpu_ms": round((quantile(cpu_s, 0.5) or 0.0) * 1e3, 4),
            }
            for cores, wall_s, cpu_s in each.counts
        ],
        "p50_ms": ms(0.5),
        "p95_ms": ms(0.95),
        "p99_ms": ms(0.99),
        "cpu_share": round(sum(each.cpu_s) / wall_s, 4) if wall_s > 0 else None,
        "memory_peak_bytes": each.memory_peak_bytes,
        "output_p50_bytes": quantile(each.output_bytes, 0.5),
        "outputs_per_input": each.outputs_per_input,
        "start_s": round(each.start_s, 4),
        "accuracy": each.accuracy,
        "accuracy_source": each.accuracy_source,
        "energy_j": each.energy_j,
        "energy_source": each.energy_source,
        "energy_noise": each.energy_noise,
        "energy_meter": each.energy_meter,
        "energy_note": each.energy_note,
        "mix": None if each.mix is None else msgspec.to_builtins(each.mix),
    }
