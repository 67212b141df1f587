"""Requests over HTTP: `POST /<component>` with a JSON or msgpack body becomes a request on the bus.

Opened by the controller for applications that have components with a request trigger; `status` prints its address.
Small on purpose: HTTP/1.1 with Content-Length, one request after the other on a connection, loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from ecotone.core.errors import EcotoneError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from ecotone.core.application import Application
    from ecotone.infrastructure.bus import Bus

__all__ = ["Gateway"]

_BODY_BYTES_MAX = 512 * 1024
_IDLE_LIMIT_S = 30.0
_TIMEOUT_S = 2.0
_MSGPACK = "application/msgpack"
_REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 411: "Length Required",
    413: "Content Too Large", 500: "Internal Server Error", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


class _Refused(Exception):  # noqa: N818 - never leaves the module
    """The request ends here: status and what to say."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Request(msgspec.Struct, frozen=True):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Gateway:
    """`serve` it in a task group.

    Args:
        bus: connected.
        application: its components with a request trigger are what can be asked.
        port: on the loopback interface; 0 takes a free one.
    """

    def __init__(self, bus: Bus, application: Application, *, port: int = 0) -> None:
        self._bus = bus
        self._port = port
        self._conversations: set[asyncio.Task[None]] = set()  # asyncio starts them; we have to end them
        self._timeouts_s = {
            each.name: each.trigger.timeout_s or _TIMEOUT_S
            for each in application.components
            if each.trigger.kind == "request"
        }

    @property
    def address(self) -> str:
        """`http://127.0.0.1:<port>`; known once `serve` has reported that it started."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where to post to, one for each component."""
        return tuple(f"{self.address}/{name}" for name in self._timeouts_s)

    async def serve(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled.

        Raises:
            UnavailableError: the port is in use.
        """
        try:
            server = await asyncio.start_server(self._converse, "127.0.0.1", self._port)
        except OSError as error:
            raise UnavailableError(
                f"cannot listen on port {self._port}: {error.strerror}; choose another one, or 0 for a free one"
            ) from None
        self._port = server.sockets[0].getsockname()[1]
        try:
            task_status.started()
            await anyio.sleep_forever()
        finally:
            server.close()
            for task in tuple(self._conversations):
                task.cancel()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                while await self._serve_one(reader, writer):
                    pass
        finally:
            self._conversations.discard(task)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection may go on."""
        kind, keep = "application/json", False
        try:
            async with asyncio.timeout(_IDLE_LIMIT_S):
                request = await _read(reader)
            if request is None:
                return False
            keep = request.headers.get("connection", "").lower() != "close"
            if _MSGPACK in (request.headers.get("accept", ""), request.headers.get("content-type", "")):
                kind = _MSGPACK
            status, document = 200, await self._answer(request)
        except _Refused as refused:
            status, document = refused.status, {"error": str(refused)}
            keep = keep and status not in {411, 413}
        data = msgspec.msgpack.encode(document) if kind == _MSGPACK else _json(document)
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        writer.write(head.encode() + data)
        await writer.drain()
        return keep

    async def _answer(self, request: _Request) -> Any:
        component = request.path.strip("/").partition("?")[0]
        timeout_s = self._timeouts_s.get(component)
        if timeout_s is None:
            known = ", ".join(f"/{name}" for name in self._timeouts_s)
            raise _Refused(404, f"there is no /{component} to ask; there is {known}")
        if request.method != "POST":
            raise _Refused(405, f"POST the value to /{component}")
        data = _as_msgpack(request)
        try:
            answer = msgspec.msgpack.decode(
                await self._bus.request(f"request.{component}", data, timeout_s=timeout_s), type=dict[str, Any]
            )
        except NotFoundError:
            raise _Refused(503, f"{component} does not run just now; try again") from None
        except UnavailableError:
            raise _Refused(504, f"{component} did not answer within {timeout_s:g} s") from None
        except EcotoneError as error:
            raise _Refused(400, str(error)) from None
        if not answer.get("ok"):
            raise _Refused(500, str(answer.get("error", f"{component} failed")))
        return answer.get("value")


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    """None when the other side has finished."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise _Refused(400, "the request is cut short") from None
        return None
    except asyncio.LimitOverrunError:
        raise _Refused(413, "the headers are too long") from None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        raise _Refused(400, "this is not an HTTP request")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if words[0] != "POST" and "content-length" not in headers:
        return _Request(words[0], words[1], headers, b"")
    try:
        length = int(headers["content-length"])
    except (KeyError, ValueError):
        raise _Refused(411, "say how long the body is: Content-Length") from None
    if not 0 <= length <= _BODY_BYTES_MAX:
        raise _Refused(413, f"a body may have up to {_BODY_BYTES_MAX} bytes")
    return _Request(words[0], words[1], headers, await reader.readexactly(length))


def _as_msgpack(request: _Request) -> bytes:
    """The body as hosts expect it; an empty one is null."""
    try:
        if request.headers.get("content-type", "") == _MSGPACK:
            msgspec.msgpack.decode(request.body)
            return request.body
        return msgspec.msgpack.encode(msgspec.json.decode(request.body) if request.body else None)
    except msgspec.DecodeError as error:
        raise _Refused(400, f"the body cannot be read: {error}") from None


def _json(document: Any) -> bytes:
    try:
        return msgspec.json.encode(document)
    except (TypeError, msgspec.MsgspecError):
        return msgspec.json.encode({"error": "the answer has no form in JSON; ask with Accept: application/msgpack"})
