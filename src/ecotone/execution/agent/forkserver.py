"""The fork server: one single-threaded process with everything preloaded, from which hosts are forked in about 2 ms.

Forked by the agent before its event loop starts (or run as `python -m ecotone.execution.agent.forkserver` when a
first one died). It makes and kills hosts on request, reports their ends at once, and is the reaper of all that they
leave behind: when its agent is gone it kills everything and exits. The pair of sockets carries msgpack arrays; see
`requests.py`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import select
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.application import Value
from ecotone.core.parameters import bind
from ecotone.execution.agent import kernel
from ecotone.execution.agent.requests import (
    MESSAGE_BYTES_MAX,
    ExitedReply,
    KillRequest,
    ReadyReply,
    Request,
    StartedReply,
    StartRequest,
    encode_reply,
)
from ecotone.execution.host import HostSpec, run_host

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["THREAD_VARIABLES", "Preload", "run"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
"""Set to 1 before any numeric library is imported: a component's parallelism is its replicas."""

_PLATFORM_MODULES = (
    "ecotone.execution.host.process", "ecotone.infrastructure.bus._nats", "anyio._backends._asyncio", "uvloop",
)  # fmt: skip
_REAP_LIMIT_S = 3.0


class Preload(msgspec.Struct, frozen=True):
    """What to import before the first fork: `module` from the folder `root`, with the application's parameters bound;
    "" preloads nothing of the user's."""

    root: str = ""
    module: str = ""
    parameters: dict[str, Value] = {}


class _Host:
    __slots__ = ("attempt", "instance")

    def __init__(self, instance: str, attempt: int) -> None:
        self.instance = instance
        self.attempt = attempt


def run(channel: socket.socket, preload: Preload, log_path: str, agent_pid: int) -> None:
    """Serve until the agent is gone; does not return.

    Args:
        channel: this end of the pair, SOCK_SEQPACKET.
        preload: the user's module.
        log_path: where what the module prints or raises at its import goes.
        agent_pid: whose death ends everything.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the session to handle
    kernel.become_subreaper()
    # While user code is imported nobody listens to the channel, so dying with the agent is the kernel's job.
    kernel.die_with_parent(signal.SIGKILL, agent_pid)
    _redirect(log_path)
    problem = _preload(preload)
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - names only
        problem = f"importing {preload.module} starts threads, so it is imported anew in each host"
        _reply(channel, ReadyReply(problem=problem, usable=False))
        os._exit(0)
    server = _Server(channel)
    kernel.die_with_parent(signal.SIGTERM, agent_pid)  # from now on this process can clean up by itself
    _reply(channel, ReadyReply(problem=problem))
    server.serve()
    server.end()
    os._exit(0)


def _preload(preload: Preload) -> str:
    """Import what hosts need; returns why the user's module could not be imported, or ""."""
    for name in _PLATFORM_MODULES:
        with contextlib.suppress(ModuleNotFoundError):  # uvloop is an extra
            importlib.import_module(name)
    if not preload.module:
        return ""
    try:
        bind(preload.parameters)
        if preload.root not in sys.path:
            sys.path.insert(0, preload.root)  # as the runner of Python components does
        importlib.import_module(preload.module)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything; the hosts will log it as their own
        traceback.print_exc()
        return f"{preload.module} cannot be imported: {type(error).__name__}: {error}"
    finally:
        _flush()
    return ""


class _Server:
    """Requests and deaths, one at a time."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._hosts: dict[int, _Host] = {}
        self._own_children = frozenset(kernel.children(os.getpid()))  # of the user's module; not ours to kill
        self._ending = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)  # only the wake-up counts
        signal.signal(signal.SIGTERM, self._on_sigterm)
        gc.collect()
        gc.freeze()  # what is loaded now stays shared between all hosts

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self._ending = True

    def serve(self) -> None:
        """Until the channel ends or SIGTERM."""
        poller = select.poll()
        poller.register(self._channel, select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        while not self._ending:
            for descriptor, _ in poller.poll():
                if descriptor == self._wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)
                    self._reap()
                elif not self._receive():
                    return

    def _receive(self) -> bool:
        try:
            data = self._channel.recv(MESSAGE_BYTES_MAX)
        except ConnectionError:
            return False
        if not data:
            return False
        request: Request = msgspec.msgpack.decode(data, type=Request)
        if isinstance(request, StartRequest):
            self._start(request)
        else:
            self._kill(request)
        return True

    def _start(self, request: StartRequest) -> None:
        _flush()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._reply_exited(_Host(request.spec.instance.id, request.attempt), 0, f"could not fork: {error.strerror}")
            return
        if pid == 0:
            self._become_host(request, parent)
        self._hosts[pid] = _Host(request.spec.instance.id, request.attempt)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # here and in the child: whoever comes first
        _reply(self._channel, StartedReply(instance=request.spec.instance.id, attempt=request.attempt, pid=pid))

    def _become_host(self, request: StartRequest, parent: int) -> None:
        """In the child; does not return."""
        status = 1
        try:
            os.setpgid(0, 0)  # away from the terminal's Ctrl-C, and one name for all that it starts
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            kernel.die_with_parent(signal.SIGKILL, parent)
            self._channel.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            _redirect(request.spec.log_path, _header(request.spec, request.attempt))
            if "numpy" in sys.modules:
                sys.modules["numpy"].random.seed()  # equal copies shall not draw equal numbers
            status = run_host(request.spec)
        except BaseException:  # noqa: BLE001 - nothing of the child may run into the server's code
            traceback.print_exc()
        finally:
            _flush()
            os._exit(status)

    def _kill(self, request: KillRequest) -> None:
        for pid, host in self._hosts.items():
            if host.instance == request.instance and host.attempt == request.attempt:
                if request.signal_number == signal.SIGKILL:
                    _kill_group(pid)
                else:
                    os.kill(pid, request.signal_number)

    def _reap(self) -> None:
        while True:
            try:
                # Look first and collect later: until then nobody else can get the process's number.
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            host = self._hosts.pop(found.si_pid, None)
            if host is not None:
                _kill_group(found.si_pid)  # helpers that it started do not outlive it
            os.waitpid(found.si_pid, 0)
            if host is not None:
                self._reply_exited(host, found.si_pid, _cause(found), found)

    def _reply_exited(self, host: _Host, pid: int, reason: str, found: os.waitid_result | None = None) -> None:
        status = found.si_status if found is not None and found.si_code == os.CLD_EXITED else -1
        reply = ExitedReply(instance=host.instance, attempt=host.attempt, pid=pid, status=status, reason=reason)
        _reply(self._channel, reply)

    def end(self) -> None:
        """Kill every descendant and collect it."""
        limit_s = time.monotonic() + _REAP_LIMIT_S
        while time.monotonic() < limit_s:
            for pid in self._hosts:
                _kill_group(pid)
            for pid in kernel.children(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                found = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            self._hosts.pop(found[0], None)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _cause(found: os.waitid_result) -> str:
    if found.si_code == os.CLD_EXITED:
        return f"exited with status {found.si_status}"
    try:
        name = signal.Signals(found.si_status).name
    except ValueError:
        name = f"signal {found.si_status}"
    return f"killed by {name}"


def _reply(channel: socket.socket, reply: ReadyReply | StartedReply | ExitedReply) -> None:
    with contextlib.suppress(ConnectionError):  # the agent is gone: the next look at the channel tells
        channel.send(encode_reply(reply))


def _header(spec: HostSpec, attempt: int) -> str:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    variant = spec.instance.variants[0] if spec.instance.variants else ""
    return f"--- {now} {spec.instance.id} start {attempt} variant {variant} pid {os.getpid()}\n"


def _redirect(log_path: str, header: str = "") -> None:
    """Send this process's output to the end of a file, line by line. A full disk costs its lines, nothing else."""
    Path(log_path).parent.mkdir(parents=True, exist_ok=True)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # a full disk
        os.write(log, header.encode())
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.close(nothing)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if not isinstance(getattr(sys, name), _Printed):  # once: loggers of the preloaded module hold on to it
            setattr(sys, name, _Printed(descriptor))


class _Lines(io.FileIO):
    """The log as a component sees it: printing to it never fails, whether the disk is full or someone has closed it."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


class _Printed(io.TextIOWrapper):
    """`sys.stdout` and `sys.stderr` of a host."""

    def __init__(self, descriptor: int) -> None:
        lines = io.BufferedWriter(_Lines(descriptor, "w", closefd=False))
        super().__init__(lines, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # a component may have put None there
            stream.flush()


def _main() -> None:
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"
    descriptor, agent_pid, log_path = sys.argv[1:]
    preload = msgspec.json.decode(sys.stdin.buffer.readline(), type=Preload)
    run(socket.socket(fileno=int(descriptor)), preload, log_path, int(agent_pid))


if __name__ == "__main__":
    _main()
