"""How sure a mean is, and which of many samples to keep. Called by the worker; plain arithmetic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RunningMean", "thinned"]

T = TypeVar("T")


class RunningMean:
    """Mean and spread of numbers that come one by one (Welford)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        distance = value - self.mean
        self.mean += distance / self.count
        self._squares += distance * (value - self.mean)

    def half_width(self) -> float:
        """Half of the 95 % confidence interval of the mean, as a share of the mean; infinite below two values."""
        if self.count < 2:
            return math.inf
        if self.mean <= 0.0:
            return 0.0
        student = 1.96 * (1.0 + 1.25 / (self.count - 1))  # within 2 % of Student's t from 8 values on
        return student * math.sqrt(self._squares / (self.count - 1) / self.count) / self.mean


def thinned(values: Sequence[T], count_max: int) -> tuple[T, ...]:
    """At most `count_max` of the values, evenly spread over them."""
    if len(values) <= count_max:
        return tuple(values)
    step = len(values) / count_max
    return tuple(values[int(index * step)] for index in range(count_max))
