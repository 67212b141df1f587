"""What every bus must do, one test for each promise of `ecotone.infrastructure.bus.interface`.

A back-end's tests subclass `BusConformance` (and `DurableBusConformance` if it outlives its server) under pytest with
anyio's plugin, and give the fixtures `connect` and `crash`. Names are new for each test, so that one server may serve
them all. Nothing here imports pytest.
"""

from __future__ import annotations

import math
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio

from ecotone.core.errors import ConflictError, InputError, NotFoundError, StreamFullError, UnavailableError
from ecotone.infrastructure.bus.interface import MAX_PAYLOAD_BYTES, Entry, StreamConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator

    from ecotone.infrastructure.bus.interface import Bus, Consumer, ConsumerState, Delivery, Message

    Connect = Callable[[], Awaitable[Bus]]
    Crash = Callable[[], Awaitable[None]]

__all__ = ["BusConformance", "DurableBusConformance"]

LIMIT_S = 20.0
SHORT_S = 0.3
LONG_S = 60.0

Value = TypeVar("Value")


class BusConformance:
    """Subclass it, mark the class with `pytest.mark.anyio`, and give the fixture `connect`: an async function that
    returns a new connection to the same bus each time; the fixture closes them."""

    # Messaging

    async def test_a_message_reaches_every_subscriber_of_its_subject(self, connect: Connect) -> None:
        one, other = await connect(), await connect()
        subject = _new()
        async with one.subscribe(subject) as first, other.subscribe(subject) as second:
            await one.publish(subject, b"hello")
            for inbox in (first, second):
                message = await _soon(inbox)
                assert (message.subject, message.data, message.reply) == (subject, b"hello", "")

    async def test_star_matches_one_word_and_greater_the_rest(self, connect: Connect) -> None:
        bus = await connect()
        root = _new()
        async with (
            bus.subscribe(f"{root}.*.end") as star,
            bus.subscribe(f"{root}.>") as rest,
            bus.subscribe(f"{root}.a.end") as exact,
        ):
            for words in ("a.end", "b.end", "a.b.end", "a"):
                await bus.publish(f"{root}.{words}", words.encode())
            await bus.publish(root, b"root")
            await bus.publish(f"{root}.c.end", b"last")
            assert await _until(star, b"last") == [b"a.end", b"b.end", b"last"]
            assert await _until(rest, b"last") == [b"a.end", b"b.end", b"a.b.end", b"a", b"last"]
            assert (await _soon(exact)).data == b"a.end"

    async def test_one_publisher_is_heard_in_order(self, connect: Connect) -> None:
        sender, receiver = await connect(), await connect()
        subject = _new()
        async with receiver.subscribe(subject) as inbox:
            for number in range(200):
                await sender.publish(subject, b"%d" % number)
            assert [(await _soon(inbox)).data for _ in range(200)] == [b"%d" % number for number in range(200)]

    async def test_all_that_is_published_after_entering_is_seen(self, connect: Connect) -> None:
        sender, receiver = await connect(), await connect()
        for _ in range(10):
            subject = _new()
            async with receiver.subscribe(subject) as inbox:
                await sender.publish(subject, b"at once")
                assert (await _soon(inbox)).data == b"at once"

    async def test_a_queue_gives_each_message_to_one_of_its_members(self, connect: Connect) -> None:
        sender, worker = await connect(), await connect()
        subject = _new()
        async with (
            worker.subscribe(subject, queue="workers") as first,
            sender.subscribe(subject, queue="workers") as second,
            sender.subscribe(subject) as everything,
        ):
            numbers = [b"%d" % number for number in range(60)]
            for number in numbers:
                await sender.publish(subject, number)
            assert [(await _soon(everything)).data for _ in numbers] == numbers
            got: list[bytes] = []
            async with anyio.create_task_group() as group:
                for inbox in (first, second):
                    group.start_soon(_gather_data, inbox, got, len(numbers), group.cancel_scope)
            assert sorted(got) == sorted(numbers)

    async def test_who_has_left_hears_nothing(self, connect: Connect) -> None:
        bus = await connect()
        subject = _new()
        async with bus.subscribe(subject):
            pass
        with _raises(NotFoundError):
            await bus.request(subject, b"", timeout_s=LIMIT_S)

    async def test_a_request_gets_its_reply(self, connect: Connect) -> None:
        client, service = await connect(), await connect()
        subject = _new()
        async with service.subscribe(subject) as requests, anyio.create_task_group() as group:
            group.start_soon(_echo, service, requests)
            replies = [await client.request(subject, b"%d" % number, timeout_s=LIMIT_S) for number in range(20)]
            assert replies == [b"re:%d" % number for number in range(20)]
            group.cancel_scope.cancel()

    async def test_concurrent_requests_get_their_own_replies(self, connect: Connect) -> None:
        client, service = await connect(), await connect()
        subject = _new()
        replies: dict[int, bytes] = {}

        async def ask(number: int) -> None:
            replies[number] = await client.request(subject, b"%d" % number, timeout_s=LIMIT_S)

        async with service.subscribe(subject) as requests, anyio.create_task_group() as group:
            group.start_soon(_echo, service, requests)
            async with anyio.create_task_group() as asking:
                for number in range(30):
                    asking.start_soon(ask, number)
            group.cancel_scope.cancel()
        assert replies == {number: b"re:%d" % number for number in range(30)}

    async def test_a_request_that_nobody_hears_says_so_at_once(self, connect: Connect) -> None:
        bus = await connect()
        with anyio.fail_after(LIMIT_S), _raises(NotFoundError):
            await bus.request(_new(), b"", timeout_s=LONG_S)

    async def test_a_request_that_nobody_answers_times_out(self, connect: Connect) -> None:
        bus = await connect()
        subject = _new()
        async with bus.subscribe(subject):
            with _raises(UnavailableError):
                await bus.request(subject, b"", timeout_s=0.05)

    # Rules for all

    async def test_a_closed_bus_refuses_everything(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = _new()
        await other.create_stream(StreamConfig(name=name, consumers=("reader",)))
        await bus.close()
        await bus.close()
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.publish(name, b""),
            lambda: bus.request(name, b"", timeout_s=LIMIT_S),
            lambda: bus.get(name, "key"),
            lambda: bus.put(name, "key", b""),
            lambda: bus.append(name, b"", item_id="1"),
            lambda: bus.stream_state(name),
            lambda: bus.create_stream(StreamConfig(name=_new(), consumers=())),
        ]
        for attempt in attempts:
            with _raises(UnavailableError):
                await attempt()
        with _raises(UnavailableError):
            async with bus.consume(name, "reader"):
                pass

    async def test_who_waits_when_the_bus_is_closed_learns_it(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = _new()
        await other.create_stream(StreamConfig(name=name, consumers=("reader",)))
        with anyio.fail_after(LIMIT_S):
            async with bus.subscribe(name) as inbox, bus.watch(name) as watch, bus.consume(name, "reader") as reader:
                async with anyio.create_task_group() as group:
                    for source in (inbox, watch, aiter(reader)):
                        group.start_soon(_expect_unavailable, source)
                    await anyio.sleep(0.05)
                    await bus.close()

    async def test_what_was_published_before_closing_arrives(self, connect: Connect) -> None:
        sender, receiver = await connect(), await connect()
        subject = _new()
        async with receiver.subscribe(subject) as inbox:
            for number in range(50):
                await sender.publish(subject, b"%d" % number)
            await sender.close()
            assert [(await _soon(inbox)).data for _ in range(50)] == [b"%d" % number for number in range(50)]

    async def test_the_largest_payload_travels_and_a_larger_one_does_not(self, connect: Connect) -> None:
        bus = await connect()
        name = _new()
        largest = bytes(MAX_PAYLOAD_BYTES)
        await bus.create_stream(StreamConfig(name=name, consumers=("reader",)))
        async with bus.subscribe(name) as inbox:
            await bus.publish(name, largest)
            assert (await _soon(inbox)).data == largest
        await bus.put(name, "key", largest)
        entry = await bus.get(name, "key")
        assert entry is not None
        assert entry.value == largest
        await bus.append(name, largest, item_id="1")
        async with bus.consume(name, "reader") as reader:
            assert (await _next(reader)).data == largest
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.publish(name, largest + b"!"),
            lambda: bus.put(name, "key", largest + b"!"),
            lambda: bus.append(name, largest + b"!", item_id="2"),
        ]
        for attempt in attempts:
            with _raises(InputError):
                await attempt()

    async def test_names_that_the_rules_forbid_are_refused(self, connect: Connect) -> None:
        bus = await connect()
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.publish("two words", b""),
            lambda: bus.publish("any.*", b""),
            lambda: bus.put("bucket", "no/slash", b""),
            lambda: bus.put("bucket", "", b""),
            lambda: bus.put("no bucket", "key", b""),
            lambda: bus.get("bucket", ".key"),
            lambda: bus.append("no>stream", b"", item_id="1"),
            lambda: bus.create_stream(StreamConfig(name="x" * 97, consumers=())),
        ]
        for attempt in attempts:
            with _raises(InputError):
                await attempt()

    # KeyValue

    async def test_an_absent_key_has_no_entry(self, connect: Connect) -> None:
        bus = await connect()
        assert await bus.get(_new(), "absent") is None
        assert await bus.keys(_new()) == ()

    async def test_a_key_keeps_its_newest_value_and_its_revision_grows(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        bucket = _new()
        first = await bus.put(bucket, "nodes.edge-1_a", b"old")
        await bus.put(bucket, "between", b"")
        second = await bus.put(bucket, "nodes.edge-1_a", b"new")
        assert 0 < first < second
        assert await other.get(bucket, "nodes.edge-1_a") == Entry("nodes.edge-1_a", b"new", second)

    async def test_an_empty_value_is_a_value(self, connect: Connect) -> None:
        bus = await connect()
        bucket = _new()
        revision = await bus.put(bucket, "key", b"")
        assert await bus.get(bucket, "key") == Entry("key", b"", revision)

    async def test_buckets_do_not_see_each_other(self, connect: Connect) -> None:
        bus = await connect()
        bucket = _new()
        await bus.put(bucket, "key", b"here")
        await bus.put(f"{bucket}.more", "key", b"there")
        entry = await bus.get(bucket, "key")
        assert entry is not None
        assert entry.value == b"here"
        assert await bus.get(f"{bucket}-2", "key") is None

    async def test_compare_and_set_takes_only_the_newest_revision(self, connect: Connect) -> None:
        bus = await connect()
        bucket = _new()
        first = await bus.put(bucket, "key", b"1")
        second = await bus.compare_and_set(bucket, "key", b"2", revision=first)
        assert second > first
        for wrong in (first, second + 1, 0):
            with _raises(ConflictError):
                await bus.compare_and_set(bucket, "key", b"3", revision=wrong)
        assert await bus.get(bucket, "key") == Entry("key", b"2", second)

    async def test_revision_zero_creates_an_absent_or_deleted_key(self, connect: Connect) -> None:
        bus = await connect()
        bucket = _new()
        await bus.compare_and_set(bucket, "key", b"1", revision=0)
        with _raises(ConflictError):
            await bus.compare_and_set(bucket, "key", b"2", revision=0)
        await bus.delete(bucket, "key")
        again = await bus.compare_and_set(bucket, "key", b"3", revision=0)
        assert await bus.get(bucket, "key") == Entry("key", b"3", again)

    async def test_a_revision_from_before_the_deletion_conflicts(self, connect: Connect) -> None:
        bus = await connect()
        bucket = _new()
        revision = await bus.put(bucket, "key", b"1")
        await bus.delete(bucket, "key")
        with _raises(ConflictError):
            await bus.compare_and_set(bucket, "key", b"2", revision=revision)
        assert await bus.get(bucket, "key") is None

    async def test_many_writers_with_compare_and_set_lose_no_update(self, connect: Connect) -> None:
        buses = [await connect() for _ in range(3)]
        bucket = _new()

        async def add_five(bus: Bus) -> None:
            done = 0
            while done < 5:
                entry = await bus.get(bucket, "sum")
                value, revision = (0, 0) if entry is None or entry.value is None else (int(entry.value), entry.revision)
                try:
                    await bus.compare_and_set(bucket, "sum", b"%d" % (value + 1), revision=revision)
                except ConflictError:
                    continue
                done += 1

        with anyio.fail_after(LIMIT_S):
            async with anyio.create_task_group() as group:
                for writer in range(9):
                    group.start_soon(add_five, buses[writer % 3])
        entry = await buses[0].get(bucket, "sum")
        assert entry is not None
        assert entry.value == b"45"

    async def test_deleting_an_absent_key_changes_nothing(self, connect: Connect) -> None:
        bus = await connect()
        bucket = _new()
        async with bus.watch(bucket) as watch:
            await bus.delete(bucket, "key")
            await bus.put(bucket, "key", b"1")
            await bus.delete(bucket, "key")
            await bus.delete(bucket, "key")
            await bus.put(bucket, "last", b"2")
            seen = [await _soon(watch) for _ in range(3)]
        assert [(entry.key, entry.value) for entry in seen] == [("key", b"1"), ("key", None), ("last", b"2")]

    async def test_keys_are_those_with_a_value_sorted(self, connect: Connect) -> None:
        bus = await connect()
        bucket = _new()
        for key in ("b", "a.z", "a", "gone"):
            await bus.put(bucket, key, b"1")
        await bus.delete(bucket, "gone")
        assert await bus.keys(bucket) == ("a", "a.z", "b")

    async def test_a_watch_shows_what_is_there_then_each_change(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        bucket = _new()
        await bus.put(bucket, "gone", b"0")
        await bus.put(bucket, "b", b"1")
        await bus.put(bucket, "a", b"2")
        await bus.put(bucket, "b", b"3")
        await bus.delete(bucket, "gone")
        async with other.watch(bucket) as watch:
            present = [await _soon(watch), await _soon(watch)]
            assert {entry.key: entry.value for entry in present} == {"a": b"2", "b": b"3"}
            await bus.put(bucket, "c", b"4")
            await bus.delete(bucket, "a")
            await bus.put(bucket, "a", b"5")
            changes = [await _soon(watch) for _ in range(3)]
        assert [(entry.key, entry.value) for entry in changes] == [("c", b"4"), ("a", None), ("a", b"5")]
        revisions = [entry.revision for entry in changes]
        assert revisions == sorted(revisions)
        assert revisions[0] > max(entry.revision for entry in present)

    async def test_a_watch_can_be_narrowed(self, connect: Connect) -> None:
        bus = await connect()
        bucket = _new()
        await bus.put(bucket, "nodes.a", b"1")
        await bus.put(bucket, "plan", b"1")
        async with bus.watch(bucket, "nodes.*") as nodes, bus.watch(bucket, "plan") as plan:
            await bus.put(bucket, "nodes.b.cpu", b"2")
            await bus.put(bucket, "plan", b"2")
            await bus.put(bucket, "nodes.c", b"2")
            assert [(await _soon(nodes)).key for _ in range(2)] == ["nodes.a", "nodes.c"]
            assert [(await _soon(plan)).value for _ in range(2)] == [b"1", b"2"]

    # Streams: appending

    async def test_creating_a_stream_again_does_nothing(self, connect: Connect) -> None:
        bus = await connect()
        config = StreamConfig(name=_new(), consumers=("one", "two"), capacity=7)
        await bus.create_stream(config)
        await bus.append(config.name, b"kept", item_id="1")
        await bus.create_stream(config)
        assert (await bus.stream_state(config.name)).kept == 1

    async def test_another_configuration_conflicts(self, connect: Connect) -> None:
        bus = await connect()
        name = _new()
        await bus.create_stream(StreamConfig(name=name, consumers=("one",), capacity=7))
        for other in (
            StreamConfig(name=name, consumers=("one",), capacity=8),
            StreamConfig(name=name, consumers=("one", "two"), capacity=7),
            StreamConfig(name=name, consumers=("one",), capacity=7, overflow="drop_oldest"),
            StreamConfig(name=name, consumers=("one",), capacity=7, ack_wait_s=3.0),
        ):
            with _raises(ConflictError):
                await bus.create_stream(other)

    async def test_sequences_count_from_one_and_an_id_is_stored_once(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await _stream(bus, capacity=3)
        acks = [await bus.append(name, b"x", item_id=item_id) for item_id in ("a", "b<a>/0", "c")]
        assert [(ack.sequence, ack.duplicate) for ack in acks] == [(1, False), (2, False), (3, False)]
        again = await other.append(name, b"x", item_id="b<a>/0")  # a full stream knows its duplicates too
        assert (again.sequence, again.duplicate) == (2, True)
        async with bus.consume(name, "reader") as reader:
            for _ in range(3):
                await (await _next(reader)).ack()
            await _consumer_until(bus, name, lambda state: state.in_flight == 0)
        again = await bus.append(name, b"x", item_id="a")  # and so does one whose readers are done
        assert (again.sequence, again.duplicate) == (1, True)
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept) == (3, 0)

    async def test_what_does_not_exist_is_not_found(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus)
        absent = _new()
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.append(absent, b"", item_id="1"),
            lambda: bus.stream_state(absent),
            lambda: bus.consumer_state(absent, "reader"),
            lambda: bus.consumer_state(name, "stranger"),
            lambda: _enter(bus, absent, "reader"),
            lambda: _enter(bus, name, "stranger"),
        ]
        for attempt in attempts:
            with _raises(NotFoundError):
                await attempt()

    async def test_a_stream_without_consumers_counts_and_keeps_nothing(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, consumers=(), capacity=2)
        for number in range(5):
            assert (await bus.append(name, b"x", item_id=str(number))).sequence == number + 1
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept, state.first_sequence, state.oldest_time_s) == (5, 0, 6, None)

    async def test_a_full_stream_refuses_and_takes_again_when_read(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, capacity=2)
        await _fill(bus, name, 2)
        with _raises(StreamFullError):
            await bus.append(name, b"refused", item_id="refused")
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept) == (2, 2)
        async with bus.consume(name, "reader") as reader:
            await (await _next(reader)).ack()
            await _consumer_until(bus, name, lambda state: state.acknowledged_floor == 1)
            ack = await bus.append(name, b"now", item_id="refused")
            assert (ack.sequence, ack.duplicate) == (3, False)
            assert [(await _next_acked(reader)) for _ in range(2)] == [(2, b"1"), (3, b"now")]

    async def test_drop_oldest_shows_as_gaps_in_the_sequence(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, capacity=3, overflow="drop_oldest")
        await _fill(bus, name, 10)
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept, state.first_sequence) == (10, 3, 8)
        async with bus.consume(name, "reader") as reader:
            got = [await _next_acked(reader) for _ in range(3)]
            assert got == [(8, b"7"), (9, b"8"), (10, b"9")]
            await bus.append(name, b"10", item_id="10")
            assert await _next_acked(reader) == (11, b"10")

    async def test_an_item_dropped_while_a_reader_has_it_can_still_be_acknowledged(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, capacity=2, overflow="drop_oldest")
        await _fill(bus, name, 2)
        async with bus.consume(name, "reader") as reader:
            held = await _next(reader)
            await bus.append(name, b"2", item_id="2")
            await bus.append(name, b"3", item_id="3")
            await held.ack()
            assert [await _next_acked(reader) for _ in range(2)] == [(3, b"2"), (4, b"3")]

    # Streams: reading

    async def test_nothing_published_before_a_reader_comes_is_lost(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await _stream(bus)
        await _fill(bus, name, 20)
        async with other.consume(name, "reader") as reader:
            assert [await _next_acked(reader) for _ in range(20)] == [(n + 1, b"%d" % n) for n in range(20)]

    async def test_a_reader_that_waits_is_woken(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await _stream(bus)
        async with other.consume(name, "reader") as reader:
            for number in range(50):
                await bus.append(name, b"%d" % number, item_id=str(number))
                assert await _next_acked(reader) == (number + 1, b"%d" % number)

    async def test_every_consumer_gets_every_item_and_it_leaves_with_the_last(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, consumers=("one", "two"))
        await _fill(bus, name, 3)
        async with bus.consume(name, "one") as reader:
            assert [(await _next_acked(reader))[0] for _ in range(3)] == [1, 2, 3]
        await _consumer_until(bus, name, lambda state: state.acknowledged_floor == 3, consumer="one")
        assert (await bus.stream_state(name)).kept == 3
        async with bus.consume(name, "two") as reader:
            assert [(await _next_acked(reader))[0] for _ in range(2)] == [1, 2]
        await _consumer_until(bus, name, lambda state: state.acknowledged_floor == 2, consumer="two")
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept, state.first_sequence) == (3, 1, 3)
        assert state.oldest_time_s is not None

    async def test_equal_readers_share_the_items(self, connect: Connect) -> None:
        buses = [await connect() for _ in range(3)]
        name = await _stream(buses[0], capacity=1000)
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
                await _fill(buses[0], name, 300)
        assert sorted(got, key=int) == [b"%d" % number for number in range(300)]

    async def test_at_most_prefetch_deliveries_are_open(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus)
        await _fill(bus, name, 5)
        async with bus.consume(name, "reader", prefetch=2) as reader:
            held = [await _next(reader), await _next(reader)]
            state = await bus.consumer_state(name, "reader")
            assert (state.pending, state.in_flight) == (3, 2)
            await held[0].ack()
            assert (await _next(reader)).sequence == 3
            state = await bus.consumer_state(name, "reader")
            assert (state.pending, state.in_flight) == (2, 2)

    async def test_acknowledging_is_idempotent(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus)
        await _fill(bus, name, 3)
        async with bus.consume(name, "reader", prefetch=2) as reader:
            delivery = await _next(reader)
            for _ in range(3):
                await delivery.ack()
            await delivery.nak()
            await delivery.in_progress()
            assert [(await _next_acked(reader))[0] for _ in range(2)] == [2, 3]
            state = await _consumer_until(bus, name, lambda state: state.in_flight == 0)
            assert (state.pending, state.acknowledged_floor, state.redelivered) == (0, 3, 0)

    async def test_nak_delivers_again_with_the_next_attempt(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, ack_wait_s=LONG_S)
        await _fill(bus, name, 1)
        async with bus.consume(name, "reader") as reader:
            for attempt in (1, 2, 3):
                delivery = await _next(reader)
                assert (delivery.sequence, delivery.attempt, delivery.data) == (1, attempt, b"0")
                await delivery.nak()
            await (await _next(reader)).ack()
            await _consumer_until(bus, name, lambda state: state.in_flight == 0)

    async def test_nak_with_a_delay_lets_others_pass(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, ack_wait_s=LONG_S)
        await _fill(bus, name, 3)
        async with bus.consume(name, "reader") as reader:
            await (await _next(reader)).nak(delay_s=SHORT_S)
            assert [(await _next_acked(reader))[0] for _ in range(3)] == [2, 3, 1]

    async def test_what_a_vanished_reader_had_is_delivered_again(self, connect: Connect) -> None:
        bus, dying = await connect(), await connect()
        name = await _stream(bus, ack_wait_s=SHORT_S)
        await _fill(bus, name, 2)
        async with dying.consume(name, "reader") as reader:
            assert (await _next(reader)).attempt == 1
            await dying.close()
        async with bus.consume(name, "reader", prefetch=2) as reader:
            attempts: dict[int, int] = {}
            for _ in range(2):
                delivery = await _next(reader)
                attempts[delivery.sequence] = delivery.attempt
                await delivery.ack()
            assert attempts == {1: 2, 2: 1}

    async def test_a_reader_that_leaves_gives_back_what_it_has_not_taken(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await _stream(bus, ack_wait_s=LONG_S)
        await _fill(bus, name, 4)
        async with other.consume(name, "reader", prefetch=4) as reader:
            taken = await _next(reader)
        await taken.ack()  # it may be finished after leaving
        async with bus.consume(name, "reader") as reader:
            assert [(await _next_acked(reader))[0] for _ in range(3)] == [2, 3, 4]

    async def test_in_progress_keeps_an_item(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = await _stream(bus, ack_wait_s=SHORT_S)
        await _fill(bus, name, 1)
        async with bus.consume(name, "reader") as slow, other.consume(name, "reader") as idle:
            delivery = await _next(slow)
            for _ in range(4):
                await anyio.sleep(SHORT_S / 2)
                await delivery.in_progress()
            await delivery.ack()
            await bus.append(name, b"next", item_id="next")
            first = await _first_of(slow, idle)
            assert (first.sequence, first.attempt) == (2, 1)

    async def test_what_waits_behind_a_slow_item_stays_with_its_reader(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, ack_wait_s=SHORT_S)
        await _fill(bus, name, 2)
        async with bus.consume(name, "reader", prefetch=2) as reader:
            delivery = await _next(reader)
            for _ in range(5):
                await anyio.sleep(SHORT_S / 2)
                await delivery.in_progress()
            await delivery.ack()
            behind = await _next(reader)
            assert (behind.sequence, behind.attempt) == (2, 1)

    async def test_an_unfinished_item_does_not_block_its_reader_for_ever(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, ack_wait_s=SHORT_S)
        await _fill(bus, name, 1)
        async with bus.consume(name, "reader") as reader:
            assert [(await _next(reader)).attempt for _ in range(2)] == [1, 2]

    async def test_anyone_can_give_back_for_the_dead(self, connect: Connect) -> None:
        bus, dying, agent = await connect(), await connect(), await connect()
        name = await _stream(bus, ack_wait_s=LONG_S)
        await _fill(bus, name, 1)
        async with dying.consume(name, "reader") as reader:
            token = (await _next(reader)).token
            await dying.close()
        assert token.isascii()
        async with bus.consume(name, "reader") as reader:
            await agent.give_back(token)
            delivery = await _next(reader)
            assert (delivery.sequence, delivery.attempt) == (1, 2)

    async def test_giving_back_what_is_acknowledged_does_nothing(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, ack_wait_s=LONG_S)
        await _fill(bus, name, 2)
        async with bus.consume(name, "reader") as reader:
            delivery = await _next(reader)
            await delivery.ack()
            await _consumer_until(bus, name, lambda state: state.acknowledged_floor == 1)
            await bus.give_back(delivery.token)
            assert (await _next(reader)).sequence == 2
            state = await bus.consumer_state(name, "reader")
            assert (state.pending, state.in_flight, state.redelivered) == (0, 1, 0)

    async def test_a_token_fits_255_characters(self, connect: Connect) -> None:
        bus = await connect()
        name = _new() + "." + "s" * 60
        await bus.create_stream(StreamConfig(name=name, consumers=("c" * 96,)))
        await bus.append(name, b"", item_id="1")
        async with bus.consume(name, "c" * 96) as reader:
            token = (await _next(reader)).token
        assert len(token) <= 255

    async def test_the_states_tell_what_happened(self, connect: Connect) -> None:
        bus = await connect()
        name = await _stream(bus, ack_wait_s=LONG_S)
        state = await bus.stream_state(name)
        assert (state.accepted, state.kept, state.first_sequence, state.oldest_time_s) == (0, 0, 1, None)
        await _fill(bus, name, 4)
        consumer = await bus.consumer_state(name, "reader")
        assert (consumer.pending, consumer.in_flight, consumer.acknowledged_floor) == (4, 0, 0)
        async with bus.consume(name, "reader", prefetch=3) as reader:
            first, second, third = [await _next(reader) for _ in range(3)]
            await second.ack()
            await _consumer_until(bus, name, lambda state: state.in_flight >= 2)
            assert (await bus.consumer_state(name, "reader")).acknowledged_floor == 0
            await first.ack()
            consumer = await _consumer_until(bus, name, lambda state: state.acknowledged_floor == 2)
            assert consumer.redelivered == 0
            await third.nak()
            again = [await _next(reader), await _next(reader)]
            assert sorted((item.sequence, item.attempt) for item in again) == [(3, 2), (4, 1)]
            consumer = await bus.consumer_state(name, "reader")
            assert (consumer.pending, consumer.in_flight, consumer.redelivered) == (0, 2, 1)
            state = await bus.stream_state(name)
            assert (state.accepted, state.kept, state.first_sequence) == (4, 2, 3)
            assert state.oldest_time_s is not None
            assert math.isfinite(state.oldest_time_s)


class DurableBusConformance(BusConformance):
    """For a bus whose server can die. Give the fixture `crash`, too: an async function that kills the server and
    starts it again on what it had stored."""

    async def test_no_accepted_item_is_lost_when_the_server_dies(self, connect: Connect, crash: Crash) -> None:
        writer, reader_bus = await connect(), await connect()
        name = await _stream(writer, capacity=10_000)
        accepted: list[bytes] = []
        got: list[bytes] = []
        finished = anyio.Event()

        async def write() -> None:
            for number in range(400):
                data = b"%d" % number
                await writer.append(name, data, item_id=str(number))
                accepted.append(data)
            finished.set()

        async def read(scope: anyio.CancelScope) -> None:
            async with reader_bus.consume(name, "reader", prefetch=4) as reader:
                async for delivery in reader:
                    got.append(delivery.data)
                    await delivery.ack()
                    if finished.is_set() and set(got) >= set(accepted):
                        scope.cancel()

        with anyio.fail_after(LIMIT_S):
            async with anyio.create_task_group() as group:
                group.start_soon(write)
                group.start_soon(read, group.cancel_scope)
                for _ in range(2):
                    before = len(accepted)
                    while len(accepted) < before + 20:
                        await anyio.sleep(0.001)
                    await crash()
        assert len(accepted) == 400
        assert set(got) == set(accepted)
        firsts = list(dict.fromkeys(got))
        assert firsts == sorted(firsts, key=int)
        assert (await writer.stream_state(name)).accepted == 400

    async def test_what_was_open_at_the_crash_can_be_finished_after_it(self, connect: Connect, crash: Crash) -> None:
        bus = await connect()
        name = await _stream(bus, ack_wait_s=SHORT_S)
        await _fill(bus, name, 3)
        async with bus.consume(name, "reader") as reader:
            held = await _next(reader)
            await crash()
            await held.ack()
            rest = {(await _next_acked(reader))[0] for _ in range(2)}
            assert rest >= {2}
        state = await bus.stream_state(name)
        assert state.accepted == 3

    async def test_a_waiting_reader_goes_on_by_itself(self, connect: Connect, crash: Crash) -> None:
        bus, other = await connect(), await connect()
        name = await _stream(bus)
        async with bus.consume(name, "reader") as reader:
            await crash()
            await other.append(name, b"after", item_id="after")
            assert await _next_acked(reader) == (1, b"after")

    async def test_full_streams_and_known_ids_survive(self, connect: Connect, crash: Crash) -> None:
        bus = await connect()
        name = await _stream(bus, capacity=2)
        await _fill(bus, name, 2)
        await crash()
        assert (await bus.append(name, b"1", item_id="1")).duplicate
        with _raises(StreamFullError):
            await bus.append(name, b"2", item_id="2")
        await bus.create_stream(StreamConfig(name=name, consumers=("reader",), capacity=2))

    async def test_keys_survive_and_a_watch_goes_on(self, connect: Connect, crash: Crash) -> None:
        bus, other = await connect(), await connect()
        bucket = _new()
        revision = await bus.put(bucket, "before", b"1")
        await bus.put(bucket, "deleted", b"1")
        await bus.delete(bucket, "deleted")
        async with other.watch(bucket) as watch:
            assert (await _soon(watch)).key == "before"
            await crash()
            assert await bus.get(bucket, "before") == Entry("before", b"1", revision)
            assert await bus.get(bucket, "deleted") is None
            newer = await bus.compare_and_set(bucket, "before", b"2", revision=revision)
            assert await _soon(watch) == Entry("before", b"2", newer)
            await bus.delete(bucket, "before")
            assert (await _soon(watch)).value is None
        assert await bus.keys(bucket) == ()

    async def test_subscriptions_come_back(self, connect: Connect, crash: Crash) -> None:
        bus, other = await connect(), await connect()
        subject = _new()
        async with bus.subscribe(subject) as inbox, anyio.create_task_group() as group:
            await crash()
            group.start_soon(_publish_until_heard, other, subject, group.cancel_scope)
            assert (await _soon(inbox)).data == b"again"
            group.cancel_scope.cancel()


def _new() -> str:
    return f"t{uuid.uuid4().hex[:16]}"


async def _stream(
    bus: Bus,
    *,
    consumers: tuple[str, ...] = ("reader",),
    capacity: int = 256,
    overflow: str = "reject",
    ack_wait_s: float = 2.0,
) -> str:
    name = _new()
    await bus.create_stream(
        StreamConfig(
            name=name,
            consumers=consumers,
            capacity=capacity,
            overflow="reject" if overflow == "reject" else "drop_oldest",
            ack_wait_s=ack_wait_s,
        )
    )
    return name


async def _fill(bus: Bus, stream: str, count: int) -> None:
    for number in range(count):
        await bus.append(stream, b"%d" % number, item_id=str(number))


async def _soon(values: AsyncIterator[Value]) -> Value:
    with anyio.fail_after(LIMIT_S):
        return await anext(values)


async def _next(reader: Consumer) -> Delivery:
    return await _soon(aiter(reader))


async def _next_acked(reader: Consumer) -> tuple[int, bytes]:
    delivery = await _next(reader)
    await delivery.ack()
    return delivery.sequence, delivery.data


async def _first_of(*readers: Consumer) -> Delivery:
    """The first delivery that any of them gets."""
    got: list[Delivery] = []

    async def take(reader: Consumer, scope: anyio.CancelScope) -> None:
        got.append(await _next(reader))
        scope.cancel()

    async with anyio.create_task_group() as group:
        for reader in readers:
            group.start_soon(take, reader, group.cancel_scope)
    return got[0]


async def _until(inbox: AsyncIterator[Message], last: bytes) -> list[bytes]:
    got: list[bytes] = []
    while not got or got[-1] != last:
        got.append((await _soon(inbox)).data)
    return got


async def _gather_data(inbox: AsyncIterator[Message], got: list[bytes], count: int, scope: anyio.CancelScope) -> None:
    with anyio.fail_after(LIMIT_S):
        async for message in inbox:
            got.append(message.data)
            if len(got) == count:
                scope.cancel()


async def _echo(bus: Bus, requests: AsyncIterator[Message]) -> None:
    async for message in requests:
        await bus.publish(message.reply, b"re:" + message.data)


async def _publish_until_heard(bus: Bus, subject: str, scope: anyio.CancelScope) -> None:
    """At-most-once messages may be lost around a crash; the subscription must not be."""
    while not scope.cancel_called:
        await bus.publish(subject, b"again")
        await anyio.sleep(0.02)


async def _expect_unavailable(source: AsyncIterator[object]) -> None:
    with _raises(UnavailableError):
        await anext(source)


async def _enter(bus: Bus, stream: str, consumer: str) -> None:
    async with bus.consume(stream, consumer):
        pass


async def _consumer_until(
    bus: Bus, stream: str, condition: Callable[[ConsumerState], bool], *, consumer: str = "reader"
) -> ConsumerState:
    """Acknowledgements are not confirmed: look until the server has processed them."""
    with anyio.fail_after(LIMIT_S):
        while True:
            state = await bus.consumer_state(stream, consumer)
            if condition(state):
                return state
            await anyio.sleep(0.002)


@contextmanager
def _raises(kind: type[Exception]) -> Generator[None]:
    """The body must raise `kind`, with a message for a person."""
    try:
        yield
    except kind as error:
        assert str(error), f"{kind.__name__} without a message"
        return
    raise AssertionError(f"{kind.__name__} was not raised")
