"""How fast a machine is, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from ecotone.frontends.terminal.style import block, heading, plain_table
from ecotone.frontends.words import NOTHING, count_text, percent_text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType
    from rich.table import Table

    from ecotone.core.calibration import Calibration

__all__ = ["calibration_view"]

_WORDS = {
    "python": "interpreted Python",
    "objects": "making objects",
    "arrays": "numpy, small arrays",
    "memory": "copying memory",
    "matmul": "matrix product, float32",
    "half": "arithmetic, float16",
    "convolution": "convolution, float32",
    "int8": "matrix product, int8",
    "hash": "SHA-256",
    "codec": "deflate and back",
    "system": "system calls",
    "disk_write": "writing to disk",
    "disk_read": "reading from disk",
}
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def calibration_view(calibration: Calibration, width: int, *, written: Path | None = None) -> RenderableType:
    """Every rate with its spread and what threads add, then what makes them doubtful."""
    title = heading("calibration", f"{calibration.machine}, {calibration.took_s:.0f} s, {calibration.taken_at[:16]}")
    remarks = [Text(f"not reliable: {note}", style="close") for note in calibration.notes]
    if not remarks:
        remarks = [Text("the machine was quiet and steady", style="kept")]
    if written is not None:
        remarks.append(Text(f"wrote {written}: name it as `calibration` of a node type", style="quiet"))
    return Group(title, block(_table(calibration)), block(*remarks))


def _table(calibration: Calibration) -> Table:
    table = plain_table()
    table.add_column("work", style="name", no_wrap=True)
    table.add_column("rate", justify="right", no_wrap=True)
    table.add_column("spread", justify="right", no_wrap=True)
    table.add_column("repeats", justify="right", no_wrap=True)
    for each in calibration.scaling:
        table.add_column(count_text(each.threads, "thread"), justify="right", no_wrap=True)
    for kind, rate in calibration.rates.items():
        speedups = [each.speedups.get(kind) for each in calibration.scaling]
        table.add_row(
            _WORDS.get(kind, kind),
            _rate_text(rate.value, rate.unit),
            f"±{percent_text(rate.spread)}",
            str(rate.repeats),
            *(NOTHING if each is None else f"x {each:.2f}" for each in speedups),
        )
    return table


def _rate_text(value: float, unit: str) -> str:
    factor, prefix = next((each for each in _PREFIXES if value >= each[0]), (1.0, ""))
    gap = "" if unit in {"B/s", "flop/s", "op/s"} else " "
    return f"{value / factor:.3g} {prefix}{gap}{unit}"
