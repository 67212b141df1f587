"""Predicted times: what is exact on paper must come out exactly, what is known of queues roughly."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec
import pytest
from tests.support.applications import after, camera, continuum, measured, mobility, mobility_samples, samples_of
from tests.support.random_cases import random_case

from ecotone.core.application import (
    Application,
    Batching,
    Component,
    LatencyPromise,
    PathPromise,
    Requirements,
    Trigger,
)
from ecotone.core.continuum import Continuum, Link, NodeType, Site
from ecotone.core.plan import Assignment
from ecotone.orchestration.performance import (
    IdleTimes,
    Overheads,
    PathTiming,
    Samples,
    Timing,
    TimingModel,
    predict_paths,
    sampled_model,
)

EVEN = Overheads(hop_p50_s=0.001, hop_p95_s=0.001, hop_s_per_byte=0.0, turnaround_s=0.0)


def chain(*names: str, period_s: float = 0.1, **more: object) -> Application:
    components = [camera(names[0], period_s=period_s)]
    components += [after(name, before) for before, name in pairwise(names)]
    return promising(Application(name="chain", components=tuple(components), **more))  # pyright: ignore


def promising(application: Application, limit_s: float = 1.0, percentile: float = 95.0) -> Application:
    ends = application.components[0].name, application.components[-1].name
    path = PathPromise(components=ends, latency=LatencyPromise(latency_max_s=limit_s, percentile=percentile))
    return msgspec.structs.replace(application, paths=(path,))


def on(**nodes: str) -> list[Assignment]:
    return [Assignment(component=name, variant="default", node=node) for name, node in nodes.items()]


def predicted(
    application: Application, samples: Samples, rows: list[Assignment], where: Continuum | None = None
) -> Timing:
    return predict_paths(rows, application, where or continuum(edge_cores=8), samples, overheads=EVEN)


def test_a_chain_on_one_node_takes_the_sum_of_its_services_and_hops() -> None:
    samples = samples_of(measured("a", 0.01, spread=0), measured("b", 0.02, spread=0, wait_s=0.005))
    path = predicted(chain("a", "b"), samples, on(a="edge", b="edge")).paths[0]
    assert path.predicted_s == pytest.approx(0.01 + 0.001 + 0.025)
    assert path.mean_s == pytest.approx(path.predicted_s)
    assert sum(s.link_s + s.hop_s + s.waiting_s + s.service_s for s in path.stages) == pytest.approx(path.mean_s)


def test_a_hop_takes_longer_for_larger_items() -> None:
    samples = samples_of(measured("a", 0.01, spread=0, output_bytes=2_000_000), measured("b", 0.02, spread=0))
    overheads = msgspec.structs.replace(EVEN, hop_s_per_byte=0.5e-9)
    rows = on(a="edge", b="edge")
    (path,) = predict_paths(rows, chain("a", "b"), continuum(edge_cores=8), samples, overheads=overheads).paths
    assert path.predicted_s == pytest.approx(0.01 + 0.001 + 0.001 + 0.02)
    assert path.stages[1].hop_s == pytest.approx(0.002)


def test_speed_divides_computing_and_leaves_waiting() -> None:
    samples = samples_of(measured("a", 0.01, spread=0), measured("b", 0.02, spread=0, wait_s=0.005))
    path = predicted(chain("a", "b"), samples, on(a="device", b="edge"), continuum(device_speed=0.5, edge_speed=0.8))
    transfer = 0.002 + 1000 / 50e6
    assert path.paths[0].predicted_s == pytest.approx(0.02 + transfer + 0.001 + 0.025 + 0.005)


def test_a_path_percentile_is_below_the_sum_of_percentiles() -> None:
    samples = samples_of(*(measured(name, 0.01, spread=0.5) for name in "abc"))
    timing = predicted(chain("a", "b", "c"), samples, on(a="edge", b="edge", c="edge"))
    assert timing.paths[0].predicted_s < sum(timing.of(name).p95_s for name in "abc")
    assert timing.paths[0].predicted_s > timing.paths[0].p50_s


def test_regular_arrivals_do_not_queue_where_random_ones_would() -> None:
    regular = chain("a", "b", period_s=0.01)
    samples = samples_of(measured("a", 0.0001, spread=0), measured("b", 0.008, spread=0))
    assert predicted(regular, samples, on(a="edge", b="edge")).of("b").waiting_mean_s == pytest.approx(0.0, abs=1e-9)

    asked = Component(
        name="a", target="a", trigger=Trigger(kind="request"), requirements=Requirements(throughput_min_per_s=50.0)
    )
    random = Application(name="random", components=(asked, after("b", "a")))
    samples = samples_of(measured("a", 0.0001, spread=0), measured("b", 0.01, spread=0))
    waiting_s = predicted(random, samples, on(a="edge", b="edge")).of("b").waiting_mean_s
    of_m_d_1 = 0.5 * 0.01 / (2 * (1 - 0.5))
    assert waiting_s == pytest.approx(of_m_d_1, rel=0.35)


def test_components_share_the_cores_of_their_node() -> None:
    application = Application(
        name="fork", components=(camera("a", period_s=0.05), after("b", "a"), after("c", "a"))
    )  # fmt: skip
    samples = samples_of(*(measured(name, mean, spread=0) for name, mean in (("a", 0.001), ("b", 0.01), ("c", 0.01))))
    alone = predicted(application, samples, on(a="edge", b="edge", c="edge"), continuum(edge_cores=2))
    shared = predicted(application, samples, on(a="edge", b="edge", c="edge"), continuum(edge_cores=1))
    assert alone.of("c").p95_s == pytest.approx(0.01, abs=1e-4)
    assert max(shared.of("b").p95_s, shared.of("c").p95_s) == pytest.approx(0.02, abs=1e-3)


def test_more_replicas_shorten_waiting() -> None:
    samples = samples_of(measured("a", 0.001, spread=0), measured("b", 0.018, spread=0.6))
    application = chain("a", "b", period_s=0.02)
    rows = on(a="edge", b="edge")
    one = predicted(application, samples, rows).of("b").p95_s
    two = predicted(application, samples, [rows[0], msgspec.structs.replace(rows[1], replicas=2)]).of("b").p95_s
    assert two < 0.7 * one


def test_a_link_sends_one_object_after_the_other_and_once_to_each_node() -> None:
    site = Site(name="far", layer="cloud", node_types=(NodeType(name="x", cores=4), NodeType(name="y", cores=4)))
    here = Site(name="here", layer="edge", node_types=(NodeType(name="n", cores=4),))
    link = Link(between=("here", "far"), latency_s=0.0, bandwidth_bytes_per_s=1e6)
    where = Continuum(name="two", sites=(here, site), links=(link,))
    components = (camera("a", period_s=0.1), after("b", "a"), after("c", "a"))
    application = promising(Application(name="fan", components=components))
    samples = samples_of(
        measured("a", 0.001, spread=0, output_bytes=10_000), measured("b", 0.001), measured("c", 0.001)
    )
    together = predicted(application, samples, on(a="n", b="x", c="x"), where).paths[0]
    apart = predicted(application, samples, on(a="n", b="x", c="y"), where).paths[0]
    assert together.stages[-1].link_s == pytest.approx(0.01)
    assert apart.stages[-1].link_s == pytest.approx(0.02)


def test_a_periodic_consumer_adds_up_to_its_period() -> None:
    statistics = Component(name="s", target="s", trigger=Trigger(kind="every", inputs=("a",), period_s=0.5))
    application = promising(Application(name="p", components=(camera("a", period_s=0.05), statistics)))
    samples = samples_of(measured("a", 0.001), measured("s", 0.002, batch_items=10.0))
    timing = predicted(application, samples, on(a="edge", s="edge"))
    assert 0.2 < timing.paths[0].p50_s < 0.3
    assert 0.45 < timing.paths[0].predicted_s < 0.52
    assert 0.2 < timing.of("s").p50_s < 0.3


def test_a_batch_waits_for_its_items() -> None:
    batched = after("b", "a", batching=Batching(items_max=4, wait_max_s=1.0))
    application = promising(Application(name="p", components=(camera("a", period_s=0.01), batched)))
    samples = samples_of(measured("a", 0.001, spread=0), measured("b", 0.004, spread=0, batch_items=4.0))
    path = predicted(application, samples, on(a="edge", b="edge")).paths[0]
    assert path.p50_s == pytest.approx(0.001 + 0.001 + 0.015 + 0.004, rel=0.35)
    assert path.predicted_s == pytest.approx(0.001 + 0.001 + 0.03 + 0.004, rel=0.05)


def test_a_join_waits_for_the_slower_input() -> None:
    join = Component(name="d", target="d", trigger=Trigger(kind="data", inputs=("b", "c"), join_key="frame"))
    components = (camera("a", period_s=0.1), after("b", "a"), after("c", "a"), join)
    application = promising(Application(name="join", components=components))
    means = {"a": 0.001, "b": 0.01, "c": 0.03, "d": 0.002}
    samples = samples_of(*(measured(name, mean, spread=0) for name, mean in means.items()))
    timing = predicted(application, samples, on(a="edge", b="edge", c="edge", d="edge"))
    assert timing.paths[0].predicted_s == pytest.approx(0.001 + 0.001 + 0.03 + 0.001 + 0.002)


def test_a_path_may_name_only_some_of_its_components() -> None:
    application, samples = mobility(), mobility_samples()
    rows = on(camera="device", quality="edge", anonymise="edge", analytics="edge", statistics="cloud")
    rows.append(Assignment(component="detect", variant="large", node="edge"))
    path = predict_paths(rows, application, continuum(), samples).paths[0]
    assert path.route == ("camera", "quality", "detect", "anonymise", "analytics")
    assert path.low_s < path.predicted_s < path.high_s


def test_fused_neighbours_have_no_hop_between_them() -> None:
    application = chain("a", "b", "c")
    samples = samples_of(*(measured(name, 0.01, spread=0) for name in "abc"))
    rows = on(a="device", b="edge", c="edge")
    where = continuum(edge_cores=2)

    def path(*groups: tuple[str, ...]) -> PathTiming:
        return predict_paths(rows, application, where, samples, groups=groups, overheads=EVEN).paths[0]

    assert path(("b", "c")).predicted_s == pytest.approx(path().predicted_s - 0.001)
    assert path(("b", "c")).stages[-1].hop_s == 0.0


def test_the_interval_grows_with_the_distance_in_speed() -> None:
    samples = samples_of(measured("a", 0.01))
    model = sampled_model(Application(name="x", components=(camera("a"),)), samples)

    def width(speed: float) -> float:
        found = model.service("a", "default", NodeType(name="n", speed=speed))
        assert found.supported is (0.25 <= speed <= 4.0)
        return (found.high - found.low) / found.value

    assert width(1.0) < width(0.5) < width(0.1)
    assert width(1.0) < width(2.0)


def test_the_interval_near_saturation_holds_the_queue_that_might_grow() -> None:
    samples = samples_of(measured("a", 0.0001, spread=0), measured("b", 0.0097, spread=0))
    found = predicted(chain("a", "b", period_s=0.01), samples, on(a="edge", b="edge")).paths[0]
    assert found.predicted_s == pytest.approx(0.0108, abs=1e-4)
    assert 0.009 < found.low_s < found.predicted_s
    assert found.high_s > 5 * found.predicted_s  # 5 % longer services would not be done in time


def test_the_same_seed_gives_the_same_times() -> None:
    application, samples = mobility(), mobility_samples()
    rows = [Assignment(component=c.name, variant=c.variants[0].name, node="edge") for c in application.components]
    first, again = (predict_paths(rows, application, continuum(), samples) for _ in range(2))
    assert first == again
    other = predict_paths(rows, application, continuum(), samples, seed=1)
    assert other.paths[0].predicted_s == pytest.approx(first.paths[0].predicted_s, rel=0.1)


@pytest.mark.parametrize("seed", range(25))
def test_nothing_is_faster_than_its_idle_times(seed: int) -> None:
    """What the solver's linear constraints rest on."""
    application, where, samples = random_case(seed, components=5, node_types=3)
    if not application.paths or any(where.route(a.name, b.name) is None for a in where.sites for b in where.sites):
        pytest.skip("no path, or sites without a way between them")
    timing = TimingModel(application, where, sampled_model(application, samples), seed=seed)
    nodes = list(where.nodes)
    rows = [
        Assignment(component=c.name, variant=c.variants[-1].name, node=nodes[at * (seed + 1) % len(nodes)].name)
        for at, c in enumerate(application.components)
    ]
    placed = {row.component: row for row in rows}
    for path, found in zip(application.paths, timing.predict(rows).paths, strict=True):
        idle = IdleTimes(timing, path.components, path.latency.percentile, frozenset())
        vectors = [idle.service(n, placed[n].variant, timing.nodes[placed[n].node]) for n in idle.route]
        for producer, consumer in idle.channels:
            ends = timing.nodes[placed[producer].node].site, timing.nodes[placed[consumer].node].site
            vectors += [idle.hop(producer, consumer), idle.transfer(producer, placed[producer].variant, *ends)]
        whole = idle.percentile_of(sum(vectors))  # pyright: ignore
        assert sum(idle.additive_floor(vector) for vector in vectors) <= whole * (1 + 1e-9)
        assert whole <= found.predicted_s * (1 + 1e-9)
        assert math.isfinite(found.high_s)
