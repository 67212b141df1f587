"""Why nothing fits: a minimal set of requirements that cannot hold together, and the least change that helps.

The conflict comes from a deletion filter: leave out one requirement after the other, and leave it out for good when
there is still no plan without it. What remains cannot hold together, and leaving out any one of it would help. Every
question is a search of its own, quick because any plan will do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.clock import SYSTEM_CLOCK, Clock
from ecotone.core.errors import InfeasibleError
from ecotone.orchestration.placement.problem import Given
from ecotone.orchestration.placement.requirements import Requirement, What, requirements_of, with_value, without
from ecotone.orchestration.placement.solve import Found, search

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ecotone.orchestration.placement.evaluate import Evaluation

__all__ = ["Conflict", "Relaxation", "find_conflict", "infeasible"]

_CLOSE = 0.01
"""Relative: how closely the least value is found."""
_MOST_STEPS = 12
_PREDICTED: frozenset[What] = frozenset({"path latency", "latency", "energy"})
_LEAST_LOAD = 1e-3


class Relaxation(msgspec.Struct, frozen=True, kw_only=True):
    """A change after which there is a plan. `value` is the least that helps, None when the rule has to go;
    `relative_change` compares it with what was asked."""

    requirement: Requirement
    sentence: str
    value: float | None
    relative_change: float


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """`minimal` is False when the time was up before every requirement had been tried."""

    requirements: tuple[Requirement, ...]
    relaxations: tuple[Relaxation, ...]
    minimal: bool


def infeasible(given: Given, *, clock: Clock = SYSTEM_CLOCK, time_limit_s: float = 30.0) -> InfeasibleError:
    """The error that `plan` raises for an application that is known to have no plan."""
    application, continuum = given.application, given.continuum
    conflict = find_conflict(given, clock=clock, time_limit_s=time_limit_s)
    if not conflict.requirements:
        message = f"{application.name} cannot run on {continuum.name} at all: no node can be reached by what feeds it"
        return InfeasibleError(message)
    sentences = [requirement.sentence for requirement in conflict.requirements]
    if len(sentences) == 1:
        message = f"{application.name} has no plan on {continuum.name}: {sentences[0]}, which nothing there can keep"
    else:
        message = f"{application.name} has no plan on {continuum.name}: these {len(sentences)} requirements conflict"
    changes = [relaxation.sentence for relaxation in conflict.relaxations]
    if given.confidence == "upper" and _is_expected_to_do(given, conflict, clock, time_limit_s):
        changes.append(
            "take a plan that is expected to keep the promises, though by the upper ends of the 90 % intervals it "
            "might not: --confidence expected"
        )
    return InfeasibleError(message, sentences, changes)


def _is_expected_to_do(given: Given, conflict: Conflict, clock: Clock, time_limit_s: float) -> bool:
    """Whether there is a plan but for the uncertainty of predictions."""
    if not any(each.what in _PREDICTED for each in conflict.requirements):
        return False
    expected = msgspec.structs.replace(given, confidence="expected")
    return _Question(expected, clock, time_limit_s).has_plan(())


def find_conflict(given: Given, *, clock: Clock = SYSTEM_CLOCK, time_limit_s: float = 30.0) -> Conflict:
    """The conflict of an application without a plan, and its relaxations, the smallest change first.

    No requirements when even without all of them there is no plan: then channels cross between sites without a link.
    """
    question = _Question(given, clock, time_limit_s)
    every = requirements_of(given.application, question.model)
    if not question.has_plan(every):
        return Conflict(requirements=(), relaxations=(), minimal=True)
    conflict, minimal = _minimal(question, every)
    relaxations = [each for requirement in conflict if (each := _relax(question, requirement)) is not None]
    relaxations.sort(key=lambda each: each.relative_change)
    return Conflict(requirements=tuple(conflict), relaxations=tuple(relaxations), minimal=minimal)


class _Question:
    """Asks whether there is a plan when some requirements are left out or loosened."""

    def __init__(self, given: Given, clock: Clock, time_limit_s: float) -> None:
        self._given = given
        self.continuum = given.continuum
        self._clock = clock
        self._deadline_s = clock.monotonic_s() + time_limit_s
        self._each_s = time_limit_s / 6
        self.problem = given.problem()
        self.model = self.problem.model
        self.timed_out = False

    def has_plan(self, left_out: Iterable[Requirement]) -> bool:
        return self.ask(left_out) is not None

    def ask(
        self, left_out: Iterable[Requirement], loosened: tuple[Requirement, float] | None = None
    ) -> Evaluation | None:
        """Some plan, or None: there is none, or none was found in time (`timed_out`)."""
        application, carries, load = self._given.application, True, 1.0
        for requirement in left_out:
            application = without(application, requirement)
            carries = carries and requirement.what != "load"
        if loosened is not None and loosened[0].what == "load":
            load = loosened[1]
        elif loosened is not None:
            application = with_value(application, *loosened)
        problem = self._given.problem(application, load=load, carries=carries)
        now_s = self._clock.monotonic_s()
        deadline_s = min(self._deadline_s, now_s + self._each_s)
        found: Found = search(problem, deadline_s=deadline_s, clock=self._clock, seed=self._given.seed, want="any")
        if found.best is None and not found.infeasible:
            self.timed_out = True
        return found.best


def _minimal(question: _Question, every: Sequence[Requirement]) -> tuple[list[Requirement], bool]:
    """A deletion filter. Memory first, since it is seldom the cause, then rules; promises and load stay longest."""
    order = {"memory": 0, "load": 2, "path latency": 3}
    left_out: list[Requirement] = []
    kept: list[Requirement] = []
    for requirement in sorted(every, key=lambda each: order.get(each.what, 1)):
        if question.ask([*left_out, requirement]) is None and not question.timed_out:
            left_out.append(requirement)
        else:
            kept.append(requirement)
    return [requirement for requirement in every if requirement in kept], not question.timed_out


def _relax(question: _Question, requirement: Requirement) -> Relaxation | None:
    """The least change of one requirement with which there is a plan, all others as they are; None: none helps."""
    if requirement.what == "load":
        return _less_load(question, requirement)
    free = question.ask([requirement])
    if free is None:
        return None
    if requirement.value is None:
        nodes = ", ".join(sorted({row.node for row in free.assignments if row.component == requirement.subject}))
        sentence = f"give up that {requirement.sentence} (it could then run on {nodes})"
        return Relaxation(requirement=requirement, sentence=sentence, value=None, relative_change=math.inf)
    reached = _reached(question, requirement, free)
    if reached is None:
        return None
    asked = requirement.value
    value = _least(question, requirement, asked, reached)
    shown = _round_away(value, asked)
    if question.ask([], (requirement, shown)) is None:
        shown = value
    change = abs(shown - asked) / asked if asked > 0 else math.inf
    verb = "raise" if shown > asked else "lower"
    kinds = {
        "path latency": f"the latency promise of path {requirement.subject}",
        "latency": f"the latency promise of {requirement.subject}",
        "throughput": f"the throughput that {requirement.subject} must carry",
        "memory": f"the memory of {requirement.subject}",
        "energy": f"the energy that {requirement.subject} may take for an item",
        "accuracy": f"the accuracy promised of {requirement.subject}",
    }
    sentence = f"{verb} {kinds[requirement.what]} from {requirement.show(asked)} to {requirement.show(shown)}"
    return Relaxation(requirement=requirement, sentence=sentence, value=shown, relative_change=change)


def _reached(question: _Question, requirement: Requirement, judged: Evaluation) -> float | None:
    """The value of the requirement that a plan without it would keep; None when it cannot be told."""
    timing = judged.timing
    assert timing is not None
    if requirement.path is not None:
        return question.problem.judged_s(timing.paths[requirement.path])
    rows = [row for row in judged.assignments if row.component == requirement.subject]
    if requirement.what == "latency":
        return question.problem.judged_s(timing.of(requirement.subject))
    if requirement.what == "accuracy":
        return question.model.outputs(requirement.subject, rows[0].variant).accuracy
    nodes = {node.name: node.type for node in question.continuum.nodes}
    if requirement.what == "energy":
        energies = (question.model.energy(row.component, row.variant, nodes[row.node], row.cores) for row in rows)
        return max(question.problem.judged_j(each) for each in energies)
    if requirement.what == "throughput":
        found = next(each for each in judged.components if each.component == requirement.subject)
        return min(requirement.value or 0.0, found.rate_per_s)
    return 1.0  # memory: a byte


def _least(question: _Question, requirement: Requirement, refused: float, allowed: float) -> float:
    """Bisection between a value without a plan and one with, taking what each plan found really reaches."""
    for _ in range(_MOST_STEPS):
        if abs(allowed - refused) <= _CLOSE * abs(allowed):
            break
        middle = (refused + allowed) / 2
        judged = question.ask([], (requirement, middle))
        if judged is None:
            refused = middle
            continue
        reached = _reached(question, requirement, judged)
        allowed = middle
        if reached is not None and requirement.what not in {"memory", "throughput"}:
            allowed = reached if abs(reached - refused) < abs(middle - refused) else middle
    return allowed


def _less_load(question: _Question, requirement: Requirement) -> Relaxation | None:
    refused, allowed = 1.0, _LEAST_LOAD
    if question.ask([], (requirement, allowed)) is None:
        return None
    while refused - allowed > _CLOSE * refused:
        middle = (refused + allowed) / 2
        if question.ask([], (requirement, middle)) is None:
            refused = middle
        else:
            allowed = middle
    sentence = f"lower the load of all sources to {100 * allowed:.3g} % of what they bring"
    return Relaxation(requirement=requirement, sentence=sentence, value=allowed, relative_change=1.0 - allowed)


def _round_away(value: float, asked: float) -> float:
    """To three significant digits, on the side that is easier to keep."""
    if value <= 0 or value == asked:
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    steps = math.ceil(value / unit - 1e-9) if value > asked else math.floor(value / unit + 1e-9)
    return steps * unit
