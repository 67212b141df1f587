"""A job on several nodes that are all this machine: what it would say between real ones goes over TCP. Called by the
session.

The ranks of one node are children of a process of their own, and share memory; between nodes they have wires.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType

from ecotone.core.errors import InputError
from ecotone.execution.cells._network import Launcher
from ecotone.execution.cells._node import encode_part
from ecotone.execution.cells.interface import Job, JobResult

__all__ = ["EmulatedJob"]

_HOST = "127.0.0.1"
_END_LIMIT_S = 5.0


class EmulatedJob:
    """A job that runs; `close` it, or use it as a context: then no rank is left.

    Args:
        job: what to run.
        nodes: the ranks of each node, by its name.
        streams: gives the descriptors for a rank's output, if each has its own.

    Raises:
        InputError: the module is not there, or the ranks of the nodes are not those of the job, each once.
    """

    def __init__(
        self,
        job: Job,
        nodes: Mapping[str, tuple[int, ...]],
        streams: Callable[[int], tuple[int, int]] | None = None,
    ) -> None:
        if not job.module.is_file():
            raise InputError(f"there is no file {job.module}")
        self._time_max_s = job.time_max_s
        self._launcher = Launcher(job, nodes)
        self._parts: list[subprocess.Popen[bytes]] = []
        self._result: JobResult | None = None
        self._ended = threading.Event()  # a Thread.join that Ctrl-C cuts off takes its thread for ended
        for name, ranks in nodes.items():
            if ranks:
                self._start_part(job, name, {rank: streams(rank) for rank in ranks} if streams else {})
        threading.Thread(target=self._run, daemon=True).start()

    def _start_part(self, job: Job, name: str, streams: dict[int, tuple[int, int]]) -> None:
        command = [sys.executable, "-P", "-m", "ecotone.execution.cells._node"]
        descriptors = {job.stdin, job.stdout, job.stderr, *(each for pair in streams.values() for each in pair)}
        part = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=sorted(descriptors - {0, 1, 2}))
        self._parts.append(part)
        assert part.stdin is not None
        with part.stdin, contextlib.suppress(BrokenPipeError):  # the launcher hears that it does not come
            part.stdin.write(encode_part(self._launcher.part(name, _HOST, streams=streams)))

    def _run(self) -> None:
        try:
            self._result = self._launcher.run()
        finally:
            self._ended.set()

    def __enter__(self) -> EmulatedJob:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def wait(self) -> JobResult:
        """Waits until all ranks have ended; the first that ends badly ends the others, on all nodes."""
        if not self._ended.wait(self._time_max_s):
            self._launcher.stop(f"took longer than the {self._time_max_s} s it was given")
            self._ended.wait()
        assert self._result is not None, "the launcher has ended with a result"
        return self._result

    def kill(self, reason: str) -> None:
        """Ends all ranks; `wait` then tells so."""
        self._launcher.stop(reason)

    def close(self) -> None:
        """Ends the ranks that still run, and waits for their end; idempotent."""
        if not self._ended.is_set():
            self._launcher.stop("ended with the one who had started it")
            self._ended.wait(_END_LIMIT_S)
        for part in self._parts:
            try:
                part.wait(_END_LIMIT_S)
            except subprocess.TimeoutExpired:
                part.kill()
                part.wait()
