"""`ecotone plan` and `ecotone explain`, and what `run` shares with them. Loaded by `app` when one of them is called."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from ecotone.core.errors import InputError
from ecotone.core.plan import decode_plan, in_milliseconds
from ecotone.frontends.cli.goal_options import (
    ConfidenceOption,
    LargestLoadOption,
    MovingPriceOption,
    ObjectiveOption,
    ParetoOption,
    PlotOption,
    RunningOption,
)
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
from ecotone.frontends.cli.system_options import (
    JudgeOption,
    LoadOption,
    SeedOption,
    SemanticsOption,
    SystemOption,
    WrittenOption,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ecotone.core.plan import Plan
    from ecotone.session import Session

__all__ = ["explain", "plan", "plan_picture", "read_plan"]

PlanOption = Annotated[
    Path | None,
    Parameter(name="--plan", metavar="FILE", help="Use the plan in FILE, from: ecotone plan APP --json > FILE"),
]
FuseOption = Annotated[
    bool, Parameter(help="Put stateless neighbours of one node into one host: cheaper, less isolated.")
]
TimeLimitOption = Annotated[
    Duration, Parameter(name="--time-limit", help='Longest search, for example "10s"; 30 s by default.')
]


def plan(
    app: AppArgument | None = None,
    /,
    *,
    continuum: ContinuumOption = None,
    set_: SetOption = (),
    time_limit: Annotated[
        Duration | None,
        Parameter(name="--time-limit", help='Longest search, for example "10s"; 30 s by default, 60 s for a system.'),
    ] = None,
    gap: Annotated[
        Share | None,
        Parameter(help="Stop once the cost is proven to be so near the optimum, for example 0.05; 0 by default."),
    ] = None,
    fuse: FuseOption = False,
    force: bool = False,
    space4ai: SystemOption = None,
    load: LoadOption = None,
    seed: SeedOption = None,
    semantics: SemanticsOption = None,
    judge: JudgeOption = None,
    output: WrittenOption = None,
    objective: ObjectiveOption = None,
    confidence: ConfidenceOption = None,
    running: RunningOption = None,
    moving_price: MovingPriceOption = None,
    pareto: ParetoOption = None,
    plot: PlotOption = None,
    largest_load: LargestLoadOption = False,
    json: JsonOption = False,
) -> int:
    """Find the cheapest placement that keeps every promise.

    With a proof, or the distance from the optimum. Profiles first what has not been profiled. Where no plan keeps every
    promise, it names what contradicts what, and the smallest changes that help. With --space4ai, no application is
    placed but a system that a file describes. Exit status: 0 there is a plan, 1 no plan keeps every promise, 2 the
    input is wrong.

    Examples: `ecotone plan hello --set limit=25`, `ecotone plan hello --pareto power`,
    `ecotone plan hello --running plan.json --moving-price 0.01`,
    `ecotone plan --space4ai system_description.json --load 1.8`

    Args:
        force: Plan again even if nothing has changed.
    """
    if (app is None) == (space4ai is None):
        both = ", not both" if app is not None else ""
        raise InputError(f"ecotone plan needs APP or --space4ai FILE{both}; see ecotone plan --help")
    given = {
        "--gap": gap is not None, "--time-limit": time_limit is not None, "--seed": seed is not None,
        "--judge": judge is not None, "--output": output is not None, "--objective": objective is not None,
        "--running": running is not None, "--moving-price": moving_price is not None, "--pareto": pareto is not None,
        "--plot": plot is not None, "--largest-load": largest_load, "--load": load is not None, "--force": force,
    }  # fmt: skip
    _check_together(given, by_price=objective != "power")
    if app is not None:
        names = ("--seed", "--judge", "--output")
        for_system = {name: given[name] for name in names} | {"--semantics": semantics is not None}
        _refuse(for_system, "only with --space4ai, not for an application")
        from ecotone.frontends.cli.tradeoffs import Wanted, plan_application
        from ecotone.session import Session

        session = Session(app, continuum=continuum, parameters=settings(set_))
        wanted = Wanted(
            time_limit_s=time_limit, gap=gap or 0.0, fuse=fuse, force=force, load=load or 1.0,
            objective=objective or "price", running=None if running is None else read_plan(running, "--running"),
            moving_eur_per_h=moving_price or 0.0, pareto=pareto, plot=plot, largest_load=largest_load,
            confidence=confidence or "upper",
        )  # fmt: skip
        return plan_application(session, wanted, Output(json=json))
    for_app = {"--continuum": continuum is not None, "--set": bool(set_), "--fuse": fuse, "--force": force}
    for_app["--confidence"] = confidence is not None
    _refuse(for_app, "only for an application, not with --space4ai")
    assert space4ai is not None
    from ecotone.frontends.cli import systems

    shown, semantics, limit_s, seed = Output(json=json), semantics or "published", time_limit or 60.0, seed or 0
    if pareto is not None:
        return systems.front_of_system(
            space4ai, pareto, shown, load_per_s=load, semantics=semantics, time_limit_s=limit_s, seed=seed, plot=plot
        )
    if largest_load:
        return systems.largest_load_of_system(
            space4ai, shown, solution=judge, load_per_s=load, semantics=semantics, time_limit_s=limit_s, seed=seed
        )
    if judge is not None:
        return systems.judge_system(space4ai, judge, shown, load_per_s=load, semantics=semantics, written=output)
    return systems.search_system(
        space4ai,
        shown,
        load_per_s=load,
        semantics=semantics,
        time_limit_s=limit_s,
        gap=gap or 0.0,
        seed=seed,
        written=output,
        objective=objective or "price",
        running=running,
        moving_eur_per_h=moving_price or 0.0,
    )


def _check_together(given: dict[str, bool], *, by_price: bool) -> None:
    """Raises InputError for options that have no use beside each other."""
    if not given["--pareto"]:
        _refuse({"--plot": given["--plot"]}, "only with --pareto")
    else:
        others = ("--judge", "--output", "--objective", "--running", "--moving-price", "--largest-load", "--gap")
        _refuse({name: given[name] for name in others}, "not with --pareto")
    if given["--largest-load"]:
        others = ("--output", "--objective", "--running", "--moving-price", "--gap")
        _refuse({name: given[name] for name in others}, "not with --largest-load")
    elif given["--judge"]:
        searching = ("--time-limit", "--gap", "--seed", "--objective", "--running", "--moving-price")
        _refuse({name: given[name] for name in searching}, "only for a search, not with --judge")
    _refuse({"--moving-price": given["--moving-price"] and not given["--running"]}, "only with --running")
    _refuse({"--running": given["--running"] and not by_price}, "not with --objective power")


def _refuse(given: dict[str, bool], why: str) -> None:
    """Raises InputError for the options that were given and have no use here."""
    names = [name for name, is_given in given.items() if is_given]
    if names:
        raise InputError(f"{', '.join(names)}: {why}; see ecotone plan --help")


def explain(
    app: AppArgument,
    /,
    *,
    continuum: ContinuumOption = None,
    set_: SetOption = (),
    plan: PlanOption = None,
    json: JsonOption = False,
) -> int:
    """Say why each component is where it is, and what else it costs.

    For each component: what it costs there, which promise binds, and the next best choice with its price; for each
    path, where its time goes.

    Example: `ecotone explain hello`
    """
    from ecotone.session import Session

    output = Output(json=json)
    session = Session(app, continuum=continuum, parameters=settings(set_))
    with profile_progress() as progress:
        chosen = read_plan(plan) if plan else session.plan(progress=progress)
    explanation = session.explain(chosen)

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.explain import explain_view

        return explain_view(explanation, width)

    output.show(picture, lambda: in_milliseconds(msgspec.to_builtins(explanation)))
    return 0


def read_plan(file: Path, option: str = "--plan") -> Plan:
    """The plan in a file that was named with this option.

    Raises:
        InputError: there is no such file, or it holds no plan.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{option} {file}: {error.strerror}; make one with: ecotone plan APP --json > FILE") from None
    return decode_plan(data, str(file))


def plan_picture(session: Session, plan: Plan, width: int) -> RenderableType:
    """The plan with the promises and sites that the session knows."""
    from ecotone.frontends.terminal.plan import plan_view

    checked = session.check()
    return plan_view(plan, checked.application, checked.continuum, width)
