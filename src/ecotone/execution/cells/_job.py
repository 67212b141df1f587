"""A job: starts its ranks, waits for them, and ends all when one ends badly. Called by agents and the command below.

The process that calls `run_job` is forked for each rank, so it must not run threads that hold locks.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path

from ecotone.core.errors import InputError
from ecotone.execution.cells._compiled import compiled_module
from ecotone.execution.cells._region import Region, open_region
from ecotone.execution.cells.interface import Job, JobResult, RankEnd

__all__ = ["run_job"]

_REASON_MOST = 4096
_RANKS_MOST = 1024


class _Rank:
    """A running rank: its process, a descriptor that tells of its end, and one from which the reason is read."""

    def __init__(self, rank: int, process: int, reasons: int) -> None:
        self.rank = rank
        self.process = process
        self.ended = os.pidfd_open(process)
        self.reasons = reasons

    def collect(self, killed: str) -> RankEnd:
        """How it ended; `killed` is the reason if the job itself has killed it."""
        _, status = os.waitpid(self.process, 0)
        reason = os.read(self.reasons, _REASON_MOST).decode(errors="replace")  # its writer has ended: never blocks
        os.close(self.reasons)
        os.close(self.ended)
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            name = signal.Signals(-code).name
            return RankEnd(rank=self.rank, exit_code=128 - code, reason=killed or reason or f"killed by {name}")
        return RankEnd(rank=self.rank, exit_code=code, reason=reason or (f"exit code {code}" if code else ""))


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


def _start_all(job: Job, compiled: Path, region: Region) -> list[_Rank]:
    from ecotone.execution.cells._rank import run_rank  # noqa: PLC0415 - loads wasmtime, once for all ranks

    parent = os.getpid()
    running: list[_Rank] = []
    try:
        for rank in range(job.ranks):
            reasons, report = os.pipe2(os.O_CLOEXEC)
            process = os.fork()
            if process == 0:
                run_rank(job=job, compiled=compiled, rank=rank, region=region, report=report, parent=parent)
            os.close(report)
            running.append(_Rank(rank, process, reasons))
    except BaseException:
        _kill(running)
        for rank in running:
            rank.collect("")
        raise
    return running


def _kill(ranks: list[_Rank]) -> None:
    for rank in ranks:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(rank.ended, signal.SIGKILL)


def _wait_all(job: Job, running: list[_Rank]) -> JobResult:
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
                _kill(list(left.values()))
            for descriptor, _ in ready:
                poll.unregister(descriptor)
                rank = left.pop(descriptor)
                end = rank.collect(killed)
                ends[end.rank] = end
                if end.exit_code and first is None:
                    first = end
                    killed = killed or f"ended because rank {end.rank} had: {end.reason}"
                    _kill(list(left.values()))
    finally:
        _kill(list(left.values()))
        for rank in left.values():
            rank.collect("")
    return JobResult(ends=tuple(ends[rank] for rank in sorted(ends)), first=first)
