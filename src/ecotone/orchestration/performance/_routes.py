"""Ways through the channels of an application, for paths that name only some of the components on their way."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecotone.core.application import Application

__all__ = ["ancestors", "fusable", "only_route"]


def only_route(application: Application, components: tuple[str, ...]) -> tuple[str, ...] | None:
    """Every component from the first to the last by way of those between; None when there is not exactly one way."""
    route = components[:1]
    for start, end in pairwise(components):
        ways = _ways(application, start, end, 2)
        if len(ways) != 1:
            return None
        route += ways[0][1:]
    return route


def _ways(application: Application, start: str, end: str, most: int) -> list[tuple[str, ...]]:
    """Up to `most` ways from `start` to `end`, both included."""
    if start == end:
        return [(end,)]
    found: list[tuple[str, ...]] = []
    for producer in application.component(end).trigger.inputs:
        found += [(*way, end) for way in _ways(application, start, producer, most - len(found))]
        if len(found) >= most:
            break
    return found[:most]


def ancestors(application: Application, component: str) -> frozenset[str]:
    """All whose output reaches `component`, itself not included."""
    found: set[str] = set()
    waiting = list(application.component(component).trigger.inputs)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += application.component(name).trigger.inputs
    return frozenset(found)


def fusable(application: Application) -> frozenset[tuple[str, str]]:
    """Channels whose two ends may share a host process: both stateless, unbatched and run by plain data, the consumer
    has no other input and the producer no other consumer, no item between them may be dropped, and both use one core:
    a process has one number of threads."""

    def plain(name: str) -> bool:
        component = application.component(name)
        trigger = component.trigger
        return (
            trigger.kind == "data"
            and len(trigger.inputs) == 1
            and component.state is None
            and component.batching is None
            and component.held(component.cores[1]) == 1
        )

    return frozenset(
        (channel.producer, channel.consumer)
        for channel in application.channels
        if plain(channel.producer)
        and plain(channel.consumer)
        and len(application.consumers(channel.producer)) == 1
        and not application.component(channel.producer).live
        and application.component(channel.producer).kind == application.component(channel.consumer).kind
    )
