"""Conformance of `Streams`: creating, appending, capacity. Part of `bus_conformance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.core.errors import ConflictError, NotFoundError, StreamFullError
from ecotone.infrastructure.bus.interface import StreamConfig
from ecotone.testing._bus_steps import consumer_until, enter, fill, new_name, new_stream, next_acked, next_of, raises

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ecotone.testing._bus_steps import Connect

__all__ = ["AppendingConformance"]


class AppendingConformance:
    """Streams as their writers see them."""

    async def test_creating_a_stream_again_does_nothing(self, connect: Connect) -> None:
        bus = await connect()
        config = StreamConfig(name=new_name(), consumers=("one", "two"), capacity=7)
        await bus.create_stream(config)
        await bus.append(config.name, b"kept", item_id="1")
        await bus.create_stream(config)
        assert (await bus.stream_state(config.name)).kept == 1

    async def test_another_configuration_conflicts(self, connect: Connect) -> None:
        bus = await connect()
        name = new_name()
        await bus.create_stream(StreamConfig(name=name, consumers=("one",), capacity=7))
        for other in (
            StreamConfig(name=name, consumers=("one",), capacity=8),
            StreamConfig(name=name, consumers=("one", "two"), capacity=7),
            StreamConfig(name=name, consumers=("one",), capacity=7, overflow="drop_oldest"),
            StreamConfig(name=name, consumers=("one",), capacity=7, ack_wait_s=3.0),
        ):
            with raises(ConflictError):
                await bus.create_stream(other)

    async def test_sequences_count_from_one_and_an_id_is_stored_once(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await new_stream(bus, capacity=3)
        acks = [await bus.append(name, b"x", item_id=item_id) for item_id in ("a", "b<a>/0", "c")]
        assert [(ack.sequence, ack.duplicate) for ack in acks] == [(1, False), (2, False), (3, False)]
        again = await other.append(name, b"x", item_id="b<a>/0")  # a full stream knows its duplicates too
        assert (again.sequence, again.duplicate) == (2, True)
        async with bus.consume(name, "reader") as reader:
            for _ in range(3):
                await (await next_of(reader)).ack()
            await consumer_until(bus, name, lambda state: state.in_flight == 0)
        again = await bus.append(name, b"x", item_id="a")  # and so does one whose readers are done
        assert (again.sequence, again.duplicate) == (1, True)
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept) == (3, 0)

    async def test_what_does_not_exist_is_not_found(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus)
        absent = new_name()
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.append(absent, b"", item_id="1"),
            lambda: bus.stream_state(absent),
            lambda: bus.consumer_state(absent, "reader"),
            lambda: bus.consumer_state(name, "stranger"),
            lambda: enter(bus, absent, "reader"),
            lambda: enter(bus, name, "stranger"),
        ]
        for attempt in attempts:
            with raises(NotFoundError):
                await attempt()

    async def test_a_stream_without_consumers_counts_and_keeps_nothing(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, consumers=(), capacity=2)
        for number in range(5):
            assert (await bus.append(name, b"x", item_id=str(number))).sequence == number + 1
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept, state.first_sequence, state.oldest_time_s) == (5, 0, 6, None)

    async def test_a_full_stream_refuses_and_takes_again_when_read(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, capacity=2)
        await fill(bus, name, 2)
        with raises(StreamFullError):
            await bus.append(name, b"refused", item_id="refused")
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept) == (2, 2)
        async with bus.consume(name, "reader") as reader:
            await (await next_of(reader)).ack()
            await consumer_until(bus, name, lambda state: state.acknowledged_floor == 1)
            ack = await bus.append(name, b"now", item_id="refused")
            assert (ack.sequence, ack.duplicate) == (3, False)
            assert [(await next_acked(reader)) for _ in range(2)] == [(2, b"1"), (3, b"now")]

    async def test_drop_oldest_shows_as_gaps_in_the_sequence(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, capacity=3, overflow="drop_oldest")
        await fill(bus, name, 10)
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept, state.first_sequence) == (10, 3, 8)
        async with bus.consume(name, "reader") as reader:
            got = [await next_acked(reader) for _ in range(3)]
            assert got == [(8, b"7"), (9, b"8"), (10, b"9")]
            await bus.append(name, b"10", item_id="10")
            assert await next_acked(reader) == (11, b"10")

    async def test_an_item_dropped_while_a_reader_has_it_can_still_be_acknowledged(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, capacity=2, overflow="drop_oldest")
        await fill(bus, name, 2)
        async with bus.consume(name, "reader") as reader:
            held = await next_of(reader)
            await bus.append(name, b"2", item_id="2")
            await bus.append(name, b"3", item_id="3")
            await held.ack()
            assert [await next_acked(reader) for _ in range(2)] == [(3, b"2"), (4, b"3")]
