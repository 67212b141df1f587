"""What repeats say: a rate, how certain it is, and what disturbed the machine meanwhile. Pure; called by `_run`."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from ecotone.core.calibration import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecotone.design.calibration.interface import Repeat

__all__ = ["certainty", "disturbances", "rate_of"]

_DRIFT = 0.05
_NOISE = 0.25
_BUSY = 0.10
_STOLEN = 0.05
_FEWEST_FOR_DRIFT = 12


def rate_of(repeats: Sequence[Repeat], *, unit: str) -> Rate:
    """The median, with half of the range that holds the middle 80 % as its spread."""
    values = sorted(each.amount / each.took_s for each in repeats)
    value = statistics.median(values)
    spread = (_quantile(values, 0.9) - _quantile(values, 0.1)) / 2 / value
    return Rate(value=float(f"{value:.5g}"), unit=unit, spread=round(spread, 4), repeats=len(values))


def certainty(repeats: Sequence[Repeat]) -> float:
    """Half of the 95 % confidence interval of the median rate, relative to it; infinite below nine repeats.

    From ranks, so that no distribution is assumed: times have a tail on one side.
    """
    if len(repeats) < 9:
        return math.inf
    values = sorted(each.amount / each.took_s for each in repeats)
    middle, reach = len(values) / 2, 0.98 * math.sqrt(len(values))
    low = values[max(0, math.floor(middle - reach) - 1)]
    high = values[min(len(values) - 1, math.ceil(middle + reach))]
    return (high - low) / 2 / statistics.median(values)


def disturbances(
    repeats: Mapping[str, Sequence[Repeat]], *, cores: int, took_s: float, others_s: float, stolen_s: float = 0.0
) -> tuple[str, ...]:
    """What makes the rates doubtful, as sentences; () when nothing does.

    Args:
        repeats: by kind, in the order of time.
        cores: of this machine.
        took_s: how long the benchmark was.
        others_s: CPU time of all other processes meanwhile.
        stolen_s: CPU time that this virtual machine was ready to run and its host did not let it.
    """
    notes: list[str] = []
    busy, stolen = others_s / (took_s * cores), stolen_s / (took_s * cores)
    if busy > _BUSY:
        notes.append(f"other processes used {busy:.0%} of the machine: stop them and calibrate again")
    if stolen > _STOLEN:
        notes.append(f"the host of this virtual machine took {stolen:.0%} of its time: its neighbours are in the rates")
    drifts = {kind: change for kind, found in repeats.items() if (change := _drift(found)) is not None}
    if drifts:
        worst = max(drifts, key=lambda kind: abs(drifts[kind]))
        change = f"{abs(drifts[worst]):.0%} {'slower' if drifts[worst] < 0 else 'faster'}"
        names = ", ".join(kind.replace("_", " ") for kind in drifts)
        notes.append(
            f"the machine drifted: {worst.replace('_', ' ')} became {change} from the first half to the second "
            f"(drifted: {names}); let it cool or settle, and calibrate again"
        )
    noisy = [kind for kind, found in repeats.items() if not kind.startswith("disk") and _is_noisy(found)]
    if noisy:
        names = ", ".join(kind.replace("_", " ") for kind in noisy)
        notes.append(f"repeats differ by more than {_NOISE:.0%}: {names}")
    return tuple(notes)


def _is_noisy(repeats: Sequence[Repeat]) -> bool:
    return rate_of(repeats, unit="").spread > _NOISE


def _drift(repeats: Sequence[Repeat]) -> float | None:
    """The relative change of the median from the first half to the second, None unless it is large and certain."""
    if len(repeats) < _FEWEST_FOR_DRIFT:
        return None
    half = len(repeats) // 2
    first, second = repeats[:half], repeats[half:]
    before, after = (statistics.median(each.amount / each.took_s for each in part) for part in (first, second))
    change = after / before - 1.0
    doubt = math.hypot(*(min(1.0, certainty(part)) if len(part) >= 9 else 1.0 for part in (first, second)))
    return change if abs(change) > max(_DRIFT, 1.5 * doubt) else None


def _quantile(ordered: Sequence[float], fraction: float) -> float:
    place = fraction * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
