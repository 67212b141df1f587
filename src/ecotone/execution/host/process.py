"""The process of one instance: it makes its share of the deployment ready, works until SIGTERM, and leaves cleanly.

User code runs in the main thread, one call at a time; the bus has a thread of its own (`channels`).
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
import traceback
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ecotone.core.errors import ComponentError, EcotoneError, InputError, NotFoundError, UnavailableError
from ecotone.execution.host import REFUSED
from ecotone.execution.host.channels import WAKE, Broken, Channels
from ecotone.execution.host.forked import leave_if_forked, notice_forks
from ecotone.execution.host.log import say, words_of
from ecotone.execution.host.loop import Draining, Loop
from ecotone.execution.host.objects import Objects
from ecotone.execution.host.outbox import Notice
from ecotone.execution.host.setup import build_inputs, build_snapshots, build_stages, decoders_of
from ecotone.execution.host.share import refusal
from ecotone.execution.host.stages import Sender
from ecotone.execution.host.triggers import trigger_of
from ecotone.execution.page import DRAINING, FAILED, READY, STARTING, STOPPED, InstancePage
from ecotone.infrastructure.threads import thread_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from ecotone.execution.host import HostSpec
    from ecotone.execution.host.stages import Stage

__all__ = ["run"]

_SWITCH_S = 0.0005  # the bus thread must not wait 5 ms for user code in pure Python to let go
_PATIENCE_S = 3.0
_PATIENCE_FULL_S = 1.0


def run(spec: HostSpec) -> int:
    """See `run_host`."""
    try:
        pages = [InstancePage.open(Path(path)) for path in spec.pages]
    except (OSError, ValueError) as error:
        say(f"the agent's pages cannot be opened: {error}")
        return 1
    page = pages[0]
    page.pid, page.phase = os.getpid(), STARTING
    host = _Host(spec, pages)
    try:
        host.run()
    except (InputError, NotFoundError) as error:
        return _failed(page, str(error), REFUSED)
    except EcotoneError as error:
        return _failed(page, str(error), 1)
    except BaseException as error:  # noqa: BLE001 - the outermost edge of the process; user code raises what it likes
        traceback.print_exc()
        return _failed(page, words_of(error), 1)
    page.phase = STOPPED
    return 0


def _failed(page: InstancePage, reason: str, status: int) -> int:
    say(reason)
    page.reason = reason
    page.phase = FAILED
    return status


class _Host:
    def __init__(self, spec: HostSpec, pages: Sequence[InstancePage]) -> None:
        self._spec = spec
        self._pages = pages
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self._boot = secrets.token_hex(4)
        self._stop_by_s = 0.0
        self._source: Stage | None = None
        self._loop: Loop | None = None
        self._channels: Channels | None = None

    def run(self) -> None:
        """Raises what ends the host other than SIGTERM."""
        self._prepare_process()
        objects = Objects(Path(self._spec.shared_root), self._spec.node)
        self._channels = channels = Channels(self._spec, self._pages, objects, self._inbox)
        try:
            self._work(channels, objects)
        finally:
            for page in self._pages:
                page.phase = DRAINING
            channels.close(_PATIENCE_S)

    def _prepare_process(self) -> None:
        notice_forks()
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started everything
        sys.setswitchinterval(_SWITCH_S)
        if self._spec.instance.threads > 1:  # nothing of the user's is imported yet: see `Agent`
            os.environ.update(thread_environment({}, self._spec.instance.threads))
        os.environ["ECOTONE_OUTPUT_DIR"] = self._spec.output_dir
        os.environ["ECOTONE_SCRATCH_DIR"] = f"{self._spec.shared_root}/scratch"
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(line_buffering=True)  # what was printed before a SIGKILL is not lost

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        if self._channels is not None:
            self._channels.heard_signal = True
        self._stop_by_s = time.monotonic() + _PATIENCE_FULL_S
        if self._loop is not None:
            self._loop.draining = True
        self._inbox.put(WAKE)
        if self._source is not None and self._source.waiting:
            raise Draining

    @property
    def _draining(self) -> bool:
        return bool(self._stop_by_s)

    def _work(self, channels: Channels, objects: Objects) -> None:
        spec, post = self._spec, channels.post
        deployment, stored = channels.ask(channels.start(spec.instance.components[0]))
        refused = refusal(deployment, spec.instance, spec.node)
        if refused is not None:
            raise InputError(refused)

        def room() -> None:
            if not channels.wait_for_room(lambda: channels.alive and self._keeps_waiting()):
                raise Draining

        sender = Sender(spec.node, objects, post, room)
        stages = build_stages(spec, deployment, self._pages, sender, channels.cpu_clock)
        leave_if_forked()
        head = stages[0]
        if head.component.trigger.kind == "source":
            self._run_source(channels, head)
            return
        inputs = build_inputs(spec, deployment, head, objects, deliver=self._inbox.put, post=post)
        snapshots = build_snapshots(spec, deployment, head, inputs, stored=stored, post=post)
        trigger = trigger_of(head.component, time.monotonic())
        decoders = decoders_of(deployment, head)
        self._loop = Loop(stages, trigger, decoders, self._inbox, post, boot=self._boot, snapshots=snapshots)
        channels.ask(channels.open(inputs, head.name if head.component.trigger.kind == "request" else None))
        self._is_ready()
        try:
            if not self._draining:
                self._loop.run()
            self._loop.finish()
        except Draining:
            say("stopped while a stream was full; what was being worked on is handled again")

    def _is_ready(self) -> None:
        for page in self._pages:
            page.phase = READY

    def _keeps_waiting(self) -> bool:
        """While a stream is full or the bus away: not for long once the host should stop."""
        return not self._draining or time.monotonic() < self._stop_by_s

    def _run_source(self, channels: Channels, stage: Stage) -> None:
        name = f"{stage.name}@{self._boot}"
        numbers = count()
        items = iter(stage.handler.handle())
        self._source = stage
        self._is_ready()
        try:
            while not self._draining:
                more = stage.produce(items, lambda: f"{name}.{next(numbers)}")
                self._raise_if_broken()
                if not more:
                    say(f"{stage.name} has no more items")
                    channels.post(Notice(time.time(), "source_finished", f"{next(numbers)} items"))
                    self._wait()
        except Draining:
            pass
        except BaseException as error:
            stage.page.add_raised()
            if isinstance(error, (ComponentError, UnavailableError)):
                raise
            traceback.print_exc()
            raise ComponentError(f"the source {stage.name} raised {words_of(error)}") from None

    def _raise_if_broken(self) -> None:
        try:
            while True:
                message = self._inbox.get_nowait()
                if isinstance(message, Broken):
                    raise UnavailableError(message.reason)
        except Empty:
            return

    def _wait(self) -> None:
        while not self._draining:
            message = self._inbox.get()
            if isinstance(message, Broken):
                raise UnavailableError(message.reason)
