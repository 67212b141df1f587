"""What a cell may ask of its host, apart from WASI: the functions of the import module `eco`. Called by a rank.

The library in the cell does everything else in its own memory. `map` lays the job's shared region over a part of the
cell's linear memory, after which ranks exchange data without the host; the other functions are for waiting. They are
registered as unchecked callbacks (0.6 us a call; wasmtime's own Python functions take 10).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import wasmtime
from wasmtime import _bindings as ffi

from ecotone.execution.cells._libc import futex_wait, futex_wake, map_fixed, yield_core

__all__ = ["MODULE", "CellHost"]

MODULE = b"eco"
_PAGE = 65536
_NAP_S = 0.05
_NO_FINALIZER: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(0)
_Callback: Any = ffi.wasmtime_func_unchecked_callback_t
_I32 = wasmtime.ValType.i32()


class CellHost:
    """The host functions of one rank.

    Args:
        rank: of the job.
        descriptor: of the shared region.
        shared_bytes: its size.
        ended: called when the program aborts itself, with its code and a reason; it must not return.
    """

    def __init__(self, rank: int, descriptor: int, shared_bytes: int, ended: Callable[[int, str], object]) -> None:
        self._rank = rank
        self._descriptor = descriptor
        self._shared_bytes = shared_bytes
        self._ended = ended
        self._base = 0
        self._memory_bytes: Callable[[], int] = lambda: 0
        self._mapped = False
        self._keep: list[object] = []

    def define(self, linker: wasmtime.Linker) -> None:
        """Adds the functions to the linker; call `attach` after instantiation and before the cell runs."""
        self._define(linker, b"shared_bytes", self._get_shared_bytes, 0, 1)
        self._define(linker, b"map", self._map, 2, 1)
        self._define(linker, b"idle", self._idle, 2, 0)
        self._define(linker, b"wake", self._wake, 1, 0)
        self._define(linker, b"yield", self._yield, 0, 0)
        self._define(linker, b"safepoint", self._safepoint, 0, 0)
        self._define(linker, b"abort", self._abort, 1, 0)

    def attach(self, memory: wasmtime.Memory, store: wasmtime.Store) -> None:
        """Tells where the cell's memory is. It does not move: wasmtime reserves 4 GiB of addresses for it."""
        self._base = ctypes.cast(memory.data_ptr(store), ctypes.c_void_p).value or 0
        self._memory_bytes = lambda: memory.data_len(store)

    def _define(
        self, linker: wasmtime.Linker, name: bytes, function: Callable[[Any], None], parameters: int, results: int
    ) -> None:
        def call(_env: object, _caller: object, values: Any, _count: int) -> int:
            function(values)
            return 0

        callback = _Callback(call)
        self._keep.append(callback)
        kind = wasmtime.FuncType([_I32] * parameters, [_I32] * results)
        error = ffi.wasmtime_linker_define_func_unchecked(
            linker.ptr(),
            ctypes.create_string_buffer(MODULE),
            len(MODULE),
            ctypes.create_string_buffer(name),
            len(name),
            kind.ptr(),
            callback,
            None,
            _NO_FINALIZER,
        )
        assert not error, name

    def _word(self, address: int) -> int:
        """The host's address of a 32-bit word of the shared region; ends the cell if it lies elsewhere."""
        address &= 0xFFFFFFFF
        if not self._mapped or address % 4 or not self._start <= address < self._start + self._shared_bytes:
            self._ended(1, "asked to wait on memory that is not shared")
        return self._base + address

    def _get_shared_bytes(self, values: Any) -> None:
        values[0].i32 = self._shared_bytes

    def _map(self, values: Any) -> None:
        start, size = values[0].i32 & 0xFFFFFFFF, values[1].i32 & 0xFFFFFFFF
        inside = start % _PAGE == 0 and start + size <= self._memory_bytes()
        if self._mapped or size != self._shared_bytes or not inside:
            self._ended(1, f"refused to map {size} bytes of shared memory at {start}")
        map_fixed(self._base + start, size, self._descriptor)
        self._mapped = True
        self._start = start
        values[0].i32 = self._rank

    def _idle(self, values: Any) -> None:
        futex_wait(self._word(values[0].i32), values[1].i32 & 0xFFFFFFFF, _NAP_S)

    def _wake(self, values: Any) -> None:
        futex_wake(self._word(values[0].i32))

    def _yield(self, _values: Any) -> None:
        yield_core()

    def _safepoint(self, _values: Any) -> None:
        """Nothing moves cells yet; the import is where one will be taken out of its process."""

    def _abort(self, values: Any) -> None:
        code = values[0].i32
        self._ended(code & 0xFF or 1, f"the program ended the job with code {code}")
