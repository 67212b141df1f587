"""`ecotone performance`: what predictions rest on. Loaded by `app` when one of its commands is called."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ecotone.frontends.cli.main import DONE
from ecotone.frontends.cli.options import Duration, JsonOption
from ecotone.frontends.cli.output import Output
from ecotone.frontends.cli.written import check_written

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ecotone.core.calibration import Calibration
    from ecotone.frontends.terminal.profile import ProfileBar

__all__ = ["calibrate", "performance"]

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
                sys.stderr.write(f"{self._doing}: {message}\n")
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
