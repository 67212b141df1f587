"""The techniques of aMLLibrary, each with a grid searched by five-fold cross-validation on the relative error."""

from __future__ import annotations

from typing import Any

import numpy
from scipy.optimize import nnls
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor
from xgboost import XGBRegressor

__all__ = ["TECHNIQUES", "predictions"]


def _with_inverse(x: numpy.ndarray) -> numpy.ndarray:
    return numpy.c_[x, 1 / x]


class RidgeWithProducts(RegressorMixin, BaseEstimator):
    """Ridge regression on features, their inverses, and products of two."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, x: numpy.ndarray, y: numpy.ndarray) -> RidgeWithProducts:
        products = PolynomialFeatures(2, include_bias=False)
        self.model_ = make_pipeline(StandardScaler(), products, StandardScaler(), Ridge(self.alpha))
        self.model_.fit(_with_inverse(x), y)
        return self

    def predict(self, x: numpy.ndarray) -> numpy.ndarray:
        return self.model_.predict(_with_inverse(x))


class Ernest(RegressorMixin, BaseEstimator):
    """Non-negative least squares on features, inverses and products."""

    def __init__(self, degree: int = 2) -> None:
        self.degree = degree

    def fit(self, x: numpy.ndarray, y: numpy.ndarray) -> Ernest:
        self.scale_ = numpy.abs(_with_inverse(x)).mean(axis=0)
        self.coefficients_, _ = nnls(self._shapes(x), y, maxiter=50_000)
        return self

    def predict(self, x: numpy.ndarray) -> numpy.ndarray:
        return self._shapes(x) @ self.coefficients_

    def _shapes(self, x: numpy.ndarray) -> numpy.ndarray:
        return PolynomialFeatures(self.degree).fit_transform(_with_inverse(x) / self.scale_)


TECHNIQUES: dict[str, tuple[Any, dict[str, list[Any]]]] = {
    "ridge": (RidgeWithProducts(), {"alpha": [0.001, 0.01, 0.1, 1, 10]}),
    "tree": (DecisionTreeRegressor(random_state=0), {"max_depth": [3, 6, 10, None], "min_samples_leaf": [1, 3]}),
    "forest": (
        RandomForestRegressor(random_state=0, n_jobs=2),
        {"n_estimators": [100], "max_depth": [6, None], "min_samples_leaf": [1, 3]},
    ),
    "xgboost": (
        XGBRegressor(random_state=0, n_jobs=2),
        {"n_estimators": [100, 300], "learning_rate": [0.05, 0.1, 0.3], "max_depth": [3, 6]},
    ),
    "svr": (
        TransformedTargetRegressor(make_pipeline(StandardScaler(), SVR()), transformer=StandardScaler()),
        {"regressor__svr__C": [1, 10, 100], "regressor__svr__epsilon": [0.01, 0.1], "regressor__svr__gamma": ["scale"]},
    ),
    "nnls": (Ernest(), {"degree": [1, 2]}),
}


def predictions(x: numpy.ndarray, y: numpy.ndarray, asked: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """What each technique, with its best settings, says."""
    folds = KFold(5, shuffle=True, random_state=0)
    said = {}
    for name, (estimator, grid) in TECHNIQUES.items():
        search = GridSearchCV(estimator, grid, scoring="neg_mean_absolute_percentage_error", cv=folds)
        said[name] = search.fit(x, y).predict(asked)
    return said
