"""How often everything runs: rates propagated from the sources along the channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.core.errors import InputError
from ecotone.orchestration.performance.interface import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecotone.core.application import Application, Component

__all__ = ["REQUESTS_PER_S", "propagate"]

REQUESTS_PER_S = 1.0
"""Assumed of a request component that does not state its throughput."""

PerCall = tuple[float, float]
"""Outputs per input item, and input items of one call, as they were profiled."""


def propagate(
    application: Application, profiled: Callable[[Component], PerCall], *, load: float = 1.0
) -> dict[str, Flow]:
    """The flow of every component, by name, in data order; `load` multiplies every rate at the sources.

    Raises:
        InputError: a source that does not say its throughput, or a rate that is zero or not finite.
    """
    flows: dict[str, Flow] = {}
    for component in application.in_data_order():
        per_input, items = profiled(component)
        inputs = [flows[name] for name in component.trigger.inputs]
        flows[component.name] = _flow(component, inputs, per_input, items, load)
    return flows


def _flow(component: Component, inputs: list[Flow], per_input: float, items_profiled: float, load: float) -> Flow:
    trigger = component.trigger
    if trigger.kind == "every":
        assert trigger.period_s is not None
        calls = _rate(component, 1.0 / trigger.period_s if trigger.period_s > 0 else 0.0)
        if not inputs:
            calls *= load
            return Flow(items_per_s=calls, calls_per_s=calls, outputs_per_s=calls * per_input)
        arriving = sum(each.outputs_per_s for each in inputs)
        return Flow(items_per_s=arriving, calls_per_s=calls, outputs_per_s=calls * per_input * items_profiled)
    if trigger.kind == "source":
        rate = component.requirements.throughput_min_per_s
        if rate is None:
            raise InputError(
                f'{component.name} is a source and does not say how much it emits; add throughput="... items/s"'
            )
        rate = _rate(component, rate) * load
        return Flow(items_per_s=rate, calls_per_s=rate, outputs_per_s=rate)
    if trigger.kind == "request":
        stated = component.requirements.throughput_min_per_s
        rate = _rate(component, REQUESTS_PER_S if stated is None else stated) * load
        return Flow(items_per_s=rate, calls_per_s=rate, outputs_per_s=rate * per_input)
    outputs = [each.outputs_per_s for each in inputs]
    rate = min(outputs) if trigger.join_key is not None else sum(outputs)
    items = 1.0 if component.batching is None else _batch(component, rate)
    return Flow(items_per_s=rate, calls_per_s=rate / items, outputs_per_s=rate * per_input)


def _batch(component: Component, rate_per_s: float) -> float:
    """Items of a call when there is no backlog: the one that opens the batch and those that come while it is open."""
    assert component.batching is not None
    return min(float(component.batching.items_max), 1.0 + rate_per_s * component.batching.wait_max_s)


def _rate(component: Component, rate_per_s: float) -> float:
    if not 0.0 < rate_per_s < float("inf"):
        raise InputError(f"{component.name}: a rate of {rate_per_s} items/s; it must be above 0 and finite")
    return rate_per_s
