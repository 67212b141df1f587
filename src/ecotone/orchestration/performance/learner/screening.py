"""Which columns to learn from, where there are more than the families can tell apart. Called by `learn`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

from ecotone.orchestration.performance.learner.fitting import Boosting, fit_trees

if TYPE_CHECKING:
    from collections.abc import Collection

    from ecotone.orchestration.performance.interface import Floats

__all__ = ["FEATURES_MAX", "most_telling"]

FEATURES_MAX = 10
"""Sums of products of more features than this have more terms than tables of runs have rows."""
_FOLDS = 3
_QUICK = Boosting(rounds=100, rate=0.1, leaves=15)


def most_telling(z: Floats, logs: Floats, always: Collection[int]) -> list[int]:
    """The places of at most `FEATURES_MAX` columns, in order: those of `always`, and those whose values, shuffled in
    rows that were held out, cost boosted trees the most accuracy (permutation importance, Breiman 2001).

    Args:
        z: (runs, features).
        logs: (runs,).
        always: places to keep whatever they tell.
    """
    count = z.shape[1]
    if count <= FEATURES_MAX:
        return list(range(count))
    telling = _permuted(z, logs)
    if telling is None:
        telling = numpy.abs(numpy.nan_to_num(numpy.corrcoef(z, logs, rowvar=False)[-1, :-1]))
    order = sorted(range(count), key=lambda place: (place not in always, -telling[place]))
    return sorted(order[: max(FEATURES_MAX, len(always))])


def _permuted(z: Floats, logs: Floats) -> Floats | None:
    """How much the error grows with each column shuffled; None for too few runs."""
    random = numpy.random.default_rng(0)
    place = random.permutation(len(logs)) % _FOLDS
    growth = numpy.zeros(z.shape[1])
    for fold in range(_FOLDS):
        held = place == fold
        trees = fit_trees(z[~held], logs[~held], _QUICK)
        if trees is None:
            return None
        plain = numpy.abs(trees.predict(z[held]) - logs[held]).mean()
        for column in range(z.shape[1]):
            shuffled = z[held].copy()
            shuffled[:, column] = random.permutation(shuffled[:, column])
            growth[column] += numpy.abs(trees.predict(shuffled) - logs[held]).mean() - plain
    return growth
