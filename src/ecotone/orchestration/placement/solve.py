"""The search: linear optimum, exact judgement, cut, again, until the cheapest plan that keeps every promise is proven.

`plan` is what the session calls. CP-SAT proposes the cheapest assignment that nothing known forbids; the evaluator
judges it; a broken promise becomes a cut. The proposal's cost is a lower bound all the time, so the first proposal
that passes is optimal.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec

from ecotone.core.clock import SYSTEM_CLOCK, Clock
from ecotone.core.errors import InfeasibleError, UnavailableError
from ecotone.core.plan import Assignment, Confidence, Plan
from ecotone.orchestration.performance import OVERHEADS, Overheads
from ecotone.orchestration.placement._cuts import cuts_of, time_limits
from ecotone.orchestration.placement.evaluate import Evaluation, Evaluator
from ecotone.orchestration.placement.fingerprint import fingerprint_of
from ecotone.orchestration.placement.goal import CHEAPEST, Goal
from ecotone.orchestration.placement.problem import Given, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ecotone.core.application import Application, Component, Value
    from ecotone.core.continuum import Continuum
    from ecotone.orchestration.performance.samples import Samples
    from ecotone.orchestration.placement._cpsat import Answer

__all__ = ["Ban", "Found", "Progress", "plan", "plan_of", "search"]

_SAME = 1e-6
"""Values closer than this are equal: less than a cent a year."""
_TRIES = 8
"""Other numbers of cores that are tried for one placement."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What is known while the search goes on, in the unit of the goal; `value` None: nothing that keeps every promise
    yet."""

    wall_s: float
    rounds: int
    value: float | None
    lower_bound: float


class Ban(msgspec.Struct, frozen=True, kw_only=True):
    """Forbids a component every one of `variants` on every one of `nodes`; with `cores`, only those numbers of them."""

    component: str
    variants: tuple[str, ...]
    nodes: tuple[str, ...]
    cores: tuple[int, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """How a search ended. `best` None with `infeasible`: proven that there is none; without: the time was up. `value`:
    what the goal minimises (EUR/h, moving included, or W), infinite without a plan."""

    best: Evaluation | None
    value: float
    lower_bound: float
    optimal: bool
    infeasible: bool
    rounds: int


def plan(
    application: Application,
    continuum: Continuum,
    samples: Samples,
    *,
    parameters: Mapping[str, Value] | None = None,
    time_limit_s: float = 30.0,
    gap: float = 0.0,
    seed: int = 0,
    fuse: bool = False,
    load: float = 1.0,
    confidence: Confidence = "upper",
    goal: Goal = CHEAPEST,
    overheads: Overheads = OVERHEADS,
    progress: Callable[[Progress], None] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Plan:
    """The plan that is best by `goal`, by default the cheapest, and keeps every promise; of equally good ones the one
    with the faster worst path, then less energy, then fewer replicas.

    Args:
        parameters: the application's, kept in the plan and its fingerprint; they do not change the search.
        time_limit_s: when it is up, the best plan so far is returned with its gap.
        gap: stop when (cost - lower bound) / cost is at most this (0: proof of optimality).
        seed: of the simulated arrivals and services, and of the solver; the same input gives the same plan.
        fuse: let stateless neighbours on one node share a host process.
        load: multiplies the rates of all sources.
        confidence: whether promises are kept by the upper ends of the predictions' 90 % intervals, or as expected.
        goal: what is minimised, limits on the rest, and what runs now.
        progress: called after every round.

    Raises:
        InputError: samples, rates or figures that are missing or cannot be.
        InfeasibleError: no assignment keeps every promise; with a minimal conflict and the cheapest relaxations.
        UnavailableError: the time was up before a plan was found or excluded.
    """
    started_s = clock.monotonic_s()
    given = Given(
        application=application, continuum=continuum, samples=samples, fuse=fuse, confidence=confidence, seed=seed,
        overheads=overheads,
    )  # fmt: skip
    problem = given.problem(load=load)
    deadline_s = started_s + time_limit_s
    found = search(problem, goal=goal, deadline_s=deadline_s, clock=clock, gap=gap, seed=seed, progress=progress)
    if found.infeasible and goal.has_limits:
        raise InfeasibleError(
            f"no plan of {application.name} on {continuum.name} keeps every promise and {goal.limits}"
        )
    if found.infeasible:
        from ecotone.orchestration.placement.conflict import infeasible  # noqa: PLC0415  (it searches, too)

        raise infeasible(given, clock=clock, time_limit_s=time_limit_s)
    if found.best is None:
        raise UnavailableError(
            f"no plan for {application.name} on {continuum.name} was found or excluded within {time_limit_s:g} s; "
            "allow more time"
        )
    return plan_of(given, problem, found, goal, parameters=parameters, wall_s=clock.monotonic_s() - started_s)


def plan_of(
    given: Given,
    problem: Problem,
    found: Found,
    goal: Goal,
    *,
    parameters: Mapping[str, Value] | None = None,
    wall_s: float = 0.0,
) -> Plan:
    """What a search found, with all that is predicted of it."""
    assert found.best is not None
    best = Evaluator(problem).evaluate(found.best.assignments, intervals=True)
    in_eur = goal.minimise == "price"
    moving = goal.value_of(best) - best.cost_eur_per_h if in_eur else 0.0
    return Plan(
        application=given.application.name,
        continuum=given.continuum.name,
        fingerprint=fingerprint_of(
            given.application,
            given.continuum,
            given.samples,
            parameters=parameters,
            fuse=given.fuse,
            confidence=given.confidence,
            seed=given.seed,
        ),
        assignments=_in_order(problem, best.assignments),
        components=best.components,
        paths=best.paths,
        cost_eur_per_h=best.cost_eur_per_h,
        lower_bound_eur_per_h=max(0.0, found.lower_bound - moving) if in_eur else 0.0,
        optimal=found.optimal,
        confidence=given.confidence,
        gap=_gap(found.value, found.lower_bound),
        objective=goal.minimise,
        lower_bound_w=0.0 if in_eur else found.lower_bound,
        moved=goal.moved(best.assignments),
        power_w=best.power_w,
        wall_s=wall_s,
        groups=best.groups,
        parameters=dict(parameters or {}),
        notes=_notes(problem, best),
    )


def search(
    problem: Problem,
    *,
    deadline_s: float,
    goal: Goal = CHEAPEST,
    clock: Clock = SYSTEM_CLOCK,
    gap: float = 0.0,
    seed: int = 0,
    bans: Sequence[Ban] = (),
    want: Literal["best", "any"] = "best",
    progress: Callable[[Progress], None] | None = None,
) -> Found:
    """The assignment of a problem that is best by `goal`, or with `want="any"` the first found, trying fast ones
    first."""
    started = _Search(
        problem, goal=goal, deadline_s=deadline_s, clock=clock, gap=gap, seed=seed, bans=bans, progress=progress
    )  # fmt: skip
    return started.run(want)


class _Search:
    def __init__(
        self,
        problem: Problem,
        *,
        goal: Goal,
        deadline_s: float,
        clock: Clock,
        gap: float,
        seed: int,
        bans: Sequence[Ban],
        progress: Callable[[Progress], None] | None,
    ) -> None:
        from ecotone.orchestration.placement._cpsat import UNITS, LinearModel  # noqa: PLC0415  (OR-Tools is heavy)

        self._problem = problem
        self._goal = goal
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._deadline_s = deadline_s
        self._gap = gap
        self._progress = progress
        self._units = UNITS
        self._evaluator = Evaluator(problem)
        self._limits = time_limits(problem)
        self._model = LinearModel(problem, self._limits, goal=goal, seed=seed)
        for ban in bans:
            self._model.forbid(ban.component, ban.variants, ban.nodes, ban.cores)
        self._best: Evaluation | None = None
        self._tried = 0
        self._varied: set[frozenset[tuple[str, str, str, int]]] = set()
        self._value = math.inf
        self._bound = 0
        self._rounds = 0

    def run(self, want: Literal["best", "any"]) -> Found:
        if want == "any":
            return self._any()
        level: int | None = None  # the value that is being searched through, proven to be the least possible
        while self._left_s() > 0:
            if level is None:
                answer = self._model.best(time_limit_s=self._left_s(), at_most=self._value_of_best())
                if answer.status == "infeasible":
                    return self._closed()
                self._bound = max(self._bound, answer.bound)
                if answer.status == "optimal":
                    level = answer.value
                    continue
            else:
                answer = self._model.fastest(time_limit_s=self._left_s(), at_most=level)
                if answer.status == "infeasible":
                    level = None
                    continue
            if answer.status == "unknown":
                break
            is_first = self._rounds == 0
            judged = self._judge(answer)
            if not judged.feasible:
                self._vary_cores(judged)
            if self._is_done():
                break
            if not judged.feasible and self._best is None and is_first:
                self._look_for_any()
        return self._found()

    def _any(self) -> Found:
        while self._left_s() > 0:
            answer = self._model.fastest(time_limit_s=self._left_s())
            if answer.status == "infeasible":
                return self._closed()
            if answer.status == "unknown":
                break
            judged = self._judge(answer)
            if not judged.feasible:
                self._vary_cores(judged)
            if self._best is not None:
                break
        return self._found()

    def _look_for_any(self) -> None:
        """Have something to fall back on before the long way: what is fastest probably keeps the promises."""
        answer = self._model.fastest(time_limit_s=self._left_s())
        if answer.assignments:
            self._judge(answer)

    def _vary_cores(self, judged: Evaluation) -> None:
        """Try the same placement with other numbers of cores, one component's at a time, as long as less and less is
        broken: what is fastest on idle nodes holds most cores, and where several share a node, that is not the best.
        The linear model knows nothing of that, and would propose one combination after the other. About half of all
        judgements may go into this."""
        place = frozenset((row.component, row.variant, row.node, row.replicas) for row in judged.assignments)
        if place in self._varied or 2 * self._tried > self._rounds:
            return
        self._varied.add(place)
        rows, excess, left = judged.assignments, _excess(judged), _TRIES
        while True:
            before = excess
            for name, cores in _other_cores(self._problem, rows):
                if left == 0 or self._left_s() <= 0:
                    return
                left -= 1
                self._tried += 1
                other = tuple(msgspec.structs.replace(r, cores=cores) if r.component == name else r for r in rows)
                found = self._judge_rows(other)
                if found.feasible:
                    return
                if _excess(found) < excess:
                    rows, excess = other, _excess(found)
            if excess >= before:
                return

    def _judge(self, answer: Answer) -> Evaluation:
        judged = self._judge_rows(answer.assignments)
        if judged.feasible:
            value = self._goal.value_of(judged)
            if value > answer.value / self._units + _SAME:
                self._correct(judged, value)
        return judged

    def _judge_rows(self, rows: Sequence[Assignment]) -> Evaluation:
        judged = self._evaluator.evaluate(rows)
        judged = msgspec.structs.replace(
            judged, violations=(*judged.violations, *self._goal.violations(self._problem, judged))
        )
        self._rounds += 1
        if judged.feasible:
            value = self._goal.value_of(judged)
            if value < self._value - _SAME:
                self._best, self._value = judged, value
        else:
            for cut in cuts_of(self._problem, self._limits, judged):
                self._model.add_cut(cut)
        if self._progress is not None:
            self._progress(
                Progress(
                    wall_s=self._clock.monotonic_s() - self._started_s,
                    rounds=self._rounds,
                    value=None if self._best is None else self._value,
                    lower_bound=self._bound / self._units,
                )
            )
        return judged

    def _correct(self, judged: Evaluation, value: float) -> None:
        """Say what this very placement is worth, where the linear bounds on flows and shared traffic were loose."""
        names = [component.name for component in self._problem.components]
        rows = {name: tuple(row for row in judged.assignments if row.component == name) for name in names}
        self._model.add_value(rows.values(), math.floor(value * self._units))
        if self._goal.minimise == "price":
            self._correct_link_costs(judged)

    def _correct_link_costs(self, judged: Evaluation) -> None:
        """Where the linear bound on shared traffic was loose, say what this very placement costs."""
        prices = self._evaluator.link_costs(judged.assignments)
        for producer, price in prices.items():
            concerned = [producer, *self._problem.application.consumers(producer)]
            rows = [tuple(row for row in judged.assignments if row.component == name) for name in concerned]
            self._model.add_link_cost(producer, rows, math.floor(price * self._units))

    def _is_done(self) -> bool:
        if self._best is None:
            return False
        bound = self._bound / self._units
        return self._value <= bound + _SAME or _gap(self._value, bound) <= self._gap

    def _value_of_best(self) -> int | None:
        return None if self._best is None else math.ceil(self._value * self._units) + 1

    def _left_s(self) -> float:
        return self._deadline_s - self._clock.monotonic_s()

    def _closed(self) -> Found:
        """Nothing is left: the best found is the best there is."""
        return Found(
            best=self._best,
            value=self._value,
            lower_bound=self._value,
            optimal=self._best is not None,
            infeasible=self._best is None,
            rounds=self._rounds,
        )

    def _found(self) -> Found:
        bound = self._bound / self._units
        optimal = self._best is not None and self._value <= bound + _SAME
        if self._best is not None:
            bound = self._value if optimal else min(bound, self._value)
        return Found(
            best=self._best,
            value=self._value,
            lower_bound=bound,
            optimal=optimal,
            infeasible=False,
            rounds=self._rounds,
        )


def _other_cores(problem: Problem, rows: Sequence[Assignment]) -> list[tuple[str, int]]:
    """Components that may have another number of cores where they are, with each other number."""
    found: list[tuple[str, int]] = []
    for component in problem.components:
        mine = [row for row in rows if row.component == component.name]
        able = [
            {
                each.cores
                for each in problem.options[component.name]
                if (each.variant, each.node) == (row.variant, row.node)
            }
            for row in mine
        ]
        found += [(component.name, cores) for cores in sorted(set.intersection(*able)) if cores != mine[0].cores]
    return found


def _excess(judged: Evaluation) -> float:
    """By how much promises and limits are broken, relative to each; what has no measure counts as much as ten."""
    shares = [
        10.0 if each.limit is None or each.value is None or each.limit <= 0 else abs(each.value / each.limit - 1.0)
        for each in judged.violations
    ]
    return sum(shares)


def _gap(value: float, bound: float) -> float:
    return max(0.0, (value - bound) / value) if value > _SAME and value - bound > _SAME else 0.0


def _in_order(problem: Problem, rows: Sequence[Assignment]) -> tuple[Assignment, ...]:
    """In data order, then in the order of the nodes."""
    components = [component.name for component in problem.components]
    nodes = list(problem.nodes)
    return tuple(sorted(rows, key=lambda row: (components.index(row.component), nodes.index(row.node))))


def _promises(component: Component) -> bool:
    needs = component.requirements
    return needs.latency is not None or needs.energy_max_j is not None


def _cores(count: int) -> str:
    return f"{count} core{'s' if count > 1 else ''}"


def _listed(counts: Sequence[int]) -> str:
    return " and ".join(filter(None, (", ".join(map(str, counts[:-1])), str(counts[-1]))))


def _notes(problem: Problem, best: Evaluation) -> tuple[str, ...]:
    """What the figures rest on."""
    notes = [
        "times assume that services are independent of each other, from item to item and from component to component; "
        "percentiles of paths are those of the simulated sum"
    ]
    if problem.application.paths or any(_promises(component) for component in problem.components):
        notes.append(
            "promises are kept by the upper ends of the predictions' 90 % intervals"
            if problem.confidence == "upper"
            else "promises are kept as expected: one that is just kept is broken about every second time"
        )
    far = {
        row.node
        for row in best.assignments
        if not problem.model.service(row.component, row.variant, problem.nodes[row.node].type, row.cores).supported
    }
    if far:
        notes.append(
            f"{', '.join(sorted(far))}: far from the machine that was measured, in speed or in some kind of work: "
            "times there are extrapolated beyond what the samples support"
        )
    foreseen = {row.component: problem.model.foreseen(row.component, row.variant) for row in best.assignments}
    notes += [
        f"{name}: times at these parameters are predicted from {runs} runs at others; to measure them: ecotone profile"
        for name, runs in foreseen.items()
        if runs
    ]
    law = {
        (r.component, r.cores): problem.model.extrapolated_from(r.component, r.variant, r.cores)
        for r in best.assignments
    }
    notes += [
        f"{name}: its times with {cores} cores are extrapolated by Amdahl's law from calls with {_listed(measured)}; "
        "to measure them, profile on a machine that has as many"
        for (name, cores), measured in law.items()
        if measured
    ]
    few = {row.component: problem.model.cramped(row.component, row.variant) for row in best.assignments}
    notes += [
        f"{name}: it was measured on a machine of {_cores(cores)}, fewer than it uses at once, and is faster where it "
        "has them"
        for name, cores in few.items()
        if cores
    ]
    notes += [
        f"{component.name} states no throughput: 1 request/s is assumed"
        for component in problem.components
        if component.trigger.kind == "request" and component.requirements.throughput_min_per_s is None
    ]
    if problem.continuum.emulated:
        cores = sum(use.utilisation * problem.nodes[use.node].type.cores for use in best.nodes)
        notes.append(
            f"the continuum is emulated: about {cores:.2g} emulated cores are busy, and figures of a run "
            "hold only while the real machine has cores to spare"
        )
        calibrated = [use.node for use in best.nodes if problem.nodes[use.node].type.calibration is not None]
        if calibrated:
            notes.append(
                f"times on {', '.join(calibrated)} are predicted from a calibration, but an emulated node is padded to "
                "its speed: a run will differ"
            )
    rows = [row.component for row in best.assignments]
    spread = {name for name in rows if rows.count(name) > 1}
    if spread:
        notes.append(f"replicas of {', '.join(sorted(spread))} on several nodes are assumed to take equal shares")
    return tuple(notes)
