"""`ecotone plan APP --pareto` and `--largest-load`: what an application could have instead. Loaded by `planning`."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.plan import plan_document
from ecotone.frontends.cli.main import DONE, FAILED
from ecotone.frontends.cli.profiling import profile_progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ecotone.core.plan import Plan
    from ecotone.frontends.cli.output import Output
    from ecotone.orchestration.placement import Frontier, LargestLoad
    from ecotone.orchestration.placement.tradeoffs import Second
    from ecotone.session import Session

__all__ = ["plan_front", "plan_largest_load"]


def plan_front(session: Session, by: Second, output: Output, *, time_limit_s: float, fuse: bool) -> int:
    """Every compromise; the exit status is that of a plan."""
    with profile_progress() as progress:
        session.plan(fuse=fuse, progress=progress)  # says why, where there is none
        front = session.pareto(by, time_limit_s=time_limit_s, fuse=fuse)
    if not front.points:
        output.say("the time was up before any plan was found; allow more with --time-limit")
        return FAILED

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.tradeoffs import front_view

        return front_view(front, by, width)

    output.show(picture, lambda: _front_document(front, by))
    return DONE


def _front_document(front: Frontier[Plan], by: Second) -> dict[str, Any]:
    from ecotone.frontends.terminal.tradeoffs import least_accuracy

    points = [
        {
            "cost_eur_per_h": point.answer.cost_eur_per_h,
            "power_w": point.answer.power_w,
            "accuracy": least_accuracy(point.answer),
            "proven": point.proven,
            "plan": plan_document(point.answer),
        }
        for point in front.points
    ]
    return {"by": by, "complete": front.complete, "points": points}


def plan_largest_load(session: Session, output: Output, *, time_limit_s: float, fuse: bool) -> int:
    """The largest load of the cheapest plan, and of any plan."""
    with profile_progress() as progress:
        plan = session.plan(fuse=fuse, progress=progress)
    this = session.largest_load(plan, time_limit_s=time_limit_s / 2)
    any_plan = session.largest_load(time_limit_s=time_limit_s / 2)

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
