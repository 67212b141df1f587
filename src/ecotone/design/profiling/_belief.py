"""Which runs to believe: of a machine that is busy now and then, that has odd moments, and that drifts. Pure; called by
`_exploration`.

One configuration, the reference, is measured again and again. As long as its figure stays, so has the machine. When it
does not, it is measured once more at once: one odd run means nothing, two that agree mean that the machine is in
another state. Runs are comparable only within a state; those of the state that the machine is in now are believed, and
what was measured between the last look at the old state and the first at the new one never is. A machine that comes
back to an earlier state finds its runs there.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["REFERENCE_EVERY", "Belief", "Drift", "Entry", "believe"]

REFERENCE_EVERY = 6
"""Runs after which the reference is measured again."""
_CHANGE_MIN = 0.12
_SPREAD_MIN = 0.03
"""Spread of the reference's logarithm as long as little is known of it."""
_CHANGE_MAX = 0.40
_BUSY_MORE = 0.25
"""Share of the machine that others take beyond the usual, from which a run is not believed."""
_BUSY_FROM = 3
_BUSY_AGAIN_MAX = 2
"""How often one configuration is measured again because the machine was busy."""


class Entry(NamedTuple):
    """One run: which candidate, its figure (above zero), and the share of the machine that others used meanwhile (0 to
    1)."""

    candidate: int
    value: float
    others: float = 0.0


class Drift(NamedTuple):
    """The machine became `change` slower (0.2: 20 %) or faster (below 0) after run `after`, seen at run `seen`."""

    after: int
    seen: int
    change: float


class Belief(NamedTuple):
    """`doubts`: by run, why it is not believed, empty when it is: "busy", "odd" or "drift". `unchecked`: how many runs
    there are since the last look at the reference. `reference_due`: it is to be measured now."""

    doubts: tuple[str, ...]
    drifts: tuple[Drift, ...]
    unchecked: int
    reference_due: bool


class _States:
    """States of the machine: the logarithms of the reference in each."""

    def __init__(self) -> None:
        self._levels: list[list[float]] = []

    def level(self, state: int) -> float:
        return statistics.median(self._levels[state])

    def tolerance(self, state: int) -> float:
        """How far the reference may be from its level without meaning anything."""
        known = self._levels[state]
        spread = _SPREAD_MIN
        if len(known) >= 4:
            middle = statistics.median(known)
            spread = max(spread, 1.4826 * statistics.median(abs(each - middle) for each in known))
        return min(_CHANGE_MAX, max(_CHANGE_MIN, 3.0 * spread))

    def holds(self, state: int, value: float) -> bool:
        return abs(value - self.level(state)) <= self.tolerance(state)

    def add(self, state: int, value: float) -> None:
        self._levels[state].append(value)

    def at(self, values: Sequence[float]) -> int:
        """The state that these runs of the reference show: an earlier one, or a new one."""
        middle = statistics.fmean(values)
        known = [state for state in range(len(self._levels)) if self.holds(state, middle)]
        if known:
            return min(known, key=lambda state: abs(self.level(state) - middle))
        self._levels.append(list(values))
        return len(self._levels) - 1


def believe(entries: Sequence[Entry]) -> Belief:
    """Judge all runs so far, in their order; the first one's candidate is the reference."""
    watch = _Watch(entries)
    busy = _busy(entries)
    for place, entry in enumerate(entries):
        if busy[place]:
            watch.doubts[place] = "busy"
        elif entry.candidate == entries[0].candidate:
            watch.look(place)
        else:
            watch.since.append(place)
    return watch.belief()


class _Watch:
    """Goes through the runs, from one look at the reference to the next."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self.doubts = [""] * len(entries)
        self.since: list[int] = []
        self._states = _States()
        self._state_of: dict[int, int] = {}
        self._drifts: list[Drift] = []
        self._now = 0
        self._last_good = -1
        self._odd: int | None = None

    def look(self, place: int) -> None:
        """Take in a run of the reference."""
        value, odd = math.log(self._entries[place].value), self._odd
        if self._last_good < 0:
            self._now = self._states.at([value])
        elif self._states.holds(self._now, value):
            self._states.add(self._now, value)
        elif odd is not None and self._is_as_odd(odd, value):
            self._drift(odd, place)
            odd = None
        else:
            self._dismiss()
            self._odd = place
            return
        if odd is not None:
            self._dismiss()
        for each in (*self.since, place):
            self._state_of[each] = self._now
        self.since, self._odd, self._last_good = [], None, place

    def belief(self) -> Belief:
        for each in self.since:
            self._state_of[each] = self._now  # as far as anyone knows
        due = self._odd is not None or len(self.since) >= REFERENCE_EVERY
        self._dismiss()
        for place, doubt in enumerate(self.doubts):
            if not doubt and self._state_of.get(place) != self._now:
                self.doubts[place] = "drift"
        return Belief(tuple(self.doubts), tuple(self._drifts), len(self.since), reference_due=due)

    def _is_as_odd(self, odd: int, value: float) -> bool:
        return abs(math.log(self._entries[odd].value) - value) <= self._states.tolerance(self._now)

    def _drift(self, odd: int, place: int) -> None:
        values = [math.log(self._entries[each].value) for each in (odd, place)]
        change = math.exp(statistics.fmean(values) - self._states.level(self._now)) - 1.0
        self._drifts.append(Drift(after=self._last_good, seen=place, change=change))
        self._now = self._states.at(values)
        self._state_of[odd] = self._now
        self.since = []

    def _dismiss(self) -> None:
        if self._odd is not None:
            self.doubts[self._odd] = "odd"


def _busy(entries: Sequence[Entry]) -> list[bool]:
    """Runs during which others took much more of the machine than they usually do; what they always take cannot be
    waited for."""
    found: list[bool] = []
    times: dict[int, int] = {}
    for place, entry in enumerate(entries):
        before = [each.others for each in entries[:place]]
        is_busy = len(before) >= _BUSY_FROM and entry.others > statistics.median(before) + _BUSY_MORE
        if is_busy:
            times[entry.candidate] = times.get(entry.candidate, 0) + 1
        found.append(is_busy and times[entry.candidate] <= _BUSY_AGAIN_MAX)
    return found
