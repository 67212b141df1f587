"""The stack of a trap in native code, as wasmtime would write it. Called by `_native.py`."""

from __future__ import annotations

import ctypes
import re
import struct
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

__all__ = ["Symbols", "backtrace_text", "symbols_of"]

_INNER, _OUTER = 20, 3  # frames that are told, of those that are deeper
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOLS = 2
_FUNCTION = 2
_OURS = re.compile(rb"w2c_cell_(?:f(\d+)|e(\d+)(?:_0)?)$")  # of a function that is exported there may be two


class Symbols:
    """The functions of a library, by address in this process.

    Args:
        symbols: of `symbols_of`.
        known: a function of it, as loaded.
        names: how many functions the module has, their names, and names by number of export; a zero behind each.
    """

    def __init__(self, symbols: Sequence[tuple[bytes, bytes]], known: Any, names: bytes) -> None:
        count, *self._names = names.split(b"\0")
        self.count = int(count or b"0")
        found = _functions(symbols)
        by_name = {name: start for start, _, name in found}
        self._base = (ctypes.cast(known, ctypes.c_void_p).value or 0) - by_name[b"native_version"]
        self._found = sorted(found)
        self._starts = [start for start, _, _ in self._found]

    def name(self, address: int) -> tuple[str, int] | None:
        """Name and index of the module's function at an address, exports behind `count`; None if it is none."""
        at = bisect_right(self._starts, address - self._base) - 1
        if at < 0:
            return None
        start, size, symbol = self._found[at]
        match = _OURS.match(symbol)
        if match is None or address - self._base >= start + size:
            return None
        function, export = match.groups()
        index = int(function) if function else self.count + int(export)
        name = self._names[index] if index < len(self._names) else b""
        return name.decode(errors="replace") or "<unknown>", index


def symbols_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Tables of symbols of an ELF file of 64 bits, each with their names."""
    place, width, count = struct.unpack_from("<Q", data, 0x28)[0], *struct.unpack_from("<HH", data, 0x3A)
    sections = [_SECTION.unpack_from(data, place + index * width) for index in range(count)]
    return [
        (data[section[4] : section[4] + section[5]], data[names[4] : names[4] + names[5]])
        for section, names in ((section, sections[section[6]]) for section in sections if section[1] == _SYMBOLS)
    ]


def _functions(symbols: Sequence[tuple[bytes, bytes]]) -> list[tuple[int, int, bytes]]:
    """Start, size and name of each function."""
    return [
        (value, size, names[name : names.index(b"\0", name)])
        for table, names in symbols
        for name, info, _, _, value, size in _SYMBOL.iter_unpack(table)
        if info & 15 == _FUNCTION and value
    ]


def backtrace_text(symbols: Symbols, report: Any) -> str:
    """The frames of a report as lines, the innermost first; of a deep stack some, and how many more there are."""
    frames = int(report.frames)
    inner = list(report.inner[: min(frames, len(report.inner))])
    left = max(0, frames - len(inner))
    lines = _lines(symbols, inner)
    if left:
        known = range(max(len(inner), frames - len(report.outer)), frames)
        outer = _lines(symbols, [report.outer[number % len(report.outer)] for number in known])[-_OUTER:]
        gap = left + len(lines) - len(lines[:_INNER]) - len(outer)
        lines = [*lines[:_INNER], *([f"0x0 - ... {gap} more"] if gap > 0 else []), *outer]
    numbered = [f"{number:>5}: {line}" for number, line in enumerate(lines)]
    return "\n".join(["error while executing at wasm backtrace:", *numbered])


def _lines(symbols: Symbols, addresses: list[int]) -> list[str]:
    """What lies in functions of the module; addresses are those to which is returned, so just behind a call."""
    lines: list[str] = []
    before: tuple[str, int] | None = None
    for address in addresses:
        found = symbols.name(address - 1)
        if found is not None and (found != before or found[1] < symbols.count):
            lines.append(f"{address:#x} - cell!{found[0]}")
        before = found
    return lines
