"""What a call takes with a number of cores: as it was measured, or by Amdahl's law from the counts that were.

Called by the sampled model. Where a count was not measured, elapsed time is `serial + parallel / cores`, fitted to the
means at the counts that were (both parts at least 0, errors relative), and CPU time is `work + extra * cores`, since
threads that wait for each other spin. From a single count nothing can be fitted: then more cores are taken to bring
nothing, and fewer to cost as much as if all of the work were parallel. Neither is ever better than what is known.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.performance.samples import VariantSamples

__all__ = ["AtCores", "at_cores"]

_PER_DOUBLING = 0.10
"""Standard error of what the law says of twice as many cores, or half as many, beyond any that was measured."""
_BETWEEN = 0.05
"""Of what it says between two counts that were measured."""

Point = tuple[int, float]
"""A number of cores, and mean seconds with it."""


class AtCores(msgspec.Struct, frozen=True, kw_only=True):
    """Calls with so many cores: CPU time of all threads together, and elapsed time.

    Attributes:
        cores: the count.
        memory_peak_bytes: as `VariantSamples` has it.
        counts: those that were measured.
        extrapolated: this one was not.
        error: standard error of the law, as a share; 0 where it was measured.
    """

    cores: int
    cpu_s: Floats
    wall_s: Floats
    memory_peak_bytes: float
    counts: tuple[int, ...]
    extrapolated: bool = False
    error: float = 0.0


def at_cores(found: VariantSamples, cores: int) -> AtCores:
    """What is known of a variant with so many cores, for each replica (of a cell: for each of its ranks)."""
    known = {
        found.cores: (found.cpu_s, found.wall_s, found.memory_peak_bytes),
        **{each.cores: (each.cpu_s, each.wall_s, each.memory_peak_bytes) for each in found.by_cores},
    }
    counts = tuple(sorted(known))
    nearest = min(counts, key=lambda count: (abs(math.log(count / cores)), -count))
    cpu, wall = (numpy.asarray(each, dtype=numpy.float64) for each in known[nearest][:2])
    if nearest == cores:
        return AtCores(cores=cores, cpu_s=cpu, wall_s=wall, memory_peak_bytes=known[cores][2], counts=counts)
    walls = [(count, float(numpy.mean(known[count][1]))) for count in counts]
    cpus = [(count, float(numpy.mean(known[count][0]))) for count in counts]
    elapsed, residual = _elapsed(walls, cores)
    longer = elapsed / float(wall.mean()) if wall.mean() > 0 else 1.0
    more = _cpu(cpus, cores) / float(cpu.mean()) if cpu.mean() > 0 else 1.0
    memory = max(known[count][2] for count in counts if count <= max(cores, nearest))
    return AtCores(
        cores=cores,
        cpu_s=cpu * more,
        wall_s=wall * longer,
        memory_peak_bytes=memory * max(1.0, cores / max(counts)),
        counts=counts,
        extrapolated=True,
        error=math.hypot(residual, _distance(counts, cores)),
    )


def _elapsed(points: Sequence[Point], cores: int) -> tuple[float, float]:
    """Mean elapsed seconds, and the relative root mean square of what the law leaves unexplained."""
    if len(points) == 1:
        count, mean_s = points[0]
        return mean_s * max(1.0, count / cores), 0.0
    serial, parallel = _fitted(points, -1)
    left = [(serial + parallel / count) / mean_s - 1.0 for count, mean_s in points if mean_s > 0]
    residual = math.sqrt(sum(each * each for each in left) / len(left)) if left else 0.0
    return serial + parallel / cores, residual


def _cpu(points: Sequence[Point], cores: int) -> float:
    if len(points) == 1:
        return points[0][1]
    work, extra = _fitted(points, 1)
    return work + extra * cores


def _fitted(points: Sequence[Point], power: int) -> tuple[float, float]:
    """The two parts a, b >= 0 of a + b * cores ** power that are nearest to the points, relative to each."""
    usable = [(count, mean_s) for count, mean_s in points if mean_s > 0]
    if not usable:
        return 0.0, 0.0
    ones = numpy.asarray([1.0 / mean_s for _, mean_s in usable])
    grows = numpy.asarray([float(count) ** power / mean_s for count, mean_s in usable])
    wanted = numpy.ones(len(usable))
    (a, b), *_ = numpy.linalg.lstsq(numpy.stack([ones, grows], axis=1), wanted, rcond=None)
    if a >= 0 and b >= 0:
        return float(a), float(b)
    column = ones if b < 0 else grows
    only = float(column @ wanted / (column @ column))
    return (only, 0.0) if b < 0 else (0.0, only)


def _distance(counts: Sequence[int], cores: int) -> float:
    if counts[0] < cores < counts[-1]:
        return _BETWEEN
    return _PER_DOUBLING * min(abs(math.log2(cores / count)) for count in counts)
