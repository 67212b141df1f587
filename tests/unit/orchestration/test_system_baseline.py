"""The baseline of SPACE4AI's kind: what it finds holds, is repeatable, and its quick sums are the evaluator's."""

from __future__ import annotations

import random

import msgspec
import pytest
from tests.support.systems import every_placement, random_system

from ecotone.core.errors import InputError
from ecotone.orchestration.placement.system.baseline import (
    Improvement,
    Numbers,
    _Moves,
    baseline,
    local_search,
    random_greedy,
)
from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.model import (
    MEAN,
    Bound,
    Component,
    Deployment,
    Option,
    Partition,
    Placement,
    Resource,
    Semantics,
    System,
)
from ecotone.orchestration.placement.system.search import search


class TickingClock:
    """A second passes between any two readings."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def monotonic_s(self) -> float:
        self._now_s += 1.0
        return self._now_s

    def wall_s(self) -> float:
        return self.monotonic_s()


def shared(system: System) -> System:
    """The same with processor sharing and bounds on means only, which the baseline computes itself."""
    return msgspec.structs.replace(
        system,
        resources=tuple(msgspec.structs.replace(each, law="ps") for each in system.resources),
        bounds=tuple(msgspec.structs.replace(each, percentile=MEAN) for each in system.bounds),
    )


def changed(placement: Placement, system: System, draw: random.Random) -> Placement:
    """With another number of copies of something, or something else of a component."""
    if draw.random() < 0.5 and placement.copies:
        most = {resource.name: resource.copies_max for resource in system.resources}
        name = draw.choice(sorted(placement.copies))
        return msgspec.structs.replace(placement, copies={**placement.copies, name: draw.randint(0, most[name])})
    component = draw.choice(system.components)
    deployment = draw.choice(component.deployments)
    places = tuple(draw.choice(partition.options).resource for partition in deployment.partitions)
    kinds = {resource.name: resource.kind for resource in system.resources}
    return msgspec.structs.replace(
        placement,
        deployments={**placement.deployments, component.name: deployment.name},
        resources={**placement.resources, component.name: places},
        copies={**dict.fromkeys((each for each in places if kinds[each] != "serverless"), 1), **placement.copies},
    )


def agree(system: System, placements: list[Placement]) -> int:
    """Assert that the quick sums and the evaluator say the same; return how many placements hold."""
    flows = Flows(system)
    numbers = Numbers(system, flows)
    holding = 0
    for placement in placements:
        judged = judge(system, placement, flows)
        price = numbers.price(placement)
        assert (price is not None) == judged.feasible, judged.violations
        if price is not None:
            holding += 1
            assert price == pytest.approx(judged.price_eur_per_h, rel=1e-12)
    return holding


def random_placements(system: System, number: int) -> list[Placement]:
    return random.Random(system.name).sample(list(every_placement(system)), number)


def test_quick_sums_agree_with_the_evaluator_on_small_systems_of_all_semantics() -> None:
    systems = [shared(random_system(seed)) for seed in range(40)]
    assert all(Numbers(system, Flows(system)).is_common for system in systems)
    assert 20 < sum(agree(system, random_placements(system, 10)) for system in systems) < 380


def test_other_laws_and_percentiles_are_left_to_the_evaluator() -> None:
    systems = [random_system(seed) for seed in range(40)]
    systems = [system for system in systems if not Numbers(system, Flows(system)).is_common]
    assert len(systems) > 20
    assert 20 < sum(agree(system, random_placements(system, 10)) for system in systems) < 200


@pytest.mark.parametrize("seed", range(2, 6))
def test_quick_sums_agree_with_the_evaluator_around_good_placements(seed: int) -> None:
    draw = random.Random(seed)
    system = generate(7, seed)
    found = [judged.placement for judged in random_greedy(system, iterations=200)]
    near = [changed(draw.choice(found), system, draw) for _ in range(200)]
    assert len(found) < agree(system, found + near) < len(found) + len(near)


def test_bounds_that_are_just_kept_are_kept() -> None:
    system = generate(7, 3)
    flows = Flows(system)
    for placement in (judged.placement for judged in random_greedy(system, iterations=200)):
        for bound in judge(system, placement, flows).bounds:
            components = next(each.components for each in system.bounds if each.name == bound.bound)
            for factor, kept in ((1.0, True), (1.0 + 1e-6, True), (1.0 - 1e-6, False)):
                tight = Bound(name="tight", components=components, limit_s=bound.time_s * factor)
                exact = msgspec.structs.replace(system, bounds=(tight,))
                assert (Numbers(exact, Flows(exact)).price(placement) is not None) == kept


def test_a_placement_that_makes_no_sense_has_no_price() -> None:
    system = generate(5, 2)
    numbers = Numbers(system, Flows(system))
    good = random_greedy(system, iterations=200)[0].placement
    first = system.components[0].name
    assert numbers.price(good) is not None
    for wrong in (
        msgspec.structs.replace(good, deployments={**good.deployments, first: "none"}),
        msgspec.structs.replace(good, resources={**good.resources, first: ()}),
        msgspec.structs.replace(good, resources={**good.resources, first: ("none",) * len(good.resources[first])}),
        msgspec.structs.replace(good, copies={**good.copies, "none": 1}),
        msgspec.structs.replace(good, copies={**good.copies, "drone1": 99}),
        msgspec.structs.replace(good, copies={}),
    ):
        assert numbers.price(wrong) is None
        assert not judge(system, wrong).feasible


@pytest.mark.parametrize(("components", "seed"), [(5, 2), (5, 3), (7, 1), (7, 4), (10, 4)])
def test_what_is_found_holds_and_is_never_cheaper_than_the_proven_optimum(components: int, seed: int) -> None:
    system = generate(components, seed)
    exact = search(system, time_limit_s=1.5)  # in time, its bound is the optimum
    assert not exact.infeasible
    kept = random_greedy(system, iterations=300, elite=5)
    found = baseline(system, iterations=300, elite=5)
    assert found.best is not None
    for judged in (*kept, found.best):
        assert judge(system, judged.placement).feasible
        assert judged.price_eur_per_h >= exact.lower_bound - 1e-6
    prices = [judged.price_eur_per_h for judged in kept]
    assert prices == sorted(prices)
    assert 1 <= len(kept) <= 5
    assert len({str(judged.placement) for judged in kept}) == len(kept)
    assert found.price_eur_per_h == found.best.price_eur_per_h <= prices[0]


def test_small_systems_are_solved_as_far_as_one_type_per_layer_allows() -> None:
    solved = 0
    for seed in range(12):
        system = random_system(seed)
        exact = search(system, time_limit_s=30.0)
        found = baseline(system, iterations=100, elite=3)
        if exact.best is None:
            assert found.best is None
        elif found.best is not None:
            assert found.price_eur_per_h >= exact.value - 1e-6
            solved += found.price_eur_per_h == pytest.approx(exact.value, abs=1e-5)
    assert solved >= 4


def test_the_same_seed_finds_the_same() -> None:
    system = generate(7, 2)
    one, same, other = (random_greedy(system, iterations=200, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert [judged.placement for judged in one] != [judged.placement for judged in other]
    start = one[-1].placement
    assert local_search(system, start, seed=1) == local_search(system, start, seed=1)
    assert baseline(system, iterations=200, seed=1).best == baseline(system, iterations=200, seed=1).best


@pytest.mark.parametrize("seed", range(2, 6))
def test_local_search_never_worsens(seed: int) -> None:
    system = generate(7, seed)
    for start in random_greedy(system, iterations=200, elite=4):
        prices = [
            local_search(system, start.placement, iterations=iterations, seed=seed).price_eur_per_h
            for iterations in (0, 3, 30)
        ]
        assert start.price_eur_per_h == prices[0] >= prices[1] >= prices[2]


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_move_leads_to_something_that_holds(seed: int) -> None:
    system = generate(10, seed)
    flows = Flows(system)
    numbers = Numbers(system, flows)
    draw = random.Random(seed)
    for start in random_greedy(system, iterations=100, elite=3):
        state = numbers.state_of(start.placement)
        assert state is not None
        moves = _Moves(numbers, state, draw)
        for _ in range(30):
            before = moves.state.price
            moves.all()
            assert moves.state.price <= before
            judged = judge(system, numbers.placement(moves.state), flows)
            assert not judged.violations
            assert moves.state.price == pytest.approx(judged.price_eur_per_h, rel=1e-12)


def test_local_search_finds_something_cheaper() -> None:
    system = generate(10, 1)
    start = random_greedy(system, iterations=200)[0]
    told: list[Improvement] = []
    found = local_search(system, start.placement, iterations=100, progress=told.append)
    assert found.feasible
    assert found.price_eur_per_h < start.price_eur_per_h
    assert told[-1].price_eur_per_h == found.price_eur_per_h


def test_local_search_gives_back_what_nothing_runs_on() -> None:
    system = generate(7, 3)
    found = random_greedy(system, iterations=200)[0]
    idle = next(
        each.name
        for each in system.resources
        if each.kind == "edge" and each.copies_max > 1 and each.name not in found.placement.copies
    )
    start = msgspec.structs.replace(found.placement, copies={**found.placement.copies, idle: 2})
    better = local_search(system, start, iterations=20)
    assert idle not in better.placement.copies
    assert better.price_eur_per_h <= found.price_eur_per_h


def test_local_search_returns_the_judgement_of_a_start_that_does_not_hold() -> None:
    system = generate(5, 2)
    start = msgspec.structs.replace(random_greedy(system, iterations=100)[0].placement, copies={})
    assert local_search(system, start) == judge(system, start)


def test_nothing_is_found_of_an_infeasible_system() -> None:
    system = generate(5, 2)
    bounds = tuple(msgspec.structs.replace(each, limit_s=1e-3) for each in system.bounds)
    hopeless = msgspec.structs.replace(system, bounds=bounds)
    assert random_greedy(hopeless, iterations=100) == []
    found = baseline(hopeless, iterations=100)
    assert found.best is None
    assert found.price_eur_per_h == float("inf")
    assert found.iterations == 100
    assert found.improvements == ()


def test_a_component_that_may_run_nowhere_ends_it_at_once() -> None:
    system = generate(5, 2)
    first, *others = system.components
    nowhere = msgspec.structs.replace(first, layers=frozenset({"none"}))
    found = baseline(msgspec.structs.replace(system, components=(nowhere, *others)))
    assert found.best is None
    assert found.iterations == 0


def test_what_rules_forbid_is_not_drawn() -> None:
    system = generate(7, 2)
    allowed = {"drones", "vm-1"}
    components = tuple(msgspec.structs.replace(each, layers=frozenset(allowed)) for each in system.components)
    ruled = msgspec.structs.replace(system, components=components)
    numbers = Numbers(ruled, Flows(ruled))
    assert {system.resources[number].layer for number in numbers.on} == allowed


def test_deployments_that_are_too_inaccurate_are_not_drawn() -> None:
    system = generate(5, 2)
    *others, last = system.components
    first, *worse = last.deployments
    assert worse
    deployments = (
        msgspec.structs.replace(first, accuracy=0.9),
        *(msgspec.structs.replace(each, accuracy=0.8) for each in worse),
    )
    exacting = msgspec.structs.replace(last, deployments=deployments, accuracy_min=0.85)
    ruled = msgspec.structs.replace(system, components=(*others, exacting))
    assert [way.name for way in Numbers(ruled, Flows(ruled)).ways[-1]] == [first.name]


def one_box(*, memory_bytes: float = 1.0, copies_max: int = 1) -> tuple[System, Placement]:
    """A component that keeps one copy of an edge server busy all the time, and needs 1 byte of memory there."""
    option = Option(resource="box", service_s=0.5, memory_bytes=1.0)
    deployment = Deployment(name="whole", partitions=(Partition(name="h", options=(option,)),))
    box = Resource(
        name="box",
        kind="edge",
        layer="site",
        price_eur_per_h=1.0,
        memory_bytes=memory_bytes,
        copies_max=copies_max,
    )
    system = System(
        name="one",
        components=(Component(name="only", deployments=(deployment,)),),
        resources=(box,),
        rates_per_s={"only": 2.0},
    )
    return system, Placement(deployments={"only": "whole"}, resources={"only": ("box",)}, copies={"box": copies_max})


def test_a_resource_may_be_busy_all_the_time_where_the_semantics_allow_it() -> None:
    system, placement = one_box()
    bound = Bound(name="late", components=("only",), limit_s=1e9)
    for saturation, bounds, holding in ((True, (), 1), (True, (bound,), 0), (False, (), 0)):
        semantics = Semantics(saturation=saturation)
        assert agree(msgspec.structs.replace(system, bounds=bounds, semantics=semantics), [placement]) == holding


@pytest.mark.parametrize("memory_bytes", [0.4, 0.5, 0.6, 1.0])
@pytest.mark.parametrize("memory_of_copies", [True, False])
def test_copies_have_memory_where_the_semantics_say_so(memory_bytes: float, *, memory_of_copies: bool) -> None:
    system, placement = one_box(memory_bytes=memory_bytes, copies_max=2)
    system = msgspec.structs.replace(system, semantics=Semantics(memory_of_copies=memory_of_copies))
    holding = memory_bytes * (2 if memory_of_copies else 1) >= 1.0
    assert agree(system, [placement]) == holding
    assert bool(random_greedy(system, iterations=1)) == holding


def test_draws_do_not_come_back_from_the_cloud_and_fill_no_resource() -> None:
    system = generate(10, 1)
    cramped = tuple(
        msgspec.structs.replace(each, memory_bytes=1.5 * max(o.memory_bytes for o in options))
        for each, options in zip(system.resources, options_by_resource(system), strict=True)
    )
    full = msgspec.structs.replace(system, resources=cramped)
    numbers = Numbers(full, Flows(full))
    draw = random.Random(1)
    sheets = [sheet for _ in range(200) if (sheet := numbers.draw(draw)) is not None]
    assert 0 < len(sheets) < 200
    for sheet in sheets:
        assert not numbers.returns(sheet.chosen)
        assert all(one <= other for one, other in zip(sheet.memories, numbers.most_rooms, strict=True))
        again = numbers.sheet(sheet.chosen)
        assert (again.loads, again.memories, again.used) == (sheet.loads, sheet.memories, sheet.used)


def options_by_resource(system: System) -> list[list[Option]]:
    options = [
        option
        for component in system.components
        for deployment in component.deployments
        for partition in deployment.partitions
        for option in partition.options
    ]
    return [[option for option in options if option.resource == resource.name] for resource in system.resources]


def test_one_type_of_each_layer_is_drawn_unless_more_are_asked_for() -> None:
    system = generate(5, 1)  # needs two types of edge servers
    layers = {resource.name: resource.layer for resource in system.resources}
    assert random_greedy(system) == []
    for judged in random_greedy(generate(5, 2)):
        assert len({layers[name] for name in judged.placement.copies}) == len(judged.placement.copies)
    assert random_greedy(system, types_per_layer=2)


def test_edges_after_the_cloud_are_drawn_where_the_semantics_allow_it() -> None:
    system = generate(7, 2)
    free = msgspec.structs.replace(system, semantics=Semantics(returns=True))
    whats = {
        violation.what for judged in random_greedy(free) for violation in judge(system, judged.placement).violations
    }
    assert whats == {"returns"}


def test_improvements_tell_when_and_how_much() -> None:
    told: list[Improvement] = []
    found = baseline(generate(7, 2), iterations=200, clock=TickingClock(), progress=told.append)
    assert found.iterations == 200
    assert found.improvements == tuple(told)
    prices = [each.price_eur_per_h for each in told]
    walls_s = [each.wall_s for each in told]
    assert prices == sorted(set(prices), reverse=True)
    assert prices[-1] == found.price_eur_per_h
    assert walls_s == sorted(walls_s)
    assert walls_s[-1] < found.wall_s


def test_the_time_limit_ends_it() -> None:
    system = generate(7, 2)
    assert baseline(system, time_limit_s=50.0, clock=TickingClock()).iterations < 50
    assert baseline(system, rounds=None, iterations=20, time_limit_s=500.0, clock=TickingClock()).iterations > 20
    few = random_greedy(system, time_limit_s=50.0, clock=TickingClock())
    assert few != random_greedy(system)
    start = random_greedy(system)[0].placement
    assert local_search(system, start, time_limit_s=0.0, clock=TickingClock()).placement == start


def test_more_rounds_find_no_worse() -> None:
    system = generate(10, 3)
    prices = [baseline(system, iterations=100, rounds=rounds).price_eur_per_h for rounds in (1, 2, 4)]
    assert prices == sorted(prices, reverse=True)


def test_something_must_end_it() -> None:
    with pytest.raises(InputError):
        baseline(generate(5, 2), rounds=None)
