"""Cells: programs in WebAssembly, run as the ranks of a job, each in a process of its own.

Called by agents and by `python -m ecotone.execution.cells`. Building cells is the business of `ecotone.design.cells`;
what both must agree upon are the host functions in `_host.py` and the layout of shared memory in `_region.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.execution.cells._emulated import EmulatedJob
    from ecotone.execution.cells._job import run_job
    from ecotone.execution.cells._local import LocalJob
    from ecotone.execution.cells._moving import MoveRefusedError, NoSafePointError
    from ecotone.execution.cells.interface import Folder, Job, JobResult, RankEnd

__all__ = [
    "EmulatedJob",
    "Folder",
    "Job",
    "JobResult",
    "LocalJob",
    "MoveRefusedError",
    "NoSafePointError",
    "RankEnd",
    "run_job",
]

__getattr__ = lazy_names(
    __name__,
    {
        "._emulated": ("EmulatedJob",),
        "._job": ("run_job",),
        "._local": ("LocalJob",),
        "._moving": ("MoveRefusedError", "NoSafePointError"),
        ".interface": ("Folder", "Job", "JobResult", "RankEnd"),
    },
)
