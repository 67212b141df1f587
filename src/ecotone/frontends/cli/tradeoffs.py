"""`ecotone plan APP`: the best plan, every compromise, or the largest load. Loaded by `planning`."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ecotone.core.plan import Confidence, Plan, plan_document
from ecotone.frontends.cli.main import DONE, FAILED
from ecotone.frontends.cli.profiling import profile_progress
from ecotone.frontends.cli.written import check_written, write_front

Second = Literal["power", "accuracy"]

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ecotone.frontends.cli.output import Output
    from ecotone.frontends.report.front import FrontPoint
    from ecotone.orchestration.placement import Frontier, Goal, LargestLoad
    from ecotone.session import Session

__all__ = ["Wanted", "plan_application"]

_TIME_LIMIT_S = 30.0
_LONG_TIME_LIMIT_S = 60.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of `ecotone plan APP` ask for; `time_limit_s` None: as long as is usual."""

    time_limit_s: float | None = None
    gap: float = 0.0
    fuse: bool = False
    force: bool = False
    load: float = 1.0
    objective: Literal["price", "power"] = "price"
    running: Plan | None = None
    moving_eur_per_h: float = 0.0
    pareto: Second | None = None
    plot: Path | None = None
    largest_load: bool = False
    confidence: Confidence = "upper"


def plan_application(session: Session, wanted: Wanted, output: Output) -> int:
    """Plan, show what was found, and say how it went: the exit status."""
    if wanted.pareto is not None:
        return _plan_front(session, wanted, wanted.pareto, output)
    if wanted.largest_load:
        return _plan_largest_load(session, wanted, output)
    with profile_progress() as progress:
        found = session.plan(
            time_limit_s=wanted.time_limit_s or _TIME_LIMIT_S,
            gap=wanted.gap,
            fuse=wanted.fuse,
            force=wanted.force,
            goal=_goal(wanted),
            load=wanted.load,
            confidence=wanted.confidence,
            progress=progress,
        )

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.cli.planning import plan_picture

        return plan_picture(session, found, width)

    output.show(picture, lambda: plan_document(found))
    return DONE


def _goal(wanted: Wanted) -> Goal | None:
    """None: the usual one."""
    if wanted.objective == "price" and wanted.running is None:
        return None
    from ecotone.orchestration.placement import Goal

    running = () if wanted.running is None else wanted.running.assignments
    return Goal(minimise=wanted.objective, running=running, moving_eur_per_h=wanted.moving_eur_per_h)


def _plan_front(session: Session, wanted: Wanted, by: Second, output: Output) -> int:
    if wanted.plot is not None:
        from ecotone.frontends.report.front import need_matplotlib

        check_written(wanted.plot, "--plot")
        need_matplotlib()
    with profile_progress() as progress:
        session.plan(  # says why, where there is none
            fuse=wanted.fuse, load=wanted.load, confidence=wanted.confidence, progress=progress
        )
    limit_s = wanted.time_limit_s or _LONG_TIME_LIMIT_S
    front = session.pareto(by, time_limit_s=limit_s, fuse=wanted.fuse, load=wanted.load, confidence=wanted.confidence)
    if not front.points:
        output.say("the time was up before any plan was found; allow more with --time-limit")
        return FAILED

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.tradeoffs import front_view

        return front_view(front, by, width)

    output.show(picture, lambda: _front_document(front, by))
    if wanted.plot is None:
        return DONE
    name = front.points[0].answer.application
    is_written = write_front(wanted.plot, output, name, by, _drawn(front), complete=front.complete)
    return DONE if is_written else FAILED


def _drawn(front: Frontier[Plan]) -> list[FrontPoint]:
    from ecotone.frontends.report.front import FrontPoint

    return [
        FrontPoint(price_eur_per_h=point.first, other=abs(point.second), proven=point.proven) for point in front.points
    ]


def _front_document(front: Frontier[Plan], by: Second) -> dict[str, Any]:
    points = [
        {
            "cost_eur_per_h": point.answer.cost_eur_per_h,
            "power_w": point.answer.power_w,
            "accuracy": point.answer.least_accuracy,
            "proven": point.proven,
            "plan": plan_document(point.answer),
        }
        for point in front.points
    ]
    return {"by": by, "complete": front.complete, "points": points}


def _plan_largest_load(session: Session, wanted: Wanted, output: Output) -> int:
    """Of the cheapest plan, and of any plan."""
    limit_s = wanted.time_limit_s or _LONG_TIME_LIMIT_S
    with profile_progress() as progress:
        plan = session.plan(fuse=wanted.fuse, load=wanted.load, confidence=wanted.confidence, progress=progress)
    this = session.largest_load(plan, time_limit_s=limit_s / 2, confidence=wanted.confidence)
    any_plan = session.largest_load(time_limit_s=limit_s / 2, confidence=wanted.confidence)

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.tradeoffs import largest_load_view

        return largest_load_view(any_plan, this, plan, width)

    def document() -> dict[str, Any]:
        return {"this_plan": _load_document(this), "any_plan": _load_document(any_plan)}

    output.show(picture, document)
    return DONE


def _load_document(found: LargestLoad) -> dict[str, Any]:
    kept = None if found.plan is None else plan_document(found.plan)
    return msgspec.to_builtins({"possible": found.possible, "impossible": found.impossible, "plan": kept})
