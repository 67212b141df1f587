"""The page by which a job tells a cell how many threads it may have, and the cell what it does with them.

Each rank has one, behind all else in the memory that the ranks of a node share (`_region.py`); the OpenMP library in
the cell (`openmp` in `ecotone/design/cells/library`) reads it when a parallel region begins. Called by jobs, by ranks,
and by the session for jobs that other processes run.
"""

from __future__ import annotations

import os
import struct

import msgspec

from ecotone.core.errors import InputError
from ecotone.execution.cells.interface import THREADS_MOST, Job

__all__ = ["ThreadUse", "control_words", "read_threads", "write_cap"]

_VERSION = 1
_CAP_OFFSET = 4
_TOLD_OFFSET = 64
_TOLD = struct.Struct("<5I")
_GIVEN = struct.Struct("<4I")


class ThreadUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a rank does with its threads."""

    cap: int
    """How many the next parallel region may have."""
    regions: int
    """Parallel regions begun, modulo 2^32."""
    size: int
    """Threads of the newest region; 0 before the first."""
    active: bool
    """Whether it goes on."""
    existing: int
    """Threads that the rank has, working or waiting."""


def control_words(job: Job, ranks_here: int) -> bytes:
    """How the page of each rank begins.

    Args:
        job: of the ranks.
        ranks_here: how many share the cores that this process may use.

    Raises:
        InputError: the job asks for more threads than there can be.
    """
    cores = 1 if job.bind else max(1, len(os.sched_getaffinity(0)) // ranks_here)
    most = job.threads_most or max(job.threads or 1, cores)
    if not 1 <= (job.threads or 1) <= most <= THREADS_MOST:
        raise InputError(
            f"a rank can have 1 to {THREADS_MOST} threads, and begin with as many as that or fewer, not with "
            f"{job.threads} of {most}"
        )
    # Without a limit a program gets what it asks for, as it would anywhere else.
    return _GIVEN.pack(_VERSION, job.threads or THREADS_MOST, most, cores)


def write_cap(region: int, offset: int, threads: int) -> None:
    """Changes what the next parallel region may have; the rank whose page lies at `offset` need not be told."""
    os.pwrite(region, struct.pack("<I", threads), offset + _CAP_OFFSET)


def read_threads(region: int, offset: int) -> ThreadUse | None:
    """What the rank whose page lies at `offset` does; None if it has no threads of its own."""
    given = _GIVEN.unpack(os.pread(region, _GIVEN.size, offset))
    regions, size, _, active, existing = _TOLD.unpack(os.pread(region, _TOLD.size, offset + _TOLD_OFFSET))
    if given[0] != _VERSION or not existing:
        return None
    return ThreadUse(cap=given[1], regions=regions, size=size, active=bool(active), existing=existing)
