"""How fast this machine is on one thread: the number that makes samples of one machine speak of another.

Called when samples are taken, and before a run, whose emulation compares this machine with the one that took the
samples.
"""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["PYTHON_STEPS", "machine_name", "machine_score", "python_work"]

_PYTHON_S, _NUMPY_S = 0.0074, 0.0048
"""What the two halves take on the machine that defines 1.0 (one thread of a server processor of about 2023)."""
_REPEATS = 8
PYTHON_STEPS = 60_000
"""Of one `python_work`."""


def machine_score() -> float:
    """Single-thread speed, 1.0 for an ordinary server of 2023, higher is faster. Takes about 0.15 s.

    Half of it is interpreted code, half arithmetic on arrays; the best of several tries counts, since whatever else
    runs here only makes it slower.
    """
    import numpy as np  # noqa: PLC0415 - every run asks for the machine's name, few for its score

    python_s = min(_timed(python_work) for _ in range(_REPEATS))
    data = np.linspace(0.0, 1.0, 160_000, dtype=np.float32)
    numpy_s = min(_timed(lambda: _numpy_work(data)) for _ in range(_REPEATS))
    return round((_PYTHON_S / python_s * _NUMPY_S / numpy_s) ** 0.5, 4)


def machine_name() -> str:
    """What a person would call this machine: its processor and how many cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def _timed(work: object) -> float:
    assert callable(work)
    start_s = time.thread_time()
    work()
    return time.thread_time() - start_s


def python_work() -> int:
    """Interpreted code: numbers and a small dictionary."""
    counts: dict[int, int] = {}
    total = 0
    for number in range(PYTHON_STEPS):
        key = number * 7919 % 1024
        counts[key] = counts.get(key, 0) + 1
        total += counts[key] ^ key
    return total


def _numpy_work(data: np.ndarray) -> float:
    import numpy as np  # noqa: PLC0415

    # No matrix products: libraries run those on all cores.
    values = data
    for _ in range(24):
        values = np.sqrt(values * 1.0001 + 0.5)
        values = values - np.roll(values, 3) * 0.25
    return float(np.sort(values[:60_000]).sum())
