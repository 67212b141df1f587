"""A process that has all loaded which a cell needs, runs no threads, and forks jobs: they start in milliseconds.

Called by whoever starts cells again and again and has threads, or does not want to wait for wasmtime: hosts of
components of kind `cell`, agents, benchmarks. Every job is a process of its own, with a socket to the one who asked for
it; whoever closes his end ends the job.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
import weakref
from pathlib import Path
from typing import NoReturn

import msgspec

from ecotone.core.errors import EcotoneError, InputError, UnavailableError
from ecotone.execution.cells._job import run_job
from ecotone.execution.cells._libc import die_with_parent
from ecotone.execution.cells.interface import Job, JobResult, RankEnd, as_path

__all__ = ["CellServer", "Done", "RunningJob"]

_MESSAGE_MOST = 1 << 20
_LOADED = ("ecotone.execution.cells._cell_file", "ecotone.execution.cells._trust", "ecotone.execution.cells._local")
_ANSWER_MOST = 128 << 10  # the system takes about 200 KiB at once
_REASON_MOST = 16 << 10
_END_LIMIT_S = 2.0


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended, with what it took."""

    result: JobResult | None = None
    """None if it could not be started."""
    problem: str = ""
    """Why it could not."""
    cpu_s: float = 0.0
    """CPU time of all its ranks together."""
    wall_s: float = 0.0
    """From its start to its end, without the wait for the server."""


class RunningJob:
    """A job that was asked for; `close` ends it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def wait(self, timeout_s: float | None = None) -> Done:
        """Blocks until it has ended.

        Raises:
            InputError: it could not be started; the message says why.
            TimeoutError: it goes on after `timeout_s`.
            UnavailableError: the server has ended.
        """
        self._channel.settimeout(timeout_s)
        data = self._channel.recv(_MESSAGE_MOST)
        self.close()
        if not data:
            raise UnavailableError("the job was killed, or the process that starts jobs, and the job with it")
        done = msgspec.msgpack.decode(data, type=Done)
        if done.result is None:
            raise InputError(done.problem)
        return done

    def close(self) -> None:
        """Ends the job if it still runs. Idempotent."""
        self._channel.close()


class CellServer:
    """The process, started at once and ended by `close`, when this is forgotten, or when this process ends."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-P", "-m", "ecotone.execution.cells.server", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._channel = ours
        self._finalizer = weakref.finalize(self, _end, ours, self._process)

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self, job: Job, *, stdin: int | None = None) -> RunningJob:
        """Asks for a job; returns at once.

        Args:
            job: what to run; its descriptors for output are this process's.
            stdin: descriptor that rank 0 reads from; None for nothing.

        Raises:
            InputError: arguments and environment are too long.
            UnavailableError: the server has ended.
        """
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) if stdin is None else -1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        data = _encoded_job(job)
        try:
            descriptors = [theirs.fileno(), nothing if stdin is None else stdin, job.stdout, job.stderr]
            socket.send_fds(self._channel, [data], descriptors)
        except OSError as error:
            ours.close()
            if error.errno == errno.EMSGSIZE:
                raise InputError(
                    f"the arguments and the environment of {job.module.name} have {len(data)} bytes together, and about"
                    " 200000 can be given; give more in files or on standard input"
                ) from None
            raise UnavailableError("the process that starts cells has ended") from None
        finally:
            theirs.close()
            if stdin is None:
                os.close(nothing)
        return RunningJob(ours)

    def has_ended(self) -> bool:
        """Whether it is gone without having been closed: somebody has killed it."""
        poll = select.poll()
        poll.register(self._channel, 0)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Ends the server and all its jobs. Idempotent."""
        self._finalizer()


def _end(channel: socket.socket, process: subprocess.Popen[bytes]) -> None:
    channel.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_LIMIT_S)
    process.kill()
    process.wait()


def _encoded_job(job: Job) -> bytes:
    return msgspec.msgpack.encode(job, enc_hook=str)


class _Running:
    """A job's process, seen from the server."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.ended = os.pidfd_open(pid)
        self.channel = channel

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.ended, signal.SIGKILL)  # its ranks end with it

    def collect(self) -> None:
        os.waitpid(self.pid, 0)
        os.close(self.ended)
        self.channel.close()


class _Spare:
    """A process that waits to become a job: forking takes longer than all the rest of a start."""

    def __init__(self, others: list[int]) -> None:
        """`others` are descriptors that a job has no use for."""
        parent = os.getpid()
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._link.close()
            for each in others:
                os.close(each)
            _become_job(theirs, parent)
        theirs.close()

    def become(self, data: bytes, descriptors: list[int]) -> None:
        """Make it a job.

        Raises:
            OSError: it has ended.
        """
        with self._link:
            socket.send_fds(self._link, [data], descriptors)


class _Server:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._running: dict[int, _Running] = {}
        self._spare = self._new_spare()

    def serve(self) -> None:
        """Until the one who started this process has closed his end."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._channel.fileno():
                    if not self._receive():
                        self._end()
                        return
                elif descriptor in self._running:
                    self._attend(self._running[descriptor], descriptor)

    def _new_spare(self) -> _Spare:
        return _Spare([self._channel.fileno(), *self._running])

    def _receive(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._channel, _MESSAGE_MOST, 4)
        if not data:
            return False
        try:
            self._spare.become(data, descriptors)
        except OSError:  # somebody has killed it
            self._spare = self._new_spare()
            self._spare.become(data, descriptors)
        running = _Running(self._spare.pid, socket.socket(fileno=descriptors[0]))
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        for descriptor in (running.ended, running.channel.fileno()):
            self._running[descriptor] = running
        self._poll.register(running.ended, select.POLLIN)
        self._poll.register(running.channel, select.POLLHUP)
        self._spare = self._new_spare()
        return True

    def _attend(self, running: _Running, descriptor: int) -> None:
        if descriptor != running.ended:  # nobody waits for it any more
            self._poll.unregister(descriptor)
            running.kill()
            return
        for each in (running.ended, running.channel.fileno()):
            del self._running[each]
            with contextlib.suppress(KeyError):
                self._poll.unregister(each)
        running.collect()

    def _end(self) -> None:
        for running in set(self._running.values()):
            running.kill()
            running.collect()


def _become_job(link: socket.socket, parent: int) -> NoReturn:
    """In the child: wait for the job, and do it."""
    try:
        die_with_parent(signal.SIGKILL, parent)
        data, descriptors, _, _ = socket.recv_fds(link, _MESSAGE_MOST, 4)
        link.close()
        if data:
            done = _run(data, descriptors[1:])
            socket.socket(fileno=descriptors[0]).send(_encoded(done))
    except BaseException:  # noqa: BLE001 - nothing of the child may run into the server's code
        traceback.print_exc()
    finally:
        os._exit(0)


def _run(data: bytes, streams: list[int]) -> Done:
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    job = msgspec.structs.replace(_jobs.decode(data), stdout=1, stderr=2)
    begun_s = time.monotonic()
    try:
        result = run_job(job)
    except EcotoneError as error:
        return Done(problem=str(error))
    except OSError as error:
        return Done(problem=f"the job could not be started: {error}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Done(result=result, cpu_s=used.ru_utime + used.ru_stime, wall_s=time.monotonic() - begun_s)


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the one who started everything
    from ecotone.execution.cells._rank import prepare  # noqa: PLC0415 - loads wasmtime, here and not where jobs are asked

    prepare()
    for name in _LOADED:
        importlib.import_module(name)
    _jobs.decode(_encoded_job(Job(module=Path(os.devnull))))  # what the first costs, no job pays for
    gc.collect()
    gc.freeze()  # what is loaded now stays shared between all that is forked
    _Server(socket.socket(fileno=int(sys.argv[1]))).serve()


if __name__ == "__main__":
    _main()
