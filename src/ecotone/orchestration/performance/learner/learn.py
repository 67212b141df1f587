"""Learns a performance model from a table of runs: which families, with which weights, how sure, and where not to ask.

`fit` is the only entry. Validation is like the question: values held out at random for interpolation; the top of each
named column held out, at several cuts, for extrapolation. What is asked about later is never seen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import numpy

from ecotone.core.errors import InputError
from ecotone.orchestration.performance.learner.checked import ROWS_MIN, of_runs
from ecotone.orchestration.performance.learner.families import (
    EXTRAPOLATING,
    FEW,
    FEW_EXTRAPOLATING,
    INTERPOLATING,
    PHYSICAL,
    Fitter,
    predicted,
)
from ecotone.orchestration.performance.learner.model import (
    BEYOND_MAX,
    Z90,
    Candidate,
    Extrapolated,
    Feature,
    Intervals,
    LearnedModel,
    Member,
    combined,
    transformed,
)
from ecotone.orchestration.performance.learner.screening import most_telling
from ecotone.orchestration.performance.learner.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecotone.orchestration.performance.interface import Floats

__all__ = ["Progress", "fit"]

Mask = numpy.ndarray[tuple[int], numpy.dtype[numpy.bool_]]

_FEW_ROWS = 40
_FOLDS = 5
_CUTS = (0.45, 0.6, 0.8)
"""How much of a column's lower values is learnt from when the rest is predicted in validation."""
_CUT_POWER = 4.0
"""Cuts that leave little out are most like the final question: weight by the share learnt from, to this power."""
_CLOSE = 2.5
_WORSE = 1.25
"""The median is taken of the families whose error is within `_CLOSE` times the best one's: of as many, the best first,
as keep its error within `_WORSE` times the least."""
_ERROR_MIN = 0.01
_DISAGREEMENT_WEIGHT = 0.7
_CURVATURE = 0.1
"""Spread of how much an exponent changes while a feature grows by a factor of e, where nothing was held out to see."""
_LEVEL = 0.9
_LEVEL_CUTS = 0.8
"""Lower than `_LEVEL`: what was learnt below a cut has seen less than what is asked in the end, and errs more."""
_NOISE_MIN = 0.005
"""Added to the size of every error before its logarithm is taken."""
_BEYOND_MIN = 0.08
"""Least half-width of an interval beyond the range, in logarithms: nobody knows better than that."""
_JUDGED_MIN = 5
_CROSSED_MIN = 0.3
"""Least share of settings of the other columns that were run with both values of a column that took two."""
_INFLATION_MAX = 2.0
"""Largest variance inflation factor of a column with two values that still tells its effect from the others'."""


class Progress(Protocol):
    """Called often."""

    def __call__(self, fraction: float, message: str) -> None:
        """`fraction` of the work that is done, 0 to 1, and what is being done."""
        ...


class _Cut(NamedTuple):
    """Rows to learn from, rows to judge by, how much it counts, and the column whose top is held out."""

    learnt: Mask
    judged: Mask
    weight: float
    place: int | None = None


class _Trial(NamedTuple):
    """One validation: what was held out, how far it is beyond the columns that are not asked about, what each family
    said of it, and how much it counts."""

    z: Floats
    logs: Floats
    beyond: Floats
    said: dict[str, Floats]
    weight: float


def fit(
    table: Table, target: str, *, extrapolate: Sequence[str] = (), progress: Progress | None = None
) -> LearnedModel:
    """Learn to predict one column from the others.

    Args:
        table: runs, one a row; all columns but the target are features.
        target: the column to predict; positive.
        extrapolate: features that will be asked about above the values in the table.
        progress: is told how far it is.

    Raises:
        InputError: the table cannot be learnt from; the message lists every reason.
        MissingExtraError: LightGBM is not installed.
    """
    if problems := of_runs(table, target, extrapolate):
        raise InputError("\n".join(map(str, problems)), problems)
    features, constants, repeated = _features(table, target)
    notes = _left_out(constants, repeated)
    z, logs = transformed(features, table), numpy.log(table.column(target))
    kept = most_telling(z, logs, [index for index, each in enumerate(features) if each.name in extrapolate])
    if len(kept) < len(features):
        left_out = [each.name for index, each in enumerate(features) if index not in kept]
        notes.append(
            f"{len(left_out)} of {len(features)} columns tell least of it and are left out: {', '.join(left_out)}"
        )
        features, z = tuple(features[index] for index in kept), z[:, kept]
    places = [index for index, each in enumerate(features) if each.name in extrapolate]
    steps = _Steps(progress)
    cuts = [cut for place in places for cut in _cuts(z, place)]
    families = EXTRAPOLATING if places else INTERPOLATING
    if len(logs) < _FEW_ROWS:
        families = FEW_EXTRAPOLATING if places else FEW
    folds = _folds(len(logs))
    noise_of = PHYSICAL[:1] if places else families
    steps.total = len(cuts) * len(families) + len(folds) * len(noise_of) + len(families)
    scattered = [_trial(z, logs, _Cut(~held, held, 1.0), noise_of, steps) for held in folds]
    trials = [_trial(z, logs, cut, families, steps) for cut in cuts] if places else scattered
    candidates, chosen = _chosen(families, trials, extrapolating=bool(places))
    fitter = Fitter(z, logs)
    members: list[Member] = []
    for family, weight in chosen.items():
        steps.say(f"fitting {family}")
        forms = fitter.fit(family)
        assert forms is not None
        members.append(Member(family=family, weight=weight, forms=forms))
    intervals = _intervals(scattered, trials, chosen, features, extrapolating=bool(places))
    asked = tuple(_extrapolated(features, z, place) for place in places)
    best = min(candidates, key=lambda each: each.error) if trials else None
    error = _error(trials, chosen, extrapolating=bool(places))
    steps.done()
    return LearnedModel(
        target=target,
        question="extrapolation" if places else "interpolation",
        features=features,
        constants=constants,
        repeated=repeated,
        members=tuple(members),
        average="median" if places else "mean",
        intervals=intervals,
        extrapolated=asked,
        candidates=tuple(sorted(candidates, key=lambda each: each.error)),
        rows=len(logs),
        configurations=len(numpy.unique(z, axis=0)),
        error=error,
        reason=_reason(best, chosen, extrapolate, len(cuts), error),
        notes=tuple(notes),
    )


# The table.


def _features(table: Table, target: str) -> tuple[tuple[Feature, ...], dict[str, float], dict[str, str]]:
    """The columns to learn from, those that never vary, and those that hold the values of another, by that one."""
    constants: dict[str, float] = {}
    features: list[Feature] = []
    repeated: dict[str, str] = {}
    first: dict[bytes, str] = {}
    for name in table.names:
        values = table.column(name)
        if name == target:
            continue
        if values.min() == values.max():
            constants[name] = float(values[0])
        elif (same := first.setdefault(values.tobytes(), name)) != name:
            repeated[name] = same
        else:
            features.append(_feature(name, values))
    return tuple(features), constants, repeated


def _left_out(constants: Mapping[str, float], repeated: Mapping[str, str]) -> list[str]:
    notes: list[str] = []
    if constants:
        always = ", ".join(f"{name} = {value:g}" for name, value in constants.items())
        notes.append(f"never varied, left out, and other values are not supported: {always}")
    if repeated:
        same = ", ".join(f"{name} (as {first})" for name, first in repeated.items())
        notes.append(f"hold the same values as another column and are left out: {same}")
    return notes


def _feature(name: str, values: Floats) -> Feature:
    return Feature(
        name=name,
        log=bool(values.min() > 0.0),
        scale=float(values.std()),
        low=float(values.min()),
        high=float(values.max()),
        levels=len(numpy.unique(values)),
    )


# Validation.


def _folds(rows: int) -> list[Mask]:
    """Masks of what is held out: each row once."""
    count = _FOLDS if rows >= _FEW_ROWS else min(rows, 2 * _FOLDS)
    place = numpy.random.default_rng(0).permutation(rows) % count
    return [place == fold for fold in range(count)]


def _cuts(z: Floats, place: int) -> list[_Cut]:
    """The top of a column held out, at several heights; none below three values: one value teaches nothing of it.

    What is also far beyond the other columns would not be supported, and is not judged by, where enough is left.
    """
    values = z[:, place]
    levels = numpy.unique(values)
    count = len(levels)
    kept = sorted({min(count - 1, max(1, round(share * count))) for share in _CUTS})
    kept = [each for each in kept if each >= 3] or [each for each in kept if each >= 2]
    cuts: list[_Cut] = []
    for each in kept:
        learnt = values <= levels[each - 1]
        if learnt.sum() < ROWS_MIN:
            continue
        beyond = _beyond(z[learnt], z)
        near = (numpy.delete(beyond, place, axis=1) <= BEYOND_MAX).all(axis=1)
        near &= beyond[:, place] <= levels[each - 1] - levels[0]
        judged = ~learnt & near if (~learnt & near).sum() >= _JUDGED_MIN else ~learnt
        cuts.append(_Cut(learnt, judged, (each / count) ** _CUT_POWER, place))
    return cuts


def _beyond(learnt: Floats, z: Floats) -> Floats:
    """(rows, features): how far outside of the range of `learnt`."""
    return numpy.maximum(0.0, numpy.maximum(z - learnt.max(axis=0), learnt.min(axis=0) - z))


def _trial(z: Floats, logs: Floats, cut: _Cut, families: Sequence[str], steps: _Steps) -> _Trial:
    fitter = Fitter(z[cut.learnt], logs[cut.learnt])
    said: dict[str, Floats] = {}
    for family in families:
        steps.say(f"trying {family}")
        forms = fitter.fit(family)
        if forms is not None:
            said[family] = predicted(forms, z[cut.judged])
    beyond = _beyond(z[cut.learnt], z[cut.judged])
    if cut.place is not None:
        beyond[:, cut.place] = 0.0
    return _Trial(z[cut.judged], logs[cut.judged], beyond, said, cut.weight)


def _relative(said: Floats, logs: Floats) -> Floats:
    """Errors as a share of what was measured, at most 1 upwards or downwards."""
    return numpy.abs(numpy.expm1(numpy.clip(said - logs, -1.0, math.log(2.0))))


def _chosen(
    families: Sequence[str], trials: Sequence[_Trial], *, extrapolating: bool
) -> tuple[list[Candidate], dict[str, float]]:
    if not trials:
        return [], {family: 1.0 / len(PHYSICAL) for family in PHYSICAL}
    tried = [family for family in families if all(family in trial.said for trial in trials)]
    total = sum(trial.weight for trial in trials)
    errors = {
        family: sum(t.weight * float(_relative(t.said[family], t.logs).mean()) for t in trials) / total
        for family in tried
    }
    weights = _together(errors, trials) if extrapolating else _blended(tried, trials)
    listed = [Candidate(family=each, error=errors[each], weight=weights.get(each, 0.0)) for each in tried]
    return listed, weights


def _together(errors: Mapping[str, float], trials: Sequence[_Trial]) -> dict[str, float]:
    """Equal weights for as many of the best families as can be taken together without erring much more than fewer."""
    close = [each for each in errors if errors[each] <= _CLOSE * max(min(errors.values()), _ERROR_MIN)]
    order = sorted(close, key=lambda each: errors[each])
    groups = [dict.fromkeys(order[:count], 1.0 / count) for count in range(1, len(order) + 1)]
    found = [_error(trials, group, extrapolating=True) or 0.0 for group in groups]
    good = [group for group, error in zip(groups, found, strict=True) if error <= _WORSE * max(min(found), _ERROR_MIN)]
    return good[-1]


def _blended(families: Sequence[str], trials: Sequence[_Trial]) -> dict[str, float]:
    """Weights from adding, again and again, the family that helps the average most (Caruana et al. 2004)."""
    said = {family: numpy.concatenate([trial.said[family] for trial in trials]) for family in families}
    logs = numpy.concatenate([trial.logs for trial in trials])
    counts = dict.fromkeys(families, 0)
    total = numpy.zeros(len(logs))
    for turn in range(1, 21):
        best = min(families, key=lambda each: float(_relative((total + said[each]) / turn, logs).mean()))
        total += said[best]
        counts[best] += 1
    return {family: count / 20 for family, count in counts.items() if count}


def _error(trials: Sequence[_Trial], chosen: Mapping[str, float], *, extrapolating: bool) -> float | None:
    if not trials:
        return None
    total = sum(trial.weight for trial in trials)
    said = [_blend(trial, chosen, median=extrapolating)[0] for trial in trials]
    errors = [float(_relative(each, trial.logs).mean()) for each, trial in zip(said, trials, strict=True)]
    return sum(trial.weight * error for trial, error in zip(trials, errors, strict=True)) / total


def _blend(trial: _Trial, chosen: Mapping[str, float], *, median: bool) -> tuple[Floats, Floats]:
    each = numpy.stack([trial.said[family] for family in chosen])
    return combined(each, None if median else numpy.array(list(chosen.values())))


# Intervals and support.


def _intervals(
    scattered: Sequence[_Trial],
    trials: Sequence[_Trial],
    chosen: dict[str, float],
    features: Sequence[Feature],
    *,
    extrapolating: bool,
) -> Intervals:
    level, slopes, low, high = _noise(scattered, chosen if not extrapolating else dict.fromkeys(PHYSICAL[:1], 1.0))
    shape = Intervals(
        quantile=1.0,
        beyond_quantile=1.0,
        beyond_least=_BEYOND_MIN if extrapolating else 0.0,
        noise_level=level,
        noise_slopes=slopes,
        noise_low=low,
        noise_high=high,
        disagreement_weight=_DISAGREEMENT_WEIGHT,
        curvature=_CURVATURE,
    )
    physical: Mapping[str, float] = dict.fromkeys(PHYSICAL[:1], 1.0)
    inside = _calibrated(shape, scattered, physical if extrapolating else chosen, _LEVEL)
    if not trials or not extrapolating:
        return msgspec.structs.replace(shape, quantile=inside, beyond_quantile=inside)
    beyond = _calibrated(shape, trials, chosen, _LEVEL_CUTS)
    return msgspec.structs.replace(shape, quantile=inside, beyond_quantile=beyond)


def _calibrated(shape: Intervals, trials: Sequence[_Trial], chosen: Mapping[str, float], level: float) -> float:
    """How many times the noise holds a share of what was held out, after what the other terms of an interval allow.
    Each cut counts by its weight, however many rows it holds; folds by their rows."""
    scores: list[Floats] = []
    weights: list[Floats] = []
    for trial in trials:
        is_cut = level == _LEVEL_CUTS
        said, apart = _blend(trial, chosen, median=is_cut)
        allowed = (Z90 * _DISAGREEMENT_WEIGHT * apart) ** 2 + (Z90 * _CURVATURE) ** 2 * (trial.beyond**2).sum(axis=1)
        left = numpy.sqrt(numpy.maximum(0.0, (said - trial.logs) ** 2 - allowed))
        scores.append(left / shape.noise(trial.z))
        weights.append(numpy.full(len(left), trial.weight / (len(left) if is_cut else 1)))
    return _quantile(numpy.concatenate(scores), numpy.concatenate(weights), level)


def _noise(scattered: Sequence[_Trial], chosen: Mapping[str, float]) -> tuple[float, tuple[float, ...], float, float]:
    """A power law of the size of errors, by ridge regression; constant for few runs."""
    z = numpy.concatenate([trial.z for trial in scattered])
    sizes = (
        numpy.concatenate([numpy.abs(_blend(trial, chosen, median=False)[0] - trial.logs) for trial in scattered])
        + _NOISE_MIN
    )
    logs = numpy.log(sizes)
    d = z.shape[1]
    if len(logs) < _FEW_ROWS:
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


def _extrapolated(features: Sequence[Feature], z: Floats, place: int) -> Extrapolated:
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


# Words.


def _reason(
    best: Candidate | None, chosen: Mapping[str, float], extrapolate: Sequence[str], cuts: int, error: float | None
) -> str:
    names = ", ".join(chosen)
    if best is None or error is None:
        return f"{' and '.join(extrapolate)} took too few values to hold any out; these shapes are averaged: {names}"
    held = f"with the upper values of {' and '.join(extrapolate)} held out {cuts} times" if extrapolate else ""
    held = held or "of runs held out at random"
    first = f"{held}, {best.family} erred least ({100 * best.error:.1f} %)"
    if len(chosen) == 1:
        return first
    return f"{first}; together with those close to it, {100 * error:.1f} %"


class _Steps:
    """Counts fits, for the one who waits."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.total = 1
        self._count = 0

    def say(self, message: str) -> None:
        if self._progress is not None:
            self._progress(min(0.99, self._count / self.total), message)
        self._count += 1

    def done(self) -> None:
        if self._progress is not None:
            self._progress(1.0, "done")
