"""Durable streams on JetStream: `append`, the states, and creation. Reading is in `_nats_reader`.

Called by `_nats.NatsBus`. A stream is a JetStream stream with interest retention on files; each consumer is a durable
pull consumer that exists from the start. With interest retention JetStream removes an item once all consumers have
acknowledged it, and keeps nothing (but counts) when there are none.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from ecotone.core.errors import NotFoundError, UnavailableError
from ecotone.infrastructure.bus._nats_jetstream import (
    BUCKET_PREFIX,
    ApiAnswer,
    ConsumerInfo,
    StreamInfo,
    ask,
    nanoseconds,
    publish_acknowledged,
    remove,
    stream_names,
)
from ecotone.infrastructure.bus._nats_reader import Reader
from ecotone.infrastructure.bus._rules import check_name, check_payload
from ecotone.infrastructure.bus.interface import ConsumerState, PublishAck, StreamState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ecotone.infrastructure.bus._nats_link import Link
    from ecotone.infrastructure.bus.interface import Consumer, StreamConfig

__all__ = ["NatsStreams"]

_APPEND_LIMIT_S = 10.0
_DUPLICATE_WINDOW_S = 120.0
_RETRY_S = 0.05


class NatsStreams:
    """`Streams` over one connection."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def create_stream(self, config: StreamConfig) -> None:
        name = check_name(config.name)
        what = f"stream '{name}'"
        wanted = {
            "name": _word(name),
            "subjects": [_subject(name)],
            "retention": "interest",
            "storage": "file",
            "max_msgs": config.capacity,
            "discard": "new" if config.overflow == "reject" else "old",
            "duplicate_window": nanoseconds(_DUPLICATE_WINDOW_S),
            # JetStream compares this too, so a stream whose consumers differ is another configuration.
            "metadata": {"consumers": ",".join(sorted(config.consumers)), "ack_wait_s": repr(config.ack_wait_s)},
        }
        await ask(self._link, f"STREAM.CREATE.{_word(name)}", what, ApiAnswer, wanted)
        for consumer in config.consumers:
            await self._create_consumer(config, check_name(consumer))

    async def _create_consumer(self, config: StreamConfig, consumer: str) -> None:
        wanted = {
            "stream_name": _word(config.name),
            "config": {
                "name": _word(consumer),
                "durable_name": _word(consumer),
                "ack_policy": "explicit",
                "ack_wait": nanoseconds(config.ack_wait_s),
                "max_ack_pending": -1,
            },
        }
        operation = f"CONSUMER.CREATE.{_word(config.name)}.{_word(consumer)}"
        await ask(self._link, operation, f"consumer '{consumer}' of '{config.name}'", ApiAnswer, wanted)

    async def append(self, stream: str, data: bytes, *, item_id: str) -> PublishAck:
        check_payload(data)
        headers = {"Nats-Msg-Id": item_id}
        what = f"stream '{stream}'"
        subject = _subject(stream)
        with anyio.move_on_after(_APPEND_LIMIT_S):
            while True:
                answer = await publish_acknowledged(
                    self._link, subject, data, what, headers=headers, timeout_s=_APPEND_LIMIT_S
                )
                if answer is not None:
                    return PublishAck(answer.seq, answer.duplicate)
                # Nobody listens: there is no such stream (this raises), or the server is still reading its files.
                await self._stream_info(stream)
                await anyio.sleep(_RETRY_S)
        raise UnavailableError(
            f"{what} exists but takes nothing; if the disk of the bus is full, free some space and restart the bus",
            retry_after_s=5.0,
        )

    @asynccontextmanager
    async def consume(self, stream: str, consumer: str, *, prefetch: int = 1) -> AsyncGenerator[Consumer, None]:
        assert prefetch >= 1, "prefetch counts deliveries and is at least 1"
        info = await self._consumer_info(stream, consumer)
        reader = Reader(
            self._link,
            stream=_word(stream),
            consumer=_word(consumer),
            prefetch=prefetch,
            ack_wait_s=info.config.ack_wait / 1e9,
        )
        try:
            await reader.start()
            yield reader
        finally:
            with anyio.CancelScope(shield=True):
                await reader.stop()

    async def give_back(self, token: str) -> None:
        await self._link.publish(token, b"-NAK")

    async def stream_state(self, stream: str) -> StreamState:
        state = (await self._stream_info(stream)).state
        assert state is not None, "JetStream sends the state of every stream"
        return StreamState(
            accepted=state.last_seq,
            kept=state.messages,
            first_sequence=state.first_seq if state.messages else state.last_seq + 1,
            oldest_time_s=state.first_ts.timestamp() if state.messages else None,
        )

    async def consumer_state(self, stream: str, consumer: str) -> ConsumerState:
        info = await self._consumer_info(stream, consumer)
        return ConsumerState(
            pending=info.num_pending,
            in_flight=info.num_ack_pending,
            acknowledged_floor=info.ack_floor.stream_seq,
            redelivered=info.num_redelivered,
        )

    async def streams(self) -> tuple[str, ...]:
        names = [name for name in await stream_names(self._link) if not name.startswith(BUCKET_PREFIX)]
        return tuple(sorted(name.replace("=", ".") for name in names))

    async def remove_stream(self, stream: str) -> None:
        await remove(self._link, _word(stream), f"stream '{stream}'")

    async def _stream_info(self, stream: str) -> StreamInfo:
        return await ask(self._link, f"STREAM.INFO.{_word(stream)}", f"stream '{stream}'", StreamInfo)

    async def _consumer_info(self, stream: str, consumer: str) -> ConsumerInfo:
        what = f"consumer '{consumer}' of stream '{stream}'"
        try:
            return await ask(self._link, f"CONSUMER.INFO.{_word(stream)}.{_word(consumer)}", what, ConsumerInfo)
        except NotFoundError:
            await self._stream_info(stream)  # says so if it is the stream that is missing
            raise


def _word(name: str) -> str:
    """JetStream's names hold no dots; ours hold no `=`."""
    return check_name(name).replace(".", "=")


def _subject(stream: str) -> str:
    return f"stream.{_word(stream)}"
