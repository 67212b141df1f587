"""What is printed when a run has ended: every promise with its prediction and measurement, and what it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from ecotone.frontends.terminal.style import block, heading, plain_table, promise_text, verdict, widest
from ecotone.frontends.words import (
    arrows,
    cloud_relief,
    cores_text,
    count_text,
    elapsed_text,
    energy_text,
    money_text,
    percent_text,
    percentile_text,
    promises_in_words,
    rate_text,
    time_text,
)

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType
    from rich.table import Table

    from ecotone.core.report import ComponentReport, RunReport

__all__ = ["summary_view"]


def summary_view(report: RunReport, width: int, page: Path | None = None) -> RenderableType:
    """The whole summary for `width` columns; `page` is the report that a browser can show."""
    name = f"{report.application.name} on {report.continuum.name}"
    title = heading(name, elapsed_text(report.duration_s), report.run, emulated=report.continuum.emulated)
    sections: list[RenderableType] = [
        title,
        block(widest(width - 1, _components(report, wide=True), _components(report, wide=False))),
    ]
    if report.paths:
        sections.append(block(_paths(report, width)))
    where = [] if page is None else [Text.assemble(("report  ", "quiet"), str(page))]
    sections.append(block(*_verdicts(report), *where))
    return Group(*sections)


def _components(report: RunReport, *, wide: bool) -> Table:
    table = plain_table()
    table.add_column("component", style="name", no_wrap=True, max_width=26)
    if wide:
        table.add_column("variant", no_wrap=True, max_width=14)
        table.add_column("node", no_wrap=True, max_width=18)
    cores = [cores_text(report.application, each.component, each.cores) for each in report.components]
    shows_cores = wide and any(each != "1" for each in cores)
    if shows_cores:
        table.add_column("cores", justify="right", no_wrap=True)
    table.add_column("items", justify="right", no_wrap=True)
    table.add_column("rate", justify="right", no_wrap=True)
    table.add_column("p50", justify="right", no_wrap=True)
    table.add_column("p95", justify="right", no_wrap=True)
    table.add_column("predicted", justify="right", no_wrap=True, style="quiet")
    table.add_column("promised", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    if wide:
        table.add_column("trouble", min_width=10)
    for each, held in zip(report.components, cores, strict=True):
        promised = Text(time_text(each.promised_s))
        if each.promised_s is None:
            promised.stylize("quiet")
        elif each.percentile != 95:
            promised.append(f" {percentile_text(each.percentile)}")
        cells: list[RenderableType] = [
            str(each.count),
            rate_text(each.mean_rate_per_s),
            time_text(each.p50_s),
            promise_text(each.p95_s, each.promised_s if each.percentile == 95 else None),
            time_text(each.predicted_p95_s),
            promised,
            verdict(each.kept) if each.promised_s is not None else "",
        ]
        where = [Text(each.variant), Text(", ".join(each.nodes)), *([held] if shows_cores else [])]
        table.add_row(Text(each.component), *(where if wide else []), *cells, *([_trouble(each)] if wide else []))
    return table


def _trouble(each: ComponentReport) -> Text:
    said = [
        count_text(number, one, many)
        for number, one, many in (
            (each.dropped, "dropped", "dropped"),
            (each.raised, "raised", "raised"),
            (each.dead, "given up", "given up"),
            (each.restarts, "restart", "restarts"),
        )
        if number
    ]
    return Text(", ".join(said), style="close")


def _paths(report: RunReport, width: int) -> Table:
    table = plain_table()
    table.add_column("path", style="name", max_width=max(24, width - 48))
    for each in ("", "promised", "predicted", "measured"):
        table.add_column(each, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in report.paths:
        table.add_row(
            Text(arrows(each.components)),
            Text(percentile_text(each.percentile), style="quiet"),
            time_text(each.promised_s),
            Text(time_text(each.predicted_s), style="quiet"),
            promise_text(each.measured_s, each.promised_s),
            verdict(each.kept) if each.measured_s is not None else Text("not measured", style="quiet"),
        )
    return table


def _verdicts(report: RunReport) -> list[Text]:
    sentence, good = promises_in_words(report)
    lines = [Text(sentence, style="kept" if good else "broken")]
    lost = Text("nothing lost") if report.lost == 0 else Text(count_text(report.lost, "item") + " LOST", style="broken")
    dropped, dead = sum(each.dropped for each in report.components), sum(each.dead for each in report.components)
    restarts = sum(each.restarts for each in report.components)
    lost.append(f"  {dropped} dropped by live sources", style="close" if dropped else "quiet")
    lost.append(f"  {dead} given up", style="broken" if dead else "quiet")
    lost.append(f"  {count_text(restarts, 'restart')}", style="close" if restarts else "quiet")
    lines.append(lost)
    lines.append(Text(f"{money_text(report.cost_eur)}  {energy_text(report.energy_j)} (estimate)"))
    busy = "  ".join(f"{each.node} {percent_text(each.busy_share)}" for each in report.nodes)
    if busy:
        lines.append(Text(f"busy: {busy}"))
    relief = cloud_relief(report)
    if relief:
        lines.append(Text(relief))
    if not report.valid:
        why = (
            "this machine was saturated"
            if report.saturated or not report.overloaded
            else f"{', '.join(report.overloaded)} did not keep up"
        )
        lines.append(Text(f"these times are NOT VALID: {why}", style="broken"))
    lines += [Text(each, style="quiet") for each in report.notes]
    return lines
