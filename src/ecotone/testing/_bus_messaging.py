"""Conformance of `Messaging`, and of the rules for everything on a bus. Part of `bus_conformance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from ecotone.core.errors import InputError, NotFoundError, UnavailableError
from ecotone.infrastructure.bus.interface import MAX_PAYLOAD_BYTES, StreamConfig
from ecotone.testing._bus_steps import (
    LIMIT_S,
    LONG_S,
    data_until,
    echo,
    expect_unavailable,
    gather_data,
    new_name,
    next_of,
    raises,
    soon,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ecotone.testing._bus_steps import Connect

__all__ = ["MessagingConformance"]


class MessagingConformance:
    """Messages, requests, closing, limits."""

    async def test_a_message_reaches_every_subscriber_of_its_subject(self, connect: Connect) -> None:
        one, other = await connect(), await connect()
        subject = new_name()
        async with one.subscribe(subject) as first, other.subscribe(subject) as second:
            await one.publish(subject, b"hello")
            for inbox in (first, second):
                message = await soon(inbox)
                assert (message.subject, message.data, message.reply) == (subject, b"hello", "")

    async def test_star_matches_one_word_and_greater_the_rest(self, connect: Connect) -> None:
        bus = await connect()
        root = new_name()
        async with (
            bus.subscribe(f"{root}.*.end") as star,
            bus.subscribe(f"{root}.>") as rest,
            bus.subscribe(f"{root}.a.end") as exact,
        ):
            for words in ("a.end", "b.end", "a.b.end", "a"):
                await bus.publish(f"{root}.{words}", words.encode())
            await bus.publish(root, b"root")
            await bus.publish(f"{root}.c.end", b"last")
            assert await data_until(star, b"last") == [b"a.end", b"b.end", b"last"]
            assert await data_until(rest, b"last") == [b"a.end", b"b.end", b"a.b.end", b"a", b"last"]
            assert (await soon(exact)).data == b"a.end"

    async def test_one_publisher_is_heard_in_order(self, connect: Connect) -> None:
        sender, receiver = await connect(), await connect()
        subject = new_name()
        async with receiver.subscribe(subject) as inbox:
            for number in range(200):
                await sender.publish(subject, b"%d" % number)
            assert [(await soon(inbox)).data for _ in range(200)] == [b"%d" % number for number in range(200)]

    async def test_all_that_is_published_after_entering_is_seen(self, connect: Connect) -> None:
        sender, receiver = await connect(), await connect()
        for _ in range(10):
            subject = new_name()
            async with receiver.subscribe(subject) as inbox:
                await sender.publish(subject, b"at once")
                assert (await soon(inbox)).data == b"at once"

    async def test_a_queue_gives_each_message_to_one_of_its_members(self, connect: Connect) -> None:
        sender, worker = await connect(), await connect()
        subject = new_name()
        async with (
            worker.subscribe(subject, queue="workers") as first,
            sender.subscribe(subject, queue="workers") as second,
            sender.subscribe(subject) as everything,
        ):
            numbers = [b"%d" % number for number in range(60)]
            for number in numbers:
                await sender.publish(subject, number)
            assert [(await soon(everything)).data for _ in numbers] == numbers
            got: list[bytes] = []
            async with anyio.create_task_group() as group:
                for inbox in (first, second):
                    group.start_soon(gather_data, inbox, got, len(numbers), group.cancel_scope)
            assert sorted(got) == sorted(numbers)

    async def test_who_has_left_hears_nothing(self, connect: Connect) -> None:
        bus = await connect()
        subject = new_name()
        async with bus.subscribe(subject):
            pass
        with raises(NotFoundError):
            await bus.request(subject, b"", timeout_s=LIMIT_S)

    async def test_a_request_gets_its_reply(self, connect: Connect) -> None:
        client, service = await connect(), await connect()
        subject = new_name()
        async with service.subscribe(subject) as requests, anyio.create_task_group() as group:
            group.start_soon(echo, service, requests)
            replies = [await client.request(subject, b"%d" % number, timeout_s=LIMIT_S) for number in range(20)]
            assert replies == [b"re:%d" % number for number in range(20)]
            group.cancel_scope.cancel()

    async def test_concurrent_requests_get_their_own_replies(self, connect: Connect) -> None:
        client, service = await connect(), await connect()
        subject = new_name()
        replies: dict[int, bytes] = {}

        async def ask(number: int) -> None:
            replies[number] = await client.request(subject, b"%d" % number, timeout_s=LIMIT_S)

        async with service.subscribe(subject) as requests, anyio.create_task_group() as group:
            group.start_soon(echo, service, requests)
            async with anyio.create_task_group() as asking:
                for number in range(30):
                    asking.start_soon(ask, number)
            group.cancel_scope.cancel()
        assert replies == {number: b"re:%d" % number for number in range(30)}

    async def test_a_request_that_nobody_hears_says_so_at_once(self, connect: Connect) -> None:
        bus = await connect()
        with anyio.fail_after(LIMIT_S), raises(NotFoundError):
            await bus.request(new_name(), b"", timeout_s=LONG_S)

    async def test_a_request_that_nobody_answers_times_out(self, connect: Connect) -> None:
        bus = await connect()
        subject = new_name()
        async with bus.subscribe(subject):
            with raises(UnavailableError):
                await bus.request(subject, b"", timeout_s=0.05)

    # Rules for all

    async def test_a_closed_bus_refuses_everything(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = new_name()
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
            lambda: bus.create_stream(StreamConfig(name=new_name(), consumers=())),
        ]
        for attempt in attempts:
            with raises(UnavailableError):
                await attempt()
        with raises(UnavailableError):
            async with bus.consume(name, "reader"):
                pass

    async def test_who_waits_when_the_bus_is_closed_learns_it(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        name = new_name()
        await other.create_stream(StreamConfig(name=name, consumers=("reader",)))
        async with (
            bus.subscribe(name) as inbox,
            bus.watch(name) as watch,
            bus.consume(name, "reader") as reader,
            anyio.create_task_group() as group,
        ):
            for source in (inbox, watch, aiter(reader)):
                group.start_soon(expect_unavailable, source)
            await anyio.lowlevel.checkpoint()
            await bus.close()

    async def test_what_was_published_before_closing_arrives(self, connect: Connect) -> None:
        sender, receiver = await connect(), await connect()
        subject = new_name()
        async with receiver.subscribe(subject) as inbox:
            for number in range(50):
                await sender.publish(subject, b"%d" % number)
            await sender.close()
            assert [(await soon(inbox)).data for _ in range(50)] == [b"%d" % number for number in range(50)]

    async def test_the_largest_payload_travels_and_a_larger_one_does_not(self, connect: Connect) -> None:
        bus = await connect()
        name = new_name()
        largest = bytes(MAX_PAYLOAD_BYTES)
        await bus.create_stream(StreamConfig(name=name, consumers=("reader",)))
        async with bus.subscribe(name) as inbox:
            await bus.publish(name, largest)
            assert (await soon(inbox)).data == largest
        await bus.put(name, "key", largest)
        entry = await bus.get(name, "key")
        assert entry is not None
        assert entry.value == largest
        await bus.append(name, largest, item_id="1")
        async with bus.consume(name, "reader") as reader:
            assert (await next_of(reader)).data == largest
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.publish(name, largest + b"!"),
            lambda: bus.put(name, "key", largest + b"!"),
            lambda: bus.append(name, largest + b"!", item_id="2"),
        ]
        for attempt in attempts:
            with raises(InputError):
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
            with raises(InputError):
                await attempt()
