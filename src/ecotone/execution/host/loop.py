"""The main thread's loop: what arrives becomes calls, calls become settled items. One instance, one call at a time."""

from __future__ import annotations

import heapq
import time
import traceback
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ecotone.core.errors import ComponentError, UnavailableError
from ecotone.execution.host.channels import WAKE, Broken
from ecotone.execution.host.codec import encode_answer
from ecotone.execution.host.forked import leave_if_forked
from ecotone.execution.host.log import say, words_of
from ecotone.execution.host.outbox import Answer, Dropped, GivenUp, Settled, Snapshot
from ecotone.execution.host.stages import Origin
from ecotone.execution.host.triggers import Call, Lineage, joint_lineage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from ecotone.execution.host.codec import Decoder
    from ecotone.execution.host.entry import Entry
    from ecotone.execution.host.inputs import Input
    from ecotone.execution.host.outbox import Job
    from ecotone.execution.host.stages import Stage
    from ecotone.execution.host.state import StateStore
    from ecotone.execution.host.triggers import Trigger

__all__ = ["Draining", "Loop", "Snapshots"]

_RETRY_S = 0.05


class Draining(BaseException):
    """The host was told to stop, in the middle of something that would not end by itself."""


class Snapshots:
    """When the state is stored, and which handled items wait for it."""

    def __init__(
        self,
        stage: Stage,
        store: StateStore,
        inputs: Sequence[Input],
        *,
        every_s: float,
        items_max: int,
        post: Callable[[Job], None],
    ) -> None:
        self._stage = stage
        self._store = store
        self._inputs = inputs
        self._every_s = every_s
        self._items_max = items_max
        self._post = post
        self._held: list[Entry] = []
        self._calls_held = 0
        self._last_s = time.monotonic()

    def due_s(self) -> float | None:
        """None while there is nothing new to store."""
        if not self._calls_held:
            return None
        return 0.0 if len(self._held) >= self._items_max else self._last_s + self._every_s

    def hold(self, entries: Sequence[Entry]) -> None:
        """One more call is part of the state."""
        self._held += entries
        self._calls_held += 1

    def take(self) -> None:
        """Store the state now; then its items are settled. Raises what user code raises."""
        taken = self._stage.handler.snapshot()
        leave_if_forked()
        state = self._stage.encoder.encode(taken)
        settled = Settled(tuple(self._held), self._stage.page)
        self._post(Snapshot(self._stage.name, self._store, state, self._inputs, settled))
        self._held.clear()
        self._calls_held = 0
        self._last_s = time.monotonic()


class Loop:
    """Everything but sources. `stages` are in data order: the first is the one that is triggered."""

    def __init__(
        self,
        stages: Sequence[Stage],
        trigger: Trigger,
        decoders: Mapping[str, Decoder],
        inbox: SimpleQueue[Any],
        post: Callable[[Job], None],
        *,
        boot: str,
        snapshots: Snapshots | None,
    ) -> None:
        self._stages = stages
        self._head = stages[0]
        self._trigger = trigger
        self._decoders = decoders
        self._inbox = inbox
        self._post = post
        self._boot = boot
        self._snapshots = snapshots
        self._numbers = count()
        self._later: list[tuple[float, int, Entry]] = []
        self._timeout_s = self._head.component.trigger.timeout_s
        self.draining = False

    def run(self) -> None:
        """Work until `draining` is set (and the inbox woken).

        Raises:
            UnavailableError: the bus thread has ended.
        """
        while not self.draining:
            due_s = self._next_due_s()
            try:
                wait_s = None if due_s is None else max(0.0, due_s - time.monotonic())
                self._admit(self._inbox.get(timeout=wait_s))
                while True:
                    self._admit(self._inbox.get_nowait())
            except Empty:
                pass
            self._work()

    def finish(self) -> None:
        """The last call, if the trigger has gathered something, and the last snapshot."""
        call = self._trigger.flush()
        if call is not None:
            self._call(call)
        if self._snapshots is not None and self._snapshots.due_s() is not None:
            self._snapshot(self._snapshots)

    def _next_due_s(self) -> float | None:
        due = [self._trigger.due_s(), self._later[0][0] if self._later else None]
        if self._snapshots is not None:
            due.append(self._snapshots.due_s())
        return min((each for each in due if each is not None), default=None)

    def _admit(self, message: object) -> None:
        if message is WAKE:
            return
        if isinstance(message, Broken):
            raise UnavailableError(message.reason)
        entry: Entry = message  # pyright: ignore[reportAssignmentType] - nothing else is put there
        if entry.arrived_s > time.monotonic():
            heapq.heappush(self._later, (entry.arrived_s, next(self._numbers), entry))
        else:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        item = entry.item
        if entry.reply and self._timeout_s is not None and time.monotonic() > entry.arrived_s + self._timeout_s:
            return  # whoever asked has gone
        try:
            decoder = self._decoders[entry.producer]
            entry.value = decoder.decode(item.encoding, entry.payload, item.dtype, item.shape)
            self._trigger.add(entry)
        except (ComponentError, ValueError) as error:
            self._raised((entry,), error)

    def _work(self) -> None:
        """All calls that can be made now."""
        trigger, later, snapshots = self._trigger, self._later, self._snapshots
        while not self.draining:
            now_s = time.monotonic()
            while later and later[0][0] <= now_s:
                self._add(heapq.heappop(later)[2])
            if snapshots is not None and (due_s := snapshots.due_s()) is not None and due_s <= now_s:
                self._snapshot(snapshots)
            call = trigger.take(now_s)
            if call is None:
                break
            self._call(call)
        given_up = trigger.given_up()
        if given_up:
            self._post(Dropped(given_up))

    def _snapshot(self, snapshots: Snapshots) -> None:
        try:
            snapshots.take()
        except Draining:
            raise
        except BaseException as error:  # noqa: BLE001 - user code raises what it likes
            traceback.print_exc()
            raise ComponentError(f"{self._head.name}: its snapshot failed: {_words(error)}") from None

    def _call(self, call: Call) -> None:
        entries, head = call.entries, self._head
        began_s = None
        if entries:
            lineage = joint_lineage([entry.item for entry in entries])
        else:
            assert call.due_s is not None, "only time calls without items"
            began_s = time.time() - (time.monotonic() - call.due_s)
            lineage = Lineage(f"{head.name}@{self._boot}.{next(self._numbers)}", began_s, {})
        asked = bool(entries and entries[0].reply)
        head.answers = [] if asked else None
        origins = [Origin(entry.item.producer, entry.item.starts_s) for entry in entries]
        try:
            done_s = head.perform(call.value, lineage, origins, began_s)
        except Draining:
            raise
        except BaseException as error:  # noqa: BLE001 - user code raises what it likes, KeyboardInterrupt for instance
            self._raised(entries, error)
            return
        if not entries and call.due_s is not None:
            head.page.record_response(done_s - call.due_s)
        for entry in entries:
            head.page.record_response(done_s - entry.arrived_s)
        if asked:
            self._answer(entries[0])
        elif self._snapshots is not None:
            self._snapshots.hold(entries)
        else:
            self._post(Settled(entries, head.page, self._count_fused()))

    def _count_fused(self) -> list[tuple[Any, int]]:
        counts: list[tuple[Any, int]] = []
        for stage in self._stages[1:]:
            if stage.uncounted:
                counts.append((stage.page, stage.uncounted))
                stage.uncounted = 0
        return counts

    def _answer(self, entry: Entry) -> None:
        head = self._head
        answers, head.answers = head.answers or [], None
        value = answers[0] if len(answers) == 1 else answers or None
        try:
            data = encode_answer({"ok": True, "value": value})
        except (TypeError, ValueError, OverflowError) as error:
            data = encode_answer({"ok": False, "error": f"{head.name}: its answer cannot travel: {error}"})
        self._post(Answer(entry.reply, data, head.page))
        for page, calls in self._count_fused():
            page.add_handled(calls)

    def _raised(self, entries: Sequence[Entry], error: BaseException) -> None:
        """Say it, count it, and try the items again a little later, or give them up."""
        stage = next((each for each in reversed(self._stages) if each.working), self._head)
        for each in self._stages:
            each.working = False
            each.uncounted = 0
        stage.page.add_raised()
        self._head.answers = None
        what = ", ".join(entry.item.id for entry in entries[:3]) or "its call"
        say(f"{stage.name} raised on {what}:")
        if isinstance(error, ComponentError):
            say(str(error))
        else:
            traceback.print_exception(type(error), error, _users_part(error))
        attempts_max = self._head.component.attempts_max
        for entry in entries:
            entry.raised += 1
            if entry.reply:
                self._post(Answer(entry.reply, encode_answer({"ok": False, "error": _words(error)}), None))
            elif entry.raised >= attempts_max:
                self._post(GivenUp(entry, stage.page, entry.raised, _words(error)))
            else:
                again_s = time.monotonic() + _RETRY_S * 2 ** (entry.raised - 1)
                heapq.heappush(self._later, (again_s, next(self._numbers), entry))


def _users_part(error: BaseException) -> TracebackType | None:
    """The traceback from user code on; all of it when it never got there."""
    part = error.__traceback__
    while part is not None and part.tb_frame.f_code.co_filename.startswith(_OURS):
        part = part.tb_next
    return part or error.__traceback__


_OURS = str(Path(__file__).parent)


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, ComponentError) else words_of(error)
