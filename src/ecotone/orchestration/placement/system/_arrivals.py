"""When the requests of a simulation enter: at random, or as recorded. Called by `simulate` and `_walks` only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy

from ecotone.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecotone.orchestration.placement.system.model import System

__all__ = ["Arrivals", "poisson", "recorded"]


class Arrivals(NamedTuple):
    """When requests enter, in seconds and in order, and the number of the component that each enters; they count from
    `counted_s` on."""

    times_s: list[float]
    components: list[int]
    counted_s: float

    @property
    def counted(self) -> int:
        return sum(time_s >= self.counted_s for time_s in self.times_s)


def poisson(system: System, requests: int, warm_up: float, seeds: numpy.random.SeedSequence) -> Arrivals:
    """So many requests at the rates of the system; they count after this share (0 to below 1) of the time.

    Raises:
        InputError: all rates are 0.
    """
    rates = [system.rates_per_s.get(component.name, 0.0) for component in system.components]
    total_per_s = math.fsum(rates)
    if total_per_s <= 0.0:
        raise InputError(f"no requests enter {system.name}: its rates are 0")
    random = numpy.random.default_rng(seeds)
    times_s = numpy.cumsum(random.standard_exponential(requests) / total_per_s)
    components = random.choice(len(rates), requests, p=[rate / total_per_s for rate in rates])
    return Arrivals(times_s.tolist(), components.tolist(), warm_up * float(times_s[-1]))


def recorded(system: System, recording: Mapping[str, Sequence[float]], repeats: int, warm_up: float) -> Arrivals:
    """A recording (seconds in order, by component), played from its first arrival; repetitions begin one mean gap
    between arrivals after the last.

    Raises:
        InputError: unknown components; times that are negative, infinite or out of order; no arrivals; or a single
            moment to be repeated.
    """
    numbers = {component.name: number for number, component in enumerate(system.components)}
    for name, times_s in recording.items():
        if name not in numbers:
            raise InputError(f"arrivals are recorded at {name}, but {system.name} has no such component")
        _check(name, times_s)
    entered = sorted((time_s, numbers[name]) for name, times_s in recording.items() for time_s in times_s)
    if not entered:
        raise InputError("a recording without any arrival cannot be played")
    first_s, long_s = entered[0][0], entered[-1][0] - entered[0][0]
    if repeats > 1 and long_s == 0.0:
        raise InputError("a recording of a single moment cannot be repeated")
    period_s = long_s + long_s / max(1, len(entered) - 1)
    times_s = [time_s - first_s + again * period_s for again in range(repeats) for time_s, _ in entered]
    return Arrivals(times_s, [number for _, number in entered] * repeats, warm_up * times_s[-1])


def _check(component: str, times_s: Sequence[float]) -> None:
    last_s = 0.0
    for number, time_s in enumerate(times_s, start=1):
        if not 0.0 <= time_s < math.inf:
            raise InputError(f"arrival {number} recorded at {component}: {time_s:g} s is no time from 0 on")
        if time_s < last_s:
            text = f"arrival {number} recorded at {component}: {time_s:g} s comes after {last_s:g} s, sort the times"
            raise InputError(text)
        last_s = time_s
