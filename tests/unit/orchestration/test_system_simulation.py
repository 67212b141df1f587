"""The simulation of placed systems, against what theory and the evaluator say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.support.systems import random_system

from ecotone.core.errors import InputError
from ecotone.orchestration.placement.system.laws import erlang_c, serverless_response
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
from ecotone.orchestration.placement.system.search import search
from ecotone.orchestration.placement.system.simulate import Simulated, SimulatedBound, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

Placed = tuple[System, Placement]

_PERCENTILES = (MEAN, 80.0, 95.0, 99.0)


def _partition(resource: str, service_s: float, *, exits: float = 0.0, size_bytes: float = 0.0) -> Partition:
    option = Option(resource=resource, service_s=service_s, memory_bytes=0.0, cold_s=2.0 * service_s)
    return Partition(name=resource, options=(option,), exit_probability=exits, output_bytes=size_bytes)


def _component(name: str, *partitions: Partition, to: dict[str, float] | None = None) -> Component:
    to = to or {}
    return Component(
        name=name,
        deployments=(Deployment(name="only", partitions=partitions, output_bytes=dict.fromkeys(to, 1e6)),),
        successors=tuple(Successor(component=each, probability=chance) for each, chance in to.items()),
    )


def _resource(name: str, law: Law = "ps", copies: int = 1, cv2: float = 1.0) -> Resource:
    return Resource(
        name=name, kind="vm", layer=name, price_eur_per_h=1.0, copies_max=copies, memory_bytes=1.0, law=law,
        service_cv2=cv2,
    )  # fmt: skip


def _placed(
    components: Sequence[Component],
    resources: Sequence[Resource],
    rates_per_s: dict[str, float],
    bounds: Sequence[Bound] = (),
) -> Placed:
    """The only placement, with all copies taken, and 1 s from one resource to another for each MB."""
    system = System(
        name="small",
        components=tuple(components),
        resources=tuple(resources),
        domains=(
            Domain(
                name="net", layers=frozenset(each.layer for each in resources), delay_s=0.0, bandwidth_bytes_per_s=1e6
            ),
        ),
        rates_per_s=rates_per_s,
        bounds=tuple(bounds),
    )
    placement = Placement(
        deployments={each.name: "only" for each in components},
        resources={
            each.name: tuple(part.options[0].resource for part in each.deployments[0].partitions) for each in components
        },
        copies={each.name: each.copies_max for each in resources if each.kind != "serverless"},
    )
    return system, placement


def _queue(law: Law, busy: float, copies: int = 1, cv2: float = 1.0) -> Placed:
    """One component with a service of a second, whose copies are busy for a share of the time."""
    bounds = [Bound(name=f"p{each:g}", components=("a",), limit_s=10.0, percentile=each) for each in _PERCENTILES]
    return _placed(
        [_component("a", _partition("r", 1.0))], [_resource("r", law, copies, cv2)], {"a": busy * copies}, bounds
    )


def _mean_s(seen: Simulated, component: str = "a") -> float:
    return next(each.simulated_s for each in seen.components if each.component == component)


def _bound(seen: Simulated, name: str) -> SimulatedBound:
    return next(each for each in seen.bounds if each.bound == name)


def test_shared_copies_answer_as_theory_says() -> None:
    seen = simulate(*_queue("ps", 0.5, copies=2), requests=200_000, seed=1)
    assert _mean_s(seen) == pytest.approx(2.0, rel=0.02)
    assert seen.components[0].analytic_s == pytest.approx(2.0)
    (use,) = seen.resources
    assert use.copies == 2
    assert use.simulated_busy == pytest.approx(use.analytic_busy, rel=0.01)
    assert seen.events == 400_000


def test_times_at_a_shared_copy_vary_as_theory_says() -> None:
    """By Coffman, Muntz and Trotter; from samples, since the simulation tells no variances."""
    import numpy

    from ecotone.orchestration.placement.system._arrivals import poisson
    from ecotone.orchestration.placement.system._course import Setting
    from ecotone.orchestration.placement.system._walks import walk
    from ecotone.orchestration.placement.system.flows import Flows

    system, placement = _queue("ps", 0.6)
    entering, walking = numpy.random.SeedSequence(2).spawn(2)
    walked = walk(
        Flows(system),
        placement,
        poisson(system, 200_000, 0.1, entering),
        watched=[(0,)],
        setting=Setting("resource", None, None),
        seeds=walking,
    )
    assert numpy.mean(walked.path_s[0]) == pytest.approx(2.5, rel=0.03)
    assert numpy.var(walked.path_s[0]) == pytest.approx(2.5**2 * 2.6 / 1.4, rel=0.1)


@pytest.mark.parametrize("service", ["lognormal", "deterministic", "gamma"])
def test_sharing_takes_as_long_whatever_the_law_of_services(service: str) -> None:
    seen = simulate(*_queue("ps", 0.6), requests=150_000, seed=3, service=service, service_cv2=3.0)  # pyright: ignore[reportArgumentType]
    assert _mean_s(seen) == pytest.approx(2.5, rel=0.04)


def test_a_queue_of_services_of_one_length_waits_as_pollaczek_and_khinchine_say() -> None:
    placed = _queue("mg1", 0.6, cv2=0.0)
    seen = simulate(*placed, requests=150_000, seed=4)
    assert _mean_s(seen) == pytest.approx(1.0 + 0.6 / (2 * 0.4), rel=0.02)
    assert simulate(*placed, requests=150_000, seed=4, service="deterministic") == seen
    assert _mean_s(simulate(*placed, requests=150_000, seed=4, service="exponential")) == pytest.approx(2.5, rel=0.04)
    assert _mean_s(simulate(*placed, requests=150_000, seed=4, service="lognormal", service_cv2=2.0)) == pytest.approx(
        1.0 + 0.6 * 3.0 / (2 * 0.4), rel=0.1
    )


def test_one_queue_for_many_waits_as_erlang_says() -> None:
    seen = simulate(*_queue("mmc", 0.8, copies=3), requests=150_000, seed=5)
    assert _mean_s(seen) == pytest.approx(1.0 + erlang_c(3, 2.4) / (3 - 2.4), rel=0.03)
    assert _bound(seen, "p95").relative_error == pytest.approx(0.0, abs=0.05)


def test_the_discipline_can_be_another() -> None:
    placed = _queue("mmc", 0.7, copies=2)
    means = {
        each: _mean_s(simulate(*placed, requests=50_000, seed=6, discipline=each, service="deterministic"))
        for each in ("shared", "fifo", "ps")
    }
    assert means["shared"] < means["fifo"] < means["ps"]
    assert means["ps"] == pytest.approx(1 / 0.3, rel=0.05)
    assert simulate(*placed, requests=5_000, discipline="shared") == simulate(*placed, requests=5_000)


def test_what_exits_early_takes_no_more_and_goes_on_from_there() -> None:
    first = _component("a", _partition("r", 0.1, exits=0.4, size_bytes=2e6), _partition("q", 0.3), to={"b": 1.0})
    placed = _placed(
        [first, _component("b", _partition("q", 0.2))],
        [_resource("r"), _resource("q")],
        {"a": 1.0},
        [Bound(name="path", components=("a", "b"), limit_s=9.0), Bound(name="b", components=("b",), limit_s=9.0)],
    )
    seen = simulate(*placed, requests=60_000, seed=7)
    busy = {each.resource: each.simulated_busy for each in seen.resources}
    assert busy == pytest.approx({"r": 0.1, "q": 0.6 * 0.3 + 0.2}, rel=0.03)
    a_s, b_s = 0.1 / 0.9 + 0.6 * (2.0 + 0.3 / 0.62), 0.2 / 0.62
    assert _mean_s(seen) == pytest.approx(a_s, rel=0.02)
    assert _bound(seen, "b").simulated_s == pytest.approx(b_s, rel=0.03)
    # What exits on `r` still has the second to `q` before it.
    assert _bound(seen, "path").simulated_s == pytest.approx(a_s + 0.4 * 1.0 + b_s, rel=0.02)
    assert abs(_bound(seen, "path").relative_error) < 0.02


@pytest.mark.parametrize(("to", "both"), [({"b": 0.7, "c": 0.2}, 0.9), ({"b": 0.8, "c": 1.0}, 1.8)])
def test_successors_exclude_each_other_or_are_forked_to(to: dict[str, float], both: float) -> None:
    parts = [_component("a", _partition("r", 0.1), to=to)]
    parts += [_component(name, _partition("r", 0.1)) for name in to]
    bounds = [Bound(name=f"to {name}", components=("a", name), limit_s=9.0) for name in to]
    bounds.append(Bound(name="nobody", components=("b", "c"), limit_s=9.0))
    seen = simulate(*_placed(parts, [_resource("r")], {"a": 1.0}, bounds), requests=30_000, seed=8)
    shares = {each.component: each.requests / seen.requests for each in seen.components}
    assert shares == pytest.approx({"a": 1.0} | to, rel=0.03)
    assert sum(shares.values()) == pytest.approx(1.0 + both, rel=0.02)
    assert {each.bound: each.requests / seen.requests for each in seen.bounds} == {
        f"to {name}": shares[name] for name in to
    }


def test_a_path_is_timed_for_those_who_walk_just_this() -> None:
    """From `a` straight to `c`, and not by `b`, which takes longer."""
    parts = [
        _component("a", _partition("r", 0.01), to={"b": 0.5, "c": 0.5}),
        _component("b", _partition("q", 0.5), to={"c": 1.0}),
        _component("c", _partition("r", 0.01)),
    ]
    bounds = [
        Bound(name="straight", components=("a", "c"), limit_s=9.0),
        Bound(name="round", components=("a", "b", "c"), limit_s=9.0),
        Bound(name="end", components=("b", "c"), limit_s=9.0),
    ]
    placed = _placed(parts, [_resource("r"), _resource("q")], {"a": 0.5, "b": 0.1}, bounds)
    seen = simulate(*placed, requests=30_000, seed=9)
    assert _bound(seen, "straight").simulated_s == pytest.approx(0.02, rel=0.05)
    assert _bound(seen, "round").simulated_s == pytest.approx(2.0 + 0.02 + 0.5 / (1 - 0.175), rel=0.02)
    counts = {each.bound: each.requests / seen.requests for each in seen.bounds}
    assert counts == pytest.approx({"straight": 0.25 / 0.6, "round": 0.25 / 0.6, "end": 0.35 / 0.6}, rel=0.04)
    assert all(abs(each.relative_error) < 0.02 for each in seen.bounds)


@pytest.mark.parametrize(("rate_per_s", "idle_s"), [(0.02, 600.0), (0.1, 60.0), (2.0, 60.0), (20.0, 600.0)])
def test_functions_start_and_end_as_the_law_says(rate_per_s: float, idle_s: float) -> None:
    function = Resource(name="f", kind="serverless", layer="f", price_eur_per_h=1.0, memory_bytes=1.0, idle_s=idle_s)
    placed = _placed([_component("a", _partition("f", 1.0))], [function], {"a": rate_per_s})
    seen = simulate(*placed, requests=40_000, replications=2, seed=10)
    law = serverless_response(rate_per_s, 1.0, 2.0, idle_s)
    assert _mean_s(seen) == pytest.approx(law.mean_s, rel=0.02)
    (used,) = seen.functions
    assert used.requests == seen.requests
    assert used.simulated_s == pytest.approx(_mean_s(seen), rel=1e-3)
    assert used.cold_share == pytest.approx(law.mean_s - 1.0, rel=0.1, abs=0.002)
    assert seen.resources == ()


def test_cold_starts_do_not_wait_for_each_other() -> None:
    """Where `laws.serverless_response` is too careful by far: many start while one does."""
    function = Resource(name="f", kind="serverless", layer="f", price_eur_per_h=1.0, memory_bytes=1.0, idle_s=1.0)
    placed = _placed([_component("a", _partition("f", 1.0))], [function], {"a": 10.0})
    (used,) = simulate(*placed, requests=30_000, seed=11).functions
    assert used.simulated_s < used.analytic_s


@pytest.mark.parametrize("seed", [2, 6, 13, 24])
def test_whole_systems_take_the_mean_times_of_the_evaluator(seed: int) -> None:
    drawn = random_system(seed)
    system = msgspec.structs.replace(
        drawn,
        resources=tuple(
            each if each.kind == "serverless" else msgspec.structs.replace(each, law="ps") for each in drawn.resources
        ),
        bounds=tuple(msgspec.structs.replace(each, percentile=MEAN) for each in drawn.bounds),
    )
    found = search(system)
    assert found.best is not None
    seen = simulate(system, found.best.placement, requests=40_000, seed=seed)
    assert len(seen.bounds) == len(system.bounds)
    for bound in seen.bounds:
        assert abs(bound.relative_error) < 0.05
    for component in seen.components:
        assert abs(component.relative_error) < 0.05
    for use in seen.resources:
        assert use.simulated_busy == pytest.approx(use.analytic_busy, rel=0.05)


def test_replications_tell_whether_promises_hold() -> None:
    system, placement = _queue("mm1", 0.5)
    limits = {"p0": 2.2, "p80": 3.0, "p95": 6.4, "p99": 8.0}
    bounds = tuple(msgspec.structs.replace(each, limit_s=limits[each.name]) for each in system.bounds)
    system = msgspec.structs.replace(system, bounds=bounds)
    told: list[tuple[int, int]] = []
    seen = simulate(
        system, placement, requests=15_000, replications=8, seed=12,
        progress=lambda done, count: told.append((done, count)),
    )  # fmt: skip
    assert told == [(number, 8) for number in range(1, 9)]
    assert _bound(seen, "p0").held_share == 1.0
    assert _bound(seen, "p95").held_share == 1.0
    assert _bound(seen, "p80").held_share == 0.0
    assert _bound(seen, "p99").held_share == 0.0
    for share, name in ((0.8, "p80"), (0.95, "p95"), (0.99, "p99")):
        bound = _bound(seen, name)
        exact_s = -2.0 * math.log(1.0 - share)
        assert bound.simulated_s == pytest.approx(exact_s, rel=0.05)
        assert 0.0 < bound.half_width_s < 0.1 * exact_s
        assert bound.requests == seen.requests


def test_one_replication_has_no_interval() -> None:
    seen = simulate(*_queue("ps", 0.5), requests=1_000)
    assert math.isinf(seen.components[0].half_width_s)
    assert seen.replications == 1


def test_the_same_seed_tells_the_same() -> None:
    placed = _queue("ps", 0.7, copies=2)
    seen = simulate(*placed, requests=3_000, replications=2, seed=5)
    assert simulate(*placed, requests=3_000, replications=2, seed=5) == seen
    assert simulate(*placed, requests=3_000, replications=2, seed=6) != seen
    assert msgspec.json.decode(msgspec.json.encode(seen), type=Simulated) == seen


def test_recorded_arrivals_are_played_to_their_end() -> None:
    system, placement = _queue("mm1", 0.5)
    recording = {"a": [100.0, 100.0, 100.0, 104.0, 104.5]}
    seen = simulate(system, placement, arrivals=recording, service="deterministic")
    assert seen.requests == 5
    assert _mean_s(seen) == pytest.approx((1 + 2 + 3 + 1 + 1.5) / 5)
    again = simulate(system, placement, arrivals=recording, service="deterministic", repeats=3)
    assert again.requests == 15
    # 1.125 s after the last arrival the next repetition begins, and finds 0.375 s of work.
    assert _mean_s(again) == pytest.approx((8.5 + 2 * (8.5 + 3 * 0.375)) / 15)
    late = simulate(system, placement, arrivals=recording, service="deterministic", warm_up=0.5)
    assert late.requests == 2


def test_recordings_may_enter_anywhere() -> None:
    parts = [_component("a", _partition("r", 0.1), to={"b": 1.0}), _component("b", _partition("r", 0.1))]
    system, placement = _placed(parts, [_resource("r", "mm1")], {"a": 1.0})
    seen = simulate(system, placement, arrivals={"b": [0.0, 5.0], "a": [1.0]}, service="deterministic")
    assert {each.component: each.requests for each in seen.components} == {"a": 1, "b": 3}
    assert _mean_s(seen, "b") == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("recording", "message"),
    [
        ({"a": [-1.0, 0.0]}, "-1 s is no time"),
        ({"a": [0.0, math.nan]}, "nan s is no time"),
        ({"a": [0.0, 2.0, 1.0]}, "sort the times"),
        ({"nobody": [0.0]}, "no such component"),
        ({"a": []}, "without any arrival"),
        ({}, "without any arrival"),
    ],
)
def test_senseless_recordings_are_refused(recording: dict[str, list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(*_queue("ps", 0.5), arrivals=recording)


def test_a_single_moment_is_not_repeated() -> None:
    with pytest.raises(InputError, match="single moment"):
        simulate(*_queue("ps", 0.5), arrivals={"a": [3.0, 3.0]}, repeats=2)


def test_placements_that_never_answer_are_refused() -> None:
    system, placement = _queue("ps", 1.2)
    with pytest.raises(InputError, match="r: each of 1 would be busy 120"):
        simulate(system, placement)
    with pytest.raises(InputError, match="r is used but not taken"):
        simulate(system, msgspec.structs.replace(placement, copies={}))
    with pytest.raises(InputError, match="a has no deployment"):
        simulate(system, msgspec.structs.replace(placement, deployments={}))
    system, placement = _queue("ps", 1.0)
    system = msgspec.structs.replace(system, semantics=Semantics(saturation=True))
    with pytest.raises(InputError, match="r would be busy all the time"):
        simulate(system, placement)
    with pytest.raises(InputError, match="no requests enter"):
        simulate(msgspec.structs.replace(system, rates_per_s={}), placement)


def test_resources_without_a_network_are_refused() -> None:
    parts = [_component("a", _partition("r", 0.1), to={"b": 1.0}), _component("b", _partition("q", 0.1))]
    system, placement = _placed(parts, [_resource("r"), _resource("q")], {"a": 1.0})
    with pytest.raises(InputError, match="from r to q, but no network"):
        simulate(msgspec.structs.replace(system, domains=()), placement)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"requests": 0}, "at least 1"),
        ({"replications": 0}, "at least 1"),
        ({"repeats": 0}, "at least 1"),
        ({"seed": -1}, "at least 0"),
        ({"warm_up": 1.0}, "warm-up"),
        ({"service_cv2": -1.0}, "coefficient"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(*_queue("ps", 0.5), **options)  # pyright: ignore[reportArgumentType]
