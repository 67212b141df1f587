"""From totals to a report."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.applications import after, camera
from tests.support.deployments import continuum, plan_of

from ecotone.core.application import Application, LatencyPromise, PathPromise
from ecotone.core.messages import (
    AgentTelemetry,
    Deployment,
    Event,
    Histogram,
    InstanceStatus,
    InstanceTelemetry,
    SeenNode,
)
from ecotone.core.report import TimelinePoint, report_document
from ecotone.infrastructure.bus import ConsumerState, StreamState
from ecotone.infrastructure.telemetry.histogram import bucket_of
from ecotone.orchestration.control.observe import Facts, Sample, count_restarts, observe, sample_of, timeline_point

PATH = PathPromise(components=("camera", "detect"), latency=LatencyPromise(latency_max_s=0.1))


def deployment(**more: Any) -> Deployment:
    application = Application(name="test", components=(camera(), after("detect", "camera")), paths=(PATH,))
    fields = {"plan": plan_of(application, {"detect": ("cloud", 2)}), "continuum": continuum()} | more
    return Deployment(run="r", application=application, root="/", module="app", **fields)


def histogram(*durations_s: float) -> Histogram:
    counts: dict[int, int] = {}
    for each in durations_s:
        counts[bucket_of(each)] = counts.get(bucket_of(each), 0) + 1
    return Histogram(counts=counts, sum_s=sum(durations_s), max_s=max(durations_s, default=0.0))


def telemetry(component: str, node: str, replica: int = 0, **more: Any) -> InstanceTelemetry:
    return InstanceTelemetry(id=f"{component}.{node}.{replica}", component=component, node=node, **more)


def sample(*instances: InstanceTelemetry, time_s: float = 10.0, saturated_share: float = 0.0) -> Sample:
    message = AgentTelemetry(agent="local", time_s=0.0, instances=instances, saturated_share=saturated_share)
    return sample_of([message], time_s)


def facts(now: Sample, **more: Any) -> Facts:
    fields = {
        "run": "r", "started_at": "", "duration_s": 10.0, "finished": True, "now": now,
        "second_ago": Sample(time_s=9.0, instances={}),
    }  # fmt: skip
    return Facts(**(fields | more))


def channel(accepted: int, pending: int = 0, in_flight: int = 0) -> dict[str, Any]:
    stream = StreamState(accepted=accepted, kept=0, first_sequence=1, oldest_time_s=None)
    consumer = ConsumerState(pending=pending, in_flight=in_flight, acknowledged_floor=0, redelivered=0)
    return {"streams": {"camera": stream}, "consumers": {("camera", "detect"): consumer}}


def test_replicas_are_added_up_and_percentiles_are_of_all() -> None:
    now = sample(
        telemetry("camera", "edge-1", emitted=100),
        telemetry("detect", "cloud", 0, handled=60, response=histogram(*[0.010] * 60), busy_s=2.0),
        telemetry("detect", "cloud", 1, handled=40, response=histogram(*[0.030] * 40), busy_s=1.0),
    )
    report = observe(deployment(), facts(now, **channel(100)))
    source, detect = report.components

    assert source.count == 100, "what it has made"
    assert detect.count == 100
    assert detect.mean_rate_per_s == pytest.approx(10.0)
    assert detect.p50_s == pytest.approx(0.010, rel=0.02)
    assert detect.p95_s == pytest.approx(0.030, rel=0.02)
    assert detect.utilisation == pytest.approx(0.15), "3 s of 2 replicas in 10 s"
    assert report.lost == 0


def test_the_present_rate_is_that_of_the_last_second_and_at_the_end_that_of_the_run() -> None:
    before = sample(telemetry("detect", "cloud", handled=60), time_s=9.0)
    now = sample(telemetry("detect", "cloud", handled=90))
    going_on = observe(deployment(), facts(now, second_ago=before, finished=False))
    finished = observe(deployment(), facts(now, second_ago=before))

    assert going_on.components[1].rate_per_s == pytest.approx(30.0)
    assert finished.components[1].rate_per_s == pytest.approx(9.0)


def test_a_path_is_held_against_its_promise() -> None:
    fast = sample(telemetry("detect", "cloud", paths={0: histogram(*[0.05] * 99, 0.2)}))
    slow = sample(telemetry("detect", "cloud", paths={0: histogram(*[0.05] * 90, *[0.2] * 10)}))

    assert observe(deployment(), facts(fast)).paths[0].kept is True
    broken = observe(deployment(), facts(slow)).paths[0]
    assert broken.kept is False
    assert broken.measured_s == pytest.approx(0.2, rel=0.02)
    assert broken.count == 100
    assert observe(deployment(), facts(sample())).paths[0].kept is None


def test_what_nothing_is_known_of_is_lost() -> None:
    now = sample(telemetry("detect", "cloud", handled=90, dropped=3, dead=2))

    assert observe(deployment(), facts(now, **channel(100))).lost == 5
    assert observe(deployment(), facts(now, **channel(100, pending=3, in_flight=2))).lost == 0
    assert observe(deployment(), facts(now, finished=False, **channel(100))).lost == 0, "not while items move"
    assert observe(deployment(), facts(now, earlier={"detect": 5}, **channel(100))).lost == 0, "of before a crash"


def test_items_handled_twice_do_not_make_a_negative_loss() -> None:
    now = sample(telemetry("detect", "cloud", handled=101))

    assert observe(deployment(), facts(now, **channel(100))).lost == 0


def test_cost_and_energy() -> None:
    now = sample(telemetry("camera", "edge-1", cpu_s=5.0), telemetry("detect", "cloud", link_bytes=1e6))
    report = observe(deployment(), facts(now, duration_s=3600.0))
    edge, cloud = report.nodes

    assert edge.cost_eur == pytest.approx(0.36)
    assert report.cost_eur == pytest.approx(0.36 + 1.0 + 1e6 * 1e-9)
    assert edge.energy_j == pytest.approx(2.0 * 3600 + (6.0 - 2.0) / 2 * 5.0), "idle, and one of two cores for 5 s"
    assert edge.busy_share == pytest.approx(5.0 / (2 * 3600))
    assert cloud.energy_j == 0.0
    assert [each.node for each in report.nodes] == ["edge-1", "cloud"], "edge-2 hosts nothing"


def test_work_on_a_slower_node_counts_as_long_as_it_takes_there() -> None:
    now = sample(telemetry("camera", "edge-1", cpu_s=1.0))
    report = observe(deployment(continuum=continuum(speed=0.25)), facts(now))

    assert report.nodes[0].busy_share == pytest.approx(4.0 / (2 * 10.0))


def test_layers() -> None:
    now = sample(
        telemetry("camera", "edge-1", emitted=5, busy_s=1.0), telemetry("detect", "cloud", handled=5, link_bytes=7.0)
    )
    layers = {each.layer: each for each in observe(deployment(), facts(now)).layers}

    assert layers["cloud"].items == 5
    assert layers["cloud"].bytes_in == 7.0
    assert layers["edge"].busy_s == 1.0


def test_saturated_cores_make_a_run_invalid() -> None:
    report = observe(deployment(), facts(sample(), saturated_share=0.2))

    assert not report.valid
    assert "20%" in report.notes[0]
    assert observe(deployment(), facts(sample(), saturated_share=0.04)).valid


def test_phases_and_restarts() -> None:
    seen = SeenNode(
        node="cloud",
        boot="b",
        instances=(
            InstanceStatus(id="detect.cloud.0", phase="running", restarts=2),
            InstanceStatus(id="detect.cloud.1", phase="backing_off", restarts=1),
        ),
    )
    restarts = count_restarts({("detect.cloud.0", "a"): 3, ("detect.cloud.0", "b"): 2, ("detect.cloud.1", "b"): 1})
    report = observe(deployment(), facts(sample(), seen={"cloud": seen}, restarts=restarts))

    assert report.components[1].phases == {"running": 1, "backing_off": 1}
    assert report.components[1].restarts == 3 + 1 + 2 + 1, "with the agent's own restart"


def test_failures_are_in_the_notes() -> None:
    failed = Event(time_s=0.0, kind="host_failed", node="cloud", instance="detect.cloud.0", reason="no model")
    report = observe(deployment(), facts(sample(), events=(failed, failed)))

    assert report.notes == ("detect.cloud.0: no model",)


def test_a_point_of_the_timeline_is_what_happened_in_between() -> None:
    early, late = histogram(*[0.01] * 10), histogram(*[0.01] * 10, *[0.05] * 10)
    point = timeline_point(
        deployment(),
        sample(telemetry("detect", "cloud", handled=10, response=early, paths={0: early}), time_s=4.0),
        sample(telemetry("detect", "cloud", handled=20, response=late, paths={0: late}), time_s=5.0),
    )

    assert point.rates_per_s == {"camera": 0.0, "detect": 10.0}
    assert point.p95_s["detect"] == pytest.approx(0.05, rel=0.02)
    assert point.paths_s[0] == pytest.approx(0.05, rel=0.02)


def test_of_each_agent_the_newest_counts() -> None:
    here = AgentTelemetry(agent="a", time_s=1.0, instances=(telemetry("camera", "edge-1", emitted=3),))
    others = (telemetry("detect", "cloud", handled=3),)
    there = msgspec.structs.replace(here, agent="b", instances=others, saturated_share=0.5)

    both = sample_of([here, there], 1.0)
    assert set(both.instances) == {"camera", "detect"}
    assert both.saturated_share == 0.5


def test_what_had_failed_is_still_said_when_nothing_runs_any_more() -> None:
    report = observe(deployment(), facts(sample(), failed=frozenset({"detect.cloud.0"}), **channel(9, pending=9)))
    assert {each.component: each.phases for each in report.components}["detect"] == {"failed": 1}
    assert any("detect failed for good" in each for each in report.notes)
    assert any("9 accepted items still wait" in each for each in report.notes)


def points(waiting: list[int], rates: list[float] | None = None) -> tuple[TimelinePoint, ...]:
    rates = rates or [25.0] * len(waiting)
    return tuple(
        TimelinePoint(time_s=float(at), rates_per_s={"camera": rate}, waiting={"detect": count})
        for at, (count, rate) in enumerate(zip(waiting, rates, strict=True))
    )


@pytest.mark.parametrize(
    ("waiting", "is_overloaded"),
    [
        ([4 * at for at in range(16)], True),
        ([at // 2 for at in range(16)], False),  # two items more: noise
        ([0] * 8 + [6 * at for at in range(8)], True),  # since its middle
        ([60 - 4 * at for at in range(16)], False),  # a backlog of the start that goes
        ([0, 20] * 8, False),
        ([10] * 16, False),
        ([4 * at for at in range(6)], False),  # too short to tell
    ],
)
def test_a_growing_backlog_is_an_overload_and_named(waiting: list[int], is_overloaded: bool) -> None:
    report = observe(deployment(), facts(sample(), timeline=points(waiting)))

    assert report.overloaded == (("detect",) if is_overloaded else ())
    assert report.valid is not is_overloaded
    assert not report.saturated
    assert any("detect did not keep up: its backlog grew from about " in note for note in report.notes) is is_overloaded
    assert report_document(report)["overloaded"] == list(report.overloaded)


def test_the_backlog_that_drains_after_the_end_hides_no_overload() -> None:
    growing = [5 * at for at in range(16)]
    timeline = points([*growing, 50, 20, 0, 0], [25.0] * 16 + [0.0] * 4)

    assert observe(deployment(), facts(sample(), timeline=timeline)).overloaded == ("detect",)


def test_what_is_handled_once_in_a_while_has_a_backlog_in_between() -> None:
    usual = deployment()
    every = msgspec.structs.replace(after("detect", "camera").trigger, kind="every", period_s=20.0)
    detect = msgspec.structs.replace(after("detect", "camera"), trigger=every)
    application = msgspec.structs.replace(usual.application, components=(camera(), detect))
    value = msgspec.structs.replace(usual, application=application)

    assert observe(value, facts(sample(), timeline=points([4 * at for at in range(16)]))).valid


def test_a_point_of_the_timeline_says_what_waits() -> None:
    waiting = channel(9, pending=7, in_flight=2)["consumers"]
    point = timeline_point(deployment(), sample(time_s=4.0), sample(time_s=5.0), waiting)

    assert point.waiting == {"detect": 9}
