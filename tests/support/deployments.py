"""Real deployments of small applications with hand-made plans, and their processes; nothing is profiled or planned."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec

from ecotone.core.application import Application
from ecotone.core.continuum import Continuum, Link, NodeType, Power, Site
from ecotone.core.messages import Deployment, Event
from ecotone.core.plan import Assignment, Plan
from ecotone.design.read import read_application
from ecotone.infrastructure.bus import Bus, Server, connect, spawn_server
from ecotone.orchestration.control import AgentProcess, Controller, ServerProcess

__all__ = ["Run", "continuum", "deployment_of", "plan_of", "running"]


def continuum(*, nodes: int = 2, cores: int = 2, speed: float = 1.0, memory_bytes: float = 4e9) -> Continuum:
    """`edge` nodes on one site and a `cloud` node on another, without latency between them."""
    kind = NodeType(
        name="edge", count=nodes, cores=cores, speed=speed, memory_bytes=memory_bytes, price_eur_per_h=0.36,
        power=Power(idle_w=2.0, busy_w=6.0),
    )  # fmt: skip
    cloud = NodeType(name="cloud", cores=cores, memory_bytes=memory_bytes, price_eur_per_h=1.0)
    return Continuum(
        name="test",
        sites=(
            Site(name="roadside", layer="edge", node_types=(kind,)),
            Site(name="region", layer="cloud", node_types=(cloud,)),
        ),
        links=(Link(between=("roadside", "region"), price_eur_per_byte=1e-9),),
    )


def plan_of(application: Application, places: Mapping[str, Any] | None = None, **more: Any) -> Plan:
    """One replica of everything on edge-1, except for `places`: component to node, or to (node, replicas)."""
    assignments: list[Assignment] = []
    for component in application.components:
        place = (places or {}).get(component.name, "edge-1")
        node, replicas = place if isinstance(place, tuple) else (place, 1)
        assignments.append(
            Assignment(component=component.name, variant=component.variants[0].name, node=node, replicas=replicas)
        )
    return Plan(
        application=application.name, continuum="test", fingerprint="0" * 64, assignments=tuple(assignments),
        cost_eur_per_h=0.36, lower_bound_eur_per_h=0.36, optimal=True, gap=0.0, **more,
    )  # fmt: skip


def deployment_of(app: Path, places: Mapping[str, Any] | None = None, **more: Any) -> Deployment:
    """The application in the folder `app` on `continuum()`."""
    read = read_application(app)
    application = read.require()
    fields = {"continuum": continuum(), "plan": plan_of(application, places), "parameters": read.parameters} | more
    return Deployment(run="test", application=application, root=str(read.root), module=read.module, **fields)


class Run:
    """A run and its processes.

    Attributes:
        events: everything that was recorded, oldest first.
        shared: its folder in fast memory.
    """

    def __init__(
        self, folder: Path, controller: Controller, bus: Bus, server: Server, agent: AgentProcess, shared: Path
    ) -> None:
        self.folder = folder
        self.controller = controller
        self.bus = bus
        self.server = server
        self.agent = agent
        self.shared = shared

    @property
    def events(self) -> tuple[Event, ...]:
        lines = (self.folder / "events.jsonl").read_bytes().splitlines()
        return tuple(msgspec.json.decode(line, type=Event) for line in lines)

    def log(self, instance: str) -> str:
        """What the instance has printed."""
        path = self.folder / "logs" / f"{instance}.log"
        return path.read_text() if path.exists() else ""

    def output(self, name: str) -> list[str]:
        """The lines of a file that a component writes."""
        path = self.folder / "outputs" / name
        return path.read_text().split() if path.exists() else []

    async def pid_of(self, component: str) -> int:
        """The process of a component's first running instance."""
        found = await self.wait_for(
            lambda: next(
                (
                    one.pid
                    for each in self.controller.seen.values()
                    for one in each.instances
                    if one.id.startswith(f"{component}.") and one.phase == "running"
                ),
                None,
            ),
            f"{component} runs",
        )
        return int(found)

    async def event(self, kind: str, after_s: float = 0.0) -> Event:
        """The first event of a kind since a wall time."""
        return await self.wait_for(
            lambda: next((each for each in self.events if each.kind == kind and each.time_s >= after_s), None),
            f"an event {kind}",
        )

    async def wait_for(self, condition: Callable[[], Any], what: str, limit_s: float = 20.0) -> Any:
        """Poll until the condition gives something true."""
        with anyio.move_on_after(limit_s):
            while True:
                result = condition()
                if result:
                    return result
                await anyio.sleep(0.01)
        raise AssertionError(f"not within {limit_s:g} s: {what}; events: {[each.kind for each in self.events][-20:]}")


@asynccontextmanager
async def running(deployment: Deployment, folder: Path, **agent_options: Any) -> AsyncIterator[Run]:
    """Everything started and running; taken down at the end, with its fast folder."""
    fast = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else folder
    shared = fast / f"ecotone-{os.getuid()}-test-{uuid.uuid4().hex[:8]}"
    shared.mkdir(mode=0o700)
    server = spawn_server(folder / "bus")
    agent = AgentProcess(
        run_folder=folder, shared_root=shared, nodes=(), root=deployment.root, module=deployment.module,
        parameters=deployment.parameters, **agent_options,
    )  # fmt: skip
    agent.spawn()
    try:
        server.wait_ready()
        agent.give_access(server.url)
        bus = await connect(server.url, name="test")
        try:
            async with Controller(bus, deployment, folder, children=(agent, ServerProcess(server))) as controller:
                await controller.deploy()
                yield Run(folder, controller, bus, server, agent, shared)
        finally:
            await bus.close()
    finally:
        agent.kill()
        server.stop()
        shutil.rmtree(shared, ignore_errors=True)


def freeze(pid: int) -> None:
    """Stop a process without ending it."""
    os.kill(pid, signal.SIGSTOP)
