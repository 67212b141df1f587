"""The search for the cheapest placement of a system: a quick answer, better ones while it works, then the proof.

First ruin and recreate finds something good; then a relaxation without times tells which resources nothing better can
take; then CP-SAT proposes what is cheapest as far as the formulation knows, the evaluator judges, what it finds missing
is added, and so on. The bounds of relaxation and formulation are bounds on every placement all the time.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.clock import SYSTEM_CLOCK, Clock
from ecotone.orchestration.placement.system._cuts import cut_of
from ecotone.orchestration.placement.system._recreate import recreate
from ecotone.orchestration.placement.system.evaluate import Judgement, judge
from ecotone.orchestration.placement.system.flows import Flows, restricted
from ecotone.orchestration.placement.system.model import Goal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ecotone.orchestration.placement.system._formulation import Formulation
    from ecotone.orchestration.placement.system._relaxation import Relaxation
    from ecotone.orchestration.placement.system.model import Placement, System

__all__ = ["CHEAPEST", "Found", "Progress", "search"]

CHEAPEST = Goal()
_SAME = 1e-6
"""Values closer than this are equal: less than a cent a year."""
_ROUNDS = 600
"""Of ruin and recreate before the exact solver is asked."""
_ROUNDS_AGAIN = 200
_LARGE = 2000
"""Options from which on the relaxation is worth a branch and bound of its own,"""
_RELAXATION_SHARE = 0.4
"""for at most this share of the time that is left."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What is known while the search goes on, in the unit of the goal; `value` None: nothing that keeps every bound
    yet."""

    wall_s: float
    value: float | None
    lower_bound: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """How a search ended. `best` None with `infeasible`: proven that there is none; without: the time was up.

    `value` is what the goal minimises (EUR/h, moving included, or W), infinite without a placement; `gap` is
    (value - lower bound) / value; `rounds`: how often the solver was asked.
    """

    best: Judgement | None
    value: float
    lower_bound: float
    optimal: bool
    infeasible: bool
    gap: float
    wall_s: float
    rounds: int


def search(
    system: System,
    goal: Goal = CHEAPEST,
    *,
    time_limit_s: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
    any_will_do: bool = False,
    start: Placement | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Found:
    """The best placement, by the goal the cheapest, that keeps every bound and rule.

    The same system, goal, seed and start give the same placement, unless time runs out before the gap is reached.

    Args:
        goal: what is minimised, and limits on the rest.
        time_limit_s: when it is up, the best placement so far is returned with its gap.
        gap: stop when (value - lower bound) / value is at most this; 0 asks for the proof.
        seed: of whatever is drawn.
        any_will_do: stop at the first placement.
        start: a placement to begin with, for instance the one that runs.
        progress: called, from the solver's threads too, whenever value or bound get better.
        stop: when it is set, from another thread or a signal handler, the search ends as if its time were up.
    """
    started = _Search(
        system,
        goal,
        time_limit_s=time_limit_s,
        gap=math.inf if any_will_do else gap,
        seed=seed,
        progress=progress,
        stop=stop,
        clock=clock,
    )
    return started.run(start)


class _Search:
    def __init__(
        self,
        system: System,
        goal: Goal,
        *,
        time_limit_s: float,
        gap: float,
        seed: int,
        progress: Callable[[Progress], None] | None,
        stop: threading.Event | None,
        clock: Clock,
    ) -> None:
        self._system = system
        self._goal = goal
        self._flows = Flows(system)
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._deadline_s = self._started_s + time_limit_s
        self._gap = gap
        self._seed = seed
        self._progress = progress
        self._stop = stop
        self._lock = threading.Lock()
        self._best: Judgement | None = None
        self._value = math.inf
        self._broken: Judgement | None = None
        self._bound = 0.0
        self._rounds = 0

    def run(self, start: Placement | None) -> Found:
        if start is not None:
            self._judge(start)
        self._recreate(_ROUNDS, None if self._best is None else self._best.placement)
        infeasible = not self._is_over() and self._prove()
        return self._found(infeasible=infeasible)

    def _prove(self) -> bool:
        """Whether there is no placement at all."""
        # OR-Tools takes longer to import than many a search.
        from ecotone.orchestration.placement.system._formulation import Formulation  # noqa: PLC0415

        kept = self._relax()
        if kept is None:
            return self._close()
        if self._is_over():
            return False
        formulation = Formulation(restricted(self._flows, kept), self._goal, kept)
        formulation.at_least(self._bound)
        while not self._is_over():
            status = self._ask(formulation)
            if status == "infeasible":
                return self._close()
            if self._broken is not None:
                self._mend(formulation, self._broken)
            elif status == "unknown":
                return False
        return False

    def _close(self) -> bool:
        """There is nothing better."""
        self._bound = self._value
        return self._best is None

    def _relax(self) -> Collection[tuple[str, int]] | None:
        """Copies that something better may take; None: there is nothing better."""
        from ecotone.orchestration.placement.system._relaxation import Relaxation  # noqa: PLC0415

        relaxation = Relaxation(self._flows, self._goal)
        self._drop(relaxation)
        if self._flows.options > _LARGE:
            if not self._is_over() and relaxation.bound is not None:
                self._recreate_with(relaxation, relaxation.kept)
            if not self._is_over() and relaxation.bound is not None:
                share_s = _RELAXATION_SHARE * self._left_s()
                copies = relaxation.raise_bound(share_s, self._stop, self._clock)
                self._hear(relaxation)
                if copies is not None and not self._is_over():
                    self._recreate_with(relaxation, {key for key in self._flows.copies if key[0] in copies})
        return None if relaxation.bound is None else relaxation.kept

    def _drop(self, relaxation: Relaxation) -> None:
        relaxation.drop(self._value)
        self._hear(relaxation)

    def _hear(self, relaxation: Relaxation) -> None:
        if relaxation.bound is not None:
            self._on_bound(relaxation.bound)

    def _recreate_with(self, relaxation: Relaxation, kept: Collection[tuple[str, int]]) -> None:
        """Look for something better that takes only these copies; then even more can be dropped."""
        before = self._value
        self._recreate(_ROUNDS_AGAIN, None if self._best is None else self._best.placement, kept)
        if self._value < before and not self._is_over():
            self._drop(relaxation)

    def _recreate(self, rounds: int, start: Placement | None, kept: Collection[tuple[str, int]] | None = None) -> None:
        """Something to begin with, or something better that takes only the copies that are `kept`."""
        recreate(
            self._flows if kept is None else restricted(self._flows, kept),
            rounds=rounds,
            seed=self._seed,
            goal=self._goal,
            start=start,
            is_kept=self._judge,
            go_on=lambda: not self._is_over(),
        )

    def _ask(self, formulation: Formulation) -> str:
        from ecotone.orchestration.placement.system._solver import solve  # noqa: PLC0415

        self._rounds += 1
        self._broken = None
        if self._best is not None:
            formulation.at_most(self._value)
            formulation.hint(self._best.placement)
        return solve(
            formulation,
            seed=self._seed,
            time_limit_s=self._left_s(),
            gap=self._gap,
            on_placement=self._on_placement,
            on_bound=self._on_bound,
            stop=self._stop,
        )

    def _on_placement(self, placement: Placement) -> bool:
        """Whether the solver should go on: not when it believes in a placement that is none."""
        with self._lock:
            return self._judge(placement) and not self._is_done()

    def _on_bound(self, bound: float) -> None:
        with self._lock:
            if bound > self._bound:
                self._bound = bound
                self._tell()

    def _judge(self, placement: Placement) -> bool:
        judged = judge(self._system, placement, self._flows)
        if not judged.feasible:
            self._broken = judged
            return False
        value = self._value_of(judged)
        if math.isinf(value):  # a limit of the goal, by less than the formulation's rounding
            self._broken = judged
            return False
        if value < self._value - _SAME or self._best is None:
            self._best, self._value = judged, value
            self._tell()
        return True

    def _value_of(self, judged: Judgement) -> float:
        """Infinite where the goal's limits are broken."""
        goal = self._goal
        limits = (
            (judged.price_eur_per_h, goal.price_max_eur_per_h),
            (judged.power_w, goal.power_max_w),
            (goal.accuracy_min or 0.0, judged.accuracy),
        )
        if any(most is not None and value > most + _SAME for value, most in limits):
            return math.inf
        if goal.minimise == "power":
            return judged.power_w
        return judged.price_eur_per_h + goal.moving_price_eur_per_h(judged.placement)

    def _mend(self, formulation: Formulation, judged: Judgement) -> None:
        """Add what the formulation did not know when it proposed this."""
        late = {violation.subject for violation in judged.violations if violation.what == "bound"}
        if not late:  # full by less than the formulation's rounding
            formulation.exclude_exactly(judged.placement)
            return
        broken = [bound for bound in self._system.bounds if bound.name in late]
        concerned = {name for bound in broken for each in bound.components for name in judged.placement.resources[each]}
        uses = [use for use in judged.uses if use.resource in concerned and use.copies]
        known = [not formulation.add_networks(bound) for bound in self._system.bounds]
        known += [not formulation.sharpen(use.resource, use.busy, use.copies) for use in uses]
        if not all(known):
            return
        for bound in broken:
            cut = cut_of(self._flows, bound, judged.placement)
            if cut is None:
                formulation.exclude_exactly(judged.placement)
            else:
                formulation.exclude(cut)

    def _tell(self) -> None:
        if self._progress is None:
            return
        self._progress(
            Progress(
                wall_s=self._clock.monotonic_s() - self._started_s,
                value=None if self._best is None else self._value,
                lower_bound=self._bound,
            )
        )

    def _is_done(self) -> bool:
        return self._best is not None and _gap(self._value, self._bound) <= self._gap

    def _is_over(self) -> bool:
        return self._is_done() or self._left_s() <= 0.0 or (self._stop is not None and self._stop.is_set())

    def _left_s(self) -> float:
        return self._deadline_s - self._clock.monotonic_s()

    def _found(self, *, infeasible: bool) -> Found:
        gap = _gap(self._value, self._bound)
        return Found(
            best=self._best,
            value=self._value,
            lower_bound=min(self._bound, self._value),
            optimal=self._best is not None and gap == 0.0,
            infeasible=infeasible,
            gap=gap,
            wall_s=self._clock.monotonic_s() - self._started_s,
            rounds=self._rounds,
        )


def _gap(value: float, bound: float) -> float:
    if math.isinf(value):
        return math.inf
    return (value - bound) / value if value - bound > 2 * _SAME else 0.0
