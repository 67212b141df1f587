"""What a bus can do, as four small Protocols; `connect` in this package returns an object with all of them.

Called by agents, hosts, the controller and the session. Subjects are dot-separated words; `*` matches one word and a
final `>` matches the rest, as in NATS. Names of streams, consumers and buckets are up to 96 letters, digits, `-`, `_`
and single dots between them. Payloads are bytes of at most `MAX_PAYLOAD_BYTES`: larger things travel by reference.
What breaks these rules raises InputError. Every back-end translates its own errors to `ecotone.core.errors` and passes
`ecotone.testing.bus_conformance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

__all__ = [
    "BACKLOG",
    "MAX_PAYLOAD_BYTES",
    "Bus",
    "Consumer",
    "ConsumerState",
    "Delivery",
    "Entry",
    "KeyValue",
    "Message",
    "Messaging",
    "PublishAck",
    "Storage",
    "StreamConfig",
    "StreamState",
    "Streams",
]

MAX_PAYLOAD_BYTES = 1024 * 1024
BACKLOG = 65_536
"""A subscriber that falls further behind than so many messages loses the oldest."""


class Message(msgspec.Struct, frozen=True):
    """What a subscriber receives. `reply` is the subject that a responder publishes its answer to ("" when none)."""

    subject: str
    data: bytes
    reply: str = ""


class Messaging(Protocol):
    """At-most-once messages: fast, unordered between publishers, gone if nobody listens."""

    async def publish(self, subject: str, data: bytes) -> None:
        """Hand `data` to the bus. Returns before anyone has received it.

        Raises:
            UnavailableError: the bus is closed, or did not come back within its reconnect time.
        """
        ...

    def subscribe(self, subject: str, *, queue: str = "") -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Receive what is published on `subject` while the context is open, in order for each publisher.

        Everything published after the context was entered is seen. Subscribers with the same non-empty `queue`
        share the messages: each goes to one of them.
        """
        ...

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Publish and wait for the first reply.

        Raises:
            NotFoundError: nobody listens on `subject`.
            UnavailableError: no reply within `timeout_s`.
        """
        ...


class Entry(msgspec.Struct, frozen=True):
    """One key's newest value. `value` is None when the key was deleted; `revision` grows with every change."""

    key: str
    value: bytes | None
    revision: int


class KeyValue(Protocol):
    """Small durable values (wanted and seen state), compare-and-set, and watches. Keys: letters, digits, `-_.`."""

    async def get(self, bucket: str, key: str) -> Entry | None:
        """The newest entry, or None when the key is absent or deleted.

        An absent bucket has no keys. Asking does not make it; the first value or watch does.
        """
        ...

    async def put(self, bucket: str, key: str, value: bytes) -> int:
        """Set unconditionally; returns the new revision."""
        ...

    async def compare_and_set(self, bucket: str, key: str, value: bytes, *, revision: int) -> int:
        """Set only if the key's newest revision is still `revision` (0: the key must be absent or deleted).

        Raises:
            ConflictError: someone else was first.
        """
        ...

    async def delete(self, bucket: str, key: str) -> None:
        """Remove the key; deleting an absent key does nothing."""
        ...

    async def keys(self, bucket: str) -> tuple[str, ...]:
        """The keys that have a value, sorted."""
        ...

    def watch(self, bucket: str, key: str = ">") -> AbstractAsyncContextManager[AsyncIterator[Entry]]:
        """First every present entry that matches `key` (wildcards allowed), then each change as it comes.

        It tells where a key arrives, not each step of its way: a key that changes again at once, or while the
        connection is lost, may show its newest entry only.
        """
        ...


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A durable stream: the bounded output of one component.

    An item leaves the stream when every consumer has acknowledged it. `consumers` are the names of all consumers:
    they exist from the start, so that nothing published before they connect is lost; a stream without consumers keeps
    nothing but still counts. `capacity` is the largest number of items kept; when it is reached, `overflow`
    decides: `reject` refuses the publish (full means wait), `drop_oldest` discards the oldest item.
    `ack_wait_s`: an item delivered and neither acknowledged nor reported in progress for this long is delivered again.
    """

    name: str
    consumers: tuple[str, ...]
    capacity: int = 256
    overflow: Literal["reject", "drop_oldest"] = "reject"
    ack_wait_s: float = 2.0


class PublishAck(msgspec.Struct, frozen=True):
    """The stream has the item. `sequence` counts from 1 without gaps; `duplicate`: its id had been published before."""

    sequence: int
    duplicate: bool = False


class Delivery(Protocol):
    """One item handed to one consumer; it stays the stream's until acknowledged."""

    @property
    def data(self) -> bytes:
        """The payload."""
        ...

    @property
    def sequence(self) -> int:
        """Its place in the stream."""
        ...

    @property
    def attempt(self) -> int:
        """1 the first time it is delivered, then 2, 3, ... It counts deliveries, not failures: an item that was on its
        way to a reader which died or left counts too."""
        ...

    @property
    def token(self) -> str:
        """Names this delivery to `Streams.give_back`, from any process; at most 255 ASCII characters."""
        ...

    async def ack(self) -> None:
        """Done; never delivered again to this consumer. Idempotent. Lost only if the connection is."""
        ...

    async def nak(self, *, delay_s: float = 0.0) -> None:
        """Not done: deliver again, after `delay_s`."""
        ...

    async def in_progress(self) -> None:
        """Still working: starts `ack_wait_s` anew."""
        ...


class Consumer(Protocol):
    """One reader among the equal readers of a named consumer; an item goes to one of them at a time."""

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Deliveries in stream order (redeliveries may come late); ends when the consumer is closed."""
        ...


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """`accepted` counts every item ever stored (duplicates are not), `kept` those there now.

    `first_sequence` is that of the oldest kept item, or of the next one when nothing is kept. `oldest_time_s` is the
    wall time (seconds since the epoch) at which the oldest kept item was accepted, None when nothing is kept.
    """

    accepted: int
    kept: int
    first_sequence: int
    oldest_time_s: float | None


class ConsumerState(msgspec.Struct, frozen=True, kw_only=True):
    """`pending`: items not delivered yet; `in_flight`: delivered (perhaps given back since), not acknowledged.

    `acknowledged_floor`: every kept item up to this sequence is acknowledged. `redelivered`: items delivered more than
    once and not yet acknowledged.
    """

    pending: int
    in_flight: int
    acknowledged_floor: int
    redelivered: int


class Streams(Protocol):
    """Durable, ordered, bounded, at-least-once."""

    async def create_stream(self, config: StreamConfig) -> None:
        """Create the stream and its consumers; the same configuration again does nothing.

        Raises:
            ConflictError: it exists with another configuration.
        """
        ...

    async def append(self, stream: str, data: bytes, *, item_id: str) -> PublishAck:
        """Publish durably; returns when the stream has it. The same `item_id` again (within two minutes) is a
        duplicate and is not stored twice, unless the server crashed after the first had been read and acknowledged
        by all: then its id is forgotten, and readers must tell by the id.

        Raises:
            StreamFullError: the stream rejects because it is full; nothing was stored; try again later.
            NotFoundError: no such stream.
            UnavailableError: no acknowledgement in time; whether it was stored is unknown: append again with the
                same `item_id`.
        """
        ...

    def consume(self, stream: str, consumer: str, *, prefetch: int = 1) -> AbstractAsyncContextManager[Consumer]:
        """Read as one of the equal readers of `consumer`; at most `prefetch` deliveries are open at a time.

        Raises (on entering):
            NotFoundError: no such stream or consumer.
        """
        ...

    async def give_back(self, token: str) -> None:
        """Deliver again at once what a dead reader had open (on its behalf).

        The token of an acknowledged or dropped item does nothing. One of an item that has been delivered again
        meanwhile may have it delivered once more, as at-least-once allows.
        """
        ...

    async def stream_state(self, stream: str) -> StreamState:
        """Raises NotFoundError when there is no such stream."""
        ...

    async def consumer_state(self, stream: str, consumer: str) -> ConsumerState:
        """Raises NotFoundError when there is no such stream or consumer."""
        ...


class Storage(Protocol):
    """What the server holds, and its removal: for who tidies up after a run. Agents and hosts do not need it."""

    async def streams(self) -> tuple[str, ...]:
        """The names of all streams, sorted."""
        ...

    async def buckets(self) -> tuple[str, ...]:
        """The names of all buckets, sorted."""
        ...

    async def remove_stream(self, stream: str) -> None:
        """Remove the stream with its items and consumers; removing an absent one does nothing.

        Who waits for its items gets a NotFoundError, as does every later use.
        """
        ...

    async def remove_bucket(self, bucket: str) -> None:
        """Remove the bucket with all its keys; removing an absent one does nothing.

        A value or a watch makes it anew, and empty. A watch that is open raises NotFoundError, within 15 seconds.
        """
        ...


class Bus(Messaging, KeyValue, Streams, Storage, Protocol):
    """All four over one connection."""

    async def close(self) -> None:
        """Flush what was published and disconnect; what comes after raises `UnavailableError`. Idempotent."""
        ...
