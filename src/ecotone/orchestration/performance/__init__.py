"""Predicts times, energy and memory of components on nodes that were not measured; called by placement and reports.

Names are imported when they are first used: whoever only reads a samples file does not pay for numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecotone.orchestration.performance._bounds import IdleTimes
    from ecotone.orchestration.performance._queueing import TimingModel, predict_paths
    from ecotone.orchestration.performance._routes import ancestors, fusable
    from ecotone.orchestration.performance._scaling import SampledModel, sampled_model
    from ecotone.orchestration.performance.interface import (
        OVERHEADS,
        ComponentTiming,
        Estimate,
        Flow,
        Outputs,
        Overheads,
        PathTiming,
        PerformanceModel,
        ServiceSamples,
        StageTiming,
        Timing,
    )
    from ecotone.orchestration.performance.samples import Samples, VariantSamples, read_samples, write_samples

__all__ = [
    "OVERHEADS",
    "ComponentTiming",
    "Estimate",
    "Flow",
    "IdleTimes",
    "Outputs",
    "Overheads",
    "PathTiming",
    "PerformanceModel",
    "SampledModel",
    "Samples",
    "ServiceSamples",
    "StageTiming",
    "Timing",
    "TimingModel",
    "VariantSamples",
    "ancestors",
    "fusable",
    "predict_paths",
    "read_samples",
    "sampled_model",
    "write_samples",
]

_HOMES = {
    "IdleTimes": "_bounds",
    "ancestors": "_routes",
    "fusable": "_routes",
    "TimingModel": "_queueing",
    "predict_paths": "_queueing",
    "SampledModel": "_scaling",
    "sampled_model": "_scaling",
    "Samples": "samples",
    "VariantSamples": "samples",
    "read_samples": "samples",
    "write_samples": "samples",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'interface')}"), name)
