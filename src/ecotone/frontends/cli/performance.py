"""`ecotone performance`: what predictions rest on. Loaded by `app` when one of its commands is called."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import App, Parameter

from ecotone.core.errors import InputError
from ecotone.frontends.cli.main import DONE
from ecotone.frontends.cli.options import Duration, JsonOption
from ecotone.frontends.cli.output import Output, write_document
from ecotone.frontends.cli.written import check_written, write_page
from ecotone.frontends.model_words import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from ecotone.core.calibration import Calibration
    from ecotone.frontends.terminal.profile import ProfileBar

__all__ = ["calibrate", "fit", "network", "operators", "performance", "predict", "report"]

_SAID_EVERY = 0.2

performance = App(
    name="performance",
    help="Calibrate machines, and fit and ask performance models.",
    default_parameter=Parameter(show_default=False, negative=()),
)


@performance.command
def calibrate(
    *,
    output: Annotated[
        Path | None, Parameter(metavar="FILE", help="Write it to a file, for a node type's `calibration`.")
    ] = None,
    for_: Annotated[Duration, Parameter(name="--for", help="Longest time; at most 60s, which is the default.")] = 60.0,
    json: JsonOption = False,
) -> int:
    """Measure how fast this machine is at each kind of work.

    It ends earlier when every rate is certain, and says what disturbed it. Run it on each node that you have, and name
    the file in the continuum.

    Example: `ecotone performance calibrate --output here.json`
    """
    from ecotone.session.machines import calibrate as calibrate_machine

    check_written(output)
    with _Progress("calibrating") as progress:
        found = calibrate_machine(for_s=for_, output=output, progress=progress)

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.calibration import calibration_view

        return calibration_view(found, width, written=output)

    Output(json=json).show(picture, lambda: _calibration_document(found, output))
    return DONE


TableArgument = Annotated[Path, Parameter(name="TABLE", help="Numbers under a line of column names.")]
ModelArgument = Annotated[Path, Parameter(name="MODEL", help="A file that `ecotone performance fit` wrote.")]


@performance.command
def fit(
    table: TableArgument,
    /,
    *,
    target: Annotated[str, Parameter(metavar="COL", help="The column to predict; above zero.")],
    output: Annotated[Path, Parameter(metavar="MODEL.json", help="The file that gets the model.")],
    extrapolate: Annotated[
        tuple[str, ...],
        Parameter(metavar="COL", consume_multiple=False, help="You will ask for higher values of it; may be repeated."),
    ] = (),
    ignore: Annotated[
        tuple[str, ...], Parameter(metavar="COL", consume_multiple=False, help="Leave it out; may be repeated.")
    ] = (),
    json: JsonOption = False,
) -> int:
    """Learn a performance model from a table of runs.

    Example: `ecotone performance fit runs.csv --target seconds --output model.json`
    """
    from ecotone.session.performance_models import fit_table, model_document

    check_written(output, reads=[table])
    with _Progress("learning") as progress:
        model = fit_table(
            table,
            target,
            output=output,
            extrapolate=extrapolate,
            ignore=ignore,
            progress=lambda fraction, message: progress("", fraction, message),
        )

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.performance_models import model_view

        return model_view(model, width, written=output)

    Output(json=json).show(picture, lambda: model_document(model) | {"file": str(output)})
    return DONE


@performance.command
def predict(
    model: ModelArgument,
    table: TableArgument,
    /,
    *,
    output: Annotated[
        Path | None, Parameter(metavar="FILE", help="Write the table with the answers beside it, as CSV.")
    ] = None,
    json: JsonOption = False,
) -> int:
    """Ask a performance model about each row of a table.

    Where the table holds what was measured, too, the error is told.

    Example: `ecotone performance predict model.json questions.csv`
    """
    from ecotone.session.performance_models import asked_document, predict_table, write_predicted

    check_written(output, reads=[model, table])
    shown = Output(json=json)
    asked = predict_table(model, table)
    if output is not None:
        write_predicted(asked, output)
    _say_notes(shown, asked.notes)

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.performance_models import answers_view

        return answers_view(asked, width, written=output)

    file = None if output is None else str(output)
    shown.show(picture, lambda: asked_document(asked) | {"file": file})
    return DONE


@performance.command
def report(
    model: ModelArgument,
    table: TableArgument,
    /,
    *,
    output: Annotated[Path, Parameter(metavar="REPORT.html", help="The page that is written.")],
    json: JsonOption = False,
) -> int:
    """Draw how good a performance model is: a page with plots.

    Predicted against measured, residuals by feature, what the intervals cover, and how the error falls with the number
    of runs, for which it learns again from parts of the table.

    Example: `ecotone performance report model.json runs.csv --output report.html`
    """
    from ecotone.frontends.report.front import need_matplotlib
    from ecotone.frontends.report.model_page import model_page
    from ecotone.session.performance_models import asked_document, judge_model

    check_written(output, reads=[model, table])
    need_matplotlib()
    shown = Output(json=json)
    with _Progress("judging") as progress:
        judged = judge_model(model, table, progress=lambda fraction, message: progress("", fraction, message))
    write_page(output, model_page(judged, model.name, table.name))
    _say_notes(shown, judged.asked.notes)
    if json:
        curve = [msgspec.to_builtins(each) for each in judged.curve.points]
        assessment = asked_document(judged.asked)["assessment"]
        write_document(
            {
                "file": str(output),
                "assessment": assessment,
                "learning_curve": curve,
                "notes": list(judged.asked.notes),
            }
        )
    else:
        sys.stdout.write(f"{output}\n")
    return DONE


SizeOption = Annotated[
    tuple[str, ...],
    Parameter(
        name="--size", metavar="HxW", consume_multiple=False, help="Of images, as 240x320; or the length of sequences."
    ),
]


@performance.command
def network(
    file: Annotated[Path, Parameter(name="MODEL.onnx", help="A network in ONNX format.")],
    /,
    *,
    batch: Annotated[int | None, Parameter(metavar="N", help="Inputs at once; without it, as in the file.")] = None,
    threads: Annotated[int, Parameter(metavar="N", help="Of the runtime.")] = 1,
    size: SizeOption = (),
    model: Annotated[
        Path | None, Parameter(metavar="OPERATORS.json", help="Predict: from what `performance operators` wrote.")
    ] = None,
    measure: Annotated[bool, Parameter(help="Run it here, too, and show what it takes.")] = False,
    json: JsonOption = False,
) -> int:
    """Show what each operator of a network takes, and the sum.

    Example: `ecotone performance network detector.onnx --size 240x320 --model here.json --measure`
    """
    from ecotone.session.networks import network_document, network_times

    sizes = _sizes(size)
    if len(sizes) > 1:
        raise InputError("--size is given more than once; ask about one size at a time")
    times = network_times(
        file,
        batch=_positive("--batch", batch),
        size=sizes[0] if sizes else None,
        threads=_positive("--threads", threads) or 1,
        models=model,
        measured=measure,
    )

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.network import network_view

        return network_view(times, width)

    Output(json=json).show(picture, lambda: network_document(times))
    return DONE


@performance.command
def operators(
    *files: Annotated[Path, Parameter(name="MODEL.onnx", help="Networks in ONNX format; several teach more.")],
    output: Annotated[Path, Parameter(metavar="OPERATORS.json", help="The file that gets the models.")],
    batch: Annotated[
        tuple[int, ...], Parameter(metavar="N", consume_multiple=False, help="May be repeated; 1, 2 and 4 without it.")
    ] = (1, 2, 4),
    threads: Annotated[
        tuple[int, ...], Parameter(metavar="N", consume_multiple=False, help="May be repeated; 1 and 2 without it.")
    ] = (1, 2),
    size: SizeOption = (),
    json: JsonOption = False,
) -> int:
    """Measure networks here, and learn what their operators take, to predict others.

    Example: `ecotone performance operators a.onnx b.onnx --size 128x128 --size 240x320 --output here.json`
    """
    from ecotone.session.networks import learn_networks

    check_written(output, reads=list(files))
    with _Progress("measuring") as progress:
        models = learn_networks(
            files,
            output=output,
            batches=[_positive("--batch", each) or 1 for each in batch],
            sizes=_sizes(size),
            threads=[_positive("--threads", each) or 1 for each in threads],
            progress=lambda fraction, message: progress("", fraction, message),
        )

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.network import operators_view

        return operators_view(models, width, written=output)

    def document() -> dict[str, Any]:
        errors = {
            name: {"configurations": each.configurations, "error": each.error} for name, each in models.models.items()
        }
        return {"file": str(output), "machine": models.machine, "runtime": models.runtime, "models": errors}

    Output(json=json).show(picture, document)
    return DONE


def _positive(option: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise InputError(f"{option} {value}: write a whole number above 0")
    return value


def _sizes(texts: Sequence[str]) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for text in texts:
        parts = text.lower().split("x")
        if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise InputError(f"--size {text}: write height and width, as 240x320, or one length, as 128")
        found.append(tuple(int(part) for part in parts))
    return found


def _say_notes(output: Output, notes: Sequence[str]) -> None:
    for note in notes:
        output.say(f"note: {readable(note)}")


class _Progress:
    """A bar on a terminal that is gone when this ends; else a line now and then."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._bar: ProfileBar | None = None
        self._said = -_SAID_EVERY

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, kind: str, fraction: float, message: str) -> None:
        if not sys.stderr.isatty():
            if fraction - self._said >= _SAID_EVERY:
                self._said = fraction
                sys.stderr.write(f"{self._doing}, {fraction:.0%}: {message}\n")
                sys.stderr.flush()
            return
        if self._bar is None:
            from ecotone.frontends.terminal.profile import ProfileBar

            self._bar = ProfileBar(sys.stderr)
        self._bar.update(self._doing, "", fraction, message)


def _calibration_document(found: Calibration, output: Path | None) -> dict[str, Any]:
    from ecotone.session.machines import calibration_document

    file = None if output is None else str(output)
    return calibration_document(found) | {"reliable": not found.notes, "file": file}
