"""The tables and figures of the page. Each takes the report and gives markup; `page` puts them in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.frontends.report.markup import Html, join, table, tag
from ecotone.frontends.words import (
    NOTHING,
    arrows,
    cloud_relief,
    cores_text,
    count_text,
    elapsed_text,
    energy_text,
    money_text,
    percent_text,
    percentile_text,
    price_text,
    rate_text,
    since_start_s,
    size_text,
    time_text,
    verdict_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.core.messages import Event
    from ecotone.core.report import RunReport

__all__ = [
    "components_table",
    "cost_table",
    "events_table",
    "layers_section",
    "paths_table",
    "promises_table",
    "tiles",
]

EVENTS_MAX = 200
_USUAL = frozenset({"agent_started", "host_starting", "host_ready", "host_stopped", "host_finished", "first_item"})


def _verdict(kept: bool | None) -> Html:
    return tag("span", verdict_text(kept), class_="none" if kept is None else "kept" if kept else "broken")


def tiles(report: RunReport) -> Html:
    """The figures that people ask for first."""
    cells: list[tuple[str, str]] = [
        (
            time_text(each.measured_s),
            f"{percentile_text(each.percentile)} {each.components[0]} → {each.components[-1]}, "
            f"promised {time_text(each.promised_s)}",
        )
        for each in report.paths[:2]
    ]
    handled = sum(each.count for each in report.components)
    dropped = sum(each.dropped for each in report.components)
    cells += [
        (f"{handled}", f"items handled, {report.lost} lost, {dropped} dropped"),
        (f"{price_text(report.plan.cost_eur_per_h)} EUR/h", f"{money_text(report.cost_eur)} for this run"),
        (energy_text(report.energy_j), "estimated energy"),
    ]
    relief = _relief(report)
    if relief is not None:
        cells.append((percent_text(relief), "of the work taken off the cloud"))
    if report.start_to_first_item_s is not None:
        cells.append((time_text(report.start_to_first_item_s), "from the command to the first item"))
    return tag(
        "div", *(tag("div", tag("b", big), tag("i", small), class_="tile") for big, small in cells), class_="tiles"
    )


def _relief(report: RunReport) -> float | None:
    busy_s = sum(each.busy_s for each in report.layers)
    cloud_s = next((each.busy_s for each in report.layers if each.layer == "cloud"), None)
    return None if cloud_s is None or busy_s <= 0 or len(report.layers) < 2 else 1 - cloud_s / busy_s


def promises_table(report: RunReport) -> Html:
    """Every latency promise in one list, the broken ones first."""
    promises: list[tuple[bool | None, str, float, float, float | None]] = [
        (each.kept, arrows(each.components), each.percentile, each.promised_s, each.measured_s) for each in report.paths
    ]
    promises += [
        (each.kept, each.component, each.percentile, each.promised_s, each.measured_s)
        for each in report.components
        if each.promised_s is not None
    ]
    if not promises:
        return tag("p", "This application promises no latency.", class_="soft")
    order = {False: 0, None: 1, True: 2}
    rows = [
        (
            subject,
            f"{percentile_text(percentile)} ≤ {time_text(promised_s)}",
            time_text(measured_s),
            NOTHING if measured_s is None else _spare(measured_s, promised_s),
            _verdict(kept),
        )
        for kept, subject, percentile, promised_s, measured_s in sorted(promises, key=lambda each: order[each[0]])
    ]
    return table(("promise of", "promised", "measured", "", ""), rows, numbers=(1, 2, 3))


def _spare(measured_s: float, promised_s: float) -> str:
    share = measured_s / promised_s
    return f"{percent_text(1 - share)} spare" if share <= 1 else f"{percent_text(share - 1)} over"


def paths_table(report: RunReport) -> Html:
    """Promised, predicted and measured for every promised path."""
    rows = [
        (
            arrows(each.components),
            percentile_text(each.percentile),
            time_text(each.promised_s),
            f"{time_text(each.predicted_s)} ({time_text(each.low_s)} to {time_text(each.high_s)})",
            time_text(each.measured_s),
            NOTHING if not each.measured_s else f"{(each.predicted_s / each.measured_s - 1) * 100:+.0f} %",
            str(each.count),
        )
        for each in report.paths
    ]
    heads = ("path", "", "promised", "predicted", "measured", "prediction off by", "items")
    return table(heads, rows, numbers=(2, 3, 4, 5, 6))


def components_table(report: RunReport) -> Html:
    """Everything that was measured of each component."""
    rows: list[tuple[object, ...]] = []
    for each in report.components:
        trouble = [
            count_text(number, one, many)
            for number, one, many in (
                (each.dropped, "dropped", "dropped"),
                (each.raised, "raised", "raised"),
                (each.dead, "given up", "given up"),
                (each.restarts, "restart", ""),
                (each.waiting, "waiting", "waiting"),
            )
            if number
        ]
        variant = "" if each.variant == "default" else each.variant
        cores = cores_text(report.application, each.component, each.cores)
        more = " ".join(part for part in (variant, f"{cores} cores" if cores != "1" else "") if part)
        promised = NOTHING
        if each.promised_s is not None:
            promised = f"{percentile_text(each.percentile)} {time_text(each.promised_s)}"
        rows.append(
            (
                join(each.component, tag("span", f" {more}", class_="soft")),
                ", ".join(each.nodes),
                str(each.count),
                rate_text(each.mean_rate_per_s),
                time_text(each.p50_s),
                time_text(each.p95_s),
                time_text(each.predicted_p95_s),
                promised,
                NOTHING if each.promised_s is None else _verdict(each.kept),
                percent_text(each.utilisation),
                size_text(each.memory_bytes),
                ", ".join(trouble),
            )
        )
    heads = ("component", "node", "items", "rate", "p50", "p95", "predicted p95", "promised", "", "busy", "memory", "")
    return table(heads, rows, numbers=(2, 3, 4, 5, 6, 7, 8, 9, 10))


def layers_section(report: RunReport) -> Html:
    """The rate in each layer, and what never reached the cloud."""
    busy_s = sum(each.busy_s for each in report.layers) or 1.0
    rows = [
        (
            tag("span", each.layer, class_=each.layer),
            str(each.items),
            rate_text(each.items_per_s),
            f"{each.busy_s:.3g} s",
            percent_text(each.busy_s / busy_s),
            size_text(each.bytes_in),
        )
        for each in report.layers
    ]
    heads = ("layer", "items handled", "rate", "CPU time", "share of the work", "came in over links")
    words = cloud_relief(report)
    return join(
        table(heads, rows, numbers=range(1, 6)),
        _bars("Rate of items", [(each.layer, each.items_per_s, rate_text(each.items_per_s)) for each in report.layers]),
        _bars("Bytes over links", [(each.layer, each.bytes_in, size_text(each.bytes_in)) for each in report.layers]),
        tag("p", words[0].upper() + words[1:] + ".") if words else "",
    )


def _bars(title: str, rows: list[tuple[str, float, str]]) -> Html:
    top = max(value for _, value, _ in rows) or 1.0
    cells: list[Html] = []
    for layer, value, label in rows:
        bar = tag("div", style=f"width:{value / top * 100:.1f}%")
        cells += [tag("span", layer, class_=layer), tag("div", bar, class_=layer), tag("b", label)]
    return join(tag("h3", title), tag("div", *cells, class_="bars"))


def cost_table(report: RunReport) -> Html:
    """Each paid node: its share of the bill and of the estimated energy."""
    prices = {node.name: node.type.price_eur_per_h for node in report.continuum.nodes}
    rows: list[tuple[object, ...]] = [
        (
            each.node,
            join(each.site, " ", tag("span", each.layer, class_=each.layer)),
            percent_text(each.busy_share),
            f"{price_text(prices.get(each.node, 0.0))} EUR/h",
            money_text(each.cost_eur),
            energy_text(each.energy_j),
        )
        for each in report.nodes
    ]
    rows.append(
        (
            "all, with links",
            "",
            "",
            f"{price_text(report.plan.cost_eur_per_h)} EUR/h",
            money_text(report.cost_eur),
            energy_text(report.energy_j),
        )
    )
    heads = ("node", "site", "busy", "price", "this run", "energy (estimate)")
    return table(heads, rows, numbers=(2, 3, 4, 5))


def events_table(report: RunReport) -> Html:
    """Whatever the controller and the agents told; what belongs to every run is folded away."""
    unusual = [each for each in report.events if each.kind not in _USUAL]
    usual = [each for each in report.events if each.kind in _USUAL]
    parts: list[Html] = [
        _events(report, unusual) if unusual else tag("p", "Nothing out of the ordinary.", class_="soft"),
    ]
    if usual:
        summary = tag("summary", f"{count_text(len(usual), 'event')} of starting and stopping")
        parts.append(tag("details", summary, _events(report, usual)))
    return join(*parts)


def _events(report: RunReport, events: Sequence[Event]) -> Html:
    rows = [
        (
            elapsed_text(since_start_s(report, each)),
            each.kind.replace("_", " "),
            each.instance or each.node,
            each.reason,
        )
        for each in events[:EVENTS_MAX]
    ]
    more = len(events) - EVENTS_MAX
    shown = table(("at", "what", "where", "why"), rows)
    return join(shown, tag("p", f"and {more} more, in record.json", class_="soft")) if more > 0 else shown
