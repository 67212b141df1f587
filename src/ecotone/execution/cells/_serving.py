"""The process behind `server.py`: it starts jobs for others, in milliseconds.

It has two ways. A job of a module that it knows, with few ranks, it runs itself: the ranks are processes that were
forked in advance and have rehearsed their start. Every other job becomes a process of its own, which takes the time
that it needs: to compile a module, to fork a thousand ranks. Nothing here waits for anything but news, so that a job's
deadline is kept whatever the others do.

    python -m ecotone.execution.cells._serving DESCRIPTOR    a socket to the one who asks; at its end all jobs end
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import wasmtime

from ecotone.core.errors import EcotoneError, UnavailableError
from ecotone.execution.cells._known import Identity, KnownPrograms, identity_of
from ecotone.execution.cells._libc import name_process
from ecotone.execution.cells._local import LocalJob
from ecotone.execution.cells._passage import Passage
from ecotone.execution.cells._process import RankProcess
from ecotone.execution.cells._region import Region
from ecotone.execution.cells._rehearsal import open_rehearsal
from ecotone.execution.cells._spare import ORDER_MOST, Spare
from ecotone.execution.cells._spare_rank import as_rank, rehearse_rank, start_spare
from ecotone.execution.cells.interface import Job, RankEnd, as_path
from ecotone.execution.cells.server import Done

__all__: list[str] = []

_LOADED = ("ecotone.execution.cells._cell_file", "ecotone.execution.cells._trust", "resource")  # wait4 wants the last
_WITH_JOB = 4  # descriptors: the socket of who asks, and three streams
_SPARES = 4  # waiting ranks
_SPARES_LEAST = 2  # with fewer, the next start would be slow: then they are made between two jobs
_OWN_MOST = 16  # jobs that are run here at a time: each has about eight descriptors and more
_REFILL_AFTER_S = 0.02  # without news: a start has the machine to itself
_REFILL_LATER_S = 1.0  # where spare processes die, no time is lost with them
_PATH_MOST = 4096
_ANSWER_MOST = 128 << 10  # the system takes about 200 KiB at once
_REASON_MOST = 16 << 10


class _Apart(msgspec.Struct, array_like=True):
    """What a process is told that becomes a job; with it come the descriptors that came with the job."""

    compiled: str
    """Empty if it must find out."""
    job: msgspec.Raw


class _ApartJob:
    """A job that is a process of its own."""

    def __init__(self, spare: Spare, channel: socket.socket) -> None:
        self.spare = spare
        self.channel = channel
        self.identity: Identity | None = None
        """By which its program shall be known from then on."""

    def descriptors(self) -> list[int]:
        return [self.spare.ended, self.spare.link.fileno(), self.channel.fileno()]

    def kill(self) -> None:
        self.spare.kill()  # its ranks end with it


class _OwnJob:
    """A job that is run here."""

    def __init__(self, job: LocalJob, channel: socket.socket) -> None:
        self.job = job
        self.channel = channel
        self.watched: list[int] = []
        self.begun_s = time.monotonic()

    def descriptors(self) -> list[int]:
        return [self.channel.fileno(), *self.job.descriptors()]


class _Server:
    def __init__(self, channel: socket.socket, ready: Callable[[], None]) -> None:
        self._channel = channel
        self._ready = ready
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._news: dict[int, Callable[[], None]] = {}
        self._known = KnownPrograms()
        self._ranks: list[Spare] = []
        self._apart: Spare | None = None
        self._stale: list[Spare] = []
        self._dismissed: list[Spare] = []
        self._jobs: set[_ApartJob | _OwnJob] = set()
        self._refill_s: float | None = 0.0
        self._sample = msgspec.msgpack.encode(Job(module=Path(os.devnull)), enc_hook=str)

    def serve(self) -> None:
        """Until the one who started this process has closed his end."""
        while True:
            news = [(each, self._news.get(each)) for each, _ in self._poll.poll(self._wait_ms())]
            for descriptor, tell in news:
                if tell is not None and self._news.get(descriptor) is tell:  # else it has become another one meanwhile
                    tell()
            # The next job comes last: what the one before has taught is known to it.
            if any(tell is None for _, tell in news) and not self._receive():
                self._end()
                return
            now_s = time.monotonic()
            for job in [each for each in self._jobs if isinstance(each, _OwnJob)]:
                if job.job.deadline is not None and job.job.deadline <= now_s:
                    self._look(job)
            if self._refill_s is not None and self._refill_s <= now_s:
                self._refill()

    def _wait_ms(self) -> float | None:
        times = [self._refill_s, *(each.job.deadline for each in self._jobs if isinstance(each, _OwnJob))]
        first_s = min((each for each in times if each is not None), default=None)
        return None if first_s is None else max(0.0, first_s - time.monotonic()) * 1000

    def _watch(self, descriptor: int, events: int, news: Callable[[], None]) -> None:
        self._poll.register(descriptor, events)
        self._news[descriptor] = news

    def _forget(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            if self._news.pop(descriptor, None):
                self._poll.unregister(descriptor)

    # ---- Spare processes ----

    def _spares(self) -> list[Spare]:
        return [*self._ranks, *self._dismissed, *([self._apart] if self._apart else [])]

    def _others(self) -> list[int]:
        """Descriptors of which a forked process has no use."""
        own = [each for spare in self._spares() for each in (spare.ended, spare.link.fileno())]
        return [self._channel.fileno(), *own, *(each for job in self._jobs for each in job.descriptors())]

    def _refill(self) -> None:
        """Forks one spare process of those that are missing, or lets one go that is to be replaced."""
        self._stale = [each for each in self._stale if each in self._ranks]
        try:
            if self._apart is None:
                self._apart = self._new_apart()
            elif len(self._ranks) < _SPARES:
                self._ranks.append(self._new_rank())
            elif self._stale:
                self._dismiss(self._stale.pop())
        except EcotoneError:  # the system has no more: a job that finds none says so
            self._refill_s = time.monotonic() + _REFILL_LATER_S
            return
        if len(self._ranks) < _SPARES or self._stale:
            self._refill_s = 0.0
        else:
            self._refill_s = None
            self._rehearse()

    def _rehearse(self) -> None:
        """Does what a start does, up to the ranks: forking has made all memory of this process one to be copied when it
        is written, and this copies what a start writes."""
        with contextlib.suppress(EcotoneError, OSError):  # also for want of descriptors
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours, theirs:
                socket.send_fds(ours, [self._sample], [ours.fileno()])
                data, descriptors, _, _ = socket.recv_fds(theirs, ORDER_MOST, 1, socket.MSG_CMSG_CLOEXEC)
            for descriptor in descriptors:
                os.close(descriptor)
            job = _jobs.decode(data)
            self._known.get(identity_of(job))
            LocalJob(job, compiled=job.module, start=_no_rank)

    def _new_rank(self) -> Spare:
        return self._watched_spare(Spare(as_rank, self._others(), self._ready))

    def _new_apart(self) -> Spare:
        return self._watched_spare(Spare(_run_apart, self._others()))

    def _watched_spare(self, spare: Spare) -> Spare:
        self._watch(spare.ended, select.POLLIN, lambda: self._lose(spare))
        return spare

    def _dismiss(self, spare: Spare) -> None:
        """It is not wanted any more; it is buried when it has ended, for which nothing waits."""
        self._ranks.remove(spare)
        self._dismissed.append(spare)
        spare.kill()

    def _lose(self, spare: Spare) -> None:
        """It has ended; if nobody here has wanted that, somebody has killed it."""
        self._forget(spare.ended)
        if spare in self._dismissed:
            self._dismissed.remove(spare)
        else:
            if spare is self._apart:
                self._apart = None
            else:
                self._ranks.remove(spare)
            self._refill_s = time.monotonic() + _REFILL_LATER_S
        spare.bury()

    # ---- Starting ----

    def _receive(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._channel, ORDER_MOST, _WITH_JOB, socket.MSG_CMSG_CLOEXEC)
        if not data:
            return False
        if len(descriptors) == _WITH_JOB:  # else this process has no room for more, and who asked finds his end closed
            channel = socket.socket(fileno=descriptors.pop(0))
            try:
                self._start(data, channel, descriptors)
            except Exception as error:  # noqa: BLE001 - one job must not end the others
                told = str(error) if isinstance(error, EcotoneError) else f"the job could not be started: {error}"
                _answer(channel, Done(problem=told))
                channel.close()
        for descriptor in descriptors:
            os.close(descriptor)
        self._refill_s = time.monotonic() + _REFILL_AFTER_S
        return True

    def _start(self, data: bytes, channel: socket.socket, streams: list[int]) -> None:
        job = _jobs.decode(data)
        identity = identity_of(job)
        compiled = self._known.get(identity)
        own = sum(isinstance(each, _OwnJob) for each in self._jobs)
        if compiled is not None and job.ranks <= _SPARES and own < _OWN_MOST:
            job = msgspec.structs.replace(job, stdin=streams[0], stdout=streams[1], stderr=streams[2])
            self._run_here(job, compiled, channel)
            return
        spare = self._tell_apart(
            msgspec.msgpack.encode(_Apart(str(compiled or ""), msgspec.Raw(data))), channel, streams
        )
        running = _ApartJob(spare, channel)
        running.identity = identity if compiled is None else None
        self._jobs.add(running)
        self._watch(spare.ended, select.POLLIN, lambda: self._collect(running))
        self._watch(spare.link.fileno(), select.POLLIN, lambda: self._learn(running))
        self._watch(channel.fileno(), select.POLLHUP, lambda: self._abandon(running))

    def _tell_apart(self, order: bytes, channel: socket.socket, streams: list[int]) -> Spare:
        """Makes a job of the process that waits to be one, or of a new one if that has been killed."""
        descriptors = [channel.fileno(), *streams]
        while self._apart is not None:
            spare, self._apart = self._apart, None
            self._forget(spare.ended)
            try:
                spare.tell(order, descriptors)
            except OSError:
                spare.bury()
            else:
                return spare
        spare = Spare(_run_apart, [*self._others(), *descriptors])
        try:
            spare.tell(order, descriptors)
        except OSError:
            spare.bury()
            raise
        return spare

    def _run_here(self, job: Job, compiled: Path, channel: socket.socket) -> None:
        running = _OwnJob(LocalJob(job, compiled=compiled, start=self._start_rank), channel)
        self._jobs.add(running)
        self._watch(channel.fileno(), select.POLLHUP, lambda: self._abandon(running))
        self._watch_ranks(running)

    def _start_rank(self, job: Job, compiled: Path, rank: int, region: Region, *, passage: Passage) -> RankProcess:
        told = (job, compiled, rank, region)
        while self._ranks:
            spare = self._ranks.pop(0)
            self._forget(spare.ended)
            with contextlib.suppress(OSError):  # somebody has killed it
                return _as_told(spare, *told, passage=passage)
        others = [*self._others(), region.descriptor, passage.gate.fileno(), job.stdin, job.stdout, job.stderr]
        return _as_told(Spare(as_rank, others), *told, passage=passage)

    # ---- Jobs that run ----

    def _watch_ranks(self, running: _OwnJob) -> None:
        running.watched = running.job.watched()
        for descriptor in running.watched:
            self._watch(descriptor, select.POLLIN, lambda: self._look(running))

    def _look(self, running: _OwnJob) -> None:
        """A rank has ended, or the job has had its time."""
        self._forget(*running.watched)
        result = running.job.wait(0)
        if result is None:
            self._watch_ranks(running)
            return
        wall_s = time.monotonic() - running.begun_s
        _answer(running.channel, Done(result=result, cpu_s=running.job.cpu_s, wall_s=wall_s))
        self._forget(running.channel.fileno())
        running.watched = running.job.lingering()
        for descriptor in running.watched:
            self._watch(descriptor, select.POLLIN, partial(self._clear, running, descriptor))

    def _clear(self, running: _OwnJob, descriptor: int) -> None:
        """A process has gone whose rank had ended before; with the last of them the job is forgotten."""
        self._forget(descriptor)
        running.watched.remove(descriptor)
        if running.watched:
            return
        self._jobs.discard(running)
        running.channel.close()
        running.job.close()
        if self._refill_s is not None:
            now_s = time.monotonic()
            self._refill_s = now_s if len(self._ranks) < _SPARES_LEAST else now_s + _REFILL_AFTER_S

    def _abandon(self, running: _ApartJob | _OwnJob) -> None:
        """Nobody waits for it any more."""
        self._forget(running.channel.fileno())
        if isinstance(running, _ApartJob):
            running.kill()
        else:
            running.job.kill("ended because nobody waits for it any more")

    def _learn(self, running: _ApartJob) -> None:
        """A job tells what code it has run."""
        self._forget(running.spare.link.fileno())
        compiled = b""
        with contextlib.suppress(OSError):  # it was killed before it had read what to do
            compiled = running.spare.link.recv(_PATH_MOST)
        if compiled and running.identity is not None:
            self._known.add(running.identity, Path(os.fsdecode(compiled)))
            self._stale = list(self._ranks)  # they do not have it open
            self._refill_s = time.monotonic() + _REFILL_AFTER_S

    def _collect(self, running: _ApartJob) -> None:
        if running.spare.link.fileno() in self._news:
            self._learn(running)
        self._jobs.discard(running)
        self._forget(running.spare.ended, running.channel.fileno())
        running.spare.bury()
        running.channel.close()

    def _end(self) -> None:
        """All that runs is killed; what waits ends with its parent, which is this process."""
        for running in list(self._jobs):
            if isinstance(running, _ApartJob):
                running.spare.bury()
            else:
                running.job.close()
        for spare in self._spares():
            spare.bury()


def _as_told(spare: Spare, job: Job, compiled: Path, rank: int, region: Region, *, passage: Passage) -> RankProcess:
    """Starts a rank in a spare, of which nothing is left if that fails."""
    try:
        return start_spare(spare, job, compiled, rank, region, passage=passage)
    except BaseException:
        spare.bury()
        raise


def _no_rank(job: Job, compiled: Path, rank: int, region: Region, *, passage: Passage) -> RankProcess:
    """How a rehearsal starts a rank."""
    raise UnavailableError(f"rank {rank} of {region.world} is not started")


def _run_apart(order: bytes, descriptors: list[int], link: socket.socket) -> None:
    """In a spare: becomes a job, and does it."""
    name_process("cell-job")
    told = msgspec.msgpack.decode(order, type=_Apart)
    channel = socket.socket(fileno=descriptors[0])
    for number, descriptor in enumerate(descriptors[1:]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    job = msgspec.structs.replace(_jobs.decode(told.job), stdin=0, stdout=1, stderr=2)
    begun_s = time.monotonic()
    try:
        with LocalJob(job, compiled=Path(told.compiled) if told.compiled else None) as running:
            result = running.wait()
            link.send(os.fsencode(running.compiled))
            _answer(channel, Done(result=result, cpu_s=running.cpu_s, wall_s=time.monotonic() - begun_s))
    except EcotoneError as error:
        _answer(channel, Done(problem=str(error)))
    except OSError as error:
        _answer(channel, Done(problem=f"the job could not be started: {error}"))


def _answer(channel: socket.socket, done: Done) -> None:
    with contextlib.suppress(OSError):  # nobody waits for it any more
        channel.send(_encoded(done))


def _encoded(done: Done) -> bytes:
    """In a message that the system takes: with many ranks, what each had is cut short."""
    data = msgspec.msgpack.encode(done)
    if len(data) <= _ANSWER_MOST:
        return data
    result = done.result
    if result is None:
        return msgspec.msgpack.encode(Done(problem=done.problem[:_REASON_MOST]))
    for most in (256, 32, 0):
        ends = tuple(_cut(end, most) for end in result.ends)
        shorter = msgspec.structs.replace(result, ends=ends, first=result.first and _cut(result.first, _REASON_MOST))
        data = msgspec.msgpack.encode(msgspec.structs.replace(done, result=shorter))
        if len(data) <= _ANSWER_MOST:
            break
    return data


def _cut(end: RankEnd, most: int) -> RankEnd:
    return msgspec.structs.replace(end, reason=end.reason[:most])


_jobs = msgspec.msgpack.Decoder(Job, dec_hook=as_path)


def _main() -> None:
    name_process("cell-server")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the one who started everything
    for name in _LOADED:
        importlib.import_module(name)
    rehearse = _rehearsal()
    rehearse()
    gc.collect()
    gc.freeze()  # what is loaded now stays shared between all that is forked
    _Server(socket.socket(fileno=int(sys.argv[1])), rehearse).serve()


def _rehearsal() -> Callable[[], None]:
    """What a spare does before it waits. Where programs cannot be run, the first rank says why."""
    try:
        program = open_rehearsal()
    except (wasmtime.WasmtimeError, OSError):
        return lambda: None

    def rehearse() -> None:
        with contextlib.suppress(EcotoneError, OSError):
            rehearse_rank(program)

    return rehearse


if __name__ == "__main__":
    _main()
