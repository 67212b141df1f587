"""The file of an exploration's runs: a CSV, one line a run, written at once; also fit for `ecotone performance fit`.

Called by `explore`. Lines that were measured for other code, on another machine or in another way do not count; when
the first run of today is written, the file of before is kept beside it as `NAME.old.csv`.
"""

from __future__ import annotations

import csv
import hashlib
import io
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import InputError
from ecotone.design.profiling._score import machine_name
from ecotone.infrastructure.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["MODEL_FILES", "TARGETS", "Run", "RunsFile", "exploration_key"]

TARGETS = ("wall_s", "cpu_s", "memory_bytes", "output_bytes")
MODEL_FILES = {"wall_s": "", "cpu_s": ".cpu", "memory_bytes": ".memory", "output_bytes": ".outputs"}
"""What follows the variant's name in the file of each target's model."""
_METHOD = "medians of calls as far apart as in a run, on chosen cores"
_REST = ("others", "calls", "key")


def exploration_key(variant_key: str) -> str:
    """What runs are kept under: the code (without what is varied), this machine, and how is measured."""
    return hashlib.sha256(f"{variant_key} {machine_name()} {_METHOD}".encode()).hexdigest()[:16]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker run gave: of the configuration with these values by axis, medians of `calls` calls, the peak of
    memory, the mean size of an output (0: there was none), and the share of the machine that others used meanwhile."""

    values: dict[str, float]
    wall_s: float
    cpu_s: float
    memory_bytes: float
    output_bytes: float
    calls: int
    others: float


class RunsFile:
    """Appends runs under one key."""

    def __init__(self, path: Path, names: Sequence[str], key: str) -> None:
        """Args: names: of the axes; key: of the code, machine and way that is measured today."""
        self._path = path
        self._names = tuple(names)
        self._key = key
        self._header = (*names, *TARGETS, *_REST)
        self._is_todays = False

    def read(self) -> list[Run]:
        """The runs that count, in their order; a last line that was cut off by an interruption does not.

        Raises:
            InputError: the file cannot be read.
        """
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self._path}: cannot be read: {error}; delete it, and profiling starts anew") from None
        rows = list(csv.reader(io.StringIO(text)))
        if not rows or tuple(rows[0]) != self._header:
            return []
        runs = [run for row in rows[1:] if (run := self._run(row)) is not None]
        self._is_todays = len(runs) == len(rows) - 1 and text.endswith("\n")
        if runs and not self._is_todays:
            self._write(runs)
        return runs

    def append(self, run: Run) -> None:
        """Keep a run, before anything else happens. Raises OSError."""
        if not self._is_todays:
            if self._path.exists():
                self._path.replace(self._path.with_suffix(".old.csv"))
            self._write([run])
            return
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(self._row(run))

    def _write(self, runs: Sequence[Run]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self._header)
        writer.writerows(self._row(run) for run in runs)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._path, text.getvalue().encode())
        self._is_todays = True

    def _row(self, run: Run) -> list[str]:
        figures = (run.wall_s, run.cpu_s, run.memory_bytes, run.output_bytes)
        values = [f"{run.values[name]:.10g}" for name in self._names]
        return [*values, *(f"{each:.6g}" for each in figures), f"{run.others:.3f}", str(run.calls), self._key]

    def _run(self, row: Sequence[str]) -> Run | None:
        if len(row) != len(self._header) or row[-1] != self._key:
            return None
        cells = dict(zip(self._header, row, strict=True))
        try:
            return Run(
                values={name: float(cells[name]) for name in self._names},
                wall_s=float(cells["wall_s"]),
                cpu_s=float(cells["cpu_s"]),
                memory_bytes=float(cells["memory_bytes"]),
                output_bytes=float(cells["output_bytes"]),
                calls=int(cells["calls"]),
                others=float(cells["others"]),
            )
        except ValueError:
            return None
