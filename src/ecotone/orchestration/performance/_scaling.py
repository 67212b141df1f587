"""The first model: what was measured, computing time as the node's machine has it, waiting time as it was.

Its error has two parts: how well the samples pin down the mean, and how far the node is from the machine that was
measured. Placement gets it from `sampled_model`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy

from ecotone.core.errors import InputError
from ecotone.orchestration.performance._machines import is_like, slowdown
from ecotone.orchestration.performance.interface import OVERHEADS, Z90, Estimate, Outputs, Overheads, ServiceSamples

if TYPE_CHECKING:
    from ecotone.core.application import Application, Component, Variant
    from ecotone.core.continuum import NodeType
    from ecotone.core.plan import EnergySource
    from ecotone.orchestration.performance._machines import Slowdown
    from ecotone.orchestration.performance.samples import Samples, VariantSamples, WorkMix

__all__ = ["SampledModel", "sampled_model"]

_CORRECTION_MIN = 0.1
_FLOOR = 0.03
"""Two runs of the same code on the same machine differ by about this much."""


class SampledModel:
    """Answers from samples alone; see `PerformanceModel`."""

    def __init__(self, samples: Samples, variants: dict[tuple[str, str], VariantSamples],
                 outputs: dict[tuple[str, str], Outputs], overheads: Overheads) -> None:  # fmt: skip
        self._machine, self._here = samples.machine, samples.calibration
        self._variants = variants
        self._outputs = outputs
        self._overheads = overheads
        self._samples = {key: _service_samples(each) for key, each in variants.items()}
        self._means = {key: (float(s.cpu_s.mean()), float(s.wait_s.mean())) for key, s in self._samples.items()}
        self._of_mean = {
            key: math.hypot(_error_of_mean(each), variants[key].foreseen_error) for key, each in self._samples.items()
        }
        observed = () if samples.observed is None else samples.observed.corrections
        self._observed = {(each.component, each.variant, each.node_type): each.used for each in observed}
        self._slowdowns: dict[tuple[WorkMix | None, float, int], tuple[NodeType, Slowdown]] = {}

    def samples(self, component: str, variant: str) -> ServiceSamples:
        return self._samples[component, variant]

    def slowdown(self, component: str, variant: str, node: NodeType) -> float:
        return self._slowdown(component, variant, node).factor * self._correction(component, variant, node)

    def _correction(self, component: str, variant: str, node: NodeType) -> float:
        """On computing time, so that a whole call takes as much longer as calls of running applications did."""
        ratio = self._observed.get((component, variant, node.name), 1.0)
        cpu_s, wait_s = self._means[component, variant]
        cpu_s *= self._slowdown(component, variant, node).factor
        if ratio == 1.0 or cpu_s <= 0.0:
            return 1.0
        return max(_CORRECTION_MIN, ratio + (ratio - 1.0) * wait_s / cpu_s)

    def service_error(self, component: str, variant: str, node: NodeType) -> float:
        return math.hypot(self._of_mean[component, variant], self._slowdown(component, variant, node).error)

    def cpu_s(self, component: str, variant: str, node: NodeType) -> float:
        return self._means[component, variant][0] * self.slowdown(component, variant, node)

    def service(self, component: str, variant: str, node: NodeType) -> Estimate:
        value = self.cpu_s(component, variant, node) + self._means[component, variant][1]
        slower = self._slowdown(component, variant, node)
        own = 1.0 + Z90 * self._of_mean[component, variant]
        reach = max(1.0 + Z90 * self.service_error(component, variant, node), math.exp(slower.least_reach) * own)
        return Estimate(value=value, low=value / reach, high=value * reach, supported=slower.supported)

    def energy(self, component: str, variant: str, node: NodeType) -> Estimate:
        """Measured joules grow with the CPU time of a call."""
        found, service = self._variants[component, variant], self.service(component, variant, node)
        items = self._samples[component, variant].batch_items
        if found.energy_j is not None and self.energy_source(component, variant, node) == "measured":
            value = found.energy_j * self.slowdown(component, variant, node) / items
            reach = 1.0 + found.energy_noise
            return Estimate(value=value, low=value / reach, high=value * reach, supported=service.supported)
        value = node.power.per_core_w(node.cores) * self.cpu_s(component, variant, node) / items
        ratio_low, ratio_high = (service.low / service.value, service.high / service.value) if service.value else (1, 1)
        return Estimate(value=value, low=value * ratio_low, high=value * ratio_high, supported=service.supported)

    def energy_source(self, component: str, variant: str, node: NodeType) -> EnergySource:
        found, cpu_s = self._variants[component, variant], self._means[component, variant][0]
        if found.energy_j is None:
            return "estimated"
        core_w = found.energy_j / cpu_s if cpu_s > 0 else 0.0
        return "measured" if is_like(node, self._machine, self._here, core_w) else "estimated"

    def _slowdown(self, component: str, variant: str, node: NodeType) -> Slowdown:
        mix = self._variants[component, variant].mix
        key = mix, node.speed, id(node.calibration)
        kept = self._slowdowns.get(key)
        if kept is None:  # the node is kept with it, so that nothing else gets its id
            kept = self._slowdowns[key] = node, slowdown(node, self._here, mix)
        return kept[1]

    def memory_bytes(self, component: Component, variant: str) -> float:
        declared = component.requirements.memory_bytes
        if declared is not None:
            return declared
        return self._variants[component.name, variant].memory_peak_bytes + self._overheads.host_memory_bytes

    def foreseen(self, component: str, variant: str) -> int:
        return self._variants[component, variant].foreseen

    def outputs(self, component: str, variant: str) -> Outputs:
        return self._outputs[component, variant]


def _error_of_mean(samples: ServiceSamples) -> float:
    """Standard error of a mean service time, relative to it."""
    total = samples.cpu_s + samples.wait_s
    mean = float(total.mean())
    of_mean = float(total.std()) / mean / math.sqrt(len(total)) if mean > 0 else 0.0
    return math.hypot(_FLOOR, of_mean)


def sampled_model(application: Application, samples: Samples, overheads: Overheads = OVERHEADS) -> SampledModel:
    """A model for every variant of `application`.

    Raises:
        InputError: a variant that was not measured, or figures that are missing, negative or not finite; the message
            names component and variant.
    """
    measured: dict[tuple[str, str], VariantSamples] = {}
    outputs: dict[tuple[str, str], Outputs] = {}
    for component in application.components:
        for variant in component.variants:
            found = samples.of(component.name, variant.name)
            if found is None:
                raise InputError(
                    f"no samples of {component.name}, variant {variant.name}; measure it with: ecotone profile APP"
                )
            _check(found)
            key = component.name, variant.name
            measured[key] = found
            outputs[key] = _outputs(variant, found)
    return SampledModel(samples, measured, outputs, overheads)


def _outputs(variant: Variant, found: VariantSamples) -> Outputs:
    declared = variant.accuracy is not None
    return Outputs(
        per_input=found.outputs_per_input,
        mean_bytes=float(numpy.mean(found.output_bytes)) if found.output_bytes else 0.0,
        accuracy=variant.accuracy if declared else found.accuracy,
        accuracy_source="declared" if declared else found.accuracy_source,
    )


def _service_samples(found: VariantSamples) -> ServiceSamples:
    cpu = numpy.asarray(found.cpu_s, dtype=numpy.float64)
    wall = numpy.asarray(found.wall_s, dtype=numpy.float64)
    wait = numpy.maximum(0.0, wall - cpu)
    order = numpy.argsort(cpu + wait, kind="stable")
    sizes = numpy.sort(numpy.asarray(found.output_bytes or (0,), dtype=numpy.float64))
    return ServiceSamples(cpu_s=cpu[order], wait_s=wait[order], output_bytes=sizes, batch_items=found.batch_items)


def _check(found: VariantSamples) -> None:
    """Raises InputError for what no measurement can be."""
    series: dict[str, tuple[float, ...]] = {
        "cpu_s": found.cpu_s,
        "wall_s": found.wall_s,
        "output_bytes": found.output_bytes,
        "outputs_per_input": (found.outputs_per_input,),
        "memory_peak_bytes": (found.memory_peak_bytes,),
        "start_s": (found.start_s,),
        "batch_items": (found.batch_items,),
        "accuracy": () if found.accuracy is None else (found.accuracy,),
        "foreseen_error": (found.foreseen_error,),
        "energy_j": () if found.energy_j is None else (found.energy_j, found.energy_noise),
        "mix": () if found.mix is None else (found.mix.interpreted, found.mix.native, found.mix.system),
    }
    where = f"samples of {found.component}, variant {found.variant}"
    for name, values in series.items():
        if any(not math.isfinite(value) or value < 0 for value in values):
            raise InputError(f"{where}: {name} holds a value that is negative or not finite; profile it again")
    if not found.cpu_s or len(found.cpu_s) != len(found.wall_s):
        raise InputError(f"{where}: {len(found.cpu_s)} cpu_s and {len(found.wall_s)} wall_s; profile it again")
    if found.mix is not None and not sum(series["mix"]) > 0:
        raise InputError(f"{where}: mix says that it does nothing; profile it again")
    if found.batch_items <= 0:
        raise InputError(f"{where}: batch_items is {found.batch_items}; profile it again")
