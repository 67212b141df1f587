"""Virtual time: a clock that is turned by hand, and a heap of events that turns it. Used by tests and the simulator."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EventHeap", "ManualClock"]


class ManualClock:
    """A `core.clock.Clock` that stands still until it is moved.

    Args:
        start_s: the first monotonic reading, in seconds.
        epoch_s: what to add for the wall clock.
    """

    def __init__(self, start_s: float = 0.0, epoch_s: float = 1_000_000_000.0) -> None:
        self._now_s = start_s
        self._epoch_s = epoch_s

    def monotonic_s(self) -> float:
        return self._now_s

    def wall_s(self) -> float:
        return self._epoch_s + self._now_s

    def advance(self, duration_s: float) -> None:
        """Move on by `duration_s`, at least 0."""
        assert duration_s >= 0, "time does not go back"
        self._now_s += duration_s


class EventHeap:
    """What happens when, in virtual time. Events of the same moment happen in the order in which they were planned."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.happened = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_s()

    def at(self, time_s: float, act: Callable[[], None]) -> None:
        """Plan `act` for `time_s`, or for now if that is past."""
        heapq.heappush(self._heap, (max(time_s, self.now_s), next(self._order), act))

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Plan `act` for `delay_s` from now."""
        self.at(self.now_s + delay_s, act)

    def run_until(self, time_s: float, check: Callable[[], None] | None = None) -> None:
        """Let everything up to `time_s` happen, with `check` after each event."""
        while self._heap and self._heap[0][0] <= time_s:
            due_s, _, act = heapq.heappop(self._heap)
            self.clock.advance(due_s - self.now_s)
            act()
            self.happened += 1
            if check is not None:
                check()
        self.clock.advance(max(0.0, time_s - self.now_s))
