"""Where requests of a simulation are served: copies that share, copies that queue, one queue for all, functions.

Called by `_course` and `_walks` only, with times that never fall. What is served in order of arrival leaves at a time
that is known when it comes, so those stations answer at once; only processor sharing has to be woken up.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FirstCome", "Function", "OneQueue", "SharingCopy", "Station", "Window"]


class Window:
    """From when to when, in seconds, busy time counts."""

    __slots__ = ("from_s", "to_s")

    def __init__(self, from_s: float, to_s: float) -> None:
        self.from_s = from_s
        self.to_s = to_s


class Station(Protocol):
    """What knows at once when a request leaves."""

    def serve(self, now_s: float, service_s: float) -> float:
        """When a request leaves that comes now."""
        ...


class FirstCome:
    """Copies with a queue each, to which requests go at random: a copy is known by when its last request leaves.
    `busy_s`: of all copies together, within the window."""

    __slots__ = ("_free_s", "_picks", "_window", "busy_s")

    def __init__(self, copies: int, picks: Iterator[float], window: Window) -> None:
        self._free_s = [0.0] * copies
        self._picks = picks
        self._window = window
        self.busy_s = 0.0

    def serve(self, now_s: float, service_s: float) -> float:
        free_s = self._free_s
        copy = int(next(self._picks) * len(free_s)) if len(free_s) > 1 else 0
        start_s = free_s[copy] if free_s[copy] > now_s else now_s
        free_s[copy] = leaves_s = start_s + service_s
        self.busy_s += _within(self._window, start_s, leaves_s)
        return leaves_s


class OneQueue:
    """Copies behind one queue: the next request goes to the one that is free first. `busy_s` as of `FirstCome`."""

    __slots__ = ("_free_s", "_window", "busy_s")

    def __init__(self, copies: int, window: Window) -> None:
        self._free_s = [0.0] * copies
        self._window = window
        self.busy_s = 0.0

    def serve(self, now_s: float, service_s: float) -> float:
        first_s = self._free_s[0]
        start_s = first_s if first_s > now_s else now_s
        leaves_s = start_s + service_s
        heapreplace(self._free_s, leaves_s)
        self.busy_s += _within(self._window, start_s, leaves_s)
        return leaves_s


class Function:
    """Instances of one serverless function: a request goes to the newest that is idle, or starts another.

    The newest first as Mahmoudi and Khazaei's simulation has it (SimFaaS, https://github.com/pacslab/simfaas), and as
    `laws.serverless_response` assumes when the last instance gets what all the others leave. An instance ends when it
    has been idle for `idle_s`. `serve` takes a draw of mean 1 in place of seconds, since what it means depends on
    whether an instance is warm. Counted are the requests that came within the window: how many were `served`, how many
    of them by a `cold` instance, and their seconds.
    """

    __slots__ = ("_busy", "_cold_s", "_idle", "_idle_s", "_started", "_warm_s", "_window", "cold", "served", "served_s")

    def __init__(self, warm_s: float, cold_s: float, idle_s: float, window: Window) -> None:
        self._warm_s = warm_s
        self._cold_s = cold_s
        self._idle_s = idle_s
        self._window = window
        self._started = 0
        self._busy: list[tuple[float, int]] = []
        """When it gets idle and its number, of each busy instance; a heap."""
        self._idle: list[tuple[int, float]] = []
        """Number, negative so that the newest is on top, and since when; what has ended stays in it until it is on
        top."""
        self.served = self.cold = 0
        self.served_s = 0.0

    def serve(self, now_s: float, service_s: float) -> float:
        busy, idle = self._busy, self._idle
        while busy and busy[0][0] <= now_s:
            since_s, number = heappop(busy)
            heappush(idle, (-number, since_s))
        while idle and idle[0][1] + self._idle_s < now_s:
            heappop(idle)
        warm = bool(idle)
        if warm:
            number = -heappop(idle)[0]
            leaves_s = now_s + service_s * self._warm_s
        else:
            self._started = number = self._started + 1
            leaves_s = now_s + service_s * self._cold_s
        heappush(busy, (leaves_s, number))
        if self._window.from_s <= now_s <= self._window.to_s:
            self.served += 1
            self.cold += not warm
            self.served_s += leaves_s - now_s
        return leaves_s


class SharingCopy:
    """One copy whose requests share it equally, by virtual time: the service that each has got since the copy was idle.

    It grows by 1/n per second with n requests, so a request leaves when it has grown by its service, whoever comes and
    goes, and a change costs O(log n): the virtual time of Parekh and Gallager, "A generalized processor sharing
    approach to flow control in integrated services networks", IEEE/ACM Transactions on Networking 1(3), 1993. The loop
    that owns the copies wakes one at its `alarm_s`, which is never later than the next leaving: who comes usually
    delays that, and then the alarm that is set already stands, and proves to be early.
    """

    __slots__ = ("_due_s", "_now_s", "_requests", "_virtual_s", "_window", "alarm_s", "busy_s")

    def __init__(self, window: Window) -> None:
        self._window = window
        self._requests: list[tuple[float, int, Any]] = []
        """Virtual time of leaving, a number that no other has, and who it is; a heap."""
        self._virtual_s = 0.0
        self._now_s = 0.0
        self._due_s = inf
        self.alarm_s = inf
        self.busy_s = 0.0

    def add(self, now_s: float, service_s: float, number: int, who: object) -> bool:
        """Whether `alarm_s` is another now, and has to be set."""
        requests = self._requests
        if requests:
            self._virtual_s += (now_s - self._now_s) / len(requests)
            self.busy_s += _within(self._window, self._now_s, now_s)
        else:
            self._virtual_s = 0.0
        self._now_s = now_s
        heappush(requests, (self._virtual_s + service_s, number, who))
        self._due_s = due_s = now_s + (requests[0][0] - self._virtual_s) * len(requests)
        if due_s < self.alarm_s:
            self.alarm_s = due_s
            return True
        return False

    def wake(self, now_s: float) -> Any:
        """Who leaves now, at the alarm; None if it was early. Then `alarm_s` has to be set again, unless infinite."""
        if self._due_s > now_s:
            self.alarm_s = self._due_s
            return None
        requests = self._requests
        self._virtual_s, _, who = heappop(requests)
        self.busy_s += _within(self._window, self._now_s, now_s)
        self._now_s = now_s
        self._due_s = now_s + (requests[0][0] - self._virtual_s) * len(requests) if requests else inf
        self.alarm_s = self._due_s
        return who


def _within(window: Window, from_s: float, to_s: float) -> float:
    """How much of the time from one moment to another is in the window."""
    if from_s >= window.from_s and to_s <= window.to_s:
        return to_s - from_s
    return max(0.0, min(to_s, window.to_s) - max(from_s, window.from_s))
