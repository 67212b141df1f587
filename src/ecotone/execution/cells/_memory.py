"""A cell's linear memory, seen from the host: every address that the cell gives is checked.

Called by host functions.
"""

from __future__ import annotations

import ctypes
import struct
from bisect import bisect_left

from ecotone.execution.cells._program import Program

__all__ = ["CellMemory", "FaultError"]

_RESERVED_BYTES = 1 << 32


class FaultError(Exception):
    """The cell has given an address that is not in its memory."""


class CellMemory:
    """The memory of one cell. It may grow but does not move: 4 GiB of addresses are reserved for it."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.base = program.base
        self._view = memoryview((ctypes.c_char * _RESERVED_BYTES).from_address(self.base)).cast("B")
        self._known_bytes = 0
        self._closed: list[tuple[int, int]] = []

    def size_bytes(self) -> int:
        """Its size now."""
        size_bytes = self._program.size_bytes()
        assert size_bytes <= _RESERVED_BYTES
        self._known_bytes = size_bytes
        return size_bytes

    def grow(self, pages: int) -> int:
        """Adds pages of 64 KiB, all zero, and returns the number of pages before.

        Raises:
            MemoryLimitError: the cell may not have more.
        """
        return self._program.grow(pages)

    def view(self, address: int, size_bytes: int) -> memoryview:
        """A part of the memory, to read or to write.

        Raises:
            FaultError: not all of it is in the cell's memory.
        """
        end = address + size_bytes
        if end > self._known_bytes and end > self.size_bytes():
            raise FaultError
        if self._closed and self._is_closed(address, end):
            raise FaultError
        return self._view[address:end]

    def close_off(self, start: int, end: int) -> None:
        """From now on nothing between these addresses can be used."""
        self._closed = sorted([*self._closed, (start, end)])

    def open_again(self, start: int) -> None:
        """What was closed off from there on can be used again."""
        self._closed = [each for each in self._closed if each[0] != start]

    def _is_closed(self, address: int, end: int) -> bool:
        closed = self._closed
        at = bisect_left(closed, (end, 0)) - 1  # the last that begins before the end
        return at >= 0 and closed[at][1] > address

    def pack(self, address: int, layout: str, *values: int) -> None:
        """Writes a structure."""
        struct.pack_into(layout, self.view(address, struct.calcsize(layout)), 0, *values)

    def unpack(self, address: int, layout: str) -> tuple[int, ...]:
        """Reads a structure."""
        return struct.unpack_from(layout, self.view(address, struct.calcsize(layout)))

    def vectors(self, address: int, count: int) -> list[memoryview]:
        """The buffers that a list of (address, size) names.

        Raises:
            FaultError: the list or a buffer is not in the cell's memory, or there are too many.
        """
        if count > 1024:  # as for readv(2)
            raise FaultError
        words = self.unpack(address, f"<{2 * count}I")
        return [self.view(words[i], words[i + 1]) for i in range(0, 2 * count, 2)]
