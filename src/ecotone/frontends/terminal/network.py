"""What a network's operators take, as a table."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from ecotone.frontends.terminal.style import block, heading, plain_table
from ecotone.frontends.words import NOTHING, count_text, percent_text, time_text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType
    from rich.table import Table

    from ecotone.session.networks import NetworkTimes, OperatorModels

__all__ = ["network_view", "operators_view"]

_SHOWN = 15
_BUSY = 0.05


def network_view(times: NetworkTimes, width: int) -> RenderableType:
    """Kinds of operators, then those that take most, then the sum."""
    network = times.network
    shapes = ", ".join("x".join(map(str, shape)) for shape in network.input_shapes.values())
    counted = count_text(len(network.operators), "operator")
    title = heading(network.name, f"{shapes}, {count_text(times.threads, 'thread')}, {counted}")
    return Group(title, block(_kinds(times)), block(_largest(times)), block(*_remarks(times)))


def _kinds(times: NetworkTimes) -> Table:
    table = plain_table()
    table.add_column("kind", style="name", no_wrap=True)
    for name in ("operators", "GFLOP", "predicted", "measured"):
        table.add_column(name, justify="right", no_wrap=True)
    places: dict[str, list[int]] = defaultdict(list)
    for place, operator in enumerate(times.network.operators):
        places[operator.kind].append(place)
    rows = [(kind, its, _sum(times, its)) for kind, its in places.items()]
    for kind, its, (flops, predicted, measured) in sorted(rows, key=lambda row: -_weight(row[2])):
        table.add_row(kind, str(len(its)), f"{flops / 1e9:.3f}", _time(predicted), _time(measured))
    return table


def _largest(times: NetworkTimes) -> Table:
    table = plain_table()
    table.add_column("operator", style="name", no_wrap=True, overflow="ellipsis", max_width=36)
    for name in ("GFLOP", "predicted", "90 % between", "measured"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    order = sorted(range(len(times.network.operators)), key=lambda place: -_weight(_sum(times, [place])))
    for place in order[:_SHOWN]:
        flops, predicted, measured = _sum(times, [place])
        said = None if times.predicted is None else times.predicted.operators[place]
        between = NOTHING if said is None else f"{time_text(said.low_s)} to {time_text(said.high_s)}"
        table.add_row(
            times.network.operators[place].name,
            f"{flops / 1e9:.3f}",
            _time(predicted),
            between,
            _time(measured),
            "" if said is None or said.supported else "not supported",
        )
    if len(order) > _SHOWN:
        flops, predicted, measured = _sum(times, order[_SHOWN:])
        others = f"{len(order) - _SHOWN} others"
        table.add_row(others, f"{flops / 1e9:.3f}", _time(predicted), NOTHING, _time(measured), "")
    return table


def _remarks(times: NetworkTimes) -> list[Text]:
    said, measured = times.predicted, times.measured
    lines: list[Text] = []
    if said is not None:
        between = f"{time_text(said.low_s)} to {time_text(said.high_s)} in 90 % of the cases"
        lines.append(Text(f"predicted: a run takes {time_text(said.prediction_s)}, {between}"))
        if not said.supported:
            lines.append(Text("not supported: much of it is of operators unlike those measured", style="close"))
    if measured is not None:
        error = (
            "" if said is None else f"; the prediction is {percent_text(said.prediction_s / measured.total_s - 1)} off"
        )
        lines.append(Text(f"measured: {time_text(measured.total_s)}, load {measured.load:.1f}{error}"))
        if measured.waited > _BUSY:
            lines.append(Text("not reliable: its threads waited for cores that others had", style="close"))
    if not lines:
        lines.append(Text("no times: add --measure, or --model with what was learnt on a machine", style="quiet"))
    return lines


def _sum(times: NetworkTimes, places: list[int]) -> tuple[float, float | None, float | None]:
    """FLOPs, predicted and measured seconds of some operators."""
    said, measured = times.predicted, times.measured
    return (
        sum(times.network.operators[place].flops for place in places),
        None if said is None else sum(said.operators[place].prediction_s for place in places),
        None if measured is None else sum(measured.operator_s[place] or 0.0 for place in places),
    )


def _weight(figures: tuple[float, float | None, float | None]) -> float:
    flops, predicted, measured = figures
    return next((each for each in (predicted, measured) if each is not None), flops)


def _time(seconds: float | None) -> str:
    return NOTHING if seconds is None else time_text(seconds)


def operators_view(models: OperatorModels, width: int, *, written: Path) -> RenderableType:
    """What was learnt, with each model's own error."""
    table = plain_table()
    table.add_column("operators", style="name", no_wrap=True)
    table.add_column("configurations", justify="right")
    table.add_column("error", justify="right")
    for name, model in sorted(models.models.items()):
        table.add_row(name, str(model.configurations), NOTHING if model.error is None else percent_text(model.error))
    wrote = Text(f"wrote {written}: ask with ecotone performance network --model {written}", style="quiet")
    title = heading("operators", f"{models.machine}, onnxruntime {models.runtime}")
    return Group(title, block(table), block(wrote))
