"""Why a plan is as it is, as values that every front end can show: what binds, and what the next best would cost.

Every statement is found by asking again: a requirement binds when the best plan without it is cheaper; the alternative
to a choice is the best plan in which that choice is forbidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from ecotone.core.clock import SYSTEM_CLOCK, Clock
from ecotone.core.errors import InputError
from ecotone.core.plan import Assignment, Plan
from ecotone.orchestration.performance import OVERHEADS, Overheads
from ecotone.orchestration.performance.interface import StageTiming
from ecotone.orchestration.placement.evaluate import Evaluation, Evaluator, LinkUse, NodeUse
from ecotone.orchestration.placement.problem import Given, Problem
from ecotone.orchestration.placement.requirements import Requirement, requirements_of, without
from ecotone.orchestration.placement.solve import Ban, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.core.application import Application, Component
    from ecotone.core.continuum import Continuum
    from ecotone.orchestration.performance.samples import Samples

__all__ = [
    "Alternative",
    "ComponentExplanation",
    "CoresVerdict",
    "Explanation",
    "NodeVerdict",
    "PathExplanation",
    "Promise",
    "explain",
]

_SAME_EUR_PER_H = 1e-6


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement under the plan.

    `predicted`, `judged` (what is held against the limit: the prediction, or the upper end of its interval) and `slack`
    (of that; 0.1: a tenth of the limit is left) only for numbers that the plan predicts. `binds`: the best plan without
    it is cheaper, by `saving_eur_per_h`; None when there was no time to find out.
    """

    subject: str
    what: str
    sentence: str
    limit: float | None
    predicted: float | None
    judged: float | None
    slack: float | None
    binds: bool | None
    saving_eur_per_h: float


class NodeVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One node for one component. Not `admissible`: `reasons` say which rule is against it. Else, when it was not
    chosen: what the plan would cost with this component alone moved there, and in `reasons` what that would break."""

    node: str
    chosen: bool
    admissible: bool
    reasons: tuple[str, ...]
    cost_eur_per_h: float | None = None


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """The best plan without a choice: the component `elsewhere`, or with another `variant`.

    `found` False: there is none, and `reasons` say what stands against it, one sentence for each other node. `moved`:
    other components whose placement changes as well. `extra_eur_per_h` may be 0: then the choice was decided by
    latency or energy; `paths_s` holds what each promised path would take, at its percentile.
    """

    instead_of: Literal["node", "variant"]
    found: bool
    assignments: tuple[Assignment, ...] = ()
    cost_eur_per_h: float | None = None
    extra_eur_per_h: float | None = None
    moved: tuple[str, ...] = ()
    paths_s: tuple[float, ...] = ()
    reasons: tuple[str, ...] = ()


class CoresVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One number of cores that a component can use, of several.

    `breaks`: what this number would break with all else as it is; `cost_eur_per_h` of the best plan with it, and
    `extra_eur_per_h` over the plan: None where there is none, or no time to find one (`searched` False). `paths_s`:
    what each promised path would take in that plan, at its percentile. `measured` False: its times are extrapolated.
    """

    cores: int
    chosen: bool
    measured: bool
    breaks: tuple[str, ...] = ()
    searched: bool = True
    cost_eur_per_h: float | None = None
    extra_eur_per_h: float | None = None
    paths_s: tuple[float, ...] = ()


class ComponentExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """One component: where it is, why not elsewhere, which promises concern it, and what else would cost."""

    component: str
    variant: str
    assignments: tuple[Assignment, ...]
    cost_eur_per_h: float
    utilisation: float
    nodes: tuple[NodeVerdict, ...]
    variants_refused: tuple[str, ...]
    promises: tuple[Promise, ...]
    alternatives: tuple[Alternative, ...]
    cores: tuple[CoresVerdict, ...] = ()
    """Of one that can use several numbers of them."""


class PathExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """A promised path and where its time goes: `stages` are means and add up to `mean_s`, up to the waiting that comes
    with several items at once; `spread_s` is what the percentile adds. `slack_s` is what `judged_s`, which is held
    against the promise, leaves of it."""

    components: tuple[str, ...]
    percentile: float
    promised_s: float
    predicted_s: float
    low_s: float
    high_s: float
    judged_s: float
    slack_s: float
    mean_s: float
    spread_s: float
    stages: tuple[StageTiming, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A whole plan. `violations` is empty unless the plan was made for something else than it is explained with."""

    application: str
    continuum: str
    cost_eur_per_h: float
    lower_bound_eur_per_h: float
    optimal: bool
    components: tuple[ComponentExplanation, ...]
    paths: tuple[PathExplanation, ...]
    promises: tuple[Promise, ...]
    nodes: tuple[NodeUse, ...]
    links: tuple[LinkUse, ...]
    violations: tuple[str, ...]
    notes: tuple[str, ...]


def explain(
    application: Application,
    continuum: Continuum,
    samples: Samples,
    plan: Plan,
    *,
    fuse: bool | None = None,
    seed: int = 0,
    overheads: Overheads = OVERHEADS,
    time_limit_s: float = 20.0,
    clock: Clock = SYSTEM_CLOCK,
) -> Explanation:
    """Explain `plan`; `fuse` and `seed` as they were when it was made (None: fused if the plan has groups).

    Raises:
        InputError: the plan does not fit the application and continuum at all (unknown names, nothing placed).
    """
    given = Given(
        application=application,
        continuum=continuum,
        samples=samples,
        fuse=bool(plan.groups) if fuse is None else fuse,
        confidence=plan.confidence,
        seed=seed,
        overheads=overheads,
    )
    return _Explainer(given, plan, clock, time_limit_s).explanation()


class _Explainer:
    def __init__(self, given: Given, plan: Plan, clock: Clock, time_limit_s: float) -> None:
        self._given = given
        self._application = given.application
        self._plan = plan
        self._clock = clock
        self._deadline_s = clock.monotonic_s() + time_limit_s
        self._problem = given.problem()
        self._evaluator = Evaluator(self._problem)
        self._judged = self._evaluator.evaluate(plan.assignments, intervals=True)
        if self._judged.timing is None:
            broken = "; ".join(violation.message for violation in self._judged.violations)
            raise InputError(
                f"the plan is not one for {self._application.name} on {given.continuum.name}: {broken}; plan again"
            )

    def explanation(self) -> Explanation:
        every = requirements_of(self._application, self._problem.model)
        promises = {requirement: self._promise(requirement) for requirement in every if requirement.what != "memory"}
        judged = self._judged
        return Explanation(
            application=self._application.name,
            continuum=self._given.continuum.name,
            cost_eur_per_h=judged.cost_eur_per_h,
            lower_bound_eur_per_h=self._plan.lower_bound_eur_per_h,
            optimal=self._plan.optimal,
            components=tuple(self._component(component, promises) for component in self._problem.components),
            paths=self._paths(),
            promises=tuple(promises.values()),
            nodes=judged.nodes,
            links=judged.links,
            violations=tuple(violation.message for violation in judged.violations),
            notes=self._plan.notes,
        )

    def _best(self, problem: Problem, bans: Sequence[Ban] = ()) -> tuple[Evaluation | None, bool]:
        """The best plan of a changed problem, and whether its absence is proven."""
        found = search(problem, deadline_s=self._deadline_s, clock=self._clock, seed=self._given.seed, bans=bans)
        return found.best, found.infeasible

    def _promise(self, requirement: Requirement) -> Promise:
        carries = requirement.what != "load"
        changed = self._given.problem(without(self._application, requirement), carries=carries)
        best, _ = self._best(changed)
        saving = 0.0 if best is None else max(0.0, self._judged.cost_eur_per_h - best.cost_eur_per_h)
        binds = saving > _SAME_EUR_PER_H
        predicted, judged = self._predicted(requirement)
        slack = None
        if judged is not None and requirement.value:
            at_least = requirement.what in {"accuracy", "throughput"}
            slack = (judged - requirement.value if at_least else requirement.value - judged) / requirement.value
        return Promise(
            subject=requirement.subject,
            what=requirement.what,
            sentence=requirement.sentence,
            limit=None if requirement.what == "load" else requirement.value,
            predicted=predicted,
            judged=judged,
            slack=slack,
            binds=None if best is None else binds,
            saving_eur_per_h=saving if binds else 0.0,
        )

    def _predicted(self, requirement: Requirement) -> tuple[float | None, float | None]:
        """What is predicted of it, and what is held against the limit."""
        judged, confidence = self._judged, self._problem.confidence
        found = next((each for each in judged.components if each.component == requirement.subject), None)
        promised = found.promise if found is not None and requirement.what == "latency" else None
        if requirement.path is not None:
            promised = judged.paths[requirement.path]
        if promised is not None:
            return promised.predicted_s, promised.judged_s(confidence)
        if found is None:
            return None, None
        if requirement.what == "energy":
            return found.energy_j, found.energy_high_j if confidence == "upper" else found.energy_j
        rate = max(found.rate_per_s, requirement.value or 0.0)
        predicted: dict[str, float | None] = {
            "accuracy": found.accuracy,
            "throughput": rate / found.utilisation if found.utilisation > 0 else None,
        }
        return predicted.get(requirement.what), predicted.get(requirement.what)

    def _component(self, component: Component, promises: dict[Requirement, Promise]) -> ComponentExplanation:
        name = component.name
        rows = tuple(row for row in self._judged.assignments if row.component == name)
        prediction = next(each for each in self._judged.components if each.component == name)
        routes = self._problem.timing.routes
        concerning = tuple(
            promise
            for requirement, promise in promises.items()
            if requirement.subject == name or (requirement.path is not None and name in routes[requirement.path])
        )
        refused = {r.variant: r.reason for r in self._problem.refusals if r.component == name and not r.node}
        verdicts = tuple(self._verdict(name, node, rows) for node in self._problem.nodes)
        return ComponentExplanation(
            component=name,
            variant=rows[0].variant,
            assignments=rows,
            cost_eur_per_h=prediction.cost_eur_per_h,
            utilisation=prediction.utilisation,
            nodes=verdicts,
            variants_refused=tuple(refused.values()),
            promises=concerning,
            alternatives=self._alternatives(name, rows, verdicts),
            cores=tuple(self._cores(component, rows, count) for count in component.core_counts)
            if len(component.core_counts) > 1
            else (),
        )

    def _verdict(self, name: str, node: str, rows: tuple[Assignment, ...]) -> NodeVerdict:
        chosen = any(row.node == node for row in rows)
        options = [option for option in self._problem.options[name] if option.node == node]
        if not options:
            mine = [refusal for refusal in self._problem.refusals if refusal.component == name]
            refused = [r.reason for r in mine if r.node == node] or [r.reason for r in mine if not r.node]
            return NodeVerdict(node=node, chosen=chosen, admissible=False, reasons=tuple(dict.fromkeys(refused)))
        if chosen:
            cost = self._judged.cost_eur_per_h
            return NodeVerdict(node=node, chosen=True, admissible=True, reasons=(), cost_eur_per_h=cost)
        as_now = [each for each in options if each.variant == rows[0].variant] or options
        option = next((each for each in as_now if each.cores == rows[0].cores), as_now[0])
        room = self._problem.nodes[node].type.cores // option.held
        there = Assignment(
            component=name,
            variant=option.variant,
            node=node,
            replicas=min(room, option.replicas_min),
            cores=option.cores,
        )
        moved = self._evaluator.evaluate([*(r for r in self._judged.assignments if r.component != name), there])
        return NodeVerdict(
            node=node,
            chosen=False,
            admissible=True,
            reasons=tuple(violation.message for violation in moved.violations),
            cost_eur_per_h=None if moved.timing is None else moved.cost_eur_per_h,
        )

    def _cores(self, component: Component, rows: tuple[Assignment, ...], cores: int) -> CoresVerdict:
        name, model, judged = component.name, self._problem.model, self._judged
        verdict = CoresVerdict(
            cores=cores,
            chosen=cores == rows[0].cores,
            measured=not model.extrapolated_from(name, rows[0].variant, cores),
        )
        if verdict.chosen:
            return msgspec.structs.replace(
                verdict,
                cost_eur_per_h=judged.cost_eur_per_h,
                extra_eur_per_h=0.0,
                paths_s=tuple(path.predicted_s for path in judged.paths),
            )
        others = tuple(count for count in component.core_counts if count != cores)
        variants = tuple(variant.name for variant in component.variants)
        ban = Ban(component=name, variants=variants, nodes=tuple(self._problem.nodes), cores=others)
        best, is_proven = self._best(self._problem, [ban])
        changed = [msgspec.structs.replace(row, cores=cores) if row in rows else row for row in judged.assignments]
        in_place = self._evaluator.evaluate(changed)
        verdict = msgspec.structs.replace(verdict, breaks=tuple(each.message for each in in_place.violations))
        if best is None:
            return msgspec.structs.replace(verdict, searched=is_proven)
        return msgspec.structs.replace(
            verdict,
            cost_eur_per_h=best.cost_eur_per_h,
            extra_eur_per_h=best.cost_eur_per_h - judged.cost_eur_per_h,
            paths_s=tuple(path.predicted_s for path in best.paths),
        )

    def _alternatives(
        self, name: str, rows: tuple[Assignment, ...], verdicts: Sequence[NodeVerdict]
    ) -> tuple[Alternative, ...]:
        here = {row.node for row in rows}
        equal = {node for group in self._problem.equal_nodes if here & set(group) for node in group}
        variants = {option.variant for option in self._problem.options[name]}
        everywhere = tuple(self._problem.nodes)
        against = [verdict.reasons[0] for verdict in verdicts if verdict.node not in equal and verdict.reasons]
        bans: list[tuple[Literal["node", "variant"], Ban]] = [
            ("node", Ban(component=name, variants=tuple(sorted(variants)), nodes=tuple(sorted(equal))))
        ]
        if len(variants) > 1:
            bans.append(("variant", Ban(component=name, variants=(rows[0].variant,), nodes=everywhere)))
        return tuple(self._alternative(what, ban, against) for what, ban in bans)

    def _alternative(self, what: Literal["node", "variant"], ban: Ban, against: Sequence[str]) -> Alternative:
        best, is_proven = self._best(self._problem, [ban])
        if best is None:
            reasons = tuple(dict.fromkeys(against)) if what == "node" else ("no other variant keeps every promise",)
            if not is_proven:
                reasons = ("the time was up before one was found",)
            return Alternative(instead_of=what, found=False, reasons=reasons or ("there is no other node",))
        mine = {each.component: _rows_of(each.component, self._judged) for each in self._judged.assignments}
        moved = tuple(
            component.name
            for component in self._problem.components
            if component.name != ban.component and mine[component.name] != _rows_of(component.name, best)
        )
        return Alternative(
            instead_of=what,
            found=True,
            assignments=_rows_of(ban.component, best),
            cost_eur_per_h=best.cost_eur_per_h,
            extra_eur_per_h=best.cost_eur_per_h - self._judged.cost_eur_per_h,
            moved=moved,
            paths_s=tuple(path.predicted_s for path in best.paths),
        )

    def _paths(self) -> tuple[PathExplanation, ...]:
        judged = self._judged
        assert judged.timing is not None
        return tuple(
            PathExplanation(
                components=predicted.components,
                percentile=predicted.percentile,
                promised_s=predicted.promised_s,
                predicted_s=predicted.predicted_s,
                low_s=predicted.low_s,
                high_s=predicted.high_s,
                judged_s=predicted.judged_s(self._problem.confidence),
                slack_s=predicted.promised_s - predicted.judged_s(self._problem.confidence),
                mean_s=timing.mean_s,
                spread_s=timing.predicted_s - timing.mean_s,
                stages=timing.stages,
            )
            for predicted, timing in zip(judged.paths, judged.timing.paths, strict=True)
        )


def _rows_of(component: str, judged: Evaluation) -> tuple[Assignment, ...]:
    return tuple(row for row in judged.assignments if row.component == component)
