"""Steps and limits that the tests of `bus_conformance` share."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio

from ecotone.core.errors import UnavailableError
from ecotone.infrastructure.bus.interface import StreamConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator

    from ecotone.infrastructure.bus.interface import Bus, Consumer, ConsumerState, Delivery, Message

    Connect = Callable[[], Awaitable[Bus]]
    Crash = Callable[[], Awaitable[None]]

LIMIT_S = 20.0
"""Longer than any promise needs; a test that waits so long fails."""
SHORT_S = 0.3
LONG_S = 60.0

Value = TypeVar("Value")


def new_name() -> str:
    return f"t{uuid.uuid4().hex[:16]}"


async def new_stream(
    bus: Bus,
    *,
    consumers: tuple[str, ...] = ("reader",),
    capacity: int = 256,
    overflow: str = "reject",
    ack_wait_s: float = 2.0,
) -> str:
    name = new_name()
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


async def fill(bus: Bus, stream: str, count: int) -> None:
    for number in range(count):
        await bus.append(stream, b"%d" % number, item_id=str(number))


async def soon(values: AsyncIterator[Value]) -> Value:
    with anyio.fail_after(LIMIT_S):
        return await anext(values)


async def next_of(reader: Consumer) -> Delivery:
    return await soon(aiter(reader))


async def next_acked(reader: Consumer) -> tuple[int, bytes]:
    delivery = await next_of(reader)
    await delivery.ack()
    return delivery.sequence, delivery.data


async def first_of(*readers: Consumer) -> Delivery:
    """The first delivery that any of them gets."""
    got: list[Delivery] = []

    async def take(reader: Consumer, scope: anyio.CancelScope) -> None:
        got.append(await next_of(reader))
        scope.cancel()

    async with anyio.create_task_group() as group:
        for reader in readers:
            group.start_soon(take, reader, group.cancel_scope)
    return got[0]


async def data_until(inbox: AsyncIterator[Message], last: bytes) -> list[bytes]:
    got: list[bytes] = []
    while not got or got[-1] != last:
        got.append((await soon(inbox)).data)
    return got


async def gather_data(inbox: AsyncIterator[Message], got: list[bytes], count: int, scope: anyio.CancelScope) -> None:
    with anyio.fail_after(LIMIT_S):
        async for message in inbox:
            got.append(message.data)
            if len(got) == count:
                scope.cancel()


async def echo(bus: Bus, requests: AsyncIterator[Message]) -> None:
    async for message in requests:
        await bus.publish(message.reply, b"re:" + message.data)


async def publish_until_heard(bus: Bus, subject: str, scope: anyio.CancelScope) -> None:
    """At-most-once messages may be lost around a crash; the subscription must not be."""
    while not scope.cancel_called:
        await bus.publish(subject, b"again")
        await anyio.sleep(0.02)


async def expect_unavailable(source: AsyncIterator[object]) -> None:
    with anyio.fail_after(LIMIT_S), raises(UnavailableError):
        await anext(source)


async def enter(bus: Bus, stream: str, consumer: str) -> None:
    async with bus.consume(stream, consumer):
        pass


async def consumer_until(
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
def raises(kind: type[Exception]) -> Generator[None]:
    """The body must raise `kind`, with a message for a person."""
    try:
        yield
    except kind as error:
        assert str(error), f"{kind.__name__} without a message"
        return
    raise AssertionError(f"{kind.__name__} was not raised")
