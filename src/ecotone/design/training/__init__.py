"""Steps of training with PyTorch: described by their figures, and measured. Needs the extra `train`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.design.training._steps import describe_step, measure_step

__all__ = ["describe_step", "measure_step"]

__getattr__ = lazy_names(__name__, {"._steps": ("describe_step", "measure_step")})
