"""The few calls of the C library that Python does not have. Called by the host functions and by a rank's process."""

from __future__ import annotations

import ctypes
import os

__all__ = [
    "advise_huge",
    "clear_fixed",
    "die_with_parent",
    "futex_wait",
    "futex_wake",
    "is_zero",
    "map_fixed",
    "name_process",
    "protect",
    "remove_shared",
    "yield_core",
]

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
]  # fmt: skip
_libc.syscall.restype = ctypes.c_long
_libc.syscall.argtypes = [
    ctypes.c_long, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int,
]  # fmt: skip

_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]

_READ_WRITE = 3
_SHARED_FIXED = 0x11
_PRIVATE_FIXED_ANONYMOUS = 0x32
_HUGE_BYTES = 1 << 21
_MADV_HUGEPAGE = 14
_MADV_REMOVE = 9
_FUTEX = {"x86_64": 202, "aarch64": 98, "riscv64": 98}.get(os.uname().machine, 202)
_FUTEX_WAIT = 0
_FUTEX_WAKE = 1
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15

yield_core = _libc.sched_yield


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


def map_fixed(address: int, size_bytes: int, descriptor: int, offset: int = 0) -> None:
    """Maps a file, from `offset` on, over memory that the caller has checked to be its own.

    Raises:
        OSError: the kernel refused.
    """
    mapped = _libc.mmap(address, size_bytes, _READ_WRITE, _SHARED_FIXED, descriptor, offset)
    if mapped != address:
        raise OSError(ctypes.get_errno(), "mmap of the memory shared between ranks")


def clear_fixed(address: int, size_bytes: int) -> None:
    """Puts fresh memory, all zero, in place of memory that the caller has checked to be its own.

    Raises:
        OSError: the kernel refused.
    """
    mapped = _libc.mmap(address, size_bytes, _READ_WRITE, _PRIVATE_FIXED_ANONYMOUS, -1, 0)
    if mapped != address:
        raise OSError(ctypes.get_errno(), "mmap of empty memory")


def remove_shared(address: int, size_bytes: int) -> None:
    """Gives the memory of an anonymous file back to the machine, where it is mapped here; whoever maps it finds zeros.

    Raises:
        OSError: the kernel refused.
    """
    if _libc.madvise(address, size_bytes, _MADV_REMOVE):
        raise OSError(ctypes.get_errno(), "madvise of memory shared between ranks")


def advise_huge(address: int, size_bytes: int) -> None:
    """Says that all of this memory is about to be written: the kernel may then give it in pages of 2 MiB."""
    start = -(-address // _HUGE_BYTES) * _HUGE_BYTES
    end = (address + size_bytes) // _HUGE_BYTES * _HUGE_BYTES
    if start < end:
        _libc.madvise(start, end - start, _MADV_HUGEPAGE)  # only advice: that it may be refused is no matter


def protect(address: int, size_bytes: int, *, usable: bool) -> None:
    """Makes memory unusable, or usable again.

    Raises:
        OSError: the kernel refused.
    """
    if _libc.mprotect(address, size_bytes, _READ_WRITE if usable else 0):
        raise OSError(ctypes.get_errno(), "mprotect")


_ZEROS = bytes(1 << 16)


def is_zero(address: int, size_bytes: int) -> bool:
    """Whether memory, at most 64 KiB, holds zeros only."""
    return _libc.memcmp(address, _ZEROS, size_bytes) == 0


def futex_wait(address: int, seen: int, timeout_s: float) -> None:
    """Sleeps while the 32-bit word at `address` is `seen`; returns when woken, changed, or after the timeout."""
    timeout = _Timespec(0, int(timeout_s * 1e9))
    _libc.syscall(_FUTEX, address, _FUTEX_WAIT, seen, ctypes.byref(timeout), None, 0)


def futex_wake(address: int) -> None:
    """Wakes one process that sleeps on `address`."""
    _libc.syscall(_FUTEX, address, _FUTEX_WAKE, 1, None, None, 0)


def die_with_parent(signal: int, parent: int) -> None:
    """This process gets `signal` when its parent `parent` ends; at once if it has ended already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(128 + signal)


def name_process(name: str) -> None:
    """What `ps` and `top` show of this process, which must not be longer than 15 letters."""
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
