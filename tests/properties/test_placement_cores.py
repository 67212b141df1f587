"""Plans of components that use several cores: the solver against enumeration, and nothing new where all have one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.properties.test_placement import best_by_enumeration, cheapest_by_enumeration, keeps, size
from tests.support.random_cases import random_case, with_cores

from ecotone.orchestration.placement.evaluate import Evaluator
from ecotone.orchestration.placement.goal import Goal
from ecotone.orchestration.placement.problem import Problem, compile_problem
from ecotone.orchestration.placement.solve import search

if TYPE_CHECKING:
    from ecotone.core.plan import Confidence

MOST_COMBINATIONS = 20_000
RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "one_core_plans.json").read_text())


def wide_problem(seed: int, confidence: Confidence = "upper") -> Problem:
    application, continuum, samples = random_case(
        seed, components=2 + seed % 2, node_types=2, strictness=(0.0, 0.3)[seed % 2]
    )
    application, samples = with_cores(seed, application, samples)
    return compile_problem(application, continuum, samples, fuse=bool(seed % 3), confidence=confidence)


@pytest.mark.parametrize("confidence", ["upper", "expected"])
@pytest.mark.parametrize("seed", range(30))
def test_the_solver_agrees_with_enumeration_about_cores(seed: int, confidence: Confidence) -> None:
    problem = wide_problem(seed, confidence)
    if size(problem) > MOST_COMBINATIONS:
        pytest.skip(f"{size(problem)} combinations are too many to enumerate")
    found = search(problem, deadline_s=time.monotonic() + 60.0)
    expected = cheapest_by_enumeration(problem)
    if expected is None:
        assert found.infeasible
        return
    assert found.best is not None
    assert found.optimal
    assert found.best.cost_eur_per_h == pytest.approx(expected, abs=2e-6)
    assert found.lower_bound == pytest.approx(expected, abs=2e-6)
    assert keeps(problem, found.best)
    for use in found.best.nodes:
        rows = [row for row in found.best.assignments if row.node == use.node]
        cores = problem.nodes[use.node].type.cores
        assert all(problem.application.component(row.component).held(row.cores) <= cores for row in rows)
        assert use.utilisation <= 0.9 + 1e-9


@pytest.mark.parametrize("seed", range(0, 30, 2))
def test_the_least_power_is_that_of_enumeration(seed: int) -> None:
    problem = wide_problem(seed)
    goal = Goal(minimise="power")
    if size(problem) > MOST_COMBINATIONS // 4:
        pytest.skip(f"{size(problem)} combinations are too many to enumerate")
    found = search(problem, goal=goal, deadline_s=time.monotonic() + 60.0)
    if found.infeasible:
        assert cheapest_by_enumeration(problem) is None
        return
    assert found.optimal
    assert found.value == pytest.approx(best_by_enumeration(problem, goal), abs=2e-3)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: str(each["seed"]))
def test_with_one_core_everywhere_plans_are_what_they_were(recorded: dict[str, Any]) -> None:
    """Recorded before components could have more than one."""
    seed = recorded["seed"]
    case = random_case(seed, components=3, node_types=2, strictness=(0.2, 0.6)[seed % 2])
    problem = compile_problem(*case, fuse=seed % 4 == 3)
    found = search(problem, deadline_s=time.monotonic() + 60.0)
    if "infeasible" in recorded:
        assert found.infeasible
        return
    assert found.best is not None
    judged = Evaluator(problem).evaluate(found.best.assignments, intervals=True)
    rows = sorted([row.component, row.variant, row.node, row.replicas] for row in judged.assignments)
    assert rows == recorded["assignments"]
    assert {row.cores for row in judged.assignments} == {1}
    figures = [
        [
            each.service_mean_s, each.predicted_p50_s, each.predicted_p95_s, each.low_s, each.high_s,
            each.utilisation, each.energy_j,
        ]
        for each in judged.components
    ]  # fmt: skip
    assert figures == [pytest.approx(each[1:], rel=1e-9) for each in recorded["components"]]
    paths = [[path.predicted_s, path.low_s, path.high_s] for path in judged.paths]
    assert paths == [pytest.approx(each, rel=1e-9) for each in recorded["paths"]]
    assert {node.node: node.utilisation for node in judged.nodes} == pytest.approx(recorded["busy"], rel=1e-9)
    assert judged.cost_eur_per_h == pytest.approx(recorded["cost_eur_per_h"], rel=1e-9)
    assert judged.power_w == pytest.approx(recorded["power_w"], rel=1e-9)
