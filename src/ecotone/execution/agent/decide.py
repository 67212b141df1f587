"""What an agent does next for one node: a state machine over values, without I/O, clocks or processes.

Called by `agent.py` with what happened (`Event`), and by the simulator with what it invented; both carry out the
actions in the order given. Times are seconds of one monotonic clock.

    not there --Start--> starting --ready--> running --unwanted or changed--> stopping --exited--> not there, or Start
                            |                  |  hung, too slow, too much memory: Kill
                            +------died--------+--> backing_off --due--> Start    (six quick deaths: failed, slowly)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.messages import InstanceStatus, Phase, WantedInstance, WantedNode
from ecotone.core.units import Dimension, format_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Action",
    "Booted",
    "Event",
    "Exited",
    "GiveBack",
    "InstanceState",
    "Kill",
    "NodeState",
    "Observed",
    "Report",
    "Rules",
    "Start",
    "Started",
    "Stop",
    "Tell",
    "Vitals",
    "Wake",
    "decide",
    "memory_limits",
    "restart_delay_s",
]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that the decisions go by.

    Attributes:
        start_limit_s: a host that is not ready after this long is killed.
        heartbeat_max_s: a host whose own thread did not run for this long, and that has no item, hangs.
        stop_grace_s: from SIGTERM to SIGKILL.
        backoff_first_s, backoff_max_s: the delay before the third start, doubled up to the largest one.
        healthy_after_s: a host that was ready for this long starts with a clean sheet when it dies.
        deaths_until_failed: after this many deaths without health in between the instance is called failed.
        late_after_s: when the agent itself did not get to look for this long, ages say nothing about the hosts.
        item_timeouts_s: by component, how long one item may take.
        memory_bytes: by instance id, what it may use.
    """

    start_limit_s: float = 30.0
    heartbeat_max_s: float = 1.5
    stop_grace_s: float = 5.0
    backoff_first_s: float = 0.1
    backoff_max_s: float = 5.0
    healthy_after_s: float = 10.0
    deaths_until_failed: int = 6
    late_after_s: float = 1.0
    item_timeouts_s: Mapping[str, float] = {}
    memory_bytes: Mapping[str, float] = {}


class InstanceState(msgspec.Struct, frozen=True, kw_only=True):
    """One instance. `wanted` is None when it should go; `running` is what its process was started as, None without
    a process; `tried` is what was started last. `attempt` counts starts, `deaths` those since it was last healthy;
    `due_s` is when something happens by itself: the next start (backing off), the kill (stopping, or starting without
    an answer)."""

    id: str
    wanted: WantedInstance | None
    running: WantedInstance | None = None
    tried: WantedInstance | None = None
    phase: Phase = "stopped"
    pid: int = 0
    attempt: int = 0
    restarts: int = 0
    deaths: int = 0
    started_s: float = 0.0
    ready_s: float = 0.0
    due_s: float = math.inf
    since_s: float = 0.0
    killed: str = ""
    reason: str = ""


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """All instances of a node; `looked_s`: when their vitals were last seen; `calm_s`: ages count from then on."""

    instances: Mapping[str, InstanceState] = {}
    looked_s: float = -math.inf
    calm_s: float = -math.inf
    reported: tuple[InstanceStatus, ...] | None = None


# What can happen.


class Booted(msgspec.Struct, frozen=True):
    """The agent has just started; `found` are instances of an earlier life, whose hosts died with it."""

    found: tuple[str, ...] = ()


class Started(msgspec.Struct, frozen=True):
    """The fork server has made the process."""

    instance: str
    attempt: int
    pid: int


class Exited(msgspec.Struct, frozen=True):
    """The process is gone, or could not be made. `refused`: it will not run, however often it is started."""

    instance: str
    attempt: int
    reason: str
    refused: bool = False


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """A living process as its pages and the kernel show it. `items`: component and time at which each open item was
    taken; `frozen`: the kernel says it is stopped."""

    ready: bool
    heartbeat_s: float
    items: tuple[tuple[str, float], ...] = ()
    frozen: bool = False
    memory_bytes: float = 0.0


class Observed(msgspec.Struct, frozen=True):
    """The agent has looked at its hosts (and the time has gone on: also sent when a `Wake` is due)."""

    vitals: Mapping[str, Vitals] = {}


Event = Booted | Started | Exited | Observed | None
"""None: only `wanted` or the time changed."""


# What to do.


class GiveBack(msgspec.Struct, frozen=True):
    """Hand the deliveries that the dead host had open back to the bus, before its page is used again."""

    instance: str


class Start(msgspec.Struct, frozen=True):
    """Make a process; answer with `Started` or `Exited` of this attempt."""

    instance: WantedInstance
    attempt: int


class Stop(msgspec.Struct, frozen=True):
    """SIGTERM: finish what is open, then exit."""

    instance: str


class Kill(msgspec.Struct, frozen=True):
    """SIGKILL."""

    instance: str
    reason: str


class Tell(msgspec.Struct, frozen=True):
    """Publish an event."""

    kind: str
    instance: str
    reason: str = ""


class Report(msgspec.Struct, frozen=True):
    """Write what is seen; the newest replaces the one before."""

    instances: tuple[InstanceStatus, ...]


class Wake(msgspec.Struct, frozen=True):
    """Call again at this time, unless something else happens first; replaces the Wake before."""

    at_s: float


Action = GiveBack | Start | Stop | Kill | Tell | Report | Wake


def restart_delay_s(deaths: int, rules: Rules) -> float:
    """How long to wait before the start that follows the `deaths`-th death in a row: 0 s the first time, then
    doubling; an instance that counts as failed is tried at the longest delay."""
    if deaths <= 1:
        return 0.0
    if deaths >= rules.deaths_until_failed:
        return rules.backoff_max_s
    return min(rules.backoff_max_s, rules.backoff_first_s * 2.0 ** (deaths - 2))


def memory_limits(
    instances: tuple[WantedInstance, ...], declared: Mapping[str, float | None], node_bytes: float
) -> dict[str, float]:
    """What each instance may use, in bytes: what its components declare, added up; those that declare nothing may
    each use an equal part of what the declared ones leave of the node."""
    limits: dict[str, float] = {}
    for each in instances:
        parts = [declared.get(component) for component in each.components]
        if all(part is not None for part in parts):
            limits[each.id] = sum(part for part in parts if part is not None)
    open_ended = [each.id for each in instances if each.id not in limits]
    left = max(0.0, node_bytes - sum(limits.values()))
    return limits | dict.fromkeys(open_ended, left / max(1, len(open_ended)))


def decide(
    wanted: WantedNode, state: NodeState, event: Event, now_s: float, rules: Rules
) -> tuple[NodeState, tuple[Action, ...]]:
    """The next state and what to do, in order.

    Args:
        wanted: all that should run on the node now.
        state: what the last call returned; `NodeState()` at the start of the agent's life.
        event: what happened, or None.
        now_s: the time, in the clock of heartbeats.
        rules: the limits.
    """
    step = _Step(now_s, rules)
    targets = {each.id: each for each in wanted.instances}
    ids = dict.fromkeys((*state.instances, *targets))
    looked_s, calm_s = state.looked_s, state.calm_s
    if isinstance(event, Observed):
        if now_s - looked_s > rules.late_after_s:
            calm_s = now_s + rules.heartbeat_max_s  # everybody's clock stood still, not only theirs
        looked_s = now_s
    if isinstance(event, Booted):
        step.actions += [GiveBack(found) for found in event.found]
    instances: dict[str, InstanceState] = {}
    for name in ids:
        instance = state.instances.get(name) or InstanceState(id=name, wanted=None, since_s=now_s)
        instance = msgspec.structs.replace(instance, wanted=targets.get(name))
        instance = step.react(instance, event, calm=now_s >= calm_s)
        instance = step.converge(instance)
        if instance.running is not None or instance.wanted is not None:
            instances[name] = instance
    statuses = tuple(_status(each) for each in instances.values())
    if statuses != state.reported:
        step.actions.append(Report(statuses))
    due_s = min((each.due_s for each in instances.values()), default=math.inf)
    if due_s < math.inf:
        step.actions.append(Wake(due_s))
    return NodeState(instances=instances, looked_s=looked_s, calm_s=calm_s, reported=statuses), tuple(step.actions)


def _status(instance: InstanceState) -> InstanceStatus:
    return InstanceStatus(
        id=instance.id,
        phase=instance.phase,
        pid=instance.pid,
        restarts=instance.restarts,
        reason=instance.reason,
        since_s=instance.since_s,
    )


class _Step:
    """One call of `decide`: collects actions while each instance is moved on."""

    def __init__(self, now_s: float, rules: Rules) -> None:
        self.now_s = now_s
        self.rules = rules
        self.actions: list[Action] = []

    def react(self, instance: InstanceState, event: Event, *, calm: bool) -> InstanceState:
        match event:
            case Started(name, attempt, pid) if name == instance.id and attempt == instance.attempt:
                # From now on its start limit is judged by looking at it, not by the time alone.
                due_s = math.inf if instance.phase == "starting" else instance.due_s
                return msgspec.structs.replace(instance, pid=pid, due_s=due_s)
            case Exited(name, attempt) if name == instance.id and attempt == instance.attempt and instance.running:
                return self._exited(instance, event)
            case Observed(vitals) if instance.running is not None and instance.id in vitals:
                return self._observed(instance, vitals[instance.id], calm=calm)
            case _:
                return instance

    def converge(self, instance: InstanceState) -> InstanceState:
        """What follows from the wish and the time."""
        due = self.now_s >= instance.due_s
        if instance.running is not None:
            if instance.phase == "stopping":
                too_long = f"still there {self.rules.stop_grace_s:g} s after SIGTERM"
                return self._kill(instance, instance.killed or too_long) if due else instance
            if instance.wanted != instance.running:
                self.actions.append(Stop(instance.id))
                return self._phase(instance, "stopping", due_s=self.now_s + self.rules.stop_grace_s)
            if instance.phase == "starting" and due:
                return self._kill(instance, f"there is no process {self.rules.start_limit_s:g} s after its start")
        elif instance.wanted is not None and (due or instance.wanted != instance.tried):
            return self._start(instance, instance.wanted)
        return instance

    def _start(self, instance: InstanceState, wanted: WantedInstance) -> InstanceState:
        if wanted != instance.tried:
            instance = msgspec.structs.replace(instance, deaths=0, reason="")
        attempt = instance.attempt + 1
        if attempt == 1:
            self.actions.append(GiveBack(instance.id))  # a host of an earlier agent may have left something open
        self.actions += [Start(wanted, attempt), Tell("host_starting", instance.id, instance.reason)]
        return self._phase(
            instance,
            "starting",
            running=wanted,
            tried=wanted,
            pid=0,
            attempt=attempt,
            restarts=instance.restarts + (1 if instance.deaths else 0),
            started_s=self.now_s,
            ready_s=0.0,
            due_s=self.now_s + self.rules.start_limit_s,
            killed="",
        )

    def _kill(self, instance: InstanceState, reason: str) -> InstanceState:
        self.actions.append(Kill(instance.id, reason))
        if not instance.killed:
            self.actions.append(Tell("host_hung" if reason.startswith("hung") else "host_killed", instance.id, reason))
        # The kernel may take a while (a core dump, a disk): ask again once a second.
        return self._phase(instance, "stopping", killed=reason, due_s=self.now_s + 1.0)

    def _exited(self, instance: InstanceState, event: Exited) -> InstanceState:
        self.actions.append(GiveBack(instance.id))
        gone: dict[str, object] = {"running": None, "pid": 0, "killed": ""}
        if instance.phase == "stopping" and (not instance.killed or instance.wanted != instance.running):
            self.actions.append(Tell("host_stopped", instance.id, instance.killed or event.reason))
            return self._phase(instance, "stopped", deaths=0, due_s=self.now_s, **gone)
        return self._died(instance, event, gone)

    def _died(self, instance: InstanceState, event: Exited, gone: dict[str, object]) -> InstanceState:
        reason = instance.killed or event.reason
        healthy = instance.ready_s > 0 and self.now_s - instance.ready_s >= self.rules.healthy_after_s
        deaths = 1 if healthy else instance.deaths + 1
        self.actions.append(Tell("host_died", instance.id, reason))
        if event.refused or deaths >= self.rules.deaths_until_failed:
            self.actions.append(Tell("host_failed", instance.id, reason))
        phase: Phase = "failed" if event.refused or deaths >= self.rules.deaths_until_failed else "backing_off"
        due_s = math.inf if event.refused else self.now_s + restart_delay_s(deaths, self.rules)
        return self._phase(instance, phase, deaths=deaths, reason=reason, due_s=due_s, **gone)

    def _observed(self, instance: InstanceState, vitals: Vitals, *, calm: bool) -> InstanceState:
        if instance.phase == "stopping":
            return instance
        if instance.phase == "starting" and vitals.ready:
            self.actions.append(Tell("host_ready", instance.id))
            instance = self._phase(instance, "running", ready_s=self.now_s, due_s=math.inf)
        reason = self._ill(instance, vitals) if calm else ""
        return self._kill(instance, reason) if reason else instance

    def _ill(self, instance: InstanceState, vitals: Vitals) -> str:
        """Why the process must go; "" when it need not."""
        limit_bytes = self.rules.memory_bytes.get(instance.id, math.inf)
        if vitals.memory_bytes > limit_bytes:
            used, may = (format_quantity(value, Dimension.SIZE) for value in (vitals.memory_bytes, limit_bytes))
            return f"used {used}, may use {may}"
        if instance.phase == "starting" and self.now_s - instance.started_s >= self.rules.start_limit_s:
            return f"not ready {self.rules.start_limit_s:g} s after its start"
        silent_s = self.now_s - max(vitals.heartbeat_s, instance.started_s)
        if silent_s > self.rules.heartbeat_max_s and vitals.frozen:
            return f"hung: stopped, no heartbeat for {silent_s:.2f} s"
        if instance.phase == "running" and silent_s > self.rules.heartbeat_max_s and not vitals.items:
            return f"hung: no heartbeat for {silent_s:.2f} s"
        for component, started_s in vitals.items:
            timeout_s = self.rules.item_timeouts_s.get(component, math.inf)
            if self.now_s - started_s > timeout_s:
                spent_s = self.now_s - started_s
                return f"hung: {component} has worked on one item for {spent_s:.2f} s, its timeout is {timeout_s:.3g} s"
        return ""

    def _phase(self, instance: InstanceState, phase: Phase, **changes: object) -> InstanceState:
        if phase != instance.phase:
            changes["since_s"] = self.now_s
        return msgspec.structs.replace(instance, phase=phase, **changes)
