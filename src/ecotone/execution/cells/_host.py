"""What a cell may ask of its host, apart from WASI: the functions of the import module `eco`. Called by a rank.

The library in the cell does everything else in its own memory. `map` lays the job's shared region over a part of the
cell's linear memory, after which ranks exchange data without the host; the other functions are for waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import wasmtime

from ecotone.execution.cells._callbacks import define
from ecotone.execution.cells._libc import futex_wait, futex_wake, map_fixed, yield_core
from ecotone.execution.cells._memory import CellMemory

__all__ = ["CellHost"]

_MODULE = b"eco"
_PAGE = 65536
_NAP_S = 0.05


class CellHost:
    """The host functions of one rank.

    Args:
        rank: of the job.
        descriptor: of the shared region.
        shared_bytes: its size.
        end: called with a code and a reason when the program ends itself or asks for what it may not have.
    """

    def __init__(self, rank: int, descriptor: int, shared_bytes: int, end: Callable[[int, str], NoReturn]) -> None:
        self._rank = rank
        self._descriptor = descriptor
        self._shared_bytes = shared_bytes
        self._end = end
        self._memory: CellMemory | None = None
        self._start: int | None = None

    def define(self, linker: wasmtime.Linker) -> None:
        """Adds the functions to the linker; call `attach` after instantiation and before the cell runs."""
        define(linker, _MODULE, b"shared_bytes", "", lambda: self._shared_bytes, results=1)
        define(linker, _MODULE, b"map", "ii", self._map, results=1)
        define(linker, _MODULE, b"idle", "ii", self._idle, results=0)
        define(linker, _MODULE, b"wake", "i", self._wake, results=0)
        define(linker, _MODULE, b"yield", "", yield_core, results=0)
        define(linker, _MODULE, b"safepoint", "", self._safepoint, results=0)
        define(linker, _MODULE, b"abort", "i", self._abort, results=0)

    def attach(self, memory: CellMemory) -> None:
        """Tells where the cell's memory is."""
        self._memory = memory

    def _word(self, address: int) -> int:
        """The host's address of a 32-bit word of the shared region; ends the cell if it lies elsewhere."""
        memory, start = self._memory, self._start
        if memory is None or start is None or address % 4 or not start <= address < start + self._shared_bytes:
            self._end(1, "asked to wait on memory that is not shared")
        return memory.base + address

    def _map(self, start: int, size_bytes: int) -> int:
        memory = self._memory
        if memory is None or self._start is not None or size_bytes != self._shared_bytes:
            self._end(1, f"refused to map {size_bytes} bytes of shared memory")
        if start % _PAGE or start + size_bytes > memory.size_bytes():
            self._end(1, f"refused to map shared memory at {start}, which is not in the cell's own memory")
        map_fixed(memory.base + start, size_bytes, self._descriptor)
        self._start = start
        return self._rank

    def _idle(self, bell: int, seen: int) -> None:
        futex_wait(self._word(bell), seen, _NAP_S)

    def _wake(self, bell: int) -> None:
        futex_wake(self._word(bell))

    def _safepoint(self) -> None:
        """Nothing moves cells yet; the import is where one will be taken out of its process."""

    def _abort(self, code: int) -> None:
        signed = code - (1 << 32) if code >> 31 else code
        self._end(code & 0xFF or 1, f"the program ended the job with code {signed}")
