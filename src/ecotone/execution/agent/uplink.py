"""What an agent says on the bus. Nothing here makes the agent wait: tasks send what they were handed when they can.

States and telemetry are latest-only; events and deliveries to give back are queues. When the bus is away for a while
they wait; of the events only the newest stay. Written to asyncio, as all of the agent: the first use of anyio would
cost 50 ms of CPU on the way to the first item.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING

from ecotone.core.errors import EcotoneError, UnavailableError
from ecotone.core.messages import BUCKET_SEEN, AgentTelemetry, Event, SeenNode, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ecotone.infrastructure.bus import Bus

__all__ = ["Uplink"]

_EVENTS_MAX = 1000
_RETRY_S = 0.1
_log = logging.getLogger("ecotone.agent")


class Uplink:
    """Four senders over one bus; `run` them in a task group."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._seen: dict[str, SeenNode] = {}
        self._events: deque[Event] = deque(maxlen=_EVENTS_MAX)
        self._tokens: deque[str] = deque()
        self._telemetry: AgentTelemetry | None = None
        self._wake = {name: asyncio.Event() for name in ("seen", "events", "tokens", "telemetry")}

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sender("seen", self._send_seen))
            group.create_task(self._sender("events", self._send_events))
            group.create_task(self._sender("tokens", self._send_tokens))
            group.create_task(self._sender("telemetry", self._send_telemetry))

    def report(self, seen: SeenNode) -> None:
        """Write what is seen of a node."""
        self._seen[seen.node] = seen
        self._wake["seen"].set()

    def tell(self, event: Event) -> None:
        """Publish an event."""
        self._events.append(event)
        self._wake["events"].set()

    def give_back(self, tokens: Iterable[str]) -> None:
        """Have deliveries made again."""
        self._tokens.extend(tokens)
        self._wake["tokens"].set()

    def measured(self, telemetry: AgentTelemetry) -> None:
        """Publish telemetry; one that could not be sent in time is replaced."""
        self._telemetry = telemetry
        self._wake["telemetry"].set()

    async def settle(self, limit_s: float) -> None:
        """Wait until all is sent, `limit_s` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self._seen or self._events or self._tokens or self._telemetry:  # noqa: ASYNC110 - at the end
                    await asyncio.sleep(0.005)

    async def _sender(self, name: str, send: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._wake[name].wait()
            self._wake[name] = asyncio.Event()
            try:
                await send()
            except EcotoneError as error:
                _log.warning("cannot send %s: %s", name, error)
                await asyncio.sleep(_RETRY_S)
                self._wake[name].set()

    async def _send_seen(self) -> None:
        while self._seen:
            node, seen = next(iter(self._seen.items()))
            await self._bus.put(BUCKET_SEEN, node, encode(seen))
            if self._seen.get(node) is seen:  # nothing newer came meanwhile
                del self._seen[node]

    async def _send_events(self) -> None:
        while self._events:
            event = self._events[0]
            await self._bus.publish(f"event.{event.node or 'agent'}", encode(event))
            if self._events and self._events[0] is event:
                self._events.popleft()

    async def _send_tokens(self) -> None:
        while self._tokens:
            try:
                await self._bus.give_back(self._tokens[0])
            except UnavailableError:
                raise
            except EcotoneError as error:
                _log.warning("cannot give back %s: %s", self._tokens[0], error)  # a stream that is no more
            self._tokens.popleft()

    async def _send_telemetry(self) -> None:
        telemetry, self._telemetry = self._telemetry, None
        if telemetry is not None:
            await self._bus.publish(f"telemetry.{telemetry.agent}", encode(telemetry))
