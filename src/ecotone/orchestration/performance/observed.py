"""What running applications teach: by how much calls take longer than predicted, and when that changes.

Plain decisions. The controller shows a `Follower` the service times that its agents send; what it has learnt is kept
beside the application (`.ecotone/performance/observed.json`) at the end of a run, and the model of the next plan is
corrected by it.

A correction is a running mean of log(measured / predicted) over windows of calls, robust (a window far off counts as
one that is less far off) and drawn to no correction at all while there are few. A shift of the error is found by
Page's cumulative sums in both directions (Page 1954; with the reference value of half a standard deviation, as in
Hinkley 1971 and Montgomery's textbook), and told only when it is large enough to matter.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import InputError
from ecotone.infrastructure.files import replace_file
from ecotone.infrastructure.telemetry.histogram import bucket_value_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Correction", "Expected", "Follower", "Observed", "Shift", "read_observed", "write_observed"]

OBSERVED_VERSION = 1
_CALLS_MIN = 20
"""Calls that make a window."""
_SERVICE_MIN_S = 2e-4
"""Of shorter calls the platform's own share is too large to say anything of the component."""
_WINDOWS_MAX = 60.0
"""A correction forgets: it weighs at most so many windows."""
_WINDOWS_KEPT_MAX = 15.0
"""How much an earlier run weighs in the next one."""
_DRAWN_BY = 5.0
"""Windows' worth of believing the prediction."""
_SPREAD_MIN, _SPREAD_MAX = 0.03, 0.20
_LATEST = 3
_USUAL_MAX = 40
_CLIP = 2.0
_LEARNT_FROM = 12
"""Windows that say what is usual before a shift can be found; more are taken in as they come."""
_ALLOWANCE, _ALARM = 0.5, 12.0
"""Of the cumulative sums, in standard deviations."""
_SHIFT_MIN = 0.15
"""Smaller shifts, in logarithms, are true perhaps, and change no plan."""
_SPREADS_MIN = 3.0
"""Nor are those that are smaller than so many spreads of single windows."""
_USED_FROM = 0.10
"""A correction that is smaller, or that has changed by less, leaves plans as they are."""


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Expected(_Data, frozen=True, kw_only=True):
    """What a component should take on one node: `service_s` a call, without any correction."""

    variant: str
    node_type: str
    service_s: float


class Correction(_Data, frozen=True, kw_only=True):
    """Of one variant on one type of node.

    Attributes:
        log_ratio: mean of log(measured / predicted).
        spread: of single windows about it.
        windows: how many it rests on, after forgetting.
        used: what plans multiply predictions by; 1: nothing.
    """

    component: str
    variant: str
    node_type: str
    log_ratio: float
    spread: float
    windows: float
    used: float = 1.0

    @property
    def drawn(self) -> float:
        """The logarithm after drawing it to 0 for lack of evidence."""
        return self.log_ratio * self.windows / (self.windows + _DRAWN_BY)


class Observed(_Data, frozen=True, kw_only=True):
    """All corrections of an application."""

    corrections: tuple[Correction, ...] = ()
    version: int = OBSERVED_VERSION

    def ratio(self, component: str, variant: str, node_type: str) -> float:
        """Measured over predicted time of a call, as far as plans go by it."""
        found = self.of(component, variant, node_type)
        return 1.0 if found is None else found.used

    def of(self, component: str, variant: str, node_type: str) -> Correction | None:
        key = component, variant, node_type
        return next((each for each in self.corrections if (each.component, each.variant, each.node_type) == key), None)

    def for_plans(self) -> Observed | None:
        """Only what plans go by, so that a plan need not be made again when nothing else has changed; None: nothing."""
        used = [each for each in self.corrections if each.used != 1.0]
        plain = (msgspec.structs.replace(each, log_ratio=0.0, spread=0.0, windows=0.0) for each in used)
        return Observed(corrections=tuple(plain)) if used else None


class Shift(_Data, frozen=True, kw_only=True):
    """Calls of a component on a node took `before` times what was predicted, and now take `after` times."""

    component: str
    node: str
    before: float
    after: float

    def __str__(self) -> str:
        return (
            f"calls of {self.component} on {self.node} took {self.before:.2f} times what was predicted, now "
            f"{self.after:.2f} times"
        )


class Follower:
    """Follows one run."""

    def __init__(self, expected: Mapping[tuple[str, str], Expected], before: Observed | None = None) -> None:
        """Args:
        expected: by component and node.
        before: from earlier runs.
        """
        self._expected = dict(expected)
        self._before = before or Observed()
        self._seen: dict[tuple[str, str], dict[int, int]] = {}
        self._sums: dict[tuple[str, str], _Sums] = {}
        self._running: dict[tuple[str, str, str], _Running] = {}

    def see(self, component: str, node: str, service: Mapping[int, int]) -> Shift | None:
        """Take in how long calls took until now, as counts by bucket since the start; a shift when one has shown."""
        expected = self._expected.get((component, node))
        if expected is None or expected.service_s < _SERVICE_MIN_S:
            return None
        place = component, node
        seen = self._seen.get(place, {})
        fresh = {bucket: more for bucket, count in service.items() if (more := count - seen.get(bucket, 0)) > 0}
        calls = sum(fresh.values())
        if calls < _CALLS_MIN:
            return None
        self._seen[place] = dict(service)
        mean_s = sum(bucket_value_s(bucket) * count for bucket, count in fresh.items()) / calls
        value = math.log(mean_s / expected.service_s)
        key = component, expected.variant, expected.node_type
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = _Running(self._before.of(*key))
        sums = self._sums.setdefault(place, _Sums())
        found = sums.add(value)
        if found is None:
            running.add(value)
            return None
        before, after, windows = found
        running.restart(after, windows)
        return Shift(component=component, node=node, before=math.exp(before), after=math.exp(after))

    def pass_over(self, component: str, node: str, service: Mapping[int, int]) -> None:
        """Calls until now that say nothing, because the machine was in trouble."""
        self._seen[component, node] = dict(service)

    def observed(self) -> Observed:
        """What to keep: earlier corrections, replaced where this run knows more."""
        kept = {(each.component, each.variant, each.node_type): each for each in self._before.corrections}
        for key, running in self._running.items():
            component, variant, node_type = key
            found = Correction(
                component=component,
                variant=variant,
                node_type=node_type,
                log_ratio=round(running.mean, 5),
                spread=round(running.spread, 5),
                windows=round(running.windows, 2),
            )
            old = kept.get(key)
            kept[key] = msgspec.structs.replace(found, used=_used(found.drawn, 1.0 if old is None else old.used))
        return Observed(corrections=tuple(kept[key] for key in sorted(kept)))


def _median(values: Iterable[float]) -> float:
    # Not `statistics`, whose import would delay the first item of a run.
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _used(drawn: float, before: float) -> float:
    """Changes in steps: a plan made from what has hardly changed need not be made again."""
    if abs(drawn - math.log(before)) <= _USED_FROM:
        return before
    return 1.0 if abs(drawn) <= _USED_FROM else round(math.exp(drawn), 3)


class _Running:
    """A robust running mean of windows."""

    def __init__(self, before: Correction | None) -> None:
        self.mean = 0.0 if before is None else before.log_ratio
        self.spread = 0.1 if before is None else max(_SPREAD_MIN, before.spread)
        self.windows = 0.0 if before is None else min(_WINDOWS_KEPT_MAX, before.windows)
        self._first: list[float] = []
        """The windows with which this run began: until there are enough, nothing is known of what is far."""

    def add(self, value: float) -> None:
        is_far_known = len(self._first) >= _LEARNT_FROM
        bound = _CLIP * self.spread if is_far_known else math.inf
        bounded = max(-bound, min(bound, value - self.mean))
        self.windows = min(_WINDOWS_MAX, self.windows + 1.0)
        self.mean += bounded / self.windows
        square = self.spread**2 + (bounded**2 - self.spread**2) / (self.windows + 1.0)
        self.spread = max(_SPREAD_MIN, math.sqrt(square))
        if not is_far_known:
            self._first.append(value)
            middle = _median(self._first)
            if len(self._first) == _LEARNT_FROM and abs(middle - self.mean) > _SHIFT_MIN:
                self.restart(middle, _LEARNT_FROM)  # since the last run something has changed

    def restart(self, mean: float, windows: int) -> None:
        self.mean, self.windows = mean, float(windows)


class _Sums:
    """Cumulative sums of how far windows are above, and below, what is usual on one node."""

    def __init__(self) -> None:
        self._usual: list[float] = []
        self._level = self._spread = 0.0
        self._up = self._down = 0.0
        self._rising: list[float] = []
        self._falling: list[float] = []

    def add(self, value: float) -> tuple[float, float, int] | None:
        """A shift: the level before, the level since, and over how many windows."""
        if len(self._usual) < _LEARNT_FROM:
            self._learn([*self._usual, value])
            return None
        away = (value - self._level) / self._spread
        step = max(-_ALARM / 2, min(_ALARM / 2, away))  # no single window is an alarm
        self._up, self._rising = self._gone_on(self._up, step, self._rising, value)
        self._down, self._falling = self._gone_on(self._down, -step, self._falling, value)
        for total, since in ((self._up, self._rising), (self._down, self._falling)):
            if total > _ALARM:
                # The sum may have risen for long before the shift: only what is like the latest windows is of after it.
                before, spread, after = self._level, self._spread, _median(since[-_LATEST:])
                like = [each for each in since if abs(each - after) <= _SHIFT_MIN]
                self._learn(like or since)
                enough = max(_SHIFT_MIN, _SPREADS_MIN * spread)
                return (before, after, len(like)) if abs(after - before) > enough else None
        if abs(away) <= _SPREADS_MIN and len(self._usual) < _USUAL_MAX:
            self._usual.append(value)
            self._judge()
        return None

    @staticmethod
    def _gone_on(total: float, step: float, since: list[float], value: float) -> tuple[float, list[float]]:
        total = max(0.0, total + step - _ALLOWANCE)
        return total, [*since, value] if total > 0.0 else []

    def _learn(self, values: Iterable[float]) -> None:
        self._usual = list(values)[-_LEARNT_FROM:]
        self._judge()
        self._up = self._down = 0.0
        self._rising, self._falling = [], []

    def _judge(self) -> None:
        """What is usual."""
        self._level = _median(self._usual)
        apart = _median(abs(each - self._level) for each in self._usual)
        self._spread = min(_SPREAD_MAX, max(_SPREAD_MIN, 1.4826 * apart))  # at most: a shift may be among them


def read_observed(path: Path) -> Observed | None:
    """What earlier runs taught; None when there is no such file, or it is of another version.

    Raises:
        InputError: it cannot be read.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Observed)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{path}: cannot be read: {error}; delete it, and the next run writes a new one") from None
    return found if found.version == OBSERVED_VERSION else None


def write_observed(path: Path, observed: Observed) -> None:
    """Replace `path` in one step. Raises OSError."""
    replace_file(path, msgspec.json.format(msgspec.json.encode(observed), indent=1))
