"""What an application could have instead: compromises between price and power or accuracy, and the largest load.

Called by the session. Every answer is a plan that keeps every promise, found and proven by `search`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from ecotone.core.clock import SYSTEM_CLOCK, Clock
from ecotone.core.plan import Assignment, Plan
from ecotone.orchestration.placement.evaluate import Evaluator
from ecotone.orchestration.placement.goal import Goal
from ecotone.orchestration.placement.questions import Answer, Frontier, Reply, frontier, largest
from ecotone.orchestration.placement.solve import plan_of, search

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ecotone.core.application import Value
    from ecotone.orchestration.placement.problem import Given
    from ecotone.orchestration.placement.solve import Found

__all__ = ["LargestLoad", "Second", "largest_load", "pareto"]

Second = Literal["power", "accuracy"]
"""What is weighed against the price."""
_LEAST_W = 1e-3
_LEAST_ACCURACY = 1e-9
_SAME_EUR_PER_H = 1e-6


class LargestLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Loads are multiples of what the sources bring. `possible`: what can be carried, by `plan` where any may be taken;
    `impossible`: the nearest larger load that was shown to be too much. None: neither was found in time."""

    possible: float | None
    impossible: float | None
    plan: Plan | None = None


def pareto(
    given: Given,
    by: Second,
    *,
    load: float = 1.0,
    time_limit_s: float = 60.0,
    parameters: Mapping[str, Value] | None = None,
    points_max: int = 100,
    progress: Callable[[int], None] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Frontier[Plan]:
    """The plans of which none is better in price without being worse in `by`, the cheapest first.

    The second objective of a point is watts, or the negative accuracy of the least accurate component of which it is
    known. Exact, by epsilon-constraint, unless the time runs out: then `complete` is False.

    Args:
        load: multiplies the rates of all sources.
        progress: called with the number of points so far.

    Raises:
        InputError: samples, rates or figures that are missing or cannot be.
    """
    deadline_s = clock.monotonic_s() + time_limit_s
    problem = given.problem(load=load)
    last: list[Found] = []
    points = 0

    def ask_for(goal: Goal) -> Answer[Plan] | None:
        found = search(problem, goal=goal, deadline_s=deadline_s, clock=clock, seed=given.seed)
        last.append(found)
        if found.best is None:
            return None
        plan = plan_of(given, problem, found, goal, parameters=parameters)
        return Answer(answer=plan, first=plan.cost_eur_per_h, second=_second(plan, by), proven=found.optimal)

    def ask(limit: float | None) -> Answer[Plan] | None:
        nonlocal points
        if progress is not None:
            progress(points)
        points += 1
        return ask_for(
            Goal(power_max_w=limit) if by == "power" else Goal(accuracy_min=None if limit is None else -limit)
        )

    def improve(answer: Answer[Plan]) -> Answer[Plan]:
        better = ask_for(Goal(minimise="power", price_max_eur_per_h=answer.first + _SAME_EUR_PER_H))
        return answer if better is None else better

    return frontier(
        ask,
        lambda second: second - (_LEAST_W if by == "power" else _LEAST_ACCURACY),
        improve=improve if by == "power" else None,
        is_proven_empty=lambda: last[-1].infeasible,
        points_max=points_max,
        is_over=lambda: clock.monotonic_s() >= deadline_s,
    )


def _second(plan: Plan, by: Second) -> float:
    if by == "power":
        return plan.power_w
    return -(1.0 if plan.least_accuracy is None else plan.least_accuracy)


def largest_load(
    given: Given,
    assignments: Sequence[Assignment] | None = None,
    *,
    tolerance: float = 0.01,
    time_limit_s: float = 60.0,
    parameters: Mapping[str, Value] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> LargestLoad:
    """The largest load that these assignments can carry with every promise kept, or that any plan can.

    Args:
        assignments: of a plan; None: any plan may be taken.
        tolerance: relative, between what is possible and what is not.

    Raises:
        InputError: samples, rates or figures that are missing or cannot be.
    """
    deadline_s = clock.monotonic_s() + time_limit_s
    best: list[Plan] = []

    def ask(load: float) -> Reply:
        problem = given.problem(load=load)
        if assignments is not None:
            return Reply(possible=Evaluator(problem).evaluate(assignments).feasible)
        found = search(problem, deadline_s=deadline_s, clock=clock, seed=given.seed, want="any")
        if found.best is None:
            return Reply(possible=False if found.infeasible else None)
        best[:] = [plan_of(given, problem, found, Goal(), parameters=parameters)]
        return Reply(possible=True)

    reached = largest(ask, 1.0, 2.0, tolerance=tolerance, is_over=lambda: clock.monotonic_s() >= deadline_s)
    return LargestLoad(possible=reached.possible, impossible=reached.impossible, plan=best[0] if best else None)
