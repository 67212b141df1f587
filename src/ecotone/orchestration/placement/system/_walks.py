"""One replication of a simulation: requests walk through a placement, from station to station, in order of time.

Called by `simulate` only, with a placement that it has checked. The same seed gives the same walks.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from ecotone.orchestration.placement.system._course import Course, Setting, Stop, Way
from ecotone.orchestration.placement.system._stations import Function, SharingCopy, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy

    from ecotone.orchestration.placement.system._arrivals import Arrivals
    from ecotone.orchestration.placement.system.flows import Flows
    from ecotone.orchestration.placement.system.model import Placement

__all__ = ["Walked", "walk"]

_Request = tuple[int, tuple[float, ...]]
"""Where it is on watched paths (a state of `_Paths`), and when it entered each component so far."""


class Walked(NamedTuple):
    """What one replication saw. `path_s`: of counted requests, the seconds on each watched path, one for each time that
    it was walked; `busy` and `functions` as of `Course`; `events`: arrivals at partitions and departures."""

    path_s: list[list[float]]
    busy: dict[str, float]
    functions: dict[tuple[str, int], Function]
    events: int


def walk(
    flows: Flows,
    placement: Placement,
    arrivals: Arrivals,
    *,
    watched: Sequence[tuple[int, ...]],
    setting: Setting,
    seeds: numpy.random.SeedSequence,
) -> Walked:
    """Walk requests through a placement until the last has left.

    Args:
        watched: paths to time, as numbers of components; each begins with entering its first and ends with leaving its
            last, and is timed for requests that walk it without going elsewhere in between.

    Raises:
        InputError: no network joins two resources between which requests go.
    """
    window = Window(arrivals.counted_s, arrivals.times_s[-1])
    course = Course(flows, placement, setting, window=window, seeds=seeds)
    return _Walk(course, _Paths(watched, len(flows.components)), arrivals.counted_s).run(arrivals)


class _Paths:
    """Recognises the watched paths as requests walk them: Aho and Corasick's automaton (1975), whose states are the
    beginnings of watched paths."""

    def __init__(self, watched: Sequence[tuple[int, ...]], components: int) -> None:
        self.times_s: list[list[float]] = [[] for _ in watched]
        prefixes = sorted({path[:length] for path in watched for length in range(len(path) + 1)} | {()})
        numbers = {prefix: number for number, prefix in enumerate(prefixes)}
        self.after = [
            [numbers[_longest_suffix((*prefix, component), numbers)] for component in range(components)]
            for prefix in prefixes
        ]
        """The state after a component, by the state before; 0 is that of a request that has not been anywhere."""
        self.ends = [
            [(self.times_s[at], len(path)) for at, path in enumerate(watched) if prefix[-len(path) :] == path]
            for prefix in prefixes
        ]
        """Where to note a time, and of how many components, by state."""


def _longest_suffix(walked: tuple[int, ...], known: dict[tuple[int, ...], int]) -> tuple[int, ...]:
    return next(walked[at:] for at in range(len(walked) + 1) if walked[at:] in known)


class _Walk:
    """The loop. All requests are in its events, or at copies that share."""

    def __init__(self, course: Course, paths: _Paths, counted_s: float) -> None:
        self._course = course
        self._paths = paths
        self._counted_s = counted_s
        self._chances = course.chances
        self._events: list[tuple[float, int, Any, _Request | None]] = []
        """When, a number that no other has, and the stop that a request reaches, or the copy that is to be woken."""
        self._number = 0
        self._served = 0

    def run(self, arrivals: Arrivals) -> Walked:
        events, starts, after = self._events, self._course.starts, self._paths.after[0]
        for now_s, component in zip(arrivals.times_s, arrivals.components, strict=True):
            while events and events[0][0] <= now_s:
                self._next()
            self._reach(now_s, starts[component], (after[component], (now_s,)))
        while events:
            self._next()
        return Walked(self._paths.times_s, self._course.busy(), self._course.functions, 2 * self._served)

    def _next(self) -> None:
        now_s, _, what, request = heappop(self._events)
        if request is not None:
            self._reach(now_s, what, request)
        elif now_s == what.alarm_s:
            who = what.wake(now_s)
            if what.alarm_s < math.inf:
                self._set(what)
            if who is not None:
                self._leave(now_s, *who)

    def _set(self, copy: SharingCopy) -> None:
        self._number = number = self._number + 1
        heappush(self._events, (copy.alarm_s, number, copy, None))

    def _reach(self, now_s: float, stop: Stop, request: _Request) -> None:
        self._served += 1
        service_s = next(stop.draws) * stop.mean_s
        copies = stop.copies
        if copies is None:
            assert stop.station is not None
            self._leave(stop.station.serve(now_s, service_s), stop, request)
            return
        copy = copies[int(next(self._chances) * len(copies))] if len(copies) > 1 else copies[0]
        if copy.add(now_s, service_s, self._served, (stop, request)):
            self._set(copy)

    def _leave(self, now_s: float, stop: Stop, request: _Request) -> None:
        """Now, or at a time that is known already."""
        following, exits = stop.following, stop.exits
        if following is not None and (exits == 0.0 or next(self._chances) >= exits):
            self._number = number = self._number + 1
            heappush(self._events, (now_s + stop.moved_s, number, following, request))
            return
        state, entered_s = request
        if entered_s[0] >= self._counted_s:
            for times_s, length in self._paths.ends[state]:
                times_s.append(now_s - entered_s[-length])
        if stop.forks:
            for way in stop.ways:
                if next(self._chances) < way.chance:
                    self._go(now_s, way, request)
        elif stop.ways:
            chance = next(self._chances)
            for way in stop.ways:
                if chance < way.chance:
                    self._go(now_s, way, request)
                    break

    def _go(self, now_s: float, way: Way, request: _Request) -> None:
        _, moved_s, stop = way
        now_s += moved_s
        self._number = number = self._number + 1
        state = self._paths.after[request[0]][stop.component]
        heappush(self._events, (now_s, number, stop, (state, (*request[1], now_s))))
