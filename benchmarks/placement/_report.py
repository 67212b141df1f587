"""What a part answers: a table, and claims beside what was measured; printed, and written as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from benchmarks._table import conditions, median, show

__all__ = ["Claim", "Report", "middle", "print_report", "share", "worst", "write_json"]

Cell = str | int | float | None


class Claim(NamedTuple):
    """`kept` None: nobody promised it, or nothing was there to measure."""

    text: str
    measured: str
    kept: bool | None = None


class Report(NamedTuple):
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    claims: Sequence[Claim]


def middle(values: Sequence[float]) -> float:
    """The median, not a number of nothing."""
    return median(values) if values else math.nan


def worst(values: Sequence[float]) -> float:
    return max(values, default=math.nan)


def share(holds: Sequence[bool]) -> float:
    return sum(holds) / len(holds) if holds else math.nan


def print_report(report: Report) -> None:
    show(report.title, report.header, [[_text(cell) for cell in row] for row in report.rows])
    words = {True: "kept", False: "not kept", None: "-"}
    show("Claims", ("claim", "measured", ""), [(each.text, each.measured, words[each.kept]) for each in report.claims])


def write_json(file: Path, reports: Sequence[Report]) -> None:
    parts = [
        {
            "title": report.title,
            "rows": [dict(zip(report.header, row, strict=True)) for row in report.rows],
            "claims": [each._asdict() for each in report.claims],
        }
        for report in reports
    ]
    text = msgspec.json.encode({"conditions": conditions(), "parts": parts})
    file.write_bytes(msgspec.json.format(text, indent=2))


def _text(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    return (
        f"{cell:.3g}"
        if isinstance(cell, float) and abs(cell) < 100
        else f"{cell:.0f}"
        if isinstance(cell, float)
        else str(cell)
    )
