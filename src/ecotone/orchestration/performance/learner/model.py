"""A performance model: what was learnt from a table of runs, as open data, and what it answers.

`fit` makes one, `predict` asks it; planning, reports and `ecotone performance predict` read it from a JSON file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import numpy

from ecotone.core.errors import InputError
from ecotone.core.problems import did_you_mean
from ecotone.infrastructure.files import replace_file
from ecotone.orchestration.performance.learner.forms import Form

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.performance.learner.table import Table

Mask = numpy.ndarray[tuple[int], numpy.dtype[numpy.bool_]]

__all__ = [
    "BEYOND_MAX",
    "MODEL_VERSION",
    "SUPPORTED_HALF_WIDTH",
    "Z90",
    "Candidate",
    "Extrapolated",
    "Feature",
    "Intervals",
    "LearnedModel",
    "Member",
    "Predictions",
    "predict",
    "read_model",
    "transformed",
    "write_model",
]

MODEL_VERSION = 1
SUPPORTED_HALF_WIDTH = 0.30
"""A prediction whose 90 % interval reaches further than this above it is not supported."""
Z90 = 1.645
_EDGE = 1e-6
_LOG_MAX = 700.0
"""Beyond that, numbers are no longer finite."""
BEYOND_MAX = math.log(2.0)
"""How far, in logarithms, a column that nobody asked to extrapolate may leave the range it was learnt in."""


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Feature(_Data, frozen=True, kw_only=True):
    """A column that predictions read.

    Attributes:
        log: the model sees its logarithm; else its value divided by `scale`.
        low, high: range of the values that were learnt from.
        levels: how many different ones there were.
    """

    name: str
    log: bool
    scale: float
    low: float
    high: float
    levels: int


class Member(_Data, frozen=True, kw_only=True):
    """One of the models that are averaged, in logarithms: the sum of its forms, with a weight."""

    family: str
    weight: float
    forms: tuple[Form, ...]


class Candidate(_Data, frozen=True, kw_only=True):
    """How a family did in validation: mean relative error, and the weight it got (0: it was not chosen)."""

    family: str
    error: float
    weight: float


class Extrapolated(_Data, frozen=True, kw_only=True):
    """A column that the model was asked to go beyond.

    Attributes:
        reach: how far above its range it may be asked, in the feature's own scale.
        validated: values above others were held out, so the intervals know what that costs.
        why: why it cannot be asked above its range at all; empty: it can.
    """

    column: str
    reach: float
    validated: bool
    why: str = ""


class Intervals(_Data, frozen=True, kw_only=True):
    """What the 90 % intervals are made of, in logarithms.

    half^2 = (quantile * noise(z))^2 + (1.645 disagreement_weight * disagreement of the members)^2
    + (1.645 curvature * distance beyond the range)^2, where noise(z) = exp(noise_level + noise_slopes . z), kept
    between `noise_low` and `noise_high`.

    `quantile` is conformal: chosen so that 90 % of the runs that were predicted before they were seen are inside. Above
    the range of a column that the model was asked to extrapolate it is `beyond_quantile`, from what was held out there,
    and that term is never below `beyond_least`.
    """

    quantile: float
    beyond_quantile: float
    beyond_least: float
    noise_level: float
    noise_slopes: tuple[float, ...]
    noise_low: float
    noise_high: float
    disagreement_weight: float
    curvature: float

    def noise(self, z: Floats) -> Floats:
        """Typical error of a single run here."""
        logs = self.noise_level + z @ numpy.asarray(self.noise_slopes)
        return numpy.exp(numpy.clip(logs, math.log(self.noise_low), math.log(self.noise_high)))


class LearnedModel(_Data, frozen=True, kw_only=True):
    """Everything that predictions need, and how it came about.

    Attributes:
        target: the column that is predicted; always positive.
        question: what validation was like: other values inside the range, or values above it.
        average: how the members' logarithms are brought together; their weights are for the mean.
        constants: columns that never varied: nothing is known of their other values.
        repeated: columns that held the same values as another, by its name.
        error: mean relative error in validation; None: nothing could be held out.
        reason: why these members, in one sentence.
        notes: what was left out of the table, and what a person should know.
    """

    target: str
    question: Literal["interpolation", "extrapolation"]
    features: tuple[Feature, ...]
    constants: dict[str, float]
    repeated: dict[str, str]
    members: tuple[Member, ...]
    average: Literal["mean", "median"]
    intervals: Intervals
    extrapolated: tuple[Extrapolated, ...]
    candidates: tuple[Candidate, ...]
    rows: int
    configurations: int
    error: float | None
    reason: str
    notes: tuple[str, ...] = ()
    version: int = MODEL_VERSION


class Predictions(NamedTuple):
    """Of each row: the figure, its 90 % interval, whether the data can carry it, and if not, why."""

    prediction: Floats
    low: Floats
    high: Floats
    supported: Mask
    reasons: tuple[str, ...]


def predict(model: LearnedModel, table: Table) -> Predictions:
    """Ask about every row of `table`.

    Raises:
        InputError: columns that the model has learnt from are missing, or hold what it takes the logarithm of and are
            not positive.
    """
    z, different = _questions(model, table)
    each = numpy.stack([numpy.sum([form.predict(z) for form in member.forms], axis=0) for member in model.members])
    weights = numpy.array([member.weight for member in model.members])
    logs, apart = combined(each, None if model.average == "median" else weights)
    beyond = beyond_range(model.features, z)
    unseen, above = beyond.copy(), numpy.zeros(len(z), dtype=numpy.bool_)
    names = [feature.name for feature in model.features]
    for each in model.extrapolated:
        place = names.index(each.column)
        is_above = (beyond[:, place] > 0.0) & (table.column(each.column) > model.features[place].high)
        above |= is_above
        if each.validated:
            unseen[is_above, place] = 0.0
    half = half_widths(model.intervals, z, apart, unseen=unseen, above=above)
    reasons = _reasons(model, table, half, beyond, different)
    return Predictions(
        prediction=numpy.exp(numpy.clip(logs, -_LOG_MAX, _LOG_MAX)),
        low=numpy.exp(numpy.clip(logs - half, -_LOG_MAX, _LOG_MAX)),
        high=numpy.exp(numpy.clip(logs + half, -_LOG_MAX, _LOG_MAX)),
        supported=numpy.array([not reason for reason in reasons], dtype=numpy.bool_),
        reasons=tuple(reasons),
    )


def transformed(features: Sequence[Feature], table: Table) -> Floats:
    """(rows, features): what the forms see. Raises KeyError for a column that is not there."""
    columns = [
        numpy.log(table.column(each.name)) if each.log else table.column(each.name) / each.scale for each in features
    ]
    return numpy.stack(columns, axis=1)


def combined(each: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """What several models say together: the mean over the first axis with weights that add up to 1, or the median; and
    how far, as a root mean square, they are from it."""
    middle = numpy.median(each, axis=0) if weights is None else weights @ each
    return middle, numpy.sqrt(((each - middle) ** 2).mean(axis=0))


def half_widths(intervals: Intervals, z: Floats, apart: Floats, *, unseen: Floats, above: Mask) -> Floats:
    """Half of the 90 % interval, in logarithms; `beyond` as from `beyond_range`."""
    noise = intervals.noise(z)
    beyond = numpy.maximum(intervals.beyond_least, intervals.beyond_quantile * noise)
    scatter = numpy.where(above, beyond, intervals.quantile * noise) ** 2
    disagreement = (Z90 * intervals.disagreement_weight * apart) ** 2
    distance = (Z90 * intervals.curvature) ** 2 * (unseen**2).sum(axis=1)
    return numpy.sqrt(scatter + disagreement + distance)


def edges(features: Sequence[Feature]) -> tuple[Floats, Floats]:
    """The features' ranges, as the forms see them."""
    low = [math.log(each.low) if each.log else each.low / each.scale for each in features]
    high = [math.log(each.high) if each.log else each.high / each.scale for each in features]
    return numpy.array(low), numpy.array(high)


def _questions(model: LearnedModel, table: Table) -> tuple[Floats, list[str]]:
    wanted = [each.name for each in model.features]
    problems = [
        f"the model reads {name!r}, and the table has no such column ({did_you_mean(name, table.names)})"
        for name in (*wanted, *model.constants)
        if name not in table.names
    ]
    for each in model.features:
        if each.log and each.name in table.names:
            wrong = numpy.flatnonzero(table.column(each.name) <= 0.0)
            if len(wrong):
                value = table.column(each.name)[wrong[0]]
                problems.append(
                    f"row {wrong[0] + 1}: {each.name} is {value:g}; the model has only seen it above zero"
                    + (f" (and {len(wrong) - 1} more rows)" if len(wrong) > 1 else "")
                )
    if problems:
        raise InputError("\n".join(problems))
    different = [""] * len(table)
    for name, value in model.constants.items():
        for row in numpy.flatnonzero(numpy.abs(table.column(name) - value) > _EDGE * max(1.0, abs(value))):
            different[row] = f"{name} was always {value:g}, and nothing is known of other values"
    for name, first in model.repeated.items():
        if name in table.names and first in table.names:
            for row in numpy.flatnonzero(table.column(name) != table.column(first)):
                different[row] = different[row] or f"{name} was always {first}, so their effects cannot be told apart"
    return transformed(model.features, table), different


def beyond_range(features: Sequence[Feature], z: Floats) -> Floats:
    """(rows, features): how far outside of the range that was learnt from; 0 inside."""
    low, high = edges(features)
    return numpy.maximum(0.0, numpy.maximum(z - high, low - z) - _EDGE)


def _reasons(model: LearnedModel, table: Table, half: Floats, beyond: Floats, constant: Sequence[str]) -> list[str]:
    reasons = list(constant)
    asked = {each.column: each for each in model.extrapolated}
    for place, feature in enumerate(model.features):
        values = table.column(feature.name)
        known = asked.get(feature.name)
        for row in numpy.flatnonzero(beyond[:, place] > 0.0):
            above = values[row] > feature.high
            reach = known.reach if known is not None and above else BEYOND_MAX
            if known is not None and above and known.why:
                reasons[row] = reasons[row] or f"{feature.name}: {known.why}"
            elif beyond[row, place] > reach + _EDGE:
                reasons[row] = reasons[row] or (
                    f"{feature.name} is {values[row]:g}, too far from what was measured ({feature.low:g} to "
                    f"{feature.high:g})"
                )
    for row in numpy.flatnonzero(numpy.expm1(half) > SUPPORTED_HALF_WIDTH):
        reasons[row] = reasons[row] or f"the interval reaches {100 * math.expm1(half[row]):.0f} % above"
    return reasons


def read_model(path: Path) -> LearnedModel:
    """The model in a file.

    Raises:
        InputError: no such file, or not a model of this version.
    """
    try:
        model = msgspec.json.decode(path.read_bytes(), type=LearnedModel)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: not a performance model: {error}; make one with: ecotone performance fit") from None
    if model.version != MODEL_VERSION:
        raise InputError(f"{path}: version {model.version}, this Ecotone reads {MODEL_VERSION}; fit it again")
    return model


def write_model(path: Path, model: LearnedModel) -> None:
    """Replace `path` in one step. Raises OSError."""
    replace_file(path, msgspec.json.encode(model) + b"\n")
