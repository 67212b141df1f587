"""The whole continuum in virtual time, from seeds; and whether the simulator would notice if the agent were wrong.

`ECOTONE_SIMULATION_SEEDS=10000` runs as many seeds as one has time for; a failing seed is named, with its story.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ecotone.core.messages import WantedNode
from ecotone.execution.agent.decide import Exited, GiveBack, NodeState, Observed, Rules, Start, Stop, decide
from ecotone.testing.simulation import Outcome, SimCluster, Violation, simulate

SEEDS = int(os.environ.get("ECOTONE_SIMULATION_SEEDS", "200"))


def test_invariants_hold_for_many_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [simulate(seed) for seed in range(SEEDS)]

    names = ("events", "faults", "deaths", "accepted")
    totals = {name: sum(getattr(each, name) for each in outcomes) for name in names}
    with capsys.disabled():
        print(f"\n{SEEDS} seeds: " + ", ".join(f"{count} {name}" for name, count in totals.items()) + ", 0 lost")
    assert totals["faults"] > 10 * SEEDS
    assert totals["deaths"] > 10 * SEEDS
    assert totals["accepted"] > 100 * SEEDS
    assert sum(each.given_up for each in outcomes) > 0


def test_the_same_seed_is_the_same_run() -> None:
    assert simulate(7) == simulate(7)


Broken = Callable[[WantedNode, NodeState, Any, float, Rules], tuple[NodeState, tuple[Any, ...]]]


def never_gives_back(wanted: WantedNode, state: NodeState, event: Any, now_s: float, rules: Rules) -> Any:
    state, actions = decide(wanted, state, event, now_s, rules)
    return state, tuple(each for each in actions if not isinstance(each, GiveBack))


def never_restarts(wanted: WantedNode, state: NodeState, event: Any, now_s: float, rules: Rules) -> Any:
    state, actions = decide(wanted, state, event, now_s, rules)
    return state, tuple(each for each in actions if not (isinstance(each, Start) and each.attempt > 1))


def never_stops(wanted: WantedNode, state: NodeState, event: Any, now_s: float, rules: Rules) -> Any:
    state, actions = decide(wanted, state, event, now_s, rules)
    return state, tuple(each for each in actions if not isinstance(each, Stop))


def forgets_running_hosts(wanted: WantedNode, state: NodeState, event: Any, now_s: float, rules: Rules) -> Any:
    """As if an exit had been seen that never was: two hosts of one instance."""
    for name, instance in state.instances.items():
        if isinstance(event, Observed) and instance.phase == "running" and now_s > 10.0:
            event = Exited(name, instance.attempt, "imagined")
    return decide(wanted, state, event, now_s, rules)


def never_backs_off(wanted: WantedNode, state: NodeState, event: Any, now_s: float, rules: Rules) -> Any:
    rules = msgspec.structs.replace(rules, backoff_first_s=0.0, backoff_max_s=0.0)
    return decide(wanted, state, event, now_s, rules)


def judges_while_it_was_away(wanted: WantedNode, state: NodeState, event: Any, now_s: float, rules: Rules) -> Any:
    return decide(wanted, state, event, now_s, msgspec.structs.replace(rules, late_after_s=1e9))


def never_notices_a_hang(wanted: WantedNode, state: NodeState, event: Any, now_s: float, rules: Rules) -> Any:
    rules = msgspec.structs.replace(rules, heartbeat_max_s=1e9, item_timeouts_s={})
    return decide(wanted, state, event, now_s, rules)


@pytest.mark.parametrize(
    "broken",
    [
        never_gives_back,
        never_restarts,
        never_stops,
        forgets_running_hosts,
        never_backs_off,
        judges_while_it_was_away,
        never_notices_a_hang,
    ],
)
def test_a_broken_agent_is_found_out(broken: Broken) -> None:
    found: list[Violation] = []
    for seed in range(60):
        try:
            SimCluster(seed, decide_with=broken).run()
        except Violation as violation:
            found.append(violation)
            break
    assert found, f"60 seeds did not notice that the agent {broken.__name__.replace('_', ' ')}"
    assert f"seed {seed}" in str(found[0]), "the seed is named"


def test_an_outcome_says_what_it_was_worth() -> None:
    outcome = simulate(3)

    assert isinstance(outcome, Outcome)
    assert outcome.events > 1000
