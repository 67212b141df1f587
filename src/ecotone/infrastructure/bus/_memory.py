"""`Bus` inside one process: real streams, keys and messages without a server, for tests and the simulator.

Called by tests, by the simulator and by `run --inline`. Written to anyio's API and its clock, so it runs on asyncio
and trio and in virtual time. `MemoryServer` holds what is shared; each `connect()` gives one more connection to it.
"""

from __future__ import annotations

import itertools
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
import msgspec
from anyio.lowlevel import checkpoint

from ecotone.core.clock import SYSTEM_CLOCK
from ecotone.core.errors import ConflictError, NotFoundError, UnavailableError
from ecotone.infrastructure.bus._memory_reader import Reader, Signal, Stream
from ecotone.infrastructure.bus._rules import (
    check_key,
    check_name,
    check_pattern,
    check_payload,
    check_subject,
    matches,
)
from ecotone.infrastructure.bus.interface import BACKLOG, Entry, Message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from ecotone.core.clock import Clock
    from ecotone.infrastructure.bus.interface import (
        Consumer,
        ConsumerState,
        PublishAck,
        StreamConfig,
        StreamState,
    )

__all__ = ["MemoryBus", "MemoryServer"]

Value = TypeVar("Value")


class _Inbox(Generic[Value]):
    """What one subscription or watch has received and nobody has taken yet; ends with its connection."""

    def __init__(self, bus: MemoryBus, pattern: str, queue: str = "", limit: int | None = None) -> None:
        self.pattern = pattern
        self.queue = queue
        self.signal = Signal()
        self._bus = bus
        self._values: deque[Value] = deque(maxlen=limit)
        self._ended = False
        self._failure: NotFoundError | None = None

    def __aiter__(self) -> AsyncIterator[Value]:
        return self

    async def __anext__(self) -> Value:
        await checkpoint()
        while not self._values:
            if self._ended:
                raise StopAsyncIteration
            if self._failure is not None:
                raise self._failure
            self._bus.check_open()
            await self.signal.wait()
        return self._values.popleft()

    def put(self, value: Value) -> None:
        self._values.append(value)
        self.signal.send()

    def end(self) -> None:
        self._ended = True
        self.signal.send()

    def fail(self, error: NotFoundError) -> None:
        self._failure = error
        self.signal.send()


class _Bucket:
    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.watches: list[_Inbox[Entry]] = []
        self.revision = 0

    def store(self, key: str, value: bytes | None) -> int:
        self.revision += 1
        entry = Entry(key, value, self.revision)
        self.entries[key] = entry
        for watch in self.watches:
            if matches(watch.pattern, key):
                watch.put(entry)
        return self.revision


class MemoryServer:
    """What a NATS server would hold. `clock` gives the wall time of accepted items; durations are anyio's."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._inboxes: list[_Inbox[Message]] = []
        self._turns: dict[str, int] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._streams: dict[str, Stream] = {}
        self._reply_numbers = itertools.count()

    def connect(self) -> MemoryBus:
        """One more connection."""
        return MemoryBus(self)

    def wall_s(self) -> float:
        return self._clock.wall_s()

    def new_reply_subject(self) -> str:
        return f"_INBOX.{next(self._reply_numbers)}"

    def add_inbox(self, inbox: _Inbox[Message]) -> None:
        self._inboxes.append(inbox)

    def remove_inbox(self, inbox: _Inbox[Message]) -> None:
        if inbox in self._inboxes:
            self._inboxes.remove(inbox)

    def deliver(self, message: Message) -> int:
        """To each listener, and to one of each queue in turn; returns to how many."""
        queues: dict[str, list[_Inbox[Message]]] = {}
        count = 0
        for inbox in self._inboxes:
            if not matches(inbox.pattern, message.subject):
                continue
            if inbox.queue:
                queues.setdefault(inbox.queue, []).append(inbox)
            else:
                inbox.put(message)
                count += 1
        for queue, members in queues.items():
            turn = self._turns.get(queue, 0)
            self._turns[queue] = turn + 1
            members[turn % len(members)].put(message)
        return count + len(queues)

    def bucket(self, name: str) -> _Bucket:
        """The bucket, made if it is absent."""
        return self._buckets.setdefault(check_name(name), _Bucket())

    def entries(self, bucket: str) -> Mapping[str, Entry]:
        """What the bucket holds; it is not made."""
        held = self._buckets.get(check_name(bucket))
        return held.entries if held is not None else {}

    def create_stream(self, config: StreamConfig) -> None:
        for name in (config.name, *config.consumers):
            check_name(name)
        existing = self._streams.setdefault(config.name, Stream(config)).log.config
        if _in_order(existing) != _in_order(config):
            raise ConflictError(f"stream '{config.name}' exists with another configuration")

    def stream(self, name: str) -> Stream:
        stream = self._streams.get(check_name(name))
        if stream is None:
            raise NotFoundError(f"there is no stream '{name}'")
        return stream

    def streams(self) -> tuple[str, ...]:
        return tuple(sorted(self._streams))

    def buckets(self) -> tuple[str, ...]:
        return tuple(sorted(self._buckets))

    def remove_stream(self, name: str) -> None:
        stream = self._streams.pop(check_name(name), None)
        if stream is not None:
            stream.removed = True
            stream.signal.send()

    def remove_bucket(self, name: str) -> None:
        bucket = self._buckets.pop(check_name(name), None)
        for watch in bucket.watches if bucket is not None else ():
            watch.fail(NotFoundError(f"bucket '{name}' was removed"))


def _in_order(config: StreamConfig) -> StreamConfig:
    return msgspec.structs.replace(config, consumers=tuple(sorted(config.consumers)))


class MemoryBus:
    """One connection to a `MemoryServer`."""

    def __init__(self, server: MemoryServer) -> None:
        self._server = server
        self._closed = False
        self._signals: set[Signal] = set()
        self._inboxes: list[_Inbox[Message]] = []

    def check_open(self) -> None:
        """Raises UnavailableError once the bus is closed."""
        if self._closed:
            raise UnavailableError("the connection to the bus is closed")

    async def close(self) -> None:
        await checkpoint()
        self._closed = True
        for inbox in self._inboxes:
            self._server.remove_inbox(inbox)
        for signal in self._signals:
            signal.send()

    # Messaging

    async def publish(self, subject: str, data: bytes) -> None:
        check_payload(data)
        await self._step()
        self._server.deliver(Message(check_subject(subject), data))

    @asynccontextmanager
    async def subscribe(self, subject: str, *, queue: str = "") -> AsyncGenerator[AsyncIterator[Message], None]:
        await self._step()
        inbox: _Inbox[Message] = _Inbox(self, check_pattern(subject), queue, BACKLOG)
        self._server.add_inbox(inbox)
        self._inboxes.append(inbox)
        self._signals.add(inbox.signal)
        try:
            yield inbox
        finally:
            self._signals.discard(inbox.signal)
            self._inboxes.remove(inbox)
            self._server.remove_inbox(inbox)
            inbox.end()

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        check_payload(data)
        check_subject(subject)
        reply = self._server.new_reply_subject()
        async with self.subscribe(reply) as replies:
            if not self._server.deliver(Message(subject, data, reply)):
                raise NotFoundError(f"nobody listens on '{subject}'")
            with anyio.move_on_after(timeout_s):
                return (await anext(replies)).data
        raise UnavailableError(f"no reply on '{subject}' within {timeout_s:g} s", retry_after_s=1.0)

    # KeyValue

    async def get(self, bucket: str, key: str) -> Entry | None:
        await self._step()
        entry = self._server.entries(bucket).get(check_key(key))
        return None if entry is None or entry.value is None else entry

    async def put(self, bucket: str, key: str, value: bytes) -> int:
        check_payload(value)
        await self._step()
        return self._server.bucket(bucket).store(check_key(key), value)

    async def compare_and_set(self, bucket: str, key: str, value: bytes, *, revision: int) -> int:
        check_payload(value)
        await self._step()
        held = self._server.bucket(bucket)
        newest = held.entries.get(check_key(key))
        absent = newest is None or newest.value is None
        if not (newest is not None and newest.revision == revision) and not (absent and revision == 0):
            raise ConflictError(f"key '{key}' of bucket '{bucket}' was changed; read it again and retry")
        return held.store(key, value)

    async def delete(self, bucket: str, key: str) -> None:
        if await self.get(bucket, key) is not None:
            self._server.bucket(bucket).store(key, None)

    async def keys(self, bucket: str) -> tuple[str, ...]:
        await self._step()
        entries = self._server.entries(bucket)
        return tuple(sorted(key for key, entry in entries.items() if entry.value is not None))

    @asynccontextmanager
    async def watch(self, bucket: str, key: str = ">") -> AsyncGenerator[AsyncIterator[Entry], None]:
        await self._step()
        held = self._server.bucket(bucket)
        inbox: _Inbox[Entry] = _Inbox(self, check_pattern(key))
        for entry in sorted(held.entries.values(), key=lambda entry: entry.revision):
            if entry.value is not None and matches(key, entry.key):
                inbox.put(entry)
        held.watches.append(inbox)
        self._signals.add(inbox.signal)
        try:
            yield inbox
        finally:
            self._signals.discard(inbox.signal)
            held.watches.remove(inbox)
            inbox.end()

    # Streams

    async def create_stream(self, config: StreamConfig) -> None:
        await self._step()
        self._server.create_stream(config)

    async def append(self, stream: str, data: bytes, *, item_id: str) -> PublishAck:
        check_payload(data)
        await self._step()
        held = self._server.stream(stream)
        ack = held.log.append(data, item_id, now_s=anyio.current_time(), wall_s=self._server.wall_s())
        held.signal.send()
        return ack

    @asynccontextmanager
    async def consume(self, stream: str, consumer: str, *, prefetch: int = 1) -> AsyncGenerator[Consumer, None]:
        assert prefetch >= 1, "prefetch counts deliveries and is at least 1"
        await self._step()
        held = self._server.stream(stream)
        held.log.consumer_state(consumer)  # raises if there is none
        reader = Reader(self.check_open, held, consumer, prefetch)
        self._signals.add(held.signal)
        try:
            yield reader
        finally:
            reader.end()

    async def give_back(self, token: str) -> None:
        await self._step()
        stream, consumer, sequence, number = token.split("/")
        held = self._server.stream(stream)
        if held.log.postpone(consumer, int(sequence), int(number), due_s=anyio.current_time()):
            held.signal.send()

    async def stream_state(self, stream: str) -> StreamState:
        await self._step()
        return self._server.stream(stream).log.state()

    async def consumer_state(self, stream: str, consumer: str) -> ConsumerState:
        await self._step()
        return self._server.stream(stream).log.consumer_state(consumer)

    # Storage

    async def streams(self) -> tuple[str, ...]:
        await self._step()
        return self._server.streams()

    async def buckets(self) -> tuple[str, ...]:
        await self._step()
        return self._server.buckets()

    async def remove_stream(self, stream: str) -> None:
        await self._step()
        self._server.remove_stream(stream)

    async def remove_bucket(self, bucket: str) -> None:
        await self._step()
        self._server.remove_bucket(bucket)

    async def _step(self) -> None:
        """Let others run, as a real connection would; what follows happens at once."""
        self.check_open()
        await checkpoint()
        self.check_open()
