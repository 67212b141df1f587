"""When a component is called, and with which of the items that have arrived. Plain values; called by the host's loop.

A trigger takes arrived items by `add`, gives the next call that is due by `take`, and says by `due_s` when it wants to
be asked again without a new item. All times are CLOCK_MONOTONIC seconds.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ecotone.core.errors import ComponentError
from ecotone.core.ids import output_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecotone.core.application import Component
    from ecotone.core.messages import Item
    from ecotone.execution.host.entry import Entry

__all__ = ["JOIN_HELD_MAX", "Call", "Lineage", "Trigger", "joint_lineage", "trigger_of"]

JOIN_HELD_MAX = 32
"""Items of one input that wait for their partners; beyond it the oldest is given up and counts as dropped."""


class Call(NamedTuple):
    """One call of user code: the items that it settles, and its argument (nothing for `every` without inputs).

    `due_s` is set when time made the call, and is when it should have begun.
    """

    entries: tuple[Entry, ...]
    value: tuple[object, ...]
    due_s: float | None = None


class Trigger(Protocol):
    """See the module."""

    def add(self, entry: Entry) -> None:
        """Raises ComponentError when the trigger can do nothing with the item."""
        ...

    def take(self, now_s: float) -> Call | None: ...

    def due_s(self) -> float | None: ...

    def flush(self) -> Call | None:
        """The host stops: what should still be called with what has been gathered."""
        ...

    def given_up(self) -> list[Entry]:
        """Entries that will never be part of a call; each is named once."""
        ...


def trigger_of(component: Component, now_s: float) -> Trigger:
    """The trigger of a component that is not a source; periods begin now."""
    kind = component.trigger
    if kind.kind == "every":
        assert kind.period_s is not None, "check makes sure of a period"
        return _Windows(kind.period_s, now_s) if kind.inputs else _Ticks(kind.period_s, now_s)
    if component.batching is not None:
        return _Batches(component.batching.items_max, component.batching.wait_max_s)
    if kind.join_key is not None and len(kind.inputs) > 1:
        return _Join(kind.join_key, kind.inputs)
    return _Each()


class _Waiting:
    """What most triggers share: a queue in order of arrival."""

    def __init__(self) -> None:
        self._waiting: deque[Entry] = deque()

    def add(self, entry: Entry) -> None:
        self._waiting.append(entry)

    def due_s(self) -> float | None:
        return None

    def flush(self) -> Call | None:
        return None

    def given_up(self) -> list[Entry]:
        return []


class _Each(_Waiting):
    """One call for each item, several inputs merged by arrival."""

    def take(self, now_s: float) -> Call | None:
        del now_s
        if not self._waiting:
            return None
        entry = self._waiting.popleft()
        return Call((entry,), (entry.value,))


class _Batches(_Waiting):
    """Lists of up to `items_max`, the first of which has waited at most `wait_max_s`.

    An item whose batch has raised is called alone from then on, so that it cannot take others with it.
    """

    def __init__(self, items_max: int, wait_max_s: float) -> None:
        super().__init__()
        self._items_max = items_max
        self._wait_max_s = wait_max_s
        self._alone: deque[Entry] = deque()

    def add(self, entry: Entry) -> None:
        (self._alone if entry.raised else self._waiting).append(entry)

    def take(self, now_s: float) -> Call | None:
        if self._alone:
            return _list_of([self._alone.popleft()])
        waiting = self._waiting
        if len(waiting) < self._items_max and (not waiting or waiting[0].arrived_s + self._wait_max_s > now_s):
            return None
        return _list_of([waiting.popleft() for _ in range(min(self._items_max, len(waiting)))])

    def due_s(self) -> float | None:
        return self._waiting[0].arrived_s + self._wait_max_s if self._waiting else None


def _next_due_s(due_s: float, period_s: float, now_s: float) -> float:
    """The first whole period after `due_s` that lies after `now_s`."""
    next_s = due_s + period_s * (1 + (now_s - due_s) // period_s)
    return next_s if next_s > now_s else next_s + period_s  # the division may round a whole number down


class _Windows(_Waiting):
    """Once per period with the list of what has arrived since; a period that was missed is not made up for."""

    def __init__(self, period_s: float, now_s: float) -> None:
        super().__init__()
        self._period_s = period_s
        self._due_s = now_s + period_s

    def take(self, now_s: float) -> Call | None:
        if now_s < self._due_s:
            return None
        due_s = self._due_s
        self._due_s = _next_due_s(due_s, self._period_s, now_s)
        return self._call(due_s)

    def _call(self, due_s: float | None) -> Call:
        entries = tuple(self._waiting)
        self._waiting.clear()
        return Call(entries, ([entry.value for entry in entries],), due_s)

    def due_s(self) -> float | None:
        return self._due_s

    def flush(self) -> Call | None:
        return self._call(None) if self._waiting else None


class _Ticks(_Waiting):
    """Once per period, with nothing; a period that was missed is not made up for."""

    def __init__(self, period_s: float, now_s: float) -> None:
        super().__init__()
        self._period_s = period_s
        self._due_s = now_s

    def take(self, now_s: float) -> Call | None:
        if now_s < self._due_s:
            return None
        due_s = self._due_s
        self._due_s = _next_due_s(due_s, self._period_s, now_s)
        return Call((), (), due_s)

    def due_s(self) -> float | None:
        return self._due_s


class _Join(_Waiting):
    """One item of each input whose field `key` is equal. Memory is bounded: see `JOIN_HELD_MAX`."""

    def __init__(self, key: str, inputs: Sequence[str]) -> None:
        super().__init__()
        self._key = key
        self._inputs = tuple(inputs)
        self._held: dict[str, deque[tuple[object, Entry]]] = {name: deque() for name in inputs}
        self._given_up: list[Entry] = []

    def add(self, entry: Entry) -> None:
        join_key_of(entry, self._key)
        self._waiting.append(entry)

    def take(self, now_s: float) -> Call | None:
        del now_s
        while self._waiting:
            entry = self._waiting.popleft()
            key = join_key_of(entry, self._key)
            self._hold(key, entry)
            found = [self._find(name, key) for name in self._inputs]
            if all(each is not None for each in found):
                entries = tuple(each for each in found if each is not None)
                for each in entries:
                    self._held[each.producer].remove((key, each))
                return Call(entries, ({each.producer: each.value for each in entries},))
        return None

    def _hold(self, key: object, entry: Entry) -> None:
        held = self._held[entry.producer]
        held.append((key, entry))
        if len(held) > JOIN_HELD_MAX:
            self._given_up.append(held.popleft()[1])

    def _find(self, producer: str, key: object) -> Entry | None:
        return next((entry for held, entry in self._held[producer] if held == key), None)

    def given_up(self) -> list[Entry]:
        result, self._given_up = self._given_up, []
        return result


def join_key_of(entry: Entry, key: str) -> object:
    """The field `key` of an item, by attribute or by name.

    Raises:
        ComponentError: it has no such field.
    """
    value = entry.value
    found = value.get(key, _ABSENT) if isinstance(value, dict) else getattr(value, key, _ABSENT)
    if found is _ABSENT:
        raise ComponentError(f"an item of {entry.producer} has no field {key!r} to join by")
    return found


_ABSENT = object()


def _list_of(entries: list[Entry]) -> Call:
    return Call(tuple(entries), ([entry.value for entry in entries],))


class Lineage(NamedTuple):
    """Where the outputs of one call come from: their ids are made from `id`, their times are inherited."""

    id: str
    origin_s: float
    starts_s: Mapping[str, float]


def joint_lineage(items: Sequence[Item]) -> Lineage:
    """Of a call with several items: an id that is the same for the same items, and their oldest times."""
    if len(items) == 1:
        return Lineage(items[0].id, items[0].origin_s, items[0].starts_s)
    from hashlib import blake2b  # noqa: PLC0415 - most hosts never need it

    digest = blake2b("\n".join(item.id for item in items).encode(), digest_size=12).hexdigest()
    starts_s: dict[str, float] = {}
    for item in items:
        for name, start_s in item.starts_s.items():
            starts_s[name] = min(start_s, starts_s.get(name, start_s))
    return Lineage(output_id("joint", digest, len(items)), min(item.origin_s for item in items), starts_s)
