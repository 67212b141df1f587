"""What a WebAssembly module says of itself: its imports and its memory. Called when cells are built and inspected."""

from __future__ import annotations

from ecotone.core.errors import InputError

__all__ = [
    "WASM_MAGIC",
    "WASM_PAGE_BYTES",
    "NumberReader",
    "has_threads",
    "is_object",
    "module_imports",
    "module_memory_bytes",
    "without_debugging",
]

WASM_MAGIC = b"\0asm\1\0\0\0"
WASM_PAGE_BYTES = 65536
_CUSTOM, _IMPORT, _MEMORY = 0, 2, 5
_HAS_MAXIMUM = 1
_IS_SHARED = 2


class NumberReader:
    """The numbers of a module (LEB128), one after the other.

    Attributes:
        at: where the next one begins.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7


class _Reader(NumberReader):
    """Numbers, names and limits."""

    def name(self) -> str:
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at].decode(errors="replace")

    def limits(self) -> tuple[int, bool]:
        """The least, and whether it is a memory that threads share."""
        flags, least = self.number(), self.number()
        if flags & _HAS_MAXIMUM:
            self.number()
        return least, bool(flags & _IS_SHARED)


def _section(module: bytes, wanted: int) -> _Reader | None:
    if not module.startswith(WASM_MAGIC):
        raise InputError("this is not a WebAssembly module")
    reader = _Reader(module, len(WASM_MAGIC))
    while reader.at < len(module):
        kind, size = reader.number(), reader.number()
        if kind == wanted:
            return reader
        reader.at += size
    return None


def is_object(data: bytes) -> bool:
    """Whether this is an object file for cells: a module with a section named `linking`."""
    if not data.startswith(WASM_MAGIC):
        return False
    reader = _Reader(data, len(WASM_MAGIC))
    while reader.at < len(data):
        kind, size = reader.number(), reader.number()
        end = reader.at + size
        if kind == _CUSTOM and reader.name() == "linking":
            return True
        reader.at = end
    return False


def module_imports(module: bytes) -> tuple[str, ...]:
    """What a module imports, as `module.name`, in its order.

    Raises:
        InputError: this is not a module.
    """
    try:
        reader = _section(module, _IMPORT)
        return () if reader is None else tuple(name for name, _ in _imports(reader))
    except IndexError:
        raise InputError("the WebAssembly module is cut off") from None


def has_threads(module: bytes) -> bool:
    """Whether a module's memory is one that threads share.

    Raises:
        InputError: this is not a module.
    """
    try:
        memory = _imported_memory(module)
        return memory is not None and memory[1]
    except IndexError:
        raise InputError("the WebAssembly module is cut off") from None


def _imported_memory(module: bytes) -> tuple[int, bool] | None:
    reader = _section(module, _IMPORT)
    found = [] if reader is None else [memory for _, memory in _imports(reader) if memory is not None]
    return found[0] if found else None


def _imports(reader: _Reader) -> list[tuple[str, tuple[int, bool] | None]]:
    """Names, and of a memory its limits."""
    found: list[tuple[str, tuple[int, bool] | None]] = []
    for _ in range(reader.number()):
        name, memory = f"{reader.name()}.{reader.name()}", None
        kind = reader.number()
        if kind == 0:  # a function, by its type
            reader.number()
        elif kind == 1:  # a table: type of its elements, then its limits
            reader.number()
            reader.limits()
        elif kind == 2:
            memory = reader.limits()
        else:  # a global or a tag: two numbers
            reader.number()
            reader.number()
        found.append((name, memory))
    return found


def module_memory_bytes(module: bytes) -> int:
    """What a module's memory has when it starts; 0 if it has none.

    Raises:
        InputError: this is not a module.
    """
    try:
        reader = _section(module, _MEMORY)
        if reader is not None and reader.number():
            return reader.limits()[0] * WASM_PAGE_BYTES
        imported = _imported_memory(module)
        return imported[0] * WASM_PAGE_BYTES if imported else 0
    except IndexError:
        raise InputError("the WebAssembly module is cut off") from None


def without_debugging(module: bytes) -> bytes:
    """A module without its debugging information; names of functions stay."""
    parts = [WASM_MAGIC]
    reader = _Reader(module, len(WASM_MAGIC))
    while reader.at < len(module):
        start = reader.at
        kind, size = reader.number(), reader.number()
        end = reader.at + size
        if kind != _CUSTOM or not reader.name().startswith(".debug"):
            parts.append(module[start:end])
        reader.at = end
    return b"".join(parts)
