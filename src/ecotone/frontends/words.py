"""Figures and verdicts as short text, the same in tables, live view and report. Called by every front end."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from ecotone.core.units import Dimension, format_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.core.application import Application
    from ecotone.core.messages import Event
    from ecotone.core.plan import Confidence, LatencyPrediction, Plan
    from ecotone.core.report import ComponentReport, PathReport, RunReport

__all__ = [
    "NOTHING",
    "arrows",
    "bar_text",
    "cloud_relief",
    "cores_text",
    "count_text",
    "elapsed_text",
    "energy_text",
    "kept_text",
    "money_text",
    "percent_text",
    "percentile_text",
    "price_text",
    "promise_s",
    "promises_in_words",
    "proof_text",
    "quantile",
    "rate_text",
    "reach_text",
    "since_start_s",
    "size_text",
    "spark_text",
    "time_text",
    "verdict_text",
]

NOTHING = "–"  # noqa: RUF001 - an en dash in a table cell means: there is no such figure
_SPARKS = "▁▂▃▄▅▆▇█"


def time_text(value_s: float | None) -> str:
    """0.0302 -> "30.2 ms"; None -> a dash."""
    return NOTHING if value_s is None else format_quantity(value_s, Dimension.DURATION)


def elapsed_text(value_s: float) -> str:
    """Whole seconds as a clock: 75 -> "1:15"."""
    seconds = int(value_s)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def rate_text(value_per_s: float) -> str:
    """Items per second without the word items, per minute where they are rare: 24.97 -> "25.0/s"."""
    if 0 < value_per_s < 0.1:
        return f"{value_per_s * 60:.2g}/min"
    return f"{value_per_s:.0f}/s" if value_per_s >= 99.95 else f"{value_per_s:.1f}/s"


def size_text(value_bytes: float) -> str:
    """Bytes in the largest fitting unit: "4.2 MiB"."""
    return format_quantity(value_bytes, Dimension.SIZE)


def energy_text(value_j: float) -> str:
    """Joules, or watt hours where there are many: "661 J"."""
    return format_quantity(value_j, Dimension.ENERGY)


def price_text(value_eur_per_h: float) -> str:
    """EUR per hour with three significant digits, at most four decimals: "0.164", "<0.0001"."""
    return "<0.0001" if 0 < value_eur_per_h < 0.00005 else _plain(round(value_eur_per_h, 4), 3)


def money_text(value_eur: float) -> str:
    """EUR with three significant digits: "0.00137 EUR"."""
    return f"{_plain(value_eur, 3)} EUR"


def _plain(value: float, significant: int) -> str:
    if value == 0:
        return "0"
    decimals = max(0, significant - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(decimals, 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent_text(share: float) -> str:
    """A fraction as whole percent, "<1 %" for a little: 0.61 -> "61 %"."""
    if 0 < share < 0.005:
        return "<1 %"
    return f"{share * 100:.0f} %"


def percentile_text(percentile: float) -> str:
    """95.0 -> "p95"; 99.9 -> "p99.9"."""
    return f"p{percentile:g}"


def count_text(number: int, one: str, many: str = "") -> str:
    """A number with its noun: (1, "item") -> "1 item", (3, "item") -> "3 items"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def cores_text(application: Application | None, component: str, cores: int) -> str:
    """Cores that a replica holds: "4"; of a cell, its ranks times the cores of each."""
    if application is None:
        return str(cores)
    held = application.component(component).held(cores)
    return str(cores) if held == cores else f"{held // cores}×{cores}"  # noqa: RUF001 - the sign for times


def arrows(components: Sequence[str]) -> str:
    """A path: "camera → quality → detect"."""
    return " → ".join(components)


def verdict_text(kept: bool | None) -> str:
    """A promise in one word: "kept", "broken", or "not measured"."""
    return "not measured" if kept is None else "kept" if kept else "broken"


def proof_text(plan: Plan) -> str:
    """What is known about a plan's cost: proven optimal, or how far from the optimum it may be at most."""
    if plan.optimal:
        return "optimal, proven"
    if plan.gap >= 1:
        return "best found, with no bound on how much less would do"
    share = plan.gap / (1 - plan.gap)  # the gap is of the cost found; this, of the optimum
    return f"best found, at most {_plain(share * 100, 2)} % above the optimum"


def kept_text(prediction: LatencyPrediction, confidence: Confidence) -> tuple[str, str]:
    """A promise and whether it is kept; and what is predicted, with what was held against it: ("p95 ≤ 100 ms kept",
    "66 ms, at most 88 ms")."""
    is_kept = prediction.judged_s(confidence) <= prediction.promised_s * (1 + 1e-9)
    promised = f"{percentile_text(prediction.percentile)} ≤ {time_text(prediction.promised_s)}"
    return f"{promised} {verdict_text(is_kept)}", reach_text(prediction.predicted_s, prediction.judged_s(confidence))


def reach_text(predicted_s: float, judged_s: float) -> str:
    """A time, and the most that it may be where that is what counts."""
    most = f", at most {time_text(judged_s)}" if judged_s > predicted_s else ""
    return f"{time_text(predicted_s)}{most}"


def promise_s(application: Application | None, component: str) -> float | None:
    """The latency that a component promises for itself, in seconds; None when it promises none."""
    if application is None:
        return None
    for each in application.components:
        if each.name == component and each.requirements.latency is not None:
            return each.requirements.latency.latency_max_s
    return None


def promises_in_words(report: RunReport) -> tuple[str, bool]:
    """One sentence about all promises of a run, and whether none was broken."""
    promised: list[ComponentReport | PathReport] = [*report.paths]
    promised += [each for each in report.components if each.promised_s is not None]
    if not promised:
        return "the application promises no latency", True
    broken = sum(each.kept is False for each in promised)
    unknown = sum(each.kept is None for each in promised)
    kept = len(promised) - broken - unknown
    if broken:
        return (
            "the promise was broken" if len(promised) == 1 else f"{broken} of {len(promised)} promises broken"
        ), False
    if unknown:
        return f"{kept} of {count_text(len(promised), 'promise')} kept, {unknown} not measured yet", True
    return ("the promise was kept" if kept == 1 else f"all {kept} promises kept"), True


def spark_text(values: Sequence[float | None], width: int, full: float | None = None) -> str:
    """The last `width` values as a line of small bars; a gap where one is missing.

    A full bar is `full` (a promise) or the largest value, if that is more; without a promise a steady value shows at
    about half height, so that both rise and fall can be seen.
    """
    shown = list(values)[-width:]
    known = sorted(each for each in shown if each is not None)
    if not known:
        return " " * width
    top = max(known[-1], full if full else 1.8 * known[len(known) // 2])
    if top <= 0:
        return " " * width
    marks = [" " if each is None else _SPARKS[min(7, int(each / top * 7.999))] for each in shown]
    return "".join(marks).rjust(width)


def since_start_s(report: RunReport, event: Event) -> float:
    """When an event was, in seconds since the start of its run; events carry the wall clock."""
    try:
        started_s = datetime.fromisoformat(report.started_at).timestamp()
    except ValueError:
        return event.time_s
    return max(0.0, event.time_s - started_s) if event.time_s >= started_s - 3600 else event.time_s


def bar_text(share: float, width: int) -> str:
    """A bar of `width` cells, filled to `share` (0 to 1, cut there) in halves of a cell; blank where it is empty."""
    full, half = divmod(round(min(1.0, max(0.0, share)) * width * 2), 2)
    return ("━" * full + "╸" * half).ljust(width)


def cloud_relief(report: RunReport) -> str:
    """How much of the work and of the bytes never reached the cloud, in words; "" where there is no cloud."""
    layers = {each.layer: each for each in report.layers}
    busy_s = sum(each.busy_s for each in report.layers)
    crossed = sum(each.bytes_in for each in report.layers)
    if "cloud" not in layers or len(layers) < 2 or busy_s <= 0:
        return ""
    text = f"taken off the cloud: {percent_text(1 - layers['cloud'].busy_s / busy_s)} of the work"
    if crossed > 0:
        text += f", {percent_text(1 - layers['cloud'].bytes_in / crossed)} of the bytes that crossed links"
    return text


def quantile(values: Sequence[float], fraction: float) -> float | None:
    """The value below which `fraction` (0 to 1) of `values` lie, between neighbours; None when there are none."""
    if not values:
        return None
    ordered = sorted(values)
    at = fraction * (len(ordered) - 1)
    low = min(int(at), len(ordered) - 2) if len(ordered) > 1 else 0
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)
