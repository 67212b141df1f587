"""A run on this machine: bus server, agent and controller, from their start to the report. Called by `Session.run`.

The sites are emulated; with an operator's NATS server (`outside_bus`) only the agent and the controller are ours.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import msgspec

from ecotone.core.errors import UnavailableError
from ecotone.infrastructure.bus import Server, connect
from ecotone.orchestration.control import AgentProcess, Child, Controller, ServerProcess
from ecotone.orchestration.performance.observed import read_observed, write_observed
from ecotone.session.prestart import start

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from ecotone.core.messages import Deployment
    from ecotone.core.report import RunReport
    from ecotone.infrastructure.bus import Bus
    from ecotone.orchestration.control.elastic import Judge
    from ecotone.session.folders import RunFolders
    from ecotone.session.outside_bus import OutsideBus
    from ecotone.session.prestart import Started

__all__ = ["run_embedded"]

_START_LIMIT_S = 60.0
_DRAIN_LIMIT_S = 10.0
_LOOK_EVERY_S = 0.05
_ROOM_MIN_BYTES = 64 * 1024


def run_embedded(
    deployment: Deployment,
    folders: RunFolders,
    started: Started | None,
    *,
    for_s: float | None,
    bus_url: str | None,
    resume: bool,
    stop: threading.Event,
    on_snapshot: Callable[[RunReport], None] | None,
    snapshot_every_s: float,
    observed_path: Path | None = None,
    judge: Judge | None = None,
) -> RunReport:
    """See `Session.run`. `started`: what the command line has started already; None: nothing. `observed_path`: where
    is what the plan was corrected by, and will be what this run taught; None: the plan is not of today. `judge`: by
    which cores may be changed; None: they stay as planned.

    Raises:
        InputError: `bus_url` is not a bus URL, or has nothing to resume.
        UnavailableError: the bus cannot be started or reached.
        ComponentError: a component does not start.
    """
    run = _Run(deployment, folders, for_s, stop, on_snapshot, snapshot_every_s, observed_path, judge)
    outside = _outside(bus_url, folders, resume=resume) if bus_url is not None else None
    server, agent = _processes(deployment, folders, started, own_bus=outside is None)
    try:
        report = anyio.run(_run, run, outside or server, agent, backend_options={"use_uvloop": _has_uvloop()})
        full = _full_disk(folders)
        return msgspec.structs.replace(report, notes=(*report.notes, full)) if full else report
    except UnavailableError as error:
        full = _full_disk(folders)
        raise (UnavailableError(f"{full} ({error})") if full else error) from None
    finally:  # the controller has stopped them, unless it was never reached
        agent.kill()
        if server is not None:
            server.stop()


def _outside(bus_url: str, folders: RunFolders, *, resume: bool) -> OutsideBus:
    from ecotone.session.outside_bus import OutsideBus  # noqa: PLC0415 - not for a run on the bundled server

    return OutsideBus(bus_url, folders.run, resume=resume)


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
    observed_path: Path | None
    judge: Judge | None


async def _run(run: _Run, bus: OutsideBus | Server | None, agent: AgentProcess) -> RunReport:
    assert bus is not None, "there is an operator's server, or ours"
    return await (_run_on_ours(run, bus, agent) if isinstance(bus, Server) else _run_outside(run, bus, agent))


async def _run_on_ours(run: _Run, server: Server, agent: AgentProcess) -> RunReport:
    await anyio.to_thread.run_sync(server.wait_ready)
    bus = await connect(server.url, name="controller")
    try:
        agent.give_access(server.url)
        return await _controlled(run, bus, (agent, ServerProcess(server)))
    finally:
        with anyio.CancelScope(shield=True):
            await bus.close()


async def _run_outside(run: _Run, outside: OutsideBus, agent: AgentProcess) -> RunReport:
    async with outside:
        try:
            agent.give_access(outside.url)
            report = await _controlled(run, outside.bus, (agent,))
        finally:
            agent.kill()  # from now on nobody writes there
    return msgspec.structs.replace(report, notes=(*report.notes, outside.left)) if outside.left else report


async def _controlled(run: _Run, bus: Bus, children: tuple[Child, ...]) -> RunReport:
    path = run.observed_path
    async with Controller(
        bus,
        run.deployment,
        run.folders.folder,
        children=children,
        started_s=_process_start_s(),
        observed=None if path is None else read_observed(path),
        judge=run.judge,
    ) as controller:
        await controller.deploy()
        await _until_over(run, controller)
        report = await controller.drain_and_stop(_DRAIN_LIMIT_S)
        if path is not None and controller.observed.corrections:
            with contextlib.suppress(OSError):  # a full disk is told by whoever needs it more
                write_observed(path, controller.observed)
        return report


async def _until_over(run: _Run, controller: Controller) -> None:
    """Show what happens until the time is up, `stop` is set, or every source has ended."""
    try:
        await _watch(run, controller)
    except BaseExceptionGroup as failures:  # of a start that failed, or of `on_snapshot`
        raise failures.exceptions[0] from None


async def _watch(run: _Run, controller: Controller) -> None:
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


def _full_disk(folders: RunFolders) -> str:
    """Which of the places that a run writes to has no room, in words; "" when none is full."""
    for folder in (folders.folder, folders.shared):
        found = os.statvfs(folder)
        if found.f_bavail * found.f_frsize < _ROOM_MIN_BYTES:
            return f"no space is left for {folder}: free some, or copy the application to where there is space"
    return ""


def _process_start_s() -> float:
    """Wall time at which this process was started."""
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    since_boot_s = ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot_s)


def _has_uvloop() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec("uvloop") is not None
