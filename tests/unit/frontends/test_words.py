"""Figures and verdicts as text."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.reports import STARTED_S, broken_run, mobility_plan, mobility_run

from ecotone.core.messages import Event
from ecotone.frontends import words


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0302, "30.2 ms"), (1.5, "1.5 s"), (0.0, "0 s")],  # noqa: RUF001
)
def test_times(value, text):
    assert words.time_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.0/s"), (24.97, "25.0/s"), (250.4, "250/s"), (0.02, "1.2/min"), (1.0, "1.0/s")]
)
def test_rates(value, text):
    assert words.rate_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.1643, "0.164"), (12.345, "12.3"), (0.0000331, "<0.0001"), (0.000202, "0.0002"), (1234.56, "1235")],
)
def test_prices_have_three_digits_and_no_powers_of_ten(value, text):
    assert words.price_text(value) == text


@pytest.mark.parametrize(("share", "text"), [(0, "0 %"), (0.001, "<1 %"), (0.61, "61 %"), (1, "100 %")])
def test_shares(share, text):
    assert words.percent_text(share) == text


def test_clock():
    assert words.elapsed_text(75.9) == "1:15"
    assert words.elapsed_text(3725) == "1:02:05"


def test_bar_fills_its_width_and_no_more():
    assert words.bar_text(0, 4) == "    "
    assert words.bar_text(0.5, 4) == "━━  "
    assert words.bar_text(0.625, 4) == "━━╸ "
    assert words.bar_text(7, 4) == "━━━━"


def test_spark_shows_gaps_and_is_scaled_by_the_promise():
    assert words.spark_text([1.0, None, 1.0], 4, full=2.0) == " ▄ ▄"
    assert words.spark_text([], 3) == "   "
    assert words.spark_text([None], 3) == "   "
    assert words.spark_text([0.0, 0.0], 3) == "   "
    assert words.spark_text([3.0, 1.0], 2, full=2.0) == "█▃"


def test_quantile_interpolates():
    assert words.quantile([], 0.5) is None
    assert words.quantile([3.0], 0.95) == 3.0
    assert words.quantile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert words.quantile([1.0, 2.0], 0.25) == 1.25
    assert words.quantile([1.0, 2.0], 1.0) == 2.0


def test_promises_in_words():
    assert words.promises_in_words(mobility_run()) == ("all 3 promises kept", True)
    assert words.promises_in_words(broken_run()) == ("2 of 3 promises broken", False)
    bare = msgspec.structs.replace(mobility_run(), paths=(), components=())
    assert words.promises_in_words(bare) == ("the application promises no latency", True)
    unknown = msgspec.structs.replace(mobility_run().paths[0], kept=None, measured_s=None)
    partly = msgspec.structs.replace(mobility_run(), paths=(unknown,))
    assert words.promises_in_words(partly) == ("2 of 3 promises kept, 1 not measured yet", True)


def test_proof_says_how_far_from_the_optimum():
    assert words.proof_text(mobility_plan()) == "optimal, proven"
    open_plan = msgspec.structs.replace(mobility_plan(), optimal=False, gap=0.0321)
    assert words.proof_text(open_plan) == "best found, at most 3.3 % above the optimum"
    half = msgspec.structs.replace(open_plan, gap=0.5)  # half of the cost may be too much: twice the optimum
    assert words.proof_text(half) == "best found, at most 100 % above the optimum"
    nothing_known = msgspec.structs.replace(open_plan, gap=1.0)
    assert words.proof_text(nothing_known) == "best found, with no bound on how much less would do"


def test_relief_of_the_cloud():
    text = words.cloud_relief(mobility_run())
    assert text == "taken off the cloud: 87 % of the work, 97 % of the bytes that crossed links"
    assert words.cloud_relief(msgspec.structs.replace(mobility_run(), layers=())) == ""


def test_events_are_shown_in_seconds_of_the_run():
    run = mobility_run()
    assert words.since_start_s(run, Event(time_s=STARTED_S + 3.5, kind="x")) == pytest.approx(3.5)
    assert words.since_start_s(run, Event(time_s=2.5, kind="x")) == 2.5
