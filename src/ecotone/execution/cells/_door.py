"""Who may speak with whom between the nodes of a job: the greeting on a fresh connection, and TLS beneath it.

Called for the wires between ranks and by the parts of a job that meet. Both sides show that they know the job's token
(HMAC-SHA256 over both sides' fresh random bytes) without sending it; when the deployment has identities, both also show
a certificate of its authority (TLS 1.3), and the name in it must be that of the node. Greetings block, for a limited
time: they are made in threads or before ranks run.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from ecotone.core.errors import EcotoneError

__all__ = ["Credentials", "Door", "Greeting", "Identity", "RefusedError"]

_MAGIC = b"ECOTONE1"
_NONCE_BYTES = 16
_PROOF_BYTES = 32
_GREETING_MOST = 4096
_GREETING_LIMIT_S = 10.0
_GREETINGS_MOST = 64  # at once: who has not shown yet that he belongs here costs little
_WELCOME = b"+"
_REFUSAL = b"-"


class RefusedError(EcotoneError):
    """The other side does not belong to this job, or says that we do not; trying again does not help."""


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node shows to others: files in PEM. The certificate must name the node as a DNS alternative name."""

    certificate: Path
    key: Path
    authority: Path
    """Whose certificates are accepted."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the parts of one job share, and who this node is."""

    job: str
    token: bytes
    """At least 16 random bytes, the same in all parts of the job."""
    node: str
    identity: Identity | None = None
    """Without it, connections are not encrypted."""


class Greeting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who calls, and for what."""

    job: str
    node: str
    source: int = -1
    """The rank that calls; -1 for a part of a job that calls the launcher."""
    target: int = -1


class Door:
    """Greets those who call, and calls others, with one set of credentials."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        identity = credentials.identity
        self._as_caller = _context(ssl.PROTOCOL_TLS_CLIENT, identity) if identity else None
        self._as_host = _context(ssl.PROTOCOL_TLS_SERVER, identity) if identity else None
        self._greetings = 0
        self._room = threading.Condition()

    def call(self, node: str, address: tuple[str, int], source: int = -1, target: int = -1) -> socket.socket:
        """Connects and greets.

        Args:
            node: the name that the other side's certificate must have.
            address: of the other side.
            source: rank that calls, -1 if none does.
            target: rank that is called.

        Returns:
            A connection that blocks.

        Raises:
            RefusedError: the other side refuses us, or is not who it should be.
            OSError: it cannot be reached now.
        """
        where = f"{node} ({address[0]} port {address[1]})"
        connection = socket.create_connection(address, timeout=_GREETING_LIMIT_S)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._as_caller:
                connection = self._as_caller.wrap_socket(connection, server_hostname=node)
            self._greet(connection, where, source, target, time.monotonic() + _GREETING_LIMIT_S)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise RefusedError(f"{where} is not a node of this deployment: {error.verify_message}") from error
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):  # the connection was lost
            connection.close()
            raise
        except ssl.SSLError as error:
            connection.close()
            raise RefusedError(f"{where} refused an encrypted connection: {error.reason}") from error
        except BaseException:
            connection.close()
            raise
        connection.settimeout(None)
        return connection

    def _greet(self, connection: socket.socket, where: str, source: int, target: int, until: float) -> None:
        credentials = self._credentials
        greeting = Greeting(job=credentials.job, node=credentials.node, source=source, target=target)
        text, nonce = msgspec.json.encode(greeting), os.urandom(_NONCE_BYTES)
        connection.sendall(_MAGIC + struct.pack("<H", len(text)) + text + nonce)
        other = _read(connection, _NONCE_BYTES, until)
        proof = _read(connection, _PROOF_BYTES, until)
        if not hmac.compare_digest(proof, self._proof(b"host", text, nonce, other)):
            raise RefusedError(
                f"{where} does not have the token of job {credentials.job}, or this node has a wrong one"
            )
        connection.sendall(self._proof(b"caller", text, nonce, other))
        if _read(connection, 1, until) != _WELCOME:
            raise RefusedError(f"{where} refused the token of job {credentials.job}")

    def wait_for_room(self, timeout_s: float | None = None) -> bool:
        """Until another greeting may begin; False if none may after `timeout_s`."""
        with self._room:
            return self._room.wait_for(lambda: self._greetings < _GREETINGS_MOST, timeout_s)

    def answer_in_thread(self, caller: socket.socket, then: Callable[[socket.socket, Greeting], object]) -> None:
        """Greets one who has called, when there is room; `then` is called, in a thread, if he belongs to this job."""

        def greet() -> None:
            try:
                with contextlib.suppress(RefusedError, OSError):  # the caller is told, and has a reason to give
                    then(*self.answer(caller))
            finally:
                self._count(-1)

        self._count(1)
        try:
            threading.Thread(target=greet, daemon=True).start()
        except RuntimeError:  # no more threads: he will call again
            caller.close()
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._room:
            self._greetings += change
            self._room.notify_all()

    def answer(self, connection: socket.socket) -> tuple[socket.socket, Greeting]:
        """Greets one who has called.

        Returns:
            The connection to use from now on, which blocks, and who it is.

        Raises:
            RefusedError: he does not belong to this job; the connection is closed.
            OSError: he went away, or took too long.
        """
        try:
            until = time.monotonic() + _GREETING_LIMIT_S
            connection.settimeout(_GREETING_LIMIT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._as_host:
                connection = self._as_host.wrap_socket(connection, server_side=True)
            greeting = self._check(connection, until)
        except ssl.SSLError as error:
            connection.close()
            raise RefusedError(f"a caller without a certificate of this deployment: {error.reason}") from error
        except BaseException:
            connection.close()
            raise
        connection.settimeout(None)
        return connection, greeting

    def _check(self, connection: socket.socket, until: float) -> Greeting:
        if _read(connection, len(_MAGIC), until) != _MAGIC:
            raise RefusedError("a caller that is not a part of a job")
        (size,) = struct.unpack("<H", _read(connection, 2, until))
        if size > _GREETING_MOST:
            raise RefusedError("a caller with too long a greeting")
        text = _read(connection, size, until)
        other, nonce = _read(connection, _NONCE_BYTES, until), os.urandom(_NONCE_BYTES)
        connection.sendall(nonce + self._proof(b"host", text, other, nonce))
        proof = _read(connection, _PROOF_BYTES, until)
        if not hmac.compare_digest(proof, self._proof(b"caller", text, other, nonce)):
            with contextlib.suppress(OSError):
                connection.sendall(_REFUSAL)
            raise RefusedError("a caller that does not have the token of this job")
        greeting = _decode(text)
        if greeting.job != self._credentials.job or not _names(connection, greeting.node):
            with contextlib.suppress(OSError):
                connection.sendall(_REFUSAL)
            raise RefusedError(f"a caller that says it is node {greeting.node} of job {greeting.job}")
        connection.sendall(_WELCOME)
        return greeting

    def _proof(self, role: bytes, text: bytes, callers: bytes, hosts: bytes) -> bytes:
        return hmac.new(self._credentials.token, role + callers + hosts + text, hashlib.sha256).digest()


def _context(protocol: int, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(identity.certificate, identity.key)
    context.load_verify_locations(identity.authority)
    return context


def _names(connection: socket.socket, node: str) -> bool:
    """Is the certificate that the caller has shown, if there is TLS, that of the node which he says he is?"""
    if not isinstance(connection, ssl.SSLSocket):
        return True
    certificate = connection.getpeercert() or {}
    return ("DNS", node) in tuple(certificate.get("subjectAltName", ()))


def _decode(text: bytes) -> Greeting:
    try:
        return msgspec.json.decode(text, type=Greeting)
    except msgspec.MsgspecError as error:
        raise RefusedError(f"a caller whose greeting cannot be read: {error}") from error


def _read(connection: socket.socket, size: int, until: float) -> bytes:
    """Exactly `size` bytes, until then: what follows is not ours."""
    taken = b""
    while len(taken) < size:
        left_s = until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the greeting takes too long")
        connection.settimeout(left_s)
        part = connection.recv(size - len(taken))
        if not part:
            raise ConnectionResetError("the other side hung up during the greeting")
        taken += part
    return taken
