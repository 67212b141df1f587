"""What follows from a system alone, whatever is decided: how often each partition is called, and what each option costs
and takes. Called by the evaluator, the solver, the baseline and the simulation.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from ecotone.orchestration.placement.system.laws import Moments, quantile, serverless_response, variation_min
from ecotone.orchestration.placement.system.model import (
    MEAN,
    Bound,
    Component,
    Deployment,
    Option,
    Partition,
    Resource,
    System,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Flows", "Terms", "restricted"]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """One option of one partition. `load`: busy copies; `response`: of a serverless function, whose answer depends on
    nothing else; `price_eur_per_h`: of a serverless function."""

    option: Option
    resource: Resource
    rate_per_s: float
    load: float
    price_eur_per_h: float
    response: Moments | None


class Flows:
    """Rates, reaching probabilities and terms of a `System`, computed once."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.components = {component.name: component for component in system.components}
        self.resources = {resource.name: resource for resource in system.resources}
        self._terms: dict[tuple[str, str, int, str], Terms] = {}
        self._delays: dict[tuple[str, str], tuple[tuple[float, float], ...]] = {}

    @cached_property
    def rates_per_s(self) -> dict[str, float]:
        """Requests that reach each component."""
        rates = {name: self.system.rates_per_s.get(name, 0.0) for name in self.components}
        for component in self.system.components:
            for successor in component.successors:
                rates[successor.component] += rates[component.name] * successor.probability
        return rates

    @cached_property
    def predecessors(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {name: [] for name in self.components}
        for component in self.system.components:
            for successor in component.successors:
                found[successor.component].append(component.name)
        return {name: tuple(names) for name, names in found.items()}

    @cached_property
    def copies(self) -> frozenset[tuple[str, int]]:
        """Every number of copies that may be taken of a resource, by its name; serverless ones aside."""
        return frozenset(
            (resource.name, number)
            for resource in self.system.resources
            for number in range(1, resource.copies_max + 1)
            if resource.kind != "serverless"
        )

    @cached_property
    def options(self) -> int:
        """How many there are, of all partitions of all deployments."""
        return sum(
            len(partition.options)
            for component in self.system.components
            for deployment in component.deployments
            for partition in deployment.partitions
        )

    def leaving(self, deployment: Deployment) -> tuple[float, ...]:
        """The share of a component's requests that goes on to the next component from each of its partitions."""
        last = len(deployment.partitions) - 1
        if self.system.semantics.leaving == "last":
            return (*(0.0 for _ in range(last)), 1.0)
        return tuple(
            share * (1.0 if at == last else deployment.partitions[at].exit_probability)
            for at, share in enumerate(self.reaching(deployment))
        )

    @staticmethod
    def reaching(deployment: Deployment) -> tuple[float, ...]:
        """The share of a component's requests that reach each of its partitions."""
        shares: list[float] = []
        share = 1.0
        for partition in deployment.partitions:
            shares.append(share)
            share *= 1.0 - partition.exit_probability
        return tuple(shares)

    def terms(self, component: Component, deployment: Deployment, at: int, option: Option) -> Terms:
        """Of partition number `at` of the deployment on the option's resource."""
        key = component.name, deployment.name, at, option.resource
        found = self._terms.get(key)
        if found is None:
            found = self._terms[key] = self._compute(component, deployment, at, option)
        return found

    def _compute(self, component: Component, deployment: Deployment, at: int, option: Option) -> Terms:
        resource, semantics = self.resources[option.resource], self.system.semantics
        whole = self.rates_per_s[component.name]
        rate = whole * self.reaching(deployment)[at]
        if resource.kind != "serverless":
            return Terms(
                option=option,
                resource=resource,
                rate_per_s=rate,
                load=rate * option.service_s,
                price_eur_per_h=0.0,
                response=None,
            )
        timed = whole if semantics.serverless_time_rate == "component" else rate
        paid = whole if semantics.serverless_price_rate == "component" else rate
        return Terms(
            option=option,
            resource=resource,
            rate_per_s=rate,
            load=0.0,
            price_eur_per_h=resource.price_eur_per_h * option.service_s * paid,
            response=serverless_response(
                timed, option.service_s, option.starting_s, resource.idle_s, semantics.serverless_starts
            ),
        )

    def delay_s(self, source: str, target: str, size_bytes: float) -> float:
        """Of `size_bytes` from one resource to another; 0 within one, infinite without a common network."""
        if source == target:
            return 0.0
        layers = self.resources[source].layer, self.resources[target].layer
        domains = self._delays.get(layers)
        if domains is None:
            domains = self._delays[layers] = tuple(
                (domain.delay_s, domain.bandwidth_bytes_per_s)
                for domain in self.system.domains
                if domain.layers.issuperset(layers)
            )
        return min((delay + size_bytes / bandwidth for delay, bandwidth in domains), default=float("inf"))

    def mean_max_s(self, bound: Bound) -> float:
        """What a bound allows the mean to be, networks aside, at most.

        `quantile` grows with mean and variance, so with less of both it is lower. Of a mean m of `count` partitions'
        times, each weighted by how often it is reached, the variance is at least `least` * m^2 / `count`: least where
        all are equally long and independent; early exits and resources in common add to it. Networks add to the mean
        or to the time itself, and so do services that never vary, with which `least` is 0.
        """
        if bound.percentile == MEAN:
            return bound.limit_s
        count, least = 0, 1.0
        for name in bound.components:
            deployments = self.components[name].deployments
            count += max(len(deployment.partitions) for deployment in deployments)
            for deployment in deployments:
                for partition in deployment.partitions:
                    resources = [self.resources[option.resource] for option in partition.options]
                    lasting = [resource for resource in resources if resource.kind != "serverless"]
                    least = min([least, *(variation_min(resource.law) for resource in lasting)])
        return bound.limit_s / quantile(Moments(1.0, least / count), bound.percentile)

    def allowed(self, component: Component, partition: Partition) -> tuple[Option, ...]:
        """The options that the rules of the component, and of those whose output it gets, leave."""
        return tuple(option for option in partition.options if self.refusal(component, option) is None)

    def refusal(self, component: Component, option: Option) -> str | None:
        """Why the component may not run there, None when it may."""
        resource = self.resources[option.resource]
        if component.layers and resource.layer not in component.layers:
            return f"{resource.name} is in {resource.layer}, allowed: {', '.join(sorted(component.layers))}"
        if component.regions and not any(_in_region(resource.region, each) for each in component.regions):
            return (
                f"{resource.name} is in region {resource.region or '(none)'}, allowed: {', '.join(component.regions)}"
            )
        if component.confidential and not resource.attested:
            return f"{resource.name} is not attested"
        for name in (component.name, *self.predecessors[component.name]):
            other = self.components[name]
            private = other.private_layers
            if private and resource.layer not in private and not (name != component.name and other.releases):
                what = "its output" if name == component.name else f"what {name} sends it"
                return f"{what} is private to {', '.join(sorted(private))}, {resource.name} is in {resource.layer}"
        return None


def _in_region(region: str, pattern: str) -> bool:
    return region.startswith(pattern[:-1]) if pattern.endswith("*") else region == pattern


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
