"""The plots of the report of a performance model; `drawing` says how. Called by `model_page`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from ecotone.frontends.model_words import error_text, figure_text, readable
from ecotone.frontends.report.drawing import STAND_INS, WIDTH_IN, finish, matplotlib_parts, rules
from ecotone.frontends.words import count_text, percent_text
from ecotone.orchestration.performance.interface import Z90

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecotone.frontends.report.markup import Html
    from ecotone.session.performance_models import Judged

__all__ = ["POINTS_MAX", "coverage_plot", "curve_plot", "predicted_plot", "residuals_plot"]

POINTS_MAX = 400
"""More points than these hide each other, and make a large file."""
_COLUMNS = 3
_LEVELS_MAX = 12
_WANTED = 0.9


def predicted_plot(judged: Judged) -> Html:
    """Predicted against measured with intervals, and how errors are distributed. Raises MissingExtraError."""

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _draw_predicted(left, judged)
        _draw_errors(right, judged)

    return _drawn(draw, 4.6, "predicted")


def residuals_plot(judged: Judged) -> Html:
    """What is left over, against each feature. Raises MissingExtraError."""
    features = judged.asked.model.features

    def draw(figure: Any) -> None:
        rows = math.ceil(len(features) / _COLUMNS)
        axes = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).ravel()
        for place, each in enumerate(axes):
            if place < len(features):
                _draw_residuals(each, judged, place)
                if place % _COLUMNS == 0:
                    each.set_ylabel("predicted too high, %")
            else:
                each.set_axis_off()

    return _drawn(draw, 2.7 * math.ceil(len(features) / _COLUMNS), "residuals")


def coverage_plot(judged: Judged) -> Html:
    """How many measured values are inside the intervals, for all widths and for small and large ones. Raises
    MissingExtraError."""

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        _draw_widths(left, judged)
        _draw_sizes(right, judged)

    return _drawn(draw, 3.4, "coverage")


def curve_plot(judged: Judged) -> Html | None:
    """How the error falls with the number of runs; None for a table too small for that. Raises MissingExtraError."""
    if len(judged.curve.points) < 2:
        return None

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        _draw_curve(left, judged)
        _draw_support(right, judged)

    return _drawn(draw, 3.4, "curve")


def _drawn(draw: Callable[[Any], None], height_in: float, salt: str) -> Html:
    package, figure_class = matplotlib_parts()
    with package.rc_context(rules()):
        figure = figure_class(figsize=(WIDTH_IN, height_in), layout="constrained")
        draw(figure)
        return finish(figure, salt=salt, alone=False)


def _chosen(judged: Judged) -> Any:
    """Numbers of the answers that are drawn."""
    count = len(judged.measured)
    if count <= POINTS_MAX:
        return numpy.arange(count)
    return numpy.sort(numpy.random.default_rng(0).permutation(count)[:POINTS_MAX])


def _draw_predicted(axes: Any, judged: Judged) -> None:
    said, chosen = judged.predictions, _chosen(judged)
    measured = judged.measured[chosen]
    supported = said.supported[chosen]
    both = numpy.concatenate([measured, said.prediction[chosen]])
    low, high = float(both.min()) / 1.15, float(both.max()) * 1.15
    axes.plot([low, high], [low, high], color=STAND_INS["soft"], linewidth=1)
    groups = ((~supported, "s2", "not supported"), (supported, "s1", "supported, with 90 % interval"))
    for mask, colour, label in groups:
        rows = chosen[mask]
        if not len(rows):
            continue
        axes.vlines(
            measured[mask], numpy.maximum(said.low[rows], low), numpy.minimum(said.high[rows], high),
            color=STAND_INS[colour], linewidth=1.2, alpha=0.35,
        )  # fmt: skip
        axes.scatter(
            measured[mask], said.prediction[rows], s=13, color=STAND_INS[colour], linewidth=0, alpha=0.8, label=label
        )
    _scale(axes.xaxis, measured, logarithmic=high / low > 8)
    _scale(axes.yaxis, measured, logarithmic=high / low > 8)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_title("each run")
    axes.set_xlabel(f"{readable(judged.asked.model.target)}, measured")
    axes.set_ylabel("predicted")
    axes.legend(loc="upper left")


def _draw_errors(axes: Any, judged: Judged) -> None:
    errors = numpy.sort(_errors(judged))
    shares = numpy.arange(1, len(errors) + 1) / len(errors)
    right = max(float(numpy.quantile(errors, 0.98)) * 1.1, 1e-6)
    axes.step(100 * errors, 100 * shares, where="post", color=STAND_INS["s1"], linewidth=2)
    for share, word, dash in ((0.5, "median", (0, (5, 3))), (0.9, "nine of ten below", (0, (2, 2)))):
        value = float(numpy.quantile(errors, share))
        axes.axvline(
            100 * value, color=STAND_INS["ink"], linewidth=1.2, linestyle=dash, label=f"{word} {error_text(value)}"
        )
    axes.set_xlim(0, 100 * right)
    axes.set_ylim(0, 101)
    axes.set_title("relative errors")
    axes.set_xlabel("error, % of what was measured")
    axes.set_ylabel("% of rows with at most this")
    axes.legend(loc="lower right")


def _draw_residuals(axes: Any, judged: Judged, place: int) -> None:
    feature = judged.asked.model.features[place]
    chosen = _chosen(judged)
    values = judged.asked.table.column(feature.name)[numpy.asarray(judged.rows)]
    off = 100 * (judged.predictions.prediction / judged.measured - 1)
    supported = judged.predictions.supported
    reach = max(float(numpy.quantile(numpy.abs(off), 0.98)) * 1.15, 1e-6)
    is_wide = bool(values.min() > 0 and values.max() / values.min() > 8)
    axes.axhline(0, color=STAND_INS["soft"], linewidth=1)
    for mask, colour in ((~supported, "s2"), (supported, "s1")):
        rows = chosen[mask[chosen]]
        axes.scatter(values[rows], numpy.clip(off[rows], -reach, reach), s=11, color=STAND_INS[colour], alpha=0.45,
                     linewidth=0)  # fmt: skip
    middles = _middles(values, off)
    axes.plot(*zip(*middles, strict=True), color=STAND_INS["ink"], linewidth=1.6, marker="_", markersize=9)
    axes.set_ylim(-reach * 1.05, reach * 1.05)
    _scale(axes.xaxis, values, logarithmic=is_wide)
    axes.set_title(readable(feature.name))


def _middles(values: Any, off: Any) -> list[tuple[float, float]]:
    """The median of what is left over, for each value or for groups of as many rows."""
    levels = numpy.unique(values)
    if len(levels) <= _LEVELS_MAX:
        return [(float(level), float(numpy.median(off[values == level]))) for level in levels]
    groups = numpy.array_split(numpy.argsort(values, kind="stable"), _LEVELS_MAX)
    return [(float(numpy.median(values[each])), float(numpy.median(off[each]))) for each in groups if len(each)]


def _draw_widths(axes: Any, judged: Judged) -> None:
    said = judged.predictions
    half = numpy.maximum(numpy.log(said.high / said.prediction), 1e-12)
    scores = numpy.sort(numpy.abs(numpy.log(judged.measured / said.prediction)) / half)
    shares = 100 * numpy.arange(1, len(scores) + 1) / len(scores)
    inside = float((scores <= 1.0).mean())
    axes.step(scores, shares, where="post", color=STAND_INS["s1"], linewidth=2)
    axes.axvline(1.0, color=STAND_INS["ink"], linewidth=1.2, label=f"as they are: {percent_text(inside)} inside")
    axes.axhline(100 * _WANTED, color=STAND_INS["soft"], linewidth=1, linestyle=(0, (5, 3)), label="wanted: 90 %")
    axes.set_xlim(0, max(2.0, min(3.0, float(scores[-1]) * 1.05)))
    axes.set_ylim(0, 101)
    axes.set_title("were intervals narrower or wider")
    axes.set_xlabel("width, in widths of the 90 % interval")
    axes.set_ylabel("% of measured values inside")
    axes.legend(loc="lower right")


def _draw_sizes(axes: Any, judged: Judged) -> None:
    said, measured = judged.predictions, judged.measured
    inside = (said.low <= measured) & (measured <= said.high)
    groups = [each for each in numpy.array_split(numpy.argsort(said.prediction, kind="stable"), 5) if len(each)]
    shares = [float(inside[each].mean()) for each in groups]
    # What chance alone would do to as many rows, were each inside with 90 %.
    spread = [Z90 * math.sqrt(_WANTED * (1 - _WANTED) / len(each)) for each in groups]
    above = [100 * min(each, 1 - _WANTED) for each in spread]
    below = [100 * each for each in spread]
    places = range(len(groups))
    axes.bar(places, [100 * each for each in shares], color=STAND_INS["s1"], alpha=0.75, width=0.62)
    axes.errorbar(
        places, [100 * _WANTED] * len(groups), yerr=(below, above), fmt="none",
        ecolor=STAND_INS["ink"], elinewidth=1.2, capsize=5, label="90 %, and what chance may do to it",
    )  # fmt: skip
    axes.axhline(100 * _WANTED, color=STAND_INS["soft"], linewidth=1, linestyle=(0, (5, 3)))
    ends = [(float(said.prediction[each].min()), float(said.prediction[each].max())) for each in groups]
    axes.set_xticks(list(places), [f"{_short(low)}\nto {_short(high)}" for low, high in ends])
    axes.set_ylim(0, 128)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.grid(visible=False, axis="x")
    axes.set_title("for small and for large predictions")
    axes.set_xlabel(f"predicted {readable(judged.asked.model.target)}")
    axes.legend(loc="upper left")


def _draw_curve(axes: Any, judged: Judged) -> None:
    points = judged.curve.points
    runs = [each.runs for each in points]
    mean, middle = [100 * each.error for each in points], [100 * each.error_median for each in points]
    axes.plot(runs, mean, color=STAND_INS["s1"], marker="o", markersize=4.5, label="mean")
    axes.plot(runs, middle, color=STAND_INS["s3"], marker="o", markersize=4.5, label="median")
    _scale(axes.xaxis, numpy.array(runs), logarithmic=True)
    _scale(axes.yaxis, numpy.array(mean + middle), logarithmic=max(mean) > 8 * max(1e-9, min(middle)))
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    axes.set_title("error of runs that were held out, %")
    axes.set_xlabel("runs learnt from")
    axes.legend(loc="upper right")


def _draw_support(axes: Any, judged: Judged) -> None:
    points = judged.curve.points
    runs = [each.runs for each in points]
    axes.plot(runs, [100 * p.supported for p in points], color=STAND_INS["s1"], marker="o", markersize=4.5,
              label="supported")  # fmt: skip
    axes.plot(runs, [100 * p.coverage for p in points], color=STAND_INS["s3"], marker="o", markersize=4.5,
              label="inside their 90 % interval")  # fmt: skip
    axes.axhline(100 * _WANTED, color=STAND_INS["soft"], linewidth=1, linestyle=(0, (5, 3)))
    _scale(axes.xaxis, numpy.array(runs), logarithmic=True)
    axes.set_ylim(0, 104)
    axes.set_title(f"% of {count_text(len(judged.curve.held), 'run')} held out")
    axes.set_xlabel("runs learnt from")
    axes.legend(loc="lower right")


def _short(value: float) -> str:
    """Three significant digits, without an exponent up to a million."""
    return f"{value:.0f}" if 1e3 <= value < 1e6 else f"{value:.3g}"


def _errors(judged: Judged) -> Any:
    return numpy.abs(judged.predictions.prediction / judged.measured - 1)


def _scale(axis: Any, values: Any, *, logarithmic: bool) -> None:
    """Ticks at the values themselves where they are few, else at round figures; never 10^0.3."""
    axes = axis.axes
    if logarithmic:
        (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
    levels = numpy.unique(values)
    if logarithmic:
        low, high = float(levels[0]), float(levels[-1])
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        steps = (1, 2, 5) if high / low < 30 or (high / low < 3e3 and axis is axes.yaxis) else (1,)
        ticks = [step * 10.0**decade for decade in decades[:: math.ceil(len(decades) / 7)] for step in steps]
        if axis is axes.xaxis and len(levels) <= 7:
            ticks = _apart([float(each) for each in levels])
        shown = [each for each in ticks if low / 1.3 <= each <= high * 1.3]
        axis.set_ticks(shown, [figure_text(each) for each in shown])
        axis.set_ticks([], minor=True)
    elif axis is axes.xaxis and len(levels) <= 7 and len(_evenly(levels)) == len(levels):
        axis.set_ticks([float(each) for each in levels], [figure_text(float(each)) for each in levels])


def _apart(levels: list[float]) -> list[float]:
    """Levels whose labels do not cover each other on a logarithmic axis."""
    gap = math.log(levels[-1] / levels[0]) / 8
    shown = [levels[0]]
    for each in levels[1:]:
        if math.log(each / shown[-1]) >= gap:
            shown.append(each)
    return shown


def _evenly(levels: Any) -> list[float]:
    """Levels that are apart enough for labels on a linear axis."""
    gap = float(levels[-1] - levels[0]) / 9
    shown = [float(levels[0])]
    for each in levels[1:]:
        if float(each) - shown[-1] >= gap:
            shown.append(float(each))
    return shown
