"""How the search of systems may be asked; that it is exact is in tests/properties/test_system.py."""

from __future__ import annotations

import pytest
from tests.support.systems import random_system

from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.search import search


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
