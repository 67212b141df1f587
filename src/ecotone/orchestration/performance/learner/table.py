"""Tables of measurements: numbers by column and row, read from CSV and checked before anything is learnt.

Read for `fit` and for `predict`; every mistake of a file is reported at once, with its place.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy

from ecotone.core.errors import InputError
from ecotone.core.problems import Place, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ecotone.orchestration.performance.interface import Floats

__all__ = ["Source", "Table", "read_table", "some", "widened"]

_SHOWN = 3
"""Mistakes of one kind that are named; the rest is counted."""
_CELL_SHOWN = 40
_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "nil", "-", "?"})
_DECIMAL_COMMA = re.compile(r"[+-]?[\d.]*,\d+")
_SEPARATED = "cells are separated by commas, semicolons or tabs"


class Source(NamedTuple):
    """The file that a table was read from, for the places of mistakes and to write it again with more columns."""

    file: str
    text: str
    delimiter: str
    header: tuple[str, ...]
    header_line: int
    lines: numpy.ndarray[tuple[int], numpy.dtype[numpy.int64]]
    """Of each row."""


class Table:
    """Columns of finite numbers, all of the same length, under unique names."""

    def __init__(self, names: Sequence[str], values: Floats, source: Source | None = None) -> None:
        """Args: values: (rows, columns); source: where they are from, if from a file."""
        assert values.shape[1] == len(names)
        self.names = tuple(names)
        self.values = values
        self.source = source

    def __len__(self) -> int:
        return len(self.values)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the columns of the file that were not read."""
        header = () if self.source is None else self.source.header
        return tuple(name for name in header if name and name not in self.names)

    def column(self, name: str) -> Floats:
        """The values of one column. Raises KeyError."""
        try:
            return self.values[:, self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def only(self, names: Iterable[str]) -> Table:
        """The same rows with these columns, in this order. Raises KeyError."""
        chosen = tuple(names)
        columns = [self.column(name) for name in chosen]
        return Table(chosen, numpy.stack(columns, axis=1) if columns else self.values[:, :0], self.source)

    def rows(self, chosen: numpy.ndarray[tuple[int], Any]) -> Table:
        """Some rows, by a mask or by their numbers."""
        source = None if self.source is None else self.source._replace(lines=self.source.lines[chosen])
        return Table(self.names, self.values[chosen], source)

    def place(self, name: str = "", row: int | None = None) -> Place:
        """Where a cell stands; without a row the name of the column, without a name the whole line or file."""
        if self.source is None:
            return Place("the table")
        if row is None and not name:
            return Place(self.source.file)
        line = self.source.header_line if row is None else int(self.source.lines[row])
        at = self.source.header.index(name) if name in self.source.header else 0
        return _place(self.source, line, at)


def read_table(
    path: Path, *, ignore: Sequence[str] = (), columns: Sequence[str] | None = None, optional: Sequence[str] = ()
) -> Table:
    """The numbers in a CSV file with a line of names at its top (comma, semicolon or tab between cells).

    Args:
        path: the file.
        ignore: columns to leave out; they may hold anything.
        columns: read no others; None: all.
        optional: columns to read if they are there; what is no finite number in them becomes NaN.

    Raises:
        InputError: no such file, no rows, names that are missing, empty or there twice, cells that are no finite
            numbers; `problems` holds every mistake with its line and column.
    """
    source, rows = _split(path)
    header = source.header
    problems = _of_names(source, ignore, columns, optional)
    whole = [(line, cells) for line, cells in rows if len(cells) == len(header)]
    problems += _of_lengths(source, [(line, cells) for line, cells in rows if len(cells) != len(header)])
    source = source._replace(lines=numpy.array([line for line, _ in whole], dtype=numpy.int64))
    kept = [at for at, name in enumerate(header) if _is_kept(name, ignore, columns, optional)]
    named: list[int] = []
    values = numpy.empty((len(whole), len(kept)))
    for at in kept:
        cells = [row[at] for _, row in whole]
        if not header[at] and not any(cells):
            continue  # a separator at the end of each line
        column = values[:, len(named)]
        column[:] = [_number(cell) for cell in cells]
        if header[at] not in optional:
            problems += _of_cells(source, at, cells, column)
        named.append(at)
    if not rows:
        problems.append(Problem(place=Place(source.file), code="no-rows", message="no rows under the line of names"))
    if not named and not problems:
        problems.append(Problem(place=Place(source.file), code="no-columns", message="no column is left"))
    _raise(problems)
    return Table([header[at] for at in named], values[:, : len(named)], source)


def some(found: Iterable[Problem], total: int) -> list[Problem]:
    """The first few of mistakes of one kind; the last of these says how many more there are."""
    shown = list(itertools.islice(found, total if total <= _SHOWN + 1 else _SHOWN))
    if len(shown) < total:
        last = shown[-1]
        more = f"and {total - len(shown)} more like these"
        shown[-1] = msgspec.structs.replace(last, hint=f"{last.hint}; {more}" if last.hint else more)
    return shown


def widened(table: Table, columns: Mapping[str, Sequence[str]]) -> str:
    """The file that the table was read from, as CSV with further columns at its right."""
    source = table.source
    assert source is not None
    wanted = {int(line): row for row, line in enumerate(source.lines)}
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=source.delimiter, lineterminator="\n")
    writer.writerow([*source.header, *columns])
    for line, cells in _cells(source.text, source.delimiter):
        if line in wanted and line != source.header_line:
            writer.writerow([*cells, *(values[wanted[line]] for values in columns.values())])
    return stream.getvalue()


def _split(path: Path) -> tuple[Source, list[tuple[int, list[str]]]]:
    """The file and its rows, each with its line."""
    file = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        message = "it is a folder" if path.is_dir() else f"the file cannot be read: {error.strerror or error}"
        raise _error(Place(file), "not-readable", message, "name a CSV file") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _error(Place(file, line, 1), "not-utf-8", "this is not text in UTF-8", "save it as CSV (UTF-8)") from None
    if "\0" in text:
        raise _error(Place(file), "not-utf-8", "this is not text", "save it as CSV (UTF-8)")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [(line, cells) for line, cells in _cells(text, delimiter) if any(cells)]
    except csv.Error as error:
        raise _error(
            Place(file), "not-a-table", f"this is no CSV: {error}", "is a quotation mark not closed?"
        ) from None
    if not rows:
        raise _error(Place(file), "empty-file", "the file is empty", "its first line should name the columns")
    line, header = rows[0]
    return Source(file, text, delimiter, tuple(header), line, numpy.empty(0, dtype=numpy.int64)), rows[1:]


def _cells(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]


def _is_kept(name: str, ignore: Sequence[str], columns: Sequence[str] | None, optional: Sequence[str]) -> bool:
    return name not in ignore and (columns is None or name in columns or name in optional)


def _place(source: Source, line: int, at: int) -> Place:
    """Of the cell number `at` of a line."""
    column, quoted, left = 1, False, at
    for position, sign in enumerate(source.text.split("\n")[line - 1], 1):
        if left == 0:
            break
        if sign == '"':
            quoted = not quoted
        elif sign == source.delimiter and not quoted:
            left -= 1
            column = position + 1
    return Place(source.file, line, column if left == 0 else 1)


def _of_names(
    source: Source, ignore: Sequence[str], columns: Sequence[str] | None, optional: Sequence[str]
) -> list[Problem]:
    header = source.header
    problems: list[Problem] = []

    def add(at: int, code: str, message: str, hint: str) -> None:
        place = _place(source, source.header_line, at)
        problems.append(Problem(place=place, code=code, message=message, hint=hint))

    if all(math.isfinite(_number(name)) for name in header):
        add(0, "no-names", "the first line holds numbers", "it should name the columns")
        return problems
    is_blank = _blank_columns(source)
    for at, name in enumerate(header):
        if not _is_kept(name, ignore, columns, optional):
            continue
        if name and name in header[:at]:
            add(at, "repeated-name", f"{name!r} is the name of column {header.index(name) + 1} already", "rename one")
        elif not name and at not in is_blank:
            add(at, "missing-name", f"column {at + 1} has no name", "name it, or leave it out with --ignore ''")
    for name in (*ignore, *(columns or ())):
        if name not in header:
            add(0, "unknown-column", f"there is no column {name!r}", did_you_mean(name, header))
    return problems


def _of_lengths(source: Source, rows: list[tuple[int, list[str]]]) -> list[Problem]:
    found = (
        Problem(
            place=Place(source.file, line, 1),
            code="row-length",
            message=f"{len(cells)} cell{'' if len(cells) == 1 else 's'} under {len(source.header)} names",
            hint=_SEPARATED,
        )
        for line, cells in rows
    )
    return some(found, len(rows))


def _blank_columns(source: Source) -> set[int]:
    """Columns without a name and without any value."""
    blank = {at for at, name in enumerate(source.header) if not name}
    if blank:
        for line, cells in _cells(source.text, source.delimiter):
            blank -= {at for at in blank if line != source.header_line and at < len(cells) and cells[at]}
    return blank


def _number(cell: str) -> float:
    """NaN for what is none, also for 1_000, which only Python takes for one."""
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


def _of_cells(source: Source, at: int, cells: Sequence[str], values: Floats) -> list[Problem]:
    wrong = numpy.flatnonzero(~numpy.isfinite(values))
    name = source.header[at]
    leave_out = f"leave the column out with --ignore {name!r}"
    if len(source.header) == 1:
        leave_out = f"there is one column; {_SEPARATED}"
    if len(wrong) == len(cells) > 1 and all(not math.isinf(_number(cell)) for cell in cells):
        what = "values" if all(cell.lower() in _MISSING for cell in cells) else "numbers"
        hint = leave_out
        if all(_DECIMAL_COMMA.fullmatch(cell) for cell in cells):
            hint = "write decimals with a point"
        place = _place(source, source.header_line, at)
        return [Problem(place=place, code="no-numbers", message=f"column {name!r} holds no {what} at all", hint=hint)]
    by_code: dict[str, list[tuple[int, str, str]]] = {}
    for row in wrong:
        code, message, hint = _of_cell(cells[int(row)], name)
        by_code.setdefault(code, []).append((int(row), message, hint or leave_out))
    problems: list[Problem] = []
    for code, found in by_code.items():
        named = (
            Problem(place=_place(source, int(source.lines[row]), at), code=code, message=message, hint=hint)
            for row, message, hint in found
        )
        problems += some(named, len(found))
    return problems


def _of_cell(cell: str, name: str) -> tuple[str, str, str]:
    """Code, message and hint for what is no finite number."""
    shown = repr(cell if len(cell) <= _CELL_SHOWN else cell[:_CELL_SHOWN] + "…")
    if cell.lower() in _MISSING:
        found = f"{shown} stands" if cell else "nothing stands"
        return "missing-value", f"{found} in column {name!r}", "leave out the row, or the column with --ignore"
    if math.isinf(_number(cell)):
        return (
            "not-finite",
            f"{shown} in column {name!r} is no finite number",
            "leave out the row, or use a larger unit",
        )
    hint = "write decimals with a point, thousands without a sign" if _DECIMAL_COMMA.fullmatch(cell) else ""
    return "not-a-number", f"{shown} in column {name!r} is not a number", hint


def _error(place: Place, code: str, message: str, hint: str) -> InputError:
    problem = Problem(place=place, code=code, message=message, hint=hint)
    return InputError(str(problem), [problem])


def _raise(problems: Sequence[Problem]) -> None:
    if problems:
        raise InputError("\n".join(str(each) for each in sorted(problems)), problems)
