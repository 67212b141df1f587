"""One connection to a NATS server: with `_nats_connect`, which opens it, the only module that knows the `nats` package.

Called by `_nats`, `_nats_streams` and `_nats_keyvalue`. It multiplexes requests over one inbox, sends those that may
be repeated again after a reconnect (the server knows their ids), tells the readers when the connection is back, and
turns what nats raises into `ecotone.core.errors`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING, Any

import msgspec
from nats import errors as nats_errors
from nats.aio.client import Client

from ecotone.core.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

__all__ = ["EXPECTED", "RECONNECT_LIMIT_S", "Link", "Listener", "Packet", "close_client"]

RECONNECT_LIMIT_S = 10.0
"""How long an operation waits for a lost connection before it raises UnavailableError."""
_CLOSE_LIMIT_S = 2.0

_log = logging.getLogger("ecotone.bus")
# nats logs some failures with a traceback beside calling our error callback; people shall not see those.
logging.getLogger("nats").addHandler(logging.NullHandler())
# asyncio warns whenever nats closes a TLS connection; nothing is wrong then.
logging.getLogger("asyncio").addFilter(lambda record: "eof_received" not in str(record.msg))

EXPECTED = (OSError, asyncio.TimeoutError, nats_errors.Error)
"""What nats raises when the connection is in trouble."""


class Packet(msgspec.Struct, frozen=True, gc=False):
    """A message as it came; `status` is the server's ("503": nobody listens), "" for an ordinary message."""

    subject: str
    data: bytes
    reply: str
    status: str
    headers: Mapping[str, str]


class _Call(msgspec.Struct, kw_only=True):
    """A request that waits for its reply."""

    subject: str
    data: bytes
    headers: dict[str, str] | None
    reply: str
    repeat: bool
    future: asyncio.Future[Packet]


class Listener:
    """An open subscription; `stop` ends it."""

    def __init__(self, link: Link, subscription: Subscription) -> None:
        self._link = link
        self._subscription = subscription

    async def stop(self, *, drain: bool = False) -> None:
        """End it; with `drain`, only after what the server had sent already has been handled. Never raises for a
        lost connection: then the subscription is gone as well."""
        if self._link.closed:
            return
        try:
            if drain and self._link.connected:
                async with asyncio.timeout(_CLOSE_LIMIT_S):
                    await self._subscription.drain()
            else:
                await self._subscription.unsubscribe()
        except EXPECTED as error:
            _log.debug("a subscription ended with its connection: %s", error)


class Link:
    """The connection. Make it with `_nats_connect.open_link`."""

    def __init__(self, client: Client, place: str) -> None:
        self._client = client
        self._place = place
        self._inbox = client.new_inbox()
        self._numbers = itertools.count()
        self._calls: dict[str, _Call] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._on_reconnect: dict[object, Callable[[], Awaitable[None]]] = {}
        self._on_close: dict[object, Callable[[], None]] = {}
        self.closed = False

    @property
    def place(self) -> str:
        """`host:port` of the server."""
        return self._place

    @property
    def connected(self) -> bool:
        """Whether the server is there now."""
        return self._client.is_connected

    def new_inbox(self) -> str:
        """A subject that nobody else uses."""
        return f"{self._inbox}-{next(self._numbers)}"

    def on_reconnect(self, owner: object, act: Callable[[], Awaitable[None]] | None) -> None:
        """`act` is awaited after each reconnect, until `owner` passes None."""
        if act is None:
            self._on_reconnect.pop(owner, None)
        else:
            self._on_reconnect[owner] = act

    def on_close(self, owner: object, act: Callable[[], None] | None) -> None:
        """`act` is called when the connection is closed for good, until `owner` passes None."""
        if act is None:
            self._on_close.pop(owner, None)
        else:
            self._on_close[owner] = act

    async def publish(self, subject: str, data: bytes, *, reply: str = "") -> None:
        """Hand a message to the connection, waiting for it to come back if it is lost.

        Raises:
            UnavailableError: closed, or not back within `RECONNECT_LIMIT_S`.
        """
        if not self._client.is_connected:
            await self._wait_until_connected(RECONNECT_LIMIT_S)
        await self._send(subject, data, reply, None)

    async def send_nowait(self, subject: str, data: bytes) -> None:
        """Like `publish`, but while the connection is lost the message is kept and sent when it is back."""
        await self._send(subject, data, "", None)

    async def call(
        self,
        subject: str,
        data: bytes = b"",
        *,
        timeout_s: float,
        headers: dict[str, str] | None = None,
        repeat: bool,
    ) -> Packet:
        """Publish and wait for the first reply. `repeat`: the request may be sent again after a reconnect, because
        receiving it twice does no harm. A `subject` of "" sends it to ourselves.

        Raises:
            UnavailableError: no reply in time; whether the request arrived is unknown.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        number = str(next(self._numbers))
        future: asyncio.Future[Packet] = loop.create_future()
        reply = f"{self._inbox}.{number}"
        subject = subject or reply
        call = _Call(subject=subject, data=data, headers=headers, reply=reply, repeat=repeat, future=future)
        timer = loop.call_later(timeout_s, _expire, future, f"no answer from the bus at {self._place} in time")
        self._calls[number] = call
        try:
            if self._client.is_connected:
                await self._send(subject, data, reply, headers)
            elif not repeat:
                await self._wait_until_connected(timeout_s)
                await self._send(subject, data, reply, headers)
            return await future
        finally:
            timer.cancel()
            self._calls.pop(number, None)

    async def settle(self) -> None:
        """Return when the server has processed what this connection sent before."""
        # The server sends our own message back, after all that we sent before it. (A PING would do the same, but
        # nats loses its connection if the waiting for a PONG is cancelled.)
        await self.call("", timeout_s=RECONNECT_LIMIT_S, repeat=True)

    async def listen(self, subject: str, handle: Callable[[Packet], Awaitable[None]], *, queue: str = "") -> Listener:
        """Await `handle` for each message on `subject`, one after the other; survives reconnects."""
        self._check_open()

        async def on_message(message: Msg) -> None:
            await handle(_packet(message))

        try:
            # No limits here: who listens bounds what is kept, by prefetch or by dropping the oldest.
            subscription = await self._client.subscribe(
                subject, queue=queue, cb=on_message, pending_msgs_limit=0, pending_bytes_limit=0
            )
        except EXPECTED as error:
            raise self._translated(error) from None
        return Listener(self, subscription)

    async def close(self) -> None:
        """Flush and disconnect. Idempotent."""
        if self.closed:
            return
        if self.connected:
            try:
                async with asyncio.timeout(_CLOSE_LIMIT_S):
                    await self.settle()
            except (UnavailableError, TimeoutError) as error:
                _log.debug("the last messages may not have arrived: %s", error)
        self.closed = True
        await close_client(self._client, _CLOSE_LIMIT_S)
        self._end()

    async def start(self) -> None:
        """Open the inbox of the replies; called once by `open_link`."""
        await self.listen(f"{self._inbox}.*", self._replied)

    async def reconnected(self) -> None:
        """nats says that the connection is back: repeat what was under way, in its order, then wake the readers."""
        for call in list(self._calls.values()):
            if call.repeat and not call.future.done():
                await self._send(call.subject, call.data, call.reply, call.headers)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        for act in list(self._on_reconnect.values()):
            await act()

    async def connection_closed(self) -> None:
        """nats gave up for good (it does when the server refuses us) or was told to close."""
        self.closed = True
        self._end()

    async def _replied(self, packet: Packet) -> None:
        call = self._calls.get(packet.subject.rpartition(".")[2])
        if call is not None and not call.future.done():
            call.future.set_result(packet)

    async def _send(self, subject: str, data: bytes, reply: str, headers: dict[str, str] | None) -> None:
        try:
            await self._client.publish(subject, data, reply, headers)
        except EXPECTED as error:
            raise self._translated(error) from None

    async def _wait_until_connected(self, limit_s: float) -> None:
        self._check_open()
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(limit_s, _expire, waiter, f"the bus at {self._place} is not there")
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)

    def _check_open(self) -> None:
        if self.closed:
            raise self._closed_error()

    def _closed_error(self) -> UnavailableError:
        return UnavailableError(f"the connection to the bus at {self._place} is closed")

    def _end(self) -> None:
        error = self._closed_error()
        for act in list(self._on_close.values()):
            act()
        futures: list[asyncio.Future[Any]] = [call.future for call in self._calls.values()]
        for future in (*futures, *self._waiters):
            if not future.done():
                future.set_exception(error)

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, nats_errors.MaxPayloadError):
            return InputError(f"the bus at {self._place} refuses so large a message; let it travel by reference")
        if isinstance(error, nats_errors.ConnectionClosedError | nats_errors.ConnectionDrainingError):
            return self._closed_error()
        return UnavailableError(f"the bus at {self._place} cannot be reached: {error}", retry_after_s=1.0)


async def close_client(client: Client, limit_s: float) -> None:
    """Close what may be lost already; raises nothing but our own cancellation.

    It happens in a task of its own: nats may wait for ever (after a TLS handshake that failed), raise RuntimeError
    (uvloop's word for writing to what is closed), or raise CancelledError without anybody having cancelled us.
    """
    # nats cancels its reconnecting, but `asyncio.wait_for` loses a cancellation that comes together with a refused
    # connection; it would then go on for ever, and the event loop would wait for it. So it may not try much longer.
    client.options["max_reconnect_attempts"] = 1
    closing = asyncio.create_task(client.close())
    await asyncio.wait({closing}, timeout=limit_s)
    if not closing.done():
        closing.cancel()
    elif not closing.cancelled() and (error := closing.exception()) is not None:
        _log.debug("the connection was lost before it was closed: %s", error)


def _expire(future: asyncio.Future[Any], message: str) -> None:
    if not future.done():
        future.set_exception(UnavailableError(message, retry_after_s=1.0))


def _packet(message: Msg) -> Packet:
    headers = message.headers
    if headers is None:
        return Packet(message.subject, message.data, message.reply, "", {})
    return Packet(message.subject, message.data, message.reply, headers.get("Status", ""), headers)
