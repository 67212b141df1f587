"""Requests over HTTP, without a port: one end of a pair of sockets is the client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import anyio
import msgspec
import pytest

from ecotone.core.application import Application, Component, Trigger
from ecotone.infrastructure.bus import MemoryServer
from ecotone.orchestration.control.gateway import Gateway

pytestmark = pytest.mark.anyio

ASK = Component(name="ask", target="ask", trigger=Trigger(kind="request", timeout_s=0.2))
OTHER = Component(name="other", target="other", trigger=Trigger(kind="every", period_s=1.0))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Client:
    """A connection to a gateway, and what its requests meet on the bus."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, text: str, body: bytes = b"") -> tuple[int, Any]:
        self.writer.write(text.replace("\n", "\r\n").encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        data = await self.reader.readexactly(length)
        decode = msgspec.msgpack.decode if "application/msgpack" in head else msgspec.json.decode
        return int(head.split(" ")[1]), decode(data)

    async def post(self, path: str, body: bytes, more: str = "") -> tuple[int, Any]:
        return await self.send(f"POST {path} HTTP/1.1\nContent-Length: {len(body)}\n{more}\n", body)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    bus = MemoryServer().connect()
    gateway = Gateway(bus, Application(name="test", components=(ASK, OTHER)))
    ours, theirs = socket.socketpair()

    async def answer() -> None:
        async with bus.subscribe("request.ask", queue="ask") as messages:
            ready.set()
            async for message in messages:
                value = msgspec.msgpack.decode(message.data)
                if value == "be silent":
                    continue
                reply = {"ok": False, "error": "ValueError: no"} if value is None else {"ok": True, "value": value}
                await bus.publish(message.reply, msgspec.msgpack.encode(reply))

    async def converse() -> None:
        reader, writer = await asyncio.open_connection(sock=theirs)
        await gateway._converse(reader, writer)
        await writer.wait_closed()
        closed.set()

    ready, closed = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(answer)
        group.start_soon(converse)
        await ready.wait()
        reader, writer = await asyncio.open_connection(sock=ours)
        yield Client(reader, writer)
        writer.close()
        await writer.wait_closed()
        await closed.wait()
        group.cancel_scope.cancel()


async def test_json_in_json_out_one_after_the_other(client: Client) -> None:
    assert await client.post("/ask", b'{"a": [1, 2.5, "x"]}') == (200, {"a": [1, 2.5, "x"]})
    assert await client.post("/ask", b"7") == (200, 7)


async def test_msgpack_in_msgpack_out(client: Client) -> None:
    body = msgspec.msgpack.encode({"picture": b"\0\1\2"})

    assert await client.post("/ask", body, "Content-Type: application/msgpack\n") == (200, {"picture": b"\0\1\2"})


async def test_what_the_component_raises(client: Client) -> None:
    assert await client.post("/ask", b"") == (500, {"error": "ValueError: no"})


async def test_no_answer_in_time(client: Client) -> None:
    status, document = await client.post("/ask", b'"be silent"')

    assert status == 504
    assert "0.2 s" in document["error"]


@pytest.mark.parametrize(
    ("request_text", "body", "status"),
    [
        ("POST /other HTTP/1.1\nContent-Length: 1\n\n", b"1", 404),
        ("GET /ask HTTP/1.1\n\n", b"", 405),
        ("POST /ask HTTP/1.1\n\n", b"", 411),
        ("POST /ask HTTP/1.1\nContent-Length: many\n\n", b"", 411),
        ("POST /ask HTTP/1.1\nContent-Length: 99999999\n\n", b"", 413),
        ("POST /ask HTTP/1.1\nContent-Length: 3\n\n", b"{a}", 400),
        ("nonsense\n\n", b"", 400),
    ],
)
async def test_what_is_wrong_is_said(client: Client, request_text: str, body: bytes, status: int) -> None:
    answered, document = await client.send(request_text, body)

    assert answered == status
    assert document["error"]
