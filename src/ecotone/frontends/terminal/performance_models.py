"""A performance model, and its answers, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from ecotone.frontends.model_words import error_text, figure_text, readable
from ecotone.frontends.terminal.style import block, heading, plain_table
from ecotone.frontends.words import NOTHING, count_text, percent_text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType
    from rich.table import Table

    from ecotone.session.performance_models import Asked, Assessment, LearnedModel

__all__ = ["answers_view", "model_view"]

_ROWS_SHOWN = 20
_FEATURES_SHOWN = 4
_NAME_MAX = 24


def model_view(model: LearnedModel, width: int, *, written: Path | None = None) -> RenderableType:
    """Which families competed and which are in the model and why, what it reads, and where it is not to be asked."""
    runs = f"{count_text(model.rows, 'run')} of {count_text(model.configurations, 'configuration')}"
    title = heading(f"performance model of {readable(model.target)}", runs)
    reason = model.reason[:1].upper() + model.reason[1:]
    parts: list[RenderableType] = [title, block(Text(f"{reason}."))]
    if model.candidates:
        parts.append(block(_families(model)))
    parts += [block(_features(model)), block(*_remarks(model, written))]
    return Group(*parts)


def _families(model: LearnedModel) -> Table:
    table = plain_table()
    table.add_column("family", style="name", no_wrap=True)
    table.add_column("error in validation", justify="right", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    for each in model.candidates:
        weight = Text(percent_text(each.weight), style="kept") if each.weight else Text(NOTHING, style="quiet")
        table.add_row(each.family, error_text(each.error), weight)
    return table


def _features(model: LearnedModel) -> Table:
    table = plain_table()
    table.add_column("feature", style="name", max_width=2 * _NAME_MAX)
    for head in ("from", "to", "values"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("beyond")
    asked = {each.column: each for each in model.extrapolated}
    for each in model.features:
        beyond = Text(NOTHING, style="quiet")
        known = asked.get(each.name)
        if known is not None and known.why:
            beyond = Text("not supported", style="broken")
        elif known is not None:
            beyond = Text(f"asked for{'' if known.validated else ', but never held out'}", style="kept")
        table.add_row(readable(each.name), figure_text(each.low), figure_text(each.high), str(each.levels), beyond)
    for name, value in model.constants.items():
        table.add_row(
            readable(name), figure_text(value), figure_text(value), "1", Text("not supported", style="broken")
        )
    return table


def _remarks(model: LearnedModel, written: Path | None) -> list[RenderableType]:
    remarks: list[RenderableType] = [
        Text(f"{each.column}: {each.why}", style="close") for each in model.extrapolated if each.why
    ]
    remarks += [Text(readable(note), style="quiet") for note in model.notes]
    remarks.append(
        Text(
            "Not supported: far from the values above, and where the 90 % interval is too wide. Each answer says so.",
            style="quiet",
        )
    )
    if written is not None:
        remarks.append(Text(f"wrote {written}: ask it with: ecotone performance predict {written} TABLE.csv"))
    return remarks


def answers_view(asked: Asked, width: int, *, written: Path | None = None) -> RenderableType:
    """The first answers with their questions, and how far they are from what was measured."""
    rows = len(asked.table)
    supported = int(asked.predictions.supported.sum())
    title = heading(
        f"{readable(asked.model.target)}, predicted", f"{count_text(rows, 'row')}, {supported} of them supported"
    )
    parts: list[RenderableType] = [title, block(_answers(asked))]
    remarks: list[RenderableType] = []
    if rows > _ROWS_SHOWN:
        remarks.append(Text(f"and {count_text(rows - _ROWS_SHOWN, 'more row')}: see --output or --json", style="quiet"))
    remarks += _reasons(asked)
    if remarks:
        parts.append(block(*remarks))
    if asked.assessment is not None:
        parts.append(block(_errors(asked.assessment)))
    if written is not None:
        parts.append(block(Text(f"wrote {written}")))
    return Group(*parts)


def _answers(asked: Asked) -> Table:
    said = asked.predictions
    shown = asked.model.features[:_FEATURES_SHOWN]
    table = plain_table()
    for each in shown:
        table.add_column(_short(each.name), justify="right", no_wrap=True)
    heads = ("predicted", "90 % interval", *(("measured",) if asked.assessment is not None else ()))
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("supported", no_wrap=True)
    columns = [asked.table.column(each.name) for each in shown]
    for row in range(min(_ROWS_SHOWN, len(asked.table))):
        cells: list[RenderableType] = [figure_text(column[row]) for column in columns]
        cells += [
            Text(figure_text(said.prediction[row]), style="name"),
            f"{figure_text(said.low[row])} to {figure_text(said.high[row])}",
        ]
        if asked.assessment is not None and asked.measured is not None:
            cells.append(figure_text(asked.measured[row]))
        is_supported = bool(said.supported[row])
        table.add_row(*cells, Text("yes" if is_supported else "no", style="kept" if is_supported else "broken"))
    return table


def _short(name: str) -> str:
    name = readable(name)
    return name if len(name) <= _NAME_MAX // 2 else name[: _NAME_MAX // 2 - 1] + "…"


def _reasons(asked: Asked) -> list[RenderableType]:
    """Why rows are not supported, the commonest first, figures aside."""
    counts: dict[str, tuple[int, int]] = {}
    for row, reason in enumerate(asked.predictions.reasons):
        if reason:
            kind = reason.partition(" is ")[0] if " too far " in reason else reason.partition(" reaches ")[0]
            first, count = counts.get(kind, (row, 0))
            counts[kind] = first, count + 1
    lines: list[RenderableType] = []
    for first, count in sorted(counts.values(), key=lambda each: -each[1]):
        others = f" ({count} rows, here row {first + 1})" if count > 1 else f" (row {first + 1})"
        lines.append(Text(f"not supported: {readable(asked.predictions.reasons[first])}{others}", style="close"))
    return lines


def _errors(assessment: Assessment) -> Table:
    table = plain_table()
    table.add_column("against what was measured", style="name", no_wrap=True)
    for head in ("rows", "error", "median", "in the interval"):
        table.add_column(head, justify="right", no_wrap=True)
    named = (("supported", assessment.supported), ("not supported", assessment.unsupported), ("all", assessment.all))
    for name, group in named:
        if group.error is None or group.error_median is None or group.coverage is None:
            table.add_row(name, str(group.rows), NOTHING, NOTHING, NOTHING)
            continue
        table.add_row(
            name, str(group.rows), error_text(group.error), error_text(group.error_median), percent_text(group.coverage)
        )
    return table
