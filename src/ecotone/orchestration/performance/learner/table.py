"""Tables of measurements: numbers by column and row, read from CSV and checked before anything is learnt.

Read for `fit` and for `predict`; every mistake of a file is reported at once.
"""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

import numpy

from ecotone.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ecotone.orchestration.performance.interface import Floats

__all__ = ["Table", "read_table"]

_SHOWN = 3
"""Mistakes of one kind that are named; the rest is counted."""


class Table:
    """Columns of finite numbers, all of the same length, under unique names."""

    def __init__(self, names: Sequence[str], values: Floats) -> None:
        """Args: values: (rows, columns)."""
        assert values.shape[1] == len(names)
        self.names = tuple(names)
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> Floats:
        """The values of one column. Raises KeyError."""
        try:
            return self.values[:, self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def only(self, names: Iterable[str]) -> Table:
        """The same rows with these columns, in this order. Raises KeyError."""
        chosen = tuple(names)
        return Table(chosen, numpy.stack([self.column(name) for name in chosen], axis=1))

    def rows(self, chosen: object) -> Table:
        """Some rows, by a mask or by their numbers."""
        return Table(self.names, self.values[chosen])


def read_table(path: Path, *, ignore: Sequence[str] = (), columns: Sequence[str] | None = None) -> Table:
    """The numbers in a CSV file with a line of names at its top (comma, semicolon or tab between cells).

    Args:
        path: the file.
        ignore: columns to leave out; they may hold anything.
        columns: read no others; None: all.

    Raises:
        InputError: no such file, no rows, names that are missing, empty or there twice, cells that are no finite
            numbers; the message lists every mistake with its line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file in UTF-8; save it as CSV") from None
    lines = [(number, row) for number, row in _rows(text) if any(cell.strip() for cell in row)]
    if not lines:
        raise InputError(f"{path}: is empty; its first line should name the columns")
    header = [cell.strip() for cell in lines[0][1]]
    problems = _of_names(header, ignore, columns)
    kept = [place for place, name in enumerate(header) if name not in ignore and (columns is None or name in columns)]
    values, of_cells = _numbers(header, lines[1:], kept)
    problems += of_cells
    if len(lines) == 1:
        problems.append("no rows under the line of names")
    if not kept and not problems:
        problems.append("no column is left")
    if problems:
        raise InputError("\n".join(f"{path}: {problem}" for problem in problems))
    return Table([header[place] for place in kept], values)


def _rows(text: str) -> list[tuple[int, list[str]]]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    return [(reader.line_num, row) for row in reader]


def _of_names(header: list[str], ignore: Sequence[str], columns: Sequence[str] | None) -> list[str]:
    problems: list[str] = []
    for place, name in enumerate(header):
        if not name:
            problems.append(f"column {place + 1} has no name")
        elif name in header[:place]:
            problems.append(f"the name {name!r} stands at columns {header.index(name) + 1} and {place + 1}; rename one")
    if header and all(_is_number(name) for name in header):
        problems.append("the first line holds numbers; it should name the columns")
    for name in (*ignore, *(columns or ())):
        if name not in header:
            problems.append(f"no column {name!r}; there are: {', '.join(header)}")
    return problems


def _numbers(header: list[str], lines: list[tuple[int, list[str]]], kept: list[int]) -> tuple[Floats, list[str]]:
    values = numpy.full((len(lines), len(kept)), math.nan)
    lengths: list[str] = []
    bad: dict[int, list[str]] = {}
    text_only = set(kept)
    for row, (number, cells) in enumerate(lines):
        if len(cells) != len(header):
            lengths.append(f"line {number}: {len(cells)} cells under {len(header)} names")
            continue
        for index, place in enumerate(kept):
            cell = cells[place].strip()
            try:
                value = float(cell)
                text_only.discard(place)
            except ValueError:
                value = math.nan
            if math.isfinite(value):
                values[row, index] = value
            else:
                shown = "is empty" if not cell else f"holds {cell!r}, not a finite number"
                bad.setdefault(place, []).append(f"line {number}, column {header[place]!r} {shown}")
    problems = _some(lengths)
    for place, found in bad.items():
        if place in text_only and len(found) > 1:
            name = header[place]
            problems.append(f"column {name!r} holds no numbers at all; leave it out with --ignore {name!r}")
        else:
            problems += _some(found)
    return values, problems


def _some(found: list[str]) -> list[str]:
    left = len(found) - _SHOWN
    return found if left <= 1 else [*found[:_SHOWN], f"and {left} more like these"]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
