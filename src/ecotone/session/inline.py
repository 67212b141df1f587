"""`ecotone run --inline`: every component in this process and this thread, for a debugger and for `print`.

Items still travel encoded, so that what a component receives is what it would receive on the platform. Nothing is
emulated, nothing waits for a link, nobody restarts what raises: the first exception ends the run and is shown.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from ecotone.core.errors import ComponentError
from ecotone.core.ids import instance_id, output_id
from ecotone.core.messages import AgentTelemetry, Item
from ecotone.execution.host.codec import Decoder, Encoder
from ecotone.execution.host.cores import allow_cores
from ecotone.execution.host.entry import Entry
from ecotone.execution.host.kinds import load
from ecotone.execution.host.share import path_ends, starts_path
from ecotone.execution.host.triggers import joint_lineage, trigger_of
from ecotone.execution.host.used import used_cpu_s
from ecotone.execution.page import InstancePage
from ecotone.orchestration.control.observe import Facts, Sample, observe, sample_of, timeline_point
from ecotone.orchestration.control.outputs import outputs_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator

    from ecotone.core.application import Component
    from ecotone.core.messages import Deployment
    from ecotone.core.report import RunReport, TimelinePoint
    from ecotone.execution.host.triggers import Call
    from ecotone.session.folders import RunFolders

__all__ = ["run_inline"]

_IDLE_S = 0.05


def run_inline(
    deployment: Deployment,
    folders: RunFolders,
    *,
    for_s: float | None,
    stop: threading.Event,
    on_snapshot: Callable[[RunReport], None] | None,
    snapshot_every_s: float,
) -> RunReport:
    """Run until `for_s` has passed, `stop` is set or every source has ended; then handle what still waits.

    Raises:
        ComponentError: a component raised; the message holds its traceback.
    """
    os.environ["ECOTONE_OUTPUT_DIR"] = folders.outputs
    watch = _Watch(deployment, folders, on_snapshot, snapshot_every_s)
    stages = _load_stages(deployment, folders)
    watch.begin(stages)
    end_s = time.monotonic() + for_s if for_s is not None else None
    while not stop.is_set() and (end_s is None or time.monotonic() < end_s):
        if not _step(stages, sources=True):
            due_s = min((each.due_s() for each in stages), default=None)
            if due_s is None or due_s == float("inf"):
                break  # nothing will ever happen again
            stop.wait(max(0.0, min(due_s - time.monotonic(), _IDLE_S)))
        watch.look()
    while _step(stages, sources=False):
        watch.look()
    for stage in stages:
        stage.flush()
        while _step(stages, sources=False):
            watch.look()
    return watch.finish()


def _step(stages: list[_Stage], *, sources: bool) -> bool:
    """Let the component farthest downstream that has something to do, do it once; whether there was one."""
    return any(stage.step(sources=sources) for stage in reversed(stages))


def _load_stages(deployment: Deployment, folders: RunFolders) -> list[_Stage]:
    application = deployment.application
    stages = {
        each.name: _Stage(deployment, each, Path(folders.shared) / f"{each.name}.page")
        for each in application.in_data_order()
    }
    for stage in stages.values():
        stage.consumers = [stages[name] for name in application.consumers(stage.component.name)]
    return list(stages.values())


class _Stage:
    """One component: its handler, what waits for it, and what it has counted."""

    def __init__(self, deployment: Deployment, component: Component, page: Path) -> None:
        self.component = component
        assignments = deployment.plan.assignments_of(component.name)
        self.node = assignments[0].node if assignments else ""
        variant = assignments[0].variant if assignments else component.variants[0].name
        allow_cores(component.name, assignments[0].cores if assignments else component.cores[0])
        with _explained(component.name, "could not be loaded"):
            self._handler = load(deployment.root, deployment.module, component, variant, deployment.parameters)
        self.consumers: list[_Stage] = []
        self.page = InstancePage.create(page)
        self.page.phase = 1
        self._encoder = Encoder(component.name)
        self._decoders = {
            name: Decoder(self._handler.hint_for(deployment.application.component(name)))
            for name in component.trigger.inputs
        }
        is_source = component.trigger.kind == "source"
        self._trigger = None if is_source or component.trigger.kind == "request" else trigger_of(component, _now_s())
        self._source: Iterator[object] | None = None
        if is_source:
            with _explained(component.name, "raised"):
                self._source = iter(self._handler.handle())
        self._calls: deque[Call] = deque()
        self._starts_path = starts_path(deployment.application, component.name)
        self._path_ends = path_ends(deployment.application, component.name)
        self._made = 0

    def due_s(self) -> float:
        """When it wants to be asked again without a new item; infinity when never."""
        if self._source is not None:
            return _now_s()
        due_s = self._trigger.due_s() if self._trigger is not None else None
        return float("inf") if due_s is None else due_s

    def flush(self) -> None:
        """No more will come: what has been gathered is due now."""
        call = self._trigger.flush() if self._trigger is not None else None
        if call is not None:
            self._calls.append(call)

    def step(self, *, sources: bool) -> bool:
        """Make one call, or take one item from a source; whether there was anything to do."""
        by_itself = not self.component.trigger.inputs
        if by_itself and not sources:
            return False
        if self._source is not None:
            return self._take_from_source()
        call = self._calls.popleft() if self._calls else None
        if call is None and self._trigger is not None:
            call = self._trigger.take(_now_s())
        if call is None:
            return False
        self._make(call)
        return True

    def _take_from_source(self) -> bool:
        assert self._source is not None
        begun_s, cpu_s = _now_s(), used_cpu_s()
        with _explained(self.component.name, "raised"):
            try:
                value = next(self._source)
            except StopIteration:
                self._source = None
                return False
        self._record(begun_s, begun_s, cpu_s)
        self._emit(value, f"{self.component.name}/{self._made}", time.time(), {})
        self._made += 1
        return True

    def _make(self, call: Call) -> None:
        items = [entry.item for entry in call.entries]
        wall_s, begun_s, cpu_s = time.time(), _now_s(), used_cpu_s()
        if items:
            lineage = joint_lineage(items)
            input_id, origin_s, starts_s = lineage.id, lineage.origin_s, dict(lineage.starts_s)
        else:
            input_id, origin_s, starts_s = f"{self.component.name}/{self._made}", wall_s, {}
            self._made += 1
        if self._starts_path:
            starts_s[self.component.name] = wall_s
        with _explained(self.component.name, "raised"):
            outputs = list(self._handler.handle(*call.value))
        arrived_s = min((entry.arrived_s for entry in call.entries), default=begun_s)
        self._record(arrived_s, begun_s, cpu_s)
        self.page.add_handled(len(items) or 1)
        for end in self._path_ends:
            if end.first in starts_s:
                self.page.record_path(end.path, time.time() - starts_s[end.first])
        for index, value in enumerate(outputs):
            self._emit(value, output_id(self.component.name, input_id, index), origin_s, starts_s)

    def _record(self, arrived_s: float, begun_s: float, cpu_s: float) -> None:
        now_s = _now_s()
        self.page.record_service(now_s - begun_s, used_cpu_s() - cpu_s)
        self.page.record_response(now_s - arrived_s)

    def _emit(self, value: object, item_id: str, origin_s: float, starts_s: dict[str, float]) -> None:
        self.page.add_emitted()
        encoded = self._encoder.encode(value)
        payload = b"".join(encoded.buffers)
        if self._starts_path:
            starts_s = {self.component.name: origin_s} | starts_s
        item = Item(
            id=item_id,
            producer=self.component.name,
            node=self.node,
            origin_s=origin_s,
            sent_s=time.time(),
            starts_s=starts_s,
            encoding=encoded.encoding,
            payload=payload,
            dtype=encoded.dtype,
            shape=encoded.shape,
            size_bytes=encoded.size_bytes,
        )
        for consumer in self.consumers:
            consumer.receive(item, payload)

    def receive(self, item: Item, payload: bytes) -> None:
        entry = Entry(item, payload, _now_s())
        entry.value = self._decoders[item.producer].decode(item.encoding, payload, item.dtype, item.shape)
        assert self._trigger is not None, "what has inputs has a trigger"
        self._trigger.add(entry)


class _Watch:
    """Turns the pages into snapshots, and at the end into the report."""

    def __init__(
        self,
        deployment: Deployment,
        folders: RunFolders,
        on_snapshot: Callable[[RunReport], None] | None,
        every_s: float,
    ) -> None:
        self._deployment = deployment
        self._folders = folders
        self._on_snapshot = on_snapshot
        self._every_s = every_s
        self._started_at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self._stages: list[_Stage] = []
        self._timeline: list[TimelinePoint] = []

    def begin(self, stages: list[_Stage]) -> None:
        self._stages = stages
        self._begun_s = _now_s()
        self._next_s = self._begun_s + self._every_s
        self._second = self._now = self._sample()

    def look(self) -> None:
        """Take a snapshot if it is time."""
        if _now_s() < self._next_s:
            return
        self._next_s = _now_s() + self._every_s
        self._now = self._sample()
        if self._now.time_s - self._second.time_s >= 1.0:
            self._timeline.append(timeline_point(self._deployment, self._second, self._now))
            self._second = self._now
        if self._on_snapshot is not None:
            self._on_snapshot(self._report(finished=False))

    def finish(self) -> RunReport:
        self._now = self._sample()
        report = self._report(finished=True)
        for stage in self._stages:
            stage.page.close()
        return report

    def _report(self, *, finished: bool) -> RunReport:
        return observe(
            self._deployment,
            Facts(
                run=self._folders.run,
                started_at=self._started_at,
                duration_s=_now_s() - self._begun_s,
                finished=finished,
                now=self._now,
                second_ago=self._second,
                timeline=tuple(self._timeline),
                outputs=outputs_of(Path(self._folders.folder)),
            ),
        )

    def _sample(self) -> Sample:
        time_s = _now_s() - self._begun_s
        instances = tuple(
            stage.page.telemetry(
                instance=instance_id(stage.component.name, stage.node, 0),
                component=stage.component.name,
                node=stage.node,
            )
            for stage in self._stages
        )
        return sample_of([AgentTelemetry(agent="inline", time_s=time.time(), instances=instances)], time_s)


@contextlib.contextmanager
def _explained(component: str, what: str) -> Generator[None]:
    try:
        yield
    except ComponentError:
        raise
    except Exception as error:
        own = [each for each in traceback.extract_tb(error.__traceback__) if "/ecotone/" not in each.filename]
        shown = "".join(traceback.format_list(own))
        if sys.gettrace() is not None:
            raise  # a debugger wants the exception where it happened
        message = f"{component} {what}: {type(error).__name__}: {error}\n{shown}".rstrip()
        raise ComponentError(message) from error


def _now_s() -> float:
    return time.monotonic()
