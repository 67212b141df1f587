"""Choosing runs: on programs whose times are known, so that what the chooser believes is compared with the truth."""

from __future__ import annotations

import itertools
import time

import numpy
import pytest

from ecotone.orchestration.performance.learner.choice import Chooser

GRID = numpy.array(list(itertools.product([1, 2, 4, 8, 16], [1, 2, 4], [240, 480, 960])), dtype=float)


def seconds(grid: numpy.ndarray, noise: float = 0.0, seed: int = 0) -> numpy.ndarray:
    """A program with a fixed part, one that batches amortise, and one that cores share."""
    batch, cores, size = grid.T
    exact = 0.02 + 0.004 * batch + 2e-7 * size**2 * batch / cores
    return exact * numpy.exp(noise * numpy.random.default_rng(seed).normal(size=len(grid)))


def explored(seed: int, noise: float, accuracy: float, runs_max: int = 30) -> tuple[Chooser, float]:
    """The chooser when it stops, and the true mean relative error of what was not measured."""
    chooser = Chooser(GRID, seed)
    random = numpy.random.default_rng(seed)
    truth = seconds(GRID)
    while not chooser.done(accuracy) and len(chooser.runs) < runs_max:
        index = chooser.next()
        chooser.tell(index, float(truth[index] * numpy.exp(noise * random.normal())))
    rest = numpy.setdiff1d(numpy.arange(len(GRID)), [index for index, _ in chooser.runs])
    mean, _ = chooser.predict(GRID[rest])
    return chooser, float(numpy.abs(numpy.exp(mean) / truth[rest] - 1).mean())


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_it_stops_early_and_is_as_accurate_as_it_says(noise: float) -> None:
    for seed in range(2):
        chooser, error = explored(seed, noise, accuracy=0.1)
        assert chooser.done(0.1) and len(chooser.runs) <= 25
        assert error <= 0.1


def test_equal_runs_give_equal_choices_also_after_an_interruption() -> None:
    first, _ = explored(1, 0.05, accuracy=0.1, runs_max=12)
    again = Chooser.resumed(GRID, first.runs, seed=1)
    assert again.next() == first.next()
    assert again.expected_error() == first.expected_error()
    assert Chooser.resumed(GRID, first.runs[:5], seed=1).next() == first.runs[5][0]


def test_a_run_that_does_not_fit_is_repeated_and_bends_nothing() -> None:
    chooser, _ = explored(0, 0.01, accuracy=0.001, runs_max=16)
    known = {index for index, _ in chooser.runs}
    middle = min(set(range(len(GRID))) - known, key=lambda index: chooser.predict(GRID[[index]])[1][0])
    chooser.tell(middle, float(seconds(GRID)[middle]) * 3)
    assert chooser.next() == middle
    chooser.tell(middle, float(seconds(GRID)[middle]))
    mean, _ = chooser.predict(GRID[[middle]])
    assert numpy.exp(mean[0]) == pytest.approx(seconds(GRID)[middle], rel=0.15)


def test_noise_that_no_configuration_explains_is_not_believed_away() -> None:
    chooser = Chooser(GRID, 0)
    random = numpy.random.default_rng(0)
    for _ in range(20):
        index = chooser.next()
        chooser.tell(index, float(numpy.exp(0.6 * random.normal())))
    assert not chooser.done(0.1)
    assert chooser.expected_error() > 0.2


def test_only_what_can_be_measured_is_named() -> None:
    chooser = Chooser(GRID, 0)
    free = [False] * len(GRID)
    free[7] = True
    assert chooser.next(free) == 7


def test_a_column_that_never_varies_does_no_harm() -> None:
    grid = numpy.c_[GRID, numpy.full(len(GRID), 3.0)]
    assert Chooser(grid, 0).next() == Chooser(GRID, 0).next()


def test_it_decides_quickly() -> None:
    grid = numpy.array(list(itertools.product(range(1, 13), range(1, 13), range(1, 13))), dtype=float)
    chooser = Chooser(grid, 0)
    for _ in range(20):
        index = chooser.next()
        chooser.tell(index, float(seconds(grid)[index]))
    start_s = time.process_time()
    chooser.next()
    assert time.process_time() - start_s < 0.5  # about 0.05 when nothing else runs
