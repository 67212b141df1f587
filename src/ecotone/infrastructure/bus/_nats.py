"""`Bus` on NATS with JetStream. Called by `connect` of this package; runs on asyncio, as nats-py does.

Messages are here; streams, keys and the connection itself are in the modules beside this one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from ecotone.core.errors import NotFoundError, UnavailableError
from ecotone.infrastructure.bus._nats_jetstream import NO_RESPONDERS
from ecotone.infrastructure.bus._nats_keyvalue import NatsKeyValue
from ecotone.infrastructure.bus._nats_link import open_link
from ecotone.infrastructure.bus._nats_streams import NatsStreams
from ecotone.infrastructure.bus._rules import check_pattern, check_payload, check_subject
from ecotone.infrastructure.bus.interface import BACKLOG, Message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from ecotone.infrastructure.bus._nats_link import Link, Packet

__all__ = ["NatsBus", "connect_nats"]


class NatsBus(NatsStreams, NatsKeyValue):
    """All three Protocols over one connection."""

    def __init__(self, link: Link) -> None:
        NatsStreams.__init__(self, link)
        NatsKeyValue.__init__(self, link)
        self._link = link

    async def publish(self, subject: str, data: bytes) -> None:
        check_payload(data)
        await self._link.publish(check_subject(subject), data)

    @asynccontextmanager
    async def subscribe(self, subject: str, *, queue: str = "") -> AsyncGenerator[AsyncIterator[Message], None]:
        inbox = _Inbox(self._link)
        listener = await self._link.listen(check_pattern(subject), inbox.received, queue=queue)
        try:
            await self._link.settle()  # from now on the server knows, so nothing published later can be missed
            yield inbox
        finally:
            with anyio.CancelScope(shield=True):
                await listener.stop()
            inbox.end()

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        check_payload(data)
        packet = await self._link.call(check_subject(subject), data, timeout_s=timeout_s, repeat=False)
        if packet.status == NO_RESPONDERS:
            raise NotFoundError(f"nobody listens on '{subject}'")
        return packet.data

    async def close(self) -> None:
        await self._link.close()


class _Inbox:
    """What one subscription has received and nobody has taken yet."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._messages: deque[Message] = deque(maxlen=BACKLOG)
        self._changed = asyncio.Event()
        self._ended = False
        link.on_close(self, self._changed.set)

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        if self._messages:
            await asyncio.sleep(0)
        while not self._messages:
            if self._ended:
                raise StopAsyncIteration
            if self._link.closed:
                raise UnavailableError("the connection to the bus was closed under a subscription")
            self._changed.clear()
            await self._changed.wait()
        return self._messages.popleft()

    async def received(self, packet: Packet) -> None:
        self._messages.append(Message(packet.subject, packet.data, packet.reply))
        self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._link.on_close(self, None)
        self._changed.set()


async def connect_nats(url: str, *, token: str | None = None, name: str = "") -> NatsBus:
    """See `ecotone.infrastructure.bus.connect`."""
    return NatsBus(await open_link(url, token=token, name=name))
