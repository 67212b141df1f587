"""A process that has all loaded which a cell needs, runs no threads, and forks ranks: they start in milliseconds.

Called by whoever starts cells again and again and has threads, or does not want to wait for wasmtime: hosts of
components of kind `cell`, agents, benchmarks. Every job has a socket to the one who asked for it; whoever closes his
end ends the job. What the process does is in `_serving.py`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import subprocess
import sys
import weakref

import msgspec

from ecotone.core.errors import InputError, UnavailableError
from ecotone.execution.cells.interface import Job, JobResult

__all__ = ["CellServer", "Done", "RunningJob"]

_MESSAGE_MOST = 1 << 20
_END_LIMIT_S = 2.0
_MOMENT_MS = 200


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
        command = [sys.executable, "-P", "-m", "ecotone.execution.cells._serving", str(theirs.fileno())]
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
        """Whether it is gone without having been closed: somebody has killed it. For who has just lost a job: that may
        be known a moment earlier, so this looks for a moment."""
        poll = select.poll()
        poll.register(self._channel, 0)
        return bool(poll.poll(_MOMENT_MS))

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
