"""Host functions as unchecked callbacks: 0.6 us a call, where wasmtime's own Python functions take 10.

Called by whatever gives a cell functions to import, and by the tiers that run it, which take them from here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import wasmtime
from wasmtime import _bindings as ffi

__all__ = ["HostFunction", "define", "define_native", "functions", "link"]

_NO_FINALIZER: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(0)
_Callback: Any = ffi.wasmtime_func_unchecked_callback_t
_KINDS = {"i": wasmtime.ValType.i32(), "I": wasmtime.ValType.i64()}
_UNSIGNED_32 = 0xFFFFFFFF
_UNSIGNED_64 = 0xFFFFFFFFFFFFFFFF

# Callbacks are made once for each function of each import module, and live as long as the process: it has one cell at a
# time, and one that was forked has them ready.
_made: dict[tuple[bytes, bytes], HostFunction] = {}


class HostFunction:
    """A function that cells import.

    Attributes:
        parameters: `i` for each parameter of 32 bits, `I` for each of 64, in order.
        results: 1 if it returns 32 bits, 0 if nothing.
        call: what is called now; it gets its arguments unsigned.
        native: instead of `call`, the address of a function of the C library without parameters and results.
    """

    def __init__(self, parameters: str = "", results: int = 0, native: int | None = None) -> None:
        self.parameters = parameters
        self.results = results
        self.call: Callable[..., int | None] = _nothing
        self.native = native
        self.callback: object = None
        self.linker: wasmtime.Linker | None = None


def _nothing(*_arguments: int) -> None:
    """Before a function is defined nobody calls it."""


def functions() -> Mapping[tuple[bytes, bytes], HostFunction]:
    """All that is defined, by the names of import module and function."""
    return _made


def define(module: bytes, name: bytes, parameters: str, function: Callable[..., int | None], *, results: int) -> None:
    """Makes `function` importable, or puts it in the place of the one that was.

    Args:
        module: name of the import module.
        name: of the function in it.
        parameters: `i` for each parameter of 32 bits, `I` for each of 64, in order; the function gets them unsigned.
        function: what is called, by any thread of the cell.
        results: 1 if it returns 32 bits, 0 if nothing.
    """
    made = _made.get((module, name))
    if made is None:
        made = _made[module, name] = HostFunction(parameters, results)
    made.call = function


def define_native(module: bytes, name: bytes, function: object) -> None:
    """Makes a function of the C library importable, without Python in between: 0.05 us a call and what it does.

    Args:
        module: name of the import module.
        name: of the function in it.
        function: from ctypes; it takes nothing and returns 0, which is also how a callback says that all is well. The
            arguments that wasmtime passes are in registers that it does not look at.
    """
    if (module, name) not in _made:
        _made[module, name] = HostFunction(native=ctypes.cast(cast("Any", function), ctypes.c_void_p).value)


def link(linker: wasmtime.Linker) -> None:
    """Adds to a linker what is defined and not in it yet."""
    for (module, name), made in _made.items():
        if made.linker is not linker:
            _add(linker, module, name, made)


def _callback(name: str, made: HostFunction) -> object:
    if made.native is not None:
        return ctypes.cast(made.native, _Callback)
    narrow: Sequence[bool] = [kind == "i" for kind in made.parameters]
    has_result = bool(made.results)

    def call(_env: object, _caller: object, values: Any, _count: int) -> int:
        try:
            arguments = [
                values[i].i32 & _UNSIGNED_32 if is_narrow else values[i].i64 & _UNSIGNED_64
                for i, is_narrow in enumerate(narrow)
            ]
            result = made.call(*arguments)
            if has_result:
                values[0].i32 = result
        except BaseException as error:  # noqa: BLE001 - ctypes would print it and go on as if all were well
            return _trap(f"the host could not do {name}: {type(error).__name__} {error}".rstrip())
        return 0

    return _Callback(call)


def _trap(reason: str) -> int:
    """A trap, which a cell cannot catch, for wasmtime to take over."""
    text = " ".join(reason.split()).encode()
    pointer: Any = ffi.wasmtime_trap_new(ctypes.create_string_buffer(text), len(text))
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def _add(linker: wasmtime.Linker, module: bytes, name: bytes, made: HostFunction) -> None:
    made.callback = made.callback or _callback(name.decode(), made)
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
