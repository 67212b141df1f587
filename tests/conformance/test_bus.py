"""The bus's promises, kept by both back-ends: in memory on asyncio and trio in virtual time, and NATS for real; and
by a namespace of each."""

from __future__ import annotations

import itertools

import anyio
import pytest
import trio.testing

from ecotone.core.errors import NotFoundError
from ecotone.infrastructure.bus import (
    MemoryServer,
    NamespacedBus,
    StreamConfig,
    connect,
    open_server,
    with_namespace,
)

pytest.register_assert_rewrite("ecotone.testing")

from ecotone.testing.bus_conformance import BusConformance, DurableBusConformance  # noqa: E402
from ecotone.testing.virtual_time import VirtualTimeLoop  # noqa: E402


@pytest.mark.anyio
class TestMemoryBus(BusConformance):
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request):
        if request.param == "trio":
            return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
        return "asyncio", {"loop_factory": VirtualTimeLoop}

    @pytest.fixture
    async def connect(self):
        server = MemoryServer()
        buses = []

        async def connect_one():
            buses.append(server.connect())
            return buses[-1]

        yield connect_one
        for bus in buses:
            await bus.close()

    async def test_who_watches_a_removed_bucket_learns_it(self, connect):
        bus, other = await connect(), await connect()
        async with bus.watch("bucket") as watch, anyio.create_task_group() as group:
            group.start_soon(other.remove_bucket, "bucket")
            with pytest.raises(NotFoundError, match="bucket' was removed"):
                await anext(watch)


class TestMemoryNamespace(TestMemoryBus):
    @pytest.fixture
    async def connect(self):
        server = MemoryServer()
        buses = []

        async def connect_one():
            buses.append(NamespacedBus(server.connect(), "space"))
            return buses[-1]

        yield connect_one
        for bus in buses:
            await bus.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = open_server(tmp_path_factory.mktemp("bus") / "server")
    yield server
    server.stop()


@pytest.mark.e2e
@pytest.mark.anyio
class TestNatsNamespace(BusConformance):
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    @pytest.fixture
    def url(self, server):
        return with_namespace(server.url, "space")

    @pytest.fixture
    async def connect(self, url):
        buses = []

        async def connect_one():
            buses.append(await connect(url, name="conformance"))
            return buses[-1]

        yield connect_one
        for bus in buses:
            await bus.close()


class TestNatsBus(TestNatsNamespace, DurableBusConformance):
    @pytest.fixture
    def url(self, server):
        return server.url

    @pytest.fixture
    def crash(self, server):
        async def crash_server():
            server.kill()
            server.restart()
            server.wait_ready()

        return crash_server

    @pytest.mark.parametrize("prefetch", [2, 3, 8])
    async def test_equal_readers_with_room_take_turns(self, connect, prefetch):
        """Else an item waits for a reader that is at work while another has nothing to do."""
        bus, one, other = await connect(), await connect(), await connect()
        stream = f"turns{prefetch}"
        await bus.create_stream(StreamConfig(name=stream, consumers=("sum",)))
        taken: list[int] = []
        came = anyio.Event()

        async def read(reader, name):
            nonlocal came
            held = []
            async for delivery in reader:
                held.append(delivery)
                taken.append(name)
                came.set()
                if len(held) > 1:  # at work on one while the next comes
                    await held.pop(0).ack()

        async with (
            one.consume(stream, "sum", prefetch=prefetch) as first,
            other.consume(stream, "sum", prefetch=prefetch) as second,
            anyio.create_task_group() as group,
        ):
            group.start_soon(read, first, 1)
            group.start_soon(read, second, 2)
            for number in range(20):
                came = anyio.Event()
                await bus.append(stream, b"%d" % number, item_id=str(number))
                with anyio.fail_after(5):
                    await came.wait()
                await anyio.sleep(0.005)
            group.cancel_scope.cancel()
        assert all(now != before for before, now in itertools.pairwise(taken[4:])), taken
