"""The plots of the report of a run; `drawing` says how."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.frontends.report.drawing import STAND_INS, WIDTH_IN, finish, matplotlib_parts, rules
from ecotone.frontends.words import arrows, percentile_text, since_start_s, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.core.report import PathReport, RunReport, TimelinePoint
    from ecotone.frontends.report.markup import Html

__all__ = ["latency_plot", "timeline_plot"]

_SERIES = 8


def latency_plot(report: RunReport, *, alone: bool = False) -> Html | None:
    """How long items took on each promised path, as a cumulative distribution; None where nothing was measured.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    paths = [each for each in report.paths if len(each.quantiles_s) > 1]
    if not paths:
        return None
    package, figure_class = matplotlib_parts()
    with package.rc_context(rules()):
        figure = figure_class(figsize=(WIDTH_IN, 2.6 * len(paths)), layout="constrained")
        for number, path in enumerate(paths, 1):
            _draw_distribution(figure.add_subplot(len(paths), 1, number), path)
        return finish(figure, salt="latency", alone=alone)


def _draw_distribution(axes: Any, path: PathReport) -> None:
    percentile = percentile_text(path.percentile)
    times_ms = [seconds * 1e3 for _, seconds in path.quantiles_s]
    shares = [fraction * 100 for fraction, _ in path.quantiles_s]
    axes.set_title(arrows(path.components))
    axes.axvspan(path.low_s * 1e3, path.high_s * 1e3, color=STAND_INS["s1"], alpha=0.12, linewidth=0)
    axes.plot(times_ms, shares, color=STAND_INS["s1"], linewidth=2.2)
    axes.axhline(path.percentile, color=STAND_INS["soft"], linewidth=0.9, linestyle=(0, (2, 3)))
    right = max(path.promised_s * 1e3 * 1.12, min(times_ms[-1], path.promised_s * 1e3 * 2.5), path.high_s * 1e3 * 1.05)
    right = max(right, (path.measured_s or 0.0) * 1e3 * 1.08)
    left = max(0.0, min(times_ms[0], path.low_s * 1e3, path.promised_s * 1e3) * 0.9)
    lines = [
        (path.promised_s, f"promised {time_text(path.promised_s)}", "broken", "-"),
        (path.predicted_s, f"predicted {percentile} {time_text(path.predicted_s)}", "s1", (0, (5, 3))),
    ]
    if path.measured_s is not None:
        lines.append((path.measured_s, f"measured {percentile} {time_text(path.measured_s)}", "ink", "-"))
    for seconds, label, colour, dash in lines:
        axes.axvline(seconds * 1e3, color=STAND_INS[colour], linestyle=dash, linewidth=1.5, label=label)
    axes.set_xlim(left, right)
    axes.set_ylim(0, 101)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_xlabel("milliseconds from start to end of the path")
    axes.set_ylabel("% of items")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.3)


def timeline_plot(report: RunReport, *, alone: bool = False) -> Html | None:
    """Paths, components and rates over the time of the run; None for a run too short to have a history.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    points = _whole_intervals(report.timeline)
    if len(points) < 3:
        return None
    report = msgspec.structs.replace(report, timeline=points)
    package, figure_class = matplotlib_parts()
    names = _busiest(report)
    times = [point.time_s for point in points]
    with package.rc_context(rules()):
        rows = 3 if report.paths else 2
        figure = figure_class(figsize=(WIDTH_IN, 2.15 * rows), layout="constrained")
        axes = figure.subplots(rows, 1, sharex=True)
        if report.paths:
            _draw_paths(axes[0], report, times)
        _draw_components(axes[-2], report, times, names)
        _draw_rates(axes[-1], report, times, names)
        deaths = _deaths(report, times[-1])
        for each in axes:
            for number, at_s in enumerate(deaths):
                label = "a host died" if number == 0 and each is axes[0] else None
                each.axvline(at_s, color=STAND_INS["broken"], linewidth=1, alpha=0.7, label=label)
            each.set_xlim(0, times[-1])
        _legend(axes[0])
        axes[-1].set_xlabel("seconds of the run")
        return finish(figure, salt="timeline", alone=alone)


def _whole_intervals(points: tuple[TimelinePoint, ...]) -> tuple[TimelinePoint, ...]:
    """The points without a last one that covers too little time for a rate."""
    if len(points) > 2 and points[-1].time_s - points[-2].time_s < 0.6 * (points[-2].time_s - points[-3].time_s):
        return points[:-1]
    return points


def _busiest(report: RunReport) -> list[str]:
    """The components with the largest p95, at most as many as there are colours, in the order of the application."""
    slowest = sorted(report.components, key=lambda each: each.p95_s or 0.0, reverse=True)[:_SERIES]
    chosen = {each.component for each in slowest}
    return [each.component for each in report.components if each.component in chosen]


def _legend(axes: Any) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.04), borderaxespad=0.3, labelspacing=0.3, handlelength=1.4)


def _ms(values_s: Sequence[float | None]) -> list[float]:
    return [float("nan") if each is None else each * 1e3 for each in values_s]


def _draw_paths(axes: Any, report: RunReport, times: list[float]) -> None:
    axes.set_title("p95 of each promised path, ms")
    top = 0.0
    for number, path in enumerate(report.paths):
        colour = STAND_INS[f"s{number % _SERIES + 1}"]
        values = _ms([point.paths_s[number] if number < len(point.paths_s) else None for point in report.timeline])
        axes.plot(times, values, color=colour, label=f"{path.components[0]} → {path.components[-1]}")
        axes.axhline(path.promised_s * 1e3, color=colour, linestyle=(0, (5, 3)), linewidth=1.2)
        top = max(top, path.promised_s * 1e3, *(each for each in values if not math.isnan(each)))
    axes.plot([], [], color=STAND_INS["soft"], linestyle=(0, (5, 3)), linewidth=1.2, label="promised")
    axes.set_ylim(0, top * 1.1)


def _draw_components(axes: Any, report: RunReport, times: list[float], names: list[str]) -> None:
    axes.set_title("p95 of each component, ms (logarithmic)")
    for number, name in enumerate(names, 1):
        values = _ms([point.p95_s.get(name) for point in report.timeline])
        axes.plot(times, values, color=STAND_INS[f"s{number}"], label=name)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    _legend(axes)


def _draw_rates(axes: Any, report: RunReport, times: list[float], names: list[str]) -> None:
    axes.set_title("items per second")
    for number, name in enumerate(names, 1):
        values = [point.rates_per_s.get(name, float("nan")) for point in report.timeline]
        axes.plot(times, values, color=STAND_INS[f"s{number}"], label=name)
    axes.set_ylim(bottom=0)


def _deaths(report: RunReport, end_s: float) -> list[float]:
    """When hosts died or hung, in seconds of the run."""
    times = (since_start_s(report, event) for event in report.events if event.kind in ("host_died", "host_hung"))
    return [at_s for at_s in times if 0 < at_s < end_s]
