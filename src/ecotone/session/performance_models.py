"""Performance models from tables of runs. Called by `ecotone performance` and by notebooks.

from ecotone.session.performance_models import fit_table, predict_table
fit_table(Path("runs.csv"), "seconds", output=Path("model.json"), extrapolate=["batch"])
predict_table(Path("model.json"), Path("questions.csv")).predictions
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ecotone.core.errors import InputError, UnavailableError
from ecotone.core.problems import Problem
from ecotone.infrastructure.files import replace_file
from ecotone.orchestration.performance.learner.answers import Predictions, predict
from ecotone.orchestration.performance.learner.assess import (
    Assessment,
    Curve,
    CurvePoint,
    Group,
    assess,
    is_learnt_from,
    learning_curve,
)
from ecotone.orchestration.performance.learner.checked import of_model, of_questions, of_runs
from ecotone.orchestration.performance.learner.model import LearnedModel, read_model, write_model
from ecotone.orchestration.performance.learner.table import Table, read_table, widened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.performance.learner.progress import Progress

__all__ = [
    "PREDICTED",
    "Asked",
    "Assessment",
    "Curve",
    "CurvePoint",
    "Group",
    "Judged",
    "LearnedModel",
    "asked_document",
    "assess",
    "fit_table",
    "judge_model",
    "model_document",
    "open_model",
    "predict_table",
    "write_predicted",
]

PREDICTED = ("prediction", "low", "high", "supported", "reason")
"""Columns that are added to a table of questions."""


class Asked(NamedTuple):
    """A model, the questions, and the answers.

    Attributes:
        measured: (rows,) the target where the table holds it, NaN elsewhere; None if it has no such column.
        assessment: the error against `measured`; None if nothing was measured.
    """

    model: LearnedModel
    table: Table
    predictions: Predictions
    measured: Floats | None
    assessment: Assessment | None
    notes: tuple[str, ...]


class Judged(NamedTuple):
    """What the report of a model shows: `asked` of its table, and how errors shrink with the number of runs.

    Attributes:
        rows: numbers of the rows that `predictions` are of.
        predictions: of rows that were not learnt from where `held_out`, else of all.
    """

    asked: Asked
    curve: Curve
    rows: Sequence[int]
    predictions: Predictions
    measured: Floats
    held_out: bool


def fit_table(
    table: Path,
    target: str,
    *,
    output: Path | None = None,
    extrapolate: Sequence[str] = (),
    ignore: Sequence[str] = (),
    progress: Progress | None = None,
) -> LearnedModel:
    """Learn to predict a column of a CSV file from the others.

    Args:
        table: runs, one a line.
        target: the column to predict; above zero.
        output: gets the model as JSON; a file that is there is replaced in one step.
        extrapolate: columns that will be asked about above the values in the table.
        ignore: columns to leave out; they may hold anything.
        progress: is told how far it is.

    Raises:
        InputError: the table cannot be learnt from; `problems` says each reason with its place.
        UnavailableError: `output` cannot be written; MissingExtraError: scipy or LightGBM is not installed.
    """
    from ecotone.orchestration.performance.learner.learn import fit  # noqa: PLC0415 - needs the extra `performance`

    both = [name for name in (target, *extrapolate) if name in ignore]
    runs = read_table(table, ignore=[name for name in ignore if name not in both])
    problems = [
        Problem(
            place=runs.place(name if name in runs.names else ""),
            code="contradiction",
            message=f"{name!r} is to be ignored and to be {'the target' if name == target else 'extrapolated'}",
            hint="drop one of the two",
        )
        for name in dict.fromkeys(both)
    ]
    _raise([*problems, *of_runs(runs, target, extrapolate)])
    model = fit(runs, target, extrapolate=extrapolate, progress=progress)
    if output is not None:
        try:
            write_model(output, model)
        except OSError as error:
            raise UnavailableError(f"{output} cannot be written: {error.strerror or error}") from None
    return model


def open_model(path: Path) -> LearnedModel:
    """The model in a file. Raises InputError: it is none, or its parts do not fit each other."""
    model = read_model(path)
    flaw = of_model(model)
    if flaw:
        raise InputError(f"{path}: not a performance model: {flaw}; make one with: ecotone performance fit")
    return model


def predict_table(model: Path, table: Path) -> Asked:
    """Ask a model about each row of a CSV file. Other columns than those it reads may hold anything.

    Raises:
        InputError: the file is no model, columns that it reads are missing, or cells are wrong; see `problems`.
    """
    learnt = open_model(model)
    known = [*(each.name for each in learnt.features), *learnt.constants]
    questions = read_table(table, columns=known, optional=[learnt.target, *learnt.repeated])
    _raise(of_questions(learnt, questions))
    predictions = predict(learnt, questions)
    measured = questions.column(learnt.target) if learnt.target in questions.names else None
    notes: list[str] = []
    if questions.left_out:
        names = ", ".join(questions.left_out)
        notes.append(f"the model has not learnt from these columns, so they are not read: {names}")
    assessment = None
    if measured is not None:
        assessment = assess(predictions, measured)
        left = len(questions) - assessment.all.rows
        if left:
            notes.append(
                f"{left} of {len(questions)} rows hold no {learnt.target} above zero: no error is told of them"
            )
        if not assessment.all.rows:
            assessment = None
    if assessment is not None and is_learnt_from(learnt, questions):
        notes.append("this seems to be the table that the model has learnt from: new runs will err more than these")
    return Asked(learnt, questions, predictions, measured, assessment, tuple(notes))


def write_predicted(asked: Asked, output: Path) -> None:
    """The table of questions with the columns `PREDICTED` at its right, as CSV.

    Raises:
        InputError: the table has one of these columns already.
        UnavailableError: `output` cannot be written.
    """
    source = asked.table.source
    assert source is not None
    there = [name for name in PREDICTED if name in source.header]
    if there:
        raise InputError(f"{source.file} has the columns {', '.join(there)} already; rename them to get new ones")
    said = asked.predictions
    columns = {
        "prediction": [f"{value:.8g}" for value in said.prediction],
        "low": [f"{value:.8g}" for value in said.low],
        "high": [f"{value:.8g}" for value in said.high],
        "supported": ["true" if each else "false" for each in said.supported],
        "reason": list(said.reasons),
    }
    try:
        replace_file(output, widened(asked.table, columns).encode())
    except OSError as error:
        raise UnavailableError(f"{output} cannot be written: {error.strerror or error}") from None


def judge_model(model: Path, table: Path, *, progress: Progress | None = None) -> Judged:
    """Ask a model about runs that were measured, and learn again from parts of them to see what more runs are worth.

    Where the table is the one that the model has learnt from, its own answers would look too good: then those of a
    model are taken that was learnt from four fifths, about the other fifth.

    Raises:
        InputError: as `predict_table`; or the table has no measured figures.
        MissingExtraError: scipy or LightGBM is not installed.
    """
    asked = predict_table(model, table)
    target = asked.model.target
    if asked.measured is None or asked.assessment is None:
        raise InputError(f"{table}: a report compares with what was measured; there is no {target!r} above zero in it")
    known = (asked.measured > 0).nonzero()[0]
    runs = asked.table.rows(known)
    curve = learning_curve(runs, target, progress=progress)
    if curve.predictions is not None and is_learnt_from(asked.model, asked.table):
        rows, said, is_held_out = known[curve.held], curve.predictions, True
    else:
        rows, said, is_held_out = known, predict(asked.model, runs), False
    return Judged(asked, curve, [int(row) for row in rows], said, asked.measured[rows], is_held_out)


def model_document(model: LearnedModel) -> dict[str, Any]:
    """What `ecotone performance fit --json` prints: how the model came about, without its numbers."""
    return {
        "target": model.target,
        "question": model.question,
        "rows": model.rows,
        "configurations": model.configurations,
        "error": model.error,
        "reason": model.reason,
        "features": [
            {"name": each.name, "low": each.low, "high": each.high, "values": each.levels, "logarithm": each.log}
            for each in model.features
        ],
        "constants": model.constants,
        "candidates": [msgspec.to_builtins(each) for each in model.candidates],
        "members": [{"family": each.family, "weight": each.weight} for each in model.members],
        "extrapolated": [msgspec.to_builtins(each) for each in model.extrapolated],
        "notes": list(model.notes),
    }


def asked_document(asked: Asked) -> dict[str, Any]:
    """What `ecotone performance predict --json` prints."""
    said = asked.predictions
    rows: list[dict[str, Any]] = []
    for row, reason in enumerate(said.reasons):
        answer = {
            "prediction": _number(said.prediction[row]),
            "low": _number(said.low[row]),
            "high": _number(said.high[row]),
            "supported": bool(said.supported[row]),
        }
        rows.append(answer | ({"reason": reason} if reason else {}))
    assessment = None if asked.assessment is None else msgspec.to_builtins(asked.assessment)
    return {"target": asked.model.target, "rows": rows, "assessment": assessment, "notes": list(asked.notes)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _raise(problems: Sequence[Problem]) -> None:
    if problems:
        raise InputError("\n".join(str(each) for each in sorted(problems)), problems)
