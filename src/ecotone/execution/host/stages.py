"""One component at work in a host: user code is called, measured, padded to the node's speed, its outputs sent.

Runs in the main thread. Components that are fused behind this one are called at once with what it emits.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ecotone.core.errors import UnavailableError
from ecotone.core.ids import output_id
from ecotone.core.messages import Item, ObjectRef
from ecotone.execution.host.forked import leave_if_forked
from ecotone.execution.host.log import say
from ecotone.execution.host.objects import OBJECT_MIN_BYTES
from ecotone.execution.host.outbox import Output
from ecotone.execution.host.triggers import Lineage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ecotone.core.application import Component
    from ecotone.execution.host.codec import Encoded, Encoder
    from ecotone.execution.host.kinds import Handler
    from ecotone.execution.host.meter import Meter
    from ecotone.execution.host.objects import Objects
    from ecotone.execution.host.outbox import Job, Outlet
    from ecotone.execution.page import InstancePage

__all__ = ["Origin", "PathEnd", "Sender", "Stage"]

_MEMORY_PATIENCE_S = 10.0
_MEMORY_WAIT_S = 0.05
_END = object()
_items = msgspec.msgpack.Encoder()


class Origin(NamedTuple):
    """One item that a call works on, for the paths that end here: who sent it, and when its ancestors started."""

    producer: str
    starts_s: Mapping[str, float]


class PathEnd(NamedTuple):
    """A promised path that ends at a component: its number, its first component and the last but one ("": itself)."""

    path: int
    first: str
    before: str


class Sender(NamedTuple):
    """What stages need to send. `room` waits for the bus to keep up, and raises when the host stops instead."""

    node: str
    objects: Objects
    post: Callable[[Job], None]
    room: Callable[[], None]


class Stage:
    """One component of the instance.

    Attributes:
        working: between the beginning and the good end of a call; still set after one that raised.
        uncounted: calls as a fused component that are not in the page yet, since their input is not settled.
        answers: what a request's call gave; None when nobody asks.
        waiting: a source's code has control, and may wait for as long as it likes.
    """

    def __init__(
        self,
        *,
        component: Component,
        handler: Handler,
        encoder: Encoder,
        page: InstancePage,
        meter: Meter,
        sender: Sender,
        outlet: Outlet | None,
        followers: Sequence[Stage],
        starts_path: bool,
        ends: Sequence[PathEnd],
        before_call: Callable[[], None] | None = None,
    ) -> None:
        """`outlet` None: all consumers are `followers`, so nothing needs to leave the host."""
        self.component = component
        self.name = component.name
        self.handler = handler
        self.page = page
        self.encoder = encoder
        self.working = False
        self.uncounted = 0
        self.answers: list[object] | None = None
        self.waiting = False
        self._meter = meter
        self._sender = sender
        self._outlet = outlet
        self._followers = tuple(followers)
        self._starts_path = starts_path
        self._ends = tuple(ends)
        self._before_call = before_call

    def perform(
        self, value: tuple[object, ...], lineage: Lineage, origins: Sequence[Origin], began_s: float | None = None
    ) -> float:
        """Call user code once and send what it gives; returns when it was done (monotonic).

        `began_s`: wall time at which the work on it counts as begun, None for now. Raises what user code raises.
        """
        self.working = True
        if self._starts_path:
            start_s = time.time() if began_s is None else began_s
            lineage = lineage._replace(starts_s={**lineage.starts_s, self.name: start_s})
        meter, page = self._meter, self.page
        self._begin()
        try:
            outputs = self.handler.handle(*value)
        except BaseException:
            self._pause()
            raise
        if isinstance(outputs, tuple):
            done_s = self._pause()
            for index, output in enumerate(outputs):
                self._emit(output, output_id(self.name, lineage.id, index), lineage)
        else:
            done_s = self._stream(outputs, lineage)
        page.record_service(meter.busy_s, meter.cpu_s)
        if meter.late_s:
            page.add_late_s(meter.late_s)
        if self._ends:
            self._record_paths(origins, lineage)
        self.working = False
        return done_s

    def produce(self, items: Iterator[object], number_from: Callable[[], str]) -> bool:
        """One item of a source; False when it has no more. Its work on the item is what it computed before it."""
        self.working = True
        self._meter.begin()
        self.waiting = True
        try:
            output = next(items, _END)
        finally:
            self.waiting = False
            leave_if_forked()
            yielded_s = time.time()
            self._meter.pause()
        if output is not _END:
            start_s = yielded_s - self._meter.cpu_s
            item_id = number_from()
            starts_s = {self.name: start_s} if self._starts_path else {}
            self._emit(output, item_id, Lineage(item_id, start_s, starts_s))
            self.page.record_service(self._meter.busy_s, self._meter.cpu_s)
            self.page.record_response(self._meter.busy_s)
            if self._meter.late_s:
                self.page.add_late_s(self._meter.late_s)
        self.working = False
        return output is not _END

    def _begin(self) -> None:
        if self._before_call is not None:
            self._before_call()
        self._meter.begin()
        self.page.item_started_s = self._meter.started_s

    def _pause(self) -> float:
        leave_if_forked()
        self.page.item_started_s = 0.0
        return self._meter.pause()

    def _stream(self, outputs: Iterable[object], lineage: Lineage) -> float:
        """Send a generator's outputs one by one while it works; the time in between is not its own."""
        iterator: Iterator[object] = iter(outputs)
        index = 0
        while True:
            try:
                output = next(iterator, _END)
            except BaseException:
                self._pause()
                raise
            now_s = self._pause()
            if output is _END:
                return now_s
            self._emit(output, output_id(self.name, lineage.id, index), lineage)
            index += 1
            self._meter.resume()
            self.page.item_started_s = self._meter.started_s

    def _record_paths(self, origins: Sequence[Origin], lineage: Lineage) -> None:
        now_s = time.time()
        for path, first, before in self._ends:
            if not before:
                self.page.record_path(path, now_s - lineage.starts_s[first])
            for origin in origins:
                if origin.producer == before and first in origin.starts_s:
                    self.page.record_path(path, now_s - origin.starts_s[first])

    def _emit(self, value: object, item_id: str, lineage: Lineage) -> None:
        if self.answers is not None:
            self.answers.append(value)
        if self._outlet is not None:
            self._send(self._outlet, value, item_id, lineage)
        else:
            self.page.add_emitted()
        for follower in self._followers:
            began_s = time.monotonic()
            origins = (Origin(self.name, lineage.starts_s),)
            done_s = follower.perform((value,), lineage._replace(id=item_id), origins)
            follower.page.record_response(done_s - began_s)
            follower.uncounted += 1

    def _send(self, outlet: Outlet, value: object, item_id: str, lineage: Lineage) -> None:
        sender = self._sender
        encoded = self.encoder.encode(value)
        object_name = ""
        if encoded.size_bytes < OBJECT_MIN_BYTES:
            payload: bytes | ObjectRef = b"".join(encoded.buffers)
        elif outlet.consumers:
            object_name = self._put(outlet, encoded)
            payload = ObjectRef(node=sender.node, name=object_name, size_bytes=encoded.size_bytes)
        else:
            payload = b""  # nobody will read it; it only counts
        item = Item(
            item_id, self.name, sender.node, lineage.origin_s, time.time(), dict(lineage.starts_s),
            encoded.encoding, payload, encoded.dtype, encoded.shape, encoded.size_bytes,
        )  # fmt: skip
        sender.room()
        sender.post(Output(outlet, item_id, _items.encode(item), object_name))

    def _put(self, outlet: Outlet, encoded: Encoded) -> str:
        """Write the object, waiting a while for room."""
        give_up_s = 0.0
        while True:
            try:
                return self._sender.objects.put(self.name, outlet.consumers, encoded.buffers)
            except UnavailableError as error:
                now_s = time.monotonic()
                if not give_up_s:
                    say(f"{self.name}: {error}; waiting up to {_MEMORY_PATIENCE_S:.0f} s for its readers")
                    give_up_s = now_s + _MEMORY_PATIENCE_S
                if now_s > give_up_s:
                    raise
            time.sleep(_MEMORY_WAIT_S)
