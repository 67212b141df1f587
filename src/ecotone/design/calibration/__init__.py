"""Calibration: a benchmark of at most one minute that says how fast this machine is at several kinds of work.

Called by the session, for `ecotone performance calibrate` and before a plan on node types that name a calibration, and
by the continuum reader, which reads its files. The work is done in processes of its own (`python -m
ecotone.design.calibration`), since numeric libraries read the number of their threads when they are imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.design.calibration._file import calibration_document, read_calibration, write_calibration
    from ecotone.design.calibration._run import BRIEF_S, LONGEST_S, calibrate
    from ecotone.design.calibration.interface import UNITS, Progress

__all__ = [
    "BRIEF_S",
    "LONGEST_S",
    "UNITS",
    "Progress",
    "calibrate",
    "calibration_document",
    "read_calibration",
    "write_calibration",
]

__getattr__ = lazy_names(
    __name__,
    {
        "._file": ("calibration_document", "read_calibration", "write_calibration"),
        "._run": ("BRIEF_S", "LONGEST_S", "calibrate"),
        ".interface": ("UNITS", "Progress"),
    },
)
