"""Removes the objects that crashes leave behind in fast memory. Run by the agent, once a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ecotone.core.errors import EcotoneError
from ecotone.execution.host.objects import sweep, sweep_cutoff_s

if TYPE_CHECKING:
    from pathlib import Path

    from ecotone.core.messages import Deployment
    from ecotone.infrastructure.bus import Bus

__all__ = ["Sweeper"]


class Sweeper:
    """Goes through the channels that have objects; asks the bus only for those."""

    def __init__(self, bus: Bus, shared_root: Path) -> None:
        self._bus = bus
        self._shared_root = shared_root

    async def sweep(self, deployment: Deployment) -> int:
        """One round over all channels; returns how many links were removed. Does nothing while the bus is away."""
        removed = 0
        for channel in deployment.application.channels:
            if next(self._shared_root.glob(f"objects/*/{channel.consumer}/{channel.producer}.*"), None) is None:
                continue
            try:
                state = await self._bus.stream_state(channel.producer)
            except EcotoneError:
                return removed
            cutoff_s = sweep_cutoff_s(state.oldest_time_s, time.time())
            removed += sweep(self._shared_root, producer=channel.producer, consumer=channel.consumer, cutoff_s=cutoff_s)
        return removed
