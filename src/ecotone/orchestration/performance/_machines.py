"""How much longer a call computes on a node type than on the machine that was measured, and how sure that is.

From the calibrations of the two where there are both, else from `speed`. A calibration has a rate for each kind of
work; profiling knows which shares of a call are interpreted, native and in the kernel, but not which native work it
is. So the time there is the sum over these three of the share times the median of its kinds' ratios, and the interval
reaches from the least ratio of each to the largest. Plain arithmetic; called by the sampled model.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import msgspec

from ecotone.orchestration.performance.interface import Z90
from ecotone.orchestration.performance.samples import WorkMix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecotone.core.calibration import Calibration
    from ecotone.core.continuum import NodeType

__all__ = ["Slowdown", "is_like", "slowdown"]

_PER_LOG_SPEED = 0.10
"""Single-thread scores predict other code to about 7 % for a factor of two in speed."""
_SUPPORTED_SPEED = 4.0
_SUPPORTED_HALF_WIDTH = 0.3
_INTERPRETED = ("python", "objects", "arrays")
_NATIVE = ("memory", "matmul", "convolution", "hash", "codec")
_SYSTEM = ("system",)
_LIKE = 0.15
_LIKE_SPEED = 0.05
_LIKE_POWER = 2.0


class Slowdown(msgspec.Struct, frozen=True, kw_only=True):
    """`factor` of computing time; `error`: standard error of its logarithm; `least_reach`: how far, in logarithms, an
    interval reaches before anything else is uncertain; `supported`: whether that is little."""

    factor: float
    error: float
    least_reach: float = 0.0
    supported: bool


def slowdown(node: NodeType, here: Calibration | None, mix: WorkMix | None) -> Slowdown:
    """Of a call with this mix of work; None: nothing is known of it, so that it may be any."""
    ratios = {} if node.calibration is None or here is None else _ratios(node.calibration, here)
    if not ratios:
        error = _PER_LOG_SPEED * abs(math.log(node.speed))
        supported = max(node.speed, 1.0 / node.speed) <= _SUPPORTED_SPEED
        return Slowdown(factor=1.0 / node.speed, error=error, supported=supported)
    every = [ratios[kind] for kind in (*_INTERPRETED, *_NATIVE) if kind in ratios] or list(ratios.values())
    if mix is None:
        parts = [(1.0, every)]
    else:
        shares = ((mix.interpreted, _INTERPRETED), (mix.native, _NATIVE), (mix.system, _SYSTEM))
        parts = [(share, _of(ratios, kinds) or every) for share, kinds in shares]
    total = sum(share for share, _ in parts)
    factor, low, high = (
        sum(share * of(times) for share, times in parts) / total for of in (statistics.median, min, max)
    )
    noise = max(_spread(each, kind) for each in (node.calibration, here) for kind in ratios if each is not None)
    reach = max(math.log(high / factor), math.log(factor / low))
    supported = (high - low) / 2 / factor <= _SUPPORTED_HALF_WIDTH
    return Slowdown(factor=factor, error=math.hypot(reach / Z90, noise), least_reach=reach, supported=supported)


def is_like(node: NodeType, machine: str, here: Calibration | None, core_w: float) -> bool:
    """Whether joules that were measured on `machine` are those of this node type, too.

    With calibrations: it is named as the same machine, and no kind of work differs by more than 15 %. Without: its
    speed is that of the machine within 5 %, and a busy core takes by its declared power, if any is declared, not more
    than twice or less than half of what was measured.

    Args:
        core_w: power of a busy core above idle that was measured.
    """
    if node.calibration is not None:
        ratios = {} if here is None else _ratios(node.calibration, here)
        return node.calibration.machine == machine and all(abs(math.log(ratio)) <= _LIKE for ratio in ratios.values())
    declared_w = node.power.per_core_w(node.cores)
    agrees = declared_w <= 0 or core_w <= 0 or 1 / _LIKE_POWER <= declared_w / core_w <= _LIKE_POWER
    return abs(math.log(node.speed)) <= _LIKE_SPEED and agrees


def _ratios(there: Calibration, here: Calibration) -> dict[str, float]:
    """How much longer each kind of work takes there."""
    return {kind: here.rates[kind].value / rate.value for kind, rate in there.rates.items() if kind in here.rates}


def _of(ratios: dict[str, float], kinds: Iterable[str]) -> list[float]:
    return [ratios[kind] for kind in kinds if kind in ratios]


def _spread(calibration: Calibration, kind: str) -> float:
    """Standard error of a rate's median, about."""
    rate = calibration.rates[kind]
    return rate.spread / Z90 / math.sqrt(rate.repeats)
