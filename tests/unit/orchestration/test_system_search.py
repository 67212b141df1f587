"""How the search of systems may be asked; that it is exact is in tests/properties/test_system.py."""

from __future__ import annotations

import threading

import msgspec
import pytest
from tests.support.systems import random_system

from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.search import Progress, search


@pytest.mark.parametrize("seed", range(12))
def test_any_placement_keeps_the_bounds_and_costs_no_less_than_the_best(seed: int) -> None:
    system = random_system(seed)
    found, best = search(system, any_will_do=True), search(system)
    assert found.infeasible == best.infeasible
    if best.best is not None:
        assert found.best is not None
        assert found.best.feasible
        assert found.lower_bound <= best.value + 1e-6
        assert found.value >= best.value - 1e-6


def test_any_placement_of_a_larger_system_will_do() -> None:
    found = search(generate(7, 3), any_will_do=True)
    assert found.best is not None
    assert found.best.feasible


def test_the_same_question_gets_the_same_answer() -> None:
    first, second = (search(generate(7, 4), seed=3) for _ in range(2))
    assert first.best is not None
    assert second.best is not None
    assert first.best.placement == second.best.placement
    assert (first.rounds, first.lower_bound) == (second.rounds, second.lower_bound)


def test_progress_only_gets_better_and_ends_where_the_search_does() -> None:
    told: list[Progress] = []
    found = search(generate(10, 2), progress=told.append)
    values = [each.value for each in told if each.value is not None]
    bounds = [each.lower_bound for each in told]
    assert values == sorted(values, reverse=True)
    assert bounds == sorted(bounds)
    assert found.optimal
    assert values[-1] == found.value


def test_a_gap_ends_the_search_early_with_a_bound_that_holds() -> None:
    system = generate(10, 3)
    optimum = search(system).value
    rough = search(system, gap=0.5)
    assert rough.lower_bound <= optimum + 1e-6
    assert optimum - 1e-6 <= rough.value <= optimum / 0.5


def test_a_large_system_gets_a_placement_and_a_bound_in_the_time_there_is() -> None:
    found = search(generate(30, 4), time_limit_s=6.0)
    assert found.best is not None
    assert found.best.feasible
    assert 0.0 < found.lower_bound <= found.value
    assert not found.infeasible


def test_an_event_ends_the_search_with_the_best_so_far() -> None:
    stop = threading.Event()

    def look(told: Progress) -> None:
        if told.value is not None:
            stop.set()

    found = search(generate(30, 1), time_limit_s=600.0, progress=look, stop=stop)
    assert found.best is not None
    assert not found.optimal
    assert found.lower_bound <= found.value


def test_a_start_is_taken_and_never_worsened() -> None:
    system = generate(10, 5)
    optimum = search(system)
    assert optimum.best is not None
    again = search(system, start=optimum.best.placement, any_will_do=True)
    assert again.value == optimum.value
    assert again.rounds == 0


def test_a_bound_that_nothing_keeps_is_proven_to_be_one() -> None:
    system = generate(7, 1)
    bound = msgspec.structs.replace(system.bounds[0], limit_s=1e-3)
    found = search(msgspec.structs.replace(system, bounds=(bound,)))
    assert found.infeasible
    assert found.best is None
