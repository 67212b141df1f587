"""Modules as the native tier takes them apart: what they import and export, and a copy that wasm2c can translate.

Called by `_worker.py`. In the copy all names are ours, so that nothing a module says of itself gets into C; memory is
not declared shared, which would make every access slow; and waiting, which wasm2c does not know, is calls of two
functions that `runtime.c` has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ecotone.design.cells.native._code import Cursor, number, replace_waits
from ecotone.design.cells.native._errors import CannotTranslateError

__all__ = ["NOTIFY", "WAIT", "Export", "Import", "Module", "Variable", "read_module", "rewritten"]

_MAGIC = b"\0asm\1\0\0\0"
_CUSTOM, _TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _GLOBAL, _EXPORT = range(8)
_CODE = 10
_LETTERS = {0x7F: "i", 0x7E: "I", 0x7D: "f", 0x7C: "F"}
_FUNCTION_KIND, _TABLE_KIND, _MEMORY_KIND, _GLOBAL_KIND = range(4)
_HAS_MAXIMUM, _SHARED, _IS_64 = 1, 2, 4
_PAGES_MOST = 65536
_TABLES_MOST = 2  # as many as a store of wasmtime gives here
WAIT, NOTIFY = "iiIi", "iii"
"""Parameters of what stands for `memory.atomic.wait32` and `memory.atomic.notify`: the last is the offset."""


class Import(msgspec.Struct, frozen=True):
    """A function that the module imports; types as letters, see `runtime.h`."""

    module: bytes
    name: bytes
    parameters: str
    results: str


class Export(msgspec.Struct, frozen=True):
    """A function that the module exports; `index` among all exports, `function` among all functions."""

    index: int
    function: int
    name: bytes
    parameters: str
    results: str


class Variable(msgspec.Struct, frozen=True):
    """A mutable global that is exported."""

    index: int
    name: bytes
    kind: str


class Module(msgspec.Struct, kw_only=True):
    """What is known of a module.

    Attributes:
        sections: kind, start and end of the content of each.
        types: parameters and results of each; None for letters stands for types that no host function has.
        functions: the type of each function, imported ones first.
        names: of functions, by index, as bytes.
        memory_pages: least and most, of a memory that is imported; else None.
        waits: how many of the two functions for waiting the copy has behind its own, 0 or 2.
    """

    sections: list[tuple[int, int, int]]
    types: list[tuple[str | None, str | None]] = []
    imports: list[Import] = []
    imported_functions: int = 0
    functions: list[int] = []
    globals: list[tuple[str | None, bool]] = []
    exports: list[Export] = []
    variables: list[Variable] = []
    memory_export: int = -1
    memory_pages: tuple[int, int] | None = None
    has_start: bool = False
    names: dict[int, bytes] = {}
    waits: int = 0


def _sections(code: bytes) -> Iterator[tuple[int, int, int]]:
    if not code.startswith(_MAGIC):
        raise CannotTranslateError("this is not a WebAssembly module")
    cursor = Cursor(code, len(_MAGIC))
    while cursor.at < len(code):
        kind, size = cursor.byte(), cursor.number()
        if cursor.at + size > len(code):
            raise CannotTranslateError("the WebAssembly module is cut off")
        yield kind, cursor.at, cursor.at + size
        cursor.at += size


def read_module(code: bytes) -> Module:
    """Reads a module.

    Raises:
        CannotTranslateError: it is not one, or has what the native tier does not.
    """
    try:
        module = Module(sections=list(_sections(code)))
        for kind, start, end in module.sections:
            reader = _READERS.get(kind)
            if reader is not None:
                reader(module, Cursor(code, start), end)
    except IndexError:
        raise CannotTranslateError("the WebAssembly module is damaged") from None
    if module.memory_export < 0 or not any(one.name == b"_start" for one in module.exports):
        raise CannotTranslateError(
            "the module has no `memory` and `_start`, so it is not a program: build it with a main"
        )
    return module


def _value_types(cursor: Cursor) -> str | None:
    letters = [_LETTERS.get(cursor.byte()) for _ in range(cursor.number())]
    return None if None in letters else "".join(filter(None, letters))


def _read_types(module: Module, cursor: Cursor, _end: int) -> None:
    for _ in range(cursor.number()):
        if cursor.byte() != 0x60:
            raise CannotTranslateError("the module has types other than functions")
        module.types.append((_value_types(cursor), _value_types(cursor)))


def _limits(cursor: Cursor) -> tuple[int, int, int]:
    """Flags, least and most."""
    flags, least = cursor.number(), cursor.number()
    return flags, least, cursor.number() if flags & _HAS_MAXIMUM else _PAGES_MOST


def _signature(module: Module, kind: int, what: str) -> tuple[str, str]:
    parameters, results = module.types[kind]
    if parameters is None or results is None or len(results) > 1:
        raise CannotTranslateError(f"the module {what} a function with values that the host does not have")
    return parameters, results


def _read_imports(module: Module, cursor: Cursor, _end: int) -> None:
    for _ in range(cursor.number()):
        space, name, kind = cursor.name(), cursor.name(), cursor.byte()
        if kind == _FUNCTION_KIND:
            of_type = cursor.number()
            module.functions.append(of_type)
            module.imports.append(Import(space, name, *_signature(module, of_type, "imports")))
        elif kind == _MEMORY_KIND and module.memory_pages is None:
            flags, least, most = _limits(cursor)
            if flags & _IS_64 or not flags & _SHARED:
                raise CannotTranslateError("the module imports a memory that is not shared between threads")
            module.memory_pages = least, most
        else:
            raise CannotTranslateError("the module imports what is neither a function nor its memory")
    module.imported_functions = len(module.functions)


def _read_functions(module: Module, cursor: Cursor, _end: int) -> None:
    module.functions += [cursor.number() for _ in range(cursor.number())]


def _read_tables(_module: Module, cursor: Cursor, _end: int) -> None:
    if cursor.number() > _TABLES_MOST:
        raise CannotTranslateError(f"the module has more than {_TABLES_MOST} tables")


def _read_memories(module: Module, cursor: Cursor, _end: int) -> None:
    count = cursor.number()
    if count + (module.memory_pages is not None) > 1:
        raise CannotTranslateError("the module has multiple memories")
    if count and _limits(cursor)[0] & (_SHARED | _IS_64):
        raise CannotTranslateError("the module has a shared memory of its own, or one of 64 bits: build it for wasm32")


def _read_globals(module: Module, cursor: Cursor, _end: int) -> None:
    for _ in range(cursor.number()):
        kind, is_mutable = _LETTERS.get(cursor.byte()), bool(cursor.byte())
        module.globals.append((kind, is_mutable))
        cursor.skip_constant()


def _read_exports(module: Module, cursor: Cursor, _end: int) -> None:
    for index in range(cursor.number()):
        name, kind, of = cursor.name(), cursor.byte(), cursor.number()
        if kind == _FUNCTION_KIND:
            parameters, results = _signature(module, module.functions[of], "exports")
            module.exports.append(Export(index, of, name, parameters, results))
        elif kind == _MEMORY_KIND and name == b"memory":
            module.memory_export = index
        elif kind == _GLOBAL_KIND:
            letter, is_mutable = module.globals[of]
            if is_mutable and letter is not None:
                module.variables.append(Variable(index, name, letter))


def _read_custom(module: Module, cursor: Cursor, end: int) -> None:
    """The section with the names of functions; what is wrong with it is not worth a word."""
    try:
        if cursor.name() != b"name":
            return
        while cursor.at < end:
            kind, size = cursor.byte(), cursor.number()
            behind = cursor.at + size
            if kind == 1 and behind <= end:
                module.names = {cursor.number(): cursor.name() for _ in range(cursor.number())}
            cursor.at = behind
    except IndexError:
        module.names = {}


_READERS = {
    _CUSTOM: _read_custom,
    _TYPE: _read_types,
    _IMPORT: _read_imports,
    _FUNCTION: _read_functions,
    _TABLE: _read_tables,
    _MEMORY: _read_memories,
    _GLOBAL: _read_globals,
    _EXPORT: _read_exports,
}


# ---- The copy ----


def _named(text: str) -> bytes:
    return number(len(text)) + text.encode()


def _section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + number(len(content)) + content


def _new_imports(module: Module, code: bytes, start: int) -> bytes:
    """`m.i0`, `m.i1` and so on; and `m.memory`, which is not shared here."""
    cursor = Cursor(code, start)
    count = cursor.number()
    made = [number(count)]
    functions = 0
    for _ in range(count):
        cursor.name()
        cursor.name()
        if cursor.byte() == _FUNCTION_KIND:
            made.append(_named("m") + _named(f"i{functions}") + bytes([_FUNCTION_KIND]) + number(cursor.number()))
            functions += 1
        else:
            _, least, most = _limits(cursor)
            limits = number(_HAS_MAXIMUM) + number(least) + number(min(most, _PAGES_MOST))
            made.append(_named("m") + _named("memory") + bytes([_MEMORY_KIND]) + limits)
    return b"".join(made)


def _new_exports(code: bytes, start: int) -> bytes:
    """`e0`, `e1` and so on."""
    cursor = Cursor(code, start)
    count = cursor.number()
    made = [number(count)]
    for index in range(count):
        cursor.name()
        made.append(_named(f"e{index}") + bytes([cursor.byte()]) + number(cursor.number()))
    return b"".join(made)


def _appended(code: bytes, start: int, end: int, more: Sequence[bytes]) -> bytes:
    """A list with more items at its end."""
    cursor = Cursor(code, start)
    count = cursor.number()
    return number(count + len(more)) + code[cursor.at : end] + b"".join(more)


def _type(parameters: str) -> bytes:
    codes = {letter: kind for kind, letter in _LETTERS.items()}
    return b"\x60" + number(len(parameters)) + bytes(codes[letter] for letter in parameters) + b"\1\x7f"


_NOTHING = b"\3\0\0\x0b"  # a body that is unreachable: it is never used


def rewritten(module: Module, code: bytes) -> bytes:
    """The copy. Sets `module.waits`.

    Raises:
        CannotTranslateError: it waits for 64 bits at once.
    """
    first = len(module.functions)
    body = next(((start, end) for kind, start, end in module.sections if kind == _CODE), None)
    replaced = None if body is None else replace_waits(code, *body, wait=first, notify=first + 1)
    more: dict[int, list[bytes]] = {}
    if replaced is not None:
        module.waits = 2
        more[_TYPE] = [_type(WAIT), _type(NOTIFY)]
        more[_FUNCTION] = [number(len(module.types)), number(len(module.types) + 1)]
    made = [_MAGIC]
    for kind, start, end in module.sections:
        if kind == _IMPORT:
            content = _new_imports(module, code, start)
        elif kind == _EXPORT:
            content = _new_exports(code, start)
        elif kind == _CODE and replaced is not None:
            content = _appended(replaced, 0, len(replaced), [_NOTHING, _NOTHING])
        elif kind in more:
            content = _appended(code, start, end, more[kind])
        else:
            content = code[start:end]
        if kind != _CUSTOM:
            made.append(_section(kind, content))
    return b"".join(made)
