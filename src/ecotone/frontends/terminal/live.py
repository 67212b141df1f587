"""The view of a run that goes on: components, paths, nodes and events on one screen, whatever its size.

`live_view` makes one picture from one report. Called four times a second by `cli.watching`, in its own thread, while
the run needs the machine: so lines are put together here, and rich has nothing to lay out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from ecotone.frontends.terminal.style import budget_bar, promise_text
from ecotone.frontends.words import (
    arrows,
    bar_text,
    elapsed_text,
    money_text,
    percent_text,
    percentile_text,
    promises_in_words,
    rate_text,
    since_start_s,
    spark_text,
    time_text,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ecotone.core.messages import Event
    from ecotone.core.report import ComponentReport, PathReport, RunReport

__all__ = ["event_text", "live_view"]

_EVENTS_MAX = 8
_NAME_MAX = 24
_GAP = 2


def live_view(
    report: RunReport, width: int, height: int, for_s: float | None = None, *, stopping: bool = False
) -> RenderableType:
    """One picture of at most `width` x `height` cells; events are the first to give way where there is little room."""
    lines = _header(report, for_s, width)
    lines += [Text(), *_components(report, width)]
    for path in report.paths:
        lines += [Text(), *_path(path, width)]
    if report.nodes:
        lines += [Text(), *_nodes(report, width)]
    words, style = "Ctrl-C ends the run and writes its report; a second one kills it", "quiet"
    if stopping:
        words, style = "stopping: what was accepted is finished first; Ctrl-C again kills", "close"
    room = height - len(lines) - 4  # a blank line above events and foot, the foot, and one for the cursor
    if room > 0:
        last = report.events[-min(room, _EVENTS_MAX) :]
        events = [event_text(each, since_start_s(report, each), width - 1) for each in last]
        lines += [Text(), *events] if events else []
    lines += [Text(), Text(f" {words}", style=style)]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines[: max(1, height - 1)])


def _header(report: RunReport, for_s: float | None, width: int) -> list[Text]:
    clock = elapsed_text(report.duration_s) + (f" of {elapsed_text(for_s)}" if for_s else "")
    left = Text.assemble((report.application.name, "bold"), (f" on {report.continuum.name}", "quiet"), f"  {clock}")
    if report.continuum.emulated:
        left.append("  ")
        left.append(" EMULATED ", style="bold reverse yellow")
    sentence, good = promises_in_words(report)
    right = Text(f"{money_text(report.cost_eur)}  ")
    right.append(sentence, style="kept" if good else "broken")
    if not report.valid:
        why = (
            "machine saturated"
            if report.saturated or not report.overloaded
            else f"{', '.join(report.overloaded)} overloaded"
        )
        right.append(f"  NOT VALID: {why}", style="broken")
    blank = width - left.cell_len - right.cell_len
    if blank < 2:
        return [left, right]
    left.append(" " * blank)
    return [left.append_text(right)]


@dataclass
class _Column:
    """`keep` 0 is always shown; of the others the highest goes first when there is no room."""

    head: str
    keep: int = 0
    right: bool = True
    cells: list[Text] = field(default_factory=list)

    @property
    def width(self) -> int:
        return max([cell_len(self.head), *(cell.cell_len for cell in self.cells)])


def _components(report: RunReport, width: int) -> list[Text]:
    """A row for each component, with the columns for which there is room."""
    columns = _columns(report)
    while sum(each.width + _GAP for each in columns) - _GAP + 1 > width:
        most = max(columns, key=lambda each: each.keep)
        if most.keep == 0:
            break
        columns.remove(most)
    widths = [each.width for each in columns]
    head = Text(" ", style="quiet")
    for each, wide in zip(columns, widths, strict=True):
        head.append((each.head.rjust(wide) if each.right else each.head.ljust(wide)) + " " * _GAP)
    head.rstrip()
    lines = [head, Text(" " + "─" * (sum(widths) + _GAP * (len(widths) - 1)), style="track")]
    for row in range(len(report.components)):
        line = Text(" ")
        for each, wide in zip(columns, widths, strict=True):
            cell = each.cells[row]
            blank = " " * (wide - cell.cell_len)
            if each.right:
                line.append(blank)
            line.append_text(cell)
            line.append((" " * _GAP) if each.right else blank + " " * _GAP)
        line.rstrip()
        lines.append(line)
    return lines


def _columns(report: RunReport) -> list[_Column]:
    names, variants, nodes = _Column("component", right=False), _Column("variant", 5, False), _Column("node", 4, False)
    rate, p50, p95 = _Column("rate"), _Column("p50", 3), _Column("p95")
    promised, spark = _Column("promised"), _Column("p95 so far", 2, False)
    waiting, dropped, restarts = _Column("wait"), _Column("drop"), _Column("restart", 1)
    for each in report.components:
        names.cells.append(_name(each))
        variants.cells.append(Text(each.variant[:_NAME_MAX]))
        nodes.cells.append(Text(", ".join(each.nodes)[:_NAME_MAX]))
        rate.cells.append(Text(rate_text(each.rate_per_s)))
        p50.cells.append(Text(time_text(each.p50_s)))
        p95.cells.append(promise_text(each.p95_s, each.promised_s))
        promised.cells.append(Text(time_text(each.promised_s), style="quiet"))
        spark.cells.append(_spark(report, each))
        waiting.cells.append(Text(str(each.waiting), style="close" if each.waiting > 10 else "quiet"))
        dropped.cells.append(Text(str(each.dropped), style="close" if each.dropped else "quiet"))
        restarts.cells.append(Text(str(each.restarts), style="close" if each.restarts else "quiet"))
    return [names, variants, nodes, rate, p50, p95, promised, spark, waiting, dropped, restarts]


def _name(each: ComponentReport) -> Text:
    """The name; with "1/2" where not all copies run, and "failed" where the agent gave one up."""
    running, total = each.phases.get("running", 0), sum(each.phases.values())
    name = each.component if len(each.component) <= _NAME_MAX else each.component[: _NAME_MAX - 1] + "…"
    text = Text.assemble((name, "name"))
    if each.phases.get("failed"):
        text.append(" failed", style="broken")
    elif running < total:
        text.append(f" {running}/{total}", style="close")
    return text


def _spark(report: RunReport, each: ComponentReport) -> Text:
    """The p95 of the last intervals; where something is promised a full bar is the promise."""
    history = [point.p95_s.get(each.component) for point in report.timeline[-10:]]
    style = "quiet"
    if each.promised_s is not None and each.p95_s is not None:
        style = "broken" if each.p95_s > each.promised_s else "kept"
    return Text(spark_text(history, 10, each.promised_s), style=style)


def _path(path: PathReport, width: int) -> list[Text]:
    """A path on two lines: its components; then measured against promised, with a mark at the prediction."""
    line = Text(f" {percentile_text(path.percentile)} ")
    line.append_text(promise_text(path.measured_s, path.promised_s))
    line.append(f" of {time_text(path.promised_s)}  ")
    line.append_text(budget_bar(path.measured_s, path.promised_s, max(10, min(40, width - 50)), path.predicted_s))
    line.append(f"  │ predicted {time_text(path.predicted_s)}", style="quiet")
    return [Text.assemble(" ", (arrows(path.components), "name")), line]


def _nodes(report: RunReport, width: int) -> list[Text]:
    """Each paid node with the busy share of its cores, as many beside each other as fit."""
    longest = max(cell_len(each.node) for each in report.nodes)
    columns = max(1, min(4, (width - 1) // (longest + 27)))
    lines: list[Text] = []
    for number, each in enumerate(report.nodes):
        if number % columns == 0:
            lines.append(Text())
        style = "broken" if each.busy_share > 0.95 else "close" if each.busy_share > 0.8 else each.layer
        line = lines[-1]
        line.append(f" {each.node:<{longest}} ")
        line.append(f"{each.layer:<6} ", style="quiet")
        bar = bar_text(each.busy_share, 10).rstrip()
        line.append(bar, style=style)
        line.append("─" * (10 - len(bar)), style="track")
        line.append(f" {percent_text(each.busy_share):>5}  ")
    return lines


def event_text(event: Event, at_s: float, width: int) -> Text:
    """One event on one line: when (`at_s`, seconds since the run's start), what, where, why."""
    line = Text.assemble((f"{elapsed_text(at_s):>6}  ", "quiet"))
    bad = any(word in event.kind for word in ("died", "hung", "fail", "lost", "dead", "killed"))
    line.append(event.kind.replace("_", " "), style="bold yellow" if bad else "")
    where = event.instance or event.node
    if where:
        line.append(f"  {where}")
    if event.reason:
        line.append(f"  {event.reason}", style="quiet")
    line.truncate(width, overflow="ellipsis")
    return line
