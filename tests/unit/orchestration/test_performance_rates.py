"""Rates along the channels, figures of single components, and samples that cannot be."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from tests.support.applications import after, camera, measured, samples_of

from ecotone.core.application import Application, Batching, Component, Requirements, Trigger
from ecotone.core.continuum import NodeType, Power
from ecotone.core.errors import InputError
from ecotone.orchestration.performance import sampled_model
from ecotone.orchestration.performance._rates import propagate


def flows(*components: Component, **outputs: float) -> dict[str, tuple[float, float, float]]:
    application = Application(name="x", components=components)
    found = propagate(application, lambda c: (outputs.get(c.name, 1.0), 1.0))
    return {name: (flow.items_per_s, flow.calls_per_s, flow.outputs_per_s) for name, flow in found.items()}


def emitting(kind: Literal["source", "request"], rate_per_s: float) -> Component:
    requirements = Requirements(throughput_min_per_s=rate_per_s)
    return Component(name="s", target="s", trigger=Trigger(kind=kind), requirements=requirements)


def test_rates_follow_the_channels() -> None:
    found = flows(
        camera("a", period_s=0.1),
        after("half", "a"),
        after("merged", "a", "half"),
        Component(name="joined", target="j", trigger=Trigger(kind="data", inputs=("a", "half"), join_key="k")),
        Component(name="ticks", target="t", trigger=Trigger(kind="every", inputs=("a",), period_s=2.0)),
        after("batch", "a", batching=Batching(items_max=5, wait_max_s=10.0)),
        half=0.5,
    )
    assert found["half"] == (10.0, 10.0, 5.0)
    assert found["merged"] == (15.0, 15.0, 15.0)
    assert found["joined"] == (5.0, 5.0, 5.0)
    assert found["ticks"] == (10.0, 0.5, 0.5)
    assert found["batch"] == (10.0, 2.0, 10.0)


def test_sources_and_requests_say_their_rate_or_get_a_default() -> None:
    source = emitting("source", 7.0)
    asked = Component(name="r", target="r", trigger=Trigger(kind="request"))
    found = flows(source, asked)
    assert found["s"] == (7.0, 7.0, 7.0)
    assert found["r"] == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    "component",
    [
        Component(name="s", target="s", trigger=Trigger(kind="source")),
        emitting("source", 0.0),
        Component(name="s", target="s", trigger=Trigger(kind="every", period_s=0.0)),
        emitting("request", float("nan")),
    ],
)
def test_a_rate_that_cannot_be_is_refused(component: Component) -> None:
    with pytest.raises(InputError, match="s"):
        flows(component)


def test_energy_and_memory_of_one_replica() -> None:
    application = Application(
        name="x", components=(camera("a"), after("b", "a", requirements=Requirements(memory_bytes=5e6)))
    )
    model = sampled_model(application, samples_of(measured("a", 0.02, spread=0, memory_bytes=1e7), measured("b", 0.01)))
    node = NodeType(name="n", cores=4, speed=0.5, power=Power(idle_w=10.0, busy_w=50.0))
    assert model.energy("a", "default", node).value == pytest.approx((50 - 10) / 4 * 0.04)
    a, b = application.components
    assert model.memory_bytes(b, "default") == 5e6
    assert model.memory_bytes(a, "default") > 1e7


def test_a_variant_without_samples_is_named() -> None:
    application = Application(name="x", components=(camera("a"), after("b", "a", variants=("large", "small"))))
    with pytest.raises(InputError, match="b, variant small"):
        sampled_model(application, samples_of(measured("a", 0.01), measured("b", 0.01, variant="large")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"cpu_s": (0.1, float("nan"))},
        {"wall_s": (-0.1, 0.1)},
        {"cpu_s": (), "wall_s": ()},
        {"cpu_s": (0.1,), "wall_s": (0.1, 0.1)},
        {"outputs_per_input": float("inf")},
        {"memory_peak_bytes": -1.0},
        {"batch_items": 0.0},
        {"accuracy": float("nan")},
    ],
)
def test_samples_that_no_measurement_gives_are_refused(wrong: dict[str, object]) -> None:
    samples = samples_of(msgspec.structs.replace(measured("a", 0.01), **wrong))
    with pytest.raises(InputError, match="samples of a, variant default"):
        sampled_model(Application(name="x", components=(camera("a"),)), samples)
