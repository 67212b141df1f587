"""The agent's end of the fork server: starts it, sends requests, hears of deaths, and replaces it when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from ecotone.execution.agent.forkserver import Preload, run
from ecotone.execution.agent.requests import (
    MESSAGE_BYTES_MAX,
    ExitedReply,
    KillRequest,
    ReadyReply,
    Reply,
    StartedReply,
    StartRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ForkLink"]

_PRELOAD_LIMIT_S = 60.0
_RESTART_WAIT_S = 0.2


def _next_message(channel: socket.socket) -> bytes:
    """Empty when the other end is closed. Where it left something unread, the kernel says so before it gives what the
    other end had said: that lies behind the error."""
    for _ in range(2):
        with contextlib.suppress(ConnectionError):
            return channel.recv(MESSAGE_BYTES_MAX)
    return b""


class ForkLink:
    """One fork server after another. `fork_now` before the event loop starts, then `attach` in it.

    Args:
        preload: what the first fork server imports; its replacements, too, unless that was what went wrong.
        log_path: where what is printed during the import goes.
    """

    def __init__(self, preload: Preload, log_path: str) -> None:
        self._preload = preload
        self._log_path = log_path
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._ready = False
        self._outbox: deque[bytes] = deque()
        self._unanswered: dict[tuple[str, int], StartRequest] = {}
        self._running: dict[tuple[str, int], int] = {}
        self._on_reply: Callable[[StartedReply | ExitedReply], None] | None = None
        self._on_trouble: Callable[[str], None] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def pid(self) -> int:
        """The process id of the newest fork server."""
        return self._pid

    def fork_now(self) -> None:
        """Fork the first server from this process: quicker than starting an interpreter, and memory stays shared.
        Only while this process has one thread and no event loop."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        agent_pid = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            run(theirs, self._preload, self._log_path, agent_pid)
        theirs.close()
        self._channel = ours

    def attach(self, on_reply: Callable[[StartedReply | ExitedReply], None], on_trouble: Callable[[str], None]) -> None:
        """Hear of what happens from now on, in the running event loop.

        Args:
            on_reply: called with each start and each end of a host.
            on_trouble: called with a sentence when the module could not be preloaded or the server died.
        """
        self._on_reply, self._on_trouble = on_reply, on_trouble
        if self._channel is None:
            self._spawn()
        else:
            self._listen()

    def start(self, request: StartRequest) -> None:
        """Ask for a host; the answer comes to `on_reply`, if need be from the next server."""
        key = (request.spec.instance.id, request.attempt)
        self._unanswered[key] = request
        self._send(request)

    def signal(self, instance: str, attempt: int, number: int) -> None:
        """Send a signal to a host; nothing happens if it is gone. A start that was never answered is taken back by
        SIGKILL."""
        self._send(KillRequest(instance, attempt, number))
        if number == signal.SIGKILL and self._unanswered.pop((instance, attempt), None) is not None:
            reply = ExitedReply(instance, attempt, 0, -1, "the fork server did not answer")
            asyncio.get_running_loop().call_soon(self._answer, reply)

    def close(self) -> None:
        """End the server; it kills every host. `wait_closed` for it."""
        self._closed = True
        self._hang_up()

    async def wait_closed(self, limit_s: float) -> None:
        """Until the server, and so every host, is gone; it is killed after `limit_s`."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + limit_s
        while not self._collect():
            if loop.time() > deadline_s:
                self._kill_server()
                deadline_s = loop.time() + limit_s
            await asyncio.sleep(0.005)

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = [str(theirs.fileno()), str(os.getpid()), self._log_path]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ecotone.execution.agent.forkserver", *arguments],
            stdin=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
        )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(self._preload) + b"\n")
        self._process.stdin.close()
        self._pid = self._process.pid
        theirs.close()
        self._channel = ours
        self._listen()
        for request in self._unanswered.values():
            self._send(request)

    def _listen(self) -> None:
        assert self._channel is not None
        loop = asyncio.get_running_loop()
        self._channel.setblocking(False)
        self._ready = False
        loop.add_reader(self._channel, self._receive)
        self._limit = loop.call_later(_PRELOAD_LIMIT_S, self._too_slow)

    def _hang_up(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        if self._channel is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._channel)
            loop.remove_writer(self._channel)
            self._outbox.clear()
            self._channel.close()
            self._channel = None

    def _send(self, request: StartRequest | KillRequest) -> None:
        if self._channel is None:
            return  # a start is sent again to the next server, and what was to be killed is dead
        self._outbox.append(msgspec.msgpack.encode(request))
        self._flush()

    def _flush(self) -> None:
        """Send what the socket takes; while the server imports it may take less than there is."""
        if self._channel is None:
            return
        loop = asyncio.get_running_loop()
        while self._outbox:
            try:
                self._channel.send(self._outbox[0])
            except BlockingIOError:
                loop.add_writer(self._channel, self._flush)
                return
            except ConnectionError:
                break  # the reader sees the end of the channel next
            self._outbox.popleft()
        loop.remove_writer(self._channel)

    def _receive(self) -> None:
        assert self._channel is not None
        assert self._on_reply is not None
        try:
            data = _next_message(self._channel)
        except BlockingIOError:
            return
        if not data:
            self._lost("the fork server died")
            return
        reply = msgspec.msgpack.decode(data, type=Reply)
        if isinstance(reply, ReadyReply):
            self._on_ready(reply)
            return
        key = (reply.instance, reply.attempt)
        if isinstance(reply, ExitedReply):
            self._unanswered.pop(key, None)
            self._running.pop(key, None)
        elif self._unanswered.pop(key, None) is not None:
            self._running[key] = reply.pid
        else:
            self._send(KillRequest(reply.instance, reply.attempt, signal.SIGKILL))  # it was taken back
            return
        self._answer(reply)

    def _answer(self, reply: StartedReply | ExitedReply) -> None:
        assert self._on_reply is not None
        self._on_reply(reply)

    def _on_ready(self, reply: ReadyReply) -> None:
        assert self._on_trouble is not None
        self._ready = True
        if self._limit is not None:
            self._limit.cancel()
        if reply.problem:
            self._on_trouble(reply.problem)
        if not reply.usable:
            self._replace("")

    def _too_slow(self) -> None:
        module = self._preload.module or "the platform"
        self._replace(f"{module} took more than {_PRELOAD_LIMIT_S:g} s to import; each host imports it for itself")

    def _replace(self, reason: str) -> None:
        """Go on with a server that does not know the user's module."""
        self._preload = Preload()
        self._lost(reason)

    def _lost(self, reason: str) -> None:
        """The server is gone and every host with it: say so, and start another one."""
        assert self._on_reply is not None
        assert self._on_trouble is not None
        self._hang_up()
        if self._closed:
            return
        self._kill_server()
        if reason:
            self._on_trouble(reason)
        asyncio.get_running_loop().call_later(0.0 if self._ready else _RESTART_WAIT_S, self._spawn_again)
        running, self._running = self._running, {}
        for (instance, attempt), pid in running.items():
            self._answer(ExitedReply(instance, attempt, pid, -1, reason))

    def _spawn_again(self) -> None:
        if self._closed:
            return
        if self._process is not None:
            self._process.wait()  # it was killed: this is a matter of microseconds
        elif self._pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
        self._spawn()

    def _collect(self) -> bool:
        """Whether the newest server is gone; asking collects it."""
        if self._process is not None:
            return self._process.poll() is not None
        try:
            return self._pid == 0 or os.waitpid(self._pid, os.WNOHANG)[0] == self._pid
        except ChildProcessError:
            return True

    def _kill_server(self) -> None:
        if not self._collect():
            os.kill(self._pid, signal.SIGKILL)
