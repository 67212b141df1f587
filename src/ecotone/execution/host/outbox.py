"""What the loop wants of the bus, done strictly in order by one task of the bus thread.

The order is the promise: an input is settled after the outputs that were made of it have been accepted, and a snapshot
is stored after the outputs of all the items that it holds. A full stream makes the whole outbox wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from ecotone.core.errors import NotFoundError, StreamFullError, UnavailableError
from ecotone.core.messages import DEAD_LETTERS, DeadLetter, Event, encode
from ecotone.execution.host.log import say
from ecotone.execution.host.state import BUCKET_STATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.execution.host.codec import Encoded
    from ecotone.execution.host.entry import Entry
    from ecotone.execution.host.inputs import Input
    from ecotone.execution.host.objects import Objects
    from ecotone.execution.host.state import StateStore
    from ecotone.execution.page import InstancePage
    from ecotone.infrastructure.bus import Bus

__all__ = ["Answer", "Dropped", "GivenUp", "Job", "Notice", "Outlet", "Output", "Settled", "Snapshot", "Worker"]

_FULL_WAIT_S = 0.002
_FULL_WAIT_MAX_S = 0.05
_AWAY_WAIT_S = 0.2


class Outlet(NamedTuple):
    """Where one component's output goes. `consumers` are those outside this host; `dropped_objects` names the objects
    of a live channel that its stream may still hold, with their sequences."""

    stream: str
    consumers: tuple[str, ...]
    live: bool
    capacity: int
    page: InstancePage
    kept_objects: deque[tuple[int, str]]


class Worker:
    """What the jobs need, in the bus thread."""

    def __init__(self, bus: Bus, objects: Objects, node: str, instance: str) -> None:
        self.bus = bus
        self.objects = objects
        self.node = node
        self.instance = instance

    async def insist(
        self, stream: str, data: bytes, item_id: str, *, outlet: Outlet | None = None, object_name: str = ""
    ) -> int:
        """Append until the stream has it; the same id again is stored once. Returns the sequence, 0 for a repeat."""
        wait_s = _FULL_WAIT_S
        unknown = False
        while True:
            try:
                ack = await self.bus.append(stream, data, item_id=item_id)
            except StreamFullError:
                if outlet is not None:
                    outlet.page.add_refused()
            except UnavailableError:
                unknown = True  # it may have been stored
                wait_s = _AWAY_WAIT_S
            else:
                return 0 if ack.duplicate and not unknown else ack.sequence
            if object_name and outlet is not None:
                self.objects.touch(object_name, outlet.consumers)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 1.5, _FULL_WAIT_MAX_S)


class Job(Protocol):
    """One entry of the outbox."""

    async def perform(self, worker: Worker) -> None: ...


class Output(NamedTuple):
    """One item to append. `object_name` is "" when the payload is inline."""

    outlet: Outlet
    item_id: str
    data: bytes
    object_name: str

    async def perform(self, worker: Worker) -> None:
        outlet = self.outlet
        sequence = await worker.insist(
            outlet.stream, self.data, self.item_id, outlet=outlet, object_name=self.object_name
        )
        if sequence:
            outlet.page.add_emitted()
            if outlet.live and self.object_name:
                self._forget_dropped(worker, sequence)

    def _forget_dropped(self, worker: Worker, sequence: int) -> None:
        """A live stream keeps `capacity` items: the objects of those that it has dropped can go."""
        outlet = self.outlet
        outlet.kept_objects.append((sequence, self.object_name))
        while outlet.kept_objects[0][0] <= sequence - outlet.capacity:
            worker.objects.discard(outlet.kept_objects.popleft()[1], outlet.consumers)


def _source_of(entry: Entry) -> Input:
    assert entry.source is not None, "only what came by a channel is settled"
    return entry.source


class Settled(NamedTuple):
    """Items that are done, and the page they count in; `others` are the calls of fused components behind it. A call
    without items (a tick) counts once."""

    entries: Sequence[Entry]
    page: InstancePage
    others: Sequence[tuple[InstancePage, int]] = ()

    async def perform(self, worker: Worker) -> None:
        del worker
        new = not self.entries
        if new:
            self.page.add_handled()
        for entry in self.entries:
            if _source_of(entry).mark(entry):
                self.page.add_handled()
                new = True
        if new:
            for page, count in self.others:
                page.add_handled(count)
        for entry in self.entries:
            await _source_of(entry).close(entry)


class Dropped(NamedTuple):
    """Items that will never be handled, and are not to blame."""

    entries: Sequence[Entry]

    async def perform(self, worker: Worker) -> None:
        del worker
        for entry in self.entries:
            _source_of(entry).mark(entry, handled=False)
            await _source_of(entry).close(entry)


class GivenUp(NamedTuple):
    """An item whose handling raised too often: to the dead letters with it."""

    entry: Entry
    page: InstancePage
    attempts: int
    error: str

    async def perform(self, worker: Worker) -> None:
        source = _source_of(self.entry)
        source.keep_for_dead_letters(self.entry)
        letter = DeadLetter(component=source.consumer, item=self.entry.item, attempts=self.attempts, error=self.error)
        try:
            await worker.insist(DEAD_LETTERS, encode(letter), f"{source.consumer}!{self.entry.item.id}")
        except NotFoundError:
            say(f"{source.consumer}: there is no stream of dead letters; item {self.entry.item.id} is only counted")
        if source.mark(self.entry):
            self.page.add_dead()
        await source.close(self.entry)


class Snapshot(NamedTuple):
    """A state to store, and the items that it holds: from now on they are done."""

    component: str
    store: StateStore
    state: Encoded
    inputs: Sequence[Input]
    settled: Settled

    async def perform(self, worker: Worker) -> None:
        for entry in self.settled.entries:
            assert entry.delivery is not None, "what came by a channel was delivered"
            _source_of(entry).handled.add(entry.delivery.sequence)
        data = self.store.pack(self.state, {each.stream: each.handled for each in self.inputs})
        while True:
            try:
                await worker.bus.put(BUCKET_STATE, self.component, data)
                break
            except UnavailableError:
                await asyncio.sleep(_AWAY_WAIT_S)
        self.store.stored(data)
        await self.settled.perform(worker)


class Answer(NamedTuple):
    """The reply to a request; nobody waits for it when the bus is away."""

    subject: str
    data: bytes
    page: InstancePage | None

    async def perform(self, worker: Worker) -> None:
        try:
            await worker.bus.publish(self.subject, self.data)
        except UnavailableError:
            return
        if self.page is not None:
            self.page.add_handled()


class Notice(NamedTuple):
    """An event that others may want to know."""

    time_s: float
    kind: str
    reason: str

    async def perform(self, worker: Worker) -> None:
        event = Event(
            time_s=self.time_s, kind=self.kind, node=worker.node, instance=worker.instance, reason=self.reason
        )
        try:
            await worker.bus.publish(f"event.{worker.node}", msgspec.msgpack.encode(event))
        except UnavailableError:
            return
