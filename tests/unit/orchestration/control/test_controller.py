"""The controller on the in-memory bus in virtual time, with an agent of a few lines and children that die when told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import anyio
import msgspec
import pytest
from tests.support.applications import after, camera
from tests.support.deployments import continuum, plan_of

from ecotone.core.application import Application, Cell
from ecotone.core.errors import ComponentError, ConflictError, UnavailableError
from ecotone.core.messages import (
    BUCKET_DEPLOYMENT,
    BUCKET_SEEN,
    BUCKET_WANTED,
    KEY_CURRENT,
    AgentTelemetry,
    Deployment,
    Event,
    InstanceStatus,
    InstanceTelemetry,
    SeenNode,
    WantedNode,
    decode,
    encode,
)
from ecotone.core.plan import ComponentPrediction
from ecotone.core.report import report_document
from ecotone.infrastructure.bus import Bus, MemoryServer, StreamConfig
from ecotone.orchestration.control import Controller
from ecotone.orchestration.control.reconcile import SOURCES_WAIT_MAX_S
from ecotone.testing.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class LoopClock:
    """The loop's own time."""

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()

    def wall_s(self) -> float:
        return 1e9 + self.monotonic_s()


class FakeChild:
    """A process that dies when it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.starts: list[float] = []
        self.stopped = False
        self.refuses = 0
        self._death = asyncio.Event()

    def die(self) -> None:
        self._death.set()

    async def start(self) -> None:
        self.starts.append(asyncio.get_running_loop().time())
        if self.refuses:
            self.refuses -= 1
            raise UnavailableError("the disk is full")

    async def died(self) -> str:
        await self._death.wait()
        self._death.clear()
        return f"the {self.name} died: killed by SIGKILL"

    async def stop(self) -> None:
        self.stopped = True


def deployment() -> Deployment:
    application = Application(name="test", components=(camera(), after("detect", "camera")))
    plan = plan_of(application, {"detect": "cloud"})
    return Deployment(run="r", application=application, continuum=continuum(), plan=plan, root="/", module="app")


async def agent(bus: Bus, phase: Callable[[str], str], told: list[tuple[float, str]] | None = None) -> None:
    """Reports whatever is wanted to be in the phase that `phase` says; `told` keeps what was wanted, and when."""
    async with bus.watch(BUCKET_WANTED) as entries:
        async for entry in entries:
            assert entry.value is not None
            wanted = decode(entry.value, WantedNode)
            if told is not None:
                now_s = round(asyncio.get_running_loop().time(), 3)
                told.append((now_s, " ".join(each.id for each in wanted.instances) or "nothing"))
            why = {"restarts": 3, "reason": "no model"}
            statuses = tuple(InstanceStatus(id=each.id, phase=phase(each.id), **why) for each in wanted.instances)
            await bus.put(BUCKET_SEEN, wanted.node, encode(SeenNode(node=wanted.node, boot="b", instances=statuses)))


class OddBus:
    """Writes what starts something more slowly than what stops everything, and nothing while it is `away`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.away = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def put(self, bucket: str, key: str, value: bytes) -> int:
        if self.away:
            raise UnavailableError("the bus is away")
        if bucket == BUCKET_WANTED and decode(value, WantedNode).instances:
            await anyio.sleep(0.05)
        return await self._bus.put(bucket, key, value)


async def wanted_ids(bus: Bus) -> set[str]:
    """All that is wanted, by what is on the bus."""
    entries = [await bus.get(BUCKET_WANTED, key) for key in await bus.keys(BUCKET_WANTED)]
    return {one.id for each in entries if each and each.value for one in decode(each.value, WantedNode).instances}


async def tell_telemetry(bus: Bus, component: str = "detect") -> None:
    number = 0
    while True:
        number += 1
        count = InstanceTelemetry(
            id=f"{component}.cloud.0", component=component, node="cloud", handled=number, emitted=number
        )
        message = AgentTelemetry(agent="a", time_s=LoopClock().wall_s(), instances=(count,), saturated_share=0.01)
        await bus.publish("telemetry.a", encode(message))
        await anyio.sleep(0.25)


async def test_from_deployment_to_report(tmp_path: Path) -> None:
    server = MemoryServer()
    bus = server.connect()
    async with anyio.create_task_group() as group:
        group.start_soon(agent, server.connect(), lambda _: "running")
        group.start_soon(tell_telemetry, server.connect())
        async with Controller(bus, deployment(), tmp_path, clock=LoopClock()) as controller:
            await controller.deploy()
            await controller.wait_running(5.0)
            await bus.publish("event.cloud", encode(Event(time_s=1e9 + 0.5, kind="first_item", node="cloud")))
            await anyio.sleep(4.1)
            going = controller.snapshot()
            report = await controller.drain_and_stop(5.0)
        group.cancel_scope.cancel()

    entry = await bus.get(BUCKET_DEPLOYMENT, KEY_CURRENT)
    assert entry is not None
    assert decode(entry.value or b"", Deployment) == deployment()
    assert going.components[1].count >= 15
    assert going.components[1].rate_per_s == pytest.approx(4.0, abs=1.0)
    assert 3 <= len(going.timeline) <= 4
    assert report.finished
    assert report.start_to_first_item_s is not None
    assert [each.kind for each in report.events] == ["deployed", "first_item", "draining", "stopped"]
    assert (tmp_path / "events.jsonl").read_bytes().count(b"\n") == 4
    wanted = await bus.get(BUCKET_WANTED, "cloud")
    assert wanted is not None
    assert decode(wanted.value or b"", WantedNode).instances == ()


async def test_where_the_load_is_low_a_cell_gets_fewer_cores_and_the_report_says_so(tmp_path: Path) -> None:
    """The camera brings 4 items a second of the 25 that were planned. The controller asks in a thread, for which
    virtual time does not wait."""
    plain = deployment()
    work = after("detect", "camera", cores=(1, 4), cell=Cell(file="x.cell"), kind="cell")
    application = Application(name="test", components=(camera(), work))
    rate = ComponentPrediction(
        component="camera", rate_per_s=25.0, service_mean_s=0.001, predicted_p50_s=0.001, predicted_p95_s=0.001,
        low_s=0.001, high_s=0.001, utilisation=0.1, memory_bytes=1.0, energy_j=0.0,
    )  # fmt: skip
    plan = msgspec.structs.replace(
        plain.plan,
        assignments=tuple(
            msgspec.structs.replace(row, cores=4 if row.component == "detect" else 1) for row in plain.plan.assignments
        ),
        components=(rate,),
    )
    wide = msgspec.structs.replace(plain, application=application, plan=plan)
    server = MemoryServer()
    bus = server.connect()

    async def cores() -> dict[str, int]:
        entry = await bus.get(BUCKET_WANTED, "cloud")
        return decode(entry.value, WantedNode).cores if entry is not None and entry.value else {}

    async with anyio.create_task_group() as group:
        group.start_soon(agent, server.connect(), lambda _: "running")
        group.start_soon(tell_telemetry, server.connect(), "camera")
        judge = lambda cores, load: {} if cores["detect"] >= 2 else {("detect", "latency"): "late"}  # noqa: E731
        async with Controller(bus, wide, tmp_path, judge=judge, clock=LoopClock()) as controller:
            await controller.deploy()
            await controller.wait_running(5.0)
            for _ in range(100_000):
                await anyio.sleep(0.5)
                if await cores():
                    break
            told = await cores()
            report = await controller.drain_and_stop(5.0)
        group.cancel_scope.cancel()
    assert told == {"detect": 2}
    assert [each.cores for each in report.components] == [1, 2]
    (decision,) = report_document(report)["decisions"]
    assert decision["component"] == "detect"
    assert decision["time_s"] > 1e9
    assert decision["reason"].startswith("detect: 4 to 2 cores, the sources bring 20% of what was planned")
    assert any("cores were changed 1 time" in note for note in report.notes)


async def test_sources_are_wanted_when_everything_else_runs(tmp_path: Path) -> None:
    server = MemoryServer()
    told: list[tuple[float, str]] = []
    ready_s = asyncio.get_running_loop().time() + 2.0
    async with anyio.create_task_group() as group:

        async def slow_agent(bus: Bus) -> None:
            await agent(bus, lambda _: "running" if asyncio.get_running_loop().time() >= ready_s else "starting", told)

        async def repeat(bus: Bus) -> None:
            """What an agent says when its hosts are ready."""
            await anyio.sleep_until(ready_s)
            entry = await bus.get(BUCKET_WANTED, "cloud")
            assert entry is not None
            await bus.put(BUCKET_WANTED, "cloud", entry.value or b"")

        group.start_soon(slow_agent, server.connect())
        group.start_soon(repeat, server.connect())
        async with Controller(server.connect(), deployment(), tmp_path, clock=LoopClock()) as controller:
            await controller.deploy()
            await controller.wait_running(10.0)
        group.cancel_scope.cancel()
    began_s = round(ready_s - 2.0, 3)
    assert [(round(at_s - began_s, 3), what) for at_s, what in told] == [
        (0.0, "detect.cloud.0"),
        (2.0, "detect.cloud.0"),
        (2.0, "camera.edge-1.0"),
    ]


async def test_a_component_that_does_not_start_keeps_the_sources_back_for_a_while_only(tmp_path: Path) -> None:
    server = MemoryServer()
    told: list[tuple[float, str]] = []
    async with anyio.create_task_group() as group:
        group.start_soon(agent, server.connect(), lambda _: "starting", told)
        async with Controller(server.connect(), deployment(), tmp_path, clock=LoopClock()) as controller:
            began_s = asyncio.get_running_loop().time()
            await controller.deploy()
            await anyio.sleep(10.0)
        group.cancel_scope.cancel()
    assert [(round(at_s - began_s, 3), what) for at_s, what in told] == [
        (0.0, "detect.cloud.0"),
        (SOURCES_WAIT_MAX_S, "camera.edge-1.0"),
    ]


async def test_an_application_of_sources_alone_starts_at_once(tmp_path: Path) -> None:
    application = Application(name="test", components=(camera(),))
    alone = Deployment(
        run="r", application=application, continuum=continuum(), plan=plan_of(application), root="/", module="app"
    )
    bus = MemoryServer().connect()
    async with Controller(bus, alone, tmp_path, clock=LoopClock()) as controller:
        await controller.deploy()
        assert await wanted_ids(bus) == {"camera.edge-1.0"}


async def test_a_run_that_goes_on_leaves_its_sources_alone(tmp_path: Path) -> None:
    server = MemoryServer()
    bus = server.connect()
    async with anyio.create_task_group() as group:
        group.start_soon(tell_telemetry, server.connect())
        async with Controller(bus, deployment(), tmp_path, clock=LoopClock()) as controller:
            await controller.deploy()
        await bus.append("camera", b"1", item_id="1")
        async with Controller(bus, deployment(), tmp_path, clock=LoopClock()) as controller:
            await controller.deploy()
            assert await wanted_ids(bus) == {"camera.edge-1.0", "detect.cloud.0"}
        group.cancel_scope.cancel()


@pytest.mark.parametrize("after_s", [0.0, SOURCES_WAIT_MAX_S - 0.001, SOURCES_WAIT_MAX_S, SOURCES_WAIT_MAX_S + 0.001])
async def test_sources_never_start_once_a_run_drains(tmp_path: Path, after_s: float) -> None:
    """Whatever comes first, the end of the waiting or the end of the run; a slow bus lets them overlap."""
    server = MemoryServer()
    bus = OddBus(server.connect())
    async with Controller(cast("Bus", bus), deployment(), tmp_path, clock=LoopClock()) as controller:
        await controller.deploy()
        await anyio.sleep(after_s)
        await controller.drain_and_stop(1.0)
        await anyio.sleep(2 * SOURCES_WAIT_MAX_S)
        assert await wanted_ids(server.connect()) == set()


async def test_what_is_held_back_is_not_said_again_but_comes_when_its_time_is_there(tmp_path: Path) -> None:
    server = MemoryServer()
    bus, child = server.connect(), FakeChild("bus")
    async with Controller(bus, deployment(), tmp_path, children=(child,), clock=LoopClock()) as controller:
        await controller.deploy()
        await bus.delete(BUCKET_WANTED, "cloud")
        child.die()
        await anyio.sleep(1.0)
        assert await wanted_ids(bus) == {"detect.cloud.0"}
        await anyio.sleep(SOURCES_WAIT_MAX_S)
        assert await wanted_ids(bus) == {"camera.edge-1.0", "detect.cloud.0"}
        await bus.delete(BUCKET_WANTED, "edge-1")
        child.die()
        await anyio.sleep(1.0)
        assert await wanted_ids(bus) == {"camera.edge-1.0", "detect.cloud.0"}


async def test_a_bus_that_is_away_when_the_sources_should_start_gets_them_later(tmp_path: Path) -> None:
    server = MemoryServer()
    bus = OddBus(server.connect())
    async with Controller(cast("Bus", bus), deployment(), tmp_path, clock=LoopClock()) as controller:
        await controller.deploy()
        bus.away = True
        await anyio.sleep(SOURCES_WAIT_MAX_S + 1.0)
        bus.away = False
        await anyio.sleep(5.0)
        assert await wanted_ids(server.connect()) == {"camera.edge-1.0", "detect.cloud.0"}


async def test_a_failed_instance_ends_the_waiting_with_its_reason(tmp_path: Path) -> None:
    server = MemoryServer()
    async with anyio.create_task_group() as group:
        group.start_soon(agent, server.connect(), lambda name: "failed" if name.startswith("detect") else "running")
        async with Controller(server.connect(), deployment(), tmp_path, clock=LoopClock()) as controller:
            await controller.deploy()
            with pytest.raises(ComponentError, match=r"detect.cloud.0 does not start: no model.*ecotone logs detect"):
                await controller.wait_running(5.0)
        group.cancel_scope.cancel()


async def test_nobody_starts_anything(tmp_path: Path) -> None:
    async with Controller(MemoryServer().connect(), deployment(), tmp_path, clock=LoopClock()) as controller:
        await controller.deploy()
        with pytest.raises(UnavailableError, match=r"camera.edge-1.0, detect.cloud.0 is missing"):
            await controller.wait_running(5.0)


async def test_streams_of_another_application(tmp_path: Path) -> None:
    bus = MemoryServer().connect()
    await bus.create_stream(StreamConfig(name="camera", consumers=("somebody",)))
    with pytest.raises(ConflictError):
        async with Controller(bus, deployment(), tmp_path, clock=LoopClock()) as controller:
            await controller.deploy()


async def test_children_are_started_again_with_growing_pauses_and_stopped_at_the_end(tmp_path: Path) -> None:
    child, other = FakeChild("agent"), FakeChild("bus")
    async with Controller(
        MemoryServer().connect(), deployment(), tmp_path, children=(child, other), clock=LoopClock()
    ) as controller:
        await controller.deploy()
        began_s = asyncio.get_running_loop().time()
        for _ in range(4):
            child.die()
            await anyio.sleep(1.0)
        other.refuses = 2
        other.die()
        await anyio.sleep(1.0)
        kinds = [each.kind for each in controller.snapshot().events]

    gaps = [round(start_s - began_s - number, 3) for number, start_s in enumerate(child.starts)]
    assert gaps == [0.0, 0.1, 0.2, 0.4]
    assert kinds.count("agent_died") == kinds.count("agent_restarted") == 4
    assert kinds[-4:] == ["bus_died", "bus_failed", "bus_failed", "bus_restarted"]
    assert len(other.starts) == 3
    assert child.stopped
    assert other.stopped


async def test_an_error_of_the_caller_stays_as_it_is_and_children_are_stopped(tmp_path: Path) -> None:
    child = FakeChild("agent")
    with pytest.raises(KeyError):
        async with Controller(MemoryServer().connect(), deployment(), tmp_path, children=(child,), clock=LoopClock()):
            raise KeyError("mine")
    assert child.stopped
