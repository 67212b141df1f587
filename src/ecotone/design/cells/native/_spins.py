"""Loops that wait for memory to change, which a compiler of C would let wait for ever. Called by `_worker.py`.

In a module every load looks at the memory; that a variable was volatile is not said there, and so not in C either. A
loop waits if one of its conditions depends on what is loaded from an address that stays the same, or on what a function
has found there. Such a loop gets a barrier, behind which loads are not taken out of it. All other loops stay as they
are: those that calculate go over memory, and count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["with_barriers"]

_LABEL = re.compile(r"^\s*(var_L\d+):\s*$")
_BACK = re.compile(r"\bgoto (var_L\d+);")
_NAME = re.compile(r"\bvar_[a-z]+\d+\b|\binstance->w2c_\w+")
_ASSIGNMENT = re.compile(r"^\s*(var_[a-z]+\d+|instance->w2c_\w+) (\S*)= (.*);\s*$")
_CONDITION = re.compile(r"^\s*(?:if|switch) \(")
_CALL = re.compile(r"\bw2c_\w+\(|\bCALL_INDIRECT\(")
_ATOMIC = re.compile(r"_atomic_")  # its order is kept by the compiler of C
_LOAD = re.compile(r"_load\w*\(")
_LINES_MOST = 1000  # a longer loop is not looked at: a barrier costs it nothing
_PASSES_MOST = 8
_BARRIER = '__asm__ volatile("" ::: "memory");'


class _Step(NamedTuple):
    """What a line does: `target` is empty if it is a condition."""

    target: str
    names: Sequence[str]
    is_load: bool
    is_call: bool
    is_atomic: bool
    is_copy: bool


class _Value(NamedTuple):
    """What a variable holds: whether it moves from turn to turn, depends on what is waited for, is that of another."""

    moves: bool
    waits: bool
    copy_of: str


def with_barriers(source: str) -> str:
    """C as wasm2c has written it, with a barrier in each loop that may wait for memory."""
    lines = source.split("\n")
    for start, end in _loops(lines):
        if end - start > _LINES_MOST or _waits([step for line in lines[start + 1 : end + 1] if (step := _step(line))]):
            lines[start] += f" {_BARRIER}"
    return "\n".join(lines)


def _loops(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """First and last line of each; names of labels come again in each function."""
    begun: dict[str, int] = {}
    ends: dict[int, int] = {}
    for number, line in enumerate(lines):
        if label := _LABEL.match(line):
            begun[label.group(1)] = number
        elif (back := _BACK.search(line)) and back.group(1) in begun:
            ends[begun[back.group(1)]] = number
    yield from ends.items()


def _step(line: str) -> _Step | None:
    if _CONDITION.match(line):
        return _Step("", _NAME.findall(line), False, bool(_CALL.search(line)), False, False)
    found = _ASSIGNMENT.match(line)
    if found is None:
        return None
    target, operation, value = found.groups()
    names = _NAME.findall(value)
    return _Step(
        target,
        [*names, target] if operation else names,
        _LOAD.search(value) is not None,
        _CALL.search(value) is not None,
        _ATOMIC.search(value) is not None,
        not operation and names == [value],
    )


def _waits(steps: Sequence[_Step]) -> bool:
    """Whether a condition of a loop depends on a load whose address stays the same, or on a call."""
    if not any(step.is_load or step.is_call for step in steps):
        return False
    at_start = {step.target: _Value(True, False, step.target) for step in steps if step.target}
    for _ in range(_PASSES_MOST):
        values = dict(at_start)
        for step in steps:
            value = _value(step, values)
            if not step.target:
                if value.waits:
                    return True
            elif value.copy_of != step.target:
                values[step.target] = value
        at_end = {
            name: _Value(values[name].moves, values[name].waits or before.waits, name)
            for name, before in at_start.items()
        }
        if at_end == at_start:
            return False
        at_start = at_end
    return True


def _value(step: _Step, values: dict[str, _Value]) -> _Value:
    used = [values[name] for name in step.names if name in values]
    moves, waits = any(value.moves for value in used), any(value.waits for value in used)
    if step.is_copy:
        return used[0] if used else _Value(False, False, step.names[0])
    if step.is_call:
        return _Value(True, True, "")
    if step.is_atomic:
        return _Value(True, waits, "")
    return _Value(moves, waits or (step.is_load and not moves), "")
