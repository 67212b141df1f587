"""Reads the numbers and the instructions of a module, and replaces those for waiting. Called by `_module.py`."""

from __future__ import annotations

from collections.abc import Iterator

from ecotone.design.cells.native._errors import CannotTranslateError
from ecotone.execution.cells.building import NumberReader

__all__ = ["Cursor", "number", "replace_waits"]

_CALL, _I32_CONST = b"\x10", b"\x41"
_NOTIFY, _WAIT_32, _WAIT_64, _FENCE = range(4)
_OTHER_MEMORY = 64  # in the alignment of an access: it names its memory
_END = 0x0B


class Cursor(NumberReader):
    """Numbers, bytes, names and constants; at the end of the module it raises an IndexError."""

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def name(self) -> bytes:
        size = self.number()
        self.at += size
        if self.at > len(self.data):
            raise IndexError
        return self.data[self.at - size : self.at]

    def skip_constant(self) -> None:
        """The expression that a global begins with."""
        depth_end = False
        while not depth_end:
            opcode = self.byte()
            depth_end = opcode == _END
            _skip(self, opcode)


def number(value: int) -> bytes:
    """A number without sign, as modules have it."""
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


def _signed_32(value: int) -> bytes:
    """The number, taken as one of 32 bits with a sign."""
    value = value - (1 << 32) if value >> 31 else value
    made = bytearray()
    while not -64 <= value < 64:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value & 127)
    return bytes(made)


# What follows the instruction: so many numbers (a letter each), a memory access `m`, or bytes.
_LAYOUTS: dict[int, str] = {
    **dict.fromkeys((0x02, 0x03, 0x04, 0x0C, 0x0D, 0x10, 0x12, 0x3F, 0x40, 0x41, 0x42, 0xD0, 0xD2), "n"),
    **dict.fromkeys(range(0x20, 0x27), "n"),
    **dict.fromkeys((0x11, 0x13), "nn"),
    **dict.fromkeys(range(0x28, 0x3F), "m"),
    **dict.fromkeys((0x00, 0x01, 0x05, 0x0B, 0x0F, 0x1A, 0x1B, 0xD1, *range(0x45, 0xC5)), ""),
    0x43: "4",
    0x44: "8",
    0x0E: "v",
    0x1C: "w",
}
_BULK = {
    **dict.fromkeys(range(8), ""),
    **dict.fromkeys((8, 10, 12, 14), "nn"),
    **dict.fromkeys((9, 11, 13, 15, 16, 17), "n"),
}
_VECTOR = {
    **dict.fromkeys((*range(12), 92, 93), "m"),
    **dict.fromkeys((12, 13), "88"),
    **dict.fromkeys(range(21, 35), "1"),
    **dict.fromkeys(range(84, 92), "m1"),
}
_VECTOR_MOST = 0x113  # the last of relaxed SIMD
_ATOMIC_MOST = 0x4E


def _layout(cursor: Cursor, opcode: int) -> str | None:
    if opcode == 0xFC:
        return _BULK.get(cursor.number())
    if opcode == 0xFD:
        of = cursor.number()
        return _VECTOR.get(of, "" if of <= _VECTOR_MOST else None)
    if opcode == 0xFE:
        of = cursor.number()
        return None if of > _ATOMIC_MOST else "1" if of == _FENCE else "m"
    return _LAYOUTS.get(opcode)


def _skip(cursor: Cursor, opcode: int) -> None:
    layout = _layout(cursor, opcode)
    if layout is None:
        raise CannotTranslateError(f"the module has an instruction ({opcode:#x}) that the native tier does not know")
    for part in layout:
        if part == "n":
            cursor.number()  # one with a sign has as many bytes
        elif part == "m":
            if cursor.number() >= _OTHER_MEMORY:
                raise CannotTranslateError("the module has multiple memories")
            cursor.number()
        elif part in "vw":
            for _ in range(cursor.number() + (part == "v")):
                cursor.number()
        else:
            cursor.at += int(part)


def _bodies(code: bytes, start: int) -> Iterator[tuple[int, int]]:
    cursor = Cursor(code, start)
    for _ in range(cursor.number()):
        size = cursor.number()
        yield cursor.at, cursor.at + size
        cursor.at += size


def _may_wait(code: bytes, start: int, end: int) -> bool:
    return any(code.find(bytes((0xFE, of)), start, end) >= 0 for of in (_NOTIFY, _WAIT_32, _WAIT_64))


def replace_waits(code: bytes, start: int, end: int, *, wait: int, notify: int) -> bytes | None:
    """The section of code with calls in place of `memory.atomic.wait32` and `memory.atomic.notify`.

    Args:
        code: the module.
        start: of the section's content.
        end: of it.
        wait: index of the function that is called with what the instruction gets, and its offset.
        notify: index of the other one.

    Returns:
        None if there are no such instructions.

    Raises:
        CannotTranslateError: there is `memory.atomic.wait64`, or what is not an instruction.
        IndexError: the section is cut off.
    """
    if not _may_wait(code, start, end):
        return None
    cursor = Cursor(code, start)
    made, found = [number(cursor.number())], False
    for first, behind in _bodies(code, start):
        body = code[first:behind]
        if _may_wait(body, 0, len(body)):
            changed = _without_waits(body, {_WAIT_32: wait, _NOTIFY: notify})
            found |= changed != body
            body = changed
        made += [number(len(body)), body]
    return b"".join(made) if found else None


def _without_waits(body: bytes, functions: dict[int, int]) -> bytes:
    cursor = Cursor(body)
    for _ in range(cursor.number()):  # groups of local variables
        cursor.number()
        cursor.number()
    made, kept = [], 0
    while cursor.at < len(body):
        start = cursor.at
        opcode = cursor.byte()
        if opcode == 0xFE and (of := Cursor(body, cursor.at).number()) in (_NOTIFY, _WAIT_32, _WAIT_64):
            if of == _WAIT_64:
                raise CannotTranslateError("the module waits for 64 bits at once, which the native tier cannot")
            cursor.number()
            cursor.number()
            offset = cursor.number()
            call = _I32_CONST + _signed_32(offset) + _CALL + number(functions[of])
            made += [body[kept:start], call]
            kept = cursor.at
        else:
            _skip(cursor, opcode)
    return b"".join([*made, body[kept:]])
