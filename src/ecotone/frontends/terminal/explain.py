"""Why a plan is as it is: what binds, where the time of each path goes, and per component why there and what else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ecotone.frontends.terminal.style import block, heading, plain_table, share_style
from ecotone.frontends.words import (
    NOTHING,
    arrows,
    percent_text,
    percentile_text,
    price_text,
    reach_text,
    time_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from ecotone.orchestration.placement import (
        Alternative,
        ComponentExplanation,
        CoresVerdict,
        Explanation,
        NodeVerdict,
        PathExplanation,
        Promise,
    )

__all__ = ["explain_view"]

_PARTS = (
    ("service", "cyan"),
    ("waiting", "yellow"),
    ("links", "blue"),
    ("hops", "magenta"),
    ("spread", "bright_black"),
)
_REASONS_SHOWN = 3
_SAME_EUR_PER_H = 1e-6
_SAME_SHARE = 0.01
"""Of a promise: times that differ by less are told as equal."""


def explain_view(explanation: Explanation, width: int) -> RenderableType:
    """The whole explanation for a terminal of `width` columns."""
    proof = "optimal, proven" if explanation.optimal else f"at least {price_text(explanation.lower_bound_eur_per_h)}"
    title = heading(
        f"{explanation.application} on {explanation.continuum}",
        f"{price_text(explanation.cost_eur_per_h)} EUR/h",
        proof,
    )
    parts: list[RenderableType] = [title]
    if explanation.violations:
        lines = [Text(f"  {each}", style="broken") for each in explanation.violations]
        parts.append(block(Text("this plan breaks promises:", style="broken"), *lines))
    parts.append(block(*_binding(explanation.promises)))
    parts += [block(_path(each, width - 2)) for each in explanation.paths]
    parts += [block(_component(each, explanation)) for each in explanation.components]
    if explanation.notes:
        parts.append(block(*(Text(each, style="quiet") for each in explanation.notes)))
    return Group(*parts)


def _binding(promises: Sequence[Promise]) -> list[RenderableType]:
    """What makes the plan dearer than it could be; the dearest first."""
    binding = sorted((each for each in promises if each.binds), key=lambda each: -each.saving_eur_per_h)
    unknown = sum(each.binds is None for each in promises)
    rows: list[RenderableType] = []
    if binding:
        rows.append(Text("What binds: leaving it out would save", style="bold"))
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", no_wrap=True)
        for each in binding:
            table.add_row(Text(f"  {price_text(each.saving_eur_per_h)} EUR/h", style="close"), Text(each.sentence))
        rows.append(table)
    else:
        rows.append(Text("Nothing binds: no promise makes this plan dearer", style="bold"))
    if unknown:
        rows.append(Text(f"  {unknown} more were not tried: the time was up", style="quiet"))
    return rows


def _path(path: PathExplanation, width: int) -> RenderableType:
    """One path: its promise, a bar of where its time goes, and the figures of each stage."""
    percentile = percentile_text(path.percentile)
    head = Text(arrows(path.components), style="name")
    said = Text(f"{percentile} ")
    said.append(reach_text(path.predicted_s, path.judged_s), style=share_style(path.judged_s / path.promised_s))
    share = path.slack_s / path.promised_s
    spare = f"{percent_text(share)} spare" if share >= 0 else f"{percent_text(-share)} over"
    said.append(f"; {time_text(path.promised_s)} promised, {spare}")
    spread_s = max(0.0, path.spread_s)
    sums = (
        sum(each.service_s for each in path.stages),
        sum(each.waiting_s for each in path.stages),
        sum(each.link_s for each in path.stages),
        sum(each.hop_s for each in path.stages),
        spread_s,
    )
    bar = Text()
    full_s = max(path.promised_s, path.predicted_s)
    cells = min(60, width - 2)
    for (_, colour), value_s in zip(_PARTS, sums, strict=True):
        bar.append("━" * round(value_s / full_s * cells), style=colour)
    bar.append("─" * max(0, cells - len(bar)), style="track")
    legend = Text()
    for (name, colour), value_s in zip(_PARTS, sums, strict=True):
        if value_s < 1e-6:
            continue
        label = f"to {percentile}" if name == "spread" else name
        legend.append("━ ", style=colour)
        legend.append(f"{label} {time_text(value_s)}   ")
    return Group(head, said, bar, legend, Padding(_stages(path), (1, 0, 0, 0), expand=False))


def _stages(path: PathExplanation) -> Table:
    table = plain_table()
    table.add_column("stage (mean)", no_wrap=True, max_width=24)
    for name in ("service", "waiting", "links", "hops", "sum"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in path.stages:
        total_s = each.service_s + each.waiting_s + each.link_s + each.hop_s
        cells = [
            time_text(value_s) if value_s else NOTHING
            for value_s in (each.service_s, each.waiting_s, each.link_s, each.hop_s)
        ]
        table.add_row(Text(each.component), *cells, time_text(total_s))
    return table


def _component(each: ComponentExplanation, explanation: Explanation) -> RenderableType:
    """One component: where it is, its promises, what else was possible, and why not elsewhere."""
    where = ", ".join(
        f"{row.node}" + (f" ×{row.replicas}" if row.replicas > 1 else "")  # noqa: RUF001 - the sign for times
        for row in each.assignments
    )
    cores = each.assignments[0].cores
    if cores > 1:
        where += f" with {cores} cores" + (" each" if any(row.replicas > 1 for row in each.assignments) else "")
    head = Text(each.component, style="name")
    variant = "" if each.variant == "default" else f"{each.variant} "
    head.append(f"  {variant}on {where}", style="not bold")
    head.append(
        f"   {price_text(each.cost_eur_per_h)} EUR/h  {percent_text(each.utilisation)} busy", style="not bold dim"
    )
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="quiet", no_wrap=True, width=11)
    rows.add_column()
    for label, lines in (
        (
            "promises",
            [_promise(promise) for promise in each.promises if promise.binds or promise.what != "path latency"],
        ),
        ("next best", [_alternative(other, each.component, explanation.paths) for other in each.alternatives]),
        ("cores", [_cores(other, explanation) for other in each.cores if not other.chosen]),
        ("elsewhere", _elsewhere(each.nodes, explanation.cost_eur_per_h)),
        ("refused", [Text(reason) for reason in each.variants_refused]),
    ):
        for number, line in enumerate(lines):
            rows.add_row(f"  {label}" if number == 0 else "", line)
    return Group(head, rows)


def _promise(promise: Promise) -> Text:
    line = Text(promise.sentence)
    if promise.slack is not None:
        slack = promise.slack
        line.append(": ")
        if promise.what == "latency" and promise.predicted is not None and promise.judged is not None:
            line.append(f"{reach_text(promise.predicted, promise.judged)}, ")
        word = f"{percent_text(slack)} spare" if slack >= 0 else f"broken by {percent_text(-slack)}"
        line.append(word, style="kept" if slack > 0.1 else "close" if slack >= 0 else "broken")
    if promise.binds:
        line.append(f"  binds, {price_text(promise.saving_eur_per_h)} EUR/h", style="close")
    return line


def _alternative(other: Alternative, component: str, paths: Sequence[PathExplanation]) -> Text:
    """The best plan without the choice, its price, and what it does to the path that it changes most."""
    what = "elsewhere" if other.instead_of == "node" else "another variant"
    if not other.found:
        return Text(f"{what}: impossible")
    mine = [row for row in other.assignments if row.component == component]
    place = ", ".join(row.node if other.instead_of == "node" else f"{row.variant} on {row.node}" for row in mine)
    line = Text(f"{place or what}: ")
    extra = other.extra_eur_per_h or 0.0
    if abs(extra) <= _SAME_EUR_PER_H:
        line.append("the same price, no faster" if other.paths_s else "the same price")
    else:
        line.append(f"{price_text(abs(extra))} EUR/h {'more' if extra > 0 else 'less'}", style="close")
    line.append(_changed_path(paths, other.paths_s))
    if other.moved:
        line.append(f", moving {', '.join(other.moved)} too", style="quiet")
    return line


def _changed_path(paths: Sequence[PathExplanation], paths_s: Sequence[float]) -> str:
    """The path that another plan changes most, if it changes one by much."""
    if not paths or len(paths) != len(paths_s):
        return ""
    path, now_s = max(
        zip(paths, paths_s, strict=True),
        key=lambda pair: abs(pair[1] - pair[0].predicted_s) / pair[0].promised_s,
    )
    if abs(now_s - path.predicted_s) <= _SAME_SHARE * path.promised_s:
        return ""
    times = f"{time_text(now_s)} instead of {time_text(path.predicted_s)}"
    return f", {path.components[0]} → {path.components[-1]} {times}"


def _cores(other: CoresVerdict, explanation: Explanation) -> Text:
    """Another number of cores: what it would cost, and what it would break where the component is."""
    line = Text(f"{other.cores}{'' if other.measured else ' (not measured)'}: ")
    if other.extra_eur_per_h is None:
        line.append("impossible" if other.searched else "the time was up before a plan was found")
    elif abs(other.extra_eur_per_h) <= _SAME_EUR_PER_H:
        line.append("the same price")
    else:
        more = "more" if other.extra_eur_per_h > 0 else "less"
        line.append(f"{price_text(abs(other.extra_eur_per_h))} EUR/h {more}", style="close")
    line.append(_changed_path(explanation.paths, other.paths_s))
    if other.breaks:
        line.append(f"; here: {'; '.join(other.breaks[:_REASONS_SHOWN])}", style="quiet")
    return line


def _elsewhere(nodes: Sequence[NodeVerdict], plan_eur_per_h: float) -> list[Text]:
    """Each node that was not chosen and why; nodes with the same reasons share a line."""
    groups: dict[str, list[str]] = {}
    for each in nodes:
        if not each.chosen:
            groups.setdefault(_why_not(each, plan_eur_per_h), []).append(each.node)
    lines: list[Text] = []
    for why, names in groups.items():
        line = Text(", ".join(names))
        line.append(f": {why}", style="quiet")
        lines.append(line)
    return lines


def _why_not(each: NodeVerdict, plan_eur_per_h: float) -> str:
    """What is against a node, in words that do not name it, so that equal nodes read alike."""
    if each.reasons:
        shown = [reason.replace(f"{each.node} is in ", "it is in ") for reason in each.reasons[:_REASONS_SHOWN]]
        more = len(each.reasons) - len(shown)
        return "; ".join(shown) + (f"; and {more} more" if more else "")
    if each.cost_eur_per_h is None:
        return "possible"
    extra = each.cost_eur_per_h - plan_eur_per_h
    if abs(extra) <= _SAME_EUR_PER_H:
        return "possible, at the same price"
    return f"possible, for {price_text(abs(extra))} EUR/h {'more' if extra > 0 else 'less'}"
