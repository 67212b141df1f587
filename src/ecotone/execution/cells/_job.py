"""A job: starts its ranks, waits for them, and ends all when one ends badly. Called by agents and the command below.

The process that calls `run_job` is forked for each rank, so it must not run threads that hold locks.
"""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

from ecotone.core.errors import InputError
from ecotone.execution.cells._compiled import compiled_module
from ecotone.execution.cells._process import RankProcess, kill_all, start_rank
from ecotone.execution.cells._region import Region, open_region
from ecotone.execution.cells.interface import Job, JobResult, RankEnd

__all__ = ["run_job"]

_RANKS_MOST = 1024


def run_job(job: Job) -> JobResult:
    """Runs a job to its end.

    Raises:
        InputError: the module is not there or cannot be compiled, or the number of ranks is out of range.
    """
    if not 1 <= job.ranks <= _RANKS_MOST:
        raise InputError(f"a job has 1 to {_RANKS_MOST} ranks, not {job.ranks}")
    if not job.module.is_file():
        raise InputError(f"there is no file {job.module}")
    compiled = compiled_module(job.module)
    region = open_region(range(job.ranks), job.ranks, len(os.sched_getaffinity(0)))
    try:
        running = _start_all(job, compiled, region)
    finally:
        region.close()
    return _wait_all(job, running)


def _start_all(job: Job, compiled: Path, region: Region) -> list[RankProcess]:
    running: list[RankProcess] = []
    try:
        for rank in range(job.ranks):
            running.append(start_rank(job, compiled, rank, region))  # noqa: PERF401 - those started are to be ended
    except BaseException:
        kill_all(running)
        for rank in running:
            rank.collect("")
        raise
    return running


def _wait_all(job: Job, running: list[RankProcess]) -> JobResult:
    ends: dict[int, RankEnd] = {}
    first: RankEnd | None = None
    left = {rank.ended: rank for rank in running}
    poll = select.poll()
    for descriptor in left:
        poll.register(descriptor, select.POLLIN)
    deadline = None if job.time_max_s is None else time.monotonic() + job.time_max_s
    killed = ""
    try:
        while left:
            wait_ms = None if deadline is None or killed else max(0.0, deadline - time.monotonic()) * 1000
            ready = poll.poll(wait_ms)
            if not ready:
                killed = f"took longer than the {job.time_max_s} s it was given"
                kill_all(list(left.values()))
            for descriptor, _ in ready:
                poll.unregister(descriptor)
                rank = left.pop(descriptor)
                end = rank.collect(killed)
                ends[end.rank] = end
                if end.exit_code and first is None:
                    first = end
                    killed = killed or f"ended because rank {end.rank} had: {end.reason}"
                    kill_all(list(left.values()))
    finally:
        kill_all(list(left.values()))
        for rank in left.values():
            rank.collect("")
    return JobResult(ends=tuple(ends[rank] for rank in sorted(ends)), first=first)
