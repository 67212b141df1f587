"""Profiling: every component and variant of an application, run on real inputs, measured, and kept in a file.

Called by the session: `needed` tells what is not measured yet, `profile` measures it, `machine_score` compares
machines. User code runs in processes of its own (`python -m ecotone.design.profiling`); this package never imports it.
"""

from __future__ import annotations

from ecotone.design.profiling._keys import variant_keys
from ecotone.design.profiling._profile import needed, profile
from ecotone.design.profiling._score import machine_name, machine_score
from ecotone.design.profiling.interface import Limits, Progress

__all__ = ["Limits", "Progress", "machine_name", "machine_score", "needed", "profile", "variant_keys"]
