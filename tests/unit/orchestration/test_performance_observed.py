"""What running applications teach: corrections, and shifts of the error, on simulated runs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ecotone.core.errors import InputError
from ecotone.infrastructure.telemetry.histogram import bucket_of
from ecotone.orchestration.performance.observed import (
    Expected,
    Follower,
    Observed,
    Shift,
    read_observed,
    write_observed,
)

EXPECTED = {("blur", "edge-1"): Expected(variant="small", node_type="edge", service_s=0.01)}


class Run:
    """Calls of blur on edge-1, counted since the start as agents count them."""

    def __init__(self, before: Observed | None = None, seed: int = 0) -> None:
        self.follower = Follower(EXPECTED, before)
        self.random = random.Random(seed)
        self.counts: dict[int, int] = {}
        self.shifts: list[Shift] = []

    def go(self, windows: int, ratio: float, spread: float = 0.2, calls: int = 25) -> Run:
        for _ in range(windows):
            for _ in range(calls):
                bucket = bucket_of(0.01 * ratio * self.random.lognormvariate(0.0, spread))
                self.counts[bucket] = self.counts.get(bucket, 0) + 1
            if (shift := self.follower.see("blur", "edge-1", self.counts)) is not None:
                self.shifts.append(shift)
        return self

    @property
    def used(self) -> float:
        return self.follower.observed().ratio("blur", "small", "edge")


def test_what_is_as_predicted_changes_nothing() -> None:
    run = Run().go(60, 1.03)
    assert not run.shifts and run.used == 1.0


def test_a_wrong_prediction_is_corrected_by_degrees() -> None:
    few, many = Run().go(2, 1.6).used, Run().go(60, 1.6).used
    assert 1.0 < few < 1.35
    assert many == pytest.approx(1.6, rel=0.1)


def test_the_next_run_begins_with_what_was_learnt_and_plans_change_only_for_a_reason() -> None:
    first = Run().go(60, 1.6).follower.observed()
    second = Run(first, seed=1).go(30, 1.63)
    assert second.used == first.ratio("blur", "small", "edge")
    assert Run(first, seed=2).go(60, 1.0).used == pytest.approx(1.0, abs=0.12)


def test_a_shift_is_told_once_with_its_levels() -> None:
    run = Run().go(30, 1.0).go(30, 1.5)
    (shift,) = run.shifts
    assert (shift.component, shift.node) == ("blur", "edge-1")
    assert shift.before == pytest.approx(1.0, rel=0.1)
    assert shift.after == pytest.approx(1.5, rel=0.1)
    assert "blur on edge-1" in str(shift)
    assert run.used == pytest.approx(1.5, rel=0.15)


def test_a_shift_is_found_soon_and_in_both_directions() -> None:
    run = Run().go(30, 1.0).go(6, 1.5).go(30, 1.5).go(6, 0.9)
    assert len(run.shifts) == 2 and run.shifts[1].after < 1.1


@pytest.mark.parametrize("windows", [2, 4, 6, 8, 10, 14])
def test_a_shift_while_it_still_learns_what_is_usual_is_learnt_too(windows: int) -> None:
    first = Run().go(16, 1.05).follower.observed()
    for seed in range(5):
        run = Run(first, seed).go(windows, 1.1).go(25, 2.6)
        assert run.used > 1.7
        assert all(shift.after == pytest.approx(2.6, rel=0.1) for shift in run.shifts)


def test_a_slow_rise_before_a_shift_does_not_hide_it() -> None:
    run = Run().go(30, 1.0, spread=0.05).go(12, 1.035, spread=0.05).go(12, 2.6, spread=0.05)
    assert run.shifts and run.shifts[-1].after == pytest.approx(2.6, rel=0.1)


def test_noise_and_odd_windows_are_no_shift() -> None:
    for seed in range(10):
        run = Run(seed=seed).go(300, 1.1, spread=0.5)
        run.go(1, 5.0).go(20, 1.1, spread=0.5)
        assert not run.shifts


def test_an_odd_window_bends_little() -> None:
    assert Run().go(30, 1.0).go(1, 20.0).go(5, 1.0).used == 1.0


def test_what_nobody_predicted_and_few_calls_say_nothing() -> None:
    follower = Follower(EXPECTED)
    assert follower.see("other", "edge-1", {100: 1000}) is None
    assert follower.see("blur", "edge-1", {100: 3}) is None
    assert follower.observed() == Observed()


def test_it_is_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "performance" / "observed.json"
    assert read_observed(path) is None
    observed = Run().go(30, 1.6).follower.observed()
    write_observed(path, observed)
    assert read_observed(path) == observed
    path.write_text("{")
    with pytest.raises(InputError, match="delete it"):
        read_observed(path)
