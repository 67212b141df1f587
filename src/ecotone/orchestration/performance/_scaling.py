"""The first model: what was measured, computing time as the node's machine has it, waiting time as it was.

Its error has two parts: how well the samples pin down the mean, and how far the node is from the machine that was
measured. Placement gets it from `sampled_model`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy

from ecotone.core.errors import InputError
from ecotone.orchestration.performance._cores import at_cores
from ecotone.orchestration.performance._machines import is_like, slowdown
from ecotone.orchestration.performance.interface import OVERHEADS, Z90, Estimate, Outputs, Overheads, ServiceSamples

if TYPE_CHECKING:
    from ecotone.core.application import Application, Component, Variant
    from ecotone.core.continuum import NodeType
    from ecotone.core.plan import EnergySource
    from ecotone.orchestration.performance._cores import AtCores
    from ecotone.orchestration.performance._machines import Slowdown
    from ecotone.orchestration.performance.samples import Samples, VariantSamples, WorkMix

__all__ = ["SampledModel", "sampled_model"]

_CORRECTION_MIN = 0.1
_FLOOR = 0.03
"""Two runs of the same code on the same machine differ by about this much."""


class _Calls:
    """Of one variant with one number of cores: the samples, their means, and how sure the mean of a call is."""

    def __init__(self, found: VariantSamples, cores: int, held: int) -> None:
        at = at_cores(found, cores)
        self.samples = _service_samples(at, found, held)
        self.computing_s, self.wait_s = float(self.samples.computing_s.mean()), float(self.samples.wait_s.mean())
        self.cpu_s = self.computing_s if held == 1 else float(at.cpu_s.mean())
        self.held_s = held * self.computing_s
        self.of_mean = math.hypot(_error_of_mean(self.samples), found.foreseen_error)
        if at.error:
            self.of_mean = math.hypot(self.of_mean, at.error)
        self.memory_peak_bytes = at.memory_peak_bytes
        self.extrapolated_from = at.counts if at.extrapolated else ()


class SampledModel:
    """Answers from samples alone; see `PerformanceModel`."""

    def __init__(
        self,
        samples: Samples,
        variants: dict[tuple[str, str], VariantSamples],
        outputs: dict[tuple[str, str], Outputs],
        overheads: Overheads,
        ranks: dict[str, int],
    ) -> None:
        """Args: ranks: of components that are cells, by name."""
        self._machine, self._here = samples.machine, samples.calibration
        self._variants = variants
        self._outputs = outputs
        self._overheads = overheads
        self._ranks = ranks
        self._calls: dict[tuple[str, str, int], _Calls] = {}
        observed = () if samples.observed is None else samples.observed.corrections
        self._observed = {(each.component, each.variant, each.node_type): each.used for each in observed}
        self._slowdowns: dict[tuple[WorkMix | None, float, int], tuple[NodeType, Slowdown]] = {}

    def _of(self, component: str, variant: str, cores: int) -> _Calls:
        key = component, variant, cores
        found = self._calls.get(key)
        if found is None:
            measured = self._variants[component, variant]
            found = self._calls[key] = _Calls(measured, cores, self.held(component, cores))
        return found

    def held(self, component: str, cores: int) -> int:
        return cores * self._ranks.get(component, 1)

    def samples(self, component: str, variant: str, cores: int = 1) -> ServiceSamples:
        return self._of(component, variant, cores).samples

    def batch_items(self, component: str, variant: str) -> float:
        return self._variants[component, variant].batch_items

    def slowdown(self, component: str, variant: str, node: NodeType, cores: int = 1) -> float:
        return self._slowdown(component, variant, node).factor * self._correction(component, variant, node, cores)

    def _correction(self, component: str, variant: str, node: NodeType, cores: int) -> float:
        """On computing time, so that a whole call takes as much longer as calls of running applications did."""
        ratio = self._observed.get((component, variant, node.name), 1.0)
        calls = self._of(component, variant, cores)
        computing_s = calls.computing_s * self._slowdown(component, variant, node).factor
        if ratio == 1.0 or computing_s <= 0.0:
            return 1.0
        return max(_CORRECTION_MIN, ratio + (ratio - 1.0) * calls.wait_s / computing_s)

    def service_error(self, component: str, variant: str, node: NodeType, cores: int = 1) -> float:
        of_mean = self._of(component, variant, cores).of_mean
        return math.hypot(of_mean, self._slowdown(component, variant, node).error)

    def cpu_s(self, component: str, variant: str, node: NodeType, cores: int = 1) -> float:
        return self._of(component, variant, cores).cpu_s * self.slowdown(component, variant, node, cores)

    def held_s(self, component: str, variant: str, node: NodeType, cores: int = 1) -> float:
        return self._of(component, variant, cores).held_s * self.slowdown(component, variant, node, cores)

    def service(self, component: str, variant: str, node: NodeType, cores: int = 1) -> Estimate:
        calls = self._of(component, variant, cores)
        value = calls.computing_s * self.slowdown(component, variant, node, cores) + calls.wait_s
        slower = self._slowdown(component, variant, node)
        own = 1.0 + Z90 * calls.of_mean
        error = self.service_error(component, variant, node, cores)
        reach = max(1.0 + Z90 * error, math.exp(slower.least_reach) * own)
        return Estimate(value=value, low=value / reach, high=value * reach, supported=slower.supported)

    def energy(self, component: str, variant: str, node: NodeType, cores: int = 1) -> Estimate:
        """Measured joules grow with the CPU time of a call."""
        found, service = self._variants[component, variant], self.service(component, variant, node, cores)
        items = found.batch_items
        if found.energy_j is not None and self.energy_source(component, variant, node) == "measured":
            more = 1.0
            if cores != found.cores and (before_s := self._of(component, variant, found.cores).cpu_s) > 0:
                more = self._of(component, variant, cores).cpu_s / before_s
            value = found.energy_j * more * self.slowdown(component, variant, node, cores) / items
            reach = 1.0 + found.energy_noise
            return Estimate(value=value, low=value / reach, high=value * reach, supported=service.supported)
        value = node.power.per_core_w(node.cores) * self.cpu_s(component, variant, node, cores) / items
        ratio_low, ratio_high = (service.low / service.value, service.high / service.value) if service.value else (1, 1)
        return Estimate(value=value, low=value * ratio_low, high=value * ratio_high, supported=service.supported)

    def energy_source(self, component: str, variant: str, node: NodeType) -> EnergySource:
        found = self._variants[component, variant]
        if found.energy_j is None:
            return "estimated"
        cpu_s = self._of(component, variant, found.cores).cpu_s
        core_w = found.energy_j / cpu_s if cpu_s > 0 else 0.0
        return "measured" if is_like(node, self._machine, self._here, core_w) else "estimated"

    def _slowdown(self, component: str, variant: str, node: NodeType) -> Slowdown:
        mix = self._variants[component, variant].mix
        key = mix, node.speed, id(node.calibration)
        kept = self._slowdowns.get(key)
        if kept is None:  # the node is kept with it, so that nothing else gets its id
            kept = self._slowdowns[key] = node, slowdown(node, self._here, mix)
        return kept[1]

    def memory_bytes(self, component: Component, variant: str, cores: int = 1) -> float:
        declared = component.requirements.memory_bytes
        if declared is not None:
            return declared
        return self._of(component.name, variant, cores).memory_peak_bytes + self._overheads.host_memory_bytes

    def foreseen(self, component: str, variant: str) -> int:
        return self._variants[component, variant].foreseen

    def extrapolated_from(self, component: str, variant: str, cores: int) -> tuple[int, ...]:
        return self._of(component, variant, cores).extrapolated_from

    def cramped(self, component: str, variant: str) -> int:
        return self._variants[component, variant].cramped

    def outputs(self, component: str, variant: str) -> Outputs:
        return self._outputs[component, variant]


def _error_of_mean(samples: ServiceSamples) -> float:
    """Standard error of a mean service time, relative to it."""
    total = samples.computing_s + samples.wait_s
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
    ranks = {each.name: each.cell.ranks for each in application.components if each.cell is not None}
    return SampledModel(samples, measured, outputs, overheads, ranks)


def _outputs(variant: Variant, found: VariantSamples) -> Outputs:
    declared = variant.accuracy is not None
    return Outputs(
        per_input=found.outputs_per_input,
        mean_bytes=float(numpy.mean(found.output_bytes)) if found.output_bytes else 0.0,
        accuracy=variant.accuracy if declared else found.accuracy,
        accuracy_source="declared" if declared else found.accuracy_source,
    )


def _service_samples(at: AtCores, found: VariantSamples, held: int) -> ServiceSamples:
    """Of elapsed time, what cannot be computing is waiting; on several cores, calls compute for as long as they can
    have: CPU time says for how long on one core, and no longer than they took."""
    wait = numpy.maximum(0.0, at.wall_s - at.cpu_s)
    computing = at.cpu_s if held == 1 else numpy.minimum(at.cpu_s, at.wall_s)
    order = numpy.argsort(computing + wait, kind="stable")
    sizes = numpy.sort(numpy.asarray(found.output_bytes or (0,), dtype=numpy.float64))
    return ServiceSamples(
        computing_s=computing[order], wait_s=wait[order], output_bytes=sizes, batch_items=found.batch_items
    )


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
    for each in found.by_cores:
        series |= {
            f"cpu_s with {each.cores} cores": each.cpu_s,
            f"wall_s with {each.cores} cores": each.wall_s,
            f"memory_peak_bytes with {each.cores} cores": (each.memory_peak_bytes,),
        }
        if each.cores < 1 or not each.cpu_s or len(each.cpu_s) != len(each.wall_s):
            raise InputError(f"{where}: its calls with {each.cores} cores are incomplete; profile it again")
    for name, values in series.items():
        if any(not math.isfinite(value) or value < 0 for value in values):
            raise InputError(f"{where}: {name} holds a value that is negative or not finite; profile it again")
    if not found.cpu_s or len(found.cpu_s) != len(found.wall_s):
        raise InputError(f"{where}: {len(found.cpu_s)} cpu_s and {len(found.wall_s)} wall_s; profile it again")
    if found.mix is not None and not sum(series["mix"]) > 0:
        raise InputError(f"{where}: mix says that it does nothing; profile it again")
    if found.cores < 1:
        raise InputError(f"{where}: cores is {found.cores}; profile it again")
    if found.batch_items <= 0:
        raise InputError(f"{where}: batch_items is {found.batch_items}; profile it again")
