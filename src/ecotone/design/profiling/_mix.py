"""What kind of work a call does: interpreted Python, native code, the kernel. Called by the worker after its calls.

A timer rings at times that have nothing to do with the code, and Python answers when the interpreter comes to its next
step: at once in interpreted code, after its return in native code. So the share of rings that are answered late is the
share of time in native calls of some length; shorter ones count as interpreted, since calling is most of what they
cost. Rings that are late because the thread had no core are left out. The kernel's share is what it counts itself.
"""

from __future__ import annotations

import resource
import signal
import time
from typing import TYPE_CHECKING

from ecotone.infrastructure.waiting import CoreWait
from ecotone.orchestration.performance.samples import WorkMix

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["measure_mix"]

_LATE_S = 30e-6
_PERIOD_MIN_S, _PERIOD_MAX_S = 0.5e-3, 5e-3
_RINGS_PER_CALL = 8
_RINGS_MIN = 30
_GOLDEN = 0.6180339887498949
"""Its multiples, whole parts left out, fall evenly everywhere."""


def measure_mix(work: Callable[[], None], *, call_s: float, for_s: float) -> WorkMix | None:
    """Call `work` for about `for_s`, at least once; None when too little was seen, or user code has an alarm of its
    own. Raises whatever `work` raises.

    Args:
        call_s: how long a call takes, about.
    """
    if signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL or call_s <= 0:
        return None
    user_s, system_s, took_s = _used(work, for_s / 2)
    bell = _Bell(min(call_s, max(call_s / _RINGS_PER_CALL, _PERIOD_MIN_S), _PERIOD_MAX_S))
    start_s, calls = time.perf_counter(), 0
    try:
        while calls == 0 or time.perf_counter() - start_s < for_s / 2:
            bell.start((calls * _GOLDEN + 0.5) % 1.0 * bell.period_s)
            work()
            bell.stop()
            calls += 1
    finally:
        bell.close()
    if bell.rings < _RINGS_MIN or user_s + system_s <= 0:
        return None
    return _mix(min(1.0, bell.late / bell.rings), took_s=took_s, cpu_s=user_s + system_s, system_s=system_s)


def _used(work: Callable[[], None], for_s: float) -> tuple[float, float, float]:
    """CPU time in user code and in the kernel, and elapsed time, of calls without the bell, which needs the kernel."""
    before, start_s = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    while True:
        work()
        if time.perf_counter() - start_s >= for_s:
            break
    took_s, after = time.perf_counter() - start_s, resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, took_s


def _mix(late: float, *, took_s: float, cpu_s: float, system_s: float) -> WorkMix:
    """Shares of the CPU time. Waiting is in native calls, too (a sleep, a socket), but takes none."""
    waited_s = max(0.0, took_s - cpu_s)
    native = min(1.0, max(0.0, (late * took_s - waited_s) / cpu_s))
    system = min(1.0, system_s / cpu_s)
    interpreted = min(1.0 - native, 1.0 - system)
    return WorkMix(
        interpreted=round(interpreted, 3),
        native=round(max(0.0, 1.0 - interpreted - system), 3),
        system=round(system, 3),
    )


class _Bell:
    """Rings every `period_s` from `start` to `stop`; counts the rings and those that were answered late. Those that
    could not ring because one was not answered yet count as late, too."""

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self.rings = self.late = 0
        self._on = False
        self._due_s = self._waited_s = 0.0
        self._core = CoreWait()
        signal.signal(signal.SIGALRM, self._ring)
        signal.siginterrupt(signal.SIGALRM, False)  # native code must not see its system calls fail

    def start(self, after_s: float) -> None:
        self._on = True
        self._set(after_s)

    def stop(self) -> None:
        self._on = False
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    def close(self) -> None:
        self.stop()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        self._core.close()

    def _set(self, after_s: float) -> None:
        self._waited_s = self._core.waited_s()
        self._due_s = time.perf_counter() + after_s
        signal.setitimer(signal.ITIMER_REAL, max(1e-6, after_s))

    def _ring(self, _number: int, _frame: object) -> None:
        late_s = max(0.0, time.perf_counter() - self._due_s)
        if not self._on:
            return
        missed = int(late_s / self.period_s)
        waited_s = self._core.waited_s() - self._waited_s
        if waited_s < _LATE_S / 2 or late_s - waited_s > _LATE_S:
            self.rings += 1 + missed
            if late_s > _LATE_S:
                # In a native call every lateness up to its length is as likely, so that as many rings in such calls
                # were not late enough to be told from others as were between once and twice that late.
                self.late += 1 + missed + (late_s < 2 * _LATE_S)
        self._set((1 + missed) * self.period_s - late_s)
