"""The stream of the in-memory bus as a plain state machine: no I/O, no waiting, time is an argument.

Called by `_memory`, which adds the waiting. Every method takes `now_s`, seconds on any clock that does not go back.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import NotFoundError, StreamFullError
from ecotone.infrastructure.bus.interface import ConsumerState, PublishAck, StreamState

if TYPE_CHECKING:
    from ecotone.infrastructure.bus.interface import StreamConfig

__all__ = ["Handed", "StreamLog"]

DUPLICATE_WINDOW_S = 120.0


class Handed(msgspec.Struct, frozen=True):
    """One item handed to one reader. `number` tells this delivery from earlier ones of the same item."""

    sequence: int
    number: int
    attempt: int
    data: bytes


class _Item:
    """A kept item and the consumers that have yet to acknowledge it."""

    __slots__ = ("accepted_wall_s", "data", "waiting")

    def __init__(self, data: bytes, accepted_wall_s: float, waiting: set[str]) -> None:
        self.data = data
        self.accepted_wall_s = accepted_wall_s
        self.waiting = waiting


class _InFlight:
    """A delivered, unacknowledged item: `due_s` is when it may be delivered again."""

    __slots__ = ("attempt", "due_s", "number")

    def __init__(self, number: int, attempt: int, due_s: float) -> None:
        self.number = number
        self.attempt = attempt
        self.due_s = due_s


class _ConsumerLog:
    __slots__ = ("in_flight", "next_sequence")

    def __init__(self) -> None:
        self.next_sequence = 1
        self.in_flight: dict[int, _InFlight] = {}


class StreamLog:
    """One bounded stream with the places of all its consumers."""

    def __init__(self, config: StreamConfig) -> None:
        self.config = config
        self._items: dict[int, _Item] = {}  # in order of sequence
        self._accepted = 0
        self._deliveries = 0
        self._consumers = {name: _ConsumerLog() for name in config.consumers}
        self._known: dict[str, tuple[int, float]] = {}  # item id -> sequence and time, oldest first

    def append(self, data: bytes, item_id: str, *, now_s: float, wall_s: float) -> PublishAck:
        """Keep the item; raises StreamFullError."""
        self._forget_old_ids(now_s)
        if item_id in self._known:
            return PublishAck(self._known[item_id][0], duplicate=True)
        if self._consumers and len(self._items) >= self.config.capacity:
            if self.config.overflow == "reject":
                raise StreamFullError(
                    f"stream '{self.config.name}' is full: wait for its readers and append again", retry_after_s=0.05
                )
            self._drop(next(iter(self._items)))
        self._accepted += 1
        self._known[item_id] = (self._accepted, now_s)
        if self._consumers:
            self._items[self._accepted] = _Item(data, wall_s, set(self._consumers))
        return PublishAck(self._accepted)

    def take(self, consumer: str, *, now_s: float) -> Handed | None:
        """The next item for a reader: one that is due again, else the next new one, else None."""
        log = self._log(consumer)
        again = min((sequence for sequence, flight in log.in_flight.items() if flight.due_s <= now_s), default=0)
        if again:
            return self._hand(log, again, now_s)
        while log.next_sequence <= self._accepted:
            log.next_sequence += 1
            if log.next_sequence - 1 in self._items:
                return self._hand(log, log.next_sequence - 1, now_s)
        return None

    def next_due_s(self, consumer: str) -> float:
        """When something already delivered may be delivered again; infinity when nothing is in flight."""
        return min((flight.due_s for flight in self._log(consumer).in_flight.values()), default=math.inf)

    def acknowledge(self, consumer: str, sequence: int) -> None:
        """Done, whoever says so and however often."""
        self._log(consumer).in_flight.pop(sequence, None)
        item = self._items.get(sequence)
        if item is not None:
            item.waiting.discard(consumer)
            if not item.waiting:
                del self._items[sequence]

    def postpone(self, consumer: str, sequence: int, number: int, *, due_s: float) -> bool:
        """Deliver again at `due_s`, if delivery `number` is still the newest of the item; says whether it was."""
        flight = self._log(consumer).in_flight.get(sequence)
        if flight is None or flight.number != number:
            return False
        flight.due_s = due_s
        return True

    def is_open(self, consumer: str, sequence: int, number: int, *, now_s: float) -> bool:
        """Whether this delivery is still its reader's: neither settled, timed out nor delivered to another."""
        flight = self._log(consumer).in_flight.get(sequence)
        return flight is not None and flight.number == number and flight.due_s > now_s

    def state(self) -> StreamState:
        first = next(iter(self._items), self._accepted + 1)
        return StreamState(
            accepted=self._accepted,
            kept=len(self._items),
            first_sequence=first,
            oldest_time_s=self._items[first].accepted_wall_s if self._items else None,
        )

    def consumer_state(self, consumer: str) -> ConsumerState:
        log = self._log(consumer)
        return ConsumerState(
            pending=sum(1 for sequence in self._items if sequence >= log.next_sequence),
            in_flight=len(log.in_flight),
            acknowledged_floor=min(log.in_flight, default=log.next_sequence) - 1,
            redelivered=sum(1 for flight in log.in_flight.values() if flight.attempt > 1),
        )

    def _hand(self, log: _ConsumerLog, sequence: int, now_s: float) -> Handed:
        self._deliveries += 1
        before = log.in_flight.get(sequence)
        attempt = 1 if before is None else before.attempt + 1
        log.in_flight[sequence] = _InFlight(self._deliveries, attempt, now_s + self.config.ack_wait_s)
        return Handed(sequence, self._deliveries, attempt, self._items[sequence].data)

    def _drop(self, sequence: int) -> None:
        del self._items[sequence]
        for log in self._consumers.values():
            log.in_flight.pop(sequence, None)

    def _forget_old_ids(self, now_s: float) -> None:
        while self._known:
            item_id, (_, known_s) = next(iter(self._known.items()))
            if now_s - known_s <= DUPLICATE_WINDOW_S:
                return
            del self._known[item_id]

    def _log(self, consumer: str) -> _ConsumerLog:
        log = self._consumers.get(consumer)
        if log is None:
            raise NotFoundError(f"there is no consumer '{consumer}' of stream '{self.config.name}'")
        return log
