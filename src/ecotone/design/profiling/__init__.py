"""Profiling: every component and variant of an application, run on real inputs, measured, and kept in a file.

Called by the session: `needed` tells what is not measured yet, `profile` measures it, `explore` measures the
configurations that teach the most and learns models, `foresee` asks these models, `machine_score` compares machines.
User code runs in processes of its own (`python -m ecotone.design.profiling`); this package never imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.design.profiling._explore import explore
    from ecotone.design.profiling._foresee import foresee
    from ecotone.design.profiling._keys import variant_keys
    from ecotone.design.profiling._profile import needed, profile
    from ecotone.design.profiling._score import machine_name, machine_score
    from ecotone.design.profiling.interface import Explored, ExploredRun, Limits, Progress

__all__ = [
    "Explored",
    "ExploredRun",
    "Limits",
    "Progress",
    "explore",
    "foresee",
    "machine_name",
    "machine_score",
    "needed",
    "profile",
    "variant_keys",
]

__getattr__ = lazy_names(
    __name__,
    {
        "._explore": ("explore",),
        "._foresee": ("foresee",),
        "._keys": ("variant_keys",),
        "._profile": ("needed", "profile"),
        "._score": ("machine_name", "machine_score"),
        ".interface": ("Explored", "ExploredRun", "Limits", "Progress"),
    },
)
