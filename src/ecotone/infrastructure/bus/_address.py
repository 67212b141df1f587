"""Where a bus is: its URL in parts. A run's own namespace on a server travels as the URL's path, with the address that
agents and hosts are given anyway: `nats://token@host:4222/ecotone-20310504-100000-1a2b3c`.

Called by `connect` and by the session.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import msgspec

from ecotone.core.errors import InputError

__all__ = ["NAMESPACE_LENGTH_MAX", "Address", "read_address", "with_namespace"]

NAMESPACE_LENGTH_MAX = 32
"""Leaves the name of a stream 63 of its 96 characters, as many as the name of a component may have."""
_NAMESPACE = re.compile(rf"[A-Za-z0-9-]{{1,{NAMESPACE_LENGTH_MAX}}}\Z")
_PORT = 4222
_FORM = "a bus URL is nats://[TOKEN@]HOST[:PORT] or tls://[USER:PASSWORD@]HOST[:PORT]"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """The parts, decoded. `token`, `user` and `password` are "" when the URL has none, and never for messages."""

    scheme: str
    host: str
    port: int
    token: str = ""
    user: str = ""
    password: str = ""
    namespace: str = ""

    @property
    def place(self) -> str:
        """`host:port`, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def server(self) -> str:
        """A URL without secrets and namespace."""
        return f"{self.scheme}://{self.place}"


def read_address(url: str) -> Address:
    """The parts of `url`; without a scheme it is nats://. Special characters of secrets are written as in any URL, `@`
    as `%40` for instance.

    Raises:
        InputError: it is not a bus URL; the message shows no secret.
    """
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        host, port = parts.hostname or "", _PORT if parts.port is None else parts.port
    except ValueError as error:  # it may quote the URL, but never what is before the @
        raise InputError(f"the bus URL cannot be read ({error}): {_FORM}") from None
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if parts.scheme not in {"nats", "tls"} or not host or not port:
        raise InputError(f"{shown} is not a bus URL: {_FORM}")
    namespace = parts.path.strip("/")
    if parts.query or parts.fragment or (namespace and not _NAMESPACE.match(namespace)):
        raise InputError(f"{shown} is followed by something that does not belong there: {_FORM}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(
        scheme=parts.scheme,
        host=host,
        port=port,
        token="" if parts.password is not None else user,
        user=user if parts.password is not None else "",
        password=password,
        namespace=namespace,
    )


def with_namespace(url: str, namespace: str) -> str:
    """The same URL, for what belongs to `namespace` there: up to `NAMESPACE_LENGTH_MAX` letters, digits and `-`.

    Raises:
        InputError: `url` is not a bus URL, or has a namespace already.
    """
    assert _NAMESPACE.match(namespace), f"{namespace!r} cannot be a namespace"
    address = read_address(url)
    if address.namespace:
        raise InputError(f"{address.server}/{address.namespace}: a bus URL ends with its port")
    return f"{url.rstrip('/')}/{namespace}"
