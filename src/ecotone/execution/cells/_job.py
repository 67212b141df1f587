"""Runs a job on this node from its start to its end. Called by agents and the command below.

The process that calls `run_job` is forked for each rank, so it must not run threads that hold locks.
"""

from __future__ import annotations

from ecotone.execution.cells._local import LocalJob
from ecotone.execution.cells.interface import Job, JobResult

__all__ = ["run_job"]


def run_job(job: Job) -> JobResult:
    """Runs a job to its end.

    Raises:
        InputError: the module is not there or cannot be compiled, or the number of ranks is out of range.
    """
    with LocalJob(job) as running:
        result = running.wait()
    assert result is not None
    return result
