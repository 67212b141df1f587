"""Tables of runs whose law is known, for tests of performance models."""

from __future__ import annotations

import numpy

from ecotone.orchestration.performance.learner.table import Table

__all__ = ["amdahl", "amdahl_runs", "law_runs", "write_runs"]


def amdahl(batch, cores):
    """Seconds: a start, and work of which a tenth does not share."""
    return 0.05 + 0.002 * batch * (0.1 + 0.9 / cores)


def amdahl_runs(batches, cores=(1, 2, 3, 4, 6, 8), noise=0.01, repeats=1, seed=0):
    """Every batch on every number of cores."""
    random = numpy.random.default_rng(seed)
    grid = numpy.array([(b, c) for b in batches for c in cores for _ in range(repeats)], dtype=float)
    seconds = amdahl(grid[:, 0], grid[:, 1]) * numpy.exp(noise * random.normal(size=len(grid)))
    return Table(("batch", "cores", "seconds"), numpy.c_[grid, seconds])


def law_runs(rows, noise=0.05, seed=0):
    """x and y uniform, a smooth law of them."""
    random = numpy.random.default_rng(seed)
    x, y = random.uniform(1, 10, rows), random.uniform(1, 10, rows)
    figure = (x**1.2 + 3 * y) * numpy.exp(noise * random.normal(size=rows))
    return Table(("x", "y", "figure"), numpy.c_[x, y, figure])


def write_runs(path, table):
    """As CSV."""
    lines = [",".join(table.names), *(",".join(f"{cell:.9g}" for cell in row) for row in table.values)]
    path.write_text("\n".join(lines) + "\n")
    return path
