"""Conformance of a bus whose server can die. Part of `bus_conformance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ecotone.core.errors import StreamFullError
from ecotone.infrastructure.bus.interface import Entry, StreamConfig
from ecotone.testing._bus_steps import (
    LIMIT_S,
    SHORT_S,
    fill,
    new_name,
    new_stream,
    next_acked,
    next_of,
    publish_until_heard,
    raises,
    soon,
)

if TYPE_CHECKING:
    from ecotone.testing._bus_steps import Connect, Crash

__all__ = ["CrashConformance"]


class CrashConformance:
    """What must be true after the server was killed and started again."""

    async def test_no_accepted_item_is_lost_when_the_server_dies(self, connect: Connect, crash: Crash) -> None:
        writer, reader_bus = await connect(), await connect()
        name = await new_stream(writer, capacity=10_000)
        accepted: list[bytes] = []
        got: list[bytes] = []

        async def write() -> None:
            for number in range(400):
                data = b"%d" % number
                await writer.append(name, data, item_id=str(number))
                accepted.append(data)

        async def read() -> None:
            async with reader_bus.consume(name, "reader", prefetch=4) as reader:
                async for delivery in reader:
                    got.append(delivery.data)
                    await delivery.ack()

        with anyio.fail_after(LIMIT_S):
            async with anyio.create_task_group() as group:
                group.start_soon(write)
                group.start_soon(read)
                for _ in range(2):
                    before = len(accepted)
                    while len(accepted) < before + 20:  # noqa: ASYNC110  (a condition of the writer, not an event)
                        await anyio.sleep(0.001)
                    await crash()
                while len(set(got)) < 400:  # noqa: ASYNC110
                    await anyio.sleep(0.001)
                group.cancel_scope.cancel()
        assert len(accepted) == 400
        assert set(got) == set(accepted)
        firsts = list(dict.fromkeys(got))
        assert firsts == sorted(firsts, key=int)
        # More only if an item was read, acknowledged and forgotten before the crash took its publish's answer along.
        assert 400 <= (await writer.stream_state(name)).accepted <= 402

    async def test_what_was_open_at_the_crash_can_be_finished_after_it(self, connect: Connect, crash: Crash) -> None:
        bus = await connect()
        name = await new_stream(bus, ack_wait_s=SHORT_S)
        await fill(bus, name, 3)
        async with bus.consume(name, "reader") as reader:
            held = await next_of(reader)
            await crash()
            await held.ack()
            rest = {(await next_acked(reader))[0] for _ in range(2)}
            assert rest >= {2}
        state = await bus.stream_state(name)
        assert state.accepted == 3

    async def test_a_waiting_reader_goes_on_by_itself(self, connect: Connect, crash: Crash) -> None:
        bus, other = await connect(), await connect()
        name = await new_stream(bus)
        async with bus.consume(name, "reader") as reader:
            await crash()
            await other.append(name, b"after", item_id="after")
            assert await next_acked(reader) == (1, b"after")

    async def test_full_streams_and_known_ids_survive(self, connect: Connect, crash: Crash) -> None:
        bus = await connect()
        name = await new_stream(bus, capacity=2)
        await fill(bus, name, 2)
        await crash()
        assert (await bus.append(name, b"1", item_id="1")).duplicate
        with raises(StreamFullError):
            await bus.append(name, b"2", item_id="2")
        await bus.create_stream(StreamConfig(name=name, consumers=("reader",), capacity=2))

    async def test_keys_survive_and_a_watch_goes_on(self, connect: Connect, crash: Crash) -> None:
        bus, other = await connect(), await connect()
        bucket = new_name()
        revision = await bus.put(bucket, "before", b"1")
        await bus.put(bucket, "deleted", b"1")
        await bus.delete(bucket, "deleted")
        async with other.watch(bucket) as watch:
            assert (await soon(watch)).key == "before"
            await crash()
            assert await bus.get(bucket, "before") == Entry("before", b"1", revision)
            assert await bus.get(bucket, "deleted") is None
            newer = await bus.compare_and_set(bucket, "before", b"2", revision=revision)
            assert await soon(watch) == Entry("before", b"2", newer)
            await bus.delete(bucket, "before")
            assert (await soon(watch)).value is None
        assert await bus.keys(bucket) == ()

    async def test_subscriptions_come_back(self, connect: Connect, crash: Crash) -> None:
        bus, other = await connect(), await connect()
        subject = new_name()
        async with bus.subscribe(subject) as inbox, anyio.create_task_group() as group:
            await crash()
            group.start_soon(publish_until_heard, other, subject, group.cancel_scope)
            assert (await soon(inbox)).data == b"again"
            group.cancel_scope.cancel()
