"""The view of a run that goes on: components, paths, nodes and events on one screen, whatever its size.

`live_view` makes one picture from one report. Called four times a second by `cli.watching`, in its own thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ecotone.frontends.terminal.style import block, budget_bar, lines_of, plain_table, promise_text, widest
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


def live_view(
    report: RunReport, width: int, height: int, for_s: float | None = None, *, stopping: bool = False
) -> RenderableType:
    """One picture that fits `width` x `height`; events are the first to give way where there is little room."""
    parts: list[RenderableType] = [
        _header(report, for_s, width),
        block(widest(width - 1, _components(report, wide=True), _components(report, wide=False))),
    ]
    if report.paths:
        parts.append(block(*(_path(each, width) for each in report.paths)))
    if report.nodes:
        parts.append(block(_nodes(report, width)))
    room = height - len(lines_of(Group(*parts), width)) - 3
    events = report.events[-min(room, 8) :] if room > 0 else ()
    if events:
        parts.append(block(*(event_text(each, since_start_s(report, each), width - 1) for each in events)))
    if stopping:
        parts.append(block(Text("stopping: what was accepted is finished first; Ctrl-C again kills", style="close")))
    else:
        parts.append(block(Text("Ctrl-C ends the run and writes its report; a second one kills it", style="quiet")))
    return Group(*parts)


def _header(report: RunReport, for_s: float | None, width: int) -> RenderableType:
    clock = elapsed_text(report.duration_s) + (f" of {elapsed_text(for_s)}" if for_s else "")
    left = Text.assemble((report.application.name, "bold"), (f" on {report.continuum.name}", "quiet"), f"  {clock}")
    if report.continuum.emulated:
        left.append("  ")
        left.append(" EMULATED ", style="bold reverse yellow")
    sentence, good = promises_in_words(report)
    right = Text(f"{money_text(report.cost_eur)}  ")
    right.append(sentence, style="kept" if good else "broken")
    if not report.valid:
        right.append("  NOT VALID: machine saturated", style="broken")
    if left.cell_len + right.cell_len + 1 > width:
        return Group(left, right)
    row = Table.grid(expand=True)
    row.add_column()
    row.add_column(justify="right")
    row.add_row(left, right)
    return row


def _components(report: RunReport, *, wide: bool) -> Table:
    table = plain_table()
    table.add_column("component", no_wrap=True, max_width=24 if wide else 16)
    if wide:
        table.add_column("variant", no_wrap=True, max_width=12)
        table.add_column("node", no_wrap=True, max_width=16)
    for each in ("rate", "p50", "p95"):
        table.add_column(each, justify="right", no_wrap=True, min_width=7)
    table.add_column("promised", justify="right", no_wrap=True)
    table.add_column("p95 so far", no_wrap=True)
    for each in ("waiting", "dropped", "restarts") if wide else ("wait", "drop", "rst"):
        table.add_column(each, justify="right", no_wrap=True)
    for each in report.components:
        cells = _numbers(each)
        spark = _spark(report, each, 14 if wide else 10)
        where = [Text(each.variant), Text(", ".join(each.nodes))] if wide else []
        table.add_row(_name(each), *where, *cells[:4], spark, *cells[4:])
    return table


def _name(each: ComponentReport) -> Text:
    """The name; with "1/2" where not all copies run, and "failed" where the agent gave one up."""
    running, total = each.phases.get("running", 0), sum(each.phases.values())
    text = Text(each.component, style="name")
    if each.phases.get("failed"):
        text.append(" failed", style="broken")
    elif running < total:
        text.append(f" {running}/{total}", style="close")
    return text


def _numbers(each: ComponentReport) -> list[Text]:
    return [
        Text(rate_text(each.rate_per_s)),
        Text(time_text(each.p50_s)),
        promise_text(each.p95_s, each.promised_s),
        Text(time_text(each.promised_s), style="quiet"),
        Text(str(each.waiting), style="close" if each.waiting > 10 else "quiet"),
        Text(str(each.dropped), style="close" if each.dropped else "quiet"),
        Text(str(each.restarts), style="close" if each.restarts else "quiet"),
    ]


def _spark(report: RunReport, each: ComponentReport, width: int) -> Text:
    """The p95 of the last intervals; where something is promised a full bar is the promise."""
    history = [point.p95_s.get(each.component) for point in report.timeline]
    style = "quiet"
    if each.promised_s is not None and each.p95_s is not None:
        style = "broken" if each.p95_s > each.promised_s else "kept"
    return Text(spark_text(history, width, each.promised_s), style=style)


def _path(path: PathReport, width: int) -> RenderableType:
    """A path on two lines: its components; then measured against promised, with a mark at the prediction."""
    line = Text(f"{percentile_text(path.percentile)} ")
    line.append_text(promise_text(path.measured_s, path.promised_s))
    line.append(f" of {time_text(path.promised_s)}  ")
    line.append_text(budget_bar(path.measured_s, path.promised_s, max(10, min(40, width - 50)), path.predicted_s))
    line.append(f"  │ predicted {time_text(path.predicted_s)}", style="quiet")
    names = Text(arrows(path.components), style="name", no_wrap=True, overflow="ellipsis")
    return Group(names, line)


def _nodes(report: RunReport, width: int) -> Table:
    """Each paid node with the busy share of its cores, as many beside each other as fit."""
    names = max(len(each.node) for each in report.nodes)
    columns = max(1, min(4, (width - 2) // (names + 30)))
    grid = Table.grid(padding=(0, 2))
    cells: list[Text] = []
    for each in report.nodes:
        style = "broken" if each.busy_share > 0.95 else "close" if each.busy_share > 0.8 else each.layer
        cell = Text(f"{each.node:<{names}} ", no_wrap=True)
        cell.append(f"{each.layer:<6} ", style="quiet")
        for mark in bar_text(each.busy_share, 10):
            cell.append("─" if mark == " " else mark, style="track" if mark == " " else style)
        cell.append(f" {percent_text(each.busy_share):>5}")
        cells.append(cell)
    for start in range(0, len(cells), columns):
        grid.add_row(*cells[start : start + columns])
    return grid


def event_text(event: Event, at_s: float, width: int) -> Text:
    """One event on one line: when (`at_s`, seconds since the run's start), what, where, why."""
    line = Text(f"{elapsed_text(at_s):>6}  ", style="quiet", no_wrap=True, overflow="ellipsis")
    bad = any(word in event.kind for word in ("died", "hung", "fail", "lost", "dead", "saturat"))
    line.append(event.kind.replace("_", " "), style="not dim " + ("bold yellow" if bad else ""))
    where = event.instance or event.node
    if where:
        line.append(f"  {where}", style="not dim")
    if event.reason:
        line.append(f"  {event.reason}")
    line.truncate(width, overflow="ellipsis")
    return line
