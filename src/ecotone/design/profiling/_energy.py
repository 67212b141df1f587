"""Joules of a call above those of the idle machine, from a counter or a meter. Called by the worker after its calls.

Idle and busy stretches take turns, so that what else the machine does is in both: each busy stretch is compared with
the idle ones before and after it. The figure is the median of the busy ones. It is not believed, and the energy is
estimated from declared power instead, when it is not clear of the noise: of how much the idle stretches differ, and of
how much the busy ones do.
"""

from __future__ import annotations

import statistics
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.units import Dimension, format_quantity
from ecotone.infrastructure.power import MeterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecotone.infrastructure.power import EnergyMeter

__all__ = ["CallEnergy", "measure_energy", "needed_s"]

_BUSY_STRETCHES = 3
_STRETCH_MIN_S = 0.2
_IDLE_STEP_S = 0.02
_REFRESHES = 5
"""A stretch lasts so many refreshes of the meter, and a first one that does not count: a meter that averages still
shows what was before."""


class CallEnergy(msgspec.Struct, frozen=True):
    """`energy_j` of a call, with its noise as a share of it; None: it was not measured, and `note` says why."""

    energy_j: float | None
    noise: float = 0.0
    note: str = ""


class _Stretch(msgspec.Struct, frozen=True):
    """A busy time: what it took in all, and how many calls were made."""

    energy_j: float
    took_s: float
    calls: int


def needed_s(meter: EnergyMeter, call_s: float) -> float:
    """How long measuring takes."""
    idle_s = _stretch_s(meter) + meter.refresh_s
    return (_BUSY_STRETCHES + 1) * idle_s + _BUSY_STRETCHES * max(idle_s, 2 * call_s)


def measure_energy(
    meter: EnergyMeter,
    work: Callable[[], None],
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> CallEnergy:
    """Call `work` again and again, with pauses. Raises whatever it raises; a meter that fails is a note."""
    idle_w: list[float] = []
    busy: list[_Stretch] = []
    try:
        idle_w.append(_idle_w(meter, clock, sleep))
        for _ in range(_BUSY_STRETCHES):
            busy.append(_busy(meter, work, clock))
            idle_w.append(_idle_w(meter, clock, sleep))
    except MeterError as error:
        return CallEnergy(None, note=str(error))
    return _judged(idle_w, busy)


def _judged(idle_w: list[float], busy: list[_Stretch]) -> CallEnergy:
    """The figure, if it is clear of the noise."""
    around_w = [(before + after) / 2 for before, after in pairwise(idle_w)]
    values_j = [
        (each.energy_j - base_w * each.took_s) / each.calls for each, base_w in zip(busy, around_w, strict=True)
    ]
    value_j = statistics.median(values_j)
    longest_s = max(each.took_s / each.calls for each in busy)
    noise_j = max(statistics.stdev(idle_w) * longest_s, (max(values_j) - min(values_j)) / 2)
    if value_j <= 2 * noise_j:
        shown = [format_quantity(max(0.0, each), Dimension.ENERGY) for each in (value_j, noise_j)]
        return CallEnergy(None, note=f"a call takes {shown[0]}, the noise of this machine is {shown[1]}")
    return CallEnergy(value_j, noise=round(noise_j / value_j, 4))


def _stretch_s(meter: EnergyMeter) -> float:
    return max(_STRETCH_MIN_S, _REFRESHES * meter.refresh_s)


def _idle_w(meter: EnergyMeter, clock: Callable[[], float], sleep: Callable[[float], None]) -> float:
    sleep(meter.refresh_s)
    start_s, start_j = clock(), meter.read_j()
    while (gone_s := clock() - start_s) < _stretch_s(meter):
        sleep(min(max(meter.refresh_s, _IDLE_STEP_S), _stretch_s(meter) - gone_s))
        meter.read_j()  # a meter that shows watts knows only what was read
    return (meter.read_j() - start_j) / (clock() - start_s)


def _busy(meter: EnergyMeter, work: Callable[[], None], clock: Callable[[], float]) -> _Stretch:
    lead_in_s = clock()
    while clock() - lead_in_s < meter.refresh_s:
        work()
    start_s, start_j = clock(), meter.read_j()
    read_s, calls = start_s, 0
    while clock() - start_s < _stretch_s(meter):
        work()
        calls += 1
        if clock() - read_s >= meter.refresh_s:
            meter.read_j()
            read_s = clock()
    return _Stretch(meter.read_j() - start_j, clock() - start_s, calls)
