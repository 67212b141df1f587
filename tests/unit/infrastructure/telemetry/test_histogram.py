from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.infrastructure.telemetry.histogram import BUCKETS, bucket_of, bucket_value_s, merge, quantile_s


@given(st.floats(min_value=1e-6, max_value=3600))
def test_a_bucket_stands_for_its_durations_within_one_percent(duration_s: float) -> None:
    assert bucket_value_s(bucket_of(duration_s)) == pytest.approx(duration_s, rel=0.0101)


@pytest.mark.parametrize("duration_s", [-1.0, 0.0, 1e-9, 1e9, float("inf")])
def test_what_is_out_of_range_is_counted_at_the_edge(duration_s: float) -> None:
    assert bucket_of(duration_s) in {0, BUCKETS - 1}


def test_quantiles_of_merged_histograms_are_those_of_all_values() -> None:
    rng = random.Random(7)
    parts = [[rng.lognormvariate(-4, 0.7) for _ in range(700)] for _ in range(3)]
    counts = []
    for part in parts:
        histogram: dict[int, int] = {}
        for value in part:
            histogram[bucket_of(value)] = histogram.get(bucket_of(value), 0) + 1
        counts.append(histogram)
    values = sorted(value for part in parts for value in part)
    for fraction in (0.01, 0.5, 0.95, 0.99):
        exact = values[int(fraction * len(values))]
        assert quantile_s(merge(counts), fraction) == pytest.approx(exact, rel=0.03)


def test_no_values_have_no_quantile() -> None:
    assert quantile_s({}, 0.5) is None
