"""Reading one JetStream consumer: a thin pull loop that keeps at most `prefetch` deliveries open.

Called by `_nats_streams.consume`. The reader asks for items before it can take them (a pull request waits at the
server), so an item travels as soon as it is stored; the acknowledgement of one item asks for the next in the same
message (`+NXT`). Requests belong to a *round*, a word in their reply subject: after a reconnect or an error a new
round begins, and what the server says about older ones no longer counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import NotFoundError, UnavailableError
from ecotone.infrastructure.bus._nats_feed import Feed
from ecotone.infrastructure.bus._nats_jetstream import NO_RESPONDERS, ConsumerInfo, ask, nanoseconds

if TYPE_CHECKING:
    from ecotone.infrastructure.bus._nats_link import Link, Listener, Packet

__all__ = ["Place", "Reader", "place_of"]

_PULL_EXPIRES_S = 30.0
_HEARTBEAT_S = 5.0
_SILENCE_LIMIT_S = 2.5 * _HEARTBEAT_S
_PAUSE_S = 0.1  # before asking again after the server refused
_TICK_MAX_S = 2.0

_log = logging.getLogger("ecotone.bus")


class NatsDelivery:
    """`Delivery`; its token is the subject that JetStream wants its acknowledgement on."""

    __slots__ = ("_reader", "attempt", "data", "sequence", "settled", "token", "touched_s")

    def __init__(self, reader: Reader, data: bytes, token: str, now_s: float) -> None:
        self._reader = reader
        self.data = data
        self.token = token
        place = place_of(token)
        self.attempt = place.attempt
        self.sequence = place.sequence
        self.settled = False
        self.touched_s = now_s

    async def ack(self) -> None:
        if not self.settled:
            self.settled = True
            await self._reader.settle(self, b"+ACK")

    async def nak(self, *, delay_s: float = 0.0) -> None:
        if not self.settled:
            self.settled = True
            answer = b'-NAK {"delay":%d}' % nanoseconds(delay_s) if delay_s > 0 else b"-NAK"
            await self._reader.settle(self, answer)

    async def in_progress(self) -> None:
        if not self.settled:
            await self._reader.touch(self)


class Reader(Feed[NatsDelivery]):
    """`Consumer` for one durable pull consumer. Between `start` and `stop` it holds a task of its own."""

    def __init__(self, link: Link, *, stream: str, consumer: str, prefetch: int, ack_wait_s: float) -> None:
        super().__init__(link, f"consumer '{consumer}' of stream '{stream}'")
        self._pull_subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._info_operation = f"CONSUMER.INFO.{stream}.{consumer}"
        self._prefetch = prefetch
        self._ack_wait_s = ack_wait_s
        self._inbox = link.new_inbox()
        self._now = asyncio.get_running_loop().time
        self._round = 0
        self._asked = 0
        self._heard_s = 0.0
        self._paused_until_s = 0.0
        self._is_doubtful = False  # whether there is such a consumer: the word of its end may have been missed
        self._open: dict[str, NatsDelivery] = {}  # handed out, by token
        self._paused = asyncio.Event()
        self._listener: Listener | None = None

    async def __anext__(self) -> NatsDelivery:
        delivery = await super().__anext__()
        delivery.touched_s = self._now()
        self._open[delivery.token] = delivery
        return delivery

    async def start(self) -> None:
        self._listener = await self._link.listen(f"{self._inbox}.*", self._received)
        self._link.on_reconnect(self, self._reconnected)
        await self._begin_round()
        self._work(self._keep())

    async def stop(self) -> None:
        """Ask for nothing more and return at once what nobody has taken, so that other readers need not wait."""
        await self.end()
        if self._listener is not None:
            await self._listener.stop(drain=True)
        with contextlib.suppress(UnavailableError):
            while self._values:
                await self._link.send_nowait(self._values.popleft().token, b"-NAK")

    async def settle(self, delivery: NatsDelivery, answer: bytes) -> None:
        """The delivery is acknowledged or given back: its slot is free."""
        self._open.pop(delivery.token, None)
        wanted = self._wanted()
        if wanted and answer == b"+ACK":
            self._asked += wanted
            await self._link.publish(delivery.token, b"+NXT " + _pull(wanted), reply=self._reply_subject())
            return
        await self._link.send_nowait(delivery.token, answer)
        if wanted:
            await self._ask()

    async def touch(self, delivery: NatsDelivery) -> None:
        """Start the delivery's time anew."""
        delivery.touched_s = self._now()
        await self._link.send_nowait(delivery.token, b"+WPI")

    def _reply_subject(self) -> str:
        return f"{self._inbox}.{self._round}"

    def _wanted(self) -> int:
        """How many items to ask for now: none while some are under way or the server cannot be asked.

        The server deals items round by *request*, so a reader has one request there at a time: with more, it would get
        several items in a row, and they would wait for it while its equals have nothing to do.
        """
        if self._asked or self._stopped or not self._link.connected or self._now() < self._paused_until_s:
            return 0
        return max(0, self._prefetch - len(self._open) - len(self._values))

    async def _ask(self) -> None:
        wanted = self._wanted()
        if wanted:
            self._asked += wanted
            await self._link.publish(self._pull_subject, _pull(wanted), reply=self._reply_subject())

    async def _begin_round(self, *, pause_s: float = 0.0) -> None:
        now_s = self._now()
        self._round += 1
        self._asked = 0
        self._heard_s = now_s
        self._paused_until_s = now_s + pause_s
        if pause_s > 0:
            self._paused.set()
        await self._ask()

    async def _reconnected(self) -> None:
        with contextlib.suppress(UnavailableError):  # lost again already; then we are called again
            await self._begin_round()

    async def _received(self, packet: Packet) -> None:
        self._heard_s = self._now()
        if packet.status:
            if packet.subject == self._reply_subject():
                await self._heard_status(packet)
            return
        if self._asked:
            self._asked -= 1
        elif len(self._open) + len(self._values) >= self._prefetch:
            # Asked for in an earlier round (an item's subject does not tell), and there is no room for it now.
            await self._link.send_nowait(packet.reply, b"-NAK")
            return
        self._put(NatsDelivery(self, packet.data, packet.reply, self._heard_s))
        await self._ask()

    async def _heard_status(self, packet: Packet) -> None:
        """100: heartbeat. 404, 408: the request ended. 409: it ended for a reason. 503: no such consumer, or the
        server is not ready."""
        if packet.status == "100":
            return
        reason = packet.headers.get("Description", "")
        if packet.status == "409" and "deleted" in reason.lower():
            self._fail(NotFoundError(f"{self._what} was deleted"))
            return
        ended = packet.headers.get("Nats-Pending-Messages")
        if ended is not None and packet.status in {"404", "408"}:
            self._asked = max(0, self._asked - int(ended))
            await self._ask()
            return
        _log.debug("%s: asking again after %s %s", self._what, packet.status, reason)
        self._is_doubtful = packet.status == NO_RESPONDERS
        await self._begin_round(pause_s=_PAUSE_S)

    async def _keep(self) -> None:
        """Keep alive what waits here, free the slots of what timed out, and ask again when requests were lost."""
        tick_s = min(_TICK_MAX_S, self._ack_wait_s / 3)
        while True:
            pause_s = self._paused_until_s - self._now()
            self._paused.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s if pause_s > 0 else tick_s):  # `wait_for` may lose a cancellation
                    await self._paused.wait()
            if self._link.closed:
                return
            with contextlib.suppress(UnavailableError):
                await self._tick()

    async def _tick(self) -> None:
        if self._is_doubtful and self._link.connected:
            self._is_doubtful = False
            try:
                await ask(self._link, self._info_operation, self._what, ConsumerInfo)
            except NotFoundError:
                self._fail(NotFoundError(f"{self._what} was deleted"))
                return
        now_s = self._now()
        for delivery in list(self._values):
            await self.touch(delivery)
        for delivery in list(self._open.values()):
            # The server has offered it to someone else by now; the slot must not stay taken for ever.
            if now_s - delivery.touched_s > self._ack_wait_s:
                del self._open[delivery.token]
        if self._link.connected and self._asked and now_s - self._heard_s > _SILENCE_LIMIT_S:
            await self._begin_round()
        else:
            await self._ask()


def _pull(batch: int) -> bytes:
    return b'{"batch":%d,"expires":%d,"idle_heartbeat":%d}' % (
        batch,
        nanoseconds(_PULL_EXPIRES_S),
        nanoseconds(_HEARTBEAT_S),
    )


class Place(msgspec.Struct, frozen=True):
    """What JetStream says about a delivery: where its item is in the stream, which delivery of the consumer it is
    (`count`), and how many items the consumer has yet to be sent (`pending`)."""

    attempt: int
    sequence: int
    count: int
    pending: int


def place_of(token: str) -> Place:
    """From the subject that JetStream wants an acknowledgement on:
    `$JS.ACK.stream.consumer.attempt.sequence.count.time.pending`. Some servers put the domain and the account before
    the stream, and a random word at the end."""
    words = token.split(".")
    start = 4 if len(words) == 9 else 6
    return Place(int(words[start]), int(words[start + 1]), int(words[start + 2]), int(words[start + 4]))
