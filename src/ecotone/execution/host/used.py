"""The CPU time that a component uses, wherever it is used: by this process, and by others that work for it.

Called by everything that measures calls of user code; cells add what their ranks took.
"""

from __future__ import annotations

import threading
import time

__all__ = ["add_cpu_s", "used_cpu_s"]

_elsewhere_s = 0.0
_lock = threading.Lock()


def used_cpu_s() -> float:
    """Of all threads of this process, and what `add_cpu_s` was told."""
    return time.process_time() + _elsewhere_s


def add_cpu_s(used_s: float) -> None:
    """Another process has used this for the component of this one."""
    global _elsewhere_s  # noqa: PLW0603 - as the clock of a process is one for all its threads
    with _lock:
        _elsewhere_s += used_s
