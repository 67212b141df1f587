"""What the benchmark says while it goes on, and what its processes say to each other: one JSON document a line."""

from __future__ import annotations

from typing import Protocol

import msgspec

__all__ = ["SEVERAL_THREADS", "UNITS", "Progress", "Ready", "Repeat"]

UNITS = {
    "python": "steps/s",
    "objects": "objects/s",
    "arrays": "calls/s",
    "memory": "B/s",
    "matmul": "flop/s",
    "half": "values/s",
    "convolution": "flop/s",
    "int8": "op/s",
    "hash": "B/s",
    "codec": "B/s",
    "system": "calls/s",
    "disk_write": "B/s",
    "disk_read": "B/s",
}
"""The kinds of work, in the order in which they are shown."""
SEVERAL_THREADS = ("memory", "matmul", "convolution", "hash")
"""Kinds of work that are also done on several threads."""


class Progress(Protocol):
    """Called after each repeat, from the thread that called `calibrate`."""

    def __call__(self, kind: str, fraction: float, message: str) -> None:
        """`fraction` of the benchmark that is done (0 to 1, never falling); `message` for a person."""
        ...


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """A worker can start: the unit of each kind of work that this machine can do."""

    units: dict[str, str]


class Repeat(msgspec.Struct, frozen=True, kw_only=True, tag="repeat"):
    """One repeat: `amount` of work took `took_s`, without the `waited_s` that its thread was ready but had no core."""

    kind: str
    amount: float
    took_s: float
    waited_s: float
