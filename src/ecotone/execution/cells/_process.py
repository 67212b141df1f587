"""The process of a rank, seen from the one that has started it. Called by a job, and by the part of a job on a node."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from ecotone.core.errors import UnavailableError
from ecotone.execution.cells._last_words import hear, say
from ecotone.execution.cells._libc import name_process
from ecotone.execution.cells._passage import Passage
from ecotone.execution.cells._region import Region
from ecotone.execution.cells._spare import ORDER_MOST, Spare
from ecotone.execution.cells.interface import Job, RankEnd, as_path

if TYPE_CHECKING:  # only a job of several nodes loads the network
    from ecotone.execution.cells._wires import Wiring

__all__ = ["RankProcess", "StartRank", "as_rank", "kill_all", "rehearse_rank", "start_rank", "start_spare"]


_STREAMS = (0, 1, 2)


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
        raise _no_rank(rank, error) from None
    try:
        process = os.fork()
    except OSError as error:
        os.close(words)
        os.close(report)
        raise _no_rank(rank, error) from None
    if process == 0:
        try:
            _dress(job, rank, region)
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


def _dress(job: Job, rank: int, region: Region) -> None:
    """What others see of a rank's process, and where it may run."""
    name_process(f"cell-rank-{rank}")
    if job.bind:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[region.ranks.index(rank) % len(cores)]})


class _Order(msgspec.Struct, array_like=True):
    """What a spare process is told when it becomes a rank; with it come the descriptors of `start_spare`."""

    job: Job
    compiled: str
    rank: int
    ranks: tuple[int, ...]
    world: int
    windows_bytes: int
    digest: str
    parent: int


_orders_out = msgspec.msgpack.Encoder(enc_hook=str)
_orders_in = msgspec.msgpack.Decoder(_Order, dec_hook=as_path)


def start_spare(spare: Spare, job: Job, compiled: Path, rank: int, region: Region, *, passage: Passage) -> RankProcess:
    """Makes a rank of a process that waits in `as_rank`; the spare is the rank's from then on.

    Raises:
        OSError: the spare has ended, and is still to be buried.
        UnavailableError: the system has no more descriptors.
    """
    order = _Order(
        job, str(compiled), rank, region.ranks, region.world, region.windows_bytes, passage.digest, os.getpid()
    )
    try:
        words, report = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise _no_rank(rank, error) from None
    try:
        cpu_before_s = time.clock_gettime(_clock_of(spare.pid))
        given = [report, region.descriptor, passage.gate.fileno(), job.stdin, job.stdout, job.stderr]
        spare.tell(_orders_out.encode(order), given)
    except OSError:
        os.close(words)
        raise
    finally:
        os.close(report)
    spare.link.close()
    return RankProcess(rank, spare.pid, words, ended=spare.ended, cpu_before_s=cpu_before_s)


def _clock_of(process: int) -> int:
    """The clock that counts the CPU time of another process, as clock_getcpuclockid(3) makes it."""
    return ~process << 3 | 2


def as_rank(order: bytes, descriptors: list[int], _link: socket.socket) -> None:
    """In a spare: becomes the rank that `start_spare` asks for."""
    from ecotone.execution.cells._rank import run_rank  # noqa: PLC0415 - loads wasmtime

    report, shared, gate, *streams = descriptors
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    told = _orders_in.decode(order)
    job = msgspec.structs.replace(told.job, stdin=0, stdout=1, stderr=2)
    region = Region(shared, told.ranks, told.world)
    region.windows_bytes = told.windows_bytes
    try:
        _dress(job, told.rank, region)
        passage = Passage(told.digest, socket.socket(fileno=gate))
        run_rank(
            job=job, compiled=Path(told.compiled), rank=told.rank, region=region, report=report, parent=told.parent,
            passage=passage,
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the outermost edge of this process
        say(report, 1, f"could not start: {error}")
        os._exit(1)


def rehearse_rank(program: Path) -> None:
    """In a spare, before it waits: does once all that it will do as a rank, with a program of our own.

    Args:
        program: compiled, see `_rehearsal.py`.
    """
    from ecotone.execution.cells._rank import rehearse  # noqa: PLC0415 - loads wasmtime

    order = _orders_out.encode(_Order(Job(module=program), str(program), 0, (0,), 1, 0, "", 0))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        socket.send_fds(ours, [order], [0, 1, 2])
        data, descriptors, _, _ = socket.recv_fds(theirs, ORDER_MOST, len(_STREAMS), socket.MSG_CMSG_CLOEXEC)
    for number, descriptor in zip(_STREAMS, descriptors, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    told = _orders_in.decode(data)
    msgspec.structs.replace(told.job, stdin=0, stdout=1, stderr=2)
    Region(-1, told.ranks, told.world)
    rehearse(program)


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
