"""The bus side of a host: one thread with an event loop that receives, sends, settles and beats.

The main thread runs user code. The two meet in three places: entries come to the main thread through its inbox, jobs go
to this thread through the outbox, and the few questions at the start and end are asked with `ask`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ecotone.core.errors import EcotoneError, NotFoundError, UnavailableError
from ecotone.core.messages import BUCKET_DEPLOYMENT, KEY_CURRENT, Deployment, Item, decode
from ecotone.execution.host.entry import Entry
from ecotone.execution.host.log import say
from ecotone.execution.host.outbox import Worker
from ecotone.execution.host.state import BUCKET_STATE
from ecotone.infrastructure.bus import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from queue import SimpleQueue

    from ecotone.execution.host import HostSpec
    from ecotone.execution.host.inputs import Input
    from ecotone.execution.host.objects import Objects
    from ecotone.execution.host.outbox import Job
    from ecotone.execution.page import InstancePage
    from ecotone.infrastructure.bus import Bus

__all__ = ["WAKE", "Broken", "Channels"]

T = TypeVar("T")

_BEAT_S = 0.2
_KEEP_OPEN_AFTER_S = 0.5  # a quarter of the shortest ack_wait_s in use
_AWAY_WAIT_S = 0.2
_AHEAD_MAX = 16  # jobs that user code may be ahead of the bus
_START_LIMIT_S = 30.0


WAKE = object()
"""In the inbox: look up, something has changed."""


class Broken(NamedTuple):
    """In the inbox: the bus thread has ended, and with it the host."""

    reason: str


class Channels:
    """See the module. Methods are for the main thread; what begins with an underscore runs in the bus thread."""

    def __init__(
        self, spec: HostSpec, pages: Sequence[InstancePage], objects: Objects, inbox: SimpleQueue[Any]
    ) -> None:
        self._spec = spec
        self._pages = pages
        self._objects = objects
        self._inbox = inbox
        self._inputs: list[Input] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._outbox: deque[Job] = deque()
        self._is_awake = False
        self._room = threading.Event()
        self._loop = _new_loop()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._end = asyncio.Event()
        self._connected: asyncio.Future[Bus] = self._loop.create_future()
        self.heard_signal = False
        self._signals, wakeup = socket.socketpair()
        for end in (self._signals, wakeup):
            end.setblocking(False)
        self._wakeup = wakeup
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._run, name="ecotone-bus", daemon=True)
        self._thread.start()

    # For the main thread.

    @property
    def alive(self) -> bool:
        """Whether the bus thread is there."""
        return self._thread.is_alive()

    @property
    def cpu_clock(self) -> int:
        """The clock of the CPU time that this thread uses, which is not user code's."""
        assert self._thread.ident is not None, "it was started"
        return time.pthread_getcpuclockid(self._thread.ident)

    def ask(self, question: Coroutine[Any, Any, T], timeout_s: float = _START_LIMIT_S) -> T:
        """Run a coroutine in the bus thread and wait for its result. Raises what it raises, or TimeoutError."""
        return asyncio.run_coroutine_threadsafe(question, self._loop).result(timeout_s)

    def post(self, job: Job) -> None:
        """Have a job done after all those before it."""
        self._outbox.append(job)
        if not self._is_awake:
            self._is_awake = True
            self._loop.call_soon_threadsafe(self._work.set)
            time.sleep(0)  # lets go of the interpreter, so that the item leaves before this thread tidies up

    def wait_for_room(self, keep_waiting: Callable[[], bool]) -> bool:
        """Wait while too many jobs are undone; asks about twice a second whether to go on waiting."""
        while len(self._outbox) > _AHEAD_MAX:
            self._room.clear()
            if len(self._outbox) > _AHEAD_MAX and not self._room.wait(0.5) and not keep_waiting():
                return False
        return True

    def close(self, patience_s: float) -> None:
        """Take nothing more, finish the jobs (for at most `patience_s`), give back the rest, disconnect."""
        with contextlib.suppress(TimeoutError, RuntimeError):
            self.ask(self._finish(patience_s), patience_s + 2.0)
        self._thread.join(2.0)

    # In the bus thread.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        except BaseException as error:  # noqa: BLE001 - the outermost edge of the thread: the host ends, and says why
            reason = _first_of(error)
            if not self._connected.done():
                self._connected.set_exception(UnavailableError(reason))
                self._loop.run_until_complete(asyncio.sleep(0))  # whoever asks, learns of it
            self._inbox.put(Broken(reason))
        finally:
            self._loop.close()

    def _signalled(self) -> None:
        """SIGTERM has come. It may have come just before the main thread fell asleep: then nobody has seen it."""
        self._signals.recv(64)
        if not self.heard_signal:
            self._inbox.put(WAKE)
            self._loop.call_later(_BEAT_S, self._signal_again)

    def _signal_again(self) -> None:
        main = threading.main_thread().ident
        if not self.heard_signal and main is not None:
            signal.pthread_kill(main, signal.SIGTERM)

    async def _main(self) -> None:
        self._loop.add_reader(self._signals, self._signalled)
        async with asyncio.TaskGroup() as group:
            self._group = group
            beat = group.create_task(self._beat())
            spec = self._spec
            bus = await connect(spec.bus_url, token=spec.bus_token or None, name=spec.instance.id)
            self._worker = Worker(bus, self._objects, spec.node, spec.instance.id)
            self._connected.set_result(bus)
            worker = group.create_task(self._work_off())
            await self._end.wait()
            for task in (beat, worker, *self._tasks):
                task.cancel()
        await bus.close()

    async def start(self, component: str) -> tuple[Deployment, bytes | None]:
        """The deployment, and the stored state of the component, if it stores any.

        Raises:
            NotFoundError: nothing is deployed.
        """
        bus = await self._connected
        entry = await bus.get(BUCKET_DEPLOYMENT, KEY_CURRENT)
        if entry is None or entry.value is None:
            raise NotFoundError("nothing is deployed on this bus: the controller has to write the deployment first")
        deployment = decode(entry.value, Deployment)
        state = deployment.application.component(component).state
        stores = state is not None and state.snapshot_every_s is not None
        stored = await bus.get(BUCKET_STATE, component) if stores else None
        return deployment, stored.value if stored is not None else None

    async def open(self, inputs: Sequence[Input], requests: str | None) -> None:
        """Begin to receive: from `inputs`, and requests for the component of that name."""
        for each in inputs:
            self._inputs.append(each)
            self._tasks.append(self._group.create_task(self._consume(each)))
        if requests is not None:
            self._tasks.append(self._group.create_task(self._listen(requests)))

    async def _consume(self, source: Input) -> None:
        bus = await self._connected
        while True:
            try:
                async with bus.consume(source.stream, source.consumer, prefetch=source.prefetch) as deliveries:
                    async for delivery in deliveries:
                        await source.receive(delivery)
            except UnavailableError as error:
                say(f"{source.consumer}: the bus is away, trying again: {error}")
            await asyncio.sleep(_AWAY_WAIT_S)

    async def _listen(self, component: str) -> None:
        bus = await self._connected
        number = 0
        while True:
            try:
                async with bus.subscribe(f"request.{component}", queue=component) as messages:
                    async for message in messages:
                        number += 1
                        now_s = time.time()
                        item = Item(
                            id=f"{component}?{self._pages[0].pid}.{number}.{time.time_ns():x}",
                            producer="",
                            node=self._spec.node,
                            origin_s=now_s,
                            sent_s=now_s,
                            starts_s={},
                            encoding="msgpack",
                            payload=message.data,
                        )
                        entry = Entry(item, message.data, time.monotonic())
                        entry.reply = message.reply
                        self._inbox.put(entry)
            except UnavailableError as error:
                say(f"{component}: the bus is away, trying again: {error}")
            await asyncio.sleep(_AWAY_WAIT_S)

    async def _work_off(self) -> None:
        outbox = self._outbox
        while True:
            while outbox:
                await outbox[0].perform(self._worker)
                outbox.popleft()
                if not self._room.is_set():
                    self._room.set()
            self._work.clear()
            self._is_awake = False
            if outbox:  # posted before the line above was seen
                continue
            self._idle.set()
            await self._work.wait()
            self._idle.clear()

    async def _beat(self) -> None:
        while True:
            now_s = time.monotonic()
            for page in self._pages:
                page.heartbeat_s = now_s
            with contextlib.suppress(UnavailableError):
                for each in self._inputs:
                    await each.keep_open(now_s, _KEEP_OPEN_AFTER_S)
            await asyncio.sleep(_BEAT_S)

    async def _finish(self, patience_s: float) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connected.done():
            try:
                async with asyncio.timeout(patience_s):
                    while self._outbox:
                        self._idle.clear()
                        await self._idle.wait()
            except TimeoutError:
                say(f"stopped with {len(self._outbox)} results that no stream took; their inputs are handled again")
            else:
                for each in self._inputs:
                    for entry in tuple(each.open.values()):
                        await each.give_back(entry)
        self._end.set()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - an extra: three times faster where it is installed
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _first_of(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, EcotoneError) else f"{type(error).__name__}: {error}"
