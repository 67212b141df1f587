"""One item between its delivery and its acknowledgement. Made by the channels, worked on by the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecotone.core.messages import Item
    from ecotone.execution.host.inputs import Input
    from ecotone.infrastructure.bus import Delivery

__all__ = ["Entry"]


class Entry:
    """An open delivery.

    Attributes:
        source: the channel it came by; None in tests of triggers.
        payload: what `item` describes, wherever it travelled; `value` once the loop has decoded it.
        arrived_s: when it has arrived, links included (CLOCK_MONOTONIC).
        delivery: what settles it; `duplicates` are further deliveries of it, settled with it.
        slot: where its token stands in the page; -1 when there was no room.
        touched_s: when the stream was last told that it is being worked on.
        raised: how often its handling has raised here.
        reply: where the answer to a request goes; "" for an item.
    """

    __slots__ = (
        "arrived_s", "delivery", "duplicates", "item", "payload", "raised", "reply", "slot", "source",
        "touched_s", "value",
    )  # fmt: skip

    def __init__(
        self,
        item: Item,
        payload: bytes | memoryview,
        arrived_s: float,
        *,
        source: Input | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        self.item = item
        self.payload = payload
        self.arrived_s = arrived_s
        self.source = source
        self.delivery = delivery
        self.duplicates: list[Delivery] = []
        self.slot = -1
        self.touched_s = 0.0
        self.raised = 0
        self.reply = ""
        self.value: object = None

    @property
    def producer(self) -> str:
        return self.item.producer
