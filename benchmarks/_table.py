"""How every benchmark prints: a title, the conditions, and a table with medians; shared by the files beside it."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence

__all__ = ["conditions", "median", "show"]


def conditions() -> str:
    """Cores, load and Python, since a figure means nothing without them."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}, Linux {platform.release()}"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table whose columns are as wide as they need."""
    table = [list(map(str, header)), *[list(map(str, row)) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    print(f"\n{title}  ({conditions()})")
    for number, row in enumerate(table):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
