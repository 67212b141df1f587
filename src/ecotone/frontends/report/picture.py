"""The picture of a plan: sites in columns (device, edge, cloud), nodes in them, components on these, channels between.

`plan_picture` lays out and draws; with a report the boxes carry what was measured, without one what is predicted.
Called by `page` and by the tool that makes the pictures of the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

from ecotone.core.units import Dimension, format_quantity
from ecotone.frontends.report.markup import Html, join, tag
from ecotone.frontends.words import cores_text, count_text, percent_text, price_text, promise_s, rate_text, time_text

if TYPE_CHECKING:
    from ecotone.core.application import Application
    from ecotone.core.continuum import Continuum, Node
    from ecotone.core.plan import Plan
    from ecotone.core.report import ComponentReport, RunReport

__all__ = ["plan_picture"]

_LAYERS = ("device", "edge", "cloud")
_COLUMN, _GAP, _PAD = 244, 150, 12
_BOX_HEIGHT, _BOX_GAP, _HEAD = 48, 30, 40
_STYLE = """
.p-site{stroke-width:1.2;rx:12}.p-node{fill:var(--panel);stroke:var(--line);rx:8}.p-box{fill:var(--panel);stroke:var(--line);rx:6}
.p-bar{stroke:none;rx:2}.p-t{fill:var(--ink);font:600 13px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.p-s{fill:var(--soft);font:11.5px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.p-c{fill:none;stroke:var(--channel);stroke-width:1.6}.p-halo{fill:none;stroke:var(--panel);stroke-width:5;opacity:.8}
.p-l{fill:var(--ink);font:600 11.5px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.p-l,.p-ls{paint-order:stroke;stroke:var(--panel);stroke-width:5px;stroke-linejoin:round}
.p-ls{fill:var(--soft);font:11px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
"""


_ARROW_HEAD = Html(
    '<defs><marker id="p-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse"><path d="M0 0.8 L7.4 4 L0 7.2 z" style="fill:var(--channel)"/></marker></defs>'
)


@dataclass
class _Box:
    """One component on one node; x and y of its upper left corner."""

    component: str
    node: str
    site: str
    column: int
    x: float
    y: float
    stack: int
    width: float


@dataclass
class _Picture:
    """What is drawn, and what has been drawn so far."""

    plan: Plan
    application: Application
    continuum: Continuum
    report: RunReport | None
    boxes: list[_Box] = field(default_factory=list)
    marks: list[Html] = field(default_factory=list)
    labels: list[tuple[float, float]] = field(default_factory=list)
    bottom: float = 0.0

    def measured(self, component: str) -> ComponentReport | None:
        return (
            None
            if self.report is None
            else next((each for each in self.report.components if each.component == component), None)
        )


def plan_picture(
    plan: Plan, application: Application, continuum: Continuum, report: RunReport | None = None, *, alone: bool = False
) -> Html:
    """The plan as an SVG element; `alone` gives it its own colours, so that it can be a file."""
    used = {each.node for each in plan.assignments}
    nodes = [node for node in continuum.nodes if node.name in used]
    columns = [layer for layer in _LAYERS if any(node.layer == layer for node in nodes)]
    heights = [_column_height(plan, [node for node in nodes if node.layer == layer]) for layer in columns]
    tallest = max(heights, default=0.0)
    picture = _Picture(plan, application, continuum, report, bottom=tallest + _PAD)
    for at, layer in enumerate(columns):
        top = _PAD + (tallest - heights[at]) / 2
        _draw_column(picture, [node for node in nodes if node.layer == layer], at, top)
    boxes = [_draw_box(picture, each) for each in picture.boxes]
    lines, labels = _draw_channels(picture)
    width = len(columns) * _COLUMN + (len(columns) - 1) * _GAP + 2 * _PAD
    height = picture.bottom + _PAD
    colours = (files("ecotone.frontends.report") / "colours.css").read_text() if alone else ""
    return tag(
        "svg",
        tag("style", Html(colours + _STYLE)),
        tag("title", f"Where each component of {plan.application} runs"),
        _ARROW_HEAD,
        _rect("", 0, 0, width, height, "fill:var(--panel)") if alone else "",
        *picture.marks,
        *lines,
        *boxes,
        *labels,
        viewBox=f"0 0 {width} {height:.0f}",
        role="img",
        style=f"max-width:{width * 1.1:.0f}px",
        xmlns="http://www.w3.org/2000/svg",
    )


def _components_on(plan: Plan, node: str) -> list[str]:
    return [each.component for each in plan.assignments if each.node == node]


def _node_height(plan: Plan, node: Node) -> float:
    count = len(_components_on(plan, node.name))
    return _HEAD + count * _BOX_HEIGHT + (count - 1) * _BOX_GAP + _PAD


def _column_height(plan: Plan, nodes: list[Node]) -> float:
    sites = {node.site for node in nodes}
    return sum(_node_height(plan, node) + _PAD for node in nodes) + len(sites) * (_HEAD + _PAD + 6) - _PAD - 6


def _draw_column(picture: _Picture, nodes: list[Node], column: int, top: float) -> None:
    """The sites of one layer from `top` downwards: their frames now, the boxes of components for later."""
    x, y = _PAD + column * (_COLUMN + _GAP), top
    for site in dict.fromkeys(node.site for node in nodes):
        here = [node for node in nodes if node.site == site]
        height = sum(_node_height(picture.plan, node) + _PAD for node in here) + _HEAD
        layer, region = here[0].layer, here[0].region
        about = " · ".join(part for part in (layer, region) if part)
        picture.marks += [
            _rect("p-site", x, y, _COLUMN, height, f"fill:var(--{layer}-soft);stroke:var(--{layer})"),
            _text("p-t", x + _PAD, y + 18, site),
            _text("p-s", x + _PAD, y + 33, about),
        ]
        inner = y + _HEAD
        for node in here:
            _draw_node(picture, node, column, inner)
            inner += _node_height(picture.plan, node) + _PAD
        y += height + _PAD + 6


def _draw_node(picture: _Picture, node: Node, column: int, y: float) -> None:
    """The frame of a node; its components are stacked in data order."""
    x, width, kind = 2 * _PAD + column * (_COLUMN + _GAP), _COLUMN - 2 * _PAD, node.type
    about = f"{count_text(kind.cores, 'core')} at {kind.speed:g} · {price_text(kind.price_eur_per_h)} EUR/h"
    busy = [each.busy_share for each in picture.report.nodes if each.node == node.name] if picture.report else []
    picture.marks += [
        _rect("p-node", x, y, width, _node_height(picture.plan, node)),
        _text("p-t", x + 10, y + 17, node.name),
        _text("p-s", x + width - 10, y + 17, f"{percent_text(busy[0])} busy" if busy else "", anchor="end"),
        _text("p-s", x + 10, y + 31, about),
    ]
    order = [each.name for each in picture.application.in_data_order()]
    for row, name in enumerate(sorted(_components_on(picture.plan, node.name), key=order.index)):
        top = y + _HEAD + row * (_BOX_HEIGHT + _BOX_GAP)
        picture.boxes.append(_Box(name, node.name, node.site, column, x + 10, top, row, width - 20))


def _draw_box(picture: _Picture, box: _Box) -> Html:
    """A component: name, variant, replicas and cores; its p95 against its promise; green, red or neutral at its left
    side."""
    mine = next(each for each in picture.plan.assignments_of(box.component) if each.node == box.node)
    prediction, measured = picture.plan.prediction_of(box.component), picture.measured(box.component)
    promised_s = promise_s(picture.application, box.component)
    value_s = measured.p95_s if measured else prediction.predicted_p95_s if prediction else None
    said = "p95 " + time_text(value_s) + (f" of {time_text(promised_s)}" if promised_s else "")
    kept = measured.kept if measured else None if promised_s is None or value_s is None else value_s <= promised_s
    colour = "channel" if kept is None else "kept" if kept else "broken"
    variant = "" if mine.variant == "default" else mine.variant
    cores = cores_text(picture.application, box.component, mine.cores)
    parts = (
        variant,
        f"×{mine.replicas}" if mine.replicas > 1 else "",  # noqa: RUF001 - the sign for times
        f"{cores} cores" if cores != "1" else "",
    )
    right = " ".join(part for part in parts if part)
    return join(
        _rect("p-box", box.x, box.y, box.width, _BOX_HEIGHT),
        _rect("p-bar", box.x + 4, box.y + 6, 4, _BOX_HEIGHT - 12, f"fill:var(--{colour})"),
        _text("p-t", box.x + 16, box.y + 20, _short(box.component, 24 - len(right))),
        _text("p-s", box.x + box.width - 8, box.y + 20, right, anchor="end"),
        _text("p-s", box.x + 16, box.y + 37, said),
    )


def _rect(kind: str, x: float, y: float, width: float, height: float, style: str | None = None) -> Html:  # noqa: PLR0917
    size = {"width": f"{width:.1f}", "height": f"{height:.1f}"}
    return tag("rect", class_=kind or None, x=f"{x:.1f}", y=f"{y:.1f}", **size, style=style)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(4, most - 1)] + "…"


def _text(kind: str, x: float, y: float, text: str, *, anchor: str | None = None) -> Html:
    return tag("text", text, class_=kind, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _draw_channels(picture: _Picture) -> tuple[list[Html], list[Html]]:
    """Lines, and labels that are drawn over everything else."""
    lines: list[Html] = []
    labels: list[Html] = []
    for channel in picture.application.channels:
        sources = [box for box in picture.boxes if box.component == channel.producer]
        targets = [box for box in picture.boxes if box.component == channel.consumer]
        for number, (source, target) in enumerate((a, b) for a in sources for b in targets):
            path, (x, y) = _route(picture, source, target)
            lines += [
                tag("path", class_="p-halo", d=path),
                tag("path", class_="p-c", d=path, marker_end="url(#p-arrow)"),
            ]
            if number == 0:
                labels += _label(picture, x, y, _channel_words(picture, source, target))
    return lines, labels


def _route(picture: _Picture, source: _Box, target: _Box) -> tuple[str, tuple[float, float]]:
    """The way of a channel, and where its label goes."""
    half = _BOX_HEIGHT / 2
    if source.node == target.node and target.stack == source.stack + 1:
        x, top, end = source.x + source.width / 2, source.y + _BOX_HEIGHT, target.y
        return f"M{x:.1f} {top:.1f} V{end - 1:.1f}", (x + 26, (top + end) / 2)
    y1, y2 = source.y + half, target.y + half
    if source.column == target.column:
        x = source.x + source.width
        out = x + 34 + 6 * abs(source.stack - target.stack)
        return f"M{x:.1f} {y1:.1f} C{out:.1f} {y1:.1f} {out:.1f} {y2:.1f} {x + 1:.1f} {y2:.1f}", (out, (y1 + y2) / 2)
    forward = source.column < target.column
    x1 = source.x + source.width if forward else source.x
    x2 = target.x - 1 if forward else target.x + target.width + 1
    if abs(source.column - target.column) == 1:
        middle = (x1 + x2) / 2
        path = f"M{x1:.1f} {y1:.1f} C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        return path, (middle, (y1 + y2) / 2)
    picture.bottom += 26  # over a column's head: below everything instead
    y, turn = picture.bottom, 22 if forward else -22
    path = (
        f"M{x1:.1f} {y1:.1f} C{x1 + 2 * turn:.1f} {y1:.1f} {x1 + turn:.1f} {y:.1f} {x1 + 4 * turn:.1f} {y:.1f} "
        f"H{x2 - 4 * turn:.1f} C{x2 - turn:.1f} {y:.1f} {x2 - 2 * turn:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    )
    return path, ((x1 + x2) / 2, y - 6)


def _channel_words(picture: _Picture, source: _Box, target: _Box) -> tuple[str, str]:
    """The rate of a channel, and the links that it crosses."""
    measured, prediction = picture.measured(source.component), picture.plan.prediction_of(source.component)
    rate = "" if prediction is None else rate_text(prediction.rate_per_s)
    if picture.report and measured and picture.report.duration_s > 0:
        rate = rate_text(measured.emitted / picture.report.duration_s)
    links = picture.continuum.route(source.site, target.site) or ()
    if not links:
        return rate, ""
    slowest = min(link.bandwidth_bytes_per_s for link in links)
    return rate, f"{time_text(sum(link.latency_s for link in links))}, {format_quantity(slowest, Dimension.BANDWIDTH)}"


def _label(picture: _Picture, x: float, y: float, words: tuple[str, str]) -> list[Html]:
    """One or two short lines around (x, y), moved down until they cover no other label."""
    while any(abs(x - other_x) < 70 and abs(y - other_y) < 26 for other_x, other_y in picture.labels):
        y += 8
    picture.labels.append((x, y))
    first, second = words
    if not second:
        return [_text("p-l", x, y + 4, first, anchor="middle")]
    return [_text("p-l", x, y - 5, first, anchor="middle"), _text("p-ls", x, y + 11, second, anchor="middle")]
