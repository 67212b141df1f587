"""Time as an argument. Production passes `SYSTEM_CLOCK`; tests and the simulator pass one that they turn by hand."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "SystemClock"]


class Clock(Protocol):
    """Two readings: one for durations on this machine, one that other machines understand."""

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start; never goes back; the same for all processes of one machine."""
        ...

    def wall_s(self) -> float:
        """Seconds since the epoch."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wall_s(self) -> float:
        return time.time()


SYSTEM_CLOCK: Clock = SystemClock()
