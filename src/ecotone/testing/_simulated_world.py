"""The simulated continuum without a will of its own: agents, hosts, the bus and the items on it, in virtual time.

`simulation.SimCluster` adds plans, faults and what must hold in the end; what must hold at every moment is here.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING

from ecotone.core.errors import StreamFullError
from ecotone.core.messages import SeenNode, WantedInstance, WantedNode
from ecotone.execution.agent.decide import (
    Action,
    Booted,
    Event,
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
    Vitals,
    Wake,
)
from ecotone.infrastructure.bus import StreamConfig
from ecotone.infrastructure.bus._memory_stream import StreamLog
from ecotone.orchestration.control.reconcile import ChildState, child_died
from ecotone.testing.clock import EventHeap

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from ecotone.infrastructure.bus._memory_stream import Handed

    Decide = Callable[[WantedNode, NodeState, Event, float, Rules], tuple[NodeState, tuple[Action, ...]]]

__all__ = ["CHAIN", "NODES", "REPLICAS_MAX", "Agent", "Host", "Violation", "World"]

CHAIN = ("source", "first", "second", "last")
"""Every component takes what the one before it emits; `first` has up to `REPLICAS_MAX` replicas, the others one."""
REPLICAS_MAX = 3
NODES = {"m1": ("n1", "n2"), "m2": ("n3", "n4")}
"""The machines, each with one agent, and the nodes that they carry."""

ITEM_TIMEOUT_S = 2.0
ATTEMPTS_MAX = 3
MEMORY_MAX_BYTES = 100.0
_STARTS_PER_S_MAX = 8
_DECISIONS_AT_ONCE_MAX = 200


class Violation(AssertionError):  # noqa: N818 - it is what was found, not what went wrong
    """An invariant does not hold."""


class Host:
    """A process."""

    def __init__(self, instance: WantedInstance, attempt: int, node: str) -> None:
        self.instance = instance
        self.attempt = attempt
        self.node = node
        self.alive = True
        self.ready = False
        self.frozen = False
        self.hung = False
        self.leaks = False
        self.stopping = False
        self.beat_s = 0.0
        self.item: tuple[Handed, float] | None = None

    @property
    def component(self) -> str:
        return self.instance.components[0]

    @property
    def well(self) -> bool:
        return not (self.frozen or self.hung or self.leaks)


class Agent:
    """An agent process and the nodes that it carries. Everything in it is lost when it dies."""

    def __init__(self, name: str, nodes: tuple[str, ...]) -> None:
        self.name = name
        self.nodes = nodes
        self.life = 0
        self.alive = False
        self.paused_until_s = 0.0
        self.states: dict[str, NodeState] = {}
        self.wanted: dict[str, WantedNode] = {}
        self.wakes: dict[str, float] = {}
        self.reports: dict[str, SeenNode] = {}
        self.tokens: deque[tuple[str, int, int]] = deque()
        self.child = ChildState()


class World:
    """All that there is. Whatever is random comes from `random`; agents decide with `decide_with`.

    Args:
        patience_s: after how long a stream delivers an item again by itself.
    """

    def __init__(self, random: Random, *, decide_with: Decide, patience_s: float) -> None:
        self.random = random
        self.heap = EventHeap()
        self.decide = decide_with
        every_instance = (
            f"{component}.{node}.{replica}"
            for component in CHAIN
            for nodes in NODES.values()
            for node in nodes
            for replica in range(REPLICAS_MAX)
        )
        self.rules = Rules(
            item_timeouts_s=dict.fromkeys(CHAIN, ITEM_TIMEOUT_S),
            start_limit_s=8.0,
            memory_bytes=dict.fromkeys(every_instance, MEMORY_MAX_BYTES),
        )
        self.agents = [Agent(name, nodes) for name, nodes in NODES.items()]
        self.agent_of = {node: agent for agent in self.agents for node in agent.nodes}
        self.bus_up = True
        self.wanted: dict[str, WantedNode] = {}
        self.seen: dict[str, SeenNode] = {}
        self.streams = {
            name: StreamLog(StreamConfig(name=name, consumers=(reader,), capacity=16, ack_wait_s=patience_s))
            for name, reader in pairwise(CHAIN)
        }
        self.pages: dict[str, set[tuple[str, int, int]]] = {}
        self.hosts: dict[str, list[Host]] = {}
        self.machine_paused_until_s: dict[str, float] = {}
        self.signals: dict[str, list[Callable[[Host], None]]] = {}
        self.poisoned: set[str] = set()
        self.accepted: dict[str, set[str]] = {name: set() for name in CHAIN}
        self.handled: dict[str, set[str]] = {name: set() for name in CHAIN}
        self.given_up: dict[str, set[str]] = {name: set() for name in CHAIN}
        self.starts: dict[str, deque[float]] = {}
        self.decisions: deque[float] = deque(maxlen=_DECISIONS_AT_ONCE_MAX)
        self.deaths = 0
        self.emitted = 0
        self.calm = False
        self.story: deque[str] = deque(maxlen=40)

    def _tell(self, text: str) -> None:
        self.story.append(f"{self.heap.now_s:9.3f} {text}")

    def _later(self, low_s: float, high_s: float, act: Callable[[], None]) -> None:
        self.heap.after(self.random.uniform(low_s, high_s), act)

    # Agents.

    def _start_agent(self, agent: Agent) -> None:
        self._tell(f"agent {agent.name} starts")
        agent.alive = True
        agent.life += 1
        agent.states = {node: NodeState() for node in agent.nodes}
        agent.wanted = {}
        agent.wakes = {}
        agent.tokens.clear()
        life = agent.life
        for node in agent.nodes:
            found = tuple(name for name in self.pages if name.split(".")[1] == node)
            self._feed(agent, node, Booted(found))
        self._later(0.1, 0.3, lambda: self._fetch_wanted(agent, life))
        self._later(0.0, 0.25, lambda: self._tick(agent, life))

    def _kill_agent(self, agent: Agent) -> None:
        if not agent.alive:
            return
        self._tell(f"agent {agent.name} is killed")
        agent.alive = False
        for host in self._hosts_of(agent):  # by its fork server, before another one can be there
            self._later(0.0, 0.05, lambda host=host: self._die(host, "the agent died"))
        agent.child, delay_s = child_died(agent.child, self.heap.now_s)
        self._later(0.15 + delay_s, 0.4 + delay_s, lambda: self._start_agent(agent))

    def _hosts_of(self, agent: Agent) -> list[Host]:
        return [host for group in self.hosts.values() for host in group if host.alive and host.node in agent.nodes]

    def _paused(self, agent: Agent) -> bool:
        return self.heap.now_s < agent.paused_until_s

    def _tick(self, agent: Agent, life: int) -> None:
        if agent.life != life or not agent.alive:
            return
        self.heap.after(0.25, lambda: self._tick(agent, life))
        if self._paused(agent):
            return
        for node in agent.nodes:
            vitals = {host.instance.id: self._vitals(host) for host in self._hosts_of(agent) if host.node == node}
            self._feed(agent, node, Observed(vitals))
        self._send_tokens(agent)

    def _vitals(self, host: Host) -> Vitals:
        return Vitals(
            ready=host.ready,
            heartbeat_s=host.beat_s,
            items=((host.component, host.item[1]),) if host.item else (),
            frozen=host.frozen,
            memory_bytes=2 * MEMORY_MAX_BYTES if host.leaks else MEMORY_MAX_BYTES / 2,
        )

    def _feed(self, agent: Agent, node: str, event: Event) -> None:
        now_s = self.heap.now_s
        self.decisions.append(now_s)
        if len(self.decisions) == _DECISIONS_AT_ONCE_MAX and self.decisions[0] == now_s:
            raise Violation(f"{_DECISIONS_AT_ONCE_MAX} decisions at the same moment: a busy loop")
        wanted = agent.wanted.get(node, WantedNode(node=node))
        agent.states[node], actions = self.decide(wanted, agent.states[node], event, now_s, self.rules)
        for action in actions:
            self._do(agent, node, action)

    def _do(self, agent: Agent, node: str, action: Action) -> None:
        match action:
            case GiveBack(instance):
                agent.tokens.extend(self.pages.get(instance, set()))
                self.pages[instance] = set()
                self._send_tokens(agent)
            case Start(instance, attempt):
                self._tell(f"start {instance.id} ({instance.variants[0]}), attempt {attempt}")
                self._check_start_rate(instance.id)
                self.pages.setdefault(instance.id, set())
                self.signals.pop(instance.id, None)
                self._later(0.001, 0.01, lambda: self._fork(agent, agent.life, node, instance, attempt))
            case Stop(instance):
                self._signal(instance, self._sigterm)
            case Kill(instance, reason):
                self._check_kill(instance, reason)
                self._signal(instance, lambda host: self._die(host, reason))
            case Report(instances):
                report = SeenNode(node=node, boot=f"{agent.name}/{agent.life}", instances=instances)
                agent.reports[node] = report
                self._later(0.0005, 0.005, lambda life=agent.life: self._write_seen(node, agent, life))
            case Wake(at_s):
                agent.wakes[node] = at_s
                self.heap.at(at_s, lambda life=agent.life: self._wake(agent, life, node, at_s))
            case _:
                pass

    def _wake(self, agent: Agent, life: int, node: str, at_s: float) -> None:
        if agent.alive and agent.life == life and agent.wakes.get(node) == at_s:
            if self._paused(agent):
                self.heap.at(agent.paused_until_s, lambda: self._wake(agent, life, node, at_s))
                return
            del agent.wakes[node]
            self._feed(agent, node, None)

    def _write_seen(self, node: str, agent: Agent, life: int) -> None:
        """Always the newest report: an older one must not overtake it."""
        if not agent.alive or agent.life != life:
            return
        if self.bus_up:
            self.seen[node] = agent.reports[node]
        else:
            self._later(0.05, 0.1, lambda: self._write_seen(node, agent, life))

    def _send_tokens(self, agent: Agent) -> None:
        while self.bus_up and agent.alive and agent.tokens:
            stream, sequence, number = agent.tokens.popleft()
            self.streams[stream].postpone(_reader(stream), sequence, number, due_s=self.heap.now_s)

    def _fetch_wanted(self, agent: Agent, life: int) -> None:
        """The agent's watch brings the newest state; without a bus it comes with the reconnection."""
        if agent.life != life or not agent.alive:
            return
        if not self.bus_up or self._paused(agent):
            self._later(0.05, 0.1, lambda: self._fetch_wanted(agent, life))
            return
        for node in agent.nodes:
            agent.wanted[node] = self.wanted[node]
            self._feed(agent, node, None)

    # Hosts.

    def _living(self, instance: str) -> list[Host]:
        return [host for host in self.hosts.get(instance, []) if host.alive]

    def _signal(self, instance: str, act: Callable[[Host], None]) -> None:
        """Through the fork server, which works off its requests in order: a start that is on its way comes first."""
        living = self._living(instance)
        if not living:
            self.signals.setdefault(instance, []).append(act)
        for host in living:
            self._later(0.0001, 0.002, lambda host=host: act(host))

    def _fork(self, agent: Agent, life: int, node: str, instance: WantedInstance, attempt: int) -> None:
        if not agent.alive or agent.life != life:
            return
        if not self.calm and self.random.random() < 0.03:
            exited = Exited(instance.id, attempt, "could not fork")
            self._later(0.001, 0.002, lambda: self._report_exit(agent, life, node, exited))
            return
        host = Host(instance, attempt, node)
        host.beat_s = self.heap.now_s
        others = self._living(instance.id)
        self.hosts[instance.id] = [*others, host]
        if others:
            raise Violation(f"two live hosts of {instance.id}")
        self._feed(agent, node, Started(instance.id, attempt, 1000 + self.heap.happened))
        if "broken" in instance.variants:
            self._later(0.005, 0.05, lambda: self._die(host, "ValueError: no model"))
            return
        slow = not self.calm and self.random.random() < 0.03
        self._later(*((5.0, 20.0) if slow else (0.02, 0.3)), lambda: self._get_ready(host))
        self._beat(host)
        for act in self.signals.pop(instance.id, []):
            act(host)

    def _beat(self, host: Host) -> None:
        if not host.alive:
            return
        if not host.frozen and not host.hung and not self._machine_paused(host):
            host.beat_s = self.heap.now_s
        self.heap.after(0.2, lambda: self._beat(host))

    def _machine_paused(self, host: Host) -> bool:
        return self.heap.now_s < self.machine_paused_until_s.get(self.agent_of[host.node].name, 0.0)

    def _get_ready(self, host: Host) -> None:
        if not host.alive or host.frozen:
            return
        host.ready = True
        if host.component == "source":
            self._emit(host)
        else:
            self._pull(host)

    def _die(self, host: Host, reason: str) -> None:
        """Whatever the cause: the process is gone, its page stays, its agent hears of it."""
        if not host.alive:
            return
        self._tell(f"{host.instance.id} attempt {host.attempt} dies: {reason}")
        host.alive = False
        self.deaths += 1
        agent = self.agent_of[host.node]
        exited = Exited(host.instance.id, host.attempt, reason)
        self._later(0.001, 0.003, lambda life=agent.life: self._report_exit(agent, life, host.node, exited))

    def _report_exit(self, agent: Agent, life: int, node: str, exited: Exited) -> None:
        if not agent.alive or agent.life != life:
            return
        if self._paused(agent):
            self.heap.at(agent.paused_until_s, lambda: self._report_exit(agent, life, node, exited))
            return
        self._feed(agent, node, exited)

    def _sigterm(self, host: Host) -> None:
        if not host.alive:
            return
        host.stopping = True
        if not host.ready or (host.item is None and host.well):
            self._die(host, "stopped")

    # Items.

    def _emit(self, host: Host) -> None:
        if not self._can_work(host, lambda: self._emit(host)):
            return
        name = f"item{self.emitted}"
        self.emitted += 1
        if self.random.random() < 0.01:
            self.poisoned.add(name)
        self._append("source", name)
        self._later(0.05, 0.15, lambda: self._emit(host))

    def _can_work(self, host: Host, again: Callable[[], None]) -> bool:
        if not host.alive or host.frozen or host.hung:
            return False
        if host.stopping:
            self._die(host, "stopped")
            return False
        if not self.bus_up or self._machine_paused(host):
            self._later(0.05, 0.1, again)
            return False
        return True

    def _append(self, stream: str, item_id: str) -> bool:
        now_s = self.heap.now_s
        try:
            self.streams[stream].append(item_id.encode(), item_id, now_s=now_s, wall_s=now_s)
        except StreamFullError:
            return False
        self.accepted[stream].add(item_id)
        return True

    def _pull(self, host: Host) -> None:
        if not self._can_work(host, lambda: self._pull(host)):
            return
        stream = _producer(host.component)
        handed = self.streams[stream].take(host.component, now_s=self.heap.now_s)
        if handed is None:
            self._later(0.01, 0.03, lambda: self._pull(host))
            return
        host.item = (handed, self.heap.now_s)
        self.pages[host.instance.id].add((stream, handed.sequence, handed.number))
        self._later(0.01, 0.06, lambda: self._work(host, handed))

    def _work(self, host: Host, handed: Handed) -> None:
        if not host.alive or host.frozen or host.hung:
            return
        if not self.bus_up or self._machine_paused(host):
            self._wait(host, lambda: self._work(host, handed))
            return
        item = handed.data.decode()
        component, stream = host.component, _producer(host.component)
        if item in self.poisoned and component == "second":
            if handed.attempt < ATTEMPTS_MAX:
                self.streams[stream].postpone(component, handed.sequence, handed.number, due_s=self.heap.now_s)
                self._done(host, handed)
                return
            self.given_up[component].add(item)
        else:
            if component != CHAIN[-1] and not self._append(component, item):
                self._wait(host, lambda: self._work(host, handed))
                return
            self.handled[component].add(item)
        # Between the output's acceptance and the input's acknowledgement a host may die.
        self._later(0.0005, 0.002, lambda: self._acknowledge(host, handed))

    def _acknowledge(self, host: Host, handed: Handed) -> None:
        if not host.alive or host.frozen or host.hung:
            return
        if not self.bus_up:
            self._wait(host, lambda: self._acknowledge(host, handed))
            return
        self.streams[_producer(host.component)].acknowledge(host.component, handed.sequence)
        self._done(host, handed)

    def _wait(self, host: Host, again: Callable[[], None]) -> None:
        """For the bus, or for room in a stream; a host that is to stop does not wait."""
        if host.stopping and not self._machine_paused(host):
            self._die(host, "stopped")
        else:
            self._later(0.05, 0.1, again)

    def _done(self, host: Host, handed: Handed) -> None:
        self.pages[host.instance.id].discard((_producer(host.component), handed.sequence, handed.number))
        host.item = None
        self._pull(host)

    # What must hold at every moment.

    def _check_start_rate(self, instance: str) -> None:
        starts = self.starts.setdefault(instance, deque(maxlen=_STARTS_PER_S_MAX))
        starts.append(self.heap.now_s)
        if len(starts) == _STARTS_PER_S_MAX and self.heap.now_s - starts[0] < 1.0:
            raise Violation(f"{instance} was started {_STARTS_PER_S_MAX} times within a second")

    def _check_kill(self, instance: str, reason: str) -> None:
        for host in self._living(instance):
            late = host.item is not None and self.heap.now_s - host.item[1] > ITEM_TIMEOUT_S
            if host.well and not late and host.ready and not host.stopping:
                raise Violation(f"{instance} is well, but is killed: {reason}")


def _producer(component: str) -> str:
    return CHAIN[CHAIN.index(component) - 1]


def _reader(stream: str) -> str:
    return CHAIN[CHAIN.index(stream) + 1]
