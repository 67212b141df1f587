"""Two namespaces of one bus do not see each other, and each can be emptied; the rest is in the conformance tests."""

from __future__ import annotations

import anyio
import pytest

from ecotone.core.errors import NotFoundError
from ecotone.infrastructure.bus import MemoryBus, MemoryServer, NamespacedBus, StreamConfig

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


@pytest.fixture
def whole(server: MemoryServer) -> MemoryBus:
    return server.connect()


@pytest.fixture
def one(server: MemoryServer) -> NamespacedBus:
    return NamespacedBus(server.connect(), "run-1")


@pytest.fixture
def other(server: MemoryServer) -> NamespacedBus:
    return NamespacedBus(server.connect(), "run-12")


async def test_messages_stay_in_their_namespace(one: NamespacedBus, other: NamespacedBus) -> None:
    async with one.subscribe(">") as here, other.subscribe(">") as there:
        await one.publish("telemetry.local", b"1")
        await other.publish("telemetry.local", b"2")
        for inbox, data in ((here, b"1"), (there, b"2")):
            message = await anext(inbox)
            assert (message.subject, message.data) == ("telemetry.local", data)
    async with one.subscribe("request.ask"):
        with pytest.raises(NotFoundError):
            await other.request("request.ask", b"", timeout_s=1.0)


async def test_a_reply_finds_its_way_out_of_the_namespace(one: NamespacedBus, whole: MemoryBus) -> None:
    answers: list[bytes] = []

    async def ask() -> None:
        answers.append(await whole.request("run-1.request.ask", b"question", timeout_s=1.0))

    async with one.subscribe("request.ask") as questions, anyio.create_task_group() as group:
        group.start_soon(ask)
        await one.publish((await anext(questions)).reply, b"answer")
    assert answers == [b"answer"]


async def test_keys_and_items_stay_in_their_namespace(one: NamespacedBus, other: NamespacedBus) -> None:
    for bus, data in ((one, b"1"), (other, b"2")):
        await bus.put("wanted", "edge-1", data)
        await bus.create_stream(StreamConfig(name="frames", consumers=("detect",)))
        await bus.append("frames", data, item_id="same")
    for bus, data in ((one, b"1"), (other, b"2")):
        entry = await bus.get("wanted", "edge-1")
        assert entry is not None
        assert entry.value == data
        async with bus.consume("frames", "detect") as reader:
            assert (await anext(aiter(reader))).data == data


async def test_the_server_shows_whose_it_is(one: NamespacedBus, whole: MemoryBus) -> None:
    await one.put("wanted", "edge-1", b"")
    await one.create_stream(StreamConfig(name="frames", consumers=()))
    assert (await whole.streams(), await whole.buckets()) == (("run-1_frames",), ("run-1_wanted",))
    assert (await one.streams(), await one.buckets()) == (("frames",), ("wanted",))


async def test_emptying_one_leaves_the_others(one: NamespacedBus, other: NamespacedBus, whole: MemoryBus) -> None:
    for bus in (one, other, whole):
        await bus.put("wanted", "edge-1", b"")
        await bus.create_stream(StreamConfig(name="frames", consumers=()))
    await one.remove_everything()
    await one.remove_everything()
    assert await whole.streams() == ("frames", "run-12_frames")
    assert await whole.buckets() == ("run-12_wanted", "wanted")
