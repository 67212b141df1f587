"""Service times of a run against what its plan predicted, and what the next plan makes of them."""

from __future__ import annotations

import random

import msgspec
import pytest
from tests.support.applications import after, camera, measured, samples_of
from tests.support.deployments import continuum, plan_of

from ecotone.core.application import Application
from ecotone.core.continuum import NodeType
from ecotone.core.messages import AgentTelemetry, Deployment, Event, Histogram, InstanceTelemetry
from ecotone.core.plan import ComponentPrediction
from ecotone.infrastructure.telemetry.histogram import bucket_of
from ecotone.orchestration.control.following import Following
from ecotone.orchestration.control.observe import Facts, Sample, observe, sample_of
from ecotone.orchestration.performance import sampled_model
from ecotone.orchestration.performance.observed import Correction, Observed

APPLICATION = Application(name="test", components=(camera(), after("detect", "camera")))


def deployment(places: dict[str, object] | None = None) -> Deployment:
    prediction = ComponentPrediction(
        component="detect", rate_per_s=10.0, service_mean_s=0.01, predicted_p50_s=0.01, predicted_p95_s=0.02,
        low_s=0.01, high_s=0.03, utilisation=0.1, memory_bytes=1e6, energy_j=0.1,
    )  # fmt: skip
    plan = plan_of(APPLICATION, places or {"detect": ("edge-1", 2)}, components=(prediction,))
    return Deployment(run="r", application=APPLICATION, root="/", module="app", plan=plan, continuum=continuum(nodes=2))


class Calls:
    """What two replicas on edge-1 have done so far."""

    def __init__(self) -> None:
        self.random = random.Random(0)
        self.counts: list[dict[int, int]] = [{}, {}]

    def more(self, mean_s: float, saturated_share: float = 0.0) -> Sample:
        for counts in self.counts:
            for _ in range(15):
                bucket = bucket_of(mean_s * self.random.lognormvariate(0.0, 0.1))
                counts[bucket] = counts.get(bucket, 0) + 1
        instances = tuple(
            InstanceTelemetry(
                id=f"detect.edge-1.{n}", component="detect", node="edge-1", service=Histogram(counts=dict(counts))
            )
            for n, counts in enumerate(self.counts)
        )
        message = AgentTelemetry(agent="a", time_s=0.0, instances=instances, saturated_share=saturated_share)
        return sample_of([message], 1.0)


def test_replicas_are_taken_together_and_a_shift_is_found() -> None:
    following, calls = Following(deployment(), None), Calls()
    shifts = [shift for _ in range(20) for shift in following.look(calls.more(0.01))]
    assert not shifts
    (shift,) = [shift for _ in range(20) for shift in following.look(calls.more(0.016))]
    assert (shift.component, shift.node) == ("detect", "edge-1")
    assert (shift.before, shift.after) == (pytest.approx(1.0, rel=0.1), pytest.approx(1.6, rel=0.1))
    assert following.observed.ratio("detect", "default", "edge") == pytest.approx(1.5, abs=0.15)


def test_a_drift_is_in_the_notes_of_the_report() -> None:
    drift = Event(time_s=1.0, kind="drift", node="edge-1", instance="detect", reason="calls of detect take longer")
    now = Sample(time_s=10.0, instances={})
    facts = Facts(
        run="r", started_at="", duration_s=10.0, finished=True, now=now, second_ago=now, events=(drift,)
    )  # fmt: skip
    report = observe(deployment(), facts)
    assert drift in report.events and drift.reason in report.notes


def test_a_saturated_machine_says_nothing() -> None:
    following, calls = Following(deployment(), None), Calls()
    for _ in range(40):
        assert not following.look(calls.more(0.03, saturated_share=0.5))
    assert following.observed == Observed()


def test_what_the_plan_was_corrected_by_is_not_counted_twice() -> None:
    known = Correction(
        component="detect", variant="default", node_type="edge", log_ratio=0.69, spread=0.05, windows=50.0, used=2.0
    )
    following, calls = Following(deployment(), Observed(corrections=(known,))), Calls()
    for _ in range(30):
        following.look(calls.more(0.01))  # as the corrected plan says: twice the 5 ms that profiling found
    assert following.observed.ratio("detect", "default", "edge") == 2.0


def test_replicas_on_different_types_of_nodes_are_left_alone() -> None:
    places = {"detect": "cloud"}
    mixed = deployment(places)
    plan = msgspec.structs.replace(
        mixed.plan, assignments=(*mixed.plan.assignments, *deployment().plan.assignments_of("detect"))
    )
    following, calls = Following(msgspec.structs.replace(mixed, plan=plan), None), Calls()
    for _ in range(20):
        following.look(calls.more(0.05))
    assert following.observed == Observed()


def test_the_model_takes_as_much_longer_as_calls_did() -> None:
    samples = samples_of(measured("camera", 0.01, spread=0), measured("detect", 0.02, spread=0))
    used = Correction(
        component="detect", variant="default", node_type="edge", log_ratio=0.4, spread=0.05, windows=50.0, used=1.5
    )
    corrected = msgspec.structs.replace(samples, observed=Observed(corrections=(used,)).for_plans())
    before, after_ = (sampled_model(APPLICATION, each) for each in (samples, corrected))
    edge, other = NodeType(name="edge"), NodeType(name="other")
    ratio = after_.service("detect", "default", edge).value / before.service("detect", "default", edge).value
    assert ratio == pytest.approx(1.5)
    assert after_.service("detect", "default", other) == before.service("detect", "default", other)
    assert after_.service("camera", "default", edge) == before.service("camera", "default", edge)


def test_plans_see_only_what_they_go_by() -> None:
    small = Correction(
        component="detect", variant="default", node_type="edge", log_ratio=0.02, spread=0.05, windows=50.0
    )
    assert Observed(corrections=(small,)).for_plans() is None
