"""A system without its times, as a mixed-integer program: how cheap a placement can be at least, and what none as cheap
as a known one can use.

Called by the search before CP-SAT, which is better at times than at resources of which few are taken: the linear
relaxation's reduced costs leave most resources out (Dantzig, Fulkerson and Johnson 1954), and branch and bound raises
the bound where a system is large. HiGHS comes with OR-Tools.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from ortools.math_opt.python import mathopt
from ortools.util.python.solve_interrupter import SolveInterrupter

from ecotone.orchestration.placement.system._quiet import quiet_stdout
from ecotone.orchestration.placement.system._stopping import when_set
from ecotone.orchestration.placement.system.flows import Flows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from threading import Event

    from ecotone.core.clock import Clock
    from ecotone.orchestration.placement.system.model import Bound, Component, Copies, Deployment, Goal

__all__ = ["Relaxation"]

_BROKEN = 1e-6
_TIGHTENINGS = 3
"""How often bounds are looked at while copies are counted."""
_VERY_LARGE = 10_000
"""Options from which on that takes too long."""
_DEAR_SHARE = 0.2
"""Kinds of resources that take less of the objective are not worth counting."""
_WHOLE = 1e-4
_SAFE = 1e-7
"""Relative: by how much a bound of a solver that computes with floats is lowered."""


class Relaxation:
    """See the module. `bound` is in the goal's unit, moving aside; None: there is no placement at all."""

    def __init__(self, flows: Flows, goal: Goal) -> None:
        self._flows = flows
        self._in_watts = goal.minimise == "power"
        self._once = flows.system.semantics.shared_serverless_once
        self.bound: float | None = 0.0
        self.kept: Collection[tuple[str, int]] = flows.copies
        self._least: dict[str, int] = {}

    def drop(self, value: float) -> None:
        """Raise the bound to that of the linear relaxation; drop the copies that no placement below `value` takes."""
        spent = self._drop(value)
        news = [self._count(kind, value) for kind, share in spent.items() if share >= _DEAR_SHARE]
        if any(news) and self.bound is not None:
            self._drop(value)

    def _drop(self, value: float) -> dict[str, float]:
        """The share of the objective that each kind of resource takes of it, as far as copies are paid for."""
        model = self._model(integer=False)
        result = _solve(model)
        if result.termination.reason == mathopt.TerminationReason.INFEASIBLE:
            self._give_up(value)
        if not _is_solved(result) or not result.has_dual_feasible_solution():
            return {}
        found = result.objective_value() * (1 - _SAFE)
        self._raise_to(found)
        left, taken = value - found, model.taken
        values = result.variable_values(list(taken.values()))
        costs = result.reduced_costs(list(taken.values()))
        self.kept = {
            key
            for key, share, cost in zip(taken, values, costs, strict=True)
            if share > 0.0 or cost <= left * (1 + 1e-6) + 1e-6
        }
        spent: dict[str, float] = defaultdict(float)
        for (name, _), var, share in zip(taken, taken.values(), values, strict=True):
            cost = model.model.objective.get_linear_coefficient(var)
            spent[self._flows.resources[name].kind] += share * cost / max(found, 1e-9)
        return spent

    def _count(self, kind: str, value: float) -> bool:
        """Whether it is news how many copies of a kind of resource are taken at least by what is below `value`: a whole
        number, though the relaxation would take a little of each."""
        model = self._model(integer=False)
        model.aim_at(model.copies_of(kind), value)
        least = 0
        for _ in range(1 if self._flows.options > _VERY_LARGE else _TIGHTENINGS):
            result = _solve(model)
            if result.termination.reason == mathopt.TerminationReason.INFEASIBLE:
                self._give_up(value)
            if not _is_solved(result):
                break
            least = math.ceil(result.objective_value() - _WHOLE)
            if not model.tighten(result.variable_values()):
                break
        if least <= self._least.get(kind, 0):
            return False
        self._least[kind] = least
        return True

    def _give_up(self, value: float) -> None:
        """There is nothing below `value`, and nothing at all if that is infinite."""
        self.bound = value if math.isfinite(value) and self.bound is not None else None

    def raise_bound(self, time_limit_s: float, stop: Event | None, clock: Clock) -> Copies | None:
        """Raise the bound by branch and bound over what is taken, and give what that takes: without times it would be
        the least."""
        deadline_s = clock.monotonic_s() + time_limit_s
        model = self._model(integer=True)
        interrupter = SolveInterrupter()
        copies: Copies | None = None
        with when_set(stop, interrupter.interrupt):
            while (left_s := deadline_s - clock.monotonic_s()) > 0.0 and not interrupter.interrupted:
                result = _solve(model, left_s, interrupter)
                if result.termination.reason == mathopt.TerminationReason.INFEASIBLE:
                    self.bound = None
                    return None
                self._raise_to(result.best_objective_bound() * (1 - _SAFE))
                if not result.has_primal_feasible_solution():
                    break
                values = result.variable_values()
                copies = {name: number for (name, number), var in model.taken.items() if values[var] > 0.5}
                if not model.tighten(values):
                    break
        return copies

    def _model(self, *, integer: bool) -> _Model:
        return _Model(self._flows, self.kept, self._least, in_watts=self._in_watts, once=self._once, integer=integer)

    def _raise_to(self, found: float) -> None:
        assert self.bound is not None
        if math.isfinite(found):
            self.bound = max(self.bound, found)


def _solve(
    model: _Model, time_limit_s: float | None = None, interrupter: SolveInterrupter | None = None
) -> mathopt.SolveResult:
    limit = None if time_limit_s is None else timedelta(seconds=time_limit_s)
    params = mathopt.SolveParameters(relative_gap_tolerance=0.0, time_limit=limit)
    with quiet_stdout():  # HiGHS tells of its sub-solver whatever it is told
        return mathopt.solve(model.model, mathopt.SolverType.HIGHS, params=params, interrupter=interrupter)


def _is_solved(result: mathopt.SolveResult) -> bool:
    return result.termination.reason == mathopt.TerminationReason.OPTIMAL


_On = tuple[str, str, int, str]
_Parts = list[tuple[float, mathopt.Variable]]


class _Row:
    """plus - minus <= most."""

    def __init__(self, plus: _Parts, minus: _Parts, most: float) -> None:
        self.plus = plus
        self.minus = minus
        self.most = most

    def excess(self, values: Mapping[mathopt.Variable, float]) -> float:
        plus = sum(weight * values[var] for weight, var in self.plus)
        return plus - sum(weight * values[var] for weight, var in self.minus) - self.most


class _Model:
    def __init__(
        self,
        flows: Flows,
        kept: Collection[tuple[str, int]],
        least: Mapping[str, int],
        *,
        in_watts: bool,
        once: bool,
        integer: bool,
    ) -> None:
        self.model = mathopt.Model()
        self._flows = flows
        self._system = flows.system
        self._in_watts = in_watts
        self._once = once
        self._integer = integer
        self._loads: dict[str, list[tuple[float, mathopt.Variable]]] = defaultdict(list)
        self._memory: dict[str, list[tuple[float, mathopt.Variable]]] = defaultdict(list)
        self._copies: dict[str, list[tuple[float, mathopt.Variable]]] = defaultdict(list)
        self._on: dict[_On, mathopt.Variable] = {}
        self._deployed: dict[tuple[str, str], mathopt.Variable] = {}
        self.taken: dict[tuple[str, int], mathopt.Variable] = {}
        self._take(kept)
        self._count(least)
        for component in self._system.components:
            self._deploy(component)
        self._carry()
        if not self._system.semantics.returns:
            self._forbid_returns()
        self._waiting = [row for bound in self._system.bounds for row in self._hurries(bound)]

    def _var(self, cost: float, *, integer: bool = False) -> mathopt.Variable:
        var = self.model.add_variable(lb=0.0, ub=1.0, is_integer=integer and self._integer)
        if cost:
            self.model.objective.set_linear_coefficient(var, cost)
        return var

    def _row(
        self,
        plus: Sequence[tuple[float, mathopt.Variable]],
        minus: Sequence[tuple[float, mathopt.Variable]],
        most: float,
        least: float = -math.inf,
    ) -> None:
        """least <= plus - minus <= most."""
        row = self.model.add_linear_constraint(lb=least, ub=most)
        for weight, var in plus:
            row.set_coefficient(var, weight)
        for weight, var in minus:
            row.set_coefficient(var, -weight)

    def _take(self, kept: Collection[tuple[str, int]]) -> None:
        by_layer: dict[str, list[mathopt.Variable]] = defaultdict(list)
        for resource in self._system.resources:
            for number in range(1, resource.copies_max + 1):
                if (resource.name, number) in kept:
                    cost = resource.idle_w if self._in_watts else resource.price_eur_per_h
                    var = self.taken[resource.name, number] = self._var(cost * number, integer=True)
                    self._copies[resource.name].append((number, var))
                    by_layer[resource.layer].append(var)
        for name, copies in self._copies.items():
            if self._flows.resources[name].layer not in self._system.one_type_layers:
                self._row(_each(var for _, var in copies), (), 1.0)
        for layer in sorted(self._system.one_type_layers):
            if by_layer[layer]:
                self._row(_each(by_layer[layer]), (), 1.0)

    def _count(self, least: Mapping[str, int]) -> None:
        for kind, count in least.items():
            self._row((), self.copies_of(kind), -count)

    def copies_of(self, kind: str) -> _Parts:
        """How many copies of resources of a kind are taken."""
        return [
            part for name, copies in self._copies.items() if self._flows.resources[name].kind == kind for part in copies
        ]

    def aim_at(self, parts: _Parts, most: float) -> None:
        """Minimise something else, the objective being at most this."""
        objective = self.model.objective
        if math.isfinite(most):
            terms = [(term.coefficient, term.variable) for term in objective.linear_terms()]
            self._row(terms, (), most)
        objective.clear()
        for weight, var in parts:
            objective.set_linear_coefficient(var, weight)

    def _deploy(self, component: Component) -> None:
        ways: list[mathopt.Variable] = []
        for deployment in component.deployments:
            if not component.accepts(deployment):
                continue
            way = self._deployed[component.name, deployment.name] = self._var(0.0)
            for at in range(len(deployment.partitions)):
                self._row(_each(self._place(component, deployment, at)), [(1.0, way)], 0.0, 0.0)
            ways.append(way)
        self._row(_each(ways), (), 1.0, 1.0)
        self._need_taken(component)

    def _place(self, component: Component, deployment: Deployment, at: int) -> Iterator[mathopt.Variable]:
        for option in self._flows.allowed(component, deployment.partitions[at]):
            terms = self._flows.terms(component, deployment, at, option)
            name = option.resource
            if terms.resource.kind == "serverless":
                price = 0.0 if self._in_watts or self._once else terms.price_eur_per_h
                var = self._var(price)
            elif name in self._copies:
                resource = terms.resource
                var = self._var(terms.load * (resource.busy_w - resource.idle_w) if self._in_watts else 0.0)
                self._loads[name].append((terms.load, var))
            else:
                continue
            self._memory[name].append((option.memory_bytes, var))
            self._on[component.name, deployment.name, at, name] = var
            yield var

    def _need_taken(self, component: Component) -> None:
        """A resource that is not taken hosts nothing."""
        known: set[tuple[str, tuple[int, ...]]] = set()
        for step in self._steps(component):
            hosts: dict[str, list[mathopt.Variable]] = defaultdict(list)
            for name, var in step:
                if name in self._copies:
                    hosts[name].append(var)
            for name, hosted in hosts.items():
                key = name, tuple(var.id for var in hosted)
                if key not in known:
                    known.add(key)
                    self._row(_each(hosted), _each(var for _, var in self._copies[name]), 0.0)

    def _carry(self) -> None:
        memory_of_copies = self._system.semantics.memory_of_copies
        for name, loads in self._loads.items():
            self._row(loads, self._copies[name], 0.0)
        for name, parts in self._memory.items():
            room = self._flows.resources[name].memory_bytes
            needed = [(size / max(room, 1.0), var) for size, var in parts]
            if name in self._copies and memory_of_copies:
                self._row(needed, self._copies[name], 0.0)
            else:
                self._row(needed, (), 1.0)

    def _forbid_returns(self) -> None:
        """What has left the edge does not come back to it, from component to component."""
        away: dict[str, mathopt.Variable] = {}
        for component in self._system.components:
            name = component.name
            arrives, gone = self._var(0.0), self._var(0.0)
            away[name] = gone
            for before in self._flows.predecessors[name]:
                self._row([(1.0, away[before])], [(1.0, arrives)], 0.0)
            self._row([(1.0, arrives)], [(1.0, gone)], 0.0)
            for step in self._steps(component):
                at_edge = [each for each in step if self._flows.resources[each[0]].kind == "edge"]
                elsewhere = [each for each in step if self._flows.resources[each[0]].kind != "edge"]
                if at_edge:
                    self._row(_each(var for _, var in at_edge), [(-1.0, arrives)], 1.0)
                if elsewhere:
                    self._row(_each(var for _, var in elsewhere), [(1.0, gone)], 0.0)

    def _steps(self, component: Component) -> Iterator[list[tuple[str, mathopt.Variable]]]:
        """One partition of each deployment at a time: where they are, of which at most one is true."""
        for step in range(max((len(deployment.partitions) for deployment in component.deployments), default=0)):
            found: list[tuple[str, mathopt.Variable]] = []
            for deployment in component.deployments:
                at = min(step, len(deployment.partitions) - 1)
                for option in deployment.partitions[at].options:
                    var = self._on.get((component.name, deployment.name, at, option.resource))
                    if var is not None:
                        found.append((option.resource, var))
            yield found

    def tighten(self, values: Mapping[mathopt.Variable, float]) -> bool:
        """Add the rows of bounds that an answer breaks; False when it breaks none. Most never matter."""
        broken = [row for row in self._waiting if row.excess(values) > _BROKEN]
        for row in broken:
            self._row(row.plus, row.minus, row.most)
        self._waiting = [row for row in self._waiting if row not in broken]
        return bool(broken)

    def _hurries(self, bound: Bound) -> Iterator[_Row]:
        """What a bound's components take on one resource alone is within the bound.

        With processor sharing by n copies of load l, services that take a when alone take a n / (n - l), so that
        l + a n / limit <= n. Of the product a n, which is not linear, McCormick's two lower bounds are taken.
        """
        limit_s = self._flows.mean_max_s(bound)
        parts: dict[str, list[tuple[float, mathopt.Variable]]] = defaultdict(list)
        longest: dict[str, float] = defaultdict(float)
        for name in bound.components:
            component = self._flows.components[name]
            of_component: dict[str, float] = defaultdict(float)
            for deployment in component.deployments:
                taken: dict[str, float] = defaultdict(float)
                for at, share in enumerate(self._flows.reaching(deployment)):
                    for option in deployment.partitions[at].options:
                        var = self._on.get((name, deployment.name, at, option.resource))
                        if var is not None and self._flows.resources[option.resource].law == "ps":
                            part = share * option.service_s / limit_s
                            parts[option.resource].append((part, var))
                            taken[option.resource] += part
                for resource, part in taken.items():
                    of_component[resource] = max(of_component[resource], part)
            for resource, part in of_component.items():
                longest[resource] += part
        for name, alone in parts.items():
            if name not in self._copies:
                continue
            copies, load = self._copies[name], self._loads[name]
            yield _Row([*load, *alone], copies, 0.0)
            n = self._flows.resources[name].copies_max
            if n > 1:  # n a + a_max (copies - n) <= a copies
                most = longest[name]
                times = [(n * part, var) for part, var in alone]
                yield _Row([*load, *times], [((1.0 - most) * number, var) for number, var in copies], n * most)


def _each(variables: Iterable[mathopt.Variable]) -> list[tuple[float, mathopt.Variable]]:
    return [(1.0, var) for var in variables]
