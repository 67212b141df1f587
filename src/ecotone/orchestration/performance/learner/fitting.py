"""Fits the shapes of `forms` to runs. Called by `learn`; needs the extra `performance` (scipy, LightGBM).

Everywhere: `z` (runs, features), `logs` (runs,) of the figure, repeats of a configuration already merged unless said.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy

from ecotone.core.errors import MissingExtraError, UnavailableError
from ecotone.orchestration.performance.learner._scipy import least_squares, nnls
from ecotone.orchestration.performance.learner.forms import Form, Posynomial, Tree, Trees
from ecotone.orchestration.performance.learner.process import LogProcess, Prior

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.orchestration.performance.interface import Floats

__all__ = ["Boosting", "Runs", "fit_monomials", "fit_posynomial", "fit_process", "fit_trees", "merged"]

_PROCESS_RUNS_MAX = 2000
_PROCESS_REFINED_MAX = 200
_POSYNOMIAL_RUNS_MAX = 600
_STARTS = 4
_SHRINKAGE = 0.02
"""Pull of every term's exponents towards those of the plain power law, relative to the misfit."""
_MONOMIAL_FEATURES = 3
_TREES_MIN_RUNS = 40


class Runs(NamedTuple):
    """Distinct configurations with the mean of their logarithms, and how many runs each mean is of."""

    z: Floats
    logs: Floats
    repeats: Floats

    def some(self, count_max: int, seed: int = 0) -> Runs:
        """At most so many configurations, drawn at random."""
        if len(self.logs) <= count_max:
            return self
        chosen = numpy.sort(numpy.random.default_rng(seed).permutation(len(self.logs))[:count_max])
        return Runs(self.z[chosen], self.logs[chosen], self.repeats[chosen])


class Boosting(NamedTuple):
    """How many trees, how much of each counts, and how many leaves each has."""

    rounds: int
    rate: float
    leaves: int


def merged(z: Floats, logs: Floats) -> Runs:
    """Repeats of a configuration become one."""
    distinct, place = numpy.unique(z, axis=0, return_inverse=True)
    place = place.ravel()
    repeats = numpy.bincount(place).astype(numpy.float64)
    return Runs(distinct, numpy.bincount(place, logs) / repeats, repeats)


def fit_process(runs: Runs, prior: Prior, low: Floats, high: Floats) -> Form:
    """The mean of a Gaussian process; see `process`."""
    process = LogProcess(low, high, prior)
    few, most = runs.some(_PROCESS_REFINED_MAX), runs.some(_PROCESS_RUNS_MAX)
    process.refine(*few)
    process.condition(*most)
    return process.form()


def fit_posynomial(runs: Runs, terms: int) -> Posynomial:
    """A sum of `terms` monomials with real exponents, by least squares on logarithms from several starts.

    Exponents are drawn to those of the power law with ridge `_SHRINKAGE`; with one term it is that law.
    """
    few = runs.some(_POSYNOMIAL_RUNS_MAX)
    centre = runs.z.mean(axis=0)
    z, level = few.z - centre, float(few.logs.mean())
    logs, d = few.logs - level, few.z.shape[1]
    pull = _SHRINKAGE * numpy.sqrt(len(logs))
    ridge = numpy.vstack([numpy.c_[numpy.ones(len(logs)), z], numpy.c_[numpy.zeros(d), pull * numpy.eye(d)]])
    law = numpy.linalg.lstsq(ridge, numpy.r_[logs, numpy.zeros(d)], rcond=None)[0]
    if terms == 1:
        return Posynomial(centre=_row(centre), offsets=(float(law[0]) + level,), exponents=(_row(law[1:]),))

    def misfit(flat: Floats) -> Floats:
        terms_of = flat.reshape(terms, d + 1)
        each = terms_of[:, :1] + terms_of[:, 1:] @ z.T
        most = each.max(axis=0)
        fitted = most + numpy.log(numpy.exp(each - most).sum(axis=0))
        return numpy.concatenate([fitted - logs, pull * (terms_of[:, 1:] - law[1:]).ravel()])

    def slopes(flat: Floats) -> Floats:
        terms_of = flat.reshape(terms, d + 1)
        each = terms_of[:, :1] + terms_of[:, 1:] @ z.T
        share = numpy.exp(each - each.max(axis=0))
        share /= share.sum(axis=0)
        of_fit = numpy.concatenate([share[:, :, None], share[:, :, None] * z[None]], axis=2)
        of_pull = numpy.kron(numpy.eye(terms), numpy.c_[numpy.zeros(d), pull * numpy.eye(d)])
        return numpy.concatenate([of_fit.transpose(1, 0, 2).reshape(len(logs), -1), of_pull])

    random = numpy.random.default_rng(0)
    best = None
    for _ in range(_STARTS):
        start = numpy.tile(law, (terms, 1))
        start[:, 0] += random.normal(0.0, 0.3, terms) - numpy.log(terms)
        start[:, 1:] += random.normal(0.0, 0.5, (terms, d))
        found = least_squares(misfit, start.ravel(), slopes, max_nfev=60)  # pyright: ignore[reportArgumentType] - a callable
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    flat = best.x.reshape(terms, d + 1)
    exponents = tuple(_row(each) for each in flat[:, 1:])
    return Posynomial(centre=_row(centre), offsets=_row(flat[:, 0] + level), exponents=exponents)


def fit_monomials(runs: Runs) -> Posynomial:
    """A sum with coefficients of at least zero of products and ratios of up to three features: the smallest relative
    misfit (Ernest, Venkataraman et al. 2016, with more terms)."""
    centre = runs.z.mean(axis=0)
    d = len(centre)
    exponents = [numpy.zeros(d)]
    for size in range(1, min(_MONOMIAL_FEATURES, d) + 1):
        for chosen in itertools.combinations(range(d), size):
            for signs in itertools.product((-1.0, 1.0), repeat=size):
                each = numpy.zeros(d)
                each[list(chosen)] = signs
                exponents.append(each)
    shapes = numpy.array(exponents)
    scaled = numpy.exp((runs.z - centre) @ shapes.T - runs.logs[:, None])
    weights = numpy.sqrt(runs.repeats)
    coefficients, _ = nnls(scaled * weights[:, None], weights, maxiter=50 * len(shapes))
    used = coefficients > 0
    return Posynomial(
        centre=_row(centre),
        offsets=_row(numpy.log(coefficients[used])),
        exponents=tuple(_row(each) for each in shapes[used]),
    )


def fit_trees(z: Floats, logs: Floats, boosting: Boosting) -> Form | None:
    """Gradient boosting of every single run; None for fewer runs than trees can say anything about."""
    if len(logs) < _TREES_MIN_RUNS:
        return None
    try:
        import lightgbm  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("lightgbm", "performance") from None
    except OSError as error:
        raise UnavailableError(f"lightgbm does not load: {error}; is libgomp installed (Debian: libgomp1)?") from None
    settings = {
        "objective": "regression",
        "learning_rate": boosting.rate,
        "num_leaves": boosting.leaves,
        "min_data_in_leaf": 3,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "verbose": -1,
        "num_threads": 1,  # on tables this small, threads wait for each other: 2.5 to 6 times as long with two
        "seed": 0,
        "deterministic": True,
    }
    rounded = numpy.asarray(z, dtype=numpy.float32).astype(numpy.float64)
    booster = lightgbm.train(settings, lightgbm.Dataset(rounded, logs), num_boost_round=boosting.rounds)
    return Trees(trees=tuple(_tree(each["tree_structure"]) for each in booster.dump_model()["tree_info"]))


def _tree(root: dict[str, object]) -> Tree:
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    value: list[float] = []

    def add(node: dict[str, object]) -> int:
        place = len(feature)
        is_leaf = "leaf_value" in node
        feature.append(-1 if is_leaf else _integer(node["split_feature"]))
        threshold.append(0.0 if is_leaf else _real(node["threshold"]))
        value.append(_real(node["leaf_value"]) if is_leaf else 0.0)
        left.append(0)
        right.append(0)
        if not is_leaf:
            left[place] = add(_node(node["left_child"]))
            right[place] = add(_node(node["right_child"]))
        return place

    add(root)
    return Tree(
        feature=tuple(feature), threshold=tuple(threshold), left=tuple(left), right=tuple(right), value=tuple(value)
    )


def _node(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value


def _real(value: object) -> float:
    assert isinstance(value, (int, float))
    return float(value)


def _row(values: Floats | Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
