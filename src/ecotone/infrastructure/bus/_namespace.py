"""A part of a server of its own: every subject, stream and bucket gets the namespace in front of its name.

Made by `connect` when the URL has a namespace, so that runs on one operator's server are kept apart; the bundled
server has one run, and no use for it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from ecotone.infrastructure.bus._rules import check_name, check_pattern, check_subject
from ecotone.infrastructure.bus.interface import Message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from ecotone.infrastructure.bus.interface import (
        Bus,
        Consumer,
        ConsumerState,
        Entry,
        PublishAck,
        StreamConfig,
        StreamState,
    )

__all__ = ["NamespacedBus"]

_REPLIES = "_INBOX."  # subjects of replies are nobody else's anyway, and who replies has them from the message


class NamespacedBus:
    """`Bus` in a namespace of another one.

    Args:
        bus: is closed with this one.
        namespace: letters, digits and `-`; so no namespace with the `_` behind it begins with another one's.
    """

    def __init__(self, bus: Bus, namespace: str) -> None:
        self._bus = bus
        self._prefix = f"{namespace}_"
        self._root = f"{namespace}."

    async def remove_everything(self) -> None:
        """Remove all streams and buckets of the namespace, also those that others made in it."""
        while True:  # until nobody writes any more
            streams, buckets = await self.streams(), await self.buckets()
            if not streams and not buckets:
                return
            for stream in streams:
                await self.remove_stream(stream)
            for bucket in buckets:
                await self.remove_bucket(bucket)

    async def close(self) -> None:
        await self._bus.close()

    # Messaging

    async def publish(self, subject: str, data: bytes) -> None:
        await self._bus.publish(subject if subject.startswith(_REPLIES) else self._subject(subject), data)

    @asynccontextmanager
    async def subscribe(self, subject: str, *, queue: str = "") -> AsyncGenerator[AsyncIterator[Message], None]:
        async with self._bus.subscribe(self._root + check_pattern(subject), queue=queue) as messages:
            yield _Inbox(messages, len(self._root))

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        return await self._bus.request(self._subject(subject), data, timeout_s=timeout_s)

    # KeyValue

    async def get(self, bucket: str, key: str) -> Entry | None:
        return await self._bus.get(self._name(bucket), key)

    async def put(self, bucket: str, key: str, value: bytes) -> int:
        return await self._bus.put(self._name(bucket), key, value)

    async def compare_and_set(self, bucket: str, key: str, value: bytes, *, revision: int) -> int:
        return await self._bus.compare_and_set(self._name(bucket), key, value, revision=revision)

    async def delete(self, bucket: str, key: str) -> None:
        await self._bus.delete(self._name(bucket), key)

    async def keys(self, bucket: str) -> tuple[str, ...]:
        return await self._bus.keys(self._name(bucket))

    def watch(self, bucket: str, key: str = ">") -> AbstractAsyncContextManager[AsyncIterator[Entry]]:
        return self._bus.watch(self._name(bucket), key)

    # Streams

    async def create_stream(self, config: StreamConfig) -> None:
        await self._bus.create_stream(msgspec.structs.replace(config, name=self._name(config.name)))

    async def append(self, stream: str, data: bytes, *, item_id: str) -> PublishAck:
        return await self._bus.append(self._name(stream), data, item_id=item_id)

    def consume(self, stream: str, consumer: str, *, prefetch: int = 1) -> AbstractAsyncContextManager[Consumer]:
        return self._bus.consume(self._name(stream), consumer, prefetch=prefetch)

    async def give_back(self, token: str) -> None:
        await self._bus.give_back(token)  # it names the stream as the server does

    async def stream_state(self, stream: str) -> StreamState:
        return await self._bus.stream_state(self._name(stream))

    async def consumer_state(self, stream: str, consumer: str) -> ConsumerState:
        return await self._bus.consumer_state(self._name(stream), consumer)

    # Storage

    async def streams(self) -> tuple[str, ...]:
        return self._own(await self._bus.streams())

    async def buckets(self) -> tuple[str, ...]:
        return self._own(await self._bus.buckets())

    async def remove_stream(self, stream: str) -> None:
        await self._bus.remove_stream(self._name(stream))

    async def remove_bucket(self, bucket: str) -> None:
        await self._bus.remove_bucket(self._name(bucket))

    def _subject(self, subject: str) -> str:
        return self._root + check_subject(subject)

    def _name(self, name: str) -> str:
        return self._prefix + check_name(name)

    def _own(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix))


class _Inbox:
    """Messages with the subjects that their readers know."""

    def __init__(self, messages: AsyncIterator[Message], skip: int) -> None:
        self._messages = messages
        self._skip = skip

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        message = await anext(self._messages)
        return Message(message.subject[self._skip :], message.data, message.reply)
