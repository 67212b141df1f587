"""Hosts as real processes on a real bus server: nothing accepted is lost, whatever dies and whenever."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import numpy as np
import pytest
from tests.support.hosts import rig, until

from ecotone.core.continuum import Continuum, Link, NodeType, Site
from ecotone.core.messages import DEAD_LETTERS, DeadLetter
from ecotone.execution.host import REFUSED
from ecotone.execution.host.objects import sweep
from ecotone.execution.page import FAILED, STOPPED
from ecotone.infrastructure.telemetry.histogram import quantile_s

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


CHAIN = """
from ecotone import component

@component(source=True, throughput="100 items/s")
def numbers():
    yield from ()

@component(on=numbers)
def double(number: int) -> int:
    return 2 * number

@component(on=double)
def collect(number: int) -> int:
    return number + 1
"""


def told(host: Any) -> Any:
    return host.page.telemetry(instance="", component="", node="")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_items_pass_and_are_counted(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(CHAIN, probes=["collect"])
        await run.start("double", "collect")
        ids = [await run.feed("numbers", number) for number in range(20)]
        found = await run.collect("collect", 20)
        assert [value for _, value in found] == [2 * number + 1 for number in range(20)]
        assert [item.id for item, _ in found] == [f"collect/0<double/0<{each}" for each in ids]
        assert await run.hosts["double"].stop() == 0
        assert await run.hosts["collect"].stop() == 0
        for name in ("double", "collect"):
            counted = told(run.hosts[name])
            assert (counted.handled, counted.emitted, counted.raised, counted.dropped) == (20, 20, 0, 0)
            assert sum(counted.response.counts.values()) == sum(counted.service.counts.values()) == 20
            assert run.hosts[name].page.phase == STOPPED
            assert run.hosts[name].page.tokens() == ()
        assert (await run.bus.stream_state("numbers")).kept == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_killed_at_any_moment_no_item_is_lost_or_repeated(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    total = 400
    async with rig(tmp_path) as run:
        await run.deploy(CHAIN, probes=["collect"])
        await run.start("double", "collect")
        found: list[Any] = []

        async def feed() -> None:
            for number in range(total):
                await anyio.sleep(0.004)
                await run.feed("numbers", number)

        async def kill() -> None:
            for _ in range(6):
                await anyio.sleep(chance.uniform(0.05, 0.4))
                host = run.hosts[chance.choice(["double", "collect"])]
                await host.kill()
                host.start()

        async def collect() -> None:
            found.extend(await run.collect("collect", total))

        async with anyio.create_task_group() as group:
            for task in (feed, kill, collect):
                group.start_soon(task)
        assert sorted(value for _, value in found) == sorted(2 * number + 1 for number in range(total)), f"seed {seed}"
        assert len({item.id for item, _ in found}) == total
        for name in ("double", "collect"):
            await run.hosts[name].ready()
            assert await run.hosts[name].stop() == 0
            assert told(run.hosts[name]).handled == total, f"seed {seed}"
        assert (await run.bus.stream_state("collect")).accepted == total


FRAMES = """
import numpy as np
import msgspec
from ecotone import component

class Frame(msgspec.Struct):
    image: np.ndarray
    number: int

@component(source=True, throughput="100 items/s", capacity=16)
def frames() -> Frame:
    yield from ()

@component(on=frames, capacity=16)
def invert(frame: Frame) -> Frame:
    return Frame(255 - frame.image, frame.number)

@component(on=invert)
def means(frame: Frame) -> tuple[int, float]:
    assert not frame.image.flags.writeable
    return frame.number, float(frame.image.mean())

@component(on=invert)
class Counted:
    def __call__(self, frame: Frame) -> int:
        return frame.number
"""


@pytest.mark.parametrize("seed", [4, 5])
async def test_large_items_travel_by_reference_and_survive_kills(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    total = 60
    async with rig(tmp_path) as run:
        await run.deploy(FRAMES, probes=["means", "counted"])
        await run.start("invert", "means", "counted")

        async def feed() -> None:
            for number in range(total):
                value = {"image": np.full((200, 400), number, np.uint8), "number": number}
                await run.feed("frames", value)

        async def kill() -> None:
            for _ in range(5):
                await anyio.sleep(chance.uniform(0.05, 0.3))
                host = run.hosts[chance.choice(["invert", "means", "counted"])]
                await host.kill()
                host.start()

        async with anyio.create_task_group() as group:
            group.start_soon(feed)
            group.start_soon(kill)
            means = await run.collect("means", total)
            counted = await run.collect("counted", total)
        assert sorted(tuple(value) for _, value in means) == [(number, 255.0 - number) for number in range(total)]
        assert sorted(value for _, value in counted) == list(range(total))
        for host in ("invert", "means", "counted"):
            await run.hosts[host].ready()
            assert await run.hosts[host].stop() == 0
        for consumer in ("means", "counted"):
            sweep(tmp_path, producer="invert", consumer=consumer, cutoff_s=time.time() + 60)
        assert files(tmp_path / "objects") == []


async def test_without_a_crash_objects_leave_nothing_behind(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(FRAMES, probes=["means", "counted"])
        await run.start("invert", "means", "counted")
        for number in range(10):
            await run.feed("frames", {"image": np.full((200, 400), number, np.uint8), "number": number})
        await run.collect("means", 10)
        await run.collect("counted", 10)
        for host in ("invert", "means", "counted"):
            assert await run.hosts[host].stop() == 0
        assert files(tmp_path / "objects") == []


SUM = """
from ecotone import component

@component(source=True, throughput="100 items/s")
def numbers():
    yield from ()

@component(on=numbers, stateful=True, snapshot_every="100 ms")
class Total:
    def __init__(self) -> None:
        self.total = 0
        self.seen = []

    def __call__(self, number: int) -> dict:
        self.total += number
        self.seen.append(number)
        return {"total": self.total, "count": len(self.seen), "padding": b"x" * 10}

    def snapshot(self) -> dict:
        return {"total": self.total, "seen": self.seen, "ballast": bytes(PADDING)}

    def restore(self, state: dict) -> None:
        self.total, self.seen = state["total"], list(state["seen"])
"""


@pytest.mark.parametrize(("seed", "ballast"), [(6, 0), (7, 600_000)])
async def test_state_survives_kills_and_holds_each_item_once(tmp_path: Path, seed: int, ballast: int) -> None:
    chance = random.Random(seed)
    total = 200
    async with rig(tmp_path) as run:
        await run.deploy(SUM.replace("PADDING", str(ballast)), probes=["total"])
        await run.start("total")
        host = run.hosts["total"]
        found: list[Any] = []

        async def feed() -> None:
            for number in range(total):
                await anyio.sleep(0.005)
                await run.feed("numbers", number)

        async def kill() -> None:
            for _ in range(4):
                await anyio.sleep(chance.uniform(0.2, 0.7))
                await host.kill()
                host.start()

        async with anyio.create_task_group() as group:
            group.start_soon(feed)
            group.start_soon(kill)
            found = await run.collect("total", total)
        last = max((value for _, value in found), key=lambda value: value["count"])
        assert (last["count"], last["total"]) == (total, sum(range(total))), f"seed {seed}"
        await host.ready()
        with anyio.fail_after(20):  # what a killed host had stored but not acknowledged comes once more, and is counted
            while (await run.bus.stream_state("numbers")).kept:  # noqa: ASYNC110 - the bus is asked, it does not tell
                await anyio.sleep(0.05)
        assert await host.stop() == 0
        assert told(host).handled == total
        assert len(files(tmp_path / "state")) == (1 if ballast else 0)


async def test_fused_components_share_a_host_and_keep_their_ids_and_counts(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(CHAIN, probes=["collect"], changes={"groups": (("double", "collect"),)})
        assert list(run.hosts) == ["numbers", "double"]
        await run.start("double")
        ids = [await run.feed("numbers", number) for number in range(10)]
        found = await run.collect("collect", 10)
        assert [item.id for item, _ in found] == [f"collect/0<double/0<{each}" for each in ids]
        assert await run.hosts["double"].stop() == 0
        for page in run.hosts["double"].pages:
            counted = page.telemetry(instance="", component="", node="")
            assert (counted.handled, counted.emitted) == (10, 10)
            assert sum(counted.response.counts.values()) == 10


TROUBLE = """
from ecotone import component

@component(source=True, throughput="100 items/s")
def numbers():
    yield from ()

@component(on=numbers, attempts=3)
def picky(number: int) -> int:
    print("looking at", number)
    if number == 3:
        raise ValueError("three is not wanted")
    if number == 4:
        return object()
    return number
"""


async def test_an_item_that_raises_too_often_goes_to_the_dead_letters(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(TROUBLE, probes=["picky"])
        await run.start("picky")
        for value in (1, 2, 3, "four", 5):
            await run.feed("numbers", value)
        await run.feed("numbers", 4)
        found = await run.collect("picky", 3)
        letters: dict[str, DeadLetter] = {}
        async with run.bus.consume(DEAD_LETTERS, "kept") as deliveries:
            async for delivery in deliveries:
                letter = msgspec.msgpack.decode(delivery.data, type=DeadLetter)
                letters[letter.item.id] = letter
                await delivery.ack()
                if len(letters) == 3:
                    break
        assert sorted(value for _, value in found) == [1, 2, 5]
        errors = {each.component + ": " + each.error for each in letters.values()}
        assert any("ValueError: three is not wanted" in error for error in errors)
        assert any("does not fit the type hint int" in error for error in errors)
        assert any("picky: its output cannot travel: it holds a object" in error for error in errors)
        assert {each.attempts for each in letters.values()} == {3}
        assert await run.hosts["picky"].stop() == 0
        counted = told(run.hosts["picky"])
        assert (counted.handled, counted.raised, counted.dead) == (3, 9, 3)
        log = run.hosts["picky"].log.read_text()
        assert "three is not wanted" in log
        assert log.count("looking at 3") == 3


LIVE = """
from ecotone import component

@component(every="5 ms", live=True, capacity=8, throughput="200 items/s")
def camera() -> int:
    return 1

@component(on=camera, live=True)
def slow(number: int) -> int:
    return number
"""


async def test_what_a_full_live_channel_drops_is_counted_once_over_restarts(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(LIVE)
        slow = run.hosts["slow"]
        for _ in range(20):
            await run.feed("camera", 1)
        await run.start("slow")
        await until(lambda: told(slow).handled == 8, "the kept ones are handled")
        await slow.kill()
        for _ in range(10):
            await run.feed("camera", 1)
        await run.start("slow")
        await until(lambda: told(slow).handled == 16, "the kept ones are handled")
        assert await slow.stop() == 0
        assert told(slow).dropped == 14
        assert told(slow).handled + told(slow).dropped == (await run.bus.stream_state("camera")).accepted


FAR = Continuum(
    name="far",
    sites=(
        Site(name="device", layer="device", node_types=(NodeType(name="d", speed=1000.0, cores=8),)),
        Site(name="edge", layer="edge", node_types=(NodeType(name="e", speed=0.5, cores=1),)),
        Site(name="cloud", layer="cloud", node_types=(NodeType(name="c", speed=1000.0, cores=8),)),
    ),
    links=(
        Link(between=("device", "edge"), latency_s=0.03, bandwidth_bytes_per_s=1e6),
        Link(between=("edge", "cloud"), latency_s=0.05, bandwidth_bytes_per_s=1e7),
    ),
)
STREET = """
import time
import numpy as np
from ecotone import component, path

@component(every="100 ms", private=["device", "edge"])
def camera() -> np.ndarray:
    return np.zeros((100, 1000), np.uint8)

@component(on=camera, RELEASES)
def work(image: np.ndarray) -> bytes:
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    return b"done"

@component(on=work)
def end(result: bytes) -> None:
    pass

path(camera, work, end, latency="1 s")
"""


async def test_links_delay_slow_nodes_stretch_and_the_path_is_measured(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        nodes = {"camera": "d", "work": "e", "end": "c"}
        await run.deploy(STREET.replace("RELEASES", "releases=True"), continuum=FAR, nodes=nodes)
        await run.start()
        await until(lambda: told(run.hosts["end"]).handled >= 5, "five items have passed")
        for name in ("camera", "work", "end"):
            assert await run.hosts[name].stop() == 0
        work, end = told(run.hosts["work"]), told(run.hosts["end"])
        service_s, path_s = quantile_s(work.service.counts, 0.01), quantile_s(end.paths[0].counts, 0.01)
        assert service_s is not None
        assert service_s >= 0.039  # 20 ms of computing on a node of half the speed
        assert path_s is not None
        assert path_s >= 0.029 + 0.099 + 0.039 + 0.049  # latency, 100 KB at 1 MB/s, work, latency
        assert work.link_bytes >= 100_000 * work.handled  # some may be on their way
        assert work.link_bytes % 100_000 == 0
        assert 0 < end.link_bytes < 1000 * end.handled
        assert work.cpu_s < work.busy_s


async def test_private_data_is_refused_where_it_may_not_be(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        nodes = {"camera": "d", "work": "c", "end": "c"}
        await run.deploy(STREET.replace("RELEASES", "releases=True"), continuum=FAR, nodes=nodes)
        host = run.hosts["work"]
        host.start()
        assert await host.exit() == REFUSED
        assert host.page.phase == FAILED
        assert host.page.reason == (
            "work takes the private output of camera, which may be in device or edge only; c is in the cloud layer"
        )


@pytest.mark.parametrize(
    ("broken", "status", "reason"),
    [
        (("return 2 * number", "return 2 * numbr\n\nraise OSError('no model')"), 1, "OSError: no model"),
        (("@component(on=numbers)", "@component(on=numbers, attempts=7)"), REFUSED, "the code has changed; plan again"),
        (("def double", "def triple"), REFUSED, "no function or class double"),
    ],
)
async def test_a_host_that_cannot_start_says_why(
    tmp_path: Path, broken: tuple[str, str], status: int, reason: str
) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(CHAIN)
        source = tmp_path / "application" / "app.py"
        text = source.read_text().replace(*broken).replace("on=double" if "triple" in broken[1] else "\0", "on=triple")
        source.write_text(text)
        host = run.hosts["double"]
        host.start()
        assert await host.exit() == status
        assert reason in host.page.reason
        assert (host.page.phase, reason in host.log.read_text()) == (FAILED, True)


GATHER = """
from ecotone import component

@component(source=True, throughput="100 items/s")
def left():
    yield from ()

@component(source=True, throughput="100 items/s")
def right():
    yield from ()

@component(on=left, batch=4, batch_wait="300 ms")
def batched(items: list[dict]) -> list[int]:
    return [item["n"] for item in items]

@component(on=[left, right], join="n")
def joined(items: dict) -> list:
    return [items["left"]["n"], items["right"]["x"]]

@component(on=left, every="150 ms")
def windows(items: list) -> int:
    return len(items)

@component(request=True, timeout="5 s")
def ask(question: dict) -> dict:
    if question["n"] < 0:
        raise ValueError("negative")
    return {"twice": 2 * question["n"]}
"""


async def test_batches_joins_and_windows(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(GATHER, probes=["batched", "joined", "windows"])
        for number in range(10):
            await run.feed("left", {"n": number})
        for number in (7, 3, 99, 5):
            await run.feed("right", {"n": number, "x": number * 10})
        await run.start("batched", "joined", "windows")
        batches = [value for _, value in await run.collect("batched", 3)]
        assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        joined = [value for _, value in await run.collect("joined", 3)]
        assert sorted(joined) == [[3, 30], [5, 50], [7, 70]]
        sizes: list[int] = []
        while sum(sizes) < 10:
            sizes += [value for _, value in await run.collect("windows", 1)]
        assert sum(sizes) == 10
        for name in ("batched", "joined", "windows"):
            assert await run.hosts[name].stop() == 0
        assert told(run.hosts["batched"]).handled == 10
        assert told(run.hosts["joined"]).handled == 6
        assert (await run.bus.stream_state("right")).kept == 1


async def test_requests_are_answered(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(GATHER)
        await run.start("ask")

        async def ask(number: object) -> Any:
            data = msgspec.msgpack.encode({"n": number})
            return msgspec.msgpack.decode(await run.bus.request("request.ask", data, timeout_s=10.0))

        assert await ask(21) == {"ok": True, "value": {"twice": 42}}
        assert await ask(-1) == {"ok": False, "error": "ValueError: negative"}
        assert (await ask("x"))["ok"] is False
        assert await run.hosts["ask"].stop() == 0
        assert told(run.hosts["ask"]).handled == 1


async def test_the_bus_server_may_die_and_come_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(CHAIN, probes=["collect"])
        await run.start("double", "collect")
        for number in range(30):
            await run.feed("numbers", number)
        run.server.kill()
        run.server.restart()
        run.server.wait_ready()
        for number in range(30, 40):
            await run.feed("numbers", number)
        found = await run.collect("collect", 40)
        assert sorted(value for _, value in found) == [2 * number + 1 for number in range(40)]
        assert len({item.id for item, _ in found}) == 40
        for name in ("double", "collect"):
            assert await run.hosts[name].stop() == 0
            assert told(run.hosts[name]).handled == 40


SOURCE = """
import time
from ecotone import component, parameter

count = parameter("count", 50)

@component(source=True, throughput="200 items/s")
def numbers() -> int:
    for number in range(count.value):
        yield number
        time.sleep(0.002)
    time.sleep(1000)

@component(on=numbers, capacity=5000)
def double(number: int) -> int:
    return 2 * number
"""


async def test_a_source_is_stopped_while_it_waits(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(SOURCE, probes=["double"], parameters={"count": 20})
        await run.start()
        found = await run.collect("double", 20)
        assert [value for _, value in found] == [2 * number for number in range(20)]
        assert await run.hosts["numbers"].stop() == 0
        assert told(run.hosts["numbers"]).emitted == 20
        assert await run.hosts["double"].stop() == 0


async def test_whatever_a_killed_source_had_accepted_arrives(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(SOURCE, probes=["double"], parameters={"count": 5000})
        await run.start()
        for _ in range(3):
            seen = told(run.hosts["numbers"]).emitted
            await until(lambda seen=seen: told(run.hosts["numbers"]).emitted > seen + 30, "it emits")
            await run.hosts["numbers"].kill()
            await run.start("numbers")
        assert await run.hosts["numbers"].stop() == 0
        accepted = (await run.bus.stream_state("numbers")).accepted
        found = await run.collect("double", accepted)
        assert len({item.id for item, _ in found}) == accepted
        assert await run.hosts["double"].stop() == 0
        assert told(run.hosts["double"]).handled == accepted


async def test_a_full_stream_makes_the_host_wait_and_a_stop_gives_its_items_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(CHAIN.replace("@component(on=numbers)", "@component(on=numbers, capacity=4)"))
        await run.start("double")
        for number in range(40):
            await run.feed("numbers", number)
        host = run.hosts["double"]
        await until(lambda: host.page.refused > 0, "the stream is full")
        assert await host.stop() == 0
        assert told(host).handled == told(host).emitted == 4
        state = await run.bus.consumer_state("numbers", "double")
        assert (await run.bus.stream_state("numbers")).kept == 36
        assert state.pending + state.in_flight == 36
