"""An operator's NATS server instead of the bundled one: a run has a part of it, and leaves nothing there.

Called by `Session` and `run_embedded`. All that a run makes there has a name that begins with `ecotone-<run>`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Self

import anyio

from ecotone.core.errors import EcotoneError, InputError
from ecotone.infrastructure.bus import NamespacedBus, connect, read_address, with_namespace

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["OutsideBus", "check_bus"]

_TIDY_LIMIT_S = 10.0
_log = logging.getLogger("ecotone.session")


def check_bus(bus_url: str) -> None:
    """Whether a run can use the server; nothing is made there.

    Raises:
        InputError: `bus_url` is not a bus URL, or says more than where the server is.
        UnavailableError: the server is not there, refuses us, or has no JetStream.
    """
    asyncio.run(_look(bus_url))


async def _look(bus_url: str) -> None:
    bus = await connect(with_namespace(bus_url, "ecotone"), name="check", patient=False)
    try:
        await bus.streams()
    finally:
        await bus.close()


class OutsideBus:
    """A context around the run: connected in it, and emptied behind it. Nobody else may use the namespace any more when
    it is left.

    Args:
        bus_url: of the server.
        run: its id.
        resume: whether there must be something to go on with.

    Attributes:
        url: for agents and hosts.
        bus: for the controller; known inside the context.
        left: known after it: "", or a sentence on what could not be removed.
    """

    def __init__(self, bus_url: str, run: str, *, resume: bool) -> None:
        self._namespace = f"ecotone-{run}"
        self._resume = resume
        self.url = with_namespace(bus_url, self._namespace)
        self.place = read_address(bus_url).place
        self.left = ""

    async def __aenter__(self) -> Self:
        """Raises as `check_bus` does, and InputError when there is nothing to resume."""
        bus = await connect(self.url, name="controller", patient=False)
        assert isinstance(bus, NamespacedBus), "its URL has a namespace"
        self.bus = bus
        try:
            if not await bus.streams() and self._resume:  # asked in any case: no JetStream, no answer
                raise InputError(
                    f"there is nothing to resume on the bus at {self.place}: a run that ends there, and is not killed, "
                    "leaves nothing behind; run it without --resume"
                )
        except BaseException:
            with anyio.CancelScope(shield=True):
                await bus.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            try:
                with anyio.fail_after(_TIDY_LIMIT_S):
                    await self.bus.remove_everything()
            except (EcotoneError, TimeoutError) as trouble:
                reason = str(trouble) or "it does not answer"
                self.left = (
                    f"what the run made on the bus at {self.place} is still there ({reason}): --resume goes on with "
                    f"it, or remove the streams that begin with {self._namespace}_ and KV_{self._namespace}_"
                )
                if error is not None:  # then there is no report to say it in
                    _log.warning("%s", self.left)
            await self.bus.close()
