"""What has come over one connection and nobody has taken yet: the base of subscriptions, watches and readers.

Called by `_nats`, `_nats_keyvalue` and `_nats_reader`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ecotone.core.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ecotone.core.errors import EcotoneError
    from ecotone.infrastructure.bus._nats_link import Link

__all__ = ["Feed"]

Value = TypeVar("Value")


class Feed(Generic[Value]):
    """An async iterator: first what is there, then what comes; it ends when it is stopped and raises when it failed.

    Args:
        what: what is read, in a person's words, for messages.
        limit: beyond so many values the oldest are lost; None: who feeds it bounds them.
    """

    def __init__(self, link: Link, what: str, *, limit: int | None = None) -> None:
        self._link = link
        self._what = what
        self._values: deque[Value] = deque(maxlen=limit)
        self._changed = asyncio.Event()
        self._failure: EcotoneError | None = None
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        link.on_close(self, self._closed)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Value:
        if self._values:
            await asyncio.sleep(0)  # a reader with a backlog must not keep others from running
        while not self._values:
            await self._wait()
        return self._values.popleft()

    async def end(self) -> None:
        """Hear of the connection no more; who waits is told that nothing comes."""
        self._stopped = True
        self._link.on_reconnect(self, None)
        self._link.on_close(self, None)
        self._changed.set()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _wait(self) -> None:
        """Until something changes; raises when nothing will."""
        if self._failure is not None:
            raise self._failure
        if self._stopped:
            raise StopAsyncIteration
        self._changed.clear()
        await self._changed.wait()

    def _put(self, value: Value) -> None:
        self._values.append(value)
        self._changed.set()

    def _fail(self, error: EcotoneError) -> None:
        self._failure = error
        self._changed.set()

    def _closed(self) -> None:
        self._fail(UnavailableError(f"the connection to the bus was closed under {self._what}"))

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        # A task of our own: a task group would have to span the caller's code and wrap its exceptions.
        self._task = asyncio.get_running_loop().create_task(work)
