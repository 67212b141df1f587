"""Conformance of `Streams`: consumers and their deliveries. Part of `bus_conformance`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from ecotone.infrastructure.bus.interface import StreamConfig
from ecotone.testing._bus_steps import (
    LIMIT_S,
    LONG_S,
    SHORT_S,
    consumer_until,
    fill,
    first_of,
    new_name,
    new_stream,
    next_acked,
    next_of,
)

if TYPE_CHECKING:
    from ecotone.infrastructure.bus.interface import Bus
    from ecotone.testing._bus_steps import Connect

__all__ = ["ReadingConformance"]


class ReadingConformance:
    """Streams as their readers see them."""

    async def test_nothing_published_before_a_reader_comes_is_lost(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await new_stream(bus)
        await fill(bus, name, 20)
        async with other.consume(name, "reader") as reader:
            assert [await next_acked(reader) for _ in range(20)] == [(n + 1, b"%d" % n) for n in range(20)]

    async def test_a_reader_that_waits_is_woken(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await new_stream(bus)
        async with other.consume(name, "reader") as reader:
            for number in range(50):
                await bus.append(name, b"%d" % number, item_id=str(number))
                assert await next_acked(reader) == (number + 1, b"%d" % number)

    async def test_every_consumer_gets_every_item_and_it_leaves_with_the_last(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, consumers=("one", "two"))
        await fill(bus, name, 3)
        async with bus.consume(name, "one") as reader:
            assert [(await next_acked(reader))[0] for _ in range(3)] == [1, 2, 3]
        await consumer_until(bus, name, lambda state: state.acknowledged_floor == 3, consumer="one")
        assert (await bus.stream_state(name)).kept == 3
        async with bus.consume(name, "two") as reader:
            assert [(await next_acked(reader))[0] for _ in range(2)] == [1, 2]
        await consumer_until(bus, name, lambda state: state.acknowledged_floor == 2, consumer="two")
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept, state.first_sequence) == (3, 1, 3)
        assert state.oldest_time_s is not None

    async def test_equal_readers_share_the_items(self, connect: Connect) -> None:
        buses = [await connect() for _ in range(3)]
        name = await new_stream(buses[0], capacity=1000)
        got: list[bytes] = []

        async def read(bus: Bus, prefetch: int, scope: anyio.CancelScope) -> None:
            async with bus.consume(name, "reader", prefetch=prefetch) as reader:
                async for delivery in reader:
                    got.append(delivery.data)
                    await delivery.ack()
                    if len(got) == 300:
                        scope.cancel()

        with anyio.fail_after(LIMIT_S):
            async with anyio.create_task_group() as group:
                for bus, prefetch in zip(buses, (1, 2, 16), strict=True):
                    group.start_soon(read, bus, prefetch, group.cancel_scope)
                await fill(buses[0], name, 300)
        assert sorted(got, key=int) == [b"%d" % number for number in range(300)]

    async def test_at_most_prefetch_deliveries_are_open(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus)
        await fill(bus, name, 5)
        async with bus.consume(name, "reader", prefetch=2) as reader:
            held = [await next_of(reader), await next_of(reader)]
            state = await bus.consumer_state(name, "reader")
            assert (state.pending, state.in_flight) == (3, 2)
            await held[0].ack()
            assert (await next_of(reader)).sequence == 3
            state = await bus.consumer_state(name, "reader")
            assert (state.pending, state.in_flight) == (2, 2)

    async def test_acknowledging_is_idempotent(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus)
        await fill(bus, name, 3)
        async with bus.consume(name, "reader", prefetch=2) as reader:
            delivery = await next_of(reader)
            for _ in range(3):
                await delivery.ack()
            await delivery.nak()
            await delivery.in_progress()
            assert [(await next_acked(reader))[0] for _ in range(2)] == [2, 3]
            state = await consumer_until(bus, name, lambda state: state.in_flight == 0)
            assert (state.pending, state.acknowledged_floor, state.redelivered) == (0, 3, 0)

    async def test_nak_delivers_again_with_the_next_attempt(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, ack_wait_s=LONG_S)
        await fill(bus, name, 1)
        async with bus.consume(name, "reader") as reader:
            for attempt in (1, 2, 3):
                delivery = await next_of(reader)
                assert (delivery.sequence, delivery.attempt, delivery.data) == (1, attempt, b"0")
                await delivery.nak()
            await (await next_of(reader)).ack()
            await consumer_until(bus, name, lambda state: state.in_flight == 0)

    async def test_nak_with_a_delay_lets_others_pass(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, ack_wait_s=LONG_S)
        await fill(bus, name, 3)
        async with bus.consume(name, "reader") as reader:
            await (await next_of(reader)).nak(delay_s=SHORT_S)
            assert [(await next_acked(reader))[0] for _ in range(3)] == [2, 3, 1]

    async def test_what_a_vanished_reader_had_is_delivered_again(self, connect: Connect) -> None:
        bus, dying = await connect(), await connect()
        name = await new_stream(bus, ack_wait_s=SHORT_S)
        await fill(bus, name, 2)
        async with dying.consume(name, "reader") as reader:
            assert (await next_of(reader)).attempt == 1
            await dying.close()
        async with bus.consume(name, "reader", prefetch=2) as reader:
            attempts: dict[int, int] = {}
            for _ in range(2):
                delivery = await next_of(reader)
                attempts[delivery.sequence] = delivery.attempt
                await delivery.ack()
            assert attempts == {1: 2, 2: 1}

    async def test_a_reader_that_leaves_gives_back_what_it_has_not_taken(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await new_stream(bus, ack_wait_s=LONG_S)
        await fill(bus, name, 4)
        async with other.consume(name, "reader", prefetch=4) as reader:
            taken = await next_of(reader)
        await taken.ack()  # it may be finished after leaving
        async with bus.consume(name, "reader") as reader:
            assert [(await next_acked(reader))[0] for _ in range(3)] == [2, 3, 4]

    async def test_in_progress_keeps_an_item(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await new_stream(bus, ack_wait_s=SHORT_S)
        await fill(bus, name, 1)
        async with bus.consume(name, "reader") as slow:
            delivery = await next_of(slow)
            async with other.consume(name, "reader") as idle:
                for _ in range(4):
                    await anyio.sleep(SHORT_S / 2)
                    await delivery.in_progress()
                await delivery.ack()
                await bus.append(name, b"next", item_id="next")
                first = await first_of(slow, idle)
            assert (first.sequence, first.attempt) == (2, 1)

    async def test_what_waits_behind_a_slow_item_stays_with_its_reader(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, ack_wait_s=SHORT_S)
        await fill(bus, name, 2)
        async with bus.consume(name, "reader", prefetch=2) as reader:
            delivery = await next_of(reader)
            for _ in range(5):
                await anyio.sleep(SHORT_S / 2)
                await delivery.in_progress()
            await delivery.ack()
            behind = await next_of(reader)
            assert (behind.sequence, behind.attempt) == (2, 1)

    async def test_an_unfinished_item_does_not_block_its_reader_for_ever(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, ack_wait_s=SHORT_S)
        await fill(bus, name, 1)
        async with bus.consume(name, "reader") as reader:
            assert [(await next_of(reader)).attempt for _ in range(2)] == [1, 2]

    async def test_anyone_can_give_back_for_the_dead(self, connect: Connect) -> None:
        bus, dying, agent = await connect(), await connect(), await connect()
        name = await new_stream(bus, ack_wait_s=LONG_S)
        await fill(bus, name, 1)
        async with dying.consume(name, "reader") as reader:
            token = (await next_of(reader)).token
            await dying.close()
        assert token.isascii()
        async with bus.consume(name, "reader") as reader:
            await agent.give_back(token)
            delivery = await next_of(reader)
            assert (delivery.sequence, delivery.attempt) == (1, 2)

    async def test_giving_back_what_is_acknowledged_does_nothing(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, ack_wait_s=LONG_S)
        await fill(bus, name, 2)
        async with bus.consume(name, "reader") as reader:
            delivery = await next_of(reader)
            await delivery.ack()
            await consumer_until(bus, name, lambda state: state.acknowledged_floor == 1)
            await bus.give_back(delivery.token)
            assert (await next_of(reader)).sequence == 2
            state = await bus.consumer_state(name, "reader")
            assert (state.pending, state.in_flight, state.redelivered) == (0, 1, 0)

    async def test_a_token_fits_255_characters(self, connect: Connect) -> None:
        bus = await connect()
        name = new_name() + "." + "s" * 60
        await bus.create_stream(StreamConfig(name=name, consumers=("c" * 96,)))
        await bus.append(name, b"", item_id="1")
        async with bus.consume(name, "c" * 96) as reader:
            token = (await next_of(reader)).token
        assert len(token) <= 255

    async def test_the_states_tell_what_happened(self, connect: Connect) -> None:
        bus = await connect()
        name = await new_stream(bus, ack_wait_s=LONG_S)
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept, state.first_sequence, state.oldest_time_s) == (0, 0, 1, None)
        await fill(bus, name, 4)
        consumer = await bus.consumer_state(name, "reader")
        assert (consumer.pending, consumer.in_flight, consumer.acknowledged_floor) == (4, 0, 0)
        async with bus.consume(name, "reader", prefetch=3) as reader:
            first, second, third = [await next_of(reader) for _ in range(3)]
            await second.ack()
            await consumer_until(bus, name, lambda state: state.in_flight >= 2)
            assert (await bus.consumer_state(name, "reader")).acknowledged_floor == 0
            await first.ack()
            consumer = await consumer_until(bus, name, lambda state: state.acknowledged_floor == 2)
            assert consumer.redelivered == 0
            await third.nak()
            again = [await next_of(reader), await next_of(reader)]
            assert sorted((item.sequence, item.attempt) for item in again) == [(3, 2), (4, 1)]
            consumer = await bus.consumer_state(name, "reader")
            assert (consumer.pending, consumer.in_flight, consumer.redelivered) == (0, 2, 1)
            state = await bus.stream_state(name)
            assert (state.accepted, state.kept, state.first_sequence) == (4, 2, 3)
            assert state.oldest_time_s is not None
            assert math.isfinite(state.oldest_time_s)
