"""A performance model: what was learnt from a table of runs, as open data.

`fit` makes one, `predict` asks it; planning, reports and `ecotone performance predict` read it from a JSON file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy

from ecotone.core.errors import InputError
from ecotone.infrastructure.files import replace_file
from ecotone.orchestration.performance.interface import Z90
from ecotone.orchestration.performance.learner.forms import Form

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.performance.learner.table import Table

__all__ = [
    "BEYOND_MAX",
    "EDGE",
    "MODEL_VERSION",
    "NEAR",
    "SUPPORTED_HALF_WIDTH",
    "Candidate",
    "Extrapolated",
    "Feature",
    "Intervals",
    "LearnedModel",
    "Member",
    "allowed",
    "beyond_range",
    "combined",
    "edges",
    "read_model",
    "transformed",
    "write_model",
]

MODEL_VERSION = 2
SUPPORTED_HALF_WIDTH = 0.30
"""A prediction is not supported where half of its 90 % interval is more than this share of it."""
EDGE = 1e-6
"""Values closer than this, in logarithms or as a share, are equal."""
NEAR = 0.1
"""In ranges of a column: closer above it, errors do not go to zero, and do not tell how they grow."""
BEYOND_MAX = math.log(2.0)
"""How far, in logarithms, a column that nobody asked to extrapolate may leave the range it was learnt in."""


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Versioned(msgspec.Struct, frozen=True):
    """What is read first: a file of another version has other keys."""

    version: int = MODEL_VERSION


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

    half^2 = (quantile * noise(z))^2 + (1.645 disagreement of the members)^2 + (1.645 curvature * distance beyond the
    range)^2 + (growth * distance above what was asked to be extrapolated, in ranges of that column, `NEAR` at least)^2,
    where noise(z) = exp(noise_level + noise_slopes . z), kept between `noise_low` and `noise_high`.

    `quantile` is conformal: chosen so that 90 % of the runs that were predicted before they were seen are inside.
    `growth` is, too, from what was held out above: so an interval widens with the distance, as errors do, and a noisy
    place is not taken for one that extrapolates badly. That term is never below `beyond_least`.
    """

    quantile: float
    growth: float
    beyond_least: float
    noise_level: float
    noise_slopes: tuple[float, ...]
    noise_low: float
    noise_high: float
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


def edges(features: Sequence[Feature]) -> tuple[Floats, Floats]:
    """The features' ranges, as the forms see them."""
    low = [math.log(each.low) if each.log else each.low / each.scale for each in features]
    high = [math.log(each.high) if each.log else each.high / each.scale for each in features]
    return numpy.array(low), numpy.array(high)


def beyond_range(low: Floats, high: Floats, z: Floats) -> Floats:
    """(rows, features): how far outside of the range that was learnt from, which is (features,) each; 0 inside."""
    return numpy.maximum(0.0, numpy.maximum(z - high, low - z) - EDGE)


def allowed(intervals: Intervals, apart: Floats, unseen: Floats) -> Floats:
    """(rows,) the terms of a squared half-width that nothing is calibrated for.

    Args:
        apart: (rows,) disagreement of the members.
        unseen: (rows, features) how far out of the range, where nothing was held out to see what that costs.
    """
    return Z90**2 * (apart**2 + intervals.curvature**2 * (unseen**2).sum(axis=1))


def read_model(path: Path) -> LearnedModel:
    """The model in a file.

    Raises:
        InputError: no such file, or not a model of this version.
    """
    try:
        data = path.read_bytes()
        version = msgspec.json.decode(data, type=_Versioned).version
        if version != MODEL_VERSION:
            raise InputError(f"{path}: version {version}, this Ecotone reads {MODEL_VERSION}; fit it again")
        return msgspec.json.decode(data, type=LearnedModel)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: not a performance model: {error}; make one with: ecotone performance fit") from None


def write_model(path: Path, model: LearnedModel) -> None:
    """Replace `path` in one step. Raises OSError."""
    replace_file(path, msgspec.json.encode(model) + b"\n")
