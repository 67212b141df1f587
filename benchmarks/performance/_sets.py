"""The public measurements that performance models are judged on, and how they are split."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy

from ecotone.orchestration.performance.learner import Table, read_table

__all__ = ["Split", "TableOfRuns", "floor", "inside", "mape", "tables"]

DATA = Path(os.environ.get("ECOTONE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "performance"
GPU_TARGET = "overall execution time(31)"
LOWEST = 0.6
"""The share of a column's values that is learnt from when extrapolating."""


class TableOfRuns(NamedTuple):
    name: str
    table: Table
    target: str

    @property
    def is_gpu(self) -> bool:
        return self.target == GPU_TARGET


class Split(NamedTuple):
    """`learnt` is a mask of rows; `column` is the one that is extrapolated, or how the rows were drawn."""

    runs: TableOfRuns
    column: str
    learnt: numpy.ndarray

    @property
    def train(self) -> Table:
        return self.runs.table.rows(self.learnt)

    @property
    def test(self) -> Table:
        return self.runs.table.rows(~self.learnt)

    @property
    def truth(self) -> numpy.ndarray:
        return self.test.column(self.runs.target)

    def arrays(self) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
        """Features and target to learn from, features to predict: for peers that know no tables."""
        names = [
            name for name in self.runs.table.names if name != self.runs.target and _varies(self.train.column(name))
        ]
        return self.train.only(names).values, self.train.column(self.runs.target), self.test.only(names).values


def tables() -> list[TableOfRuns]:
    """Four sets of GPU training, stereo matching, and Spark k-means by data size and containers.

    Raises SystemExit with the reason when they are not there.
    """
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there; name the folder that holds data/ in ECOTONE_SHARED")
    found = [TableOfRuns(path.stem, read_table(path), GPU_TARGET) for path in sorted((DATA / "gpu").glob("*.csv"))]
    found.append(TableOfRuns("stereomatch", read_table(DATA / "stereomatch.csv"), "exec_time_ms"))
    spark = ["applicationCompletionTime", "dataSize", "nContainers"]
    found.append(TableOfRuns("spark_kmeans", read_table(DATA / "spark_kmeans.csv", columns=spark), spark[0]))
    return found


def inside(runs: TableOfRuns, seed: int) -> Split:
    """Four fifths of the rows at random."""
    rows = len(runs.table)
    order = numpy.random.default_rng(seed).permutation(rows)
    learnt = numpy.ones(rows, dtype=bool)
    learnt[order[: rows // 5]] = False
    return Split(runs, f"seed {seed}", learnt)


def beyond(runs: TableOfRuns) -> list[Split]:
    """For each column that varies: the rows with the lowest 60 % of its values."""
    splits = []
    for column in runs.table.names:
        values = runs.table.column(column)
        levels = numpy.unique(values)
        if column == runs.target or len(levels) < 2:
            continue
        kept = min(len(levels) - 1, max(1, round(LOWEST * len(levels))))
        splits.append(Split(runs, column, values <= levels[kept - 1]))
    return splits


def mape(predicted: numpy.ndarray, truth: numpy.ndarray) -> float:
    return float(numpy.mean(numpy.abs(predicted / truth - 1)))


def floor(runs: TableOfRuns) -> float:
    """The error of the median of each configuration: repeats differ by this much, whatever predicts."""
    names = [name for name in runs.table.names if name != runs.target]
    _, place = numpy.unique(runs.table.only(names).values, axis=0, return_inverse=True)
    truth = runs.table.column(runs.target)
    medians = numpy.array([numpy.median(truth[place.ravel() == each]) for each in range(place.max() + 1)])
    return mape(medians[place.ravel()], truth)


def _varies(values: numpy.ndarray) -> bool:
    return bool(values.min() < values.max())
