"""A run on this machine: bus server, agent and controller, from their start to the report. Called by `Session.run`.

The sites are emulated; with an operator's NATS server only the agent and the controller are ours.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from ecotone.core.errors import UnavailableError
from ecotone.infrastructure.bus import connect
from ecotone.orchestration.control import AgentProcess, Child, Controller, ServerProcess
from ecotone.session.prestart import start

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from ecotone.core.messages import Deployment
    from ecotone.core.report import RunReport
    from ecotone.infrastructure.bus import Server
    from ecotone.session.folders import RunFolders
    from ecotone.session.prestart import Started

__all__ = ["run_embedded"]

_START_LIMIT_S = 60.0
_DRAIN_LIMIT_S = 10.0
_LOOK_EVERY_S = 0.05


def run_embedded(
    deployment: Deployment,
    folders: RunFolders,
    started: Started | None,
    *,
    for_s: float | None,
    bus_url: str | None,
    stop: threading.Event,
    on_snapshot: Callable[[RunReport], None] | None,
    snapshot_every_s: float,
) -> RunReport:
    """See `Session.run`. `started`: what the command line has started already; None: nothing.

    Raises:
        UnavailableError: the bus cannot be started or reached.
        ComponentError: a component does not start.
    """
    server, agent = _processes(deployment, folders, started, own_bus=bus_url is None)
    try:
        return anyio.run(
            _run,
            _Run(deployment, folders, for_s, stop, on_snapshot, snapshot_every_s),
            server,
            agent,
            bus_url,
            backend_options={"use_uvloop": _has_uvloop()},
        )
    finally:  # the controller has stopped them, unless it was never reached
        agent.kill()
        if server is not None:
            server.stop()


def _processes(
    deployment: Deployment, folders: RunFolders, started: Started | None, *, own_bus: bool
) -> tuple[Server | None, AgentProcess]:
    if started is None:
        parameters = dict(deployment.parameters)
        started = start(deployment.root, deployment.module, folders, parameters=parameters, own_bus=own_bus)
    return started.server, started.agent


@dataclass(frozen=True)
class _Run:
    """What the caller wants of a run."""

    deployment: Deployment
    folders: RunFolders
    for_s: float | None
    stop: threading.Event
    on_snapshot: Callable[[RunReport], None] | None
    snapshot_every_s: float


async def _run(run: _Run, server: Server | None, agent: AgentProcess, bus_url: str | None) -> RunReport:
    children: tuple[Child, ...] = (agent,)
    if server is not None:
        await anyio.to_thread.run_sync(server.wait_ready)
        children = (agent, ServerProcess(server))
        url = server.url
    else:
        assert bus_url is not None, "without a server of our own there is an operator's"
        url = _checked_url(bus_url)
    bus = await connect(url, name="controller")
    try:
        agent.give_access(url)
        async with Controller(
            bus, run.deployment, run.folders.folder, children=children, started_s=_process_start_s()
        ) as controller:
            await controller.deploy()
            await _until_over(run, controller)
            return await controller.drain_and_stop(_DRAIN_LIMIT_S)
    finally:
        with anyio.CancelScope(shield=True):
            await bus.close()


async def _until_over(run: _Run, controller: Controller) -> None:
    """Show what happens until the time is up, `stop` is set, or every source has ended."""
    running = anyio.Event()
    async with anyio.create_task_group() as group:

        async def wait_running() -> None:
            await controller.wait_running(_START_LIMIT_S)
            running.set()

        group.start_soon(wait_running)
        end_s, next_s = float("inf"), 0.0
        while not run.stop.is_set() and time.monotonic() < end_s:
            if running.is_set() and end_s == float("inf") and run.for_s is not None:
                end_s = time.monotonic() + run.for_s
            if run.on_snapshot is not None and time.monotonic() >= next_s:
                next_s = time.monotonic() + run.snapshot_every_s
                run.on_snapshot(controller.snapshot())
            if running.is_set() and controller.sources_ended:
                break
            await anyio.sleep(_LOOK_EVERY_S)
        group.cancel_scope.cancel()


def _checked_url(bus_url: str) -> str:
    """The operator's server. Streams and keys there have no names of their own run: one run at a time."""
    parts = urlsplit(bus_url)
    if parts.scheme not in {"nats", "tls"} or not parts.hostname:
        raise UnavailableError(f"{parts.scheme}://{parts.hostname or ''}: a bus URL is nats://[token@]host[:port]")
    return bus_url


def _process_start_s() -> float:
    """Wall time at which this process was started."""
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    since_boot_s = ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot_s)


def _has_uvloop() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec("uvloop") is not None
