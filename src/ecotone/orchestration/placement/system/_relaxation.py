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

import msgspec
from ortools.math_opt.python import mathopt
from ortools.util.python.solve_interrupter import SolveInterrupter

from ecotone.orchestration.placement.system._stopping import when_set
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.model import Placement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from threading import Event

    from ecotone.orchestration.placement.system.model import Component, Deployment, Goal

__all__ = ["Relaxation", "restricted"]

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

    def drop(self, value: float) -> None:
        """Raise the bound to that of the linear relaxation; drop the copies that no placement below `value` takes."""
        model = _Model(self._flows, self.kept, in_watts=self._in_watts, once=self._once, integer=False)
        result = mathopt.solve(model.model, mathopt.SolverType.HIGHS)
        reason = result.termination.reason
        if reason == mathopt.TerminationReason.INFEASIBLE:
            self.bound = None
        if reason != mathopt.TerminationReason.OPTIMAL or not result.has_dual_feasible_solution():
            return
        found = result.objective_value() * (1 - _SAFE)
        assert self.bound is not None
        self.bound = max(self.bound, found)
        left, taken = value - found, model.taken
        values = result.variable_values(list(taken.values()))
        costs = result.reduced_costs(list(taken.values()))
        self.kept = {
            key
            for key, share, cost in zip(taken, values, costs, strict=True)
            if share > 0.0 or cost <= left * (1 + 1e-6) + 1e-6
        }

    def raise_bound(self, time_limit_s: float, stop: Event | None) -> Placement | None:
        """Raise the bound by branch and bound, and give the placement that it belongs to: without times it would be
        the best."""
        model = _Model(self._flows, self.kept, in_watts=self._in_watts, once=self._once, integer=True)
        params = mathopt.SolveParameters(relative_gap_tolerance=0.0, time_limit=timedelta(seconds=time_limit_s))
        interrupter = SolveInterrupter()
        with when_set(stop, interrupter.interrupt):
            result = mathopt.solve(model.model, mathopt.SolverType.HIGHS, params=params, interrupter=interrupter)
        if result.termination.reason == mathopt.TerminationReason.INFEASIBLE:
            self.bound = None
            return None
        found = result.best_objective_bound() * (1 - _SAFE)
        assert self.bound is not None
        if math.isfinite(found):
            self.bound = max(self.bound, found)
        return model.placement(result) if result.has_primal_feasible_solution() else None


def restricted(flows: Flows, kept: Collection[tuple[str, int]]) -> Flows:
    """The system with only the resources of which copies are kept; deployments that are left without go, too."""
    system = flows.system
    names = {name for name, _ in kept} | {each.name for each in system.resources if each.kind == "serverless"}
    components = tuple(
        msgspec.structs.replace(component, deployments=tuple(_deployable(component, names)))
        for component in system.components
    )
    resources = tuple(resource for resource in system.resources if resource.name in names)
    return Flows(msgspec.structs.replace(system, components=components, resources=resources))


def _deployable(component: Component, names: Collection[str]) -> Iterator[Deployment]:
    for deployment in component.deployments:
        partitions = tuple(
            msgspec.structs.replace(
                partition, options=tuple(option for option in partition.options if option.resource in names)
            )
            for partition in deployment.partitions
        )
        if all(partition.options for partition in partitions):
            yield msgspec.structs.replace(deployment, partitions=partitions)


_On = tuple[str, str, int, str]


class _Model:
    def __init__(
        self, flows: Flows, kept: Collection[tuple[str, int]], *, in_watts: bool, once: bool, integer: bool
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
        for component in self._system.components:
            self._deploy(component)
        self._carry()

    def _var(self, cost: float) -> mathopt.Variable:
        var = self.model.add_variable(lb=0.0, ub=1.0, is_integer=self._integer)
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
                    var = self.taken[resource.name, number] = self._var(cost * number)
                    self._copies[resource.name].append((number, var))
                    by_layer[resource.layer].append(var)
        for name, copies in self._copies.items():
            if self._flows.resources[name].layer not in self._system.one_type_layers:
                self._row(_each(var for _, var in copies), (), 1.0)
        for layer in sorted(self._system.one_type_layers):
            if by_layer[layer]:
                self._row(_each(by_layer[layer]), (), 1.0)

    def _deploy(self, component: Component) -> None:
        ways: list[mathopt.Variable] = []
        for deployment in component.deployments:
            least = component.accuracy_min
            if least is not None and (deployment.accuracy is None or deployment.accuracy < least):
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
        """As in the formulation: one partition of each deployment at a time."""
        most = max((len(deployment.partitions) for deployment in component.deployments), default=0)
        known: set[tuple[str, tuple[int, ...]]] = set()
        for step in range(most):
            hosts: dict[str, list[mathopt.Variable]] = defaultdict(list)
            for deployment in component.deployments:
                at = min(step, len(deployment.partitions) - 1)
                for option in deployment.partitions[at].options:
                    var = self._on.get((component.name, deployment.name, at, option.resource))
                    if var is not None and option.resource in self._copies:
                        hosts[option.resource].append(var)
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

    def placement(self, result: mathopt.SolveResult) -> Placement:
        values = result.variable_values()
        deployments = {component: name for (component, name), var in self._deployed.items() if values[var] > 0.5}
        resources: dict[str, list[str]] = {name: [] for name in deployments}
        for (component, deployment, _, name), var in self._on.items():
            if deployments[component] == deployment and values[var] > 0.5:
                resources[component].append(name)
        copies = {name: number for (name, number), var in self.taken.items() if values[var] > 0.5}
        return Placement(
            deployments=deployments, resources={name: tuple(each) for name, each in resources.items()}, copies=copies
        )


def _each(variables: Iterable[mathopt.Variable]) -> list[tuple[float, mathopt.Variable]]:
    return [(1.0, var) for var in variables]
