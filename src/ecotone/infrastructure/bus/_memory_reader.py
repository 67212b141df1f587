"""Reading a stream of the in-memory bus. Called by `_memory`.

The stream itself is in `_memory_stream`; the waiting is here. `check_open` raises UnavailableError once the reader's
connection is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from ecotone.core.errors import NotFoundError
from ecotone.infrastructure.bus._memory_stream import Handed, StreamLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ecotone.infrastructure.bus.interface import Delivery, StreamConfig

__all__ = ["Reader", "Signal", "Stream"]


class Signal:
    """Wakes all who wait now; later waiters wait for the next one."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def send(self) -> None:
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()


class Stream:
    """A stream and the signal that something of it has changed."""

    def __init__(self, config: StreamConfig) -> None:
        self.log = StreamLog(config)
        self.signal = Signal()
        self.removed = False


class MemoryDelivery:
    """`Delivery`; its token says which stream, consumer, item and delivery it is."""

    __slots__ = ("_check_open", "_consumer", "_handed", "_held", "_settled")

    def __init__(self, check_open: Callable[[], None], held: Stream, consumer: str, handed: Handed) -> None:
        self._check_open = check_open
        self._held = held
        self._consumer = consumer
        self._handed = handed
        self._settled = False

    @property
    def data(self) -> bytes:
        return self._handed.data

    @property
    def sequence(self) -> int:
        return self._handed.sequence

    @property
    def attempt(self) -> int:
        return self._handed.attempt

    @property
    def token(self) -> str:
        return f"{self._held.log.config.name}/{self._consumer}/{self._handed.sequence}/{self._handed.number}"

    async def ack(self) -> None:
        if await self._settle():
            self._held.log.acknowledge(self._consumer, self._handed.sequence)
            self._held.signal.send()

    async def nak(self, *, delay_s: float = 0.0) -> None:
        if await self._settle():
            self._postpone(delay_s)

    async def in_progress(self) -> None:
        self._check_open()
        await checkpoint()
        if not self._settled:
            self._postpone(self._held.log.config.ack_wait_s)

    def is_open(self) -> bool:
        """Whether it takes one of its reader's places."""
        return not self._settled and self._held.log.is_open(
            self._consumer, self._handed.sequence, self._handed.number, now_s=anyio.current_time()
        )

    async def _settle(self) -> bool:
        self._check_open()
        await checkpoint()
        first = not self._settled
        self._settled = True
        return first

    def _postpone(self, delay_s: float) -> None:
        due_s = anyio.current_time() + delay_s
        self._held.log.postpone(self._consumer, self._handed.sequence, self._handed.number, due_s=due_s)
        self._held.signal.send()


class Reader:
    """`Consumer`: takes an item from the log when its caller asks for one, so nothing waits in between."""

    def __init__(self, check_open: Callable[[], None], held: Stream, consumer: str, prefetch: int) -> None:
        self._check_open = check_open
        self._held = held
        self._consumer = consumer
        self._prefetch = prefetch
        self._open: list[MemoryDelivery] = []
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        await checkpoint()
        while True:
            if self._ended:
                raise StopAsyncIteration
            self._check_open()
            if self._held.removed:
                raise NotFoundError(f"stream '{self._held.log.config.name}' was removed")
            self._open = [delivery for delivery in self._open if delivery.is_open()]
            if len(self._open) < self._prefetch:
                handed = self._held.log.take(self._consumer, now_s=anyio.current_time())
                if handed is not None:
                    delivery = MemoryDelivery(self._check_open, self._held, self._consumer, handed)
                    self._open.append(delivery)
                    return delivery
            with anyio.CancelScope(deadline=self._held.log.next_due_s(self._consumer)):
                await self._held.signal.wait()

    def end(self) -> None:
        self._ended = True
        self._held.signal.send()
