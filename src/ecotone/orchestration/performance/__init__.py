"""Predicts times, energy and memory of components on nodes that were not measured; called by placement and reports.

Names are imported when they are first used: whoever only reads a samples file does not pay for numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

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

__getattr__ = lazy_names(
    __name__,
    {
        "._bounds": ("IdleTimes",),
        "._queueing": ("TimingModel", "predict_paths"),
        "._routes": ("ancestors", "fusable"),
        "._scaling": ("SampledModel", "sampled_model"),
        ".interface": (
            "OVERHEADS",
            "ComponentTiming",
            "Estimate",
            "Flow",
            "Outputs",
            "Overheads",
            "PathTiming",
            "PerformanceModel",
            "ServiceSamples",
            "StageTiming",
            "Timing",
        ),
        ".samples": ("Samples", "VariantSamples", "read_samples", "write_samples"),
    },
)
