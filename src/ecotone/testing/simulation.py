"""A whole continuum in virtual time, from a seed: the deciding code of agents and controller against a hostile world.

`SimCluster` runs `execution.agent.decide` and `orchestration.control.reconcile` as they are; processes, pages, the bus
and the items on it are modelled here (streams by the in-memory back-end's own state machine). Hosts, agents and the
bus are killed, frozen and slowed down at random, plans change, and after every event the invariants are checked:

- there is never more than one live host of an instance;
- a host that is well is never killed as hung, too slow or too large;
- no instance is started in a busy loop, no decision is asked for in one;
- when the faults stop, everything that is wanted runs and nothing else, and every accepted item is handled, given up,
  or counted as dropped.

Called by `tests/faults`; `python -m ecotone.testing.simulation SEEDS` runs as many seeds as one likes.
"""

from __future__ import annotations

import sys
from collections import deque
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import msgspec

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
    decide,
)
from ecotone.infrastructure.bus import StreamConfig
from ecotone.infrastructure.bus._memory_stream import StreamLog
from ecotone.orchestration.control.reconcile import ChildState, child_died, progress
from ecotone.testing.clock import EventHeap

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecotone.infrastructure.bus._memory_stream import Handed

    Decide = Callable[[WantedNode, NodeState, Event, float, Rules], tuple[NodeState, tuple[Action, ...]]]

__all__ = ["Outcome", "SimCluster", "Violation", "simulate"]

CHAIN = ("source", "first", "second", "last")
"""Every component takes what the one before it emits; `first` has several replicas, `source` none of the rest."""

ITEM_TIMEOUT_S = 2.0
ATTEMPTS_MAX = 3
MEMORY_MAX_BYTES = 100.0
_FAULTS_FOR_S = 25.0
_CALM_FOR_S = 40.0
_BROKEN_SHARE = 0.15
_STARTS_PER_S_MAX = 8
_DECISIONS_AT_ONCE_MAX = 200


class Violation(AssertionError):  # noqa: N818 - it is what was found, not what went wrong
    """An invariant does not hold."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated run was like, to see that it was worth something."""

    seed: int
    events: int
    accepted: int
    handled: int
    given_up: int
    deaths: int
    faults: int


class _Host:
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


class _Agent:
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


class SimCluster:
    """Two machines with two nodes each. `run` raises `Violation` with the time and the last things that happened.

    Args:
        seed: everything that is random comes from it.
        decide_with: what the agents decide with; a broken one must be found out.
        rules: the limits of the agents.
    """

    def __init__(self, seed: int, *, decide_with: Decide = decide, rules: Rules | None = None) -> None:
        self.seed = seed
        self.random = Random(seed)  # noqa: S311 - a simulation
        self.heap = EventHeap()
        self.decide = decide_with
        self.rules = rules or Rules(
            item_timeouts_s=dict.fromkeys(CHAIN, ITEM_TIMEOUT_S), start_limit_s=8.0, memory_bytes=_LimitForAll()
        )
        self.agents = [_Agent("m1", ("n1", "n2")), _Agent("m2", ("n3", "n4"))]
        self.agent_of = {node: agent for agent in self.agents for node in agent.nodes}
        self.bus_up = True
        self.bus_child = ChildState()
        self.wanted: dict[str, WantedNode] = {}
        self.seen: dict[str, SeenNode] = {}
        self.weights = self._choose_weights()
        # What an agent has taken from a page while the bus is away dies with it; then the stream's own patience is
        # what brings the item back. Where that cannot happen, giving back has to do it alone.
        both = self.weights["agent killed"] > 0 and self.weights["bus killed"] > 0
        patience_s = 2.0 if both else self.random.choice([2.0, 3600.0])
        self.streams = {
            name: StreamLog(StreamConfig(name=name, consumers=(reader,), capacity=16, ack_wait_s=patience_s))
            for name, reader in pairwise(CHAIN)
        }
        self.pages: dict[str, set[tuple[str, int, int]]] = {}
        self.hosts: dict[str, list[_Host]] = {}
        self.machine_paused_until_s: dict[str, float] = {}
        self.signals: dict[str, list[Callable[[_Host], None]]] = {}
        self.poisoned: set[str] = set()
        self.accepted: dict[str, set[str]] = {name: set() for name in CHAIN}
        self.handled: dict[str, set[str]] = {name: set() for name in CHAIN}
        self.given_up: dict[str, set[str]] = {name: set() for name in CHAIN}
        self.starts: dict[str, deque[float]] = {}
        self.decisions: deque[float] = deque(maxlen=_DECISIONS_AT_ONCE_MAX)
        self.deaths = 0
        self.faults = 0
        self.emitted = 0
        self.calm = False
        self.plan_works = True
        self.story: deque[str] = deque(maxlen=40)

    # The run.

    def run(self) -> Outcome:
        """Faults for a while, then peace; checks everything."""
        self._plan_anew()
        for agent in self.agents:
            self._start_agent(agent)
        self._plan_faults()
        try:
            self.heap.run_until(_FAULTS_FOR_S)
            self.calm = True
            self._repair()
            self.heap.run_until(_FAULTS_FOR_S + _CALM_FOR_S / 2)
            self._check_converged()
            self._want({node: self._without_source(each) for node, each in self.wanted.items()})
            self.heap.run_until(_FAULTS_FOR_S + _CALM_FOR_S)
            self._check_nothing_lost()
        except Violation as violation:
            story = "\n  ".join(self.story)
            raise Violation(f"seed {self.seed}, at {self.heap.now_s:.3f} s: {violation}\n  {story}") from None
        return Outcome(
            seed=self.seed,
            events=self.heap.happened,
            accepted=sum(len(each) for each in self.accepted.values()),
            handled=sum(len(each) for each in self.handled.values()),
            given_up=sum(len(each) for each in self.given_up.values()),
            deaths=self.deaths,
            faults=self.faults,
        )

    def _tell(self, text: str) -> None:
        self.story.append(f"{self.heap.now_s:9.3f} {text}")

    def _later(self, low_s: float, high_s: float, act: Callable[[], None]) -> None:
        self.heap.after(self.random.uniform(low_s, high_s), act)

    # What is wanted.

    def _plan_anew(self) -> None:
        """A new plan: components on random nodes, `first` with one to three replicas, random variants; now and then one
        that cannot start."""
        self.plan_works = self.calm or self.random.random() > _BROKEN_SHARE
        wanted: dict[str, list[WantedInstance]] = {node: [] for node in self.agent_of}
        for component in CHAIN:
            variant = self.random.choice(["large", "small"])
            if component == "first" and not self.plan_works:
                variant = "broken"
            node = self.random.choice(list(wanted))
            for replica in range(self.random.randint(1, 3) if component == "first" else 1):
                name = f"{component}.{node}.{replica}"
                wanted[node].append(WantedInstance(id=name, components=(component,), variants=(variant,)))
        self._want({node: WantedNode(node=node, instances=tuple(each)) for node, each in wanted.items()})

    def _without_source(self, wanted: WantedNode) -> WantedNode:
        kept = tuple(each for each in wanted.instances if each.components[0] != "source")
        return msgspec.structs.replace(wanted, instances=kept)

    def _want(self, wanted: dict[str, WantedNode]) -> None:
        self._tell("a new plan")
        self.wanted = wanted
        for agent in self.agents:
            self._later(0.0005, 0.005, lambda agent=agent: self._fetch_wanted(agent, agent.life))

    def _fetch_wanted(self, agent: _Agent, life: int) -> None:
        """The agent's watch brings the newest state; without a bus it comes with the reconnection."""
        if agent.life != life or not agent.alive:
            return
        if not self.bus_up or self._paused(agent):
            self._later(0.05, 0.1, lambda: self._fetch_wanted(agent, life))
            return
        for node in agent.nodes:
            agent.wanted[node] = self.wanted[node]
            self._feed(agent, node, None)

    # Agents.

    def _start_agent(self, agent: _Agent) -> None:
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

    def _kill_agent(self, agent: _Agent) -> None:
        if not agent.alive:
            return
        self._tell(f"agent {agent.name} is killed")
        agent.alive = False
        for host in self._hosts_of(agent):  # by its fork server, before another one can be there
            self._later(0.0, 0.05, lambda host=host: self._die(host, "the agent died"))
        agent.child, delay_s = child_died(agent.child, self.heap.now_s)
        self._later(0.15 + delay_s, 0.4 + delay_s, lambda: self._start_agent(agent))

    def _hosts_of(self, agent: _Agent) -> list[_Host]:
        return [host for group in self.hosts.values() for host in group if host.alive and host.node in agent.nodes]

    def _paused(self, agent: _Agent) -> bool:
        return self.heap.now_s < agent.paused_until_s

    def _tick(self, agent: _Agent, life: int) -> None:
        if agent.life != life or not agent.alive:
            return
        self.heap.after(0.25, lambda: self._tick(agent, life))
        if self._paused(agent):
            return
        for node in agent.nodes:
            vitals = {host.instance.id: self._vitals(host) for host in self._hosts_of(agent) if host.node == node}
            self._feed(agent, node, Observed(vitals))
        self._send_tokens(agent)

    def _vitals(self, host: _Host) -> Vitals:
        return Vitals(
            ready=host.ready,
            heartbeat_s=host.beat_s,
            items=((host.component, host.item[1]),) if host.item else (),
            frozen=host.frozen,
            memory_bytes=2 * MEMORY_MAX_BYTES if host.leaks else MEMORY_MAX_BYTES / 2,
        )

    def _feed(self, agent: _Agent, node: str, event: Event) -> None:
        now_s = self.heap.now_s
        self.decisions.append(now_s)
        if len(self.decisions) == _DECISIONS_AT_ONCE_MAX and self.decisions[0] == now_s:
            raise Violation(f"{_DECISIONS_AT_ONCE_MAX} decisions at the same moment: a busy loop")
        wanted = agent.wanted.get(node, WantedNode(node=node))
        agent.states[node], actions = self.decide(wanted, agent.states[node], event, now_s, self.rules)
        for action in actions:
            self._do(agent, node, action)

    def _do(self, agent: _Agent, node: str, action: Action) -> None:
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

    def _wake(self, agent: _Agent, life: int, node: str, at_s: float) -> None:
        if agent.alive and agent.life == life and agent.wakes.get(node) == at_s:
            if self._paused(agent):
                self.heap.at(agent.paused_until_s, lambda: self._wake(agent, life, node, at_s))
                return
            del agent.wakes[node]
            self._feed(agent, node, None)

    def _write_seen(self, node: str, agent: _Agent, life: int) -> None:
        """Always the newest report: an older one must not overtake it."""
        if not agent.alive or agent.life != life:
            return
        if self.bus_up:
            self.seen[node] = agent.reports[node]
        else:
            self._later(0.05, 0.1, lambda: self._write_seen(node, agent, life))

    def _send_tokens(self, agent: _Agent) -> None:
        while self.bus_up and agent.alive and agent.tokens:
            stream, sequence, number = agent.tokens.popleft()
            self.streams[stream].postpone(_reader(stream), sequence, number, due_s=self.heap.now_s)

    # Hosts.

    def _living(self, instance: str) -> list[_Host]:
        return [host for host in self.hosts.get(instance, []) if host.alive]

    def _signal(self, instance: str, act: Callable[[_Host], None]) -> None:
        """Through the fork server, which works off its requests in order: a start that is on its way comes first."""
        living = self._living(instance)
        if not living:
            self.signals.setdefault(instance, []).append(act)
        for host in living:
            self._later(0.0001, 0.002, lambda host=host: act(host))

    def _fork(self, agent: _Agent, life: int, node: str, instance: WantedInstance, attempt: int) -> None:
        if not agent.alive or agent.life != life:
            return
        if not self.calm and self.random.random() < 0.03:
            exited = Exited(instance.id, attempt, "could not fork")
            self._later(0.001, 0.002, lambda: self._report_exit(agent, life, node, exited))
            return
        host = _Host(instance, attempt, node)
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

    def _beat(self, host: _Host) -> None:
        if not host.alive:
            return
        if not host.frozen and not host.hung and not self._machine_paused(host):
            host.beat_s = self.heap.now_s
        self.heap.after(0.2, lambda: self._beat(host))

    def _machine_paused(self, host: _Host) -> bool:
        return self.heap.now_s < self.machine_paused_until_s.get(self.agent_of[host.node].name, 0.0)

    def _get_ready(self, host: _Host) -> None:
        if not host.alive or host.frozen:
            return
        host.ready = True
        if host.component == "source":
            self._emit(host)
        else:
            self._pull(host)

    def _die(self, host: _Host, reason: str) -> None:
        """Whatever the cause: the process is gone, its page stays, its agent hears of it."""
        if not host.alive:
            return
        self._tell(f"{host.instance.id} attempt {host.attempt} dies: {reason}")
        host.alive = False
        self.deaths += 1
        agent = self.agent_of[host.node]
        exited = Exited(host.instance.id, host.attempt, reason)
        self._later(0.001, 0.003, lambda life=agent.life: self._report_exit(agent, life, host.node, exited))

    def _report_exit(self, agent: _Agent, life: int, node: str, exited: Exited) -> None:
        if not agent.alive or agent.life != life:
            return
        if self._paused(agent):
            self.heap.at(agent.paused_until_s, lambda: self._report_exit(agent, life, node, exited))
            return
        self._feed(agent, node, exited)

    def _sigterm(self, host: _Host) -> None:
        if not host.alive:
            return
        host.stopping = True
        if not host.ready or (host.item is None and host.well):
            self._die(host, "stopped")

    # Items.

    def _emit(self, host: _Host) -> None:
        if not self._can_work(host, lambda: self._emit(host)):
            return
        name = f"item{self.emitted}"
        self.emitted += 1
        if self.random.random() < 0.01:
            self.poisoned.add(name)
        self._append("source", name)
        self._later(0.05, 0.15, lambda: self._emit(host))

    def _can_work(self, host: _Host, again: Callable[[], None]) -> bool:
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

    def _pull(self, host: _Host) -> None:
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

    def _work(self, host: _Host, handed: Handed) -> None:
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

    def _acknowledge(self, host: _Host, handed: Handed) -> None:
        if not host.alive or host.frozen or host.hung:
            return
        if not self.bus_up:
            self._wait(host, lambda: self._acknowledge(host, handed))
            return
        self.streams[_producer(host.component)].acknowledge(host.component, handed.sequence)
        self._done(host, handed)

    def _wait(self, host: _Host, again: Callable[[], None]) -> None:
        """For the bus, or for room in a stream; a host that is to stop does not wait."""
        if host.stopping and not self._machine_paused(host):
            self._die(host, "stopped")
        else:
            self._later(0.05, 0.1, again)

    def _done(self, host: _Host, handed: Handed) -> None:
        self.pages[host.instance.id].discard((_producer(host.component), handed.sequence, handed.number))
        host.item = None
        self._pull(host)

    # Faults.

    def _choose_weights(self) -> dict[str, float]:
        """How often each fault happens, relative to the others; each seed has its own mixture."""
        usual = {
            "host killed": 10.0, "host frozen": 3.0, "host hangs": 3.0, "host leaks": 1.0, "agent killed": 1.5,
            "bus killed": 1.0, "agent paused": 1.0, "machine paused": 0.5, "new plan": 2.0,
        }  # fmt: skip
        weights = {name: weight * self.random.choice([0.0, 0.5, 1.0, 3.0]) for name, weight in usual.items()}
        return weights if any(weights.values()) else usual

    def _plan_faults(self) -> None:
        acts: dict[str, Callable[[], None]] = {
            "host killed": self._fault_host_killed,
            "host frozen": self._fault_host_frozen,
            "host hangs": self._fault_host_hung,
            "host leaks": self._fault_host_leaks,
            "agent killed": lambda: self._kill_agent(self.random.choice(self.agents)),
            "bus killed": self._fault_bus_killed,
            "agent paused": self._fault_agent_paused,
            "machine paused": self._fault_machine_paused,
            "new plan": self._plan_anew,
        }
        moment_s = self.random.uniform(0.5, 3.0)
        while moment_s < _FAULTS_FOR_S:
            name = self.random.choices(list(self.weights), list(self.weights.values()))[0]
            self.heap.at(moment_s, lambda act=acts[name]: self._strike(act))
            # Now and then a burst.
            moment_s += self.random.uniform(0.0, 0.05) if self.random.random() < 0.2 else self.random.expovariate(1.0)

    def _strike(self, act: Callable[[], None]) -> None:
        self.faults += 1
        act()

    def _any_host(self) -> _Host | None:
        living = [host for group in self.hosts.values() for host in group if host.alive]
        return self.random.choice(living) if living else None

    def _fault_host_killed(self) -> None:
        host = self._any_host()
        if host is not None:
            self._die(host, "killed by SIGKILL")

    def _fault_host_frozen(self) -> None:
        host = self._any_host()
        if host is not None:
            self._tell(f"{host.instance.id} is frozen")
            host.frozen = True

    def _fault_host_hung(self) -> None:
        """Its own thread stands still; if it has an item, only the item's timeout tells."""
        host = self._any_host()
        if host is not None and host.ready:
            self._tell(f"{host.instance.id} hangs")
            host.hung = True

    def _fault_host_leaks(self) -> None:
        host = self._any_host()
        if host is not None:
            self._tell(f"{host.instance.id} leaks memory")
            host.leaks = True

    def _fault_bus_killed(self) -> None:
        if not self.bus_up:
            return
        self._tell("the bus is killed")
        self.bus_up = False
        self.bus_child, delay_s = child_died(self.bus_child, self.heap.now_s)
        self._later(0.05 + delay_s, 0.5 + delay_s, self._restart_bus)

    def _restart_bus(self) -> None:
        self._tell("the bus is back")
        self.bus_up = True

    def _fault_agent_paused(self) -> None:
        agent = self.random.choice(self.agents)
        agent.paused_until_s = max(agent.paused_until_s, self.heap.now_s + self.random.uniform(0.2, 4.0))
        self._tell(f"agent {agent.name} is paused until {agent.paused_until_s:.3f}")

    def _fault_machine_paused(self) -> None:
        """A virtual machine that is not scheduled: agent and hosts stand still together."""
        agent = self.random.choice(self.agents)
        until_s = self.heap.now_s + self.random.uniform(0.5, 6.0)
        self._tell(f"machine {agent.name} stands still until {until_s:.3f}")
        agent.paused_until_s = max(agent.paused_until_s, until_s)
        self.machine_paused_until_s[agent.name] = until_s

    def _repair(self) -> None:
        self._tell("no more faults")
        if not self.bus_up:
            self._restart_bus()
        if not self.plan_works:
            self._plan_anew()

    # Invariants.

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

    def _check_converged(self) -> None:
        state = progress(self.wanted, self.seen)
        if not state.converged:
            raise Violation(f"not what is wanted: missing {state.missing}, unwanted {state.unwanted}")
        living = {name for name, group in self.hosts.items() for host in group if host.alive}
        wanted = {one.id for each in self.wanted.values() for one in each.instances}
        if living != wanted:
            raise Violation(f"running: {sorted(living)}, wanted: {sorted(wanted)}")

    def _check_nothing_lost(self) -> None:
        for stream, reader in pairwise(CHAIN):
            state = self.streams[stream].consumer_state(reader)
            if state.pending or state.in_flight:
                raise Violation(f"{reader} has {state.pending} items waiting and {state.in_flight} open: stuck")
            lost = self.accepted[stream] - self.handled[reader] - self.given_up[reader]
            if lost:
                raise Violation(f"{len(lost)} items from {stream} were lost by {reader}, for instance {min(lost)}")


class _LimitForAll(dict[str, float]):
    """The same limit whatever the instance."""

    def get(self, key: str, default: float | None = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        return MEMORY_MAX_BYTES


def _producer(component: str) -> str:
    return CHAIN[CHAIN.index(component) - 1]


def _reader(stream: str) -> str:
    return CHAIN[CHAIN.index(stream) + 1]


def simulate(seed: int, *, decide_with: Decide = decide) -> Outcome:
    """One seed. Raises Violation."""
    return SimCluster(seed, decide_with=decide_with).run()


def _main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    totals = [simulate(seed) for seed in range(count)]
    sys.stdout.write(
        f"{count} seeds: {sum(each.events for each in totals)} events, {sum(each.faults for each in totals)} faults, "
        f"{sum(each.deaths for each in totals)} deaths, {sum(each.accepted for each in totals)} items, none lost\n"
    )


if __name__ == "__main__":
    _main()
