"""The exact search of systems against all placements, one by one."""

from __future__ import annotations

import math

import msgspec
import pytest
from tests.support.systems import every_placement, random_system

from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.model import Goal, System
from ecotone.orchestration.placement.system.search import CHEAPEST, search


def _best(system: System, goal: Goal) -> float:
    flows = Flows(system)
    best = math.inf
    for placement in every_placement(system):
        judged = judge(system, placement, flows)
        if not judged.feasible:
            continue
        if goal.power_max_w is not None and judged.power_w > goal.power_max_w:
            continue
        if goal.accuracy_min is not None and judged.accuracy is not None and judged.accuracy < goal.accuracy_min:
            continue
        value = judged.power_w if goal.minimise == "power" else judged.price_eur_per_h
        best = min(best, value + goal.moving_price_eur_per_h(placement))
    return best


@pytest.mark.parametrize("seed", range(60))
def test_the_search_finds_what_looking_at_everything_finds(seed: int) -> None:
    system = random_system(seed)
    found = search(system, time_limit_s=60.0)
    best = _best(system, CHEAPEST)
    assert found.infeasible == math.isinf(best)
    if not found.infeasible:
        assert found.optimal
        assert found.best is not None
        assert found.best.feasible
        assert found.value == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("seed", range(60, 90))
def test_other_goals_are_reached_as_exactly(seed: int) -> None:
    system = random_system(seed)
    cheapest = search(system, time_limit_s=60.0)
    if cheapest.best is None:
        assert cheapest.infeasible
        return
    running = cheapest.best.placement
    goals = [
        Goal(minimise="power"),
        Goal(power_max_w=0.9 * cheapest.best.power_w),
        Goal(accuracy_min=0.9),
        Goal(running=running, moving_eur_per_h=dict.fromkeys(running.deployments, 1.0)),
    ]
    rates = {name: 0.5 * rate for name, rate in system.rates_per_s.items()}
    for goal in goals:
        changed = system if goal.running is None else _with_rates(system, rates)
        found = search(changed, goal, time_limit_s=60.0)
        best = _best(changed, goal)
        assert found.infeasible == math.isinf(best)
        if not found.infeasible:
            assert found.value == pytest.approx(best, abs=1e-5)


def _with_rates(system: System, rates: dict[str, float]) -> System:
    return msgspec.structs.replace(system, rates_per_s=rates)
