"""The few Linux calls that Python has no function for, and what the kernel tells in `/proc`.

Used by the agent and its fork server so that no process outlives the one that is responsible for it.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

__all__ = [
    "CpuTimes",
    "become_subreaper",
    "children",
    "cpu_times",
    "die_with_parent",
    "has_mapped",
    "is_frozen",
    "own_memory_bytes",
]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def die_with_parent(signal_number: int, parent: int) -> None:
    """Get `signal_number` when the thread that forked this process ends; exit now if `parent` is gone already."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        os._exit(0)


def become_subreaper() -> None:
    """Orphans among this process's descendants become its children instead of init's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children(pid: int) -> tuple[int, ...]:
    """The children of a single-threaded process; () when it is gone."""
    try:
        return tuple(int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except OSError:
        return ()


def is_frozen(pid: int) -> bool:
    """Whether the process is stopped (SIGSTOP, a debugger); False when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat[stat.rindex(b")") + 2 : stat.rindex(b")") + 3] in {b"T", b"t"}


def has_mapped(pid: int, folder: str) -> bool:
    """Whether the process, which may not be there, has a file in `folder` mapped: a number may have been reused."""
    try:
        return f" {folder}/" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def own_memory_bytes(pid: int) -> float:
    """Resident memory that is not shared files or shared memory; 0 when the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_bytes().split()
    except OSError:
        return 0.0
    return float((int(fields[1]) - int(fields[2])) * _PAGE_BYTES)


class CpuTimes:
    """Ticks of all cores of this machine together since its boot: in all, and doing nothing."""

    __slots__ = ("idle", "total")

    def __init__(self, total: int, idle: int) -> None:
        self.total = total
        self.idle = idle


def cpu_times() -> CpuTimes:
    """What `/proc/stat` says now."""
    with open("/proc/stat", "rb") as file:  # noqa: PTH123 - read four times a second
        fields = [int(each) for each in file.readline().split()[1:9]]
    return CpuTimes(sum(fields), fields[3] + fields[4])
