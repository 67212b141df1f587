"""The receiving end of one channel: from a delivery to an entry in the loop's inbox, and to its settlement.

Runs in the host's bus thread. An item that is known to be done is acknowledged again and goes no further; one that is
in the house already is kept with its twin; an object is mapped at once; links delay its arrival.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import NotFoundError, UnavailableError
from ecotone.core.messages import Item, ObjectRef
from ecotone.execution.host.entry import Entry
from ecotone.execution.host.log import say
from ecotone.execution.host.state import Handled
from ecotone.execution.page import TOKENS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecotone.core.application import Component
    from ecotone.execution.host.emulation import Route
    from ecotone.execution.host.ledger import Ledger
    from ecotone.execution.host.objects import Objects
    from ecotone.execution.page import InstancePage
    from ecotone.infrastructure.bus import Delivery

__all__ = ["Input", "TokenSlots"]

_items = msgspec.msgpack.Decoder(Item)


class TokenSlots:
    """The open deliveries in the page, for the agent to give back should this host die."""

    def __init__(self, page: InstancePage) -> None:
        self._page = page
        self._free = list(range(TOKENS_MAX))

    def put(self, token: str) -> int:
        """The slot, or -1: those beyond come back when the stream has waited long enough."""
        if not self._free:
            return -1
        slot = self._free.pop()
        self._page.set_token(slot, token)
        return slot

    def clear(self, slot: int) -> None:
        if slot >= 0:
            self._page.clear_token(slot)
            self._free.append(slot)


class Input:
    """What `consumer` takes of `producer`'s output."""

    def __init__(
        self,
        *,
        producer: Component,
        consumer: Component,
        prefetch: int,
        page: InstancePage,
        slots: TokenSlots,
        ledger: Ledger,
        objects: Objects,
        route_from: Callable[[str], Route | None],
        deliver: Callable[[Entry], None],
        give_up: Callable[[Entry, str], None],
    ) -> None:
        self.stream = producer.name
        self.consumer = consumer.name
        self.producer = producer
        self.prefetch = prefetch
        self.open: dict[int, Entry] = {}
        self.handled = Handled()  # by the last snapshot; stays empty without snapshots
        self._live = producer.live
        self._page = page
        self._slots = slots
        self._ledger = ledger
        self._objects = objects
        self._route_from = route_from
        self._deliver = deliver
        self._give_up = give_up
        # A handling that raises is tried again in this host; only hosts that die make the stream deliver so often.
        self._attempts_max = 3 * consumer.attempts_max + 4

    async def receive(self, delivery: Delivery) -> None:
        """Take one delivery.

        Raises:
            UnavailableError: the bus is closed.
        """
        sequence = delivery.sequence
        twin = self.open.get(sequence)
        if twin is not None:
            twin.duplicates.append(delivery)
            return
        in_snapshot = sequence in self.handled
        if in_snapshot or self._ledger.done(sequence):
            # A host that died between storing the snapshot and settling its items has not counted them.
            if in_snapshot and self._count(sequence, handled=True):
                self._page.add_handled()
            await delivery.ack()
            return
        try:
            item = _items.decode(delivery.data)
        except msgspec.MsgspecError as error:
            say(f"{self.consumer}: item {sequence} of {self.stream} is unreadable and was skipped: {error}")
            self._page.add_dead()
            self._ledger.mark(sequence)
            await delivery.ack()
            return
        await self._admit(item, delivery)

    async def _admit(self, item: Item, delivery: Delivery) -> None:
        now_s, payload, object_name, size_bytes = time.monotonic(), item.payload, "", len(delivery.data)
        gone = ""
        if isinstance(payload, ObjectRef):
            object_name, size_bytes = payload.name, payload.size_bytes
            try:
                data = self._objects.fetch(payload, self.consumer)
            except NotFoundError as error:
                data, gone = b"", str(error)
        else:
            data = payload
        if gone and self._live:  # dropped between its delivery and now
            self._count(delivery.sequence, handled=False)
            await delivery.ack()
            return
        route = self._route_from(item.node)
        if route is not None and not gone:
            now_s, charged = route.arrival_s(now_s, size_bytes, object_name)
            self._page.add_link_bytes(charged)
        entry = Entry(item, data, now_s, source=self, delivery=delivery)
        entry.slot = self._slots.put(delivery.token)
        entry.touched_s = time.monotonic()
        self.open[delivery.sequence] = entry
        if gone:
            self._give_up(entry, gone)
        elif delivery.attempt > self._attempts_max:
            self._give_up(entry, f"it was delivered {delivery.attempt} times and its hosts died")
        else:
            self._deliver(entry)

    def _count(self, sequence: int, *, handled: bool) -> bool:
        mark = self._ledger.mark(sequence, handled=handled)
        if self._live and mark.dropped:
            self._page.add_dropped(mark.dropped)
        return mark.first

    def mark(self, entry: Entry, *, handled: bool = True) -> bool:
        """Note that the item is done (or, not `handled`, dropped); `close` it afterwards.

        Returns whether it is done for the first time: whoever counts it must do so at once, since a host that dies
        in between has settled an item that nobody counts.
        """
        assert entry.delivery is not None, "what came by a channel was delivered"
        sequence = entry.delivery.sequence
        if handled or self._live:
            return self._count(sequence, handled=handled)
        first = self._ledger.mark(sequence).first
        if first:
            self._page.add_dropped(1)
        return first

    async def close(self, entry: Entry) -> None:
        """Acknowledge the item and forget it."""
        await self._close(entry, acknowledge=True)

    async def give_back(self, entry: Entry) -> None:
        """Not done here: another host, or the next one, should take it now."""
        await self._close(entry, acknowledge=False)

    async def _close(self, entry: Entry, *, acknowledge: bool) -> None:
        assert entry.delivery is not None, "what came by a channel was delivered"
        try:
            for delivery in (entry.delivery, *entry.duplicates):
                await (delivery.ack() if acknowledge else delivery.nak())
        except UnavailableError:
            pass  # it will be delivered again, and the ledger knows it
        self._slots.clear(entry.slot)
        if acknowledge and isinstance(entry.item.payload, ObjectRef):
            self._objects.remove(entry.item.payload, self.consumer)
        self.open.pop(entry.delivery.sequence, None)

    def keep_for_dead_letters(self, entry: Entry) -> None:
        if isinstance(entry.item.payload, ObjectRef):
            self._objects.keep_for_dead_letters(entry.item.payload, self.consumer)

    async def keep_open(self, now_s: float, after_s: float) -> None:
        """Tell the stream of every item held for longer than `after_s` that it is being worked on."""
        for entry in tuple(self.open.values()):
            if now_s - entry.touched_s > after_s and entry.delivery is not None:
                entry.touched_s = now_s
                await entry.delivery.in_progress()
