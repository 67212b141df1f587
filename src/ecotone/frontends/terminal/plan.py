"""The plan as a table by site and node, its paths against their promises, and what is known about its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from ecotone.frontends.terminal.style import block, budget_bar, heading, plain_table, promise_text, share_style, widest
from ecotone.frontends.words import (
    NOTHING,
    arrows,
    cores_text,
    energy_text,
    kept_text,
    percent_text,
    price_text,
    promise_s,
    proof_text,
    rate_text,
    size_text,
    time_text,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from ecotone.core.application import Application
    from ecotone.core.continuum import Continuum
    from ecotone.core.plan import Assignment, Confidence, LatencyPrediction, Plan

__all__ = ["differences_view", "plan_view", "promise_line"]


def plan_view(plan: Plan, application: Application | None, continuum: Continuum | None, width: int) -> RenderableType:
    """The whole plan for a terminal of `width` columns; wide ones also show rate, memory and the model's interval."""
    title = heading(f"{plan.application} on {plan.continuum}", emulated=_emulated(continuum))
    shapes = ((True, True), (False, True), (False, not _has_cores(plan, application)))
    tables = [_table(plan, application, continuum, wide=wide, priced=priced) for wide, priced in shapes]
    rows: list[RenderableType] = [title, block(widest(width - 1, *tables))]
    promised = [(arrows(each.components), each) for each in plan.paths]
    promised += [(each.component, each.promise) for each in plan.components if each.promise is not None]
    rows += [block(promise_line(name, each, plan.confidence, width - 2)) for name, each in promised]
    rows.append(block(_total(plan), *_remarks(plan)))
    return Group(*rows)


def _emulated(continuum: Continuum | None) -> bool:
    return continuum is not None and continuum.emulated


def _remarks(plan: Plan) -> list[Text]:
    remarks = list(plan.notes)
    if plan.moved:
        remarks.insert(0, f"moved from where they run now: {', '.join(plan.moved)}")
    if plan.groups:
        fused = "; ".join(" + ".join(group) for group in plan.groups)
        remarks.insert(0, f"fused into one host each, without isolation from each other: {fused}")
    remarks += _energy_remarks(plan)
    return [Text(each, style="quiet") for each in remarks]


def _energy_remarks(plan: Plan) -> list[str]:
    """What an item takes above the idle nodes, and where that is from."""
    found: list[str] = []
    for source, words in (("measured", "measured"), ("estimated", "estimated from declared power")):
        those = [each for each in plan.components if each.energy_source == source and each.energy_j > 0]
        if those:
            found.append(
                f"energy of an item, {words}: "
                + ", ".join(f"{each.component} {energy_text(each.energy_j)}" for each in those)
            )
    return found


def _table(
    plan: Plan, application: Application | None, continuum: Continuum | None, *, wide: bool, priced: bool
) -> Table:
    """`priced` False leaves out what each component costs."""
    table = plain_table()
    table.add_column("node", no_wrap=True, max_width=22 if wide else 16)
    table.add_column("component", style="name", no_wrap=True, max_width=28 if wide else 18)
    table.add_column("variant", no_wrap=True, max_width=18 if wide else 11)
    table.add_column("×", justify="right")  # noqa: RUF001 - the sign for times
    if _has_cores(plan, application):
        table.add_column("cores", justify="right", no_wrap=True)
    if wide:
        table.add_column("rate", justify="right", no_wrap=True)
        table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("p95", justify="right", no_wrap=True)
    if wide:
        table.add_column("90 % interval", justify="right", style="quiet", no_wrap=True)
    table.add_column("promised", justify="right", no_wrap=True)
    table.add_column("busy", justify="right", no_wrap=True)
    if priced:
        table.add_column("EUR/h", justify="right", no_wrap=True)
    blank = [""] * (len(table.columns) - 2)
    last_site, last_node = None, None
    for site, layer, region, each in _by_site(plan, continuum):
        if site != last_site and site:
            place = Text(" · ".join(part for part in (layer, region) if part), style=layer)
            table.add_row(Text(site, style=layer), place, *blank)
        node = "" if each.node == last_node else each.node
        last_site, last_node = site, each.node
        cells = _cells(plan, application, each, wide)[: len(table.columns) - 1]
        table.add_row(Text(f" {node}" if site else node), *cells)
    return table


def _has_cores(plan: Plan, application: Application | None) -> bool:
    """Whether any replica holds more than one."""
    return any(cores_text(application, each.component, each.cores) != "1" for each in plan.assignments)


def _by_site(plan: Plan, continuum: Continuum | None) -> list[tuple[str, str, str, Assignment]]:
    """Assignments with site, layer and region, in the order of the continuum's nodes."""
    nodes = {} if continuum is None else {node.name: (at, node) for at, node in enumerate(continuum.nodes)}
    found: list[tuple[int, str, str, str, Assignment]] = []
    for each in plan.assignments:
        if each.node in nodes:
            at, node = nodes[each.node]
            found.append((at, node.site, node.layer, node.region, each))
        else:
            found.append((len(nodes), "", "", "", each))
    return [row[1:] for row in sorted(found, key=lambda row: row[0])]


def _cells(plan: Plan, application: Application | None, each: Assignment, wide: bool) -> list[RenderableType]:
    """All columns but the node, the price last."""
    prediction = plan.prediction_of(each.component)
    promised_s = promise_s(application, each.component)
    start: list[RenderableType] = [Text(each.component), Text(each.variant), str(each.replicas)]
    if _has_cores(plan, application):
        start.append(cores_text(application, each.component, each.cores))
    promised = Text(time_text(promised_s), style="quiet" if promised_s is None else "")
    if prediction is None:
        return start + [NOTHING] * (3 if wide else 1) + ([NOTHING] if wide else []) + [promised, NOTHING, NOTHING]
    judged_s = None if prediction.promise is None else prediction.promise.judged_s(plan.confidence)
    middle: list[RenderableType] = [promise_text(prediction.predicted_p95_s, promised_s, judged_s)]
    if wide:
        rate, memory = rate_text(prediction.rate_per_s), size_text(prediction.memory_bytes)
        interval = f"{time_text(prediction.low_s)} to {time_text(prediction.high_s)}"
        middle = [rate, memory, *middle, interval]
    end = [promised, percent_text(prediction.utilisation), f"{prediction.cost_eur_per_h:.4f}"]
    return [*start, *middle, *end]


def promise_line(name: str, promised: LatencyPrediction, confidence: Confidence, width: int) -> RenderableType:
    """A promise on two lines: whose it is, then whether it is kept, and by what; the bar has a mark at what is
    predicted."""
    judged_s = promised.judged_s(confidence)
    share = judged_s / promised.promised_s
    verdict, reach = kept_text(promised, confidence)
    text = Text(verdict, style=share_style(share))
    text.append(f": {reach}  ", style="default")
    mark_s = promised.predicted_s if confidence == "upper" else None
    text.append_text(budget_bar(judged_s, promised.promised_s, max(10, min(30, width - 60)), mark_s))
    text.append(f"  {percent_text(1 - share)} spare" if share <= 1 else f"  {percent_text(share - 1)} over")
    if confidence == "expected":
        text.append(f"  ({time_text(promised.low_s)} to {time_text(promised.high_s)})", style="quiet")
    return Group(Text(name, style="name"), text)


def _total(plan: Plan) -> Text:
    text = Text()
    text.append(f"{price_text(plan.cost_eur_per_h)} EUR/h", style="bold")
    if plan.power_w:
        text.append(f"  {plan.power_w:.3g} W")
    text.append("  ")
    text.append(proof_text(plan), style="kept" if plan.optimal else "close")
    if plan.wall_s:
        text.append(f" in {time_text(plan.wall_s)}", style="quiet")
    if not plan.optimal:
        text.append(f"  lower bound {price_text(plan.lower_bound_eur_per_h)} EUR/h", style="quiet")
    return text


def differences_view(differences: list[str]) -> RenderableType:
    """What a run would change against the last one, one line each."""
    if not differences:
        return Text("nothing would change against the last run")
    lines = [Text(f" {each}") for each in differences]
    return Group(Text("against the last run this would change:", style="bold"), *lines)
