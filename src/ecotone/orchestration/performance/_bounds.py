"""What is certain without simulating: no item is faster than when nothing else is there.

The tables of service times belong to item numbers, so for every assignment each simulated time of item `i` is at least
the sum of its own services, transfers and hops, and a percentile is at least that of these sums. Placement builds its
linear constraints and its cuts on this. The same holds of the upper ends of intervals when every service is as long as
it may be: they are never below what is simulated so.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy

from ecotone.orchestration.performance._queueing import TABLE_ITEMS, TimingModel
from ecotone.orchestration.performance._routes import only_route
from ecotone.orchestration.performance.interface import Z90

if TYPE_CHECKING:
    from ecotone.core.continuum import Node
    from ecotone.orchestration.performance.interface import Floats

__all__ = ["IdleTimes"]

Numbers = numpy.ndarray[Any, numpy.dtype[numpy.int64]]


class IdleTimes:
    """Idle times along one route at one percentile; with `upper`, below the upper end of its interval.

    Where it is known which items reach the end, and they keep their numbers, vectors hold one entry for each of them;
    elsewhere a single entry, the least over all items, which bounds every percentile.
    """

    def __init__(
        self,
        timing: TimingModel,
        components: tuple[str, ...],
        percentile: float,
        fusable: frozenset[tuple[str, str]],
        *,
        upper: bool = False,
    ) -> None:
        route = only_route(timing.application, components)
        self.route = components if route is None else route
        self.channels = () if route is None else tuple(pairwise(route))
        self._timing = timing
        self._percentile = percentile
        self._fusable = fusable
        self._upper = upper
        numbers = None if route is None else _arriving(timing, components[-1])
        self.exact = numbers is not None and len(numbers) > 0
        self._numbers = numpy.zeros(0, dtype=numpy.int64) if numbers is None else numbers % TABLE_ITEMS

    def service(self, component: str, variant: str, node: Node, cores: int = 1) -> Floats:
        """Of one call on an idle node."""
        computing, wait = self._timing.times(component, variant, cores)
        model = self._timing.model
        longer = math.exp(Z90 * model.service_error(component, variant, node.type, cores)) if self._upper else 1.0
        return self._counted((computing * model.slowdown(component, variant, node.type, cores) + wait) * longer)

    def transfer(self, producer: str, variant: str, source: str, target: str) -> Floats:
        """Of an output of `producer` from site to site. Raises KeyError when there is no way."""
        sizes = self._timing.sizes(producer, variant)
        time = numpy.zeros(TABLE_ITEMS)
        for _, latency_s, s_per_byte in self._timing.route(source, target):
            time = time + (latency_s + sizes * s_per_byte)
        return self._counted(time)

    def hop(self, producer: str, consumer: str) -> Floats:
        """Of the platform; nothing where the two may share a host."""
        hops = self._timing.hops(consumer)
        return self._counted(hops * 0.0 if (producer, consumer) in self._fusable else hops)

    def _counted(self, by_number: Floats) -> Floats:
        return by_number[self._numbers] if self.exact else by_number.min(keepdims=True)

    def percentile_of(self, times: Floats) -> float:
        """At least this is the percentile of anything that is nowhere below `times`."""
        return float(numpy.quantile(times, self._percentile / 100))

    def additive_floor(self, times: Floats) -> float:
        """A lower bound that adds up: the sum of the floors of several vectors is at most the percentile of their sum.

        It is the mean over the smallest entries up to the percentile, which for a sum is never below the sum of the
        parts' own such means.
        """
        count = int((len(times) - 1) * self._percentile / 100) + 1
        return float(numpy.sort(times)[:count].mean())


def _arriving(timing: TimingModel, last: str) -> Numbers | None:
    """The numbers of the counted items that `last` handles, as often as it does; None where that depends on more than
    the items of one source and what is emitted for each."""
    application = timing.application
    first, end = timing.counted(last, arriving=True)
    numbers = numpy.arange(first, end)
    counts = numpy.ones(len(numbers), dtype=numpy.int64)
    name = last
    while True:
        trigger = application.component(name).trigger
        if name != last:
            per_input = _outputs_per_input(timing, name)
            if per_input is None:
                return None
            counts *= (numpy.floor((numbers + 1) * per_input) - numpy.floor(numbers * per_input)).astype(numpy.int64)
        if not trigger.inputs:
            return numpy.repeat(numbers, counts)
        if trigger.kind != "data" or len(trigger.inputs) != 1 or application.component(name).batching is not None:
            return None
        name = trigger.inputs[0]


def _outputs_per_input(timing: TimingModel, name: str) -> float | None:
    """None when it depends on the variant."""
    component = timing.application.component(name)
    if component.trigger.kind == "source":
        return 1.0
    found = {timing.model.outputs(name, variant.name).per_input for variant in component.variants}
    return found.pop() if len(found) == 1 else None
