"""A system as a CP-SAT model that never excludes a placement which the evaluator would pass, nor prices one higher.

The only module here that knows OR-Tools; called by the search. What is not linear is replaced by what is below it:
queueing by tangents, networks by nothing until `add_networks` asks for them, percentiles by means. Every rounding goes
the same way. So the optimum of the model bounds the optimum of the system, and where the evaluator passes it, is it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from ortools.sat.python import cp_model

from ecotone.orchestration.placement.system._cuts import LOAD, Cut
from ecotone.orchestration.placement.system.flows import Flows, Terms
from ecotone.orchestration.placement.system.laws import Demand, pressure
from ecotone.orchestration.placement.system.model import Component, Copies, Deployment, Goal, Placement, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from ecotone.orchestration.placement.system.model import Bound

__all__ = ["PARTS", "Formulation"]

_ROUNDED = 10**4
"""More than what rounding down takes from an objective, in parts."""
PARTS = 10**8
"""Parts of a EUR/h or a watt in the objective."""
_TIME = 10**4
_FINE = 10**3
_PRECISION = 10**4
_STRETCH_MAX = 500.0
_TANGENTS = (0.0, 0.2, 0.35, 0.5, 0.6, 0.7, 0.77, 0.83, 0.88, 0.92, 0.95, 0.97, 0.985)
"""Shares of busy time at which the stretching of services is approximated from below."""

Step = tuple[str, str, int]
"""A partition: component, deployment and its number."""


class Formulation:
    """See the module. `model` is handed to a solver; `placement` reads an answer back; `kept`: the copies of resources
    that may be taken, by name and number."""

    def __init__(self, flows: Flows, goal: Goal, kept: Collection[tuple[str, int]]) -> None:
        self.model = cp_model.CpModel()
        self._flows = flows
        self._system = flows.system
        self._kept = kept
        self._taken: dict[tuple[str, int], cp_model.IntVar] = {}
        self._closed: dict[str, cp_model.IntVar] = {}
        self._deployed: dict[tuple[str, str], cp_model.IntVar] = {}
        self._on: dict[tuple[str, str, int, str], cp_model.IntVar] = {}
        self._loads: dict[tuple[str, int], list[tuple[int, cp_model.IntVar]]] = defaultdict(list)
        self._load: dict[tuple[str, int], cp_model.IntVar] = {}
        self._memory: dict[str, list[cp_model.LinearExprT]] = defaultdict(list)
        self._price: list[cp_model.LinearExprT] = []
        self._power: list[cp_model.LinearExprT] = []
        self._stretch: dict[str, cp_model.IntVar] = {}
        self._touched: set[tuple[str, float, int]] = set()
        self._time: dict[str, cp_model.IntVar] = {}
        self._moved: dict[str, cp_model.IntVar] = {}
        self._in_layer: dict[tuple[Step, str], cp_model.IntVar] = {}
        self._cut_loads: dict[tuple[str, int, int], cp_model.IntVar] = {}
        self._take()
        for component in self._system.components:
            self._deploy(component)
        self._limit_resources()
        if not self._system.semantics.returns:
            self._forbid_returns()
        self._promise()
        self._objective = self._aim(goal)
        self.model.minimize(self._objective)

    def _aim(self, goal: Goal) -> cp_model.LinearExprT:
        """What is minimised, in parts; the goal's limits become constraints."""
        price, power = sum(self._price), sum(self._power)
        if goal.price_max_eur_per_h is not None:
            self.model.add(price <= math.ceil(PARTS * goal.price_max_eur_per_h))
        if goal.power_max_w is not None:
            self.model.add(power <= math.ceil(PARTS * goal.power_max_w))
        for component in self._system.components:
            for deployment in component.deployments:
                if not goal.accepts(deployment):
                    self.model.add(self._deployed[component.name, deployment.name] == 0)
        if goal.minimise == "power":
            return power
        return price if goal.running is None else sum([*self._price, *self._moves(goal, goal.running)])

    def _moves(self, goal: Goal, running: Placement) -> Iterator[cp_model.LinearExprT]:
        for name, price in goal.moving_eur_per_h.items():
            if name not in running.deployments or price <= 0.0:
                continue
            deployment = running.deployments[name]
            here = [self._on.get((name, deployment, at, each)) for at, each in enumerate(running.resources[name])]
            parts = math.floor(PARTS * price)
            if any(var is None for var in here):
                yield parts  # where it runs now, it cannot stay
                continue
            stays = self.model.new_bool_var(f"{name} stays")
            for var in here:
                assert var is not None
                self.model.add_implication(stays, var)
            yield parts - parts * stays

    # What is decided

    def _take(self) -> None:
        by_layer: dict[str, list[cp_model.IntVar]] = defaultdict(list)
        for resource in self._lasting():
            ways: list[cp_model.IntVar] = []
            for number in range(1, resource.copies_max + 1):
                if (resource.name, number) not in self._kept:
                    continue
                way = self._taken[resource.name, number] = self.model.new_bool_var(f"{number} of {resource.name}")
                ways.append(way)
                self._price.append(math.floor(PARTS * resource.price_eur_per_h * number) * way)
                self._power.append(math.floor(PARTS * resource.idle_w * number) * way)
            closed = self._closed[resource.name] = self.model.new_bool_var(f"{resource.name} is not taken")
            self.model.add_exactly_one([closed, *ways])
            by_layer[resource.layer] += ways
        for layer in sorted(self._system.one_type_layers):
            self.model.add_at_most_one(by_layer[layer])

    def _deploy(self, component: Component) -> None:
        model = self.model
        ways: list[cp_model.IntVar] = []
        for deployment in component.deployments:
            way = self._deployed[component.name, deployment.name] = model.new_bool_var(
                f"{component.name} as {deployment.name}"
            )
            ways.append(way)
            for at, partition in enumerate(deployment.partitions):
                places = [
                    self._place(component, deployment, at, option.resource)
                    for option in self._flows.allowed(component, partition)
                ]
                model.add(sum(places) == way)
            if not component.accepts(deployment):
                model.add(way == 0)
        model.add_exactly_one(ways)
        self._need_taken(component)

    def _need_taken(self, component: Component) -> None:
        """A resource that is not taken hosts nothing. Of each deployment any one partition stands for it: at most one
        deployment is chosen, so all of them together with "not taken" exclude each other."""
        cliques: dict[tuple[int, ...], list[cp_model.IntVar]] = {}
        most = max(len(deployment.partitions) for deployment in component.deployments)
        for step in range(most):
            hosts: dict[str, list[cp_model.IntVar]] = defaultdict(list)
            for deployment in component.deployments:
                at = min(step, len(deployment.partitions) - 1)
                for name, on in self._vars(component.name, deployment.name, at):
                    hosts[name].append(on)
            for name, clique in hosts.items():
                if name in self._closed:
                    clique.append(self._closed[name])
                    cliques[tuple(each.index for each in clique)] = clique
        for clique in cliques.values():
            self.model.add_at_most_one(clique)

    def _place(self, component: Component, deployment: Deployment, at: int, resource: str) -> cp_model.IntVar:
        option = next(each for each in deployment.partitions[at].options if each.resource == resource)
        terms = self._flows.terms(component, deployment, at, option)
        on = self._on[component.name, deployment.name, at, resource] = self.model.new_bool_var(
            f"{component.name} {deployment.name}.{at} on {resource}"
        )
        if terms.resource.kind == "serverless":
            if not self._system.semantics.shared_serverless_once:
                self._price.append(math.floor(PARTS * terms.price_eur_per_h) * on)
        else:
            demand = Demand().with_service(terms.rate_per_s, option.service_s, terms.resource.cv2)
            for moment, each in enumerate((terms.load, demand.load2, demand.load3), start=1):
                self._loads[resource, moment].append((math.floor(LOAD * each), on))
            self._power.append(math.floor(PARTS * terms.load * (terms.resource.busy_w - terms.resource.idle_w)) * on)
        self._memory[resource].append(math.floor(option.memory_bytes) * on)
        return on

    def _loaded(self, resource: str, moment: int = 1) -> cp_model.IntVar:
        """The load on a resource, or a higher moment of it."""
        found = self._load.get((resource, moment))
        if found is None:
            parts = self._loads[resource, moment]
            most = sum(weight for weight, _ in parts)
            found = self._load[resource, moment] = self.model.new_int_var(0, most, f"load {moment} on {resource}")
            self.model.add(_weighted(parts) == found)
        return found

    def _copies(self, resource: Resource) -> list[tuple[int, cp_model.IntVar]]:
        numbers = range(1, resource.copies_max + 1)
        return [(each, self._taken[resource.name, each]) for each in numbers if (resource.name, each) in self._taken]

    def _lasting(self) -> Iterator[Resource]:
        return (each for each in self._system.resources if each.kind != "serverless")

    # What resources carry

    def _limit_resources(self) -> None:
        model, semantics = self.model, self._system.semantics
        full = LOAD if semantics.saturation else LOAD - 1
        for resource in self._system.resources:
            if resource.name not in self._memory:
                continue
            memory = math.ceil(resource.memory_bytes)
            if resource.kind == "serverless":
                model.add(sum(self._memory[resource.name]) <= memory)
                continue
            copies = sum(number * taken for number, taken in self._copies(resource))
            model.add(self._loaded(resource.name) <= full * copies)
            model.add(sum(self._memory[resource.name]) <= memory * (copies if semantics.memory_of_copies else 1))
        if semantics.shared_serverless_once:
            self._price_shared()

    def _price_shared(self) -> None:
        """A function is paid for the dearest partition that runs on it."""
        on: dict[str, list[tuple[int, cp_model.IntVar]]] = defaultdict(list)
        for component in self._system.components:
            for deployment in component.deployments:
                for at, partition in enumerate(deployment.partitions):
                    for option in self._flows.allowed(component, partition):
                        terms = self._flows.terms(component, deployment, at, option)
                        if terms.resource.kind == "serverless":
                            var = self._on[component.name, deployment.name, at, option.resource]
                            on[option.resource].append((math.floor(PARTS * terms.price_eur_per_h), var))
        for name, parts in on.items():
            price = self.model.new_int_var(0, max(each for each, _ in parts), f"price of {name}")
            for each, var in parts:
                self.model.add(price >= each).only_enforce_if(var)
            self._price.append(price)

    def _forbid_returns(self) -> None:
        """From a cloud or a function nothing goes back to an edge, neither to a later partition nor component."""
        model, kinds = self.model, {resource.name: resource.kind for resource in self._system.resources}
        away: dict[str, cp_model.IntVar] = {}
        for component in self._system.components:
            gone = away[component.name] = model.new_bool_var(f"{component.name} has left the edge")
            arrives = model.new_bool_var(f"{component.name} begins away from the edge")
            for name in self._flows.predecessors[component.name]:
                model.add_implication(away[name], arrives)
            model.add_implication(arrives, gone)
            for deployment in component.deployments:
                steps = [self._vars(component.name, deployment.name, at) for at in range(len(deployment.partitions))]
                at_edge = [[var for name, var in step if kinds[name] == "edge"] for step in steps]
                elsewhere = [[var for name, var in step if kinds[name] != "edge"] for step in steps]
                for var in (var for step in at_edge for var in step):
                    model.add_implication(arrives, var.negated())
                for var in (var for step in elsewhere for var in step):
                    model.add_implication(var, gone)
                for earlier, later in zip(elsewhere, at_edge[1:], strict=False):
                    if earlier and later:
                        model.add(sum(earlier) + sum(later) <= 1)

    def _vars(self, component: str, deployment: str, at: int) -> list[tuple[str, cp_model.IntVar]]:
        partition = next(
            each for each in self._flows.components[component].deployments if each.name == deployment
        ).partitions[at]
        names = [option.resource for option in partition.options]
        found = ((name, self._on.get((component, deployment, at, name))) for name in names)
        return [(name, var) for name, var in found if var is not None]

    # What is promised

    def _promise(self) -> None:
        bounds = self._system.bounds
        for name in sorted({name for bound in bounds for name in bound.components}):
            limit_s = min(self._flows.mean_max_s(bound) for bound in bounds if name in bound.components)
            self._time[name] = self.model.new_int_var(0, math.ceil(_TIME * limit_s), f"time of {name}")
            self._time_component(self._flows.components[name], limit_s)
        for bound in bounds:
            self.model.add(
                sum(self._time[name] for name in bound.components) <= math.ceil(_TIME * self._flows.mean_max_s(bound))
            )

    def _time_component(self, component: Component, limit_s: float) -> None:
        """The least that its mean response may be, networks aside."""
        parts: list[cp_model.LinearExprT] = []
        for deployment in component.deployments:
            for at, share in enumerate(self._flows.reaching(deployment)):
                if share * _FINE < 1:
                    continue
                longest = math.ceil(_TIME * limit_s / share)
                step = self.model.new_int_var(0, longest, f"time of {component.name} {deployment.name}.{at}")
                for resource, on in self._vars(component.name, deployment.name, at):
                    option = next(each for each in deployment.partitions[at].options if each.resource == resource)
                    self._time_step(self._flows.terms(component, deployment, at, option), on, step)
                parts.append(math.floor(_FINE * share) * step)
        self.model.add(_FINE * self._time[component.name] + _FINE >= sum(parts))

    def _time_step(self, terms: Terms, on: cp_model.IntVar, step: cp_model.IntVar) -> None:
        if terms.response is not None:
            self.model.add(step >= math.floor(_TIME * terms.response.mean_s)).only_enforce_if(on)
            return
        stretch = self._stretched(terms.resource)
        service_s = terms.option.service_s
        if terms.resource.law == "ps":
            parts = _parts(service_s)
            self.model.add(parts * step >= math.floor(parts * service_s) * stretch).only_enforce_if(on)
            return
        # In queues everyone waits as long, at least as if all services were as short as the shortest there.
        shortest_s = self._shortest_s(terms.resource.name) * (1.0 + terms.resource.cv2) / 2.0
        parts = _parts(shortest_s)
        own = math.floor(_TIME * service_s)
        self.model.add(parts * (step - own) >= math.floor(parts * shortest_s) * (stretch - _TIME)).only_enforce_if(on)

    def _shortest_s(self, resource: str) -> float:
        return min(
            option.service_s
            for component in self._system.components
            for deployment in component.deployments
            for partition in deployment.partitions
            for option in partition.options
            if option.resource == resource
        )

    def _stretched(self, resource: Resource) -> cp_model.IntVar:
        """How often a service longer it takes until it is done, at least."""
        found = self._stretch.get(resource.name)
        if found is not None:
            return found
        most = math.floor(_STRETCH_MAX * _TIME)
        stretch = self._stretch[resource.name] = self.model.new_int_var(_TIME, most, f"stretch of {resource.name}")
        for copies, _ in self._copies(resource):
            for busy in _TANGENTS:
                self._touch(resource, busy, copies)
        return stretch

    def _touch(self, resource: Resource, busy: float, copies: int) -> None:
        """Where `copies` are taken, stretch >= value + slope * (load / copies - busy)."""
        value, slope = _tangent(resource, busy, copies)
        slope *= _TIME / (copies * LOAD)
        parts = _parts(slope)
        constant = math.floor(parts * (_TIME * value - slope * copies * LOAD * busy))
        least = constant + math.floor(parts * slope) * self._loaded(resource.name)
        taken = self._taken[resource.name, copies]
        self.model.add(parts * self._stretch[resource.name] >= least).only_enforce_if(taken)

    # What is added when the evaluator finds it missing

    def add_networks(self, bound: Bound) -> bool:
        """Count the networks of a bound from now on; False when they are counted already."""
        new = False
        for name in bound.components:
            if name not in self._moved:
                new = True
                self._moved[name] = self._inside(self._flows.components[name])
        legs: list[cp_model.LinearExprT] = []
        for one, other in pairwise(bound.components):
            leg = f"{one}>{other}"
            if leg not in self._moved:
                new = True
                self._moved[leg] = self._leaving(self._flows.components[one], self._flows.components[other])
            legs.append(self._moved[leg])
        if new:
            spent = [self._time[name] + self._moved[name] for name in bound.components]
            slack = len(spent) + len(legs)
            self.model.add(sum([*spent, *legs]) <= math.ceil(_TIME * bound.limit_s) + slack)
        return new

    def _inside(self, component: Component) -> cp_model.IntVar:
        """Mean time on networks between the partitions of a component."""
        total = self.model.new_int_var(0, 10**7, f"networks in {component.name}")
        parts: list[cp_model.LinearExprT] = []
        for deployment in component.deployments:
            shares = self._flows.reaching(deployment)
            for at, partition in enumerate(deployment.partitions[:-1]):
                one, other = (component.name, deployment.name, at), (component.name, deployment.name, at + 1)
                parts.append(math.floor(_FINE * shares[at + 1]) * self._hop(one, other, partition.output_bytes))
        self.model.add(_FINE * total + _FINE >= sum(parts))
        return total

    def _leaving(self, component: Component, following: Component) -> cp_model.IntVar:
        """Mean time on networks from wherever requests leave a component to the next."""
        total = self.model.new_int_var(0, 10**7, f"networks from {component.name} to {following.name}")
        parts: list[cp_model.LinearExprT] = []
        for deployment in component.deployments:
            size = deployment.output_bytes.get(following.name, 0.0)
            for at, share in enumerate(self._flows.leaving(deployment)):
                weight = math.floor(_FINE * share)
                if weight == 0:
                    continue
                for way in following.deployments:
                    one, other = (component.name, deployment.name, at), (following.name, way.name, 0)
                    parts.append(weight * self._hop(one, other, size))
        self.model.add(_FINE * total + _FINE >= sum(parts))
        return total

    def _hop(self, one: Step, other: Step, size_bytes: float) -> cp_model.IntVar:
        """Time of `size_bytes` from one step to another, 0 unless both are taken."""
        hop = self.model.new_int_var(0, 10**7, f"hop {one}>{other}")
        layers = {resource.name: resource.layer for resource in self._system.resources}
        here, there = self._vars(*one), self._vars(*other)
        beside = dict(there)
        firsts = {layers[name]: name for name, _ in there}
        for layer in sorted({layers[name] for name, _ in here}):
            for target, sample in sorted(firsts.items()):
                names = [name for name, _ in here if layers[name] == layer]
                others = [name for name, _ in there if layers[name] == target]
                pair = next(((a, b) for a in names for b in (sample, *others) if a != b), None)
                if pair is None:
                    continue
                time = math.floor(_TIME * min(self._flows.delay_s(*pair, size_bytes), 1e3))
                if time == 0:
                    continue
                in_target = self._located(other, target)
                if layer != target:
                    self.model.add(hop >= time).only_enforce_if(self._located(one, layer), in_target)
                    continue
                for name, var in here:
                    if layers[name] == layer:
                        same = beside.get(name)
                        conditions = [var, in_target, *([] if same is None else [same.negated()])]
                        self.model.add(hop >= time).only_enforce_if(conditions)
        return hop

    def _located(self, step: Step, layer: str) -> cp_model.IntVar:
        """Whether a step is in a layer."""
        found = self._in_layer.get((step, layer))
        if found is None:
            layers = {resource.name: resource.layer for resource in self._system.resources}
            found = self._in_layer[step, layer] = self.model.new_bool_var(f"{step} in {layer}")
            self.model.add(sum(var for name, var in self._vars(*step) if layers[name] == layer) == found)
        return found

    def sharpen(self, resource: str, busy: float, copies: int) -> bool:
        """Know exactly how services are stretched at this share of busy time; False when it was known."""
        key = resource, round(busy, 7), copies
        if resource not in self._stretch or key in self._touched or busy >= 1.0:
            return False
        value, slope = _tangent(self._flows.resources[resource], busy, copies)
        if value + slope * (1.0 - busy) > _STRETCH_MAX:
            return False
        self._touched.add(key)
        self._touch(self._flows.resources[resource], busy, copies)
        return True

    def exclude(self, cut: Cut) -> None:
        """Exclude every placement that is as bad as a cut says, or worse."""
        clause: list[cp_model.LiteralT] = []
        for name, chosen in cut.deployments.items():
            clause.append(self._deployed[name, chosen].negated())
            clause += [self._on[name, chosen, at, each].negated() for at, each in enumerate(cut.resources[name])]
        for name, copies in cut.copies.items():
            clause += [taken for number, taken in self._copies(self._flows.resources[name]) if number > copies]
        for name, demand in cut.demands.items():
            is_shared = self._flows.resources[name].law == "ps"
            moments = (demand.load,) if is_shared else (demand.load, demand.load2, demand.load3)
            clause += [self._below(name, moment, round(LOAD * each)) for moment, each in enumerate(moments, start=1)]
        self.model.add_bool_or(clause)

    def exclude_exactly(self, placement: Placement) -> None:
        """Exclude this one placement."""
        clause: list[cp_model.LiteralT] = []
        for name, chosen in placement.deployments.items():
            clause += [self._on[name, chosen, at, each].negated() for at, each in enumerate(placement.resources[name])]
        clause += [self._taken[each].negated() for each in placement.copies.items() if each[1]]
        self.model.add_bool_or(clause)

    def _below(self, resource: str, moment: int, load: int) -> cp_model.IntVar:
        """Whether a resource has less than this load, or its second or third moment."""
        key = resource, moment, load
        found = self._cut_loads.get(key)
        if found is None:
            found = self._cut_loads[key] = self.model.new_bool_var(f"{resource} has less than {load}")
            self.model.add(self._loaded(resource, moment) < load).only_enforce_if(found)
        return found

    # Answers

    def at_most(self, value: float) -> None:
        """Look only for what is better than something already known."""
        self.model.add(self._objective <= math.ceil(PARTS * value))

    def at_least(self, value: float) -> None:
        """Know that nothing is better than this."""
        if value > 0.0:
            self.model.add(self._objective >= math.floor(PARTS * value * (1 - 1e-9)) - _ROUNDED)

    def hint(self, placement: Placement) -> None:
        """Start from here."""
        self.model.clear_hints()
        for (name, number), taken in self._taken.items():
            self.model.add_hint(taken, placement.copies.get(name, 0) == number)
        for (component, deployment), way in self._deployed.items():
            self.model.add_hint(way, placement.deployments[component] == deployment)
        for (component, deployment, at, resource), on in self._on.items():
            here = placement.deployments[component] == deployment
            self.model.add_hint(on, here and placement.resources[component][at] == resource)

    def placement(self, value: Callable[[cp_model.IntVar], int]) -> Placement:
        """Read an answer."""
        deployments = {component: name for (component, name), way in self._deployed.items() if value(way)}
        resources: dict[str, list[str]] = {name: [] for name in deployments}
        for (component, deployment, _, resource), on in self._on.items():
            if deployments[component] == deployment and value(on):
                resources[component].append(resource)
        copies: Copies = {name: number for (name, number), taken in self._taken.items() if value(taken)}
        return Placement(
            deployments=deployments,
            resources={name: tuple(each) for name, each in resources.items()},
            copies=copies,
        )


def _weighted(parts: Sequence[tuple[int, cp_model.IntVar]]) -> cp_model.LinearExprT:
    return cp_model.LinearExpr.weighted_sum([var for _, var in parts], [weight for weight, _ in parts])


def _parts(factor: float) -> int:
    """What to multiply both sides of an inequality by, so that `factor` can be rounded down: to large numbers the
    solver answers slowly, and to very large ones wrongly."""
    return max(1, math.ceil(min(_PRECISION / factor, 1e3 * _PRECISION))) if factor > 0.0 else 1


def _tangent(resource: Resource, busy: float, copies: int) -> tuple[float, float]:
    """Value and slope of what services are stretched to at a share of busy time."""
    step = 1e-6
    value = 1.0 + pressure(resource.law, busy, copies)
    slope = (pressure(resource.law, busy + step, copies) - pressure(resource.law, busy, copies)) / step
    return value, slope
