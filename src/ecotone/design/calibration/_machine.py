"""What this machine is and does: its cores, the CPU time that went by, where a folder lies. Called by `_run`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

__all__ = ["CpuTime", "cpu_time", "is_in_memory", "own_cores", "thread_counts", "writable"]

_COUNTS_MAX = 4


class CpuTime(msgspec.Struct, frozen=True):
    """Of this machine since it started, in seconds: `others_s` of all processes but this one and its children that have
    ended, `stolen_s` that the host of a virtual machine took. Zeros where there is no /proc."""

    others_s: float = 0.0
    stolen_s: float = 0.0


def cpu_time() -> CpuTime:
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


def thread_counts(cores: int) -> tuple[int, ...]:
    """1, powers of two, and all cores; at most four of them."""
    counts = sorted({1, cores} | {2**power for power in range(1, 12) if 2**power < cores})
    return tuple(counts) if len(counts) <= _COUNTS_MAX else (1, 2, counts[len(counts) // 2], cores)


def writable(folder: Path) -> Path:
    """`folder`, or that of temporary files where nothing can be written to it."""
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())


def is_in_memory(folder: Path) -> bool:
    """Whether the folder's file system has no disk under it."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return False
    resolved = folder.resolve()
    above = [(len(mount[1]), mount[2]) for mount in mounts if resolved.is_relative_to(mount[1].replace("\\040", " "))]
    return max(above, default=(0, ""))[1] in {"tmpfs", "ramfs"}
