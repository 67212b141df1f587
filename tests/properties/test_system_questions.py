"""Questions about systems against all placements, one by one."""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations

import msgspec
import pytest
from tests.support.systems import every_placement, random_system

from ecotone.core.errors import InputError
from ecotone.orchestration.placement.system.evaluate import Judgement, judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.model import Goal, System
from ecotone.orchestration.placement.system.questions import (
    Item,
    explain_infeasible,
    items_of,
    largest_load,
    only,
    pareto,
    replan,
    states_accuracy,
    with_load,
)
from ecotone.orchestration.placement.system.search import search


def feasible(system: System) -> list[Judgement]:
    flows = Flows(system)
    judged = (judge(system, placement, flows) for placement in every_placement(system))
    return [each for each in judged if each.feasible]


@cache
def infeasible_seeds() -> tuple[int, ...]:
    return tuple(seed for seed in range(40) if search(_strict(seed), any_will_do=True).infeasible)[:5]


def _strict(seed: int) -> System:
    """Asked more than it can, often by several things at once."""
    system = with_load(random_system(seed), 1.0 + seed % 4)
    first = system.components[0]
    first = msgspec.structs.replace(first, accuracy_min=0.9 if seed % 3 == 0 else None, confidential=seed % 2 == 0)
    return msgspec.structs.replace(
        system,
        components=(first, *system.components[1:]),
        bounds=tuple(msgspec.structs.replace(each, limit_s=0.6 * each.limit_s) for each in system.bounds),
        resources=tuple(
            msgspec.structs.replace(each, memory_bytes=each.memory_bytes / (1 + seed % 3)) for each in system.resources
        ),
    )


def _accuracy(system: System, judged: Judgement) -> float:
    stated = [each.accuracy or 0.0 for component in system.components for each in component.deployments]
    return max(stated) if judged.accuracy is None else judged.accuracy


@pytest.mark.parametrize("by", ["power", "accuracy"])
@pytest.mark.parametrize("seed", range(10))
def test_the_front_is_the_one_among_all_placements(seed, by):
    system = random_system(seed)
    if by == "accuracy" and not states_accuracy(system):
        return
    pairs = sorted(
        (each.price_eur_per_h, each.power_w if by == "power" else -_accuracy(system, each)) for each in feasible(system)
    )
    best: list[tuple[float, float]] = []
    for price, second in pairs:
        if not best or second < best[-1][1] - 2e-4 * (by == "power"):
            if best and price <= best[-1][0] + 2e-6:
                best.pop()
            best.append((price, second))
    found = pareto(system, by)
    assert found.complete
    ours = [
        (each.price_eur_per_h, each.power_w if by == "power" else -_accuracy(system, each.judged))
        for each in found.points
    ]
    assert ours == [(pytest.approx(price, abs=1e-5), pytest.approx(second, abs=1e-3)) for price, second in best]
    assert all(each.proven and each.judged.feasible for each in found.points)


def test_what_no_description_states_has_no_front():
    system = random_system(0)
    without = msgspec.structs.replace(
        system, resources=tuple(msgspec.structs.replace(each, idle_w=0.0, busy_w=0.0) for each in system.resources)
    )
    with pytest.raises(InputError, match="states no power"):
        pareto(without, "power")


def test_a_front_without_time_is_empty_and_says_so():
    found = pareto(random_system(0), time_limit_s=0.0)
    assert (found.points, found.complete) == ((), False)


@pytest.mark.parametrize("seed", range(6))
def test_the_largest_load_is_that_of_the_best_placement(seed):
    system = random_system(seed)
    found = largest_load(system, tolerance=0.01)
    total = sum(system.rates_per_s.values())
    assert found.load_per_s is None or found.judged is not None
    if found.judged is not None:
        assert found.judged.feasible
        assert judge(with_load(system, found.factor), found.judged.placement).feasible
    if found.impossible_per_s is not None:
        for more in (1.0, 1.02, 1.3, 3.0):
            assert not feasible(with_load(system, more * found.impossible_per_s / total))
    if found.judged is not None and found.judged.placement.copies:  # functions alone carry whatever comes
        assert found.proven, "here cold starts are rare where it matters"


@pytest.mark.parametrize("seed", range(20))
def test_the_largest_load_of_a_placement_is_where_it_breaks(seed):
    system = random_system(seed)
    some = feasible(system)
    if not some:
        return
    placement = some[seed % len(some)].placement
    found = largest_load(system, placement=placement, tolerance=0.001)
    assert found.factor is not None
    assert found.factor >= 1.0
    assert judge(with_load(system, found.factor), placement).feasible
    if found.impossible_per_s is not None:
        beyond = found.impossible_per_s / sum(system.rates_per_s.values())
        assert not judge(with_load(system, beyond), placement).feasible
        assert not judge(with_load(system, 2 * beyond), placement).feasible


@pytest.mark.parametrize("number", range(5))
def test_a_conflict_is_minimal_and_its_relaxations_help(number):
    system = _strict(infeasible_seeds()[number])
    found = explain_infeasible(system)
    assert found is not None
    assert found.minimal
    every = items_of(system)
    assert not feasible(only(system, every, found.items))
    if not found.items:
        return  # not even with nothing asked
    for some in combinations(found.items, len(found.items) - 1):
        assert feasible(only(system, every, some)), "any fewer of them can hold"
    changes = [each.relative_change for each in found.relaxations]
    assert changes == sorted(changes)
    assert found.relaxations, "something always helps"
    for each in found.relaxations:
        assert each.price_proven
        assert each.price_eur_per_h < math.inf


@pytest.mark.parametrize("seed", range(6))
def test_what_has_a_placement_has_no_conflict(seed):
    system = random_system(seed)
    if feasible(system):
        assert explain_infeasible(system) is None


def test_the_least_change_of_a_bound_is_the_least():
    system = next(
        each
        for seed in range(200)
        if feasible(each := random_system(seed)) and len(each.bounds) == 1 and each.bounds[0].limit_s < 1
    )
    bound = system.bounds[0]
    best_s = min(
        next(time.time_s for time in judge(system, each.placement).bounds)
        for each in feasible(msgspec.structs.replace(system, bounds=()))
        for each in [judge(system, each.placement)]
    )
    asked = msgspec.structs.replace(bound, limit_s=0.5 * best_s)
    found = explain_infeasible(msgspec.structs.replace(system, bounds=(asked,)))
    assert found is not None
    (relaxation,) = (each for each in found.relaxations if each.item.what == "bound")
    assert relaxation.item == Item(what="bound", subject=bound.name, sentence=relaxation.item.sentence)
    assert best_s <= relaxation.value <= 1.012 * best_s


@pytest.mark.parametrize("seed", range(14))
def test_a_new_plan_pays_for_moving_only_where_it_is_worth_it(seed):
    system = random_system(seed)
    before = search(system)
    if before.best is None:
        return
    running = before.best.placement
    moving = dict.fromkeys(running.deployments, 0.4)
    lost = sorted(running.copies)[seed % max(1, len(running.copies))] if running.copies else ""
    changed = msgspec.structs.replace(
        with_load(system, 1.3 if seed % 2 else 0.6),
        resources=tuple(
            msgspec.structs.replace(each, copies_max=0) if each.name == lost and seed % 3 == 0 else each
            for each in system.resources
        ),
    )
    goal = Goal(running=running, moving_eur_per_h=moving)
    best = min(
        (
            each.price_eur_per_h + goal.moving_price_eur_per_h(each.placement)
            for each in feasible(changed)
        ),
        default=math.inf,
    )  # fmt: skip
    found = replan(changed, running, moving)
    assert found.found.infeasible == math.isinf(best)
    if found.found.best is not None:
        assert found.found.optimal
        assert found.found.value == pytest.approx(best, abs=1e-5)
        assert found.moving_eur_per_h == pytest.approx(0.4 * len(found.moved))
        assert set(found.lost) <= set(found.moved)


def test_components_that_are_new_or_gone_are_no_moves():
    system = random_system(3)
    before = search(system)
    assert before.best is not None
    running = before.best.placement
    known = msgspec.structs.replace(
        running,
        deployments={"gone": "s1"} | {k: v for k, v in running.deployments.items() if k != "a"},
        resources={"gone": ("camera",)} | {k: v for k, v in running.resources.items() if k != "a"},
    )
    found = replan(system, known, dict.fromkeys(["gone", *running.deployments], 100.0))
    assert found.found.optimal
    assert found.moved == ()
    assert found.found.value == pytest.approx(before.value)
