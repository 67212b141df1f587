"""Small applications, continua and synthetic samples for tests of planning; seeded, no files."""

from __future__ import annotations

import math
import random

from ecotone.core.application import (
    Application,
    Component,
    LatencyPromise,
    PathPromise,
    Requirements,
    Trigger,
    Variant,
)
from ecotone.core.continuum import Continuum, Link, NodeType, Power, Site
from ecotone.orchestration.performance.samples import Samples, VariantSamples

__all__ = ["after", "camera", "continuum", "measured", "mobility", "mobility_samples", "samples_of"]


def camera(name: str = "camera", *, period_s: float = 0.04, **requirements: object) -> Component:
    """A component that runs every `period_s`."""
    trigger = Trigger(kind="every", period_s=period_s)
    return Component(name=name, target=name, trigger=trigger, requirements=Requirements(**requirements), live=True)  # pyright: ignore


def after(name: str, *inputs: str, variants: tuple[str, ...] = ("default",), **more: object) -> Component:
    """A component that handles what `inputs` emit; `requirements` and other fields of Component by keyword."""
    return Component(
        name=name,
        target=name,
        trigger=Trigger(kind="data", inputs=inputs),
        variants=tuple(Variant(name=each) for each in variants),
        **more,  # pyright: ignore
    )


def measured(
    component: str,
    mean_s: float,
    *,
    variant: str = "default",
    spread: float = 0.1,
    wait_s: float = 0.0,
    output_bytes: int = 1000,
    outputs_per_input: float = 1.0,
    memory_bytes: float = 50e6,
    accuracy: float | None = None,
    count: int = 60,
    batch_items: float = 1.0,
) -> VariantSamples:
    """Log-normal CPU times around `mean_s` with a relative `spread`."""
    rng = random.Random(f"{component}/{variant}")
    sigma = math.sqrt(math.log(1 + spread**2))
    cpu = tuple(mean_s * math.exp(rng.gauss(-sigma * sigma / 2, sigma)) for _ in range(count))
    return VariantSamples(
        component=component,
        variant=variant,
        key="test",
        cpu_s=cpu,
        wall_s=tuple(each + wait_s for each in cpu),
        output_bytes=(output_bytes,) * count,
        outputs_per_input=outputs_per_input,
        memory_peak_bytes=memory_bytes,
        start_s=0.1,
        batch_items=batch_items,
        accuracy=accuracy,
        accuracy_source="unknown" if accuracy is None else "agreement",
    )


def samples_of(*variants: VariantSamples, application: str = "test") -> Samples:
    return Samples(
        application=application,
        machine="test",
        machine_score=1000.0,
        taken_at="2026-01-01T00:00:00Z",
        variants=variants,
    )


def continuum(
    *,
    device_speed: float = 0.5,
    edge_speed: float = 1.0,
    edge_count: int = 1,
    edge_cores: int = 2,
    device_price: float = 0.01,
    edge_price: float = 0.12,
    cloud_price: float = 0.20,
    uplink_bytes_per_s: float = 12.5e6,
    uplink_price_per_gb: float = 0.05,
    wan_latency_s: float = 0.015,
) -> Continuum:
    """A camera device, a roadside edge and a cloud."""
    power = Power(idle_w=2.0, busy_w=6.0)
    device = NodeType(name="device", cores=1, speed=device_speed, price_eur_per_h=device_price, power=power)
    edge = NodeType(
        name="edge", count=edge_count, cores=edge_cores, speed=edge_speed, price_eur_per_h=edge_price,
        memory_bytes=4 * 2.0**30, power=Power(idle_w=15.0, busy_w=45.0),
    )  # fmt: skip
    cloud = NodeType(
        name="cloud", cores=8, speed=1.0, price_eur_per_h=cloud_price, memory_bytes=32 * 2.0**30,
        power=Power(idle_w=60.0, busy_w=200.0),
    )  # fmt: skip
    return Continuum(
        name="roadside",
        sites=(
            Site(name="street", layer="device", region="eu-south", node_types=(device,)),
            Site(name="cabinet", layer="edge", region="eu-south", node_types=(edge,)),
            Site(name="datacentre", layer="cloud", region="eu-west", node_types=(cloud,)),
        ),
        links=(
            Link(between=("street", "cabinet"), latency_s=0.002, bandwidth_bytes_per_s=uplink_bytes_per_s * 4),
            Link(
                between=("cabinet", "datacentre"), latency_s=wan_latency_s, bandwidth_bytes_per_s=uplink_bytes_per_s,
                price_eur_per_byte=uplink_price_per_gb / 1e9,
            ),
        ),
    )  # fmt: skip


def mobility(*, promise_s: float = 0.1, accuracy_min: float | None = None) -> Application:
    """A road camera that protects privacy: six components, one of them with two variants."""
    return Application(
        name="mobility",
        components=(
            camera(layers=("device",), private=("device", "edge"), throughput_min_per_s=25.0),
            after("quality", "camera"),
            after(
                "detect", "quality", variants=("large", "small"), requirements=Requirements(accuracy_min=accuracy_min)
            ),
            after("anonymise", "detect", requirements=Requirements(releases=True)),
            after("analytics", "anonymise"),
            Component(
                name="statistics",
                target="statistics",
                trigger=Trigger(kind="every", inputs=("analytics",), period_s=1.0),
                requirements=Requirements(layers=("cloud",)),
            ),
        ),
        paths=(
            PathPromise(
                components=("camera", "detect", "analytics"),
                latency=LatencyPromise(latency_max_s=promise_s, percentile=95.0),
            ),
        ),
    )


def mobility_samples(*, detect_s: float = 0.027, detect_small_s: float = 0.0075, sharp: float = 1.0) -> Samples:
    return samples_of(
        measured("camera", 0.004, output_bytes=522_000, memory_bytes=60e6),
        measured("quality", 0.002, output_bytes=522_000, outputs_per_input=sharp),
        measured("detect", detect_s, variant="large", output_bytes=523_000, memory_bytes=150e6, accuracy=1.0),
        measured("detect", detect_small_s, variant="small", output_bytes=523_000, memory_bytes=120e6, accuracy=0.82),
        measured("anonymise", 0.003, output_bytes=15_000),
        measured("analytics", 0.006, output_bytes=300, memory_bytes=80e6, spread=0.3),
        measured("statistics", 0.001, output_bytes=200, batch_items=25.0, outputs_per_input=0.04),
        application="mobility",
    )
