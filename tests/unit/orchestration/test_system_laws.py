"""The queueing laws against theory, quantiles against exact ones, and what the evaluator makes of them."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist

import msgspec
import pytest

from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.laws import (
    Demand,
    Moments,
    erlang_c,
    pressure,
    quantile,
    response,
    serverless_response,
    variation_min,
)
from ecotone.orchestration.placement.system.model import (
    MEAN,
    Bound,
    Component,
    Deployment,
    Domain,
    Law,
    Option,
    Partition,
    Placement,
    Resource,
    Semantics,
    Successor,
    System,
)
from ecotone.orchestration.placement.system.simulate import simulate


def demand(rate_per_s: float, service_s: float = 1.0, cv2: float = 1.0) -> Demand:
    return Demand().with_service(rate_per_s, service_s, cv2)


# Answers


@pytest.mark.parametrize(
    ("servers", "load", "waits"), [(1, 0.3, 0.3), (2, 1.0, 1.0 / 3.0), (3, 2.0, 4.0 / 9.0), (5, 0.0, 0.0)]
)
def test_the_probability_to_wait_is_erlangs(servers: int, load: float, waits: float) -> None:
    assert erlang_c(servers, load) == pytest.approx(waits)


@pytest.mark.parametrize("cv2", [0.0, 0.5, 1.0, 3.0])
def test_one_queue_waits_as_pollaczek_and_khinchine_say(cv2: float) -> None:
    found = response("mg1", 2.0, cv2, demand(0.35, 2.0, cv2), 1)
    assert found.mean_s == pytest.approx(2.0 + 0.7 * 2.0 * (1.0 + cv2) / (2.0 * 0.3))
    waiting_s = found.mean_s - 2.0
    third = 2.0**3 * (1.0 + cv2) * (1.0 + 2.0 * cv2)
    assert found.variance_s2 == pytest.approx(4.0 * cv2 + waiting_s**2 + 0.35 * third / (3.0 * 0.3))


@pytest.mark.parametrize("law", ["mm1", "mmc", "mg1"])
def test_a_queue_with_exponential_services_answers_after_an_exponential_time(law: Law) -> None:
    found = response(law, 1.0, 1.0, demand(0.8), 1)
    assert found.mean_s == pytest.approx(5.0)
    assert found.variance_s2 == pytest.approx(25.0)


def test_one_queue_of_two_copies_waits_as_theory_says() -> None:
    found = response("mmc", 1.0, 1.0, demand(1.0), 2)
    assert found.mean_s == pytest.approx(1.0 + 1.0 / 3.0)
    assert found.variance_s2 == pytest.approx(1.0 + 2.0 / 3.0 - 1.0 / 9.0)


def test_one_queue_of_one_copy_is_one_queue() -> None:
    """Of several kinds of requests, too."""
    asked = demand(0.1, 3.0).with_service(2.0, 0.05, 1.0)
    one, many = (response(law, 1.0, 1.0, asked, 1) for law in ("mm1", "mmc"))
    assert many.mean_s == pytest.approx(one.mean_s)
    assert many.variance_s2 == pytest.approx(one.variance_s2)


@pytest.mark.parametrize("busy", [0.1, 0.5, 0.9])
def test_sharing_varies_as_coffman_muntz_and_trotter_say(busy: float) -> None:
    found = response("ps", 0.5, 1.0, demand(2.0 * busy, 0.5), 1)
    assert found.mean_s == pytest.approx(0.5 / (1.0 - busy))
    assert found.variance_s2 / found.mean_s**2 == pytest.approx((2.0 + busy) / (2.0 - busy))


@pytest.mark.parametrize("law", ["ps", "mm1", "mg1", "mmc"])
def test_what_is_full_never_answers(law: Law) -> None:
    assert response(law, 1.0, 1.0, demand(2.0), 2) == Moments(math.inf, math.inf)
    assert math.isinf(pressure(law, 1.0, 2))
    assert response(law, 1.0, 1.0, Demand(), 2).mean_s == 1.0


@pytest.mark.parametrize("law", ["ps", "mm1", "mmc"])
@pytest.mark.parametrize("busy", [0.01, 0.4, 0.7, 0.99])
@pytest.mark.parametrize("copies", [1, 3])
def test_answers_vary_at_least_as_is_promised(law: Law, busy: float, copies: int) -> None:
    """Also where others, with longer services, are before oneself."""
    for service_s in (0.1, 1.0, 5.0):
        found = response(law, service_s, 1.0, demand(busy * copies), copies)
        assert found.variance_s2 >= variation_min(law) * found.mean_s**2 * (1.0 - 1e-12)
        assert found.mean_s == pytest.approx(service_s + pressure(law, busy, copies)) or law == "ps"


# Functions


def test_functions_that_are_kept_for_ever_start_once() -> None:
    assert serverless_response(0.5, 1.0, 3.0, 1e6).mean_s == pytest.approx(1.0, abs=1e-3)
    assert serverless_response(0.0, 1.0, 3.0, 600.0) == Moments(3.0, 9.0)


def test_rare_requests_find_no_instance() -> None:
    assert serverless_response(1e-6, 1.0, 3.0, 600.0).mean_s == pytest.approx(3.0, abs=2e-3)


def test_a_lone_request_finds_an_instance_if_it_comes_in_time() -> None:
    """Rare enough never to need two: each starts an instance if none came for as long as one is kept. The published
    chain has instances end somewhat too soon."""
    rate_per_s, idle_s = 1e-3, 600.0
    cold = math.exp(-rate_per_s * idle_s)
    found = serverless_response(rate_per_s, 0.01, 1.01, idle_s)
    assert 0.01 + cold < found.mean_s < 1.1 * (0.01 + cold)


@pytest.mark.parametrize(("rate_per_s", "idle_s"), [(1.0, 1.0), (5.0, 5.0), (10.0, 1.0)])
def test_starts_in_parallel_are_nearer_to_what_happens_and_queued_ones_slower(rate_per_s: float, idle_s: float) -> None:
    system, placement = functions(rate_per_s, idle_s)
    seen = simulate(system, placement, requests=20_000, seed=1).components[0]
    parallel = serverless_response(rate_per_s, 1.0, 2.0, idle_s)
    queued = serverless_response(rate_per_s, 1.0, 2.0, idle_s, "queued")
    assert seen.simulated_s < parallel.mean_s < queued.mean_s
    assert seen.analytic_s == parallel.mean_s
    asked = msgspec.structs.replace(system, semantics=Semantics(serverless_starts="queued"))
    assert judge(asked, placement).times_s["a"] == queued.mean_s


def test_without_a_time_for_cold_starts_they_take_no_longer() -> None:
    system, placement = functions(0.1, 1.0, cold_s=None)
    assert judge(system, placement).times_s["a"] == pytest.approx(1.0)
    assert simulate(system, placement, requests=20_000).components[0].simulated_s == pytest.approx(1.0, rel=0.03)


def functions(rate_per_s: float, idle_s: float, cold_s: float | None = 2.0) -> tuple[System, Placement]:
    option = Option(resource="f", service_s=1.0, cold_s=cold_s, memory_bytes=0.0)
    system = System(
        name="function",
        components=(
            Component(
                name="a",
                deployments=(Deployment(name="s", partitions=(Partition(name="h", options=(option,)),)),),
            ),
        ),
        resources=(
            Resource(
                name="f", kind="serverless", layer="f", price_eur_per_h=1.0, memory_bytes=1.0, idle_s=idle_s
            ),
        ),
        rates_per_s={"a": rate_per_s},
    )  # fmt: skip
    return system, Placement(deployments={"a": "s"}, resources={"a": ("f",)}, copies={})


# Quantiles


def erlang_quantile(stages: int, percentile: float) -> float:
    """Of the sum of so many exponential times with a sum of 1, by halving."""
    low, high = 0.0, 60.0 * stages
    while high - low > 1e-12 * high:
        at = (low + high) / 2.0
        term = total = math.exp(-at)
        for stage in range(1, stages):
            term *= at / stage
            total += term
        low, high = (at, high) if total > 1.0 - percentile / 100.0 else (low, at)
    return low / stages


@pytest.mark.parametrize("stages", [2, 3, 5, 10, 40])
@pytest.mark.parametrize("percentile", [80.0, 90.0, 95.0])
def test_quantiles_are_those_of_sums_of_exponential_times_and_a_little_more(stages: int, percentile: float) -> None:
    exact = erlang_quantile(stages, percentile)
    assert exact < quantile(Moments(1.0, 1.0 / stages), percentile) < 1.03 * exact


@pytest.mark.parametrize("stages", [1, 2, 5, 40])
@pytest.mark.parametrize("percentile", [99.0, 99.9])
def test_far_out_quantiles_are_those_of_longer_tails(stages: int, percentile: float) -> None:
    exact = erlang_quantile(stages, percentile)
    assert exact < quantile(Moments(1.0, 1.0 / stages), percentile) < 1.35 * exact


def test_times_that_hardly_vary_are_near_to_normal_ones() -> None:
    normal = NormalDist(5.0, 0.001).inv_cdf(0.95)
    assert quantile(Moments(5.0, 1e-6), 95.0) == pytest.approx(normal, rel=1e-4)


def test_times_that_do_not_vary_are_what_they_are() -> None:
    assert quantile(Moments(5.0, 0.0), 95.0) == 5.0
    assert quantile(Moments(0.0, 0.0), 95.0) == 0.0
    assert quantile(Moments(math.inf, math.inf), 95.0) == math.inf
    assert quantile(Moments(1e5, 5e-324), 99.0) == pytest.approx(1e5)


def test_a_quantile_does_not_jump() -> None:
    """As one did at half a degree of freedom: where a shared copy is busy for two thirds of its time."""
    times_s = [quantile(Moments(1.0, step / 1000.0), 95.0) for step in range(1, 5000)]
    assert all(0.0 <= after - before < 0.05 for before, after in pairwise(times_s))


# Bounds


def chain(law: Law, *where: str, exits: float = 0.0, cv2: float = 1.0) -> tuple[System, Placement]:
    """Two components with services of a second; there are 2 MB from one to the next, 1 MB between partitions, and a
    network takes a second for each."""
    names = ["a", "b"]
    lasting = sorted({name for each in where for name in each})
    resources = [
        Resource(
            name=name, kind="vm", layer=name, price_eur_per_h=1.0, memory_bytes=1.0, law=law, service_cv2=cv2
        )
        for name in lasting
    ]  # fmt: skip
    components = tuple(
        Component(
            name=name,
            deployments=(
                Deployment(
                    name="s",
                    partitions=tuple(
                        Partition(
                            name=f"{name}{at}",
                            options=(Option(resource=resource, service_s=1.0, memory_bytes=0.0),),
                            exit_probability=exits if at + 1 < len(each) else 0.0,
                            output_bytes=1e6,
                        )
                        for at, resource in enumerate(each)
                    ),
                    output_bytes={"b": 2e6} if name == "a" else {},
                ),
            ),
            successors=(Successor(component="b", probability=1.0),) if name == "a" else (),
        )
        for name, each in zip(names, where, strict=True)
    )
    system = System(
        name="chain",
        components=components,
        resources=tuple(resources),
        domains=(Domain(name="net", layers=frozenset(lasting), delay_s=0.0, bandwidth_bytes_per_s=1e6),),
        rates_per_s={"a": 0.2},
        bounds=tuple(
            Bound(name=f"p{percentile:g}", components=("a", "b"), limit_s=100.0, percentile=percentile)
            for percentile in (MEAN, 95.0)
        ),
    )
    placement = Placement(
        deployments=dict.fromkeys(names, "s"),
        resources={name: tuple(each) for name, each in zip(names, where, strict=True)},
        copies=dict.fromkeys(lasting, 1),
    )
    return system, placement


def times_s(system: System, placement: Placement) -> list[float]:
    return [each.time_s for each in judge(system, placement).bounds]


def test_networks_shift_a_percentile() -> None:
    mean_s, time_s = times_s(*chain("mm1", "x", "y"))
    alone_s = 1.0 / 0.8
    assert mean_s == pytest.approx(2.0 * alone_s + 2.0)
    assert time_s == pytest.approx(2.0 + quantile(Moments(2.0 * alone_s, 2.0 * alone_s**2), 95.0))


def test_services_that_do_not_vary_and_networks_before_an_exit_shift_a_percentile() -> None:
    _, time_s = times_s(*chain("mg1", "xy", "z", cv2=0.0))
    waiting = response("mg1", 1.0, 0.0, demand(0.2, 1.0, 0.0), 1)
    varying = Moments(3.0 * (waiting.mean_s - 1.0), 3.0 * waiting.variance_s2)
    assert time_s == pytest.approx(3.0 + 1.0 + 2.0 + quantile(varying, 95.0))
    _, time_s = times_s(*chain("mg1", "xy", "z", cv2=0.0, exits=1.0))
    varying = Moments(2.0 * (waiting.mean_s - 1.0), 2.0 * waiting.variance_s2)
    assert time_s == pytest.approx(2.0 + 2.0 + quantile(varying, 95.0))


def test_components_that_share_a_resource_are_late_together() -> None:
    mean_s, time_s = times_s(*chain("mm1", "x", "x"))
    alone_s = 1.0 / 0.6
    assert mean_s == pytest.approx(2.0 * alone_s)
    assert time_s == pytest.approx(quantile(Moments(2.0 * alone_s, (2.0 * alone_s) ** 2), 95.0))


def test_partitions_that_share_a_resource_are_late_together() -> None:
    mean_s, together_s = times_s(*chain("mm1", "xx", "y"))
    one, two = 1.0 / 0.6, 1.0 / 0.8
    assert mean_s == pytest.approx(2.0 * one + two + 2.0)
    assert together_s == pytest.approx(2.0 + quantile(Moments(2.0 * one + two, 4.0 * one**2 + two**2), 95.0))


def test_exits_make_times_vary() -> None:
    mean_s, time_s = times_s(*chain("ps", "xy", "z", exits=0.75))
    first, second, last = (response("ps", 1.0, 1.0, demand(rate), 1) for rate in (0.2, 0.05, 0.2))
    rest_s = 1.0 + second.mean_s
    assert mean_s == pytest.approx(first.mean_s + 0.25 * rest_s + last.mean_s + 2.0)
    square_s2 = 0.25 * (second.variance_s2 + rest_s**2)
    variance_s2 = first.variance_s2 + square_s2 - (0.25 * rest_s) ** 2 + last.variance_s2
    assert time_s == pytest.approx(2.0 + quantile(Moments(mean_s - 2.0, variance_s2), 95.0))


@pytest.mark.parametrize("law", ["ps", "mm1", "mmc"])
@pytest.mark.parametrize("where", [("x", "x"), ("xy", "x"), ("xx", "y")])
def test_percentiles_are_not_too_low(law: Law, where: tuple[str, str]) -> None:
    system, placement = chain(law, *where, exits=0.2)
    bounds = tuple(
        Bound(name=f"p{percentile:g}", components=("a", "b"), limit_s=100.0, percentile=percentile)
        for percentile in (80.0, 95.0, 99.0)
    )
    system = msgspec.structs.replace(system, bounds=bounds, rates_per_s={"a": 0.35 if where != ("x", "x") else 0.4})
    seen = simulate(system, placement, requests=60_000, seed=3)
    for bound in seen.bounds:
        assert -0.02 < bound.relative_error < 0.6
