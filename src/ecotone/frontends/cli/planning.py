"""`ecotone plan` and `ecotone explain`, and what `run` shares with them. Loaded by `app` when one of them is called."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from ecotone.core.errors import InputError
from ecotone.core.plan import decode_plan, in_milliseconds, plan_document
from ecotone.core.units import QuantityError
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
    from collections.abc import Sequence

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

_FOR_SYSTEM = "For a system instead of an application"


def _price(type_: Any, tokens: Sequence[Any]) -> float:
    """EUR/h from 0. Raises QuantityError, which cyclopts shows."""
    text = tokens[0].value
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise QuantityError(f"{text!r} is no price: write EUR/h, a number from 0, such as 0.05")
    return found


ParetoOption = Annotated[
    Literal["power", "accuracy"] | None,
    Parameter(help="Find every compromise between price and this.", group=_FOR_SYSTEM),
]
PlotOption = Annotated[
    Path | None, Parameter(metavar="FILE", help="Draw the compromises into this file, as SVG.", group=_FOR_SYSTEM)
]
LargestLoadOption = Annotated[
    bool,
    Parameter(
        negative="",
        help="Find the largest load that can be carried; with --judge, by that placement.",
        group=_FOR_SYSTEM,
    ),
]
ObjectiveOption = Annotated[
    Literal["price", "power"] | None,
    Parameter(help="What is made least; the price by default.", group=_FOR_SYSTEM),
]
RunningOption = Annotated[
    Path | None,
    Parameter(
        metavar="SOLUTION", help="What runs now, in SPACE4AI's format: what is moved from it is paid for.",
        group=_FOR_SYSTEM,
    ),
]  # fmt: skip
MovingPriceOption = Annotated[
    float | None,
    Parameter(
        converter=_price, metavar="EUR/h", allow_leading_hyphen=True,
        help="For each component that is moved from what runs; 0 by default.", group=_FOR_SYSTEM,
    ),
]  # fmt: skip


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

    Examples: `ecotone plan hello --set limit=25`, `ecotone plan --space4ai system_description.json --load 1.8`

    Args:
        force: Plan again even if nothing has changed.
    """
    for_app = {"--continuum": continuum is not None, "--set": bool(set_), "--fuse": fuse, "--force": force}
    for_system = {
        "--load": load is not None,
        "--seed": seed is not None,
        "--semantics": semantics is not None,
        "--judge": judge is not None,
        "--output": output is not None,
        "--objective": objective is not None,
        "--running": running is not None,
        "--moving-price": moving_price is not None,
        "--pareto": pareto is not None,
        "--plot": plot is not None,
        "--largest-load": largest_load,
    }
    if (app is None) == (space4ai is None):
        both = ", not both" if app is not None else ""
        raise InputError(f"ecotone plan needs APP or --space4ai FILE{both}; see ecotone plan --help")
    if app is None:
        assert space4ai is not None
        _refuse(for_app, "only for an application, not with --space4ai")
    else:
        _refuse(for_system, "only with --space4ai, not for an application")
        return _plan_application(
            app, continuum, set_, time_limit=time_limit or 30.0, gap=gap or 0.0, fuse=fuse, force=force, json=json
        )
    from ecotone.frontends.cli import systems

    shown, semantics = Output(json=json), semantics or "published"
    is_given = for_system | {"--gap": gap is not None, "--time-limit": time_limit is not None}
    if pareto is None:
        _refuse({"--plot": plot is not None}, "only with --pareto")
    else:
        others = ("--judge", "--output", "--objective", "--running", "--moving-price", "--largest-load", "--gap")
        _refuse({name: is_given[name] for name in others}, "not with --pareto")
        return systems.front_of_system(
            space4ai,
            pareto,
            shown,
            load_per_s=load,
            semantics=semantics,
            time_limit_s=time_limit or 60.0,
            seed=seed or 0,
            plot=plot,
        )
    if largest_load:
        others = ("--output", "--objective", "--running", "--moving-price", "--gap")
        _refuse({name: is_given[name] for name in others}, "not with --largest-load")
        return systems.largest_load_of_system(
            space4ai,
            shown,
            solution=judge,
            load_per_s=load,
            semantics=semantics,
            time_limit_s=time_limit or 60.0,
            seed=seed or 0,
        )
    if judge is not None:
        searching = ("--time-limit", "--gap", "--seed", "--objective", "--running", "--moving-price")
        _refuse({name: is_given[name] for name in searching}, "only for a search, not with --judge")
        return systems.judge_system(space4ai, judge, shown, load_per_s=load, semantics=semantics, written=output)
    _refuse({"--moving-price": moving_price is not None and running is None}, "only with --running")
    _refuse({"--running": running is not None and objective == "power"}, "not with --objective power")
    return systems.search_system(
        space4ai,
        shown,
        load_per_s=load,
        semantics=semantics,
        time_limit_s=time_limit or 60.0,
        gap=gap or 0.0,
        seed=seed or 0,
        written=output,
        objective=objective or "price",
        running=running,
        moving_eur_per_h=moving_price or 0.0,
    )


def _refuse(given: dict[str, bool], why: str) -> None:
    """Raises InputError for the options that were given and have no use here."""
    names = [name for name, is_given in given.items() if is_given]
    if names:
        raise InputError(f"{', '.join(names)}: {why}; see ecotone plan --help")


def _plan_application(
    app: str,
    continuum: Path | None,
    set_: tuple[str, ...],
    *,
    time_limit: float,
    gap: float,
    fuse: bool,
    force: bool,
    json: bool,
) -> int:
    from ecotone.session import Session

    output = Output(json=json)
    session = Session(app, continuum=continuum, parameters=settings(set_))
    with profile_progress() as progress:
        found = session.plan(time_limit_s=time_limit, gap=gap, fuse=fuse, force=force, progress=progress)
    output.show(lambda width: plan_picture(session, found, width), lambda: plan_document(found))
    return 0


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


def read_plan(file: Path) -> Plan:
    """The plan in a file.

    Raises:
        InputError: there is no such file, or it holds no plan.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"--plan {file}: {error.strerror}; make one with: ecotone plan APP --json > FILE") from None
    return decode_plan(data, str(file))


def plan_picture(session: Session, plan: Plan, width: int) -> RenderableType:
    """The plan with the promises and sites that the session knows."""
    from ecotone.frontends.terminal.plan import plan_view

    checked = session.check()
    return plan_view(plan, checked.application, checked.continuum, width)
