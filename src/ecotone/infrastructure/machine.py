"""The cores that this process may use, and the CPU time that others take. Used by what measures on a shared machine."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["CpuTime", "cpu_time", "own_cores"]


class CpuTime(msgspec.Struct, frozen=True):
    """Of this machine since it started, in seconds: `others_s` of all processes but this one and its children that have
    ended, `stolen_s` that the host of a virtual machine took. Zeros where there is no /proc."""

    others_s: float = 0.0
    stolen_s: float = 0.0


def cpu_time() -> CpuTime:
    """Until now; differences of two say what went by."""
    try:
        fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    except OSError:
        return CpuTime()
    tick_s = 1.0 / os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _disk, irq, softirq, stolen = (int(each) * tick_s for each in fields[:8])
    own = os.times()
    own_s = own.user + own.system + own.children_user + own.children_system
    return CpuTime(others_s=user + nice + system + irq + softirq - own_s, stolen_s=stolen)


def own_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))
