"""What cannot be learnt from or asked, told with places before `fit` and `predict` begin. Called by the session.

A model file that someone wrote is held to be sound here, too: predicting must end, and only fail with a message.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy

from ecotone.core.problems import Problem, did_you_mean
from ecotone.orchestration.performance.learner.forms import Posynomial, Process
from ecotone.orchestration.performance.learner.table import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ecotone.orchestration.performance.learner.forms import Form, Tree
    from ecotone.orchestration.performance.learner.model import LearnedModel
    from ecotone.orchestration.performance.learner.table import Table

__all__ = ["ROWS_MIN", "of_model", "of_questions", "of_runs"]

ROWS_MIN = 8


def of_runs(table: Table, target: str, extrapolate: Sequence[str] = ()) -> list[Problem]:
    """Why one column cannot be learnt from the others; empty: it can."""
    names = [name for name in table.names if name != target]
    problems = [_unknown(table, name, names) for name in extrapolate if name not in names and name != target]
    if target in extrapolate:
        problems.append(_of_column(table, target, "contradiction", "is the target", "extrapolate a feature"))
    if target not in table.names:
        problems.append(_unknown(table, target, table.names))
    else:
        problems += _not_positive(table, target, "the target must be above zero", "leave the row out")
    if len(table) < ROWS_MIN:
        message = f"too few rows to learn and to check what was learnt: {len(table)}"
        problems.append(
            Problem(place=table.place(), code="too-few-rows", message=message, hint=f"measure at least {ROWS_MIN}")
        )
    varying: dict[bytes, str] = {}
    for name in names:
        values = table.column(name)
        if values.min() == values.max():
            if name in extrapolate:
                what = f"is always {values[0]:g}: there is nothing to extrapolate from"
                problems.append(_of_column(table, name, "constant-column", what, "measure other values of it"))
            continue
        same = varying.setdefault(values.tobytes(), name)
        if same != name and name in extrapolate:
            what = f"holds the same values as {same!r}"
            problems.append(_of_column(table, name, "repeated-column", what, f"--extrapolate {same!r}"))
    if not varying and target in table.names:
        message = f"no column but {target!r} varies: there is nothing to predict it from"
        problems.append(Problem(place=table.place(), code="nothing-varies", message=message))
    return problems


def of_questions(model: LearnedModel, table: Table) -> list[Problem]:
    """Why a model cannot be asked about a table; empty: it can."""
    known = [*(each.name for each in model.features), *model.constants]
    problems = [_unknown(table, name, table.names) for name in known if name not in table.names]
    for each in model.features:
        if each.log and each.name in table.names:
            what = f"the model has seen {each.name!r} above zero only"
            problems += _not_positive(table, each.name, what, f"it was {each.low:g} to {each.high:g}")
    return problems


def of_model(model: LearnedModel) -> str:
    """What is wrong with a model that has the right keys and types; empty: nothing."""
    return next(_flaws(model), "")


def _flaws(model: LearnedModel) -> Iterator[str]:
    """The first one counts: those after it may take for granted that it is not there."""
    count = len(model.features)
    names = {each.name for each in model.features}
    intervals = model.intervals
    if not count or not model.members:
        yield "it has no features or no members"
    if len(names | set(model.constants)) != count + len(model.constants):
        yield "two of its columns have one name"
    if any(not _is_range(each.low, each.high, log=each.log) or not each.scale > 0 for each in model.features):
        yield "the range of a feature is none"
    if not math.isclose(sum(each.weight for each in model.members), 1.0, abs_tol=1e-6):
        yield "the weights of its members do not add up to 1"
    if any(not each.forms or not all(_is_sound(form, count) for form in each.forms) for each in model.members):
        yield "the form of a member does not fit the features"
    if len(intervals.noise_slopes) != count or not 0 < intervals.noise_low <= intervals.noise_high:
        yield "its intervals do not fit the features"
    if not {each.column for each in model.extrapolated} <= names:
        yield "it extrapolates a column that it does not have"
    if any(not 0 < each.reach < math.inf for each in model.extrapolated):
        yield "it extrapolates a column, and not how far"


def _is_range(low: float, high: float, *, log: bool) -> bool:
    return low <= high and (low > 0 or not log)


def _is_sound(form: Form, count: int) -> bool:
    if isinstance(form, Posynomial):
        rows = [form.centre, *form.exponents]
        return bool(form.exponents) and len(form.offsets) == len(form.exponents) and all(len(r) == count for r in rows)
    if isinstance(form, Process):
        kernel = form.kernel
        rows = [kernel.centre, kernel.lengths, kernel.effects, *form.points]
        return bool(form.points) and len(form.weights) == len(form.points) and all(len(r) == count for r in rows)
    return all(_ends(tree, count) for tree in form.trees)


def _ends(tree: Tree, count: int) -> bool:
    """Children come after their parents, so that every walk comes to a leaf."""
    nodes = len(tree.feature)
    if not nodes or any(len(each) != nodes for each in (tree.threshold, tree.left, tree.right, tree.value)):
        return False
    return all(
        feature < 0 or (feature < count and node < left < nodes and node < right < nodes)
        for node, (feature, left, right) in enumerate(zip(tree.feature, tree.left, tree.right, strict=True))
    )


def _unknown(table: Table, name: str, known: Sequence[str]) -> Problem:
    message = f"there is no column {name!r}"
    return Problem(place=table.place(), code="unknown-column", message=message, hint=did_you_mean(name, known))


def _of_column(table: Table, name: str, code: str, what: str, hint: str) -> Problem:
    return Problem(place=table.place(name), code=code, message=f"{name!r} {what}", hint=hint)


def _not_positive(table: Table, name: str, what: str, hint: str) -> list[Problem]:
    values = table.column(name)
    wrong = numpy.flatnonzero(values <= 0.0)
    found = (
        Problem(
            place=table.place(name, int(row)),
            code="not-positive",
            message=f"{what}; here it is {values[row]:g}",
            hint=hint,
        )
        for row in wrong
    )
    return some(found, len(wrong))
