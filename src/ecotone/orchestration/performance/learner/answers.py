"""What a performance model answers: figures, their 90 % intervals, and what the data cannot carry, with the reason.

Called by whoever has a model and a table of questions: planning, profiling, reports, `ecotone performance predict`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy

from ecotone.core.errors import InputError
from ecotone.orchestration.performance.learner.checked import of_questions
from ecotone.orchestration.performance.learner.model import (
    BEYOND_MAX,
    EDGE,
    NEAR,
    SUPPORTED_HALF_WIDTH,
    allowed,
    beyond_range,
    combined,
    edges,
    transformed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.performance.learner.model import Intervals, LearnedModel
    from ecotone.orchestration.performance.learner.table import Table

__all__ = ["Predictions", "predict"]

Mask = numpy.ndarray[tuple[int], numpy.dtype[numpy.bool_]]

_LOG_MAX = 700.0
"""Beyond that, numbers are no longer finite."""


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
    if problems := of_questions(model, table):
        raise InputError("\n".join(map(str, problems)), problems)
    z, different = transformed(model.features, table), _different(model, table)
    each = numpy.stack([numpy.sum([form.predict(z) for form in member.forms], axis=0) for member in model.members])
    weights = numpy.array([member.weight for member in model.members])
    logs, apart = combined(each, None if model.average == "median" else weights)
    beyond = beyond_range(*edges(model.features), z)
    unseen, above = beyond.copy(), numpy.zeros(len(z), dtype=numpy.bool_)
    distance = numpy.zeros(len(z))
    names = [feature.name for feature in model.features]
    for each in model.extrapolated:
        place = names.index(each.column)
        is_above = (beyond[:, place] > 0.0) & (table.column(each.column) > model.features[place].high)
        above |= is_above
        if each.validated:
            unseen[is_above, place] = 0.0
            distance = numpy.hypot(distance, numpy.where(is_above, beyond[:, place] / each.reach, 0.0))
    half = _half_widths(model.intervals, z, apart, unseen, numpy.where(above, distance, numpy.nan))
    reasons = _reasons(model, table, half, beyond, different)
    return Predictions(
        prediction=numpy.exp(numpy.clip(logs, -_LOG_MAX, _LOG_MAX)),
        low=numpy.exp(numpy.clip(logs - half, -_LOG_MAX, _LOG_MAX)),
        high=numpy.exp(numpy.clip(logs + half, -_LOG_MAX, _LOG_MAX)),
        supported=numpy.array([not reason for reason in reasons], dtype=numpy.bool_),
        reasons=tuple(reasons),
    )


def _half_widths(intervals: Intervals, z: Floats, apart: Floats, unseen: Floats, distance: Floats) -> Floats:
    """Half of the 90 % interval, in logarithms.

    Args:
        unseen: (rows, features) how far out of the range, where nothing was held out to see what that costs.
        distance: (rows,) how far above what was asked to be extrapolated, in ranges; NaN where it is not above.
    """
    beyond = numpy.nan_to_num(numpy.maximum(intervals.beyond_least, intervals.growth * numpy.maximum(distance, NEAR)))
    return numpy.sqrt((intervals.quantile * intervals.noise(z)) ** 2 + allowed(intervals, apart, unseen) + beyond**2)


def _different(model: LearnedModel, table: Table) -> list[str]:
    """Of each row why a column that was left out rules it out; empty: none does."""
    different = [""] * len(table)
    for name, value in model.constants.items():
        for row in numpy.flatnonzero(numpy.abs(table.column(name) - value) > EDGE * max(1.0, abs(value))):
            different[row] = f"{name} was always {value:g}, and nothing is known of other values"
    for name, first in model.repeated.items():
        if name in table.names and first in table.names:
            for row in numpy.flatnonzero(table.column(name) != table.column(first)):
                different[row] = different[row] or f"{name} was always {first}, so their effects cannot be told apart"
    return different


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
            elif beyond[row, place] > reach + EDGE:
                reasons[row] = reasons[row] or (
                    f"{feature.name} is {values[row]:g}, too far from what was measured ({feature.low:g} to "
                    f"{feature.high:g})"
                )
    widths = numpy.sinh(numpy.minimum(half, _LOG_MAX))
    for row in numpy.flatnonzero(widths > SUPPORTED_HALF_WIDTH):
        reasons[row] = reasons[row] or f"half of its interval is {100 * widths[row]:.0f} % of it"
    return reasons
