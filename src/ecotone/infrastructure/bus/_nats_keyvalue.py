"""Keys and values on JetStream, laid out as NATS' own key-value buckets are, so that its tools can read them.

Called by `_nats.NatsBus`. A bucket is a stream that keeps the newest message of each subject; a deleted key is a
message that says so. A watch is an ordered ephemeral consumer that is made anew, from where it was, whenever the
connection or the consumer is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from ecotone.core.errors import ConflictError, EcotoneError, NotFoundError, UnavailableError
from ecotone.infrastructure.bus._nats_feed import Feed
from ecotone.infrastructure.bus._nats_jetstream import (
    API_LIMIT_S,
    BUCKET_PREFIX,
    NO_RESPONDERS,
    ApiAnswer,
    ConsumerInfo,
    ask,
    nanoseconds,
    publish_acknowledged,
    remove,
    stream_names,
)
from ecotone.infrastructure.bus._nats_reader import place_of
from ecotone.infrastructure.bus._rules import check_key, check_name, check_pattern, check_payload
from ecotone.infrastructure.bus.interface import Entry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from ecotone.infrastructure.bus._nats_link import Link, Listener, Packet

__all__ = ["NatsKeyValue"]

_HEARTBEAT_S = 5.0
_SILENCE_LIMIT_S = 2.5 * _HEARTBEAT_S
_PAUSE_S = 0.1
_PATIENCE = 100  # pauses, while a bucket exists but does not answer
_DUPLICATE_WINDOW_S = 120.0
_OPERATION = "KV-Operation"
_MESSAGE_ID = "Nats-Msg-Id"
_DELETED = {"DEL", "PURGE"}


class NatsKeyValue:
    """`KeyValue` over one connection."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._buckets: set[str] = set()

    async def get(self, bucket: str, key: str) -> Entry | None:
        entry = await self._newest(bucket, check_key(key))
        return None if entry is None or entry.value is None else entry

    async def put(self, bucket: str, key: str, value: bytes) -> int:
        return await self._store(bucket, key, value, {})

    async def compare_and_set(self, bucket: str, key: str, value: bytes, *, revision: int) -> int:
        expected = revision
        if revision == 0:
            # A deleted key counts as absent, but the note of its deletion has a revision of its own.
            newest = await self._newest(bucket, check_key(key))
            if newest is not None:
                if newest.value is not None:
                    raise ConflictError(f"key '{key}' of bucket '{bucket}' exists; read it again and retry")
                expected = newest.revision
        return await self._store(bucket, key, value, _only_after(expected))

    async def delete(self, bucket: str, key: str) -> None:
        while (entry := await self.get(bucket, key)) is not None:
            with contextlib.suppress(ConflictError):  # it was changed meanwhile: that value goes too
                await self._store(bucket, key, b"", {_OPERATION: "DEL", **_only_after(entry.revision)})
                return

    async def keys(self, bucket: str) -> tuple[str, ...]:
        watch = _Watch(self._link, bucket, ">", headers_only=True)
        try:
            await watch.start()
            newest = {entry.key: entry.value for entry in await watch.present()}
            return tuple(sorted(key for key, value in newest.items() if value is not None))
        except NotFoundError:
            return ()
        finally:
            with anyio.CancelScope(shield=True):
                await watch.stop()

    @asynccontextmanager
    async def watch(self, bucket: str, key: str = ">") -> AsyncGenerator[AsyncIterator[Entry], None]:
        check_pattern(key)
        watch = _Watch(self._link, bucket, key, headers_only=False)
        try:
            await self._ensure(bucket)
            try:
                await watch.start()
            except NotFoundError:  # someone has removed it since we made sure
                self._buckets.discard(bucket)
                await self._ensure(bucket)
                await watch.start()
            yield watch
        finally:
            with anyio.CancelScope(shield=True):
                await watch.stop()

    async def buckets(self) -> tuple[str, ...]:
        names = [name for name in await stream_names(self._link) if name.startswith(BUCKET_PREFIX)]
        return tuple(sorted(name[len(BUCKET_PREFIX) :].replace("=", ".") for name in names))

    async def remove_bucket(self, bucket: str) -> None:
        self._buckets.discard(bucket)
        await remove(self._link, _stream(bucket), f"bucket '{bucket}'")

    async def _newest(self, bucket: str, key: str) -> Entry | None:
        packet = await self._newest_packet(bucket, key)
        if packet is None:
            return None
        deleted = packet.headers.get(_OPERATION) in _DELETED
        return Entry(key, None if deleted else packet.data, int(packet.headers["Nats-Sequence"]))

    async def _newest_packet(self, bucket: str, key: str) -> Packet | None:
        what = f"bucket '{bucket}'"
        subject = f"$JS.API.DIRECT.GET.{_stream(bucket)}.$KV.{_word(bucket)}.{key}"
        for _ in range(_PATIENCE):
            packet = await self._link.call(subject, timeout_s=API_LIMIT_S, repeat=True)
            if packet.status == "404":
                return None
            if packet.status == NO_RESPONDERS:
                # No such bucket, or the server has not read its files yet.
                self._buckets.discard(bucket)
                if not await self._exists(bucket):
                    return None
                await anyio.sleep(_PAUSE_S)
                continue
            if packet.status:
                raise UnavailableError(f"{what}: the bus says '{packet.headers.get('Description', packet.status)}'")
            return packet
        raise _silent(bucket)

    async def _store(self, bucket: str, key: str, value: bytes, headers: dict[str, str]) -> int:
        check_payload(value)
        subject = f"$KV.{_word(bucket)}.{check_key(key)}"
        # The id makes it harmless that a lost connection repeats the message.
        message_id = self._link.new_inbox()
        headers = {_MESSAGE_ID: message_id, **headers}
        what = f"key '{key}' of bucket '{bucket}'"
        for _ in range(_PATIENCE):
            await self._ensure(bucket)
            try:
                answer = await publish_acknowledged(
                    self._link, subject, value, what, headers=headers, timeout_s=API_LIMIT_S
                )
            except ConflictError:
                # JetStream compares revisions before ids, so a repeated message can be in conflict with itself.
                newest = await self._newest_packet(bucket, key)
                if newest is None or newest.headers.get(_MESSAGE_ID) != message_id:
                    raise
                return int(newest.headers["Nats-Sequence"])
            if answer is not None:
                return answer.seq
            self._buckets.discard(bucket)
            await anyio.sleep(_PAUSE_S)
        raise _silent(bucket)

    async def _exists(self, bucket: str) -> bool:
        try:
            await ask(self._link, f"STREAM.INFO.{_stream(bucket)}", f"bucket '{bucket}'", ApiAnswer)
        except NotFoundError:
            return False
        return True

    async def _ensure(self, bucket: str) -> None:
        if bucket in self._buckets:
            return
        wanted = {
            "name": _stream(bucket),
            "subjects": [f"$KV.{_word(bucket)}.>"],
            "storage": "file",
            "max_msgs_per_subject": 1,
            "discard": "new",
            "allow_direct": True,
            "allow_rollup_hdrs": True,
            "deny_delete": True,
            "duplicate_window": nanoseconds(_DUPLICATE_WINDOW_S),
        }
        with contextlib.suppress(ConflictError):  # made by other tools, with options of their own: good enough
            await ask(self._link, f"STREAM.CREATE.{_stream(bucket)}", f"bucket '{bucket}'", ApiAnswer, wanted)
        self._buckets.add(bucket)


class _Watch(Feed[Entry]):
    """Entries of a bucket as they are and as they change; between `start` and `stop` it holds a task of its own."""

    def __init__(self, link: Link, bucket: str, pattern: str, *, headers_only: bool) -> None:
        super().__init__(link, f"bucket '{bucket}'")
        self._stream = _stream(bucket)
        self._prefix = f"$KV.{_word(bucket)}."
        self._filter = self._prefix + pattern
        self._headers_only = headers_only
        self._now = asyncio.get_running_loop().time
        self._lost = asyncio.Event()
        self._round_inbox = ""
        self._delivered = 0  # of this round, as the server counts
        self._last_revision = 0
        self._complete = False  # whether all that was there at the start has come
        self._shown: set[str] = set()  # keys whose newest entry was handed on and has a value
        self._early: list[Packet] | None = None  # what came before the server's answer to the round's request
        self._heard_s = 0.0
        self._listener: Listener | None = None

    async def present(self) -> list[Entry]:
        """The entries that were there at the start."""
        while not self._complete:
            await self._wait()
        return list(self._values)

    async def start(self) -> None:
        self._link.on_reconnect(self, self._reconnected)
        await self._begin_round()
        self._work(self._follow())

    async def stop(self) -> None:
        await self.end()
        if self._listener is not None:
            await self._listener.stop()

    async def _reconnected(self) -> None:
        self._lost.set()

    async def _begin_round(self) -> None:
        """A new ordered consumer from the first revision that we have not seen."""
        if self._listener is not None:
            await self._listener.stop()
        self._round_inbox = self._link.new_inbox()
        self._delivered = 0
        self._early = []
        self._heard_s = self._now()
        self._listener = await self._link.listen(self._round_inbox, self._received)
        config: dict[str, object] = {
            "deliver_subject": self._round_inbox,
            "deliver_policy": "last_per_subject",
            "ack_policy": "none",
            "max_deliver": 1,
            "filter_subject": self._filter,
            "idle_heartbeat": nanoseconds(_HEARTBEAT_S),
            "mem_storage": True,
            "num_replicas": 1,
            "headers_only": self._headers_only,
        }
        if self._last_revision:
            config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": self._last_revision + 1}
        wanted = {"stream_name": self._stream, "config": config}
        info = await ask(self._link, f"CONSUMER.CREATE.{self._stream}", self._what, ConsumerInfo, wanted)
        if info.num_pending + info.delivered.consumer_seq == 0:
            self._complete = True
        early, self._early = self._early, None
        for packet in early:
            self._take(packet)
        self._changed.set()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HEARTBEAT_S):  # `wait_for` may lose a cancellation
                    await self._lost.wait()
            if self._link.closed:
                return
            if not self._lost.is_set() and self._now() - self._heard_s < _SILENCE_LIMIT_S:
                continue
            self._lost.clear()
            try:
                await self._begin_round()
            except NotFoundError as error:
                self._fail(error)
                return
            except EcotoneError:
                self._lost.set()
                await asyncio.sleep(_PAUSE_S)

    async def _received(self, packet: Packet) -> None:
        self._heard_s = self._now()
        if packet.status:
            return
        if self._early is not None:
            self._early.append(packet)
        else:
            self._take(packet)

    def _take(self, packet: Packet) -> None:
        place = place_of(packet.reply)
        if place.count != self._delivered + 1:
            self._lost.set()  # something between was lost on the way
            return
        self._delivered = place.count
        self._last_revision = place.sequence
        if place.pending == 0:
            self._complete = True
        key = packet.subject[len(self._prefix) :]
        if packet.headers.get(_OPERATION) not in _DELETED:
            self._shown.add(key)
            self._values.append(Entry(key, packet.data, place.sequence))
        elif key in self._shown:  # the end of a key that was never shown is no news
            self._shown.discard(key)
            self._values.append(Entry(key, None, place.sequence))
        self._changed.set()


def _only_after(revision: int) -> dict[str, str]:
    return {"Nats-Expected-Last-Subject-Sequence": str(revision)}


def _silent(bucket: str) -> UnavailableError:
    return UnavailableError(
        f"bucket '{bucket}' exists but does not answer; if the disk of the bus is full, free some space and restart "
        "the bus",
        retry_after_s=5.0,
    )


def _word(bucket: str) -> str:
    return check_name(bucket).replace(".", "=")


def _stream(bucket: str) -> str:
    return f"{BUCKET_PREFIX}{_word(bucket)}"
