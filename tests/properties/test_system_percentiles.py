"""Percentiles grow with whatever makes times longer or less certain: cuts and the formulation prove things by it."""

from __future__ import annotations

import math
import random
from itertools import islice

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.systems import every_placement, random_system

from ecotone.orchestration.placement.system.evaluate import bound_time_s, demands_of, judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.laws import Demand, Moments, erlang_c, quantile, response
from ecotone.orchestration.placement.system.model import MEAN, PERCENTILE_MIN, Deployment, Law, Placement

MANY = settings(max_examples=400, deadline=None)
LAWS: tuple[Law, ...] = ("ps", "mm1", "mg1", "mmc")
_ROUNDING = 1e-9

means_s = st.floats(1e-4, 1e4)
variations = st.floats(0.0, 200.0)
"""Standard deviations over means."""
percentiles = st.sampled_from([PERCENTILE_MIN, 85.0, 90.0, 95.0, 99.0, 99.5, 99.9])
more = st.floats(0.0, 3.0) | st.floats(0.0, 1e-3)


def of(mean_s: float, variation: float) -> Moments:
    return Moments(mean_s, (variation * mean_s) ** 2)


@MANY
@given(means_s, variations, percentiles, more)
def test_a_quantile_never_falls_when_the_variance_grows(mean_s: float, cv: float, percentile: float, by: float) -> None:
    before = of(mean_s, cv)
    after = Moments(mean_s, before.variance_s2 * (1.0 + by) + by * 1e-6)
    assert quantile(before, percentile) <= quantile(after, percentile) * (1.0 + _ROUNDING)


@MANY
@given(means_s, variations, percentiles, more)
def test_a_quantile_never_falls_when_the_mean_grows(mean_s: float, cv: float, percentile: float, by: float) -> None:
    before = of(mean_s, cv)
    after = Moments(mean_s * (1.0 + by), before.variance_s2)
    assert quantile(before, percentile) <= quantile(after, percentile) * (1.0 + _ROUNDING)


@MANY
@given(means_s, variations, percentiles, percentiles)
def test_a_quantile_never_falls_when_the_percentile_grows(mean_s: float, cv: float, one: float, other: float) -> None:
    low, high = (quantile(of(mean_s, cv), each) for each in sorted([one, other]))
    assert low <= high * (1.0 + _ROUNDING)


@MANY
@given(means_s, variations, percentiles, st.floats(1e-3, 1e3))
def test_a_quantile_has_the_unit_of_the_mean(mean_s: float, cv: float, percentile: float, unit: float) -> None:
    found = quantile(of(unit * mean_s, cv), percentile)
    assert found == pytest.approx(unit * quantile(of(mean_s, cv), percentile), rel=1e-6)
    assert found >= unit * mean_s * (1.0 - _ROUNDING)


services = st.lists(st.tuples(st.floats(1e-3, 5.0), st.floats(1e-3, 5.0), st.sampled_from([0.0, 0.5, 1.0, 3.0])))


@MANY
@given(st.sampled_from(LAWS), services, st.integers(1, 5), st.data())
def test_answers_take_no_longer_with_less_to_do_or_more_copies(
    law: Law, asked: list[tuple[float, float, float]], copies: int, data: st.DataObject
) -> None:
    """Mean and variance each for itself."""
    kept = [each for each in asked if data.draw(st.booleans())]
    busy = data.draw(st.floats(0.05, 0.99))
    load = sum(rate * service_s for rate, service_s, _ in asked) or 1.0
    whole, part = Demand(), Demand()
    for rate, service_s, cv2 in asked:
        whole = whole.with_service(rate * busy * copies / load, service_s, cv2)
    for rate, service_s, cv2 in kept:
        part = part.with_service(rate * busy * copies / load, service_s, cv2)
    found = response(law, 1.0, 1.0, whole, copies)
    for less in (response(law, 1.0, 1.0, part, copies), response(law, 1.0, 1.0, whole, copies + 1)):
        assert less.mean_s <= found.mean_s * (1.0 + _ROUNDING)
        assert less.variance_s2 <= found.variance_s2 * (1.0 + _ROUNDING)


@MANY
@given(st.integers(1, 30), st.floats(0.0, 0.999))
def test_fewer_wait_for_more_servers(servers: int, busy: float) -> None:
    load = busy * servers
    assert (servers + 1) * erlang_c(servers + 1, load) <= servers * erlang_c(servers, load) * (1.0 + _ROUNDING)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("seed", range(40))
def test_the_time_of_a_bound_only_grows_with_what_is_counted(law: Law, seed: int) -> None:
    """As the cuts have it: fewer demands, more copies and more that is ignored make it no longer."""
    draw = random.Random(f"{law} {seed}")
    system = random_system(seed)
    lasting = {each.name for each in system.resources if each.kind != "serverless"}
    system = msgspec.structs.replace(
        system,
        resources=tuple(
            msgspec.structs.replace(each, law=law) if each.name in lasting else each for each in system.resources
        ),
    )
    flows = Flows(system)
    names = [component.name for component in system.components]
    placements = list(islice(every_placement(system), 4000))
    for placement in draw.sample(placements, min(40, len(placements))):
        demands = demands_of(flows, placement)
        for bound in system.bounds:
            for percentile in (MEAN, 80.0, 95.0, 99.0):
                bound_ = msgspec.structs.replace(bound, percentile=percentile)
                time_s = bound_time_s(flows, placement, bound_, demands)
                ignored = draw.sample(names, draw.randint(0, len(names)))
                own = demands_of(flows, placement, draw.sample(names, draw.randint(0, len(names))))
                fewer = {name: draw.choice([each, own.get(name, Demand())]) for name, each in demands.items()}
                roomy = _with_more_copies(flows, placement, draw)
                for other, asked, without in (
                    (placement, demands, ignored),
                    (placement, fewer, ()),
                    (roomy, demands, ()),
                    (roomy, fewer, ignored),
                ):
                    assert _le(bound_time_s(flows, other, bound_, asked, without), time_s)


def _with_more_copies(flows: Flows, placement: Placement, draw: random.Random) -> Placement:
    copies = {name: draw.randint(count, flows.resources[name].copies_max) for name, count in placement.copies.items()}
    return msgspec.structs.replace(placement, copies=copies)


def _le(one: float, other: float) -> bool:
    return one <= other * (1.0 + _ROUNDING) or math.isinf(other)


@pytest.mark.parametrize("seed", range(60))
def test_what_the_formulation_allows_the_mean_to_be_is_not_exceeded(seed: int) -> None:
    """Every placement that keeps a bound on a percentile has mean responses, networks aside, of at most that."""
    system = random_system(seed)
    flows = Flows(system)
    for bound in system.bounds:
        most_s = flows.mean_max_s(bound)
        for placement in islice(every_placement(system), 0, 4000, 7):
            judged = judge(system, placement, flows)
            if not judged.times_s or not math.isfinite(judged.price_eur_per_h):
                continue
            time_s = next(each.time_s for each in judged.bounds if each.bound == bound.name)
            mean_s = sum(
                share * step_s
                for name in bound.components
                for share, step_s in zip(
                    flows.reaching(_deployment(flows, placement, name)), judged.partition_times_s[name], strict=True
                )
            )
            if math.isfinite(time_s):
                assert mean_s / most_s <= time_s / bound.limit_s * (1.0 + _ROUNDING)


def _deployment(flows: Flows, placement: Placement, name: str) -> Deployment:
    chosen = placement.deployments[name]
    return next(each for each in flows.components[name].deployments if each.name == chosen)
