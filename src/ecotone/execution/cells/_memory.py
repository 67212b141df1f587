"""A cell's linear memory, seen from the host: every address that the cell gives is checked.

Called by host functions.
"""

from __future__ import annotations

import ctypes
import struct

import wasmtime

from ecotone.core.errors import InputError

__all__ = ["CellMemory", "FaultError"]

_RESERVED_BYTES = 1 << 32
_PAGE = 65536


class FaultError(Exception):
    """The cell has given an address that is not in its memory."""


class CellMemory:
    """The memory of one cell. It may grow but does not move: wasmtime reserves 4 GiB of addresses for it.

    Raises:
        InputError: it is not a memory of 32 bits.
    """

    def __init__(self, memory: wasmtime.Memory, store: wasmtime.Store) -> None:
        kind = memory.type(store)
        if kind.is_64 or kind.is_shared or kind.page_size != _PAGE:
            raise InputError("the module's memory is not one of 32 bits: build it for wasm32, with ecotone cell build")
        self._memory = memory
        self._store = store
        self.base = self._base_now()
        self._view = memoryview((ctypes.c_char * _RESERVED_BYTES).from_address(self.base)).cast("B")
        self._known_bytes = 0

    def _base_now(self) -> int:
        return ctypes.cast(self._memory.data_ptr(self._store), ctypes.c_void_p).value or 0

    def size_bytes(self) -> int:
        """Its size now; whatever was added is seen here first, so here it is checked that all is where it was."""
        size_bytes = self._memory.data_len(self._store)
        assert size_bytes <= _RESERVED_BYTES
        assert self._base_now() == self.base
        self._known_bytes = size_bytes
        return size_bytes

    def grow(self, pages: int) -> int:
        """Adds pages of 64 KiB, all zero, and returns the number of pages before.

        Raises:
            wasmtime.WasmtimeError: the cell may not have more.
        """
        return self._memory.grow(self._store, pages)

    def view(self, address: int, size_bytes: int) -> memoryview:
        """A part of the memory, to read or to write.

        Raises:
            FaultError: not all of it is in the cell's memory.
        """
        end = address + size_bytes
        if end > self._known_bytes and end > self.size_bytes():
            raise FaultError
        return self._view[address:end]

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
