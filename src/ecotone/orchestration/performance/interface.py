"""What a performance model answers, and the values that predictions are made of.

Placement asks a `PerformanceModel` about single components on single node types, and `predict_paths` about a whole
assignment. Seconds, bytes, joules, items per second; fractions for shares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
import numpy

if TYPE_CHECKING:
    from ecotone.core.application import Component
    from ecotone.core.continuum import NodeType
    from ecotone.core.plan import EnergySource

__all__ = [
    "OVERHEADS",
    "Z90",
    "ComponentTiming",
    "Estimate",
    "Floats",
    "Flow",
    "Interval",
    "Outputs",
    "Overheads",
    "PathTiming",
    "PerformanceModel",
    "ServiceSamples",
    "StageTiming",
    "Timing",
]

Floats = numpy.ndarray[Any, numpy.dtype[numpy.float64]]
Interval = Literal["none", "upper", "whole"]
"""Which ends of the 90 % intervals of times are asked for; an end that was not is the prediction itself."""
Z90 = 1.645
"""Standard errors to either end of a 90 % interval."""


class Overheads(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform itself adds; the one place where these figures stand.

    `hop_*_s`: from the end of a producer's handling to the item's arrival at a consumer on the same node, in a running
    application, where hosts share cores and have gone cold between items; between two hosts alone with the machine it
    is half of that (`benchmarks/hop.py`). `hop_s_per_byte`: what writing and reading an item adds to it.
    `turnaround_s`: how long a replica is still busy after handling an item, until its output is acknowledged and the
    next item is there. `host_memory_bytes`: an empty host.
    """

    hop_p50_s: float = 0.0014
    hop_p95_s: float = 0.0028
    hop_s_per_byte: float = 0.42e-9
    turnaround_s: float = 0.0004
    host_memory_bytes: float = 16 * 2.0**20


OVERHEADS = Overheads()


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A predicted figure with a 90 % interval of the model's own error; `supported` is False where the samples say
    little about what was asked (a node far from the machine that was measured)."""

    value: float
    low: float
    high: float
    supported: bool = True


class ServiceSamples(msgspec.Struct, frozen=True, kw_only=True):
    """Measured calls of one variant with one number of cores, one pair each: `computing_s`, elapsed, scales with a
    node's speed, `wait_s` does not. With one core `computing_s` is the CPU time."""

    computing_s: Floats
    wait_s: Floats
    output_bytes: Floats
    batch_items: float


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """What one variant emits. `accuracy_source` is `declared`, `agreement` or `unknown`."""

    per_input: float
    mean_bytes: float
    accuracy: float | None
    accuracy_source: str


class PerformanceModel(Protocol):
    """Predicts one variant of one component on one type of node, with a number of `cores` as an assignment has it.
    Pure; unknown variants are programmer errors."""

    def samples(self, component: str, variant: str, cores: int = 1) -> ServiceSamples:
        """The distribution that simulation draws from, at speed 1."""
        ...

    def batch_items(self, component: str, variant: str) -> float:
        """Input items of one call, as it was profiled."""
        ...

    def held(self, component: str, cores: int) -> int:
        """Cores of its node that a replica holds while it computes."""
        ...

    def service(self, component: str, variant: str, node: NodeType, cores: int = 1) -> Estimate:
        """Mean seconds of one call, computing and waiting."""
        ...

    def cpu_s(self, component: str, variant: str, node: NodeType, cores: int = 1) -> float:
        """Mean CPU seconds of one call, all threads together."""
        ...

    def held_s(self, component: str, variant: str, node: NodeType, cores: int = 1) -> float:
        """Mean seconds of cores that one call takes from others: all that it holds, while it computes. With one core
        this is the CPU time; with more it is more, as far as some of them idle."""
        ...

    def slowdown(self, component: str, variant: str, node: NodeType, cores: int = 1) -> float:
        """Computing time on this node over that at speed 1."""
        ...

    def service_error(self, component: str, variant: str, node: NodeType, cores: int = 1) -> float:
        """Standard error of `service`, relative to it."""
        ...

    def energy(self, component: str, variant: str, node: NodeType, cores: int = 1) -> Estimate:
        """Joules of one item above what the idle node takes."""
        ...

    def energy_source(self, component: str, variant: str, node: NodeType) -> EnergySource:
        """`measured` where the node is like the machine that was profiled and had a meter; else `estimated`, from the
        node's declared power."""
        ...

    def memory_bytes(self, component: Component, variant: str, cores: int = 1) -> float:
        """What one replica needs: declared, or profiled and an empty host's."""
        ...

    def foreseen(self, component: str, variant: str) -> int:
        """From how many runs at other parameters its samples were predicted; 0: they were measured."""
        ...

    def extrapolated_from(self, component: str, variant: str, cores: int) -> tuple[int, ...]:
        """The numbers of cores that were measured where this one was not, and Amdahl's law stands in; () where it
        was."""
        ...

    def cramped(self, component: str, variant: str) -> int:
        """On how many cores it was measured, where it would hold more, so that it is faster than predicted; 0: on
        enough."""
        ...

    def outputs(self, component: str, variant: str) -> Outputs:
        """What it emits for each input."""
        ...


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What a component has to do: items that reach it, calls of its code, outputs, all per second."""

    items_per_s: float
    calls_per_s: float
    outputs_per_s: float

    @property
    def items_per_call(self) -> float:
        return self.items_per_s / self.calls_per_s


class ComponentTiming(msgspec.Struct, frozen=True, kw_only=True):
    """Response of one component: arrival of an item to the end of its handling. `at_promise_s` is at the percentile of
    the component's own latency promise (p95 without one); `low_s` and `high_s` bound it."""

    component: str
    service_mean_s: float
    waiting_mean_s: float
    p50_s: float
    p95_s: float
    at_promise_s: float
    low_s: float
    high_s: float


class StageTiming(msgspec.Struct, frozen=True, kw_only=True):
    """Mean times of one stage of a path: getting to it over links and through the platform, waiting, being handled."""

    component: str
    link_s: float
    hop_s: float
    waiting_s: float
    service_s: float


class PathTiming(msgspec.Struct, frozen=True, kw_only=True):
    """A promised path: `predicted_s` at `percentile` of the distribution of the sum, with a 90 % interval.

    `stages` hold means, which add up to `mean_s`; `route` is every component between the first and the last, where
    there is only one way, else those that the promise names.
    """

    components: tuple[str, ...]
    route: tuple[str, ...]
    percentile: float
    predicted_s: float
    low_s: float
    high_s: float
    mean_s: float
    p50_s: float
    stages: tuple[StageTiming, ...]


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Every component and every promised path under one assignment."""

    components: tuple[ComponentTiming, ...]
    paths: tuple[PathTiming, ...]

    def of(self, component: str) -> ComponentTiming:
        return next(each for each in self.components if each.component == component)
