"""A job whose ranks are children of this process: starts them, waits for them, moves them. Called by `run_job`, and by
whoever moves ranks.

The process is forked for each rank, so it must not run threads that hold locks.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec

from ecotone.core.errors import ConflictError, InputError
from ecotone.execution.cells._compiled import module_digest
from ecotone.execution.cells._control import control_words
from ecotone.execution.cells._moving import LEAVE_MOST_S, Gate, MoveRefusedError, NoSafePointError, StuckError
from ecotone.execution.cells._passage import Passage
from ecotone.execution.cells._process import RankProcess, StartRank, kill_all, start_rank
from ecotone.execution.cells._region import open_region
from ecotone.execution.cells._snapshot import open_snapshot
from ecotone.execution.cells._tier import code_of
from ecotone.execution.cells.interface import RANKS_MOST, Job, JobResult, RankEnd

__all__ = ["LocalJob"]


class LocalJob:
    """A job that runs; `close` it, or use it as a context: then no rank is left.

    Args:
        job: what to run.
        streams: gives the descriptors for a rank's output, if each has its own.
        compiled: what `code_of` gives for the job, if the caller knows it.
        start: how a rank is started.

    Attributes:
        compiled: the code that ranks start with.

    Raises:
        InputError: the module is not there or cannot be compiled, or the number of ranks is out of range.
        UnavailableError: the system has no more processes or descriptors.
    """

    def __init__(
        self,
        job: Job,
        streams: Callable[[int], tuple[int, int]] | None = None,
        *,
        compiled: Path | None = None,
        start: StartRank = start_rank,
    ) -> None:
        if not 1 <= job.ranks <= RANKS_MOST:
            raise InputError(f"a job has 1 to {RANKS_MOST} ranks, not {job.ranks}")
        if compiled is None and not job.module.is_file():
            raise InputError(f"there is no file {job.module}")
        self._job = job
        self._streams = streams
        self._start_rank = start
        self.compiled = compiled or code_of(job)
        self._cpu_before_s = 0.0
        self._digest = module_digest(self.compiled)
        self._running: dict[int, RankProcess] = {}  # by the descriptor on which it says how it ends
        self._out: set[int] = set()
        self._gone: list[RankProcess] = []  # whose rank has ended or left: the system takes its time to clear them away
        self._ends: dict[int, RankEnd] = {}
        self._first: RankEnd | None = None
        self._killed = ""
        self._deadline = None if job.time_max_s is None else time.monotonic() + job.time_max_s
        control = control_words(job, job.ranks)
        self._region = open_region(range(job.ranks), job.ranks, len(os.sched_getaffinity(0)), control)
        self._gate = Gate(self._region)
        try:
            for rank in range(job.ranks):
                self._start(rank, -1)
        except BaseException:
            self.close()
            raise

    def _start(self, rank: int, snapshot: int) -> None:
        passage = Passage(self._digest, self._gate.theirs, snapshot)
        job = self._job
        if self._streams is not None:
            stdout, stderr = self._streams(rank)
            job = msgspec.structs.replace(job, stdout=stdout, stderr=stderr)
        process = self._start_rank(job, self.compiled, rank, self._region, passage=passage)
        self._running[process.words] = process

    def __enter__(self) -> LocalJob:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kills the ranks that still run, and waits for their end; idempotent."""
        kill_all([*self._running.values(), *self._gone])
        self._gone += self._running.values()
        self._running.clear()
        self._clear_gone()
        self._gate.close()
        self._region.close()

    def wait(self, timeout_s: float | None = None) -> JobResult | None:
        """Waits until all ranks have ended; the first that ends badly ends the others.

        Args:
            timeout_s: how long to wait at most, None for as long as it takes.

        Returns:
            How the job ended; None if it goes on, also because all ranks that are left have been taken out.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        poll = select.poll()
        for descriptor in self._running:
            poll.register(descriptor, select.POLLIN)
        while self._running:
            for descriptor, _ in poll.poll(self._wait_ms(until)):
                poll.unregister(descriptor)
                self._collect(self._running.pop(descriptor))
            if self._deadline is not None and not self._killed and time.monotonic() >= self._deadline:
                self._kill(f"took longer than the {self._job.time_max_s} s it was given")
            elif until is not None and time.monotonic() >= until and self._running:
                return None
        if self._out:
            return None
        return JobResult(ends=tuple(self._ends[rank] for rank in sorted(self._ends)), first=self._first)

    @property
    def deadline(self) -> float | None:
        """When it is to be looked at by `wait`, as `time.monotonic` tells it, though nothing has happened; None if
        never."""
        return self._deadline if self._running and not self._killed else None

    @property
    def cpu_s(self) -> float:
        """CPU time of the ranks that have ended."""
        return self._cpu_before_s + sum(rank.cpu_s for rank in self._gone)

    def watched(self) -> list[int]:
        """Descriptors that become readable when a rank ends."""
        return list(self._running)

    def lingering(self) -> list[int]:
        """Descriptors that become readable when processes have gone whose ranks have ended: then `close` is quick."""
        return [rank.ended for rank in self._gone]

    def descriptors(self) -> list[int]:
        """All that a process forked meanwhile has no use for."""
        ranks = [each for rank in [*self._running.values(), *self._gone] for each in (rank.ended, rank.words)]
        return [*ranks, self._region.descriptor, *self._gate.descriptors()]

    def kill(self, reason: str) -> None:
        """Ends all ranks; `wait` then says how the job ended."""
        if not self._killed:
            self._kill(reason)

    def _wait_ms(self, until: float | None) -> float | None:
        times = [at for at in (until, None if self._killed else self._deadline) if at is not None]
        return max(0.0, min(times) - time.monotonic()) * 1000 if times else None

    def _collect(self, rank: RankProcess) -> None:
        end = rank.end(self._killed)
        self._gone.append(rank)
        self._ends[end.rank] = end
        if end.exit_code and self._first is None:
            self._first = end
            self._kill(self._killed or f"ended because rank {end.rank} had: {end.reason.splitlines()[0]}")

    def _kill(self, reason: str) -> None:
        self._killed = reason
        kill_all(self._running.values())
        for rank in self._out:
            self._ends[rank] = RankEnd(rank=rank, exit_code=137, reason=reason)
        self._out.clear()

    def take_out(self, rank: int, timeout_s: float, *, leave_node: bool = False) -> int:
        """Takes a rank out of its process at its next MPI call, or at that in which it waits; the others go on.

        Args:
            rank: of the job.
            timeout_s: how long to wait for an MPI call.
            leave_node: whether it will be resumed on another node; else only by `put_back`.

        Returns:
            A file descriptor of the snapshot, which the caller closes; see `_snapshot.py`.

        Raises:
            ConflictError: the rank has ended, or is out already.
            MoveRefusedError: it cannot leave, and goes on.
            NoSafePointError: it has made no MPI call, and goes on.
            StuckError: it took too long to leave, and is ended.
        """
        process = next((one for one in self._running.values() if one.rank == rank), None)
        if process is None:
            raise ConflictError(f"rank {rank} does not run here")
        left_s = LEAVE_MOST_S if self._deadline is None else self._deadline - time.monotonic()
        try:
            snapshot = self._gate.take_out(
                rank, process.ended, timeout_s, leave_node=leave_node, leave_max_s=max(1.0, min(left_s, LEAVE_MOST_S))
            )
        except StuckError:
            process.kill()
            raise
        del self._running[process.words]
        self._gone.append(process)
        self._out.add(rank)
        return snapshot

    def put_back(self, rank: int, snapshot: int) -> None:
        """Resumes a rank in a new process. If that process finds the snapshot unusable, the job ends with the reason.

        Args:
            rank: that was taken out.
            snapshot: descriptor of it; the caller still closes it.

        Raises:
            ConflictError: the rank is not out, or the job has ended meanwhile.
            InputError: the snapshot is damaged, or of another module or rank.
        """
        header, _ = open_snapshot(snapshot)
        if header.module != self._digest:
            raise InputError("the snapshot belongs to another module: build and run the same sources, or start anew")
        if (header.rank, header.ranks) != (rank, self._job.ranks):
            raise InputError(f"the snapshot is of rank {header.rank} of {header.ranks}, not of rank {rank}")
        if rank not in self._out:
            ended = f": the job {self._killed}" if self._killed else ""
            raise ConflictError(f"rank {rank} cannot be resumed: it has not been taken out, or has ended{ended}")
        self._start(rank, snapshot)
        self._out.discard(rank)
        self._clear_gone()

    def switch(self, code: Path, timeout_s: float) -> int:
        """Lets the ranks go on with other code of the same module, each from its next MPI call on.

        Args:
            code: of the module, for this machine.
            timeout_s: how long to wait for each rank; one that makes no MPI call in that time goes on as it is.

        Returns:
            How many have been switched.

        Raises:
            InputError: it is code of another module.
        """
        if module_digest(code) != self._digest:
            raise InputError(f"{code.name} is not code of the module that runs")
        self.compiled = code
        switched = 0
        for rank in sorted(process.rank for process in self._running.values()):
            try:
                snapshot = self.take_out(rank, timeout_s)
            except (ConflictError, MoveRefusedError, NoSafePointError, StuckError):
                continue
            try:
                self.put_back(rank, snapshot)
                switched += 1
            finally:
                os.close(snapshot)
        return switched

    def _clear_gone(self) -> None:
        while self._gone:
            rank = self._gone.pop()
            rank.collect("")
            self._cpu_before_s += rank.cpu_s
