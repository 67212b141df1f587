"""What a component is called with while it is measured: the items of its producers, put together as its trigger says.

Called by the worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.core.errors import ComponentError
from ecotone.design.profiling._items import ItemReader
from ecotone.execution.host.codec import Decoder

if TYPE_CHECKING:
    from ecotone.design.profiling.interface import Job
    from ecotone.execution.host.kinds import Handler

__all__ = ["CallInputs"]

_Place = tuple[int, int]
"""A producer's number and the place of an item in its file."""


class CallInputs:
    """Arguments for the calls 0, 1, 2 and so on; after the last item the first one comes again."""

    def __init__(self, job: Job, handler: Handler) -> None:
        """Raises ComponentError when nothing can be joined."""
        self._job = job
        self._readers = [ItemReader(Path(each.path), Decoder(handler.hint_for(each.component))) for each in job.inputs]
        self._calls: list[list[_Place]] = []
        trigger = job.component.trigger
        if trigger.join_key is not None:
            self._calls = self._joined(trigger.join_key)
        elif self._readers:
            merged = _merged([len(reader) for reader in self._readers])
            size = job.items_per_call
            if job.only_times and merged:
                merged *= -(-size // len(merged))
            self._calls = [merged[start : start + size] for start in range(0, len(merged), size)]
            if len(self._calls) > 1 and len(self._calls[-1]) < size:
                self._calls.pop()  # a rest would not cost what a whole list does
        self.count = len(self._calls)
        """How many different calls there are; 0 for components without inputs."""

    def of_call(self, call: int) -> tuple[tuple[object, ...], int]:
        """Positional arguments, and the number of items in them."""
        trigger = self._job.component.trigger
        if not self._calls:
            return (), 0
        places = self._calls[call % self.count]
        items = [self._readers[producer].item(place) for producer, place in places]
        if trigger.join_key is not None:
            names = [component.name for each in self._job.inputs if (component := each.component) is not None]
            return (dict(zip(names, items, strict=True)),), len(items)
        if self._job.component.batching is not None or trigger.kind == "every":
            return (items,), len(items)
        return (items[0],), 1

    def close(self) -> None:
        for reader in self._readers:
            reader.close()

    def _joined(self, key: str) -> list[list[_Place]]:
        by_key: list[dict[Any, int]] = []
        for reader in self._readers:
            places: dict[Any, int] = {}
            for place in range(len(reader)):
                places.setdefault(_field(reader.item(place), key), place)
            by_key.append(places)
        common = [value for value in by_key[0] if all(value in places for places in by_key)]
        if not common:
            raise ComponentError(f"no sample items of its inputs have the same {key!r}, so nothing can be joined")
        return [[(number, places[value]) for number, places in enumerate(by_key)] for value in common]


def _merged(counts: list[int]) -> list[_Place]:
    """One item of each producer in turn, until each has had all of its own."""
    return [(producer, place) for place in range(max(counts)) for producer, count in enumerate(counts) if place < count]


def _field(item: object, key: str) -> object:
    if isinstance(item, dict):
        found: object = item.get(key)
        return found
    return getattr(item, key, None)
