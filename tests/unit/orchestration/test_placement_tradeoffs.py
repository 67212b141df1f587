"""What an application could have instead: fronts, the largest load, and plans that count the cost of moving."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.applications import continuum, mobility, mobility_samples

from ecotone.core.errors import InfeasibleError
from ecotone.frontends.terminal.style import lines_of
from ecotone.frontends.terminal.tradeoffs import front_view, largest_load_view
from ecotone.orchestration.placement import Given, Goal, largest_load, pareto, plan


@pytest.fixture
def given() -> Given:
    return Given(application=mobility(), continuum=continuum(), samples=mobility_samples())


def test_more_accuracy_costs_more_and_nothing_is_better_in_both(given: Given) -> None:
    front = pareto(given, "accuracy")
    assert front.complete
    prices = [point.first for point in front.points]
    accuracies = [-point.second for point in front.points]
    assert prices == sorted(prices)
    assert accuracies == sorted(accuracies)
    assert len(prices) >= 2
    for point in front.points:
        best = plan(given.application, given.continuum, given.samples, goal=Goal(accuracy_min=-point.second))
        assert best.cost_eur_per_h == pytest.approx(point.first, abs=2e-6)


def test_less_power_costs_more(given: Given) -> None:
    front = pareto(given, "power")
    assert front.complete
    least = plan(given.application, given.continuum, given.samples, goal=Goal(minimise="power"))
    assert front.points[-1].second == pytest.approx(least.power_w, abs=2e-3)
    assert front.points[0].first == pytest.approx(
        plan(given.application, given.continuum, given.samples).cost_eur_per_h
    )


def test_the_largest_load_has_a_plan_and_a_little_more_has_none(given: Given) -> None:
    found = largest_load(given, tolerance=0.02)
    assert found.possible is not None
    assert found.impossible is not None
    assert found.possible < found.impossible <= found.possible * 1.03
    assert plan(given.application, given.continuum, given.samples, load=found.possible).paths
    with pytest.raises(InfeasibleError):
        plan(given.application, given.continuum, given.samples, load=found.impossible)


def test_a_plan_carries_no_more_than_any_plan_does(given: Given) -> None:
    today = plan(given.application, given.continuum, given.samples)
    this, any_plan = largest_load(given, today.assignments), largest_load(given)
    assert this.possible is not None
    assert any_plan.possible is not None
    assert 1.0 <= this.possible <= any_plan.possible * 1.02


def test_what_runs_stays_when_moving_costs_more_than_it_saves(given: Given) -> None:
    fast = plan(given.application, given.continuum, given.samples, load=2.0)
    cheap = plan(given.application, given.continuum, given.samples)
    assert fast.cost_eur_per_h > cheap.cost_eur_per_h
    for price, moves in ((0.0, True), (1.0, False)):
        goal = Goal(running=fast.assignments, moving_eur_per_h=price)
        again = plan(given.application, given.continuum, given.samples, goal=goal)
        assert bool(again.moved) == moves
        assert again.optimal


def test_limits_that_nothing_keeps_are_named(given: Given) -> None:
    with pytest.raises(InfeasibleError, match=r"costs at most 0\.0001 EUR/h"):
        plan(given.application, given.continuum, given.samples, goal=Goal(price_max_eur_per_h=1e-4))


def test_people_read_compromises_and_loads(given: Given) -> None:
    text = "\n".join(lines_of(front_view(pareto(given, "accuracy"), "accuracy", 100), 100))
    assert "none better" in text
    assert "these are all the compromises there are" in text
    assert "1 to 2: " in text
    today = plan(given.application, given.continuum, given.samples)
    loads = largest_load_view(largest_load(given), largest_load(given, today.assignments), today, 100)
    text = "\n".join(lines_of(loads, 100))
    assert "the plan of today: 1.05 times what its sources bring" in text
    assert "any plan: " in text


def test_compromises_and_loads_keep_promises_by_the_upper_end_too(given: Given) -> None:
    expected = msgspec.structs.replace(given, confidence="expected")
    today = plan(given.application, given.continuum, given.samples).assignments
    careful, careless = largest_load(given, today), largest_load(expected, today)
    assert careful.possible is not None
    assert careless.possible is not None
    assert careful.possible < careless.possible
    most = largest_load(given).plan
    assert most is not None
    assert most.confidence == "upper"
    assert all(path.high_s <= path.promised_s for path in most.paths)
    for point in pareto(given, "power").points:
        assert all(path.high_s <= path.promised_s for path in point.answer.paths)
    assert pareto(expected, "accuracy").points[0].answer.confidence == "expected"
