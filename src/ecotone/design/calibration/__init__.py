"""Calibration: a benchmark of at most one minute that says how fast this machine is at several kinds of work.

Called by the session, for `ecotone performance calibrate` and before a plan on node types that name a calibration. The
work is done in processes of its own (`python -m ecotone.design.calibration`), since numeric libraries read the number
of their threads when they are imported.
"""

from __future__ import annotations

from ecotone.design.calibration._file import calibration_document, read_calibration, write_calibration
from ecotone.design.calibration._run import BRIEF_S, KINDS, LONGEST_S, calibrate
from ecotone.design.calibration.interface import Progress

__all__ = [
    "BRIEF_S",
    "KINDS",
    "LONGEST_S",
    "Progress",
    "calibrate",
    "calibration_document",
    "read_calibration",
    "write_calibration",
]
