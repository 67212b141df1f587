"""Honest emulation of a continuum on one machine: node speed, cores, and links. Called by hosts.

A node's speed is that of a declared machine relative to the one that took the samples; the CPU time that user code
used is stretched to it, never shrunk, and waiting is not stretched. The instances of a node that compute at a time
hold no more cores together than it has. What crosses a link arrives later: bytes queue for the bandwidth, then take the
latency.

Memory is not emulated here: an address-space limit would hit mapped files and thread stacks; the agent watches what a
host really has resident and restarts it when that exceeds its reservation.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ecotone.core.continuum import Link

__all__ = ["CoreSlots", "Route", "crossing", "padding_s", "relative_speed", "sleep_s"]

_POLL_S = 0.0002


def relative_speed(node_speed: float, machine_score: float) -> float:
    """The emulated node's speed as a fraction of this machine's, at most 1: nothing runs faster than it can.

    Args:
        node_speed: declared, relative to the machine that took the samples.
        machine_score: this machine's, relative to the same.
    """
    return min(1.0, node_speed / machine_score)


def padding_s(cpu_s: float, elapsed_s: float, speed: float, waited_s: float = 0.0) -> float:
    """How much longer work would have taken on a node of relative `speed` (0 < speed <= 1).

    Work on several threads has used more CPU time than time has passed; then it is the elapsed time that stretches.
    For `waited_s` of the elapsed time the work waited for a core of this machine, which emulated nodes share and which
    the node would have had for itself: that much of the padding has passed already.
    """
    return max(0.0, max(0.0, min(cpu_s, elapsed_s)) * (1.0 / speed - 1.0) - waited_s)


def sleep_s(duration_s: float) -> float:
    """Sleep; returns by how much it was longer than asked."""
    start = time.monotonic()
    time.sleep(duration_s)
    return time.monotonic() - start - duration_s


class CoreSlots:
    """The cores of one emulated node, as locked files: a slot is free again when its holder dies. First come, first
    served.

    Whoever wants a slot draws a ticket and locks the byte of its number, until it has a slot. When no smaller number is
    locked, it is its turn; the dead hold no locks. Who needs several slots collects them in its turn: nobody overtakes
    it, and those who have slots want no more, so that all get on. (A plain lock is no queue: all its waiters are woken,
    and whoever runs first gets it, or one who just comes. On one core that two hosts wanted all the time, a third
    waited up to nine turns.)
    """

    def __init__(self, folder: Path, cores: int, held: int = 1) -> None:
        """Args: held: how many cores whoever enters takes, as far as there are so many."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._tickets = _Shared(folder / "tickets", 8)
        self._queue = os.open(folder / "queue", flags, 0o600)
        self._slots = [os.open(folder / str(core), flags, 0o600) for core in range(cores)]
        self.held = held
        self._taken: list[int] = []
        self._next = 0

    def __enter__(self) -> Self:
        """Wait for the cores and take them."""
        try:
            with self._tickets:
                (ticket,) = _INTEGER.unpack_from(self._tickets.data, 0)
                _INTEGER.pack_into(self._tickets.data, 0, ticket + 1)
                self._lock(fcntl.F_WRLCK, ticket, 1)
            if ticket:
                self._lock(fcntl.F_RDLCK, 0, ticket)
            self._take()
        except BaseException:
            self.__exit__()
            raise
        finally:
            self._lock(fcntl.F_UNLCK, 0, 0)
        return self

    def _lock(self, kind: int, first: int, count: int) -> None:
        """Wait for a lock on bytes of the queue; a `count` of 0 means all that follow. It belongs to the open file, as
        flock's do."""
        fcntl.fcntl(self._queue, fcntl.F_OFD_SETLKW, _FILE_LOCK.pack(kind, os.SEEK_SET, first, count, 0))

    def __exit__(self, *_: object) -> None:
        taken, self._taken = self._taken, []
        for slot in taken:
            fcntl.flock(slot, fcntl.LOCK_UN)

    def _take(self) -> None:
        if len(self._slots) == 1:
            fcntl.flock(self._slots[0], fcntl.LOCK_EX)
            self._taken.append(self._slots[0])
            return
        wanted = min(self.held, len(self._slots))
        while True:
            for _ in self._slots:
                slot = self._slots[self._next]
                if slot not in self._taken and _is_locked_now(slot):
                    self._taken.append(slot)
                if len(self._taken) == wanted:
                    return
                self._next = (self._next + 1) % len(self._slots)
            time.sleep(_POLL_S)

    def close(self) -> None:
        self._tickets.close()
        for descriptor in (self._queue, *self._slots):
            os.close(descriptor)


def _is_locked_now(slot: int) -> bool:
    try:
        fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def crossing(now_s: float, busy_until_s: float, size_bytes: float, link: Link) -> tuple[float, float]:
    """When a link is free again after `size_bytes` more, and when they arrive at its other end."""
    free_s = max(now_s, busy_until_s) + size_bytes / link.bandwidth_bytes_per_s
    return free_s, free_s + link.latency_s


class Route:
    """The links from one site to a node at another, in order, with the state that all hosts of this machine share.

    `share` is for a receiving node where several components take the same objects: an object crosses once for all.
    """

    def __init__(self, folder: Path, source: str, links: Sequence[Link], *, node: str, share: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._links: list[tuple[Link, _Shared]] = []
        here = source
        for link in links:
            there = link.between[1] if link.between[0] == here else link.between[0]
            self._links.append((link, _Shared(folder / f"{link.name}.to.{there}", 8)))
            here = there
        self._arrivals = _Arrivals(folder / f"arrivals.{node}") if share else None

    def arrival_s(self, now_s: float, size_bytes: int, object_name: str = "") -> tuple[float, int]:
        """Send `size_bytes` now; returns when they arrive (CLOCK_MONOTONIC) and how many were charged."""
        if self._arrivals is None or not object_name:
            return self._cross(now_s, size_bytes), size_bytes
        with self._arrivals.shared:
            arrival_s = self._arrivals.find(object_name)
            if arrival_s is not None:
                return arrival_s, 0
            arrival_s = self._cross(now_s, size_bytes)
            self._arrivals.note(object_name, arrival_s)
        return arrival_s, size_bytes

    def _cross(self, now_s: float, size_bytes: int) -> float:
        for link, shared in self._links:
            with shared:
                (busy_until_s,) = _REAL.unpack_from(shared.data, 0)
                busy_until_s, now_s = crossing(now_s, busy_until_s, size_bytes, link)
                _REAL.pack_into(shared.data, 0, busy_until_s)
        return now_s

    def close(self) -> None:
        for _, shared in self._links:
            shared.close()
        if self._arrivals is not None:
            self._arrivals.shared.close()


_REAL = struct.Struct("<d")
_INTEGER = struct.Struct("<q")
_FILE_LOCK = struct.Struct("hhqqi4x")
"""`struct flock`: type, whence, start, length, process (0 for locks of open files)."""


class _Shared:
    """A few shared bytes with a lock that dies with its holder."""

    def __init__(self, path: Path, size: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._descriptor, size)
        self.data = mmap.mmap(self._descriptor, size)

    def __enter__(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        self.data.close()
        os.close(self._descriptor)


class _Arrivals:
    """When the last objects arrived at a node: a ring of entries, each the end of a name (which is unique) and a time.

    Use under the lock of `shared`.
    """

    _KEY_BYTES = 24
    _ENTRIES = 512

    def __init__(self, path: Path) -> None:
        self._entry_bytes = self._KEY_BYTES + 8
        self.shared = _Shared(path, 8 + self._ENTRIES * self._entry_bytes)

    def find(self, name: str) -> float | None:
        place = self.shared.data.find(self._key(name), 8)
        if place < 0 or (place - 8) % self._entry_bytes:
            return None
        return _REAL.unpack_from(self.shared.data, place + self._KEY_BYTES)[0]

    def note(self, name: str, arrival_s: float) -> None:
        data = self.shared.data
        (used,) = _INTEGER.unpack_from(data, 0)
        place = 8 + used % self._ENTRIES * self._entry_bytes
        data[place : place + self._KEY_BYTES] = self._key(name)
        _REAL.pack_into(data, place + self._KEY_BYTES, arrival_s)
        _INTEGER.pack_into(data, 0, used + 1)

    def _key(self, name: str) -> bytes:
        return name.encode()[-self._KEY_BYTES :].rjust(self._KEY_BYTES, b".")
