"""Learns a performance model from a table of runs: which families, with which weights, how sure, and where not to ask.

`fit` is the only entry. Validation is like the question: values held out at random for interpolation; the top of each
named column held out, at several cuts, for extrapolation. What is asked about later is never seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

from ecotone.core.errors import InputError
from ecotone.orchestration.performance.learner.checked import of_runs
from ecotone.orchestration.performance.learner.families import (
    EXTRAPOLATING,
    FEW,
    FEW_EXTRAPOLATING,
    INTERPOLATING,
    PHYSICAL,
    Fitter,
    shape_of,
)
from ecotone.orchestration.performance.learner.intervals import extrapolated, fitted_intervals
from ecotone.orchestration.performance.learner.model import Candidate, Feature, LearnedModel, Member, transformed
from ecotone.orchestration.performance.learner.progress import Steps
from ecotone.orchestration.performance.learner.screening import most_telling
from ecotone.orchestration.performance.learner.validation import (
    FEW_ROWS,
    Cut,
    Trial,
    blend,
    cuts,
    folds,
    relative,
    trial,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.performance.learner.progress import Progress
    from ecotone.orchestration.performance.learner.table import Table

__all__ = ["fit"]

_CLOSE = 2.5
_WORSE = 1.25
"""The median is taken of the families whose error is within `_CLOSE` times the best one's: of as many, the best first,
as keep its error within `_WORSE` times the least. What the shape of a family leaves over inside the range is added to
its error above the cuts: a shape that needs much correction where it was measured is not to be believed beyond."""
_ERROR_MIN = 0.01


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
    steps = Steps(progress)
    tops = [cut for place in places for cut in cuts(z, place)]
    families = EXTRAPOLATING if places else INTERPOLATING
    if len(logs) < FEW_ROWS:
        families = FEW_EXTRAPOLATING if places else FEW
    held_out = folds(len(logs))
    shapes = tuple(dict.fromkeys(map(shape_of, (*families, *PHYSICAL))))
    noise_of = (*PHYSICAL[:1], *shapes) if places else families
    steps.total = len(tops) * len(families) + len(held_out) * len(noise_of) + len(families)
    scattered = [trial(z, logs, Cut(~held, held, 1.0), noise_of, steps) for held in held_out]
    trials = [trial(z, logs, cut, families, steps) for cut in tops] if places else scattered
    if places:
        candidates, chosen = _chosen_beyond(families, trials, _misfits(shapes, scattered))
    else:
        candidates, chosen = _chosen_inside(families, trials)
    fitter = Fitter(z, logs)
    members: list[Member] = []
    for family, weight in chosen.items():
        steps.say(f"fitting {family}")
        forms = fitter.fit(family)
        assert forms is not None
        members.append(Member(family=family, weight=weight, forms=forms))
    intervals = fitted_intervals(scattered, trials, chosen, features, extrapolating=bool(places))
    asked = tuple(extrapolated(features, z, place) for place in places)
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
        reason=_reason(best, chosen, extrapolate, len(tops), error),
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


def _chosen_inside(families: Sequence[str], trials: Sequence[Trial]) -> tuple[list[Candidate], dict[str, float]]:
    errors = _errors(families, trials)
    weights = _blended(list(errors), trials)
    return _candidates(errors, weights), weights


def _chosen_beyond(
    families: Sequence[str], cuts: Sequence[Trial], misfits: Mapping[str, float]
) -> tuple[list[Candidate], dict[str, float]]:
    """Where nothing could be cut off, the shapes that are physical, as far as they fit."""
    errors = _errors(families, cuts) if cuts else dict.fromkeys(PHYSICAL, 0.0)
    doubts = {each: max(_ERROR_MIN, errors[each] + misfits[shape_of(each)]) for each in errors}
    order = sorted(errors, key=lambda each: doubts[each])
    close = [each for each in order if doubts[each] <= _CLOSE * doubts[order[0]]]
    if not cuts:
        return [], dict.fromkeys(close, 1.0 / len(close))
    weights = _together(close, cuts)
    return _candidates(errors, weights), weights


def _candidates(errors: Mapping[str, float], weights: Mapping[str, float]) -> list[Candidate]:
    return [Candidate(family=each, error=errors[each], weight=weights.get(each, 0.0)) for each in errors]


def _errors(families: Sequence[str], trials: Sequence[Trial]) -> dict[str, float]:
    """Of every family that had enough rows in each trial, by the trials' weights."""
    tried = [family for family in families if all(family in each.said for each in trials)]
    total = sum(each.weight for each in trials)
    return {
        family: sum(t.weight * float(relative(t.said[family], t.logs).mean()) for t in trials) / total
        for family in tried
    }


def _misfits(shapes: Sequence[str], folds: Sequence[Trial]) -> dict[str, float]:
    """What each shape alone errs inside the range."""
    logs = numpy.concatenate([fold.logs for fold in folds])
    said = {each: numpy.concatenate([fold.said[each] for fold in folds]) for each in shapes}
    return {each: float(relative(said[each], logs).mean()) for each in shapes}


def _together(order: Sequence[str], trials: Sequence[Trial]) -> dict[str, float]:
    """Equal weights for as many of the families, in order, as can be taken together without erring much more than
    fewer."""
    groups = [dict.fromkeys(order[:count], 1.0 / count) for count in range(1, len(order) + 1)]
    found = [_error(trials, group, extrapolating=True) or 0.0 for group in groups]
    good = [group for group, error in zip(groups, found, strict=True) if error <= _WORSE * max(min(found), _ERROR_MIN)]
    return good[-1]


def _blended(families: Sequence[str], trials: Sequence[Trial]) -> dict[str, float]:
    """Weights from adding, again and again, the family that helps the average most (Caruana et al. 2004)."""
    said = {family: numpy.concatenate([trial.said[family] for trial in trials]) for family in families}
    logs = numpy.concatenate([trial.logs for trial in trials])
    counts = dict.fromkeys(families, 0)
    total = numpy.zeros(len(logs))
    for turn in range(1, 21):
        best = min(families, key=lambda each: float(relative((total + said[each]) / turn, logs).mean()))
        total += said[best]
        counts[best] += 1
    return {family: count / 20 for family, count in counts.items() if count}


def _error(trials: Sequence[Trial], chosen: Mapping[str, float], *, extrapolating: bool) -> float | None:
    if not trials:
        return None
    total = sum(trial.weight for trial in trials)
    said = [blend(trial, chosen, median=extrapolating)[0] for trial in trials]
    errors = [float(relative(each, trial.logs).mean()) for each, trial in zip(said, trials, strict=True)]
    return sum(trial.weight * error for trial, error in zip(trials, errors, strict=True)) / total


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
    if list(chosen) == [best.family]:
        return first
    if best.family in chosen:
        return f"{first}; together with those close to it, {100 * error:.1f} %"
    return f"{first}, but its shape leaves more over inside the range; {names}: {100 * error:.1f} %"
