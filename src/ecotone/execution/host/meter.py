"""Measures what user code uses, and makes up for what an emulated node would take longer. One for each stage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ecotone.execution.host.emulation import padding_s, sleep_s
from ecotone.execution.host.used import used_cpu_s
from ecotone.infrastructure.waiting import CoreWait

if TYPE_CHECKING:
    from ecotone.execution.host.emulation import CoreSlots

__all__ = ["Meter"]


class Meter:
    """Totals of one call, which may pause while its outputs are sent.

    Attributes:
        cpu_s: CPU time that user code used, all its threads together.
        busy_s: elapsed time, padding included; of a source, which mostly waits, only what it computed and padding.
        late_s: by how much padding took longer than it should have.
        started_s: when user code last began or went on (monotonic).
    """

    def __init__(self, speed: float, cores: CoreSlots | None, cpu_clock: int, *, waits: bool) -> None:
        """`cpu_clock` is the clock of the platform's own thread, whose use is not user code's. A component that
        `waits` holds one of the node's cores only while it pads."""
        self._speed = speed
        self._cores = cores
        self._clock = cpu_clock
        self._waits = waits
        self._core = CoreWait()
        self._cpu_started_s = self._waited_before_s = 0.0
        self.started_s = 0.0
        self.cpu_s = 0.0
        self.busy_s = 0.0
        self.late_s = 0.0

    def begin(self) -> None:
        """A new call."""
        self.cpu_s = self.busy_s = self.late_s = 0.0
        self.resume()

    def resume(self) -> None:
        """User code is about to run: wait for a core."""
        if self._cores is not None and not self._waits:
            self._cores.__enter__()
        self._waited_before_s = self._core.waited_s()
        self.started_s = time.monotonic()
        self._cpu_started_s = used_cpu_s() - time.clock_gettime(self._clock)

    def pause(self) -> float:
        """User code has returned, raised or yielded: pad, give the core back. Returns the monotonic time."""
        used_s = used_cpu_s() - time.clock_gettime(self._clock) - self._cpu_started_s
        now_s = time.monotonic()
        elapsed_s = now_s - self.started_s
        waited_s = self._core.waited_s() - self._waited_before_s
        pad_s = padding_s(used_s, elapsed_s, self._speed, waited_s)
        cores = self._cores
        if pad_s > 0:
            if cores is not None and self._waits:
                cores.__enter__()
            self.late_s += sleep_s(pad_s)
            now_s = time.monotonic()
            if cores is not None and self._waits:
                cores.__exit__()
        if cores is not None and not self._waits:
            cores.__exit__()
        self.cpu_s += used_s
        self.busy_s += min(used_s, elapsed_s) + pad_s if self._waits else now_s - self.started_s
        return now_s
