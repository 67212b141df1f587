"""The families of models that compete, and how each is fitted. Called by `learn`.

Every family is a sum of forms: a shape that can be carried beyond the data, and what it leaves over. Shapes are shared:
the posynomial of two terms is fitted once for the families that build on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

from ecotone.orchestration.performance.learner._scipy import one_thread
from ecotone.orchestration.performance.learner.fitting import (
    Boosting,
    Runs,
    fit_monomials,
    fit_posynomial,
    fit_process,
    fit_trees,
    merged,
)
from ecotone.orchestration.performance.learner.process import Prior

if TYPE_CHECKING:
    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.performance.learner.forms import Form

__all__ = ["EXTRAPOLATING", "FEW", "FEW_EXTRAPOLATING", "INTERPOLATING", "PHYSICAL", "Fitter", "predicted", "shape_of"]

POWER = "power law + process"
TWO = "posynomial of 2 + process"
THREE = "posynomial of 3 + process"
PROCESS = "process"
PHYSICAL: tuple[str, ...] = (TWO, POWER, THREE)
"""Taken together where validation cannot choose."""
EXTRAPOLATING = (*PHYSICAL, PROCESS, "monomials", "posynomial of 2", "posynomial of 3", "posynomial of 2 + trees")
INTERPOLATING = (PROCESS, TWO, THREE, "trees", "posynomial of 2 + trees")
FEW = (PROCESS, POWER, TWO, "power law", "posynomial of 2")
"""For fewer runs than trees can say anything about."""

FEW_EXTRAPOLATING = (*FEW, "monomials")

_ALONE = Prior()
_LEFT_OVER = Prior(exponent_sd=0.1)
_TREES_ALONE = Boosting(rounds=500, rate=0.05, leaves=31)
_TREES_AFTER = Boosting(rounds=200, rate=0.06, leaves=15)


class Fitter:
    """Fits families to one set of runs."""

    def __init__(self, z: Floats, logs: Floats) -> None:
        """Args: z: (runs, features); logs: (runs,)."""
        self._z, self._logs = z, logs
        self._runs = merged(z, logs)
        self._low, self._high = z.min(axis=0), z.max(axis=0)
        self._shapes: dict[str, Form] = {}

    def fit(self, family: str) -> tuple[Form, ...] | None:
        """The forms whose sum is the family's answer; None where there are too few runs for it."""
        with one_thread():
            return self._fit(family)

    def _fit(self, family: str) -> tuple[Form, ...] | None:
        shape_name, _, rest = family.partition(" + ")
        if shape_name == "process":
            return (fit_process(self._runs, _ALONE, self._low, self._high),)
        if shape_name == "trees":
            trees = fit_trees(self._z, self._logs, _TREES_ALONE)
            return None if trees is None else (trees,)
        shape = self._shape(shape_name)
        if not rest:
            return (shape,)
        if rest == "process":
            left = self._runs.logs - shape.predict(self._runs.z)
            runs = Runs(self._runs.z, left, self._runs.repeats)
            return (shape, fit_process(runs, _LEFT_OVER, self._low, self._high))
        trees = fit_trees(self._z, self._logs - shape.predict(self._z), _TREES_AFTER)
        return None if trees is None else (shape, trees)

    def _shape(self, name: str) -> Form:
        if name not in self._shapes:
            terms = {"power law": 1, "posynomial of 2": 2, "posynomial of 3": 3}
            if name == "monomials":
                self._shapes[name] = fit_monomials(self._runs)
            else:
                self._shapes[name] = fit_posynomial(self._runs, terms[name])
        return self._shapes[name]


def shape_of(family: str) -> str:
    """The family of its shape alone; of a process, whose trend is a power law, that."""
    shape = family.partition(" + ")[0]
    return "power law" if shape == PROCESS else shape


def predicted(forms: tuple[Form, ...], z: Floats) -> Floats:
    """Logarithms of the figure."""
    return numpy.sum([form.predict(z) for form in forms], axis=0)
