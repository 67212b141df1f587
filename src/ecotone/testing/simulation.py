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
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.messages import WantedInstance, WantedNode
from ecotone.execution.agent.decide import decide
from ecotone.orchestration.control.reconcile import SOURCES_WAIT_MAX_S, ChildState, child_died, progress
from ecotone.testing._simulated_world import CHAIN, REPLICAS_MAX, Host, Violation, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecotone.testing._simulated_world import Decide

__all__ = ["Outcome", "SimCluster", "Violation", "simulate"]

_FAULTS_FOR_S = 25.0
_CALM_FOR_S = 40.0
_BROKEN_SHARE = 0.15
_LOOK_EVERY_S = 0.05


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated run was like, to see that it was worth something."""

    seed: int
    events: int
    accepted: int
    handled: int
    given_up: int
    deaths: int
    faults: int


class SimCluster(World):
    """Two machines with two nodes each. `run` raises `Violation` with the time and the last things that happened.

    Args:
        seed: everything that is random comes from it.
        decide_with: what the agents decide with; a broken one must be found out.
    """

    def __init__(self, seed: int, *, decide_with: Decide = decide) -> None:
        random = Random(seed)  # noqa: S311 - a simulation
        self.seed = seed
        self.weights = _choose_weights(random)
        # What an agent has taken from a page while the bus is away dies with it; then the stream's own patience is
        # what brings the item back. Where that cannot happen, giving back has to do it alone.
        both = self.weights["agent killed"] > 0 and self.weights["bus killed"] > 0
        super().__init__(random, decide_with=decide_with, patience_s=2.0 if both else random.choice([2.0, 3600.0]))
        self.bus_child = ChildState()
        self.faults = 0
        self.plan_works = True

    # The run.

    def run(self) -> Outcome:
        """Faults for a while, then peace; checks everything."""
        self._plan_anew()
        for agent in self.agents:
            self._start_agent(agent)
        self._hold_source_back()
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
            for replica in range(self.random.randint(1, REPLICAS_MAX) if component == "first" else 1):
                name = f"{component}.{node}.{replica}"
                wanted[node].append(WantedInstance(id=name, components=(component,), variants=(variant,)))
        self._want({node: WantedNode(node=node, instances=tuple(each)) for node, each in wanted.items()})

    def _hold_source_back(self) -> None:
        """As the controller deploys: the source is wanted when the rest runs, or has had its time."""
        everything = self.wanted
        first = {node: self._without_source(each) for node, each in everything.items()}
        self._want(first)

        def look() -> None:
            if self.wanted is not first:
                return  # there is another plan by now
            if progress(first, self.seen).converged or self.heap.now_s >= SOURCES_WAIT_MAX_S:
                self._want(everything)
            else:
                self.heap.after(_LOOK_EVERY_S, look)

        look()

    def _without_source(self, wanted: WantedNode) -> WantedNode:
        kept = tuple(each for each in wanted.instances if each.components[0] != "source")
        return msgspec.structs.replace(wanted, instances=kept)

    def _want(self, wanted: dict[str, WantedNode]) -> None:
        self._tell("a new plan")
        self.wanted = wanted
        for agent in self.agents:
            self._later(0.0005, 0.005, lambda agent=agent: self._fetch_wanted(agent, agent.life))

    # Faults.

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

    def _any_host(self) -> Host | None:
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


def _choose_weights(random: Random) -> dict[str, float]:
    """How often each fault happens, relative to the others; each seed has its own mixture."""
    usual = {
        "host killed": 10.0, "host frozen": 3.0, "host hangs": 3.0, "host leaks": 1.0, "agent killed": 1.5,
        "bus killed": 1.0, "agent paused": 1.0, "machine paused": 0.5, "new plan": 2.0,
    }  # fmt: skip
    weights = {name: weight * random.choice([0.0, 0.5, 1.0, 3.0]) for name, weight in usual.items()}
    return weights if any(weights.values()) else usual


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
