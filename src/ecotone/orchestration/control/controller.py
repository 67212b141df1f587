"""The shell of control: carries out a deployment, keeps its processes alive, follows it, and reports.

Called by the session:

    async with Controller(bus, deployment, run_folder, children=(server, agent)) as controller:
        await controller.deploy()
        await controller.wait_running(30)
        ... controller.snapshot() ...
        report = await controller.drain_and_stop(5)
"""

from __future__ import annotations

import contextlib
import datetime
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
import msgspec

from ecotone.core.clock import SYSTEM_CLOCK
from ecotone.core.errors import ComponentError, EcotoneError, UnavailableError
from ecotone.core.messages import (
    BUCKET_DEPLOYMENT,
    BUCKET_SEEN,
    BUCKET_WANTED,
    KEY_CURRENT,
    AgentTelemetry,
    Event,
    SeenNode,
    WantedNode,
    decode,
    encode,
)
from ecotone.orchestration.control.elastic import Elastic, elastic_cores
from ecotone.orchestration.control.following import Following
from ecotone.orchestration.control.gateway import Gateway
from ecotone.orchestration.control.observe import (
    Facts,
    Sample,
    count_restarts,
    observe,
    sample_of,
    timeline_point,
    unaccounted_items,
)
from ecotone.orchestration.control.outputs import outputs_of
from ecotone.orchestration.control.reconcile import (
    SOURCES_WAIT_MAX_S,
    ChildState,
    channels_outside,
    child_died,
    drain_step,
    progress,
    sources,
    streams_of,
    wanted_first,
    wanted_nodes,
    with_cores,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    from anyio.abc import TaskGroup

    from ecotone.core.clock import Clock
    from ecotone.core.messages import Deployment
    from ecotone.core.report import RunReport, TimelinePoint
    from ecotone.infrastructure.bus import Bus, ConsumerState, StreamState
    from ecotone.orchestration.control.elastic import Judge
    from ecotone.orchestration.control.processes import Child
    from ecotone.orchestration.performance.observed import Observed

__all__ = ["Controller"]

_STATES_EVERY_S = 0.5
_STATES_LIMIT_S = 2.0
_DRAIN_LOOK_S = 0.03
_POINT_MIN_S = 0.5
_EVENTS_MAX = 10_000
_STOP_LIMIT_S = 8.0
_DEATHS_UNTIL_TOLD = 3
_TAKE_OVER_LIMIT_S = 5.0


class Controller:
    """One run. Enter it, `deploy`, and leave it: then every child process is down, whatever happened.

    Args:
        bus: connected; stays the caller's.
        deployment: what to run.
        run_folder: `events.jsonl` is appended there; `outputs` in it is listed in reports.
        children: processes that it keeps alive from now on and stops at the end, in this order (agents before the
            bus server).
        started_s: wall time at which the command was given, for the time to the first item; now, if left out.
        observed: what earlier runs taught, and the plan was corrected by.
        judge: what would be broken with other numbers of cores, where they may be changed; None: they stay as planned.
        clock: the time.
    """

    def __init__(
        self,
        bus: Bus,
        deployment: Deployment,
        run_folder: str | PathLike[str],
        *,
        children: tuple[Child, ...] = (),
        started_s: float | None = None,
        observed: Observed | None = None,
        judge: Judge | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._bus = bus
        self._deployment = deployment
        self._run_folder = Path(run_folder)
        self._children = children
        self._clock = clock
        self._command_s = clock.wall_s() if started_s is None else started_s
        self._start_s = clock.monotonic_s()
        self._wanted = wanted_nodes(deployment)
        self._published: dict[str, WantedNode] = {}
        self._publishing = anyio.Lock()  # what was said last must be written last
        self._draining = False
        self._seen: dict[str, SeenNode] = {}
        self._restarts: dict[tuple[str, str], int] = {}
        self._failed: set[str] = set()
        self._telemetry: dict[str, AgentTelemetry] = {}
        self._shares = (0.0, 0)
        self._samples: deque[Sample] = deque([Sample(time_s=0.0, instances={})], maxlen=2)
        self._timeline: list[TimelinePoint] = []
        self._following = Following(deployment, observed)
        self._elastic = Elastic(deployment, judge) if judge is not None and elastic_cores(deployment) else None
        self._streams: dict[str, StreamState] = {}
        self._consumers: dict[tuple[str, str], ConsumerState] = {}
        self._events: deque[Event] = deque(maxlen=_EVENTS_MAX)
        self._earlier: dict[str, int] = {}
        self._finished: set[str] = set()
        self._first_item_s: float | None = None
        self._first_handled_s: float | None = None
        self._ended_s: float | None = None
        self._changed = anyio.Event()
        self._stopping = False
        self._group: TaskGroup | None = None
        self.gateway: Gateway | None = None

    async def __aenter__(self) -> Self:
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._event_file = (self._run_folder / "events.jsonl").open("ab", buffering=0)
        for child in self._children:
            self._group.start_soon(self._keep_alive, child)
        await self._group.start(self._follow_messages, "telemetry.*", self._on_telemetry)
        await self._group.start(self._follow_messages, "event.*", self._on_event)
        self._group.start_soon(self._follow_seen)
        self._group.start_soon(self._look_forever)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        assert self._group is not None
        self._stopping = True
        self._group.cancel_scope.cancel()
        try:
            if isinstance(error, anyio.get_cancelled_exc_class()):
                return await self._group.__aexit__(kind, error, traceback)
            await self._group.__aexit__(None, None, None)  # an error of the caller's stays as it is
        except BaseExceptionGroup as failures:
            raise _first_of(failures) from None
        finally:
            with anyio.CancelScope(shield=True):
                for child in self._children:
                    await child.stop()
            self._event_file.close()
        return None

    # What the session asks for.

    async def deploy(self) -> None:
        """Make the streams and say what is wanted. Nothing has started yet when this returns.

        The sources are not wanted before everything else runs, or `SOURCES_WAIT_MAX_S` have passed: a run whose sources
        are ready first begins with a backlog. In a run that goes on after a crash they are wanted at once: the agent
        may have started them already, from what is on the bus.

        Raises:
            ConflictError: the bus has streams of another application.
            UnavailableError: the bus is not there.
        """
        deployment = encode(self._deployment)
        await _together(
            [lambda config=config: self._bus.create_stream(config) for config in streams_of(self._deployment)]
            + [lambda: self._bus.put(BUCKET_DEPLOYMENT, KEY_CURRENT, deployment)]
        )
        if any(each.trigger.kind == "request" for each in self._deployment.application.components):
            self.gateway = Gateway(self._bus, self._deployment.application)
            assert self._group is not None
            await self._group.start(self.gateway.serve)
        first = wanted_first(self._deployment.application, self._wanted)
        if await self._has_items():
            await self._take_over()
            first = self._wanted
        await self._publish(first)
        self._record("deployed", reason=f"plan {self._deployment.plan.fingerprint[:12]}")
        if first != self._wanted:
            assert self._group is not None
            self._group.start_soon(self._publish_all_after, first)

    async def _has_items(self) -> bool:
        """Whether the streams are those of a run that was cut short."""
        accepted: list[int] = []

        async def look(stream: str) -> None:
            accepted.append((await self._bus.stream_state(stream)).accepted)

        await _together([lambda name=each.name: look(name) for each in streams_of(self._deployment)])
        return any(accepted)

    async def _take_over(self) -> None:
        """The run goes on after a crash: what was counted before may be gone with the fast folder."""
        with anyio.move_on_after(_TAKE_OVER_LIMIT_S):
            await self._until(lambda: bool(self._telemetry))
        await self._look_at_streams()
        sample = sample_of(self._telemetry.values(), 0.0)
        self._earlier = unaccounted_items(self._deployment, sample, self._streams, self._consumers)
        self._record("resumed", f"{sum(each.accepted for each in self._streams.values())} items from before")

    async def wait_running(self, timeout_s: float) -> None:
        """Until every instance runs.

        Raises:
            ComponentError: an instance died three times without getting there; the message says why.
            UnavailableError: not all of them run within `timeout_s`.
        """
        with anyio.move_on_after(timeout_s):
            while True:
                state = progress(self._wanted, self._seen)
                if state.converged:
                    return
                for each in state.troubled:
                    if each.phase == "failed" or each.restarts >= _DEATHS_UNTIL_TOLD:
                        raise ComponentError(
                            f"{each.id} does not start: {each.reason}; see its output with: ecotone logs "
                            f"{each.id.split('.')[0]}"
                        )
                await self._changed.wait()
        missing = ", ".join(progress(self._wanted, self._seen).missing[:5])
        raise UnavailableError(f"not everything runs after {timeout_s:g} s: {missing} is missing; see: ecotone logs")

    @property
    def seen(self) -> Mapping[str, SeenNode]:
        """The nodes as their agents see them."""
        return self._seen

    @property
    def sources_ended(self) -> bool:
        """Whether every source has said that it has no more items; False for an application whose items never end."""
        begin = sources(self._deployment.application)
        running = {one.id for each in self._wanted.values() for one in each.instances if one.components[0] in begin}
        return bool(running) and running <= self._finished

    @property
    def observed(self) -> Observed:
        """What this run has taught until now, for the next plan."""
        return self._following.observed

    def snapshot(self) -> RunReport:
        """The run as of now; cheap enough for a live view."""
        return observe(self._deployment, self._facts(finished=self._ended_s is not None))

    async def drain_and_stop(self, limit_s: float) -> RunReport:
        """Stop the sources, let everything under way be finished (for `limit_s` at most), stop the hosts, and report.
        The child processes are stopped when the context is left."""
        self._record("draining")
        self._draining = True
        stopped = sources(self._deployment.application)
        await self._publish(without(self._wanted, stopped))
        with anyio.move_on_after(limit_s):
            await self._drain(stopped)
        await self._publish({node: WantedNode(node=node) for node in self._wanted})
        with anyio.move_on_after(_STOP_LIMIT_S):
            await self._until(lambda: not any(each.instances for each in self._seen.values()))
            told_s = self._clock.wall_s()
            await self._until(lambda: all(each.time_s > told_s for each in self._telemetry.values()))
        await self._look_at_streams()
        self._take_sample()
        self._ended_s = self._clock.monotonic_s()
        self._record("stopped")
        return self.snapshot()

    async def _drain(self, stopped: frozenset[str]) -> None:
        heads = frozenset(self._deployment.application.component(name).name for name in stopped)
        await self._until(lambda: not self._still_there(heads))
        while True:
            await self._look_at_streams()
            at_rest, next_ones = drain_step(self._deployment, stopped, self._consumers)
            if at_rest:
                return
            if next_ones:
                stopped |= next_ones
                await self._publish(without(self._wanted, stopped))
                gone = next_ones
                await self._until(lambda gone=gone: not self._still_there(gone))
            else:
                await anyio.sleep(_DRAIN_LOOK_S)

    def _still_there(self, heads: frozenset[str]) -> bool:
        return any(one.id.split(".")[0] in heads for each in self._seen.values() for one in each.instances)

    # Following.

    async def _follow_messages(
        self, subject: str, handle: Callable[[bytes], None], *, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        async with self._bus.subscribe(subject) as messages:
            task_status.started()
            async for message in messages:
                handle(message.data)

    async def _follow_seen(self) -> None:
        while True:
            try:
                async with self._bus.watch(BUCKET_SEEN) as entries:
                    async for entry in entries:
                        if entry.value is not None:
                            self._on_seen(decode(entry.value, SeenNode))
            except UnavailableError:
                pass
            await anyio.sleep(0.2)

    def _on_seen(self, seen: SeenNode) -> None:
        self._seen[seen.node] = seen
        for each in seen.instances:
            key = (each.id, seen.boot)
            self._restarts[key] = max(each.restarts, self._restarts.get(key, 0))
            if each.phase == "failed":
                self._failed.add(each.id)
            elif each.phase == "running":
                self._failed.discard(each.id)
        self._notify()

    def _on_telemetry(self, data: bytes) -> None:
        message = decode(data, AgentTelemetry)
        self._telemetry[message.agent] = message
        total, count = self._shares
        self._shares = (total + message.saturated_share, count + 1)
        self._notify()

    def _on_event(self, data: bytes) -> None:
        event = decode(data, Event)
        if event.kind == "first_item" and self._first_item_s is None:
            self._first_item_s = event.time_s
        if event.kind == "source_finished":
            self._finished.add(event.instance)
        self._keep(event)

    def _record(self, kind: str, reason: str = "") -> None:
        self._keep(Event(time_s=self._clock.wall_s(), kind=kind, reason=reason))

    def _keep(self, event: Event) -> None:
        self._events.append(event)
        self._event_file.write(msgspec.json.encode(event) + b"\n")
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    # Looking.

    async def _look_forever(self) -> None:
        next_sample_s = self._clock.monotonic_s() + 1.0
        while True:
            await anyio.sleep(_STATES_EVERY_S)
            with anyio.move_on_after(_STATES_LIMIT_S):
                await self._look_at_streams()
            if self._clock.monotonic_s() >= next_sample_s:
                next_sample_s += 1.0
                self._take_sample()
                await self._look_at_cores()

    async def _look_at_streams(self) -> None:
        """In data order, one after the other: what leaves one stream must be looked for in the next."""
        channels = channels_outside(self._deployment.application, self._deployment.plan)
        try:
            for component in self._deployment.application.in_data_order():
                if channels[component.name]:
                    for consumer in channels[component.name]:
                        state = await self._bus.consumer_state(component.name, consumer)
                        self._consumers[component.name, consumer] = state
                    self._streams[component.name] = await self._bus.stream_state(component.name)
        except EcotoneError:
            return  # the bus is away; the next look is soon

    def _take_sample(self) -> None:
        sample = sample_of(self._telemetry.values(), self._clock.monotonic_s() - self._start_s)
        before = self._samples[-1]
        components = self._deployment.application.components
        if self._first_handled_s is None and any(sample.count(each) for each in components):
            self._first_handled_s = before.time_s
        whole = sample.time_s - before.time_s >= _POINT_MIN_S  # the rates of a moment at the end say nothing
        if self._first_handled_s is not None and whole:
            point = timeline_point(self._deployment, before, sample, self._consumers)
            self._timeline.append(msgspec.structs.replace(point, time_s=sample.time_s - self._first_handled_s))
        self._samples.append(sample)
        for shift in self._following.look(sample, self._changed_cores()):
            drift = Event(
                time_s=self._clock.wall_s(), kind="drift", node=shift.node, instance=shift.component, reason=str(shift)
            )
            self._keep(drift)

    async def _look_at_cores(self) -> None:
        """Let fewer cores do where the load has fallen, and more where it has grown."""
        everything = all(self._published.get(node) == each for node, each in self._wanted.items() if each.instances)
        if self._elastic is None or self._draining or not everything:
            return
        changes = await anyio.to_thread.run_sync(self._elastic.look, self._samples[-1])  # it may simulate for a while
        if not changes or self._draining:
            return
        for each in changes:
            reason = f"{each.component}: {each.before} to {each.after} cores, {each.reason}"
            event = Event(time_s=self._clock.wall_s(), kind="cores_changed", instance=each.component, reason=reason)
            self._keep(event)
        self._wanted = with_cores(self._wanted, self._changed_cores())
        with contextlib.suppress(UnavailableError):  # said again when the bus is back
            await self._publish(self._wanted)

    def _changed_cores(self) -> dict[str, int]:
        """Of the components that have another number than planned."""
        if self._elastic is None:
            return {}
        planned = self._elastic.planned
        return {name: cores for name, cores in self._elastic.cores.items() if cores != planned[name]}

    def _facts(self, *, finished: bool) -> Facts:
        now_s = (self._ended_s or self._clock.monotonic_s()) - self._start_s
        total, count = self._shares
        return Facts(
            run=self._deployment.run,
            started_at=datetime.datetime.fromtimestamp(self._command_s, datetime.UTC).isoformat(timespec="seconds"),
            duration_s=now_s,
            finished=finished,
            now=sample_of(self._telemetry.values(), now_s),
            second_ago=self._samples[0],
            timeline=tuple(self._timeline),
            saturated_share=total / max(1, count),
            streams=dict(self._streams),
            consumers=dict(self._consumers),
            seen=dict(self._seen),
            restarts=count_restarts(self._restarts),
            failed=frozenset(self._failed),
            earlier=self._earlier,
            cores={} if self._elastic is None else dict(self._elastic.cores),
            events=tuple(self._events),
            outputs=outputs_of(self._run_folder),
            start_to_first_item_s=None if self._first_item_s is None else self._first_item_s - self._command_s,
        )

    # Doing.

    async def _publish_all_after(self, first: dict[str, WantedNode]) -> None:
        """Say that the sources are wanted too, once `first` runs or has had its time."""
        with anyio.move_on_after(SOURCES_WAIT_MAX_S):
            await self._until(lambda: progress(first, self._seen).converged)
        try:
            async with self._publishing:
                if not self._draining:
                    await self._write(self._wanted)
        except UnavailableError:
            await self._repeat(self._say_again)

    async def _publish(self, wanted: dict[str, WantedNode]) -> None:
        async with self._publishing:
            await self._write(wanted)

    async def _write(self, wanted: dict[str, WantedNode]) -> None:
        """Write what changed; under the lock `_publishing`."""
        changed = {
            node: each
            for node, each in wanted.items()
            if self._published.get(node) != each and (each.instances or node in self._published)
        }
        self._published |= changed
        put = self._bus.put
        await _together(
            [lambda node=node, each=each: put(BUCKET_WANTED, node, encode(each)) for node, each in changed.items()]
        )

    async def _keep_alive(self, child: Child) -> None:
        """Start the child whenever it dies, with growing pauses, and make sure that what is wanted still stands."""
        state = ChildState(started_s=self._clock.monotonic_s())
        while True:
            reason = await child.died()
            if self._stopping:
                return
            self._record(f"{child.name}_died", reason)
            state, delay_s = child_died(state, self._clock.monotonic_s())
            await anyio.sleep(delay_s)
            reason = await self._started(child)
            while reason:
                self._record(f"{child.name}_failed", reason)
                state, delay_s = child_died(state, self._clock.monotonic_s())
                await anyio.sleep(max(delay_s, 0.1))
                reason = await self._started(child)
            self._record(f"{child.name}_restarted")
            await self._repeat(self._say_again)

    async def _started(self, child: Child) -> str:
        try:
            await child.start()
        except EcotoneError as error:
            return str(error)
        return ""

    async def _say_again(self) -> None:
        """After a restart of the bus on its directory all of this is there already; on a new one it is not."""
        for config in streams_of(self._deployment):
            await self._bus.create_stream(config)
        if await self._bus.get(BUCKET_DEPLOYMENT, KEY_CURRENT) is None:
            await self._bus.put(BUCKET_DEPLOYMENT, KEY_CURRENT, encode(self._deployment))
        async with self._publishing:
            for node, each in self._published.items():
                entry = await self._bus.get(BUCKET_WANTED, node)
                if entry is None or entry.value != encode(each):
                    await self._bus.put(BUCKET_WANTED, node, encode(each))

    async def _repeat(self, act: Callable[[], Awaitable[None]]) -> None:
        delay_s = 0.1
        while True:
            try:
                await act()
            except UnavailableError:
                await anyio.sleep(delay_s)
                delay_s = min(5.0, delay_s * 2)
            else:
                return


async def _together(calls: Sequence[Callable[[], Coroutine[Any, Any, object]]]) -> None:
    """All at the same time; raises what the first one to fail raises."""
    try:
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(call)
    except BaseExceptionGroup as failures:
        raise _first_of(failures) from None


def _first_of(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
