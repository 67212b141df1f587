"""Loops that wait for memory to change, which a compiler of C would let wait for ever. Called by `_worker.py`.

In a module every load looks at the memory; that a variable was volatile is not said there, and so not in C either. A
loop that changes nothing ends only if memory changes, so it gets a barrier, behind which loads are not taken out of it.
All other loops stay as they are.
"""

from __future__ import annotations

import re

__all__ = ["with_barriers"]

_LABEL = re.compile(r"^\s*(var_L\d+):\s*$")
_BACK = re.compile(r"\bgoto (var_L\d+);")
# Variables of the function and of the module, calls, stores, inner loops.
_CHANGES = re.compile(
    r"\bvar_[lp]\d+ =|w2c_\w+ =|\w\(instance|CALL_INDIRECT|_store|_rmw|\bmemory_|_table_|grow_memory|var_L\d+:"
)
_LINES_MOST = 100
_BARRIER = '__asm__ volatile("" ::: "memory");'


def with_barriers(source: str) -> str:
    """C as wasm2c has written it, with a barrier in each loop that changes nothing."""
    lines = source.split("\n")
    begun: dict[str, int] = {}
    for number, line in enumerate(lines):
        label = _LABEL.match(line)
        if label:
            begun[label.group(1)] = number
            continue
        back = _BACK.search(line)
        start = begun.get(back.group(1)) if back else None
        if start is None or number - start > _LINES_MOST or lines[start].endswith(_BARRIER):
            continue
        if not any(_CHANGES.search(inside) for inside in lines[start + 1 : number + 1]):
            lines[start] += f" {_BARRIER}"
    return "\n".join(lines)
