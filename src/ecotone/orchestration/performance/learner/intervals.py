"""How wide 90 % intervals have to be, and how far each column can be extrapolated. Called by `learn`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy

from ecotone.orchestration.performance.learner.families import PHYSICAL
from ecotone.orchestration.performance.learner.model import NEAR, Extrapolated, Feature, Intervals, allowed
from ecotone.orchestration.performance.learner.validation import FEW_ROWS, Trial, blend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecotone.orchestration.performance.interface import Floats

__all__ = ["extrapolated", "fitted_intervals"]

_CURVATURE = 0.1
"""Spread of how much an exponent changes while a feature grows by a factor of e, where nothing was held out to see."""
_LEVEL = 0.9
_NOISE_MIN = 0.005
"""Added to the size of every error before its logarithm is taken."""
_BEYOND_MIN = 0.05
"""Least half-width of an interval beyond the range, in logarithms: nobody knows better than that."""
_CROSSED_MIN = 0.3
"""Least share of settings of the other columns that were run with both values of a column that took two."""
_INFLATION_MAX = 2.0
"""Largest variance inflation factor of a column with two values that still tells its effect from the others'."""


def fitted_intervals(
    scattered: Sequence[Trial],
    trials: Sequence[Trial],
    chosen: dict[str, float],
    features: Sequence[Feature],
    *,
    extrapolating: bool,
) -> Intervals:
    level, slopes, low, high = _noise(scattered, chosen if not extrapolating else dict.fromkeys(PHYSICAL[:1], 1.0))
    shape = Intervals(
        quantile=1.0,
        growth=0.0,
        beyond_least=_BEYOND_MIN if extrapolating else 0.0,
        noise_level=level,
        noise_slopes=slopes,
        noise_low=low,
        noise_high=high,
        curvature=_CURVATURE,
    )
    physical: Mapping[str, float] = dict.fromkeys(PHYSICAL[:1], 1.0)
    inside = msgspec.structs.replace(shape, quantile=_scatter(shape, scattered, physical if extrapolating else chosen))
    if not trials or not extrapolating:
        return inside
    return msgspec.structs.replace(inside, growth=_growth(inside, trials, chosen))


def _scatter(shape: Intervals, folds: Sequence[Trial], chosen: Mapping[str, float]) -> float:
    """How many times the noise holds 90 % of what was held out, after what the other terms of an interval allow."""
    scores: list[Floats] = []
    for fold in folds:
        said, apart = blend(fold, chosen, median=False)
        left = numpy.maximum(0.0, (said - fold.logs) ** 2 - allowed(shape, apart, fold.beyond))
        scores.append(numpy.sqrt(left) / shape.noise(fold.z))
    every = numpy.concatenate(scores)
    return _quantile(every, numpy.ones(len(every)), _LEVEL)


def _growth(inside: Intervals, cuts: Sequence[Trial], chosen: Mapping[str, float]) -> float:
    """What 90 % of the errors above the cuts grow by for each range of the column, beside what the other terms allow.
    Each cut counts by its weight, however many rows it holds."""
    scores: list[Floats] = []
    weights: list[Floats] = []
    for cut in cuts:
        said, apart = blend(cut, chosen, median=True)
        scattered = (inside.quantile * inside.noise(cut.z)) ** 2
        left = numpy.maximum(0.0, (said - cut.logs) ** 2 - allowed(inside, apart, cut.beyond) - scattered)
        scores.append(numpy.sqrt(left) / numpy.maximum(cut.distance, NEAR))
        weights.append(numpy.full(len(left), cut.weight / len(left)))
    return _quantile(numpy.concatenate(scores), numpy.concatenate(weights), _LEVEL)


def _noise(scattered: Sequence[Trial], chosen: Mapping[str, float]) -> tuple[float, tuple[float, ...], float, float]:
    """A power law of the size of errors, by ridge regression; constant for few runs."""
    z = numpy.concatenate([trial.z for trial in scattered])
    sizes = (
        numpy.concatenate([numpy.abs(blend(trial, chosen, median=False)[0] - trial.logs) for trial in scattered])
        + _NOISE_MIN
    )
    logs = numpy.log(sizes)
    d = z.shape[1]
    if len(logs) < FEW_ROWS:
        size = float(numpy.exp(logs.mean()))
        return math.log(size), (0.0,) * d, size, size
    centre, spread = z.mean(axis=0), z.std(axis=0)
    standard = (z - centre) / spread
    slopes = numpy.linalg.solve(standard.T @ standard + 10.0 * numpy.eye(d), standard.T @ (logs - logs.mean()))
    fitted = numpy.exp(logs.mean() + standard @ slopes)
    low, high = numpy.quantile(fitted, [0.02, 0.98])
    level = float(logs.mean() - centre @ (slopes / spread))
    return level, tuple(float(each) for each in slopes / spread), float(low), float(high)


def _quantile(scores: Floats, weights: Floats, level: float) -> float:
    """Weighted, with room for the one that is asked about (split conformal)."""
    order = numpy.argsort(scores)
    total = numpy.cumsum(weights[order]) / weights.sum()
    wanted = min(1.0, level * (1.0 + 1.0 / len(scores)))
    return float(scores[order][min(len(order) - 1, int(numpy.searchsorted(total, wanted)))])


def extrapolated(features: Sequence[Feature], z: Floats, place: int) -> Extrapolated:
    """Whether and how far a column can be extrapolated: never further than it was seen to vary.

    A column with two values has an effect of its own only where it varied alone, or hardly together with others.
    """
    levels = numpy.unique(z[:, place])
    reach = float(levels[-1] - levels[0])
    why = ""
    if len(levels) == 2 and _crossed(z, place) < _CROSSED_MIN and _inflation(z, place) > _INFLATION_MAX:
        why = "it took two values only, and other columns changed with it, so its effect cannot be told from theirs"
    return Extrapolated(column=features[place].name, reach=reach, validated=len(levels) > 2, why=why)


def _crossed(z: Floats, place: int) -> float:
    """The share of settings of the other columns that were run with several values of this one."""
    distinct = numpy.unique(z, axis=0)
    _, counts = numpy.unique(numpy.delete(distinct, place, axis=1), axis=0, return_counts=True)
    return float((counts > 1).mean())


def _inflation(z: Floats, place: int) -> float:
    """Variance inflation factor of a column: 1 where the others say nothing of it."""
    distinct = numpy.unique(z, axis=0)
    others = numpy.c_[numpy.ones(len(distinct)), numpy.delete(distinct, place, axis=1)]
    column = distinct[:, place]
    left = column - others @ numpy.linalg.lstsq(others, column, rcond=None)[0]
    share = float((left**2).sum() / ((column - column.mean()) ** 2).sum())
    return math.inf if share <= 0.0 else 1.0 / share
