"""The process of a rank, seen from the one that has started it. Called by a job, and by the part of a job on a node."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ecotone.core.errors import UnavailableError
from ecotone.execution.cells._last_words import hear, say
from ecotone.execution.cells._libc import name_process
from ecotone.execution.cells._passage import Passage
from ecotone.execution.cells._region import Region
from ecotone.execution.cells.interface import Job, RankEnd

if TYPE_CHECKING:  # only a job of several nodes loads the network
    from ecotone.execution.cells._wires import Wiring

__all__ = ["RankProcess", "StartRank", "dress_rank", "kill_all", "no_rank", "start_rank"]


class RankProcess:
    """A running rank: its process, and how its end is learnt of.

    Args:
        rank: of the job.
        process: its number.
        words: descriptor of the pipe on which it says its last words.
        ended: descriptor that tells of its end; opened here if -1.
        cpu_before_s: CPU time that the process had used before it became a rank.

    Attributes:
        words: readable when it has said how it ends, or has ended.
        ended: readable when it has ended.
        cpu_s: CPU time that it has used as a rank; 0 before it has ended.
    """

    def __init__(self, rank: int, process: int, words: int, *, ended: int = -1, cpu_before_s: float = 0.0) -> None:
        self.rank = rank
        self.process = process
        self.words = words
        self.ended = os.pidfd_open(process) if ended < 0 else ended
        self.cpu_s = 0.0
        self._cpu_before_s = cpu_before_s
        self._end: RankEnd | None = None
        self._is_there = True

    def kill(self) -> None:
        """Idempotent; call `collect` then."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.ended, signal.SIGKILL)

    def end(self, killed: str) -> RankEnd:
        """How it has ended, or is about to: when it has said so, nothing that its program does can change it.

        Waits for one or the other. `killed` is the reason if the job itself has killed it.
        """
        if self._end is None:
            told = hear(self.words)
            code, reason = self._gone() if told is None else (told.code, told.reason)
            if told is not None:
                self.cpu_s = max(0.0, told.cpu_s - self._cpu_before_s)
            if code < 0:
                reason = killed or f"killed by {signal.Signals(-code).name}"
                self._end = RankEnd(rank=self.rank, exit_code=128 - code, reason=reason)
            else:
                reason = reason or (f"exit code {code}" if code else "")
                self._end = RankEnd(rank=self.rank, exit_code=code, reason=reason)
        return self._end

    def _gone(self) -> tuple[int, str]:
        """Waits until the process has gone; its exit code, negative for a signal, and no reason."""
        _, status, used = os.wait4(self.process, 0)
        self._is_there = False
        self.cpu_s = max(0.0, used.ru_utime + used.ru_stime - self._cpu_before_s)
        return os.waitstatus_to_exitcode(status), ""

    def collect(self, killed: str) -> RankEnd:
        """Waits until it has gone, and says how it ended; nothing of it is left then."""
        end = self.end(killed)
        if self._is_there:
            os.waitpid(self.process, 0)
        os.close(self.words)
        os.close(self.ended)
        return end


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
        words, report = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise no_rank(rank, error) from None
    try:
        process = os.fork()
    except OSError as error:
        os.close(words)
        os.close(report)
        raise no_rank(rank, error) from None
    if process == 0:
        try:
            dress_rank(job, rank, region)
            run_rank(
                job=job, compiled=compiled, rank=rank, region=region, report=report, parent=parent, wiring=wiring,
                bells=bells, passage=passage,
            )  # fmt: skip
        except BaseException as error:  # noqa: BLE001 - above this is the code of who has forked, which is not ours
            say(report, 1, f"could not start: {error}")
        finally:
            os._exit(1)
    os.close(report)
    return _watched(rank, process, words)


def dress_rank(job: Job, rank: int, region: Region) -> None:
    """What others see of a rank's process, and where it may run."""
    name_process(f"cell-rank-{rank}")
    if job.bind:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[region.ranks.index(rank) % len(cores)]})


class StartRank(Protocol):
    """How a job on one node starts a rank: `start_rank`, or with a process that waits for it."""

    def __call__(self, job: Job, compiled: Path, rank: int, region: Region, *, passage: Passage) -> RankProcess:
        """Raises UnavailableError: the system has no more processes or descriptors."""
        ...


def _watched(rank: int, process: int, words: int) -> RankProcess:
    try:
        return RankProcess(rank, process, words)
    except OSError as error:  # nobody would know of the process
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(words)
        raise no_rank(rank, error) from None


def no_rank(rank: int, error: OSError) -> UnavailableError:
    """What is raised where the system has no room for a rank."""
    return UnavailableError(
        f"rank {rank} could not be started: {error.strerror}; start fewer, or raise the limit (ulimit -n for open "
        "files, ulimit -u for processes)"
    )


def kill_all(ranks: Iterable[RankProcess]) -> None:
    """Kills them; they are still to be collected."""
    for rank in ranks:
        rank.kill()
