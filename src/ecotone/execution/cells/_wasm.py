"""What a WebAssembly module says of itself: its imports and its memory. Called when cells are built and inspected."""

from __future__ import annotations

from ecotone.core.errors import InputError

__all__ = ["WASM_MAGIC", "WASM_PAGE_BYTES", "is_object", "module_imports", "module_memory_bytes", "without_debugging"]

WASM_MAGIC = b"\0asm\1\0\0\0"
WASM_PAGE_BYTES = 65536
_CUSTOM, _IMPORT, _MEMORY = 0, 2, 5
_HAS_MAXIMUM = 1


class _Reader:
    """Numbers and names, one after the other."""

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

    def name(self) -> str:
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at].decode(errors="replace")

    def limits(self) -> int:
        flags, least = self.number(), self.number()
        if flags & _HAS_MAXIMUM:
            self.number()
        return least


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
        return () if reader is None else tuple(_imports(reader))
    except IndexError:
        raise InputError("the WebAssembly module is cut off") from None


def _imports(reader: _Reader) -> list[str]:
    found: list[str] = []
    for _ in range(reader.number()):
        found.append(f"{reader.name()}.{reader.name()}")
        kind = reader.number()
        if kind == 0:  # a function, by its type
            reader.number()
        elif kind == 1:  # a table: type of its elements, then its limits
            reader.number()
            reader.limits()
        elif kind == 2:
            reader.limits()
        else:  # a global or a tag: two numbers
            reader.number()
            reader.number()
    return found


def module_memory_bytes(module: bytes) -> int:
    """What a module's memory has when it starts; 0 if it has none of its own.

    Raises:
        InputError: this is not a module.
    """
    try:
        reader = _section(module, _MEMORY)
        return reader.limits() * WASM_PAGE_BYTES if reader is not None and reader.number() else 0
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
