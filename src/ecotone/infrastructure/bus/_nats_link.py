"""One connection to a NATS server: the only module that knows the `nats` package.

Called by `_nats`, `_nats_streams` and `_nats_keyvalue`. It multiplexes requests over one inbox, sends those that may
be repeated again after a reconnect (the server knows their ids), tells the readers when the connection is back, and
turns what nats raises into `ecotone.core.errors`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import ssl
from typing import TYPE_CHECKING, Any

import msgspec
from nats import errors as nats_errors
from nats.aio.client import Client

from ecotone.core.errors import InputError, UnavailableError
from ecotone.infrastructure.bus.interface import MAX_PAYLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from ecotone.infrastructure.bus._address import Address

__all__ = ["RECONNECT_LIMIT_S", "Link", "Listener", "Packet", "open_link"]

RECONNECT_LIMIT_S = 10.0
"""How long an operation waits for a lost connection before it raises UnavailableError."""
_CONNECT_LIMIT_S = 5.0
_RECONNECT_WAIT_S = 0.05
_HANDSHAKES = 5
_PING_INTERVAL_S = 10
_CLOSE_LIMIT_S = 2.0
_GIVE_UP_LIMIT_S = 0.5

_log = logging.getLogger("ecotone.bus")
# nats logs some failures with a traceback beside calling our error callback; people shall not see those.
logging.getLogger("nats").addHandler(logging.NullHandler())
# asyncio warns whenever nats closes a TLS connection; nothing is wrong then.
logging.getLogger("asyncio").addFilter(lambda record: "eof_received" not in str(record.msg))

_EXPECTED = (OSError, asyncio.TimeoutError, nats_errors.Error)


class _NotEncryptedError(nats_errors.Error):
    """One of nats' own, so that it goes on trying when this happens at a reconnect."""


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
        except _EXPECTED as error:
            _log.debug("a subscription ended with its connection: %s", error)


class Link:
    """The connection. Make it with `open_link`."""

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
        except _EXPECTED as error:
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
        await _close_client(self._client, _CLOSE_LIMIT_S)
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
        except _EXPECTED as error:
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


async def open_link(address: Address, *, token: str | None, name: str, patient: bool) -> Link:
    """Connect. Secrets never appear in messages.

    Args:
        token: instead of the address's.
        patient: whether to go on for 5 s while nobody listens.

    Raises:
        UnavailableError: nobody answers, or the server refuses us or does not do what we need.
    """
    if token is not None:
        address = msgspec.structs.replace(address, token=token)
    for attempt in range(_HANDSHAKES):
        try:
            return await _open_once(address, name=name, patient=patient)
        except ConnectionError:
            # The server hung up on us. What it said about why may have been lost with the connection.
            if attempt + 1 < _HANDSHAKES:
                await asyncio.sleep(_RECONNECT_WAIT_S)
    raise UnavailableError(
        f"the bus at {address.place} closes the connection at once; it may be stopping, or the token may be wrong",
        retry_after_s=1.0,
    )


async def _open_once(address: Address, *, name: str, patient: bool) -> Link:
    client = Client()
    link: Link | None = None
    failures: list[Exception] = []
    place = address.place

    async def on_error(error: Exception) -> None:
        failures[:] = [error]
        if isinstance(error, _EXPECTED):
            _log.debug("bus at %s: %s", place, error)
        else:
            _log.error("bus at %s: a handler failed: %r", place, error)

    async def on_disconnect() -> None:
        _log.debug("lost the bus at %s", place)

    async def on_reconnect() -> None:
        if link is not None:
            await link.reconnected()

    async def on_close() -> None:
        if link is not None:
            await link.connection_closed()

    try:
        async with asyncio.timeout(_CONNECT_LIMIT_S):
            await client.connect(
                address.server,
                **_credentials(client, address),
                name=name or None,
                error_cb=on_error,
                disconnected_cb=on_disconnect,
                reconnected_cb=on_reconnect,
                closed_cb=on_close,
                allow_reconnect=False,
                # nats takes whole seconds by its hints, but only ever adds this to a time and sleeps for it.
                reconnect_time_wait=_RECONNECT_WAIT_S,  # pyright: ignore[reportArgumentType]
                max_reconnect_attempts=-1 if patient else 1,
                ping_interval=_PING_INTERVAL_S,
            )
        _check_server(client, address)
    except (*_EXPECTED, UnavailableError) as error:
        # A timeout says nothing; what failed last does. (Closing can fail as well, so look first.)
        silent = isinstance(error, TimeoutError | nats_errors.NoServersError)
        cause = failures[-1] if failures and silent else error
        await _close_client(client, _GIVE_UP_LIMIT_S)
        if isinstance(error, ConnectionError | UnavailableError):
            raise
        raise _connect_error(address, cause) from None
    # A first connection that the server refuses must not be tried for ever; a lost one must.
    client.options["allow_reconnect"] = True
    client.options["max_reconnect_attempts"] = -1
    link = Link(client, place)
    await link.start()
    return link


async def _close_client(client: Client, limit_s: float) -> None:
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


def _credentials(client: Client, address: Address) -> dict[str, Any]:
    """What nats asks for when it is about to log in: by then it has heard whether the server speaks TLS."""

    def checked(secret: str) -> Callable[[], str]:
        def give() -> str:
            _check_encryption(client, address)
            return secret

        return give

    if address.user or address.password:
        return {"user": checked(address.user), "password": checked(address.password)}
    return {"token": checked(address.token)} if address.token else {}


def _check_encryption(client: Client, address: Address) -> None:
    # nats goes over to TLS when the server offers it, and says nothing when the server does not.
    encrypted = bool(client._server_info.get("tls_required"))  # pyright: ignore[reportPrivateUsage]
    if address.scheme == "tls" and not encrypted:
        raise _NotEncryptedError


def _check_server(client: Client, address: Address) -> None:
    """Raises UnavailableError when the server cannot do what we need, _NotEncryptedError when it is not safe."""
    _check_encryption(client, address)
    if client.max_payload < MAX_PAYLOAD_BYTES:
        raise UnavailableError(
            f"the bus at {address.place} takes messages of up to {client.max_payload} bytes; "
            f"set its max_payload to {MAX_PAYLOAD_BYTES} or more"
        )


def _connect_error(address: Address, error: Exception) -> UnavailableError:
    text = str(error).lower()
    if "authorization" in text or "authentication" in text:
        if not (address.token or address.user or address.password):
            return UnavailableError(
                f"the bus at {address.place} wants a token, or a user and a password: put it before the host, as in "
                f"{address.scheme}://TOKEN@{address.place}"
            )
        what = "token" if address.token else "user or the password"
        return UnavailableError(f"the bus at {address.place} refuses the {what}; pass the one that it was started with")
    if isinstance(error, _NotEncryptedError):
        return UnavailableError(
            f"the bus at {address.place} does not speak TLS; turn it on there, or use nats:// if that is meant"
        )
    if isinstance(error, ssl.SSLError):
        return UnavailableError(
            f"no safe connection to the bus at {address.place} ({error.reason or error}); this machine has to trust "
            "its certificate: SSL_CERT_FILE names the file of an authority of your own"
        )
    return UnavailableError(
        f"no bus answers at {address.place} ({_reason(error)}); check the address and that it runs", retry_after_s=1.0
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "what is there does not speak as NATS does, or is too slow"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()  # asyncio's own text names the address once more
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _expire(future: asyncio.Future[Any], message: str) -> None:
    if not future.done():
        future.set_exception(UnavailableError(message, retry_after_s=1.0))


def _packet(message: Msg) -> Packet:
    headers = message.headers
    if headers is None:
        return Packet(message.subject, message.data, message.reply, "", {})
    return Packet(message.subject, message.data, message.reply, headers.get("Status", ""), headers)
