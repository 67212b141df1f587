"""The shell around `decide`: one agent carries all emulated nodes of this machine.

It follows `wanted/<node>`, has hosts forked, watches them through their pages, gives back what dead ones had open, and
writes `seen/<node>`, telemetry and events. Run by `python -m ecotone.execution.agent`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import EcotoneError
from ecotone.core.messages import (
    BUCKET_DEPLOYMENT,
    BUCKET_WANTED,
    KEY_CURRENT,
    AgentTelemetry,
    Deployment,
    Event,
    SeenNode,
    WantedNode,
    decode,
)
from ecotone.execution.agent import kernel
from ecotone.execution.agent.decide import (
    Action,
    Booted,
    Exited,
    GiveBack,
    Kill,
    NodeState,
    Observed,
    Report,
    Rules,
    Start,
    Started,
    Stop,
    Tell,
    Wake,
    decide,
)
from ecotone.execution.agent.decide import Event as Happening
from ecotone.execution.agent.forklink import ForkLink
from ecotone.execution.agent.forkserver import Preload
from ecotone.execution.agent.logs import bound_logs
from ecotone.execution.agent.pages import Pages
from ecotone.execution.agent.requests import ExitedReply, StartedReply, StartRequest
from ecotone.execution.agent.rules import rules_of
from ecotone.execution.agent.sweep import Sweeper
from ecotone.execution.agent.uplink import Uplink
from ecotone.execution.host import REFUSED, HostSpec
from ecotone.infrastructure.bus import connect

if TYPE_CHECKING:
    from ecotone.core.messages import WantedInstance
    from ecotone.execution.agent.options import Access, Options
    from ecotone.infrastructure.bus import Bus

__all__ = ["Agent"]

_TICK_S = 0.25
_TICK_STARTING_S = 0.02
_SWEEP_S = 1.0
_FIRST_ITEM_LOOK_S = 0.01
_FIRST_ITEM_LIMIT_S = 60.0
_IDLE_SHARE_SATURATED = 0.04
_SIGNAL_TERM, _SIGNAL_KILL = 15, 9
_log = logging.getLogger("ecotone.agent")


class Agent:
    """All nodes of this machine. `run` until `stop` or `abandon`.

    Args:
        options: what it was told.
        forks: the link to a fork server, not attached yet.
    """

    def __init__(self, options: Options, forks: ForkLink) -> None:
        self._options = options
        self._forks = forks
        self._bare_forks: ForkLink | None = None
        self._run_folder = Path(options.run_folder)
        self._pages = Pages(Path(options.shared_root) / "pages")
        self._boot = os.urandom(4).hex()
        self._deployment: Deployment | None = None
        self._wanted: dict[str, WantedNode] = {}
        self._states: dict[str, NodeState] = {}
        self._rules: dict[str, Rules] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._memory_bytes: dict[str, float] = {}
        self._cpu = kernel.cpu_times()
        self._looks = 0
        self._looks_saturated = 0
        self._hurry = asyncio.Event()
        self._connected = False
        self._stopping = False
        self._stopped = asyncio.Event()

    async def run(self, access: Access) -> None:
        """Connect, then carry the nodes until stopped. Hosts are gone when this returns."""
        self._access = access
        self._bus: Bus = await self._connect()
        self._connected = True
        self._up = Uplink(self._bus)
        self._forks.attach(self._on_reply, self._on_trouble)
        left = self._pages.end_leftovers()
        if left:
            self._tell("", "leftovers_killed", reason=f"hosts of an agent that died: {', '.join(map(str, left))}")
        self._tell("", "agent_started", reason=f"pid {os.getpid()}, fork server {self._forks.pid}")
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(each)
                for each in (
                    self._up.run(),
                    self._follow(BUCKET_DEPLOYMENT, KEY_CURRENT, self._on_deployment),
                    self._follow(BUCKET_WANTED, ">", self._on_wanted),
                    self._tick_forever(),
                    self._sweep_forever(),
                    self._look_for_first_item(),
                )
            ]
            await self._stopped.wait()
            links = [self._forks, *([self._bare_forks] if self._bare_forks is not None else [])]
            for link in links:
                link.close()
            for link in links:
                await link.wait_closed(3.0)
            self._measure()
            await self._up.settle(1.0)
            for task in tasks:
                task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._bus.close()

    def stop(self) -> None:
        """Drain every host, then end. Idempotent."""
        if not self._connected:
            os._exit(0)  # nothing runs yet; the fork server follows
        if not self._stopping:
            self._stopping = True
            asyncio.get_running_loop().call_later(self._options.stop_grace_s + 1.0, self._stopped.set)
            for node in tuple(self._states):
                self._feed(node, None)
            self._look_whether_done()

    def abandon(self) -> None:
        """The parent is gone: kill every host at once and end."""
        if not self._connected:
            os._exit(0)
        self._stopping = True
        self._stopped.set()

    # The bus.

    async def _connect(self) -> Bus:
        while True:
            try:
                return await connect(
                    self._access.bus_url, token=self._access.bus_token or None, name=f"agent {self._options.name}"
                )
            except EcotoneError as error:
                _log.warning("no bus yet: %s", error)
                await asyncio.sleep(0.1)

    async def _follow(self, bucket: str, key: str, handle: object) -> None:
        """Call `handle(key, value)` for each present entry and each change, as long as the agent lives."""
        assert callable(handle)
        while True:
            try:
                async with self._bus.watch(bucket, key) as entries:
                    async for entry in entries:
                        handle(entry.key, entry.value)
            except EcotoneError as error:
                _log.warning("cannot follow %s: %s", bucket, error)
            except msgspec.MsgspecError as error:
                _log.error("cannot read %s: %s", bucket, error)
            await asyncio.sleep(0.2)

    def _on_deployment(self, _key: str, value: bytes | None) -> None:
        if value is None:
            return
        first = self._deployment is None
        self._deployment = decode(value, Deployment)
        if first:
            for instance in self._pages.instances():  # hosts of an agent that died
                self._states.setdefault(instance.split(".")[1], NodeState())
            for node in self._states:
                found = tuple(each for each in self._pages.instances() if each.split(".")[1] == node)
                self._feed(node, Booted(found))
        for node in self._wanted:
            self._rules[node] = rules_of(self._deployment, self._wanted[node], self._options)
            self._feed(node, None)

    def _on_wanted(self, node: str, value: bytes | None) -> None:
        if self._options.nodes and node not in self._options.nodes:
            return
        self._wanted[node] = decode(value, WantedNode) if value is not None else WantedNode(node=node)
        self._states.setdefault(node, NodeState())
        for instance in self._wanted[node].instances:
            self._pages.set_cores(instance.id, self._wanted[node].cores)
        if self._deployment is not None:
            self._rules[node] = rules_of(self._deployment, self._wanted[node], self._options)
            self._feed(node, None)

    # Deciding and doing.

    def _feed(self, node: str, event: Happening) -> None:
        wanted = WantedNode(node=node) if self._stopping else self._wanted.get(node, WantedNode(node=node))
        rules = self._rules.get(node, Rules(stop_grace_s=self._options.stop_grace_s))
        state, actions = decide(wanted, self._states[node], event, time.monotonic(), rules)
        self._states[node] = state
        for action in actions:
            self._do(node, action)
        if self._stopping:
            self._look_whether_done()

    def _do(self, node: str, action: Action) -> None:
        match action:
            case GiveBack(instance):
                tokens = self._pages.take_tokens(instance)
                if tokens:
                    self._up.give_back(tokens)
                    self._tell(node, "given_back", instance, f"{len(tokens)} open items")
            case Start(instance, attempt):
                self._start(node, instance, attempt)
            case Stop(instance):
                self._signal(node, instance, _SIGNAL_TERM)
            case Kill(instance):
                self._signal(node, instance, _SIGNAL_KILL)
            case Tell(kind, instance, reason):
                self._tell(node, kind, instance, reason)
            case Report(instances):
                self._up.report(SeenNode(node=node, boot=self._boot, instances=instances))
            case Wake(at_s):
                self._wake(node, at_s)

    def _start(self, node: str, instance: WantedInstance, attempt: int) -> None:
        assert self._deployment is not None
        try:
            pages = self._pages.prepare(instance)
        except OSError as error:
            failed = Exited(instance.id, attempt, f"no room in {self._options.shared_root}: {error.strerror}")
            asyncio.get_running_loop().call_soon(self._feed, node, failed)
            return
        self._pages.set_cores(instance.id, self._wanted[node].cores)
        spec = HostSpec(
            bus_url=self._access.bus_url,
            bus_token=self._access.bus_token,
            run=self._deployment.run,
            node=node,
            instance=instance,
            pages=pages,
            shared_root=self._options.shared_root,
            run_dir=self._options.run_folder,
            output_dir=str(self._run_folder / "outputs"),
            log_path=str(self._run_folder / "logs" / f"{instance.id}.log"),
        )
        self._link_of(instance).start(StartRequest(spec, attempt))
        self._hurry.set()

    def _signal(self, node: str, instance: str, number: int) -> None:
        state = self._states[node].instances[instance]
        link = self._forks if state.running is None else self._link_of(state.running)
        link.signal(instance, state.attempt, number)

    def _link_of(self, instance: WantedInstance) -> ForkLink:
        """Whose server the instance is forked from. Numeric libraries start their threads when they are imported, and
        what the first server has preloaded has started one: with several, the host imports the module by itself."""
        if instance.threads == 1:
            return self._forks
        if self._bare_forks is None:
            self._bare_forks = ForkLink(Preload(), str(self._run_folder / "logs" / "forkserver.log"))
            self._bare_forks.attach(self._on_reply, self._on_trouble)
        return self._bare_forks

    def _wake(self, node: str, at_s: float) -> None:
        if node in self._timers:
            self._timers[node].cancel()
        self._timers[node] = asyncio.get_running_loop().call_at(at_s, self._feed, node, None)

    def _tell(self, node: str, kind: str, instance: str = "", reason: str = "") -> None:
        _log.info("%s %s %s", kind, instance, reason)
        self._up.tell(Event(time_s=time.time(), kind=kind, node=node, instance=instance, reason=reason))

    def _look_whether_done(self) -> None:
        if not any(state.instances for state in self._states.values()):
            self._stopped.set()

    # The fork server.

    def _on_reply(self, reply: StartedReply | ExitedReply) -> None:
        node = reply.instance.split(".")[1]
        if isinstance(reply, StartedReply):
            self._feed(node, Started(reply.instance, reply.attempt, reply.pid))
            return
        running = self._states[node].instances.get(reply.instance)
        words = ""
        if running is not None and running.running is not None and running.attempt == reply.attempt:
            words = self._pages.last_words(running.running)
        refused = reply.status == REFUSED
        self._feed(node, Exited(reply.instance, reply.attempt, words or reply.reason, refused=refused))

    def _on_trouble(self, reason: str) -> None:
        _log.warning("%s", reason)
        self._tell("", "fork_server", reason=reason)

    # Looking.

    async def _tick_forever(self) -> None:
        next_s = time.monotonic()
        while True:
            self._look_at_hosts()
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + _TICK_S
                self._look_at_machine()
                self._measure()
            pause_s = _TICK_STARTING_S if self._is_starting() else _TICK_S
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._hurry.wait()

    def _is_starting(self) -> bool:
        """Whether somebody waits to hear that a host is ready."""
        return any(each.phase == "starting" for state in self._states.values() for each in state.instances.values())

    def _look_at_hosts(self) -> None:
        now_s = time.monotonic()
        for node, state in tuple(self._states.items()):
            vitals = {
                each.id: self._pages.vitals(each.running, each.pid, now_s)
                for each in state.instances.values()
                if each.running is not None and each.pid
            }
            for instance, seen in vitals.items():
                self._memory_bytes[instance] = max(seen.memory_bytes, self._memory_bytes.get(instance, 0.0))
            if vitals:
                self._feed(node, Observed(vitals))

    def _look_at_machine(self) -> None:
        before, self._cpu = self._cpu, kernel.cpu_times()
        ticks = self._cpu.total - before.total
        self._looks += 1
        self._looks_saturated += ticks > 0 and self._cpu.idle - before.idle < ticks * _IDLE_SHARE_SATURATED
        try:
            cut = bound_logs(self._run_folder / "logs")
        except OSError as error:
            _log.warning("cannot look at the logs: %s", error)
            return
        for name in cut:
            self._tell("", "log_cut", reason=f"{name} grew too long; the end of the old one is in {name}.1")

    def _measure(self) -> None:
        restarts = {each.id: each.restarts for state in self._states.values() for each in state.instances.values()}
        telemetry = AgentTelemetry(
            agent=self._options.name,
            time_s=time.time(),
            instances=self._pages.telemetry(restarts, self._memory_bytes),
            saturated_share=self._looks_saturated / max(1, self._looks),
        )
        self._looks = self._looks_saturated = 0
        self._up.measured(telemetry)

    async def _sweep_forever(self) -> None:
        sweeper = Sweeper(self._bus, Path(self._options.shared_root))
        while True:
            await asyncio.sleep(_SWEEP_S)
            if self._deployment is not None:
                await sweeper.sweep(self._deployment)

    async def _look_for_first_item(self) -> None:
        """Telemetry is too coarse for the time from the command to the first item out, which is a figure of ours."""
        limit_s = time.monotonic() + _FIRST_ITEM_LIMIT_S
        while time.monotonic() < limit_s:
            await asyncio.sleep(_FIRST_ITEM_LOOK_S)
            for node, instance in self._last_in_line():
                if self._pages.has_handled(instance.id, instance.components[-1]):
                    self._tell(node, "first_item", instance.id)
                    return

    def _last_in_line(self) -> list[tuple[str, WantedInstance]]:
        """The instances that nobody consumes from."""
        if self._deployment is None:
            return []
        application = self._deployment.application
        return [
            (node, instance)
            for node, wanted in self._wanted.items()
            for instance in wanted.instances
            if not application.consumers(instance.components[-1])
        ]
