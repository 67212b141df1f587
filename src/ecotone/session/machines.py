"""What can be asked of this machine without an application. Called by `ecotone performance` and by notebooks.

from ecotone.session.machines import calibrate
calibrate(for_s=30)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.core.errors import InputError, UnavailableError
from ecotone.design.calibration import calibrate as run_benchmark
from ecotone.design.calibration import calibration_document, write_calibration

if TYPE_CHECKING:
    from pathlib import Path

    from ecotone.core.calibration import Calibration
    from ecotone.design.calibration import Progress

__all__ = ["LONGEST_S", "calibrate", "calibration_document"]

LONGEST_S = 60.0


def calibrate(*, for_s: float = LONGEST_S, output: Path | None = None, progress: Progress | None = None) -> Calibration:
    """How fast this machine is at each kind of work.

    Args:
        for_s: the longest time, in seconds, up to 60; it ends earlier when everything is certain.
        output: a file that gets it, for the `calibration` of a node type.
        progress: is told how far it is.

    Raises:
        InputError: `for_s` is not above 0 and at most 60.
        UnavailableError: the benchmark could not run, or `output` cannot be written.
    """
    if not 0 < for_s <= LONGEST_S:
        raise InputError(f"a calibration takes more than 0 and at most {LONGEST_S:g} s, not {for_s:g} s")
    found = run_benchmark(for_s=for_s, progress=progress)
    if output is not None:
        try:
            write_calibration(output, found)
        except OSError as error:
            raise UnavailableError(f"{output} cannot be written: {error.strerror}") from None
    return found
