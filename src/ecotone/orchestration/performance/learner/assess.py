"""How good a model is: errors and coverage where the truth was measured, and how they shrink with more runs.

Called by the session for `ecotone performance predict` and `report`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy

from ecotone.orchestration.performance.learner.answers import predict
from ecotone.orchestration.performance.learner.checked import ROWS_MIN, of_questions, of_runs

if TYPE_CHECKING:
    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.performance.learner.answers import Predictions
    from ecotone.orchestration.performance.learner.model import LearnedModel
    from ecotone.orchestration.performance.learner.progress import Progress
    from ecotone.orchestration.performance.learner.table import Table

__all__ = ["Assessment", "Curve", "CurvePoint", "Group", "assess", "is_learnt_from", "learning_curve"]

_SHARE_LEARNT = 0.8
_POINTS = 6
_ROWS_MAX = 600
"""More runs than these change a curve little and take long."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions of one kind against what was measured; shares of 1, None without a row.

    Attributes:
        error: mean of |predicted - measured| / measured.
        error_median: the median of that.
        coverage: share of measured values inside their 90 % interval.
    """

    rows: int
    error: float | None = None
    error_median: float | None = None
    coverage: float | None = None


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """Of all rows with a measured figure above zero, and of those that the model supports and does not support."""

    all: Group
    supported: Group
    unsupported: Group


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a model that was learnt from so many runs, drawn at random, says of the others."""

    runs: int
    error: float
    error_median: float
    coverage: float
    supported: float


class Curve(NamedTuple):
    """`predictions` are of the rows of the table that the last and largest point did not learn from: those numbered
    `held`; None where the table is too small for a curve."""

    points: tuple[CurvePoint, ...]
    predictions: Predictions | None
    held: numpy.ndarray[tuple[int], numpy.dtype[numpy.int64]]


def assess(predictions: Predictions, measured: Floats) -> Assessment:
    """Args: measured: (rows,) NaN where nothing was."""
    known = numpy.isfinite(measured) & (measured > 0)
    return Assessment(
        all=_group(predictions, measured, known),
        supported=_group(predictions, measured, known & predictions.supported),
        unsupported=_group(predictions, measured, known & ~predictions.supported),
    )


def is_learnt_from(model: LearnedModel, table: Table) -> bool:
    """Whether the table looks like the one that the model was learnt from: as many rows, and the same ranges."""
    return len(table) == model.rows and all(
        (float(column.min()), float(column.max()), len(numpy.unique(column))) == (each.low, each.high, each.levels)
        for each in model.features
        for column in (table.column(each.name),)
    )


def learning_curve(table: Table, target: str, *, seed: int = 0, progress: Progress | None = None) -> Curve:
    """Learn from more and more of the rows, each set inside the next one, and predict all that the last one leaves.

    Raises:
        MissingExtraError: scipy or LightGBM is not installed.
    """
    from ecotone.orchestration.performance.learner.learn import fit  # noqa: PLC0415 - needs the extra `performance`

    order = numpy.random.default_rng(seed).permutation(len(table))[:_ROWS_MAX]
    most = int(_SHARE_LEARNT * len(order))
    held = numpy.sort(order[most:])
    sizes = [] if most < ROWS_MIN or not len(held) else _sizes(most)
    points: list[CurvePoint] = []
    last = None
    for number, size in enumerate(sizes):
        learnt = table.rows(numpy.sort(order[:size]))
        if of_runs(learnt, target):
            continue
        before, work = float(sum(sizes[:number])), float(sum(sizes))

        def told(fraction: float, message: str, size: int = size, before: float = before, work: float = work) -> None:
            if progress is not None:
                progress((before + fraction * size) / work, f"learning from {size} runs: {message}")

        model = fit(learnt, target, progress=told)
        if of_questions(model, table.rows(held)):
            continue  # few rows without a zero: it sees logarithms, and cannot be asked about the others
        last = predict(model, table.rows(held))
        points.append(_point(size, last, table.rows(held).column(target)))
    return Curve(tuple(points), last, held)


def _sizes(most: int) -> list[int]:
    """From few to `most`, each larger by the same factor."""
    return sorted({round(each) for each in numpy.geomspace(min(12, most), most, _POINTS)})


def _point(size: int, predictions: Predictions, measured: Floats) -> CurvePoint:
    group = assess(predictions, measured).all
    assert group.error is not None and group.error_median is not None and group.coverage is not None
    return CurvePoint(
        runs=size,
        error=group.error,
        error_median=group.error_median,
        coverage=group.coverage,
        supported=float(predictions.supported.mean()),
    )


def _group(
    predictions: Predictions, measured: Floats, chosen: numpy.ndarray[tuple[int], numpy.dtype[numpy.bool_]]
) -> Group:
    truth = measured[chosen]
    if not len(truth):
        return Group(rows=0)
    errors = numpy.abs(predictions.prediction[chosen] / truth - 1.0)
    inside = (predictions.low[chosen] <= truth) & (truth <= predictions.high[chosen])
    return Group(
        rows=len(truth),
        error=float(errors.mean()),
        error_median=float(numpy.median(errors)),
        coverage=float(inside.mean()),
    )
