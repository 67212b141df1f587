"""Networks in ONNX format, operator by operator: described without running them, and measured on this machine.

Called by the session, for `ecotone performance network`, and by benchmarks. Needs the extra `onnx`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.design.networks._describe import Prepared, describe, prepare, runtime
    from ecotone.design.networks._measure import (
        Run,
        measure,
        random_inputs,
        time_runs,
        undisturbed,
        waited_s,
        whole_run,
    )

__all__ = [
    "Prepared",
    "Run",
    "describe",
    "measure",
    "prepare",
    "random_inputs",
    "runtime",
    "time_runs",
    "undisturbed",
    "waited_s",
    "whole_run",
]

__getattr__ = lazy_names(
    __name__,
    {
        "._describe": ("Prepared", "describe", "prepare", "runtime"),
        "._measure": ("Run", "measure", "random_inputs", "time_runs", "undisturbed", "waited_s", "whole_run"),
    },
)
