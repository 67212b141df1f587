"""The shapes that predictions are made of, as open data: each gives the logarithm of a positive figure.

A shape reads `z`, one row per question, one column per feature, after the model's own transformations (mostly
logarithms). Shapes add up: a sum of monomials, say, and trees for what it leaves over. Evaluated with numpy alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy

if TYPE_CHECKING:
    from ecotone.orchestration.performance.interface import Floats

__all__ = ["Form", "Kernel", "Posynomial", "Process", "Tree", "Trees", "matern52"]

_SQRT5 = math.sqrt(5.0)
Row = tuple[float, ...]


class _Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Posynomial(_Form, frozen=True, kw_only=True, tag="posynomial"):
    """A sum of monomials: log sum_k exp(offsets[k] + exponents[k] . (z - centre)).

    With one term it is a power law; with whole exponents it has Ernest's shape. Where `z` are logarithms it is a
    posynomial, as parts of a run that follow each other add up (Hoburg, Kirschen, Abbeel 2016 fit the same shape).
    """

    centre: Row
    offsets: Row
    exponents: tuple[Row, ...]

    def predict(self, z: Floats) -> Floats:
        """(rows,) logarithms for (rows, features)."""
        terms = numpy.asarray(self.offsets) + (z - numpy.asarray(self.centre)) @ numpy.asarray(self.exponents).T
        most = terms.max(axis=1)
        return most + numpy.log(numpy.exp(terms - most[:, None]).sum(axis=1))


class Kernel(_Form, frozen=True, kw_only=True):
    """How alike two configurations are: level and trend shared by all, and effects of single features and of sets of
    them, larger sets with smaller weights (an ANOVA kernel; Durrande et al. 2013).

    covariance = level_sd^2 + exponent_sd^2 a.b + amplitude^2 (prod_j (1 + effects_j matern52(|a_j - b_j| / lengths_j))
    - 1) with `a`, `b` centred.
    """

    centre: Row
    lengths: Row
    effects: Row
    amplitude: float
    level_sd: float
    exponent_sd: float

    def covariance(self, a: Floats, b: Floats) -> Floats:
        """(rows of a, rows of b)."""
        product = numpy.ones((len(a), len(b)))
        for j, (length, effect) in enumerate(zip(self.lengths, self.effects, strict=True)):
            # Tables of runs have few values per feature: each pair of values is compared once.
            u, i = numpy.unique(a[:, j], return_inverse=True)
            v, k = numpy.unique(b[:, j], return_inverse=True)
            factor = 1.0 + effect * matern52(numpy.abs(u[:, None] - v[None, :]) / length)
            product *= factor[i[:, None], k[None, :]]
        centre = numpy.asarray(self.centre)
        trend = self.level_sd**2 + self.exponent_sd**2 * ((a - centre) @ (b - centre).T)
        return trend + self.amplitude**2 * (product - 1.0)

    def variance(self, a: Floats) -> Floats:
        """The diagonal of `covariance(a, a)`."""
        product = float(numpy.prod(1.0 + numpy.asarray(self.effects)))
        trend = self.level_sd**2 + self.exponent_sd**2 * ((a - numpy.asarray(self.centre)) ** 2).sum(axis=1)
        return trend + self.amplitude**2 * (product - 1.0)


class Process(_Form, frozen=True, kw_only=True, tag="process"):
    """The mean of a Gaussian process: level + covariance with what was measured, times weights."""

    kernel: Kernel
    level: float
    points: tuple[Row, ...]
    weights: Row

    def predict(self, z: Floats) -> Floats:
        """(rows,) logarithms for (rows, features)."""
        points = numpy.asarray(self.points)
        return self.level + self.kernel.covariance(z, points) @ numpy.asarray(self.weights)


class Tree(_Form, frozen=True, kw_only=True):
    """A binary tree by node number, the root first: an inner node goes left where z[feature] <= threshold; a node whose
    feature is -1 is a leaf with a value."""

    feature: tuple[int, ...]
    threshold: Row
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: Row


class Trees(_Form, frozen=True, kw_only=True, tag="trees"):
    """The sum of boosted trees, on features rounded to single precision."""

    trees: tuple[Tree, ...]

    def predict(self, z: Floats) -> Floats:
        """(rows,) logarithms for (rows, features)."""
        rounded = numpy.asarray(z, dtype=numpy.float32)
        total = numpy.zeros(len(rounded))
        rows = numpy.arange(len(rounded))
        for tree in self.trees:
            feature, threshold = numpy.asarray(tree.feature), numpy.asarray(tree.threshold)
            left, right = numpy.asarray(tree.left), numpy.asarray(tree.right)
            node = numpy.zeros(len(rounded), dtype=numpy.int64)
            while numpy.any(inner := feature[node] >= 0):
                here = node[inner]
                goes_left = rounded[rows[inner], feature[here]] <= threshold[here]
                node[inner] = numpy.where(goes_left, left[here], right[here])
            total += numpy.asarray(tree.value)[node]
        return total


Form = Posynomial | Process | Trees


def matern52(distance: Floats) -> Floats:
    """Correlation at a distance in length scales."""
    return (1.0 + _SQRT5 * distance + 5.0 / 3.0 * distance**2) * numpy.exp(-_SQRT5 * distance)
