"""Host functions as unchecked callbacks: 0.6 us a call, where wasmtime's own Python functions take 10.

Called by whatever gives a cell functions to import.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, cast

import wasmtime
from wasmtime import _bindings as ffi

__all__ = ["define", "define_native"]

_NO_FINALIZER: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(0)
_Callback: Any = ffi.wasmtime_func_unchecked_callback_t
_KINDS = {"i": wasmtime.ValType.i32(), "I": wasmtime.ValType.i64()}
_UNSIGNED_32 = 0xFFFFFFFF
_UNSIGNED_64 = 0xFFFFFFFFFFFFFFFF

# Callbacks are made once for each function of each import module, and live as long as the process: it has one cell at a
# time, and one that was forked has them ready.
_made: dict[tuple[bytes, bytes], _Made] = {}


class _Made:
    """A callback, for whatever function is in its slot, and the linker that has it."""

    def __init__(
        self, callback: object, slot: list[Callable[..., int | None]], parameters: str = "", results: int = 0
    ) -> None:
        self.callback = callback
        self.slot = slot
        self.parameters = parameters
        self.results = results
        self.linker: wasmtime.Linker | None = None


def define(
    linker: wasmtime.Linker,
    module: bytes,
    name: bytes,
    parameters: str,
    function: Callable[..., int | None],
    *,
    results: int,
) -> None:
    """Makes `function` importable.

    Args:
        linker: of the cell.
        module: name of the import module.
        name: of the function in it.
        parameters: `i` for each parameter of 32 bits, `I` for each of 64, in order; the function gets them unsigned.
        function: what is called.
        results: 1 if it returns 32 bits, 0 if nothing.
    """
    made = _made.get((module, name)) or _make(name.decode(), parameters, results)
    made.slot[0] = function
    _add(linker, module, name, made)


def _make(name: str, parameters: str, results: int) -> _Made:
    narrow: Sequence[bool] = [kind == "i" for kind in parameters]
    slot: list[Callable[..., int | None]] = [_nothing]

    def call(_env: object, _caller: object, values: Any, _count: int) -> int:
        try:
            arguments = [
                values[i].i32 & _UNSIGNED_32 if is_narrow else values[i].i64 & _UNSIGNED_64
                for i, is_narrow in enumerate(narrow)
            ]
            result = slot[0](*arguments)
            if results:
                values[0].i32 = result
        except BaseException as error:  # noqa: BLE001 - ctypes would print it and go on as if all were well
            return _trap(f"the host could not do {name}: {type(error).__name__} {error}".rstrip())
        return 0

    return _Made(_Callback(call), slot, parameters, results)


def _trap(reason: str) -> int:
    """A trap, which a cell cannot catch, for wasmtime to take over."""
    text = " ".join(reason.split()).encode()
    pointer: Any = ffi.wasmtime_trap_new(ctypes.create_string_buffer(text), len(text))
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def _nothing(*_arguments: int) -> None:
    """Before a slot is filled nobody calls it."""


def define_native(linker: wasmtime.Linker, module: bytes, name: bytes, function: object) -> None:
    """Makes a function of the C library importable, without Python in between: 0.05 us a call and what it does.

    Args:
        linker: of the cell.
        module: name of the import module.
        name: of the function in it.
        function: from ctypes; it takes nothing and returns 0, which is also how a callback says that all is well. The
            arguments that wasmtime passes are in registers that it does not look at.
    """
    address: Any = ctypes.cast(cast("Any", function), ctypes.c_void_p).value
    made = _made.get((module, name)) or _Made(ctypes.cast(address, _Callback), [])
    _add(linker, module, name, made)


def _add(linker: wasmtime.Linker, module: bytes, name: bytes, made: _Made) -> None:
    _made[module, name] = made
    if made.linker is linker:
        return
    kind = wasmtime.FuncType([_KINDS[letter] for letter in made.parameters], [_KINDS["i"]] * made.results)
    error = ffi.wasmtime_linker_define_func_unchecked(
        linker.ptr(),
        ctypes.create_string_buffer(module),
        len(module),
        ctypes.create_string_buffer(name),
        len(name),
        kind.ptr(),
        made.callback,
        None,
        _NO_FINALIZER,
    )
    assert not error, name
    made.linker = linker
