"""The plot of a front of compromises by matplotlib: a file of its own, light, that any viewer shows.

Called by `ecotone plan --pareto --plot`. matplotlib is the extra `report`.
"""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ecotone.core.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FrontPoint", "front_plot", "need_matplotlib"]

By = Literal["power", "accuracy"]


class FrontPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One compromise: its price, and watts or an accuracy (0 to 1)."""

    price_eur_per_h: float
    other: float
    proven: bool


_INK, _SOFT, _LINE, _MAIN = "#1d2426", "#5c686b", "#dfe3e1", "#2f6fc1"
_APART = (0.24, 0.07)
"""Shares of width and height between labels."""


def need_matplotlib() -> tuple[Any, Any]:
    """The package and its Figure class. Raises MissingExtraError where it is not installed."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import matplotlib as package  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("matplotlib", "report") from None
    return package, Figure


def front_plot(name: str, by: By, points: Sequence[FrontPoint], *, complete: bool) -> str:
    """The compromises as an SVG: what is above the stairs can be had, what is below them cannot.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    package, figure_class = need_matplotlib()
    rules = {
        "svg.fonttype": "none", "svg.hashsalt": "ecotone", "font.family": ["sans-serif"], "font.size": 10,
        "text.color": _INK, "axes.edgecolor": _LINE, "axes.labelcolor": _SOFT, "axes.titlesize": 11,
        "axes.titleweight": "semibold", "axes.titlelocation": "left", "axes.spines.top": False,
        "axes.spines.right": False, "xtick.color": _SOFT, "ytick.color": _SOFT, "axes.grid": True, "grid.color": _LINE,
        "grid.linewidth": 0.7, "axes.axisbelow": True, "legend.frameon": False, "legend.fontsize": 9,
    }  # fmt: skip
    with package.rc_context(rules):
        figure = figure_class(figsize=(7.5, 4.6), layout="constrained")
        _draw_front(figure.add_subplot(), by, points)
        whole = "all compromises" if complete else "compromises found in time"
        figure.axes[0].set_title(f"{name}: {whole} between price and {by}")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _draw_front(axes: Any, by: By, points: Sequence[FrontPoint]) -> None:
    prices, others = [each.price_eur_per_h for each in points], [each.other for each in points]
    margins = [0.1 * ((max(each) - min(each)) or abs(max(each)) or 1.0) for each in (prices, others)]
    left, right = min(prices) - margins[0], max(prices) + 1.6 * margins[0]
    bottom, top = max(0.0, min(others) - margins[1]), max(others) + 1.6 * margins[1]
    stairs_x = [prices[0], *prices, right]
    # for a price the compromise holds until the next dearer one
    start = top if by == "power" else bottom
    axes.fill_between(
        stairs_x, [start, *others, others[-1]], start, step="post", color=_MAIN, alpha=0.08, linewidth=0,
        label="no better than one of these",
    )  # fmt: skip
    axes.step(stairs_x, [start, *others, others[-1]], where="post", color=_MAIN, linewidth=1.4, alpha=0.7)
    for is_proven, label, face in ((True, "proven: nothing is better in both", _MAIN), (False, "not proven", "white")):
        chosen = [each for each in points if each.proven == is_proven]
        if chosen:
            axes.scatter(
                [each.price_eur_per_h for each in chosen], [each.other for each in chosen], s=34, facecolor=face,
                edgecolor=_MAIN, linewidth=1.4, zorder=3, label=label,
            )  # fmt: skip
    for price, other in _labelled(points, right - left, top - bottom):
        text = f"{price:.2f} EUR/h, {other:.4g}{' W' if by == 'power' else ''}"
        is_right = price > left + 0.75 * (right - left)
        axes.annotate(
            text, (price, other), textcoords="offset points", fontsize=8.5, color=_INK,
            ha="right" if is_right else "left", xytext=(-8, 5) if is_right else (8, 5),
        )  # fmt: skip
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_xlabel("EUR/h")
    axes.set_ylabel("W" if by == "power" else "least accuracy")
    axes.legend(loc="upper right" if by == "power" else "lower right")


def _labelled(points: Sequence[FrontPoint], width: float, height: float) -> list[tuple[float, float]]:
    """Points whose labels do not cover each other: both ends first, then from the cheapest on."""
    chosen: list[tuple[float, float]] = []
    for point in (points[0], points[-1], *points[1:-1]):
        price, other = point.price_eur_per_h, point.other
        if all(abs(price - x) > _APART[0] * width or abs(other - y) > _APART[1] * height for x, y in chosen):
            chosen.append((price, other))
    return chosen
