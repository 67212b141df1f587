"""The solver against plain enumeration on small random problems: the same cost, the same verdict."""

from __future__ import annotations

import itertools
import math
import time
from typing import TYPE_CHECKING

import numpy
import pytest
from tests.support.random_cases import random_case

from ecotone.core.plan import Assignment
from ecotone.orchestration.placement._cuts import time_limits
from ecotone.orchestration.placement.evaluate import Evaluation, Evaluator
from ecotone.orchestration.placement.goal import CHEAPEST, Goal
from ecotone.orchestration.placement.problem import Problem, compile_problem
from ecotone.orchestration.placement.solve import search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecotone.core.application import Component
    from ecotone.core.plan import Confidence

MOST_COMBINATIONS = 6000


def ways(problem: Problem, component: Component) -> list[tuple[Assignment, ...]]:
    """Every placement of one component: any variant and number of cores, up to its replicas, spread over the nodes of
    one site. What the compiler refused is included: the judge must refuse it, too."""
    found: list[tuple[Assignment, ...]] = []
    totals = range(1, problem.replica_limits[component.name] + 1)
    choices = itertools.product(component.variants, component.core_counts, totals, problem.continuum.sites)
    for variant, cores, total, site in choices:
        nodes = [node for node in problem.nodes.values() if node.site == site.name]
        for counts in itertools.product(*(range(min(total, node.type.cores) + 1) for node in nodes)):
            if sum(counts) == total:
                rows = zip(nodes, counts, strict=True)
                found.append(
                    tuple(
                        Assignment(
                            component=component.name, variant=variant.name, node=node.name, replicas=count, cores=cores
                        )
                        for node, count in rows
                        if count
                    )
                )
    return found


def by_cost(problem: Problem, evaluator: Evaluator, combinations: list[list[tuple[Assignment, ...]]]
            ) -> Iterator[tuple[Assignment, ...]]:  # fmt: skip
    """All assignments that break no rule and no capacity, the cheapest first."""
    sound = []
    for combination in itertools.product(*combinations):
        rows = tuple(row for each in combination for row in each)
        judged = evaluator.statics(rows)
        if judged.feasible:
            sound.append((judged.cost_eur_per_h, rows))
    yield from (rows for _, rows in sorted(sound, key=lambda pair: pair[0]))


def cheapest_by_enumeration(problem: Problem) -> float | None:
    evaluator = Evaluator(problem)
    combinations = [ways(problem, component) for component in problem.components]
    for rows in by_cost(problem, evaluator, combinations):
        judged = evaluator.evaluate(rows)
        if judged.feasible:
            return judged.cost_eur_per_h
    return None


def size(problem: Problem) -> int:
    total = 1
    for component in problem.components:
        total *= len(ways(problem, component))
    return total


@pytest.mark.parametrize(("fuse", "confidence"), [(False, "upper"), (True, "upper"), (False, "expected")])
@pytest.mark.parametrize("seed", range(40))
def test_the_solver_agrees_with_enumeration(seed: int, fuse: bool, confidence: Confidence) -> None:
    application, continuum, samples = random_case(
        seed, components=2 + seed % 2, node_types=2 + seed % 3 // 2, strictness=(0.3, 0.7, 1.0)[seed % 3]
    )
    problem = compile_problem(application, continuum, samples, fuse=fuse, confidence=confidence)
    if size(problem) > MOST_COMBINATIONS:
        pytest.skip(f"{size(problem)} combinations are too many to enumerate")
    found = search(problem, deadline_s=time.monotonic() + 60.0)
    expected = cheapest_by_enumeration(problem)
    if expected is None:
        assert found.infeasible
    else:
        assert found.best is not None
        assert found.optimal
        assert found.best.cost_eur_per_h == pytest.approx(expected, abs=2e-6)
        assert found.lower_bound == pytest.approx(expected, abs=2e-6)
        assert keeps(problem, found.best)


def keeps(problem: Problem, judged: Evaluation) -> bool:
    """Whether every promised time is kept, by what predictions say when they are made for somebody to read."""
    timing = problem.timing.predict(judged.assignments, groups=judged.groups, interval="whole")
    limits = [
        (found, found.predicted_s, path.latency.latency_max_s)
        for found, path in zip(timing.paths, problem.application.paths, strict=True)
    ]
    limits += [
        (found, found.at_promise_s, component.requirements.latency.latency_max_s)
        for component in problem.components
        if component.requirements.latency is not None
        for found in [timing.of(component.name)]
    ]
    upper = problem.confidence == "upper"
    return all((found.high_s if upper else expected_s) <= limit_s * (1 + 1e-6) for found, expected_s, limit_s in limits)


@pytest.mark.parametrize("seed", range(12))
def test_idle_times_are_below_both_ends(seed: int) -> None:
    """What the solver's constraints and cuts rest on."""
    application, continuum, samples = random_case(seed, components=3, node_types=2, strictness=0.3)
    for confidence in ("upper", "expected"):
        problem = compile_problem(application, continuum, samples, confidence=confidence)
        limits = time_limits(problem)
        evaluator = Evaluator(problem)
        combinations = [ways(problem, component)[:4] for component in problem.components]
        for combination in list(itertools.product(*combinations))[:20]:
            judged = evaluator.evaluate([row for each in combination for row in each])
            if judged.timing is None:
                continue
            for limit in limits:
                found = judged.timing.paths[0] if limit.what == "path latency" else judged.timing.of(limit.subject)
                floor_s = limit.idle.percentile_of(
                    sum(  # pyright: ignore
                        numpy.minimum.reduce(
                            [
                                limit.idle.service(name, row.variant, problem.nodes[row.node])
                                for row in judged.assignments
                                if row.component == name
                            ]
                        )
                        for name in limit.idle.route
                    )
                )
                assert floor_s <= problem.judged_s(found) * (1 + 1e-9)


def best_by_enumeration(problem: Problem, goal: Goal) -> float:
    evaluator = Evaluator(problem)
    combinations = [ways(problem, component) for component in problem.components]
    refused = goal.variants_refused(problem)
    best = math.inf
    for rows in by_cost(problem, evaluator, combinations):
        if any((row.component, row.variant) in refused for row in rows):
            continue
        judged = evaluator.statics(rows)
        value = goal.value_of(judged)
        if value < best and not goal.violations(problem, judged) and evaluator.evaluate(rows).feasible:
            best = value
    return best


@pytest.mark.parametrize("seed", range(30))
def test_other_goals_are_reached_as_exactly(seed: int) -> None:
    application, continuum, samples = random_case(
        seed, components=2 + seed % 2, node_types=2 + seed % 2, strictness=0.5
    )
    problem = compile_problem(application, continuum, samples)
    if size(problem) > MOST_COMBINATIONS // 4:
        pytest.skip(f"{size(problem)} combinations are too many to enumerate")
    cheapest = search(problem, deadline_s=time.monotonic() + 60.0)
    if cheapest.best is None:
        pytest.skip("there is no plan")
    running = cheapest.best.assignments
    more = compile_problem(application, continuum, samples, load=1.7)
    for asked, goal in (
        (problem, Goal(minimise="power")),
        (problem, Goal(power_max_w=0.95 * cheapest.best.power_w)),
        (problem, Goal(minimise="power", price_max_eur_per_h=1.2 * cheapest.value)),
        (problem, Goal(accuracy_min=0.85)),
        (more, CHEAPEST),
        (more, Goal(running=running, moving_eur_per_h=0.02)),
    ):
        found = search(asked, goal=goal, deadline_s=time.monotonic() + 60.0)
        expected = best_by_enumeration(asked, goal)
        assert found.infeasible == math.isinf(expected)
        if not found.infeasible:
            assert found.optimal
            assert found.value == pytest.approx(expected, abs=2e-6)
