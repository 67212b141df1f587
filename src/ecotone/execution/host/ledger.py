"""Which items of a channel a consumer is done with, kept in a small shared file.

All hosts of the consumer on this machine share it, and it outlives them: so an item that comes again because its
acknowledgement was lost with its host is recognised, no item is counted twice, and the gaps that a full live channel
leaves in the sequence are counted as dropped exactly once, whichever replica sees them.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Ledger", "Mark"]

_WINDOW = 1 << 16  # sequences; far more than a stream keeps
_SIZE = 8 + _WINDOW // 8


class Mark(NamedTuple):
    """`first`: the item was not marked before. `dropped`: how many more items count as dropped (-1: one fewer)."""

    first: bool
    dropped: int


class Ledger:
    """The marks of one consumer on one stream. Sequences count from 1."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._descriptor, _SIZE)
        self._data = mmap.mmap(self._descriptor, _SIZE)
        self._highest = memoryview(self._data)[:8].cast("q")

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            self._highest.release()
            self._data.close()
            os.close(self._descriptor)
            self._descriptor = -1

    def done(self, sequence: int) -> bool:
        """Whether the item was marked as handled."""
        highest = self._highest[0]
        if sequence > highest:
            return False
        return sequence <= highest - _WINDOW or self._bit(sequence)

    def mark(self, sequence: int, *, handled: bool = True) -> Mark:
        """The consumer is done with the item: it was handled (or given up), or else it is one more that was dropped.

        A gap below a new highest sequence counts as dropped until its items turn up: those that another replica is
        still working on come back as -1.
        """
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            highest = self._highest[0]
            if sequence > highest:
                self._clear(max(highest + 1, sequence - _WINDOW + 1), sequence)
                if handled:
                    self._set(sequence)
                self._highest[0] = sequence
                return Mark(first=True, dropped=sequence - highest - (1 if handled else 0))
            if sequence <= highest - _WINDOW or self._bit(sequence) or not handled:
                return Mark(first=False, dropped=0)
            self._set(sequence)
            return Mark(first=True, dropped=-1)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _bit(self, sequence: int) -> bool:
        place = sequence % _WINDOW
        return bool(self._data[8 + (place >> 3)] & (1 << (place & 7)))

    def _set(self, sequence: int) -> None:
        place = sequence % _WINDOW
        self._data[8 + (place >> 3)] |= 1 << (place & 7)

    def _clear(self, first: int, last: int) -> None:
        for sequence in range(first, last + 1):
            place = sequence % _WINDOW
            self._data[8 + (place >> 3)] &= ~(1 << (place & 7)) & 0xFF
