"""Logarithmic buckets for durations: 1 us to 3600 s with a relative error of at most 1 %.

Hosts count into a shared page (`bucket_of`), agents and the controller merge and read quantiles. The idea is that of
DDSketch (Masson, Rim, Lee, VLDB 2019): buckets that grow by a constant factor bound the relative error of a quantile.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["BUCKETS", "bucket_of", "bucket_value_s", "merge", "quantile_s"]

_SMALLEST_S = 1e-6
_LARGEST_S = 3600.0
_LOG_GROWTH = math.log(1.02)
BUCKETS = math.ceil(math.log(_LARGEST_S / _SMALLEST_S) / _LOG_GROWTH) + 1


def bucket_of(duration_s: float) -> int:
    """The bucket, 0 to BUCKETS - 1; what is out of range goes to the first or last one."""
    if duration_s <= _SMALLEST_S:
        return 0
    if duration_s >= _LARGEST_S:
        return BUCKETS - 1
    return min(BUCKETS - 1, math.ceil(math.log(duration_s / _SMALLEST_S) / _LOG_GROWTH))


def bucket_value_s(bucket: int) -> float:
    """The duration in seconds that stands for a bucket: its geometric middle."""
    return _SMALLEST_S * math.exp((bucket - 0.5) * _LOG_GROWTH)


def merge(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Counts by bucket, added up."""
    total: dict[int, int] = {}
    for counts in histograms:
        for bucket, count in counts.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def quantile_s(counts: Mapping[int, int], fraction: float) -> float | None:
    """The duration in seconds below which `fraction` (0 to 1) of the counts lie; None when there are none."""
    total = sum(counts.values())
    if total == 0:
        return None
    rank, below = math.ceil(fraction * total), 0
    for bucket in sorted(counts):
        below += counts[bucket]
        if below >= max(rank, 1):
            return bucket_value_s(bucket)
    return bucket_value_s(max(counts))
