"""`Bus` on NATS with JetStream. Called by `connect` of this package; runs on asyncio, as nats-py does.

Messages are here; streams, keys and the connection itself are in the modules beside this one.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from ecotone.core.errors import NotFoundError
from ecotone.infrastructure.bus._nats_connect import open_link
from ecotone.infrastructure.bus._nats_feed import Feed
from ecotone.infrastructure.bus._nats_jetstream import NO_RESPONDERS
from ecotone.infrastructure.bus._nats_keyvalue import NatsKeyValue
from ecotone.infrastructure.bus._nats_streams import NatsStreams
from ecotone.infrastructure.bus._rules import check_pattern, check_payload, check_subject
from ecotone.infrastructure.bus.interface import BACKLOG, Message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from ecotone.infrastructure.bus._address import Address
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
        inbox = _Inbox(self._link, "a subscription", limit=BACKLOG)
        listener = await self._link.listen(check_pattern(subject), inbox.received, queue=queue)
        try:
            await self._link.settle()  # from now on the server knows, so nothing published later can be missed
            yield inbox
        finally:
            with anyio.CancelScope(shield=True):
                await listener.stop()
                await inbox.end()

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        check_payload(data)
        packet = await self._link.call(check_subject(subject), data, timeout_s=timeout_s, repeat=False)
        if packet.status == NO_RESPONDERS:
            raise NotFoundError(f"nobody listens on '{subject}'")
        return packet.data

    async def close(self) -> None:
        await self._link.close()


class _Inbox(Feed[Message]):
    """One subscription."""

    async def received(self, packet: Packet) -> None:
        self._put(Message(packet.subject, packet.data, packet.reply))


async def connect_nats(address: Address, *, token: str | None, name: str, patient: bool) -> NatsBus:
    """See `ecotone.infrastructure.bus.connect`; the namespace is not looked at."""
    return NatsBus(await open_link(address, token=token, name=name, patient=patient))
