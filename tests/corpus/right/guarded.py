"""Statements that a module has besides its annotations."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ecotone import component, output_dir, path

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import tomllib as toml
except ImportError:
    toml = None

if sys.version_info >= (3, 12):
    NEW = True
else:
    NEW = False

TABLE = {"a": [1, 2], "b": ("x", None)}
TABLE["c"] = [3]
total = 0
for number in range(3):
    total += number


def helper(path):
    """A local name may be the same as one of ours."""
    path("not a promise")
    return path


@component(every="1 s")
def tick() -> Iterator[int]:
    yield from range(total)


@component(on=tick)
def store(number: int) -> None:
    (output_dir() / "number.txt").write_text(str(number))


def later(number: int) -> int:
    return number


path(tick, store, latency="1 min")

if __name__ == "__main__":
    later = tick
    print(helper(print))
