"""Conformance of `Storage`. Part of `bus_conformance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from ecotone.core.errors import NotFoundError
from ecotone.infrastructure.bus.interface import StreamConfig
from ecotone.testing._bus_steps import LIMIT_S, fill, new_name, new_stream, next_acked, next_of, raises, soon

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ecotone.infrastructure.bus.interface import Consumer
    from ecotone.testing._bus_steps import Connect

__all__ = ["StorageConformance"]


class StorageConformance:
    """What there is, and its removal."""

    async def test_streams_and_buckets_are_listed_apart(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        streams = [await new_stream(bus) for _ in range(3)]
        dotted = StreamConfig(name=f"{new_name()}.a-b_c", consumers=())
        await bus.create_stream(dotted)
        buckets = [new_name(), f"{new_name()}.a-b_c"]
        for bucket in buckets:
            await bus.put(bucket, "key", b"1")
        listed = await other.streams()
        assert {*streams, dotted.name} <= set(listed)
        assert not set(buckets) & set(listed)
        assert list(listed) == sorted(listed)
        listed = await other.buckets()
        assert set(buckets) <= set(listed)
        assert not set(streams) & set(listed)
        assert list(listed) == sorted(listed)

    async def test_asking_does_not_make_a_bucket(self, connect: Connect) -> None:
        bus = await connect()
        bucket = new_name()
        assert await bus.get(bucket, "key") is None
        assert await bus.keys(bucket) == ()
        await bus.delete(bucket, "key")
        assert bucket not in await bus.buckets()

    async def test_a_removed_stream_is_not_there(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name, stays = await new_stream(bus), await new_stream(bus)
        await fill(bus, name, 3)
        await fill(bus, stays, 3)
        await other.remove_stream(name)
        assert name not in await bus.streams()
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.append(name, b"", item_id="new"),
            lambda: bus.stream_state(name),
            lambda: bus.consumer_state(name, "reader"),
        ]
        for attempt in attempts:
            with raises(NotFoundError):
                await attempt()
        assert (await bus.stream_state(stays)).kept == 3

    async def test_removing_what_is_absent_does_nothing(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus)
        for _ in range(2):
            await bus.remove_stream(name)
            await bus.remove_bucket(name)

    async def test_a_stream_that_is_made_again_is_empty(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        config = StreamConfig(name=new_name(), consumers=("reader",), capacity=7)
        await bus.create_stream(config)
        await fill(bus, config.name, 2)
        await other.remove_stream(config.name)
        await bus.create_stream(StreamConfig(name=config.name, consumers=("reader", "another"), capacity=8))
        state = await bus.stream_state(config.name)
        assert (state.accepted, state.kept) == (0, 0)
        ack = await bus.append(config.name, b"new", item_id="0")  # an id of before is not known any more
        assert (ack.sequence, ack.duplicate) == (1, False)
        async with bus.consume(config.name, "reader") as reader:
            assert await next_acked(reader) == (1, b"new")

    async def test_who_waits_for_a_removed_stream_learns_it(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await new_stream(bus)

        async def wait(reader: Consumer) -> None:
            with anyio.fail_after(LIMIT_S), raises(NotFoundError):
                await next_of(reader)

        async with bus.consume(name, "reader") as reader, anyio.create_task_group() as group:
            group.start_soon(wait, reader)
            await anyio.lowlevel.checkpoint()
            await other.remove_stream(name)

    async def test_what_was_open_when_its_stream_was_removed_can_be_settled(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await new_stream(bus)
        await fill(bus, name, 2)
        async with bus.consume(name, "reader", prefetch=2) as reader:
            first, second = await next_of(reader), await next_of(reader)
            await other.remove_stream(name)
            await first.ack()
            await second.nak()

    async def test_a_removed_bucket_is_empty_for_everyone_and_can_be_used_again(self, connect: Connect) -> None:
        bus, other, third = await connect(), await connect(), await connect()
        bucket = new_name()
        for each in (bus, other, third):
            await each.put(bucket, "key", b"before")
        await other.remove_bucket(bucket)
        assert bucket not in await bus.buckets()
        assert await bus.get(bucket, "key") is None
        assert await third.keys(bucket) == ()
        async with third.watch(bucket) as watch:
            await bus.compare_and_set(bucket, "key", b"after", revision=0)
            assert (await soon(watch)).value == b"after"
        assert bucket in await other.buckets()
