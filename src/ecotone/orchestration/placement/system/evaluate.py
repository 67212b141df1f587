"""What a placement does: loads, times, memory, price, and every bound and rule that it breaks. Independent of how the
placement was found; the solver's answers are judged here like anyone's.
"""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import msgspec

from ecotone.orchestration.placement.system.flows import Flows, Terms
from ecotone.orchestration.placement.system.laws import Demand, Moments, quantile, response
from ecotone.orchestration.placement.system.model import MEAN, Bound, Component, Deployment, Placement, System

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["BoundTime", "Judgement", "ResourceUse", "Violation", "bound_time_s", "demands_of", "judge"]

_SLACK = 1e-9


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule or bound that is broken. `what`: structure, rule, copies, layer, memory, load, returns or bound;
    `subject`: the component, resource, layer or bound."""

    what: str
    subject: str
    message: str


class ResourceUse(msgspec.Struct, frozen=True, kw_only=True):
    """A resource with something on it. `busy`: share of each copy's time, 0 where serverless; `power_w`: of all."""

    resource: str
    copies: int
    busy: float
    memory_bytes: float
    price_eur_per_h: float
    power_w: float


class BoundTime(msgspec.Struct, frozen=True, kw_only=True):
    """The time that a bound is about, at its percentile."""

    bound: str
    time_s: float
    limit_s: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a placement; times and price mean something only without violations of structure.

    `times_s`: mean response of each component; `partition_times_s`: of each of its partitions, without networks.
    """

    placement: Placement
    violations: tuple[Violation, ...]
    price_eur_per_h: float = math.inf
    power_w: float = 0.0
    accuracy: float | None = None
    uses: tuple[ResourceUse, ...] = ()
    times_s: dict[str, float] = {}
    partition_times_s: dict[str, tuple[float, ...]] = {}
    bounds: tuple[BoundTime, ...] = ()

    @property
    def feasible(self) -> bool:
        return not self.violations


def judge(system: System, placement: Placement, flows: Flows | None = None) -> Judgement:
    """Judge a placement; `flows` of the same system saves computing them again. Never raises for a bad placement."""
    flows = Flows(system) if flows is None else flows
    broken = tuple(_structure(flows, placement))
    if broken:
        return Judgement(placement=placement, violations=broken)
    return _Judge(flows, placement).judgement()


def demands_of(flows: Flows, placement: Placement, components: Collection[str] | None = None) -> dict[str, Demand]:
    """What a placement asks of each resource that is taken; of some components only, or of all."""
    return _Judge(flows, placement).demanded(components)


def bound_time_s(
    flows: Flows, placement: Placement, bound: Bound, demands: dict[str, Demand], ignored: Collection[str] = ()
) -> float:
    """The time that a bound is about, if these were the demands; the components that are `ignored`, and the networks to
    and from them, take none of it. It is never higher with fewer demands, more copies or more ignored."""
    return _Judge(flows, placement, demands).bound(bound, ignored).time_s


def _structure(flows: Flows, placement: Placement) -> Iterator[Violation]:
    """What makes a placement meaningless: names that are not there, partitions without a resource."""
    for component in flows.system.components:
        name = component.name
        chosen = placement.deployments.get(name)
        deployment = next((each for each in component.deployments if each.name == chosen), None)
        if deployment is None:
            yield Violation(what="structure", subject=name, message=f"{name} has no deployment {chosen}")
            continue
        resources = placement.resources.get(name, ())
        if len(resources) != len(deployment.partitions):
            text = f"{name}: {len(resources)} resources for the {len(deployment.partitions)} partitions of {chosen}"
            yield Violation(what="structure", subject=name, message=text)
            continue
        for partition, resource in zip(deployment.partitions, resources, strict=True):
            option = next((each for each in partition.options if each.resource == resource), None)
            if option is None:
                text = f"{name}: {partition.name} cannot run on {resource}"
                yield Violation(what="structure", subject=name, message=text)
    for name, copies in placement.copies.items():
        resource = flows.resources.get(name)
        if resource is None:
            yield Violation(what="structure", subject=name, message=f"there is no resource {name}")
        elif resource.kind == "serverless" or not 0 <= copies <= resource.copies_max:
            most = 0 if resource.kind == "serverless" else resource.copies_max
            text = f"{copies} copies of {name}, at most {most} can be taken"
            yield Violation(what="copies", subject=name, message=text)


class _Judge:
    """One judgement of a placement of sound structure."""

    def __init__(self, flows: Flows, placement: Placement, demands: dict[str, Demand] | None = None) -> None:
        self._flows = flows
        self._system = flows.system
        self._placement = placement
        self._copies = {name: copies for name, copies in placement.copies.items() if copies}
        self._deployments: dict[str, Deployment] = {}
        self._terms: dict[str, tuple[Terms, ...]] = {}
        for component in self._system.components:
            self._choose(component)
        self._demands = self.demanded() if demands is None else demands
        self._moments = {component.name: self._answers(component) for component in self._system.components}

    def _choose(self, component: Component) -> None:
        chosen = self._placement.deployments[component.name]
        deployment = next(each for each in component.deployments if each.name == chosen)
        terms: list[Terms] = []
        for at, (partition, name) in enumerate(
            zip(deployment.partitions, self._placement.resources[component.name], strict=True)
        ):
            option = next(each for each in partition.options if each.resource == name)
            terms.append(self._flows.terms(component, deployment, at, option))
        self._deployments[component.name] = deployment
        self._terms[component.name] = tuple(terms)

    def demanded(self, components: Collection[str] | None = None) -> dict[str, Demand]:
        demands: dict[str, Demand] = {}
        for name in self._terms if components is None else components:
            for each in self._terms[name]:
                if each.resource.kind != "serverless":
                    before = demands.get(each.resource.name, Demand())
                    cv2 = each.resource.cv2
                    demands[each.resource.name] = before.with_service(each.rate_per_s, each.option.service_s, cv2)
        return demands

    def _answers(self, component: Component) -> tuple[Moments, ...]:
        """Response of each partition, without networks."""
        found: list[Moments] = []
        for each in self._terms[component.name]:
            if each.response is not None:
                found.append(each.response)
                continue
            copies = self._copies.get(each.resource.name, 0)
            if copies == 0:
                found.append(Moments(math.inf, math.inf))
                continue
            demand = self._demands.get(each.resource.name, Demand())
            found.append(response(each.resource.law, each.option.service_s, each.resource.cv2, demand, copies))
        return tuple(found)

    def judgement(self) -> Judgement:
        uses = tuple(self._uses())
        bounds = tuple(self.bound(bound) for bound in self._system.bounds)
        violations = [*self._rules(), *self._layers(), *self._limits(uses), *self._returning(), *_late(bounds)]
        accuracies = [each.accuracy for each in self._deployments.values() if each.accuracy is not None]
        return Judgement(
            placement=self._placement,
            violations=tuple(violations),
            price_eur_per_h=math.fsum([*(use.price_eur_per_h for use in uses), *self._serverless_prices()]),
            power_w=math.fsum(use.power_w for use in uses),
            accuracy=min(accuracies, default=None),
            uses=uses,
            times_s={name: self._time(name).mean_s for name in self._moments},
            partition_times_s={name: tuple(each.mean_s for each in found) for name, found in self._moments.items()},
            bounds=bounds,
        )

    def _uses(self) -> Iterator[ResourceUse]:
        memory: dict[str, float] = {}
        for terms in self._terms.values():
            for each in terms:
                name = each.resource.name
                memory[name] = memory.get(name, 0.0) + each.option.memory_bytes
        for resource in self._system.resources:
            copies = self._copies.get(resource.name, 0)
            if not copies and resource.name not in memory:
                continue
            load = self._demands.get(resource.name, Demand()).load
            busy = load / copies if copies else 0.0
            yield ResourceUse(
                resource=resource.name,
                copies=copies,
                busy=busy,
                memory_bytes=memory.get(resource.name, 0.0),
                price_eur_per_h=0.0 if resource.kind == "serverless" else copies * resource.price_eur_per_h,
                power_w=copies * resource.idle_w + min(load, copies) * (resource.busy_w - resource.idle_w),
            )

    def _serverless_prices(self) -> Iterator[float]:
        once = self._system.semantics.shared_serverless_once
        most: dict[str, float] = {}
        for terms in self._terms.values():
            for each in terms:
                if each.resource.kind != "serverless":
                    continue
                if once:
                    most[each.resource.name] = max(most.get(each.resource.name, 0.0), each.price_eur_per_h)
                else:
                    yield each.price_eur_per_h
        yield from most.values()

    def _rules(self) -> Iterator[Violation]:
        for component in self._system.components:
            for each in self._terms[component.name]:
                refusal = self._flows.refusal(component, each.option)
                if refusal is not None:
                    yield Violation(what="rule", subject=component.name, message=f"{component.name}: {refusal}")
            least, found = component.accuracy_min, self._deployments[component.name].accuracy
            if least is not None and (found is None or found < least):
                text = f"{component.name}: accuracy is {found}, at least {least:g} is required"
                yield Violation(what="rule", subject=component.name, message=text)

    def _layers(self) -> Iterator[Violation]:
        for layer in sorted(self._system.one_type_layers):
            taken = [name for name in self._copies if self._flows.resources[name].layer == layer]
            if len(taken) > 1:
                text = f"{layer}: {', '.join(sorted(taken))} are taken, one type is allowed"
                yield Violation(what="layer", subject=layer, message=text)

    def _limits(self, uses: Sequence[ResourceUse]) -> Iterator[Violation]:
        semantics = self._system.semantics
        for use in uses:
            resource = self._flows.resources[use.resource]
            copies = use.copies if semantics.memory_of_copies and resource.kind != "serverless" else 1
            if use.memory_bytes > resource.memory_bytes * copies * (1 + _SLACK):
                there = resource.memory_bytes * copies
                text = f"{use.resource}: {use.memory_bytes:.4g} bytes of memory needed, {there:.4g} there"
                yield Violation(what="memory", subject=use.resource, message=text)
            if resource.kind == "serverless":
                continue
            if use.copies == 0:
                yield Violation(what="copies", subject=use.resource, message=f"{use.resource} is used but not taken")
            elif use.busy > 1.0 or (use.busy == 1.0 and not semantics.saturation):
                text = f"{use.resource}: each of {use.copies} would be busy {use.busy:.1%} of the time"
                yield Violation(what="load", subject=use.resource, message=text)

    def _returning(self) -> Iterator[Violation]:
        if self._system.semantics.returns:
            return
        gone: dict[str, bool] = {}
        for component in self._system.components:
            away = any(gone[name] for name in self._flows.predecessors[component.name])
            for each in self._terms[component.name]:
                if each.resource.kind != "edge":
                    away = True
                elif away:
                    text = f"{component.name} would run on the edge {each.resource.name} after the cloud"
                    yield Violation(what="returns", subject=component.name, message=text)
                    break
            gone[component.name] = away

    def bound(self, bound: Bound, ignored: Collection[str] = ()) -> BoundTime:
        counted = [name for name in bound.components if name not in ignored]
        total = self._together(counted)
        network_s = sum(
            self._between(one, other)
            for one, other in pairwise(bound.components)
            if one not in ignored and other not in ignored
        )
        time_s = total.mean_s
        if bound.percentile != MEAN:
            certain_s = math.fsum(map(self._certain_s, counted))
            varying = Moments(max(0.0, total.mean_s - certain_s), total.variance_s2)
            time_s = certain_s + quantile(varying, bound.percentile)
        return BoundTime(bound=bound.name, time_s=time_s + network_s, limit_s=bound.limit_s)

    def _together(self, names: Sequence[str]) -> Moments:
        """Of the times of components one after the other. Whoever finds many requests at a resource finds many there
        again: so two that share one are taken to be late together, as far as two times can be."""
        times = [self._time(name) for name in names]
        lasting = [{each.resource.name for each in self._terms[name] if each.response is None} for name in names]
        variance_s2 = sum(time.variance_s2 for time in times)
        for (one, here), (other, there) in combinations(zip(times, lasting, strict=True), 2):
            if not here.isdisjoint(there):
                variance_s2 += 2.0 * math.sqrt(one.variance_s2 * other.variance_s2)
        return Moments(sum(time.mean_s for time in times), variance_s2)

    def _time(self, name: str) -> Moments:
        """Of a component, networks between its partitions included: what exits early takes no more."""
        deployment, terms, answers = self._deployments[name], self._terms[name], self._moments[name]
        mean_s, variance_s2 = answers[-1].mean_s, answers[-1].variance_s2
        later = {terms[-1].resource.name}
        for at in range(len(terms) - 2, -1, -1):
            partition, answer, resource = deployment.partitions[at], answers[at], terms[at].resource
            goes_on = 1.0 - partition.exit_probability
            if goes_on == 0.0:
                mean_s, variance_s2, later = answer.mean_s, answer.variance_s2, {resource.name}
                continue
            moved_s = self._flows.delay_s(resource.name, terms[at + 1].resource.name, partition.output_bytes)
            rest_s = goes_on * (moved_s + mean_s)
            rest_s2 = goes_on * (variance_s2 + partition.exit_probability * (moved_s + mean_s) ** 2)
            if resource.kind != "serverless" and resource.name in later:  # late together, as far as they can be
                rest_s2 += 2.0 * goes_on * math.sqrt(answer.variance_s2 * variance_s2)
            later.add(resource.name)
            mean_s, variance_s2 = answer.mean_s + rest_s, answer.variance_s2 + rest_s2
        return Moments(mean_s, variance_s2 if math.isfinite(mean_s) else math.inf)

    def _certain_s(self, name: str) -> float:
        """What nobody is spared: services that do not vary, and networks, until something may leave the component."""
        deployment, terms = self._deployments[name], self._terms[name]
        certain_s = 0.0
        for at, (partition, each) in enumerate(zip(deployment.partitions, terms, strict=True)):
            if each.resource.kind != "serverless" and each.resource.cv2 == 0.0:
                certain_s += each.option.service_s
            if at + 1 == len(terms) or partition.exit_probability > 0.0:
                break
            following = terms[at + 1].resource.name
            certain_s += self._flows.delay_s(each.resource.name, following, partition.output_bytes)
        return certain_s

    def _between(self, name: str, following: str) -> float:
        """Mean time on networks from wherever a component's requests leave it to the first partition of the next."""
        deployment, terms = self._deployments[name], self._terms[name]
        target = self._terms[following][0].resource.name
        size = deployment.output_bytes.get(following, 0.0)
        return sum(
            share * self._flows.delay_s(each.resource.name, target, size)
            for each, share in zip(terms, self._flows.leaving(deployment), strict=True)
            if share > 0.0
        )


def _late(bounds: Sequence[BoundTime]) -> Iterator[Violation]:
    for each in bounds:
        if not each.time_s <= each.limit_s * (1 + _SLACK):
            text = f"{each.bound}: takes {each.time_s:.6g} s, at most {each.limit_s:.6g} s is allowed"
            yield Violation(what="bound", subject=each.bound, message=text)
