"""Plans: what changes them, what they promise, what they refuse."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.applications import after, camera, continuum, measured, mobility, mobility_samples, samples_of
from tests.support.random_cases import random_case

from ecotone.core.application import Application, LatencyPromise, PathPromise, Requirements
from ecotone.core.continuum import Continuum, NodeType, Site
from ecotone.core.errors import InfeasibleError, InputError, UnavailableError
from ecotone.core.plan import Plan, decode_plan, encode_plan
from ecotone.orchestration.placement import Progress, fingerprint_of, plan


def places(found: Plan) -> dict[str, str]:
    return {row.component: f"{row.variant}@{row.node}" for row in found.assignments}


def test_the_plan_of_a_street_camera() -> None:
    found = plan(mobility(accuracy_min=0.9), continuum(), mobility_samples(), parameters={"clip": "bikes"})
    assert places(found) == {
        "camera": "default@device",
        "quality": "default@edge",
        "detect": "large@edge",
        "anonymise": "default@edge",
        "analytics": "default@edge",
        "statistics": "default@cloud",
    }
    assert found.optimal
    assert found.gap == 0.0
    assert found.cost_eur_per_h == pytest.approx(0.01 + 0.12 + 0.20 + 25 * 300 * 3600 * 0.05e-9)
    assert sum(each.cost_eur_per_h for each in found.components) == pytest.approx(found.cost_eur_per_h)
    path = found.paths[0]
    assert path.low_s < path.predicted_s < path.high_s < path.promised_s
    assert found.parameters == {"clip": "bikes"}
    assert decode_plan(encode_plan(found)).assignments == found.assignments


def test_changing_a_price_a_promise_or_a_speed_changes_the_plan() -> None:
    samples = mobility_samples()
    usual = places(plan(mobility(), continuum(), samples))
    tighter = places(plan(mobility(promise_s=0.06), continuum(), samples))
    accurate = places(plan(mobility(accuracy_min=0.9), continuum(), samples))
    faster_device = places(plan(mobility(), continuum(device_speed=0.9), samples))
    slow_edge = plan(mobility(accuracy_min=0.9, promise_s=0.15), continuum(edge_speed=0.5), samples)
    assert usual["detect"] == "small@device"
    assert tighter["detect"] == "small@edge"
    assert accurate["detect"] == "large@edge"
    assert faster_device["analytics"] == "default@device"
    assert usual["analytics"] == "default@cloud"
    cheap_uplink = plan(mobility(accuracy_min=0.9), continuum(uplink_price_per_gb=0.0), samples)
    assert slow_edge.paths[0].predicted_s > cheap_uplink.paths[0].predicted_s

    two_edges = continuum(edge_count=2, edge_cores=1, edge_price=0.05, cloud_price=0.02, uplink_price_per_gb=0.0)
    dear_edges = continuum(edge_count=2, edge_cores=1, edge_price=0.5, cloud_price=0.02, uplink_price_per_gb=0.0)
    assert places(plan(mobility(promise_s=0.06), two_edges, samples))["analytics"].startswith("default@")
    assert (
        places(plan(mobility(accuracy_min=0.9, promise_s=0.12), dear_edges, samples))["analytics"] != "default@device"
    )
    careful = plan(mobility(accuracy_min=0.9), dear_edges, samples)  # the other is faster as expected, not at most
    assert places(careful)["analytics"] == "default@device"


def test_a_dearer_uplink_keeps_the_data_at_the_edge() -> None:
    application = Application(
        name="video", components=(camera(layers=("device",)), after("heavy", "camera"), after("sink", "heavy"))
    )  # fmt: skip
    samples = samples_of(
        measured("camera", 0.002, output_bytes=400_000),
        measured("heavy", 0.03, output_bytes=500),
        measured("sink", 0.001),
    )
    cheap = plan(application, continuum(edge_price=0.5, uplink_price_per_gb=0.001), samples)
    dear = plan(application, continuum(edge_price=0.5, uplink_price_per_gb=0.05), samples)
    assert places(cheap)["heavy"] == "default@cloud"
    assert places(dear)["heavy"] == "default@edge"


def test_equal_cost_is_decided_by_the_faster_path() -> None:
    free = continuum(device_price=0.0, edge_price=0.0, cloud_price=0.0, uplink_price_per_gb=0.0, device_speed=0.9)
    found = plan(mobility(promise_s=0.5, accuracy_min=0.9), free, mobility_samples())
    assert places(found)["detect"] == "large@edge"
    assert all(row.replicas == 1 for row in found.assignments)


def test_replicas_are_added_where_throughput_asks_for_them() -> None:
    application = Application(name="fast", components=(camera(period_s=0.01), after("work", "camera")))
    samples = samples_of(measured("camera", 0.0005), measured("work", 0.025))
    found = plan(application, continuum(edge_cores=8, cloud_price=9.0), samples)
    assert {row.component: row.replicas for row in found.assignments} == {"camera": 1, "work": 3}
    limited = Application(
        name="fast",
        components=(camera(period_s=0.01), after("work", "camera", requirements=Requirements(replicas_max=2))),
    )
    with pytest.raises(InfeasibleError, match="fast"):
        plan(limited, continuum(edge_cores=8), samples)


@pytest.mark.parametrize(("speed", "replicas"), [(1.0, 1), (0.4, 2)])
def test_replicas_keep_up_where_the_prediction_errs(speed: float, replicas: int) -> None:
    application = Application(name="slow", components=(camera(period_s=0.1), after("work", "camera")))
    samples = samples_of(measured("camera", 0.0005), measured("work", 0.088 * speed))  # busy for 88 % of the time
    found = plan(application, continuum(edge_speed=speed, edge_cores=4, cloud_price=9.0, device_price=9.0), samples)
    assert [row.replicas for row in found.assignments_of("work")] == [replicas]


def test_replicas_may_be_spread_over_equal_nodes() -> None:
    application = Application(
        name="fast", components=(camera(period_s=0.01, layers=("device",)), after("work", "camera"))
    )  # fmt: skip
    samples = samples_of(measured("camera", 0.0005), measured("work", 0.025))
    found = plan(application, continuum(edge_cores=1, edge_count=5, cloud_price=9.0), samples)
    rows = found.assignments_of("work")
    assert {row.node for row in rows} == {"edge-1", "edge-2", "edge-3"}
    assert any("equal shares" in note for note in found.notes)


def test_fused_neighbours_share_a_host() -> None:
    found = plan(mobility(accuracy_min=0.9), continuum(), mobility_samples(), fuse=True)
    apart = plan(mobility(accuracy_min=0.9), continuum(), mobility_samples())
    assert found.groups == (("quality", "detect", "anonymise"),)  # all four would be busy 95 % of the time
    assert apart.groups == ()
    assert found.paths[0].predicted_s < apart.paths[0].predicted_s
    assert found.fingerprint != apart.fingerprint


def test_the_same_input_gives_the_same_plan() -> None:
    case = random_case(5, components=8, node_types=5, strictness=0.1)
    first, second = (plan(*case, seed=3) for _ in range(2))
    assert msgspec.structs.replace(first, wall_s=0.0) == msgspec.structs.replace(second, wall_s=0.0)


def test_the_fingerprint_names_all_input() -> None:
    application, where, samples = mobility(), continuum(), mobility_samples()
    usual = fingerprint_of(application, where, samples)
    assert usual == fingerprint_of(mobility(), continuum(), mobility_samples())
    changed = {
        fingerprint_of(mobility(promise_s=0.2), where, samples),
        fingerprint_of(application, continuum(edge_price=0.2), samples),
        fingerprint_of(application, where, mobility_samples(detect_s=0.03)),
        fingerprint_of(application, where, samples, parameters={"clip": "x"}),
        fingerprint_of(application, where, samples, seed=1),
        fingerprint_of(application, where, samples, fuse=True),
        fingerprint_of(application, where, samples, confidence="expected"),
    }
    assert len(changed | {usual}) == 8


def test_progress_tells_bound_and_cost() -> None:
    seen: list[Progress] = []
    found = plan(mobility(promise_s=0.06), continuum(), mobility_samples(), progress=seen.append)
    assert seen[-1].value == pytest.approx(found.cost_eur_per_h)
    assert all(each.lower_bound <= found.cost_eur_per_h + 1e-6 for each in seen)
    assert [each.rounds for each in seen] == sorted(each.rounds for each in seen)


class StoppedClock:
    """A clock on which every reading is `step_s` later."""

    def __init__(self, step_s: float) -> None:
        self.now_s = 0.0
        self.step_s = step_s

    def monotonic_s(self) -> float:
        self.now_s += self.step_s
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s


def test_no_time_is_said() -> None:
    with pytest.raises(UnavailableError, match="more time"):
        plan(mobility(), continuum(), mobility_samples(), time_limit_s=1.0, clock=StoppedClock(2.0))


def test_a_promise_that_nothing_can_keep_is_named_with_the_least_that_can() -> None:
    with pytest.raises(InfeasibleError) as caught:
        plan(mobility(promise_s=0.02), continuum(), mobility_samples())
    assert caught.value.conflict == ("camera -> analytics promises at most 20 ms at p95",)
    (relaxation,) = caught.value.relaxations
    value_s = float(relaxation.split(" to ")[1].removesuffix(" ms")) / 1e3
    assert relaxation.startswith("raise the latency promise of path camera -> analytics from 20 ms to")
    assert plan(mobility(promise_s=value_s), continuum(), mobility_samples()).optimal
    with pytest.raises(InfeasibleError):
        plan(mobility(promise_s=value_s * 0.98), continuum(), mobility_samples())


def test_a_promise_is_kept_by_the_upper_end_of_the_prediction() -> None:
    samples = mobility_samples()
    (best,) = plan(mobility(accuracy_min=0.9, promise_s=0.08), continuum(), samples).paths
    limit_s = round((best.predicted_s + best.high_s) / 2, 4)
    application = mobility(accuracy_min=0.9, promise_s=limit_s)
    expected = plan(application, continuum(), samples, confidence="expected")
    assert expected.confidence == "expected"
    (path,) = expected.paths
    assert path.predicted_s < path.promised_s < path.high_s
    assert any("as expected" in note for note in expected.notes)
    with pytest.raises(InfeasibleError) as caught:
        plan(application, continuum(), samples)
    assert f"camera -> analytics promises at most {limit_s * 1e3:.3g} ms at p95" in caught.value.conflict
    raised = caught.value.relaxations[0]
    assert f"from {limit_s * 1e3:.3g} ms to" in raised
    enough_s = float(raised.split(" to ")[1].removesuffix(" ms")) / 1e3
    assert best.high_s <= enough_s < best.high_s * 1.01
    assert "--confidence expected" in caught.value.relaxations[-1]
    kept = plan(mobility(accuracy_min=0.9, promise_s=enough_s), continuum(), samples)
    assert kept.confidence == "upper"
    assert kept.paths[0].predicted_s == path.predicted_s
    assert kept.paths[0].judged_s(kept.confidence) == kept.paths[0].high_s == best.high_s
    assert any("upper ends" in note for note in kept.notes)
    assert decode_plan(encode_plan(kept)).confidence == "upper"


def test_a_component_keeps_its_own_promise_by_the_upper_end_and_the_plan_holds_it() -> None:
    def promising(limit_s: float) -> Application:
        needs = Requirements(latency=LatencyPromise(latency_max_s=limit_s, percentile=99.0), layers=("edge",))
        return Application(
            name="own", components=(camera(layers=("device",)), after("work", "camera", requirements=needs))
        )

    samples = samples_of(measured("camera", 0.001), measured("work", 0.01, spread=0.0))
    work = plan(promising(1.0), continuum(), samples).prediction_of("work")
    assert work is not None
    assert work.promise is not None
    assert work.promise.percentile == 99.0
    assert work.promise.predicted_s == pytest.approx(0.01, rel=0.01)
    high_s = work.promise.high_s
    assert high_s == pytest.approx(0.01 * 1.05, rel=0.01)
    assert plan(promising(high_s * 1.001), continuum(), samples).optimal
    assert plan(promising(high_s * 0.999), continuum(), samples, confidence="expected").optimal
    with pytest.raises(InfeasibleError):
        plan(promising(high_s * 0.999), continuum(), samples)


def test_energy_is_kept_by_the_upper_end_of_its_estimate() -> None:
    def promising(limit_j: float) -> Application:
        needs = Requirements(energy_max_j=limit_j, layers=("edge",))
        return Application(
            name="own", components=(camera(layers=("device",)), after("work", "camera", requirements=needs))
        )

    samples = samples_of(measured("camera", 0.001), measured("work", 0.01))
    work = plan(promising(9.0), continuum(), samples).prediction_of("work")
    assert work is not None
    assert 1.03 * work.energy_j < work.energy_high_j < 1.2 * work.energy_j
    between_j = (work.energy_j + work.energy_high_j) / 2
    assert plan(promising(between_j), continuum(), samples, confidence="expected").optimal
    with pytest.raises(InfeasibleError) as caught:
        plan(promising(between_j), continuum(), samples)
    assert "raise the energy" in caught.value.relaxations[0]
    limit_j = float(caught.value.relaxations[0].split(" to ")[1].removesuffix(" J").removesuffix(" mJ"))
    unit = 1e-3 if caught.value.relaxations[0].endswith("mJ") else 1.0
    assert limit_j * unit >= work.energy_high_j * (1 - 1e-9)


def test_conflicting_requirements_are_minimal_and_sorted_by_how_little_must_change() -> None:
    with pytest.raises(InfeasibleError) as caught:
        plan(mobility(promise_s=0.06, accuracy_min=0.9), continuum(), mobility_samples())
    assert caught.value.conflict == (
        "camera -> analytics promises at most 60 ms at p95",
        "camera may run only in layer device",
        "detect promises an accuracy of at least 0.9",
    )
    assert [text.split(" from ")[0] for text in caught.value.relaxations[:2]] == [
        "lower the accuracy promised of detect",
        "raise the latency promise of path camera -> analytics",
    ]
    assert "give up that camera may run only in layer device" in caught.value.relaxations[-1]


def test_too_much_load_is_named_as_such() -> None:
    samples = samples_of(measured("camera", 0.05), measured("work", 0.001))
    application = Application(name="slow", components=(camera(layers=("device",)), after("work", "camera")))
    with pytest.raises(InfeasibleError) as caught:
        plan(application, continuum(), samples)
    assert any("must carry the load (camera 25 /s)" in text for text in caught.value.conflict)
    assert any(text.startswith("lower the load of all sources to 36") for text in caught.value.relaxations)


def test_sites_without_a_link_are_no_plan_whatever_is_promised() -> None:
    where = msgspec.structs.replace(continuum(), links=())
    components = (
        camera(layers=("device",)),
        after("work", "camera", requirements=Requirements(layers=("cloud",))),
    )
    samples = samples_of(measured("camera", 0.001), measured("work", 0.001))
    with pytest.raises(InfeasibleError) as caught:
        plan(Application(name="cut", components=components), where, samples)
    assert set(caught.value.conflict) == {"camera may run only in layer device", "work may run only in layer cloud"}


def one_node(kind: NodeType) -> Continuum:
    return Continuum(name="x", sites=(Site(name="s", layer="edge", node_types=(kind,)),))


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (Continuum(name="empty", sites=()), "empty has no nodes"),
        (one_node(NodeType(name="n", speed=0.0)), "type n"),
        (one_node(NodeType(name="n", price_eur_per_h=float("nan"))), "type n"),
        (one_node(NodeType(name="n", cores=0)), "type n"),
    ],
)
def test_a_continuum_that_cannot_be_is_refused(where: Continuum, text: str) -> None:
    with pytest.raises(InputError, match=text):
        plan(mobility(), where, mobility_samples())


def test_a_continuum_without_a_place_for_a_promised_percentile_says_so_at_once() -> None:
    promise = LatencyPromise(latency_max_s=0.001, percentile=99.0)
    components = (camera(), after("work", "camera", requirements=Requirements(latency=promise)))
    samples = samples_of(measured("camera", 0.001), measured("work", 0.01))
    with pytest.raises(InfeasibleError) as caught:
        plan(Application(name="x", components=components), continuum(), samples)
    assert caught.value.conflict == ("work promises at most 1 ms at p99",)
    assert caught.value.relaxations[0].startswith("raise the latency promise of work from 1 ms to 12")


def test_two_paths_over_the_same_ends_keep_their_own_promises() -> None:
    samples = samples_of(*(measured(name, 0.01, spread=0) for name in "abcd"))
    components = (camera("a"), after("b", "a"), after("c", "a"), after("d", "b", "c"))
    paths = tuple(
        PathPromise(components=("a", via, "d"), latency=LatencyPromise(latency_max_s=limit_s))
        for via, limit_s in (("b", 0.06), ("c", 0.08))
    )
    found = plan(Application(name="two", components=components, paths=paths), continuum(edge_cores=4), samples)
    assert [path.promised_s for path in found.paths] == [0.06, 0.08]
    assert all(path.predicted_s <= path.promised_s for path in found.paths)
