"""Realistic values for tests of tables, live view and report: the mobility application on three sites."""

from __future__ import annotations

import math
import random

import msgspec

from ecotone.core.application import (
    Application,
    Component,
    LatencyPromise,
    Parameter,
    PathPromise,
    Requirements,
    State,
    Trigger,
    Variant,
)
from ecotone.core.continuum import Continuum, Link, NodeType, Power, Site
from ecotone.core.messages import Event
from ecotone.core.plan import Assignment, ComponentPrediction, LatencyPrediction, PathPrediction, Plan
from ecotone.core.report import ComponentReport, LayerReport, NodeReport, PathReport, RunReport, TimelinePoint

__all__ = ["broken_run", "mobility", "mobility_plan", "mobility_run", "three_sites"]

PATH = ("camera", "quality", "detect", "anonymise", "analytics")
PLACES = {
    "camera": ("camera", "default", 1),
    "quality": ("roadside", "default", 1),
    "detect": ("roadside", "large", 2),
    "anonymise": ("roadside", "default", 1),
    "analytics": ("cloud", "default", 1),
    "statistics": ("cloud", "default", 1),
}
SERVICE_S = {
    "camera": 0.0021,
    "quality": 0.0034,
    "detect": 0.0312,
    "anonymise": 0.0048,
    "analytics": 0.0061,
    "statistics": 0.0009,
}
STARTED_S = 1935656100.0
PROMISED_S = {"detect": 0.080, "quality": 0.010}


def mobility() -> Application:
    """Six components, one promised path."""
    return Application(
        name="mobility",
        components=(
            Component(
                name="camera",
                target="camera",
                trigger=Trigger(kind="every", period_s=0.04),
                live=True,
                requirements=Requirements(throughput_min_per_s=25.0, layers=("device",), private=("device", "edge")),
            ),
            Component(
                name="quality",
                target="quality",
                trigger=Trigger(kind="data", inputs=("camera",)),
                requirements=Requirements(latency=LatencyPromise(latency_max_s=PROMISED_S["quality"])),
            ),
            Component(
                name="detect",
                target="Detect",
                trigger=Trigger(kind="data", inputs=("quality",)),
                requirements=Requirements(latency=LatencyPromise(latency_max_s=PROMISED_S["detect"])),
                variants=(
                    Variant(name="large", settings={"width": 640, "height": 288}),
                    Variant(name="small", settings={"width": 320, "height": 160}),
                ),
            ),
            Component(
                name="anonymise",
                target="anonymise",
                trigger=Trigger(kind="data", inputs=("detect",)),
                requirements=Requirements(releases=True),
            ),
            Component(
                name="analytics",
                target="Analytics",
                trigger=Trigger(kind="data", inputs=("anonymise",)),
                state=State(),
            ),
            Component(
                name="statistics",
                target="SiteStatistics",
                trigger=Trigger(kind="every", period_s=1.0, inputs=("analytics",)),
            ),
        ),
        paths=(PathPromise(components=PATH, latency=LatencyPromise(latency_max_s=0.1)),),
        parameters=(Parameter(name="clip", type="str", default="street", help="a video file"),),
    )


def three_sites() -> Continuum:
    """A camera, an edge server beside the road, a cloud."""
    return Continuum(
        name="default",
        sites=(
            Site(
                name="street",
                layer="device",
                node_types=(NodeType(name="camera", cores=1, speed=0.3, price_eur_per_h=0.004, power=Power(busy_w=4)),),
            ),
            Site(
                name="junction",
                layer="edge",
                region="eu-south",
                node_types=(
                    NodeType(
                        name="roadside",
                        cores=2,
                        speed=0.8,
                        memory_bytes=4 * 2.0**30,
                        price_eur_per_h=0.06,
                        power=Power(idle_w=6, busy_w=22),
                    ),
                ),
            ),
            Site(
                name="region",
                layer="cloud",
                region="eu-central",
                node_types=(
                    NodeType(name="cloud", count=1, cores=2, speed=1.0, price_eur_per_h=0.096, power=Power(busy_w=70)),
                ),
            ),
        ),
        links=(
            Link(between=("street", "junction"), latency_s=0.002, bandwidth_bytes_per_s=125e6),
            Link(
                between=("junction", "region"), latency_s=0.012, bandwidth_bytes_per_s=12.5e6, price_eur_per_byte=2e-11
            ),
        ),
    )


def mobility_plan() -> Plan:
    """An optimal plan for `mobility` on `three_sites`."""
    return Plan(
        application="mobility",
        continuum="default",
        fingerprint="3f9c0a17d2",
        assignments=tuple(
            Assignment(component=name, variant=variant, node=node, replicas=replicas)
            for name, (node, variant, replicas) in PLACES.items()
        ),
        components=tuple(_prediction(name) for name in PLACES),
        paths=(
            PathPrediction(
                components=PATH, percentile=95.0, promised_s=0.1, predicted_s=0.0781, low_s=0.067, high_s=0.091
            ),
        ),
        cost_eur_per_h=0.1643,
        lower_bound_eur_per_h=0.1643,
        optimal=True,
        gap=0.0,
        power_w=31.2,
        confidence="upper",
        wall_s=0.412,
        parameters={"clip": "street"},
        notes=("percentiles of a path come from sampled sums; components are taken as independent",),
    )


def _prediction(name: str) -> ComponentPrediction:
    service_s = SERVICE_S[name]
    rate = 1.0 if name == "statistics" else 25.0
    promise = None
    if name in PROMISED_S:
        promise = LatencyPrediction(
            percentile=95.0, promised_s=PROMISED_S[name], predicted_s=service_s * 1.45, low_s=service_s * 1.2,
            high_s=service_s * 1.8,
        )  # fmt: skip
    return ComponentPrediction(
        component=name,
        rate_per_s=rate,
        service_mean_s=service_s,
        predicted_p50_s=service_s * 1.02,
        predicted_p95_s=service_s * 1.45,
        low_s=service_s * 1.2,
        high_s=service_s * 1.8,
        promise=promise,
        utilisation=service_s * rate / PLACES[name][2],
        memory_bytes=180e6 if name == "detect" else 70e6,
        energy_j=service_s * 9,
        accuracy=0.91 if name == "detect" else None,
        cost_eur_per_h={"camera": 0.004, "detect": 0.05, "analytics": 0.0963}.get(name, 0.0048),
    )


def mobility_run(*, finished: bool = True, duration_s: float = 30.0) -> RunReport:
    """A run in which every promise was kept."""
    chance = random.Random(7)
    seconds = int(duration_s)
    return RunReport(
        run="2031-05-04-101500-a1b2",
        application=mobility(),
        continuum=three_sites(),
        plan=mobility_plan(),
        started_at="2031-05-04T10:15:00+00:00",
        duration_s=duration_s,
        finished=finished,
        components=tuple(_component(name, seconds) for name in PLACES),
        paths=(
            PathReport(
                components=PATH,
                percentile=95.0,
                promised_s=0.1,
                predicted_s=0.0781,
                low_s=0.067,
                high_s=0.091,
                measured_s=0.0766,
                count=25 * seconds - 6,
                kept=True,
                quantiles_s=_quantiles(0.058, 0.11),
            ),
        ),
        nodes=(
            NodeReport(node="camera", site="street", layer="device", busy_share=0.07, cost_eur=3.3e-5, energy_j=21),
            NodeReport(node="roadside", site="junction", layer="edge", busy_share=0.61, cost_eur=5e-4, energy_j=472),
            NodeReport(node="cloud", site="region", layer="cloud", busy_share=0.08, cost_eur=8.1e-4, energy_j=168),
        ),
        layers=(
            LayerReport(layer="device", items=25 * seconds, items_per_s=25.0, busy_s=0.05 * seconds, bytes_in=0),
            LayerReport(
                layer="edge", items=75 * seconds, items_per_s=75.0, busy_s=0.98 * seconds, bytes_in=1.31e7 * seconds
            ),
            LayerReport(
                layer="cloud", items=26 * seconds, items_per_s=26.0, busy_s=0.15 * seconds, bytes_in=4.1e5 * seconds
            ),
        ),
        cost_eur=0.00137,
        energy_j=661.0,
        events=(
            Event(time_s=STARTED_S + 2.1, kind="host_ready", node="roadside", instance="detect.roadside.0"),
            Event(time_s=STARTED_S + 2.2, kind="host_ready", node="roadside", instance="detect.roadside.1"),
            Event(
                time_s=STARTED_S + 14.31,
                kind="host_died",
                node="roadside",
                instance="detect.roadside.1",
                reason="killed by signal 9 (SIGKILL)",
            ),
            Event(time_s=STARTED_S + 14.52, kind="host_ready", node="roadside", instance="detect.roadside.1"),
        ),
        timeline=tuple(_point(second, chance) for second in range(1, seconds + 1)),
        outputs=("outputs/frame-000120.jpg", "outputs/counts.csv"),
        notes=("emulated: one machine carries all three sites, nodes and links are slowed to their declared speed",),
        start_to_first_item_s=1.84,
    )


def _component(name: str, seconds: int) -> ComponentReport:
    node, variant, replicas = PLACES[name]
    service_s = SERVICE_S[name]
    rate = 1.0 if name == "statistics" else 25.0
    promised_s = PROMISED_S.get(name)
    return ComponentReport(
        component=name,
        variant=variant,
        nodes=(node,),
        count=int(rate * seconds),
        emitted=int(rate * seconds),
        dropped=4 if name == "camera" else 0,
        restarts=1 if name == "detect" else 0,
        rate_per_s=rate * 0.996,
        mean_rate_per_s=rate * 0.992,
        p50_s=service_s * 1.05,
        p95_s=service_s * 1.38,
        p99_s=service_s * 1.7,
        service_p50_s=service_s,
        service_p95_s=service_s * 1.2,
        predicted_p95_s=service_s * 1.45,
        promised_s=promised_s,
        measured_s=service_s * 1.38 if promised_s else None,
        kept=True if promised_s else None,
        utilisation=service_s * rate / replicas,
        memory_bytes=168e6 if name == "detect" else 66e6,
        energy_j=service_s * rate * seconds * 9,
        waiting=1 if name == "detect" else 0,
        phases={"running": replicas},
    )


def _quantiles(middle_s: float, top_s: float) -> tuple[tuple[float, float], ...]:
    """A skewed distribution around `middle_s` that ends at `top_s`."""
    fractions = [0.001, 0.01, *(step / 40 for step in range(1, 40)), 0.99, 0.999, 1.0]
    return tuple(
        (each, round(middle_s * (0.72 + 0.45 * each) + (top_s - 1.17 * middle_s) * each**28, 6)) for each in fractions
    )


def _point(second: int, chance: random.Random) -> TimelinePoint:
    bump = 1.6 * math.exp(-((second - 15.0) ** 2) / 2)
    return TimelinePoint(
        time_s=float(second),
        rates_per_s={
            name: (1.0 if name == "statistics" else 25.0 * min(1.0, 0.4 + 0.3 * second)) * chance.uniform(0.97, 1.03)
            for name in PLACES
        },
        p95_s={
            name: service_s * 1.38 * (1 + (bump if name == "detect" else 0.1 * bump)) * chance.uniform(0.94, 1.08)
            for name, service_s in SERVICE_S.items()
        },
        paths_s=((0.073 + 0.02 * bump) * chance.uniform(0.95, 1.05),),
    )


def broken_run() -> RunReport:
    """A run that lost an item and broke the promise of its path, on a saturated machine."""
    report = mobility_run()
    slow = msgspec.structs.replace(report.paths[0], measured_s=0.131, kept=False)
    components = tuple(
        msgspec.structs.replace(each, p95_s=0.094, measured_s=0.094, kept=False, raised=5, dead=1)
        if each.component == "detect"
        else each
        for each in report.components
    )
    return msgspec.structs.replace(
        report,
        paths=(slow,),
        components=components,
        lost=2,
        valid=False,
        notes=(*report.notes, "this machine's cores were saturated for 41 % of the time: times are not valid"),
    )
