"""Programs that wasmtime runs: the tier that is everywhere. Called by a rank."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, cast

import wasmtime
from wasmtime import _ffi as ffi

from ecotone.core.errors import InputError
from ecotone.execution.cells._callbacks import link
from ecotone.execution.cells._engine import limit, shared_engine, shared_linker
from ecotone.execution.cells._program import MemoryLimitError, ProgramTrapError
from ecotone.execution.cells._snapshot import Variable

__all__ = ["WasmtimeProgram", "forget_module", "keep_module", "load_program"]

_PAGE = 65536
_NO_PROGRAM = "the module has no `memory` and `_start`, so it is not a program: build it with a main"
_WRONG_MEMORY = "the module's memory is not one of 32 bits: build it for wasm32, with ecotone cell build"


# By the path of the compiled form, whose name is the module's digest.
_kept: dict[Path, tuple[wasmtime.Module, bool]] = {}


class _SharedMemory(wasmtime.SharedMemory):
    """With two mistakes of the Python package mended: it hands wasmtime the address of an address."""

    def _as_extern(self) -> Any:
        union = ffi.wasmtime_extern_union(sharedmemory=self.ptr())
        return ffi.wasmtime_extern_t(ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)


class WasmtimeProgram:
    """See `Program`. Made by `load_program`.

    Args:
        module: compiled.
        memory_max_bytes: what its memory may have, if it is its own.
        shared: the memory, if threads share it.
    """

    def __init__(self, module: wasmtime.Module, memory_max_bytes: int, shared: _SharedMemory | None) -> None:
        self._module = module
        self._memory_max_bytes = memory_max_bytes
        self._shared = shared
        self._store = wasmtime.Store(shared_engine())
        limit(self._store, memory_max_bytes)
        self._exports = shared_linker().instantiate(self._store, module).exports(self._store)
        memory = self._exports["memory"]
        self._memory = memory if isinstance(memory, wasmtime.Memory) else None
        self.base = self._base_now()

    def _base_now(self) -> int:
        pointer = self._memory.data_ptr(self._store) if self._memory else cast("_SharedMemory", self._shared).data_ptr()
        return ctypes.cast(pointer, ctypes.c_void_p).value or 0

    def size_bytes(self) -> int:
        if self._memory is None:
            return cast("_SharedMemory", self._shared).data_len()
        assert self._base_now() == self.base
        return self._memory.data_len(self._store)

    def grow(self, pages: int) -> int:
        try:
            if self._memory is None:
                return cast("_SharedMemory", self._shared).grow(pages)
            return self._memory.grow(self._store, pages)
        except wasmtime.WasmtimeError as error:
            raise MemoryLimitError(str(error)) from error

    def allow(self, memory_max_bytes: int) -> None:
        """For memory of its own; what threads share has had its limit since it was made."""
        limit(self._store, memory_max_bytes)

    def has(self, name: str) -> bool:
        return isinstance(self._exports.get(name), wasmtime.Func)

    def call(self, name: str, *arguments: int) -> int | None:
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)
        try:
            return function(self._store, *map(_signed, arguments))
        except wasmtime.Trap as trap:
            raise ProgramTrapError(trap.message) from None
        except wasmtime.WasmtimeError as error:
            raise ProgramTrapError(str(error)) from None

    def _globals(self) -> dict[str, tuple[wasmtime.Global, str]]:
        found: dict[str, tuple[wasmtime.Global, str]] = {}
        for name, export in self._exports.items():
            if isinstance(export, wasmtime.Global) and (kind := export.type(self._store)).mutable:
                found[name] = export, str(kind.content)
        return found

    def variables(self) -> list[Variable]:
        return [
            Variable(name=name, kind=kind, value=variable.value(self._store))
            for name, (variable, kind) in self._globals().items()
        ]

    def set_variable(self, name: str, value: int | float) -> None:
        variable, kind = self._globals()[name]
        variable.set_value(self._store, _signed(int(value)) if kind == "i32" else value)

    def thread(self) -> WasmtimeProgram:
        if self._shared is None:
            raise InputError("its memory is its own: a program with threads is linked with -fopenmp")
        return WasmtimeProgram(self._module, self._memory_max_bytes, self._shared)


def keep_module(compiled: Path) -> None:
    """Opens a module for all processes that this one forks from now on: a start has one thing less to do.

    Raises:
        InputError: it is not a program that can be run.
        wasmtime.WasmtimeError: it cannot be opened.
    """
    _kept[compiled] = _open_module(compiled)


def forget_module(compiled: Path) -> None:
    """Closes what `keep_module` has opened."""
    _kept.pop(compiled, None)


def _open_module(compiled: Path) -> tuple[wasmtime.Module, bool]:
    """A module, and whether its memory is shared by threads; nothing of the module has run then."""
    module = wasmtime.Module.deserialize_file(shared_engine(), str(compiled))
    # With one memory, which is exported here, it can have no other that is shared and so without limit.
    exported = next((each.type for each in module.exports if each.name == "memory"), None)
    start = next((each.type for each in module.exports if each.name == "_start"), None)
    if not isinstance(exported, wasmtime.MemoryType) or not isinstance(start, wasmtime.FuncType):
        raise InputError(_NO_PROGRAM)
    if exported.is_64 or exported.page_size != _PAGE:
        raise InputError(_WRONG_MEMORY)
    return module, exported.is_shared


def _signed(value: int) -> int:
    """As wasmtime wants numbers of 32 bits, of which addresses use all."""
    return value - (1 << 32) if value >> 31 == 1 else value


def load_program(compiled: Path, memory_max_bytes: int, reserve_bytes: int) -> WasmtimeProgram:
    """Loads and instantiates a module whose imports are all defined.

    Args:
        compiled: for this machine and wasmtime.
        memory_max_bytes: what its memory may have.
        reserve_bytes: what may be added to that later: memory that threads share cannot have its limit changed.

    Raises:
        InputError: it is not a program that can be run.
    """
    module, is_shared = _kept.get(compiled) or _open_module(compiled)
    link(shared_linker())
    shared = _shared_memory(module, memory_max_bytes + reserve_bytes) if is_shared else None
    try:
        return WasmtimeProgram(module, memory_max_bytes, shared)
    except wasmtime.WasmtimeError as error:
        raise InputError(f"the module cannot be run: {' '.join(str(error).split())}") from None


def _shared_memory(module: wasmtime.Module, most_bytes: int) -> _SharedMemory:
    wanted = next((each.type for each in module.imports if (each.module, each.name) == ("env", "memory")), None)
    if not isinstance(wanted, wasmtime.MemoryType) or not wanted.is_shared:
        raise InputError("the module shares memory between threads that it does not import: build it with -fopenmp")
    most_pages = min(most_bytes // _PAGE, wanted.limits.max or 0)
    if most_pages < wanted.limits.min:
        raise InputError(
            f"the program begins with {wanted.limits.min * _PAGE >> 20} MiB of memory, more than this cell may have"
        )
    limits = wasmtime.Limits(wanted.limits.min, most_pages)
    memory = _SharedMemory(shared_engine(), wasmtime.MemoryType(limits, shared=True))
    linker = shared_linker()
    linker.allow_shadowing = True
    linker.define(wasmtime.Store(shared_engine()), "env", "memory", memory)
    return memory
