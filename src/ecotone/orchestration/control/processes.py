"""The processes of a run on this machine: the agent and the bundled bus server, and what the controller asks of any.

Imports little, so that the command line can spawn both before its heavy imports. Both die with the thread that spawned
them: spawn from one that lives as long as the run, the main thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecotone.infrastructure.bus import Server

__all__ = ["AgentProcess", "Child", "ServerProcess"]

_STOP_LIMIT_S = 8.0


class Child(Protocol):
    """A process that the controller keeps alive; the simulator has its own."""

    @property
    def name(self) -> str:
        """As in events: `agent_died`, `bus_died`."""
        ...

    async def start(self) -> None:
        """Start it, if it does not run; returns when it can be used or is on its way.

        Raises:
            UnavailableError: it cannot be started now.
        """
        ...

    async def died(self) -> str:
        """Wait for its death; returns the reason."""
        ...

    async def stop(self) -> None:
        """Take it down, gently first. Idempotent."""
        ...


class ServerProcess:
    """The bundled bus server, restarted on its directory and port."""

    name = "bus"

    def __init__(self, server: Server) -> None:
        self._server = server

    async def start(self) -> None:
        import anyio.to_thread  # noqa: PLC0415 - the module stays light

        if not self._server.alive:
            self._server.restart()  # in this thread: the server dies with the one that spawned it
        await anyio.to_thread.run_sync(self._server.wait_ready)

    async def died(self) -> str:
        await _until_dead(self._server.pid)
        return "the bus server died" if not self._server.alive else ""

    async def stop(self) -> None:
        import anyio.to_thread  # noqa: PLC0415

        await anyio.to_thread.run_sync(self._server.stop)


class AgentProcess:
    """An agent of this machine. `spawn`, then `give_access` as soon as the bus is there; or both by `start`.

    Args:
        run_folder, shared_root: the run's folders; they exist.
        nodes: the nodes it carries.
        root, module, parameters: what it preloads.
        name: of the agent.
        start_limit_s, stop_grace_s: for hosts, as in `execution.agent.decide.Rules`.
    """

    def __init__(
        self,
        *,
        run_folder: str | os.PathLike[str],
        shared_root: str | os.PathLike[str],
        nodes: tuple[str, ...],
        root: str = "",
        module: str = "",
        parameters: Mapping[str, str | int | float | bool] | None = None,
        name: str = "local",
        start_limit_s: float = 30.0,
        stop_grace_s: float = 5.0,
    ) -> None:
        self.name = "agent"
        self.options = {
            "name": name,
            "nodes": list(nodes),
            "run_folder": os.path.abspath(run_folder),  # noqa: PTH100
            "shared_root": os.path.abspath(shared_root),  # noqa: PTH100
            "root": root,
            "module": module,
            "parameters": dict(parameters or {}),
            "start_limit_s": start_limit_s,
            "stop_grace_s": stop_grace_s,
        }
        self._stop_limit_s = _STOP_LIMIT_S + stop_grace_s
        self._access: dict[str, str] | None = None
        self._pid = 0
        self._status: int | None = None
        self._input = -1

    @property
    def pid(self) -> int:
        """The process id of the newest one; 0 before `spawn`."""
        return self._pid

    @property
    def alive(self) -> bool:
        """Whether it runs. Asking collects it once it has died."""
        if self._pid and self._status is None:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self._pid, os.WNOHANG)
                self._status = status if pid else None
        return bool(self._pid) and self._status is None

    def spawn(self) -> None:
        """Start the process; it imports the application's module and waits for the bus. Returns at once."""
        self._close_input()
        ours, theirs = self._pipe()
        try:
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-m", "ecotone.execution.agent"],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
            )
        finally:
            os.close(theirs)
        self._status = None
        self._input = ours
        self._tell(self.options)

    def give_access(self, bus_url: str, bus_token: str = "") -> None:
        """Tell it where the bus is."""
        self._access = {"bus_url": bus_url, "bus_token": bus_token}
        self._tell(self._access)

    async def start(self) -> None:
        if not self.alive:
            self.spawn()
            assert self._access is not None, "give_access comes before start"
            self._tell(self._access)

    async def died(self) -> str:
        await _until_dead(self._pid)
        assert not self.alive
        return f"the agent died: {_cause(self._status or 0)}"

    async def stop(self) -> None:
        import anyio  # noqa: PLC0415

        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM if self._access else signal.SIGKILL)
            with anyio.move_on_after(self._stop_limit_s):
                await _until_dead(self._pid)
        self.kill()

    def kill(self) -> None:
        """Take it down now, and every host with it."""
        self._close_input()
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                self._status = os.waitpid(self._pid, 0)[1]

    def _pipe(self) -> tuple[int, int]:
        theirs, ours = os.pipe2(os.O_CLOEXEC)
        return ours, theirs

    def _tell(self, line: Mapping[str, object]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it is dead; whoever waits for that starts another one
            os.write(self._input, json.dumps(line).encode() + b"\n")

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1


async def _until_dead(pid: int) -> None:
    """Wait until the process `pid`, a child of ours, has ended; it is not collected."""
    import asyncio  # noqa: PLC0415

    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    dead = asyncio.Event()
    loop.add_reader(descriptor, dead.set)
    try:
        await dead.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _cause(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
