"""Programs that run as code of this machine's processor: the fast tier. Called by a rank.

The library was made by `design/cells/native`, whose `runtime.h` says what it offers. It is loaded into this process;
what keeps the program in its memory is how it was translated, and guard pages around the memory.
"""

from __future__ import annotations

import ctypes
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecotone.core.errors import InputError
from ecotone.execution.cells._callbacks import HostFunction, functions
from ecotone.execution.cells._native_cache import NATIVE_VERSION, native_parts
from ecotone.execution.cells._native_stack import Symbols, backtrace_text, symbols_of
from ecotone.execution.cells._program import MemoryLimitError, ProgramTrapError
from ecotone.execution.cells._snapshot import Variable

__all__ = ["NativeProgram", "keep_native", "load_native"]

_PAGE = 65536
_STACK_BYTES = 8 << 20
_STACK_MOST_BYTES = 64 << 20
_UNSIGNED_32 = 0xFFFFFFFF
_UNSIGNED_64 = 0xFFFFFFFFFFFFFFFF
_NO_PAGES = _UNSIGNED_64
_BOUNDS = 1
_HOST = 14
_MEMORY_LIMIT = 16
_WHY = {
    1: "wasm trap: out of bounds memory access",
    2: "wasm trap: integer overflow",
    3: "wasm trap: integer divide by zero",
    4: "wasm trap: invalid conversion to integer",
    5: "wasm trap: wasm `unreachable` instruction executed",
    6: "wasm trap: indirect call type mismatch",
    7: "wasm trap: null reference",
    8: "wasm trap: uncaught exception",
    9: "wasm trap: unaligned atomic",
    10: "wasm trap: call stack exhausted",
    11: "wasm trap: undefined element: out of bounds table access",
    12: "wasm trap: uninitialized element",
    13: "wasm trap: indirect call type mismatch",
    15: "wasm trap: atomic wait on non-shared memory",
    16: "memory minimum size exceeds memory limits",
    17: "table minimum size exceeds table limits",
    18: "the machine has no more memory",
}
"""By `enum end` of `runtime.h`."""
_CODES = {"i": "i32", "I": "i64", "f": "f32", "F": "f64"}
_PLACES: dict[str, Any] = {"i": ctypes.c_int32, "I": ctypes.c_int64, "f": ctypes.c_float, "F": ctypes.c_double}


class _Imported(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("module", "name", "parameters", "results")]


class _Exported(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("parameters", ctypes.c_char_p),
        ("results", ctypes.c_char_p),
        ("call", ctypes.c_void_p),
    ]


class _Variable(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("kind", ctypes.c_char), ("place", ctypes.c_void_p)]


class _Report(ctypes.Structure):
    _fields_ = [
        ("inner", ctypes.c_uint64 * 24),
        ("outer", ctypes.c_uint64 * 8),
        ("frames", ctypes.c_uint64),
        ("fault", ctypes.c_uint64),
    ]


_HostFunction: Any = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_uint64))
_said = threading.local()  # why a function of the host has trapped, by thread


# By the entry of the cache, whose name is the module's digest and its compiler's build.
_kept: dict[Path, _Library] = {}


class _Library:
    """A library that was loaded, and what it says of its module."""

    def __init__(self, entry: Path) -> None:
        self.entry = entry
        library, self.names = native_parts(entry)
        self.symbols = symbols_of(library)  # the file may be gone when they are needed
        loaded = ctypes.CDLL(str(entry))
        if loaded.native_version() != NATIVE_VERSION:
            raise InputError(f"{entry} was made by another version of the platform: remove it")
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        for name, result, arguments in (
            ("unwinder", None, [pointer, pointer, pointer]),
            ("program", pointer, [pointer, ctypes.c_uint64]),
            ("instance", ctypes.c_int, [pointer, pointer, pointer]),
            ("call", ctypes.c_int, [pointer, size, pointer, pointer]),
            ("variable", pointer, [pointer, size]),
            ("base", pointer, [pointer]),
            ("size", ctypes.c_uint64, [pointer]),
            ("grow", ctypes.c_uint64, [pointer, ctypes.c_uint64]),
            ("allow", None, [pointer, ctypes.c_uint64]),
            ("imports", ctypes.POINTER(_Imported), []),
            ("exports", ctypes.POINTER(_Exported), []),
            ("variables", ctypes.POINTER(_Variable), []),
        ):
            function = getattr(loaded, f"native_{name}")
            function.restype, function.argtypes = result, arguments
        self.loaded = loaded
        self.exports = {
            one.name.decode(errors="replace"): (at, one.parameters.decode(), one.results.decode())
            for at, one in _rows(loaded.native_exports(), "name")
        }
        self.variables = {
            one.name.decode(errors="replace"): (at, one.kind.decode())
            for at, one in _rows(loaded.native_variables(), "name")
        }
        self._give_unwinder()

    def _give_unwinder(self) -> None:
        try:
            unwinder = ctypes.CDLL("libgcc_s.so.1")
        except OSError:
            return  # then the stack of a trap is not told
        parts = [unwinder._Unwind_Backtrace, unwinder._Unwind_GetIP, unwinder._Unwind_GetRegionStart]
        self.loaded.native_unwinder(*(ctypes.cast(part, ctypes.c_void_p) for part in parts))


def _rows(table: Any, last: str) -> list[tuple[int, Any]]:
    rows: list[tuple[int, Any]] = []
    while getattr(table[len(rows)], last) is not None:
        rows.append((len(rows), table[len(rows)]))
    return rows


class NativeProgram:
    """See `Program`. Made by `load_native`; a thread's by `thread`."""

    def __init__(self, library: _Library, program: int, host: object) -> None:
        self._library = library
        self._loaded = library.loaded
        self._program = program
        self._host = host  # which the library calls
        self._report = _Report()
        made = ctypes.c_void_p()
        why = self._loaded.native_instance(program, ctypes.byref(made), ctypes.byref(self._report))
        if why:
            raise ProgramTrapError(self._message(why))
        self._instance = made.value
        self.base: int = self._loaded.native_base(program) or 0

    def size_bytes(self) -> int:
        return self._loaded.native_size(self._program)

    def grow(self, pages: int) -> int:
        before = self._loaded.native_grow(self._program, pages)
        if before == _NO_PAGES:
            raise MemoryLimitError(f"failed to grow memory by `{pages}`")
        return before

    def allow(self, memory_max_bytes: int) -> None:
        self._loaded.native_allow(self._program, memory_max_bytes // _PAGE)

    def has(self, name: str) -> bool:
        return name in self._library.exports

    def call(self, name: str, *arguments: int) -> int | None:
        index, parameters, results = self._library.exports[name]
        if len(arguments) != len(parameters):  # it would read what lies behind them
            few = "few" if len(arguments) < len(parameters) else "many"
            raise ProgramTrapError(f"too {few} parameters provided: given {len(arguments)}, expected {len(parameters)}")
        values = (ctypes.c_uint64 * max(1, len(arguments)))(*(argument & _UNSIGNED_64 for argument in arguments))
        report = _Report()
        why = self._loaded.native_call(self._instance, index, values, ctypes.byref(report))
        if why:
            self._report = report
            raise ProgramTrapError(self._message(why))
        if not results:
            return None
        return _PLACES[results].from_buffer(values).value

    def _message(self, why: int) -> str:
        cause = getattr(_said, "reason", "a function of the host has failed") if why == _HOST else _WHY[why]
        fault = self._report.fault if why == _BOUNDS else _UNSIGNED_64
        if fault < 1 << 32:
            where = f"memory fault at wasm address {fault:#x} in linear memory of size {self.size_bytes():#x}"
            cause = f"0: {where}\n    1: {cause}"
        stack = backtrace_text(
            Symbols(self._library.symbols, self._loaded.native_version, self._library.names), self._report
        )
        return f"{stack}\n\nCaused by:\n    {cause}"

    def variables(self) -> list[Variable]:
        return [
            Variable(name=name, kind=_CODES[kind], value=self._place(name).value)
            for name, (_, kind) in self._library.variables.items()
        ]

    def set_variable(self, name: str, value: int | float) -> None:
        self._place(name).value = value

    def _place(self, name: str) -> Any:
        index, kind = self._library.variables[name]
        return _PLACES[kind].from_address(self._loaded.native_variable(self._instance, index))

    def thread(self) -> NativeProgram:
        return NativeProgram(self._library, self._program, self._host)


def keep_native(entry: Path) -> None:
    """Opens a library for all processes that this one forks from now on; it stays open.

    Raises:
        InputError: the entry is damaged or not of this user.
        OSError: it cannot be loaded.
    """
    _kept[entry] = _Library(entry)


def load_native(entry: Path, memory_max_bytes: int) -> NativeProgram:
    """Loads and instantiates a program whose imports are all defined.

    Args:
        entry: of the cache, see `_native_cache.py`.
        memory_max_bytes: what its memory may have.

    Raises:
        InputError: the entry is damaged or not of this user, or the program cannot be run.
    """
    library = _kept.get(entry) or _Library(entry)
    if "_start" not in library.exports:
        raise InputError("the module has no `memory` and `_start`, so it is not a program: build it with a main")
    host = _host_functions(library)
    _bound_stack()
    program = library.loaded.native_program(host, memory_max_bytes // _PAGE)
    if not program:
        raise InputError("the machine has no more memory")
    try:
        return NativeProgram(library, program, host)
    except ProgramTrapError as error:
        raise InputError(f"the module cannot be run: {str(error).rpartition('Caused by:')[2].strip()}") from None


def _bound_stack() -> None:
    """A program that recurses without end is to use up its stack, and not the machine's memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft > _STACK_MOST_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES, hard))


# ---- Functions of the host ----

_callbacks: dict[tuple[bytes, bytes], object] = {}  # made once, as in `_callbacks.py`


def _host_functions(library: _Library) -> Any:
    """A table for the library, in the order of its imports."""
    known = functions()
    imports = [one for _, one in _rows(library.loaded.native_imports(), "name")]
    table = (ctypes.c_void_p * (len(imports) + 1))()
    for at, one in enumerate(imports):
        key = (one.module, one.name)
        made = known.get(key)
        name = f"{one.module.decode(errors='replace')}::{one.name.decode(errors='replace')}"
        if made is None:
            raise InputError(f"the module cannot be run: unknown import: `{name}` has not been defined")
        if (one.parameters.decode(), one.results.decode()) != (made.parameters, "i" * made.results):
            raise InputError(f"the module cannot be run: incompatible import type for `{name}`")
        if made.native is not None:
            table[at] = made.native
            continue
        if key not in _callbacks:
            _callbacks[key] = _HostFunction(_callback(one.name.decode(errors="replace"), made))
        table[at] = ctypes.cast(_callbacks[key], ctypes.c_void_p).value  # type: ignore[arg-type]
    return table


def _callback(name: str, made: HostFunction) -> Callable[[Any], int]:
    masks = [_UNSIGNED_32 if kind == "i" else _UNSIGNED_64 for kind in made.parameters]
    has_result = bool(made.results)

    def call(values: Any) -> int:
        try:
            result = made.call(*[values[at] & mask for at, mask in enumerate(masks)])
            if has_result:
                values[0] = result
        except BaseException as error:  # noqa: BLE001 - ctypes would print it and go on as if all were well
            _said.reason = " ".join(f"the host could not do {name}: {type(error).__name__} {error}".split())
            return 1
        return 0

    return call
