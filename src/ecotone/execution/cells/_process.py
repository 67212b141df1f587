"""The process of a rank, seen from the one that has started it. Called by a job, and by the part of a job on a node."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ecotone.core.errors import UnavailableError
from ecotone.execution.cells._passage import Passage
from ecotone.execution.cells._region import Region
from ecotone.execution.cells.interface import Job, RankEnd

if TYPE_CHECKING:  # only a job of several nodes loads the network
    from ecotone.execution.cells._wires import Wiring

__all__ = ["RankProcess", "kill_all", "start_rank"]

_REASON_MOST = 4096


class RankProcess:
    """A running rank: its process, a descriptor that tells of its end, and one from which the reason is read."""

    def __init__(self, rank: int, process: int, reasons: int) -> None:
        self.rank = rank
        self.process = process
        self.ended = os.pidfd_open(process)
        self.reasons = reasons

    def kill(self) -> None:
        """Idempotent; call `collect` then."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.ended, signal.SIGKILL)

    def collect(self, killed: str) -> RankEnd:
        """Waits for its end and says how it was; `killed` is the reason if the job itself has killed it."""
        _, status = os.waitpid(self.process, 0)
        reason = os.read(self.reasons, _REASON_MOST).decode(errors="replace")  # its writer has ended: never blocks
        os.close(self.reasons)
        os.close(self.ended)
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            name = signal.Signals(-code).name
            return RankEnd(rank=self.rank, exit_code=128 - code, reason=killed or reason or f"killed by {name}")
        return RankEnd(rank=self.rank, exit_code=code, reason=reason or (f"exit code {code}" if code else ""))


def start_rank(
    job: Job,
    compiled: Path,
    rank: int,
    region: Region,
    *,
    wiring: Wiring | None = None,
    bells: tuple[int, ...] = (),
    passage: Passage | None = None,
) -> RankProcess:
    """Forks this process, which must not run threads that hold locks, for a rank.

    Raises:
        UnavailableError: the system has no more processes or descriptors.
    """
    from ecotone.execution.cells._rank import run_rank  # noqa: PLC0415 - loads wasmtime, once for all ranks

    parent = os.getpid()
    try:
        reasons, report = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise _no_rank(rank, error) from None
    try:
        process = os.fork()
    except OSError as error:
        os.close(reasons)
        os.close(report)
        raise _no_rank(rank, error) from None
    if process == 0:
        try:
            if job.bind:
                cores = sorted(os.sched_getaffinity(0))
                os.sched_setaffinity(0, {cores[region.ranks.index(rank) % len(cores)]})
            run_rank(
                job=job, compiled=compiled, rank=rank, region=region, report=report, parent=parent, wiring=wiring,
                bells=bells, passage=passage,
            )  # fmt: skip
        except BaseException as error:  # noqa: BLE001 - above this is the code of who has forked, which is not ours
            os.write(report, f"could not start: {error}".encode()[:_REASON_MOST])
        finally:
            os._exit(1)
    os.close(report)
    return _watched(rank, process, reasons)


def _watched(rank: int, process: int, reasons: int) -> RankProcess:
    try:
        return RankProcess(rank, process, reasons)
    except OSError as error:  # nobody would know of the process
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(reasons)
        raise _no_rank(rank, error) from None


def _no_rank(rank: int, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"rank {rank} could not be started: {error.strerror}; start fewer, or raise the limit (ulimit -n for open "
        "files, ulimit -u for processes)"
    )


def kill_all(ranks: Iterable[RankProcess]) -> None:
    """Kills them; they are still to be collected."""
    for rank in ranks:
        rank.kill()
