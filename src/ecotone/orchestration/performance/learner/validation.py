"""Validation that is like the question: rows held out at random, or the top of a column. Called by `learn`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy

from ecotone.orchestration.performance.learner.checked import ROWS_MIN
from ecotone.orchestration.performance.learner.families import Fitter, predicted
from ecotone.orchestration.performance.learner.model import BEYOND_MAX, beyond_range, combined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.performance.learner.progress import Steps

__all__ = ["FEW_ROWS", "Cut", "Trial", "blend", "cuts", "folds", "relative", "trial"]

Mask = numpy.ndarray[tuple[int], numpy.dtype[numpy.bool_]]

FEW_ROWS = 40
_FOLDS = 5
_CUTS = (0.45, 0.6, 0.8)
"""How much of a column's lower values is learnt from when the rest is predicted in validation."""
_CUT_POWER = 4.0
"""Cuts that leave little out are most like the final question: weight by the share learnt from, to this power."""
_JUDGED_MIN = 5


class Cut(NamedTuple):
    """Rows to learn from, rows to judge by, how much it counts, and the column whose top is held out."""

    learnt: Mask
    judged: Mask
    weight: float
    place: int | None = None


class Trial(NamedTuple):
    """One validation: what was held out, how far it is beyond the columns that are not asked about and, in its ranges,
    above the one that is, what each family said of it, and how much it counts."""

    z: Floats
    logs: Floats
    beyond: Floats
    distance: Floats
    said: dict[str, Floats]
    weight: float


def folds(rows: int) -> list[Mask]:
    """Masks of what is held out: each row once."""
    count = _FOLDS if rows >= FEW_ROWS else min(rows, 2 * _FOLDS)
    place = numpy.random.default_rng(0).permutation(rows) % count
    return [place == fold for fold in range(count)]


def cuts(z: Floats, place: int) -> list[Cut]:
    """The top of a column held out, at several heights; none below three values: one value teaches nothing of it.

    What is also far beyond the other columns would not be supported, and is not judged by, where enough is left.
    """
    values = z[:, place]
    levels = numpy.unique(values)
    count = len(levels)
    kept = sorted({min(count - 1, max(1, round(share * count))) for share in _CUTS})
    kept = [each for each in kept if each >= 3] or [each for each in kept if each >= 2]
    found: list[Cut] = []
    for each in kept:
        learnt = values <= levels[each - 1]
        if learnt.sum() < ROWS_MIN:
            continue
        beyond = _beyond(z[learnt], z)
        near = (numpy.delete(beyond, place, axis=1) <= BEYOND_MAX).all(axis=1)
        near &= beyond[:, place] <= levels[each - 1] - levels[0]
        judged = ~learnt & near if (~learnt & near).sum() >= _JUDGED_MIN else ~learnt
        found.append(Cut(learnt, judged, (each / count) ** _CUT_POWER, place))
    return found


def _beyond(learnt: Floats, z: Floats) -> Floats:
    return beyond_range(learnt.min(axis=0), learnt.max(axis=0), z)


def trial(z: Floats, logs: Floats, cut: Cut, families: Sequence[str], steps: Steps) -> Trial:
    """What each family, learnt from one part, says of the other; families that need more rows are left out."""
    fitter = Fitter(z[cut.learnt], logs[cut.learnt])
    said: dict[str, Floats] = {}
    for family in families:
        steps.say(f"trying {family}")
        forms = fitter.fit(family)
        if forms is not None:
            said[family] = predicted(forms, z[cut.judged])
    beyond = _beyond(z[cut.learnt], z[cut.judged])
    distance = numpy.zeros(len(beyond))
    if cut.place is not None:
        distance = beyond[:, cut.place] / numpy.ptp(z[cut.learnt, cut.place])
        beyond[:, cut.place] = 0.0
    return Trial(z[cut.judged], logs[cut.judged], beyond, distance, said, cut.weight)


def relative(said: Floats, logs: Floats) -> Floats:
    """Errors as a share of what was measured, at most 1 upwards or downwards."""
    return numpy.abs(numpy.expm1(numpy.clip(said - logs, -1.0, math.log(2.0))))


def blend(trial: Trial, chosen: Mapping[str, float], *, median: bool) -> tuple[Floats, Floats]:
    """What the chosen families said together, and how far they were apart; see `combined`."""
    each = numpy.stack([trial.said[family] for family in chosen])
    return combined(each, None if median else numpy.array(list(chosen.values())))
