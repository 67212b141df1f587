"""How many runs a model needs when its runs are chosen: at most 30 for 10 % on each GPU set, and at most half of what
random sampling needs. Beside it: the noise that no model can beat, and the true error where the chooser stops by
itself. Its stop rule was set on these six sets with seeds 0 to 9; `--first-seed 10` shows seeds it was not set on.
Called by `python -m benchmarks.performance few_runs`.
"""

from __future__ import annotations

import argparse
import math
from typing import NamedTuple, Protocol

import numpy
from benchmarks._table import median, show
from benchmarks.performance._sets import TableOfRuns, tables

from ecotone.orchestration.performance.learner.choice import Chooser
from ecotone.orchestration.performance.learner.process import LogProcess, Prior

try:
    from xgboost import XGBRegressor
except ImportError:
    XGBRegressor = None

__all__ = ["run"]

ACCURACY = 0.10
SEEDS = 10
CHOSEN_MAX = 60
RANDOM_MAX = 160
_FREEDOM = 4.0


class _Set(NamedTuple):
    """Distinct configurations, the figures of each one's rows, and their medians: the truth."""

    name: str
    is_gpu: bool
    features: numpy.ndarray
    rows: list[numpy.ndarray]
    truth: numpy.ndarray

    @property
    def floor(self) -> float:
        """How far single rows are from their configuration's median."""
        many = [rows for rows in self.rows if len(rows) > 1]
        return float(numpy.mean(numpy.concatenate([numpy.abs(numpy.median(rows) / rows - 1) for rows in many])))

    def error(self, logs: numpy.ndarray, asked: numpy.ndarray) -> float:
        return float(numpy.mean(numpy.abs(numpy.exp(logs) / self.truth[asked] - 1)))


class _Course(NamedTuple):
    """`reach`: runs to the first error within `ACCURACY`; `stop`: where it stopped by itself, and `error` there."""

    reach: float
    stop: float
    error: float


class _Model(Protocol):
    def __call__(self, x: numpy.ndarray, logs: numpy.ndarray, asked: numpy.ndarray) -> numpy.ndarray: ...


def run(*, quick: bool, first_seed: int = 0) -> None:
    sets = [_set(each) for each in tables()]
    seeds = range(first_seed, first_seed + (2 if quick else SEEDS))
    reached: list[list[str]] = []
    stopped: list[list[str]] = []
    for each in sets:
        courses = [_chosen(each, seed) for seed in seeds]
        chosen = median([course.reach for course in courses])
        if each.is_gpu:
            random = median([_sampled(each, seed, _process(each)) for seed in seeds])
            boosted = median([_sampled(each, seed, _boosted) for seed in seeds]) if XGBRegressor is not None else None
            kept = "yes" if chosen <= 30 and chosen <= 0.5 * random else "no"
            peer = "not installed" if boosted is None else _runs(boosted, RANDOM_MAX)
            cells = [_runs(chosen, CHOSEN_MAX), _runs(random, RANDOM_MAX), _ratio(chosen, random), peer]
            reached.append([each.name, str(len(each.truth)), *cells, f"{each.floor:.1%}", kept])
        own = [course for course in courses if math.isfinite(course.stop)]
        right = sum(course.error <= ACCURACY for course in own)
        errors = [course.error for course in own]
        stopped.append(
            [
                each.name,
                f"{len(own)}/{len(courses)}",
                f"{median([course.stop for course in own]):.0f}" if own else "-",
                f"{right}/{len(own)}",
                f"{median(errors):.1%}" if own else "-",
                f"{max(errors):.1%}" if own else "-",
            ]
        )
    header = ["set", "configurations", "chosen", "random", "ratio", "random, XGBoost", "noise", "<= 30, <= 0.5"]
    show(f"Runs to {ACCURACY:.0%} against configuration medians, median of {len(seeds)} seeds", header, reached)
    header = ["set", f"stopped by {CHOSEN_MAX} runs", "at", "right", "true error, median", "worst"]
    show(f"Where the chooser says that it is within {ACCURACY:.0%}", header, stopped)


def _set(runs: TableOfRuns) -> _Set:
    names = [name for name in runs.table.names if name != runs.target]
    values = runs.table.only(names).values
    values = values[:, numpy.ptp(values, axis=0) > 0]
    # A column that starts at zero has no logarithm: it is counted from a half.
    values = numpy.where(values.min(axis=0) <= 0, values + 0.5, values)
    features, place = numpy.unique(values, axis=0, return_inverse=True)
    figures = runs.table.column(runs.target)
    rows = [figures[place.ravel() == index] for index in range(len(features))]
    return _Set(runs.name, runs.is_gpu, features, rows, numpy.array([numpy.median(each) for each in rows]))


def _chosen(runs: _Set, seed: int) -> _Course:
    """Each run is a row of the configuration that the chooser names, at random and once."""
    random = numpy.random.default_rng(seed)
    left = [list(random.permutation(rows)) for rows in runs.rows]
    chooser = Chooser(runs.features, seed)
    reach = stop = error = math.inf
    most = min(CHOSEN_MAX, len(runs.truth) - 1)
    while len(chooser.runs) < most and not (math.isfinite(reach) and math.isfinite(stop)):
        index = chooser.next([bool(rows) for rows in left])
        chooser.tell(index, float(left[index].pop()))
        asked = numpy.setdiff1d(numpy.arange(len(runs.truth)), [each for each, _ in chooser.runs])
        now = runs.error(chooser.predict(runs.features[asked])[0], asked)
        if now <= ACCURACY and len(chooser.runs) > runs.features.shape[1]:
            reach = min(reach, len(chooser.runs))
        if math.isinf(stop) and chooser.done(ACCURACY):
            stop, error = len(chooser.runs), now
    return _Course(reach, stop, error)


def _sampled(runs: _Set, seed: int, model: _Model) -> float:
    """Runs to the accuracy when configurations are drawn at random."""
    random = numpy.random.default_rng(seed)
    order = random.permutation(len(runs.truth))
    logs = numpy.log([random.choice(runs.rows[index]) for index in order])
    z = numpy.log(runs.features)
    for count in _counts(runs.features.shape[1] + 1, min(RANDOM_MAX, len(order) - 20)):
        asked = order[count:]
        if runs.error(model(z[order[:count]], logs[:count], z[asked]), asked) <= ACCURACY:
            return count
    return math.inf


def _counts(first: int, last: int) -> list[int]:
    return [n for n in range(first, last + 1) if n <= 40 or (n <= 80 and n % 2 == 0) or n % 5 == 0]


def _process(runs: _Set) -> _Model:
    """The chooser's own model."""
    z = numpy.log(runs.features)

    def model(x: numpy.ndarray, logs: numpy.ndarray, asked: numpy.ndarray) -> numpy.ndarray:
        process = LogProcess(z.min(axis=0), z.max(axis=0), Prior())
        trust = numpy.ones(len(logs))
        for _ in range(2):
            process.refine(x, logs, trust)
            process.condition(x, logs, trust)
            trust = process.trust(trust, _FREEDOM)
        process.condition(x, logs, trust)
        return process.predict(asked)[0]

    return model


def _boosted(x: numpy.ndarray, logs: numpy.ndarray, asked: numpy.ndarray) -> numpy.ndarray:
    assert XGBRegressor is not None
    trees = XGBRegressor(n_estimators=200, learning_rate=0.1, max_depth=4, min_child_weight=1, n_jobs=1)
    return trees.fit(x, logs).predict(asked)


def _runs(value: float, most: int) -> str:
    return f"{value:.0f}" if math.isfinite(value) else f"> {most}"


def _ratio(chosen: float, random: float) -> str:
    if math.isinf(chosen):
        return "-"
    return f"{chosen / random:.2f}" if math.isfinite(random) else f"< {chosen / RANDOM_MAX:.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-seed", type=int, default=0)
    run(quick=False, first_seed=parser.parse_args().first_seed)
