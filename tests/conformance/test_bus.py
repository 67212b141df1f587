"""The bus's promises, kept by both back-ends: in memory on asyncio and trio in virtual time, and NATS for real."""

from __future__ import annotations

import anyio
import pytest
import trio.testing

from ecotone.core.errors import NotFoundError
from ecotone.infrastructure.bus import MemoryServer, connect, open_server

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
            with pytest.raises(NotFoundError, match="bucket 'bucket'"):
                await anext(watch)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = open_server(tmp_path_factory.mktemp("bus") / "server")
    yield server
    server.stop()


@pytest.mark.e2e
@pytest.mark.anyio
class TestNatsBus(DurableBusConformance):
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    @pytest.fixture
    async def connect(self, server):
        buses = []

        async def connect_one():
            buses.append(await connect(server.url, name="conformance"))
            return buses[-1]

        yield connect_one
        for bus in buses:
            await bus.close()

    @pytest.fixture
    def crash(self, server):
        async def crash_server():
            server.kill()
            server.restart()
            server.wait_ready()

        return crash_server
