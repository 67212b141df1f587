"""What an exploration measured, as tables: each run beside what was foreseen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from ecotone.frontends.terminal.style import block, heading, plain_table, widest
from ecotone.frontends.words import NOTHING, count_text, percent_text, size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from ecotone.design.profiling import Explored, ExploredRun

__all__ = ["exploration_view"]

_ROWS_MAX = 40
_DOUBTS = {"busy": "busy machine", "odd": "odd", "drift": "drifted"}


def exploration_view(explored: Sequence[Explored], width: int) -> RenderableType:
    """One part for each variant: its runs, why it ended, what to know, and where everything is."""
    return Group(*(_variant_view(each, width) for each in explored))


def _variant_view(each: Explored, width: int) -> RenderableType:
    title = each.component if each.variant == "default" else f"{each.component} ({each.variant})"
    details = f"{count_text(len(each.runs), 'run')}, {count_text(each.configurations, 'configuration')}"
    table = widest(width - 1, _table(each, wide=True), _table(each, wide=False))
    remarks = [_ending(each)]
    hidden = len(each.runs) - _ROWS_MAX
    if hidden > 0:
        remarks.append(Text(f"the first {hidden} runs are in {each.runs_file}", style="quiet"))
    remarks += [Text(f"cannot be measured: {text}", style="close") for text in each.failures]
    remarks += [Text(text, style="close") for text in each.notes]
    if each.models:
        names = ", ".join(each.models.values())
        remarks.append(Text(f"learnt {names}; ask with: ecotone performance predict", style="quiet"))
    return Group(heading(title, details), block(table), block(*remarks))


def _ending(each: Explored) -> Text:
    error = "unknown" if each.expected_error is None else percent_text(each.expected_error)
    noise = "" if each.noise is None else f"; repeats differ by {percent_text(each.noise)}"
    asked = percent_text(each.accuracy)
    if each.reached == "accuracy":
        return Text(f"accurate to {asked}, as was asked: expected error {error}{noise}", style="kept")
    if each.reached == "budget":
        return Text(
            f"the budget ended before {asked} was reached: expected error {error}{noise}; give more with --budget: "
            "it goes on from here",
            style="close",
        )
    return Text("no configuration is left that can be measured", style="broken")


def _table(each: Explored, *, wide: bool) -> Table:
    table = plain_table()
    table.add_column("run", justify="right", no_wrap=True)
    names = list(each.runs[0].values) if each.runs else []
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("call", "foreseen", *(["90 % interval", "CPU", "memory"] if wide else []), ""):
        table.add_column(name, justify="left" if name in {"", "90 % interval"} else "right", no_wrap=True)
    first = max(0, len(each.runs) - _ROWS_MAX)
    for number, run in enumerate(each.runs[first:], first + 1):
        table.add_row(*_cells(number, run, wide=wide), style="quiet" if run.doubt else None)
    return table


def _cells(number: int, run: ExploredRun, *, wide: bool) -> list[RenderableType]:
    outside = run.low_s is not None and run.high_s is not None and not run.low_s <= run.wall_s <= run.high_s
    interval = NOTHING if run.low_s is None else f"{time_text(run.low_s)} to {time_text(run.high_s)}"
    more = [interval, time_text(run.cpu_s), size_text(run.memory_bytes)] if wide else []
    remark = _DOUBTS.get(run.doubt, "") or ("outside" if outside else "")
    return [
        str(number),
        *(f"{value:g}" for value in run.values.values()),
        time_text(run.wall_s),
        time_text(run.foreseen_s),
        *more,
        remark,
    ]
