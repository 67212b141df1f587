"""Opening a connection to a NATS server, and what is said when that fails. Called by `_nats`."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from typing import TYPE_CHECKING, Any

import msgspec
from nats import errors as nats_errors
from nats.aio.client import Client

from ecotone.core.errors import UnavailableError
from ecotone.infrastructure.bus._nats_link import EXPECTED, Link, close_client
from ecotone.infrastructure.bus.interface import MAX_PAYLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecotone.infrastructure.bus._address import Address

__all__ = ["open_link"]

_CONNECT_LIMIT_S = 5.0
_RECONNECT_WAIT_S = 0.05
_HANDSHAKES = 5
_PING_INTERVAL_S = 10
_GIVE_UP_LIMIT_S = 0.5

_log = logging.getLogger("ecotone.bus")


class _NotEncryptedError(nats_errors.Error):
    """One of nats' own, so that it goes on trying when this happens at a reconnect."""


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
        if isinstance(error, EXPECTED):
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
    except (*EXPECTED, UnavailableError) as error:
        # A timeout says nothing; what failed last does. (Closing can fail as well, so look first.)
        silent = isinstance(error, TimeoutError | nats_errors.NoServersError)
        cause = failures[-1] if failures and silent else error
        await close_client(client, _GIVE_UP_LIMIT_S)
        if isinstance(error, ConnectionError | UnavailableError):
            raise
        raise _connect_error(address, cause) from None
    # A first connection that the server refuses must not be tried for ever; a lost one must.
    client.options["allow_reconnect"] = True
    client.options["max_reconnect_attempts"] = -1
    link = Link(client, place)
    await link.start()
    return link


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
