"""Where requests of a simulation can go in a placement: stops, the stations at which they are served, and ways.

Built by `_walks` for each replication, from the evaluator's `Flows` and a placement that `simulate` has checked.
"""

from __future__ import annotations

import math
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy

from ecotone.core.errors import InputError
from ecotone.orchestration.placement.system._stations import (
    FirstCome,
    Function,
    OneQueue,
    SharingCopy,
    Station,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecotone.orchestration.placement.system.flows import Flows
    from ecotone.orchestration.placement.system.model import Component, Deployment, Option, Placement, Resource

__all__ = ["Course", "Discipline", "Service", "Setting", "Stop", "Way"]

Service = Literal["resource", "exponential", "deterministic", "lognormal", "gamma"]
Discipline = Literal["ps", "fifo", "shared"]

_BLOCK = 4096
_WARMED_IDLES = 3.0
"""A function runs alone before the start for so many times as long as an instance is kept idle,"""
_WARMED_REQUESTS = 50_000
"""but not for more requests than these."""
_SLACK = 1e-6
"""Probabilities that sum to 1 but for this are not meant to fork, nor to lose requests."""
_DISCIPLINES: dict[str, Discipline] = {"ps": "ps", "mm1": "fifo", "mg1": "fifo", "mmc": "shared"}


class Setting(NamedTuple):
    """How to serve. `service_cv2`: squared coefficient of variation, None for each resource's own; `discipline`: of
    all resources that are not serverless, None for that of their laws."""

    service: Service
    service_cv2: float | None
    discipline: Discipline | None


class Stop:
    """One partition where it is placed.

    `mean_s` and `draws`: of its services, draws have mean 1; `copies`: of what shares, else `station`; `exits`:
    probability to leave the component here; `following` and `moved_s`: the next partition of it and the way there;
    `ways`: to the next components, each taken on its own if it `forks`, else one at most.
    """

    __slots__ = ("component", "copies", "draws", "exits", "following", "forks", "mean_s", "moved_s", "station", "ways")

    def __init__(self, component: int, mean_s: float, draws: Iterator[float]) -> None:
        self.component = component
        self.mean_s = mean_s
        self.draws = draws
        self.copies: list[SharingCopy] | None = None
        self.station: Station | None = None
        self.exits = 0.0
        self.following: Stop | None = None
        self.moved_s = 0.0
        self.ways: list[Way] = []
        self.forks = False


class Way(NamedTuple):
    """To another component. `chance`: that it is taken where ways fork, that it or one before it is where they do
    not."""

    chance: float
    moved_s: float
    stop: Stop


class Course:
    """All stops of a placement, joined. `starts`: the first of each component, by number; `chances`: draws between 0
    and 1 for all that is decided on the way.

    Raises:
        InputError: no network joins two resources between which requests go.
    """

    def __init__(
        self,
        flows: Flows,
        placement: Placement,
        setting: Setting,
        *,
        window: Window,
        seeds: numpy.random.SeedSequence,
    ) -> None:
        self._flows = flows
        self._placement = placement
        self._setting = setting
        self._window = window
        self._random = numpy.random.default_rng(seeds)
        self.chances = _draws(self._random.random)
        resources = flows.system.resources
        self._services = {
            resource.name: self._service_draws(resource, numpy.random.default_rng(each))
            for resource, each in zip(resources, seeds.spawn(len(resources)), strict=True)
        }
        self._copies: dict[str, list[SharingCopy]] = {}
        self._stations: dict[str, FirstCome | OneQueue] = {}
        self.functions: dict[tuple[str, int], Function] = {}
        """By component and number of the partition: each has instances of its own, as the evaluator sees it."""
        self._numbers = {name: number for number, name in enumerate(flows.components)}
        chains = {component.name: self._chain(component) for component in flows.system.components}
        self.starts = [stops[0] for stops in chains.values()]
        for component in flows.system.components:
            self._join(component, chains[component.name])

    def busy(self) -> dict[str, float]:
        """Share of each copy's time in the window that was busy, by resource."""
        window_s = self._window.to_s - self._window.from_s
        busy_s = {name: math.fsum(each.busy_s for each in copies) for name, copies in self._copies.items()}
        busy_s |= {name: station.busy_s for name, station in self._stations.items()}
        return {
            name: seconds / window_s / self._placement.copies[name] if window_s > 0.0 else 0.0
            for name, seconds in busy_s.items()
        }

    def _service_draws(self, resource: Resource, random: numpy.random.Generator) -> Iterator[float]:
        """Service times of mean 1."""
        service = self._setting.service
        cv2 = resource.cv2 if self._setting.service_cv2 is None else self._setting.service_cv2
        if service == "resource":
            cv2 = resource.cv2
            service = "gamma" if resource.law == "mg1" and resource.kind != "serverless" else "exponential"
        if service == "exponential":
            return _draws(random.standard_exponential)
        if service == "deterministic" or cv2 == 0.0:
            return _draws(numpy.ones)
        if service == "gamma":
            return _draws(lambda count: random.gamma(1.0 / cv2, cv2, count))
        variance = math.log1p(cv2)
        return _draws(lambda count: random.lognormal(-variance / 2.0, math.sqrt(variance), count))

    def _deployment(self, component: Component) -> Deployment:
        chosen = self._placement.deployments[component.name]
        return next(each for each in component.deployments if each.name == chosen)

    def _chain(self, component: Component) -> list[Stop]:
        """The stops of a component, not joined yet."""
        deployment, number = self._deployment(component), self._numbers[component.name]
        stops: list[Stop] = []
        for at, (partition, name) in enumerate(
            zip(deployment.partitions, self._placement.resources[component.name], strict=True)
        ):
            option = next(each for each in partition.options if each.resource == name)
            resource = self._flows.resources[name]
            stop = Stop(number, option.service_s, self._services[name])
            stop.exits = partition.exit_probability
            if resource.kind == "serverless":
                rate_per_s = self._flows.terms(component, deployment, at, option).rate_per_s
                stop.mean_s = 1.0
                stop.station = self.functions[component.name, at] = self._warm(
                    option, resource.idle_s, rate_per_s, stop.draws
                )
            else:
                self._place(stop, resource)
            stops.append(stop)
        return stops

    def _place(self, stop: Stop, resource: Resource) -> None:
        name, copies = resource.name, self._placement.copies[resource.name]
        discipline = self._setting.discipline or _DISCIPLINES[resource.law]
        if discipline == "ps":
            if name not in self._copies:
                self._copies[name] = [SharingCopy(self._window) for _ in range(copies)]
            stop.copies = self._copies[name]
            return
        if name not in self._stations:
            shared = discipline == "shared"
            self._stations[name] = (
                OneQueue(copies, self._window) if shared else FirstCome(copies, self.chances, self._window)
            )
        stop.station = self._stations[name]

    def _warm(self, option: Option, idle_s: float, rate_per_s: float, draws: Iterator[float]) -> Function:
        """A function as requests find it that has served others like them for long, however long instances are kept."""
        function = Function(option.service_s, option.starting_s, idle_s, self._window)
        if rate_per_s > 0.0:
            long_s = _WARMED_IDLES * (idle_s + option.starting_s + option.service_s)
            count = math.ceil(min(_WARMED_REQUESTS, rate_per_s * long_s))
            gaps_s: list[float] = (self._random.standard_exponential(count) / rate_per_s).tolist()
            for before_s in reversed(list(accumulate(gaps_s))):
                function.serve(-before_s, next(draws))
        return function

    def _join(self, component: Component, stops: list[Stop]) -> None:
        """To the next partitions, and to the first ones of the next components."""
        deployment, names = self._deployment(component), self._placement.resources[component.name]
        successors = [each for each in component.successors if each.probability > 0.0]
        forks = math.fsum(each.probability for each in successors) > 1.0 + _SLACK
        chances = [each.probability for each in successors]
        chances = chances if forks else list(accumulate(chances))
        for at, (stop, partition) in enumerate(zip(stops, deployment.partitions, strict=True)):
            stop.forks = forks
            if at + 1 < len(stops):
                stop.following = stops[at + 1]
                stop.moved_s = self._delay_s(names[at], names[at + 1], partition.output_bytes)
            if at + 1 < len(stops) and stop.exits == 0.0:
                continue
            for each, chance in zip(successors, chances, strict=True):
                target = self._placement.resources[each.component][0]
                moved_s = self._delay_s(names[at], target, deployment.output_bytes.get(each.component, 0.0))
                first = self.starts[self._numbers[each.component]]
                stop.ways.append(Way(math.inf if chance >= 1.0 - _SLACK else chance, moved_s, first))

    def _delay_s(self, source: str, target: str, size_bytes: float) -> float:
        delay_s = self._flows.delay_s(source, target, size_bytes)
        if math.isinf(delay_s):
            raise InputError(f"requests would go from {source} to {target}, but no network joins their layers")
        return delay_s


def _draws(draw: Callable[[int], Any]) -> Iterator[float]:
    """One by one what numpy draws in blocks."""
    return chain.from_iterable(iter(lambda: draw(_BLOCK).tolist(), None))
