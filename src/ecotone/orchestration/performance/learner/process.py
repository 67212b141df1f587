"""A Gaussian process of log(figure) over log(features), made for few runs.

A constant, a log-linear trend (a monomial) with exponents drawn to 0, and Matern-5/2 effects of single features and of
their interactions. All of them are integrated out together; only length scales, amplitudes and the noise are fitted, as
the mode of their posterior under priors, never plain maximum likelihood: at eight points that over-fits.

Sources: Rasmussen and Williams 2006 (2.7 for trends, 5.12 for leaving out), Duvenaud et al. 2011 and Durrande et al.
2013 (additive and ANOVA kernels), Tipping and Lawrence 2005 (noise with odd runs).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy

from ecotone.orchestration.performance.learner._scipy import cho_solve, minimize, one_thread, solve_triangular
from ecotone.orchestration.performance.learner.forms import Kernel, Process, matern52

if TYPE_CHECKING:
    from ecotone.orchestration.performance.interface import Floats

__all__ = ["LogProcess", "Prior"]

_JITTER = 1e-8
_SQRT5 = math.sqrt(5.0)
_SPREADS_MAX = 4.0
"""How far from their prior's mode hyperparameters are looked for, in spreads."""


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed of any program before its first run. Lengths are in units of a feature's range; spreads are
    standard deviations of the logarithm.

    Attributes:
        level_sd: spread of the level of log(figure): flat in practice.
        exponent_sd: spread of a feature's exponent about 0: -1, 0 and 1 are likely, 3 is not.
        amplitude: typical departure of log(figure) from the log-linear trend.
        effect: weight of a single feature's effect; an interaction gets the product of its features' weights.
        noise: standard deviation of log(figure) between repeats.
    """

    level_sd: float = 5.0
    exponent_sd: float = 0.7
    length: float = 0.7
    length_spread: float = 0.7
    amplitude: float = 0.15
    amplitude_spread: float = 1.0
    effect: float = 0.7
    effect_spread: float = 1.0
    noise: float = 0.02
    noise_spread: float = 1.0


class LogProcess:
    """For up to some thousand runs; hyperparameters for up to some hundred."""

    def __init__(self, low: Floats, high: Floats, prior: Prior) -> None:
        """Args: low, high: (features,) the range of what will ever be asked for or compared."""
        self._centre = (low + high) / 2.0
        self._span = numpy.where(high > low, high - low, 1.0)
        self._prior = prior
        self._d = d = len(low)
        self._mode = numpy.log([prior.length] * d + [prior.amplitude] + [prior.effect] * d + [prior.noise])
        self._spread = numpy.array(
            [prior.length_spread] * d + [prior.amplitude_spread] + [prior.effect_spread] * d + [prior.noise_spread]
        )
        self._theta = self._mode.copy()
        self._z = numpy.empty((0, d))
        self._level = 0.0
        self._residual = numpy.empty(0)
        self._chol = numpy.empty((0, 0))
        self._weights = numpy.empty(0)

    @property
    def noise_variance(self) -> float:
        """Variance of log(figure) between repeats of one configuration."""
        return math.exp(2 * self._theta[-1]) + _JITTER

    @property
    def kernel(self) -> Kernel:
        """As it is fitted now."""
        d, theta = self._d, self._theta
        return Kernel(
            centre=_row(self._centre),
            lengths=_row(numpy.exp(theta[:d]) * self._span),
            effects=_row(numpy.exp(2 * theta[d + 1 : 2 * d + 1])),
            amplitude=math.exp(theta[d]),
            level_sd=self._prior.level_sd,
            exponent_sd=self._prior.exponent_sd,
        )

    def refine(self, z: Floats, logs: Floats, repeats: Floats) -> None:
        """Move the hyperparameters to their posterior mode, given these runs; see `condition`."""
        self._take(z, logs)
        gaps = numpy.abs(self._z[:, None, :] - self._z[None, :, :]) / self._span
        start = (self._theta + self._mode) / 2.0
        edges = _SPREADS_MAX * self._spread
        with one_thread():
            found = minimize(
                self._loss,
                start,
                (gaps, repeats),
                jac=True,
                method="L-BFGS-B",
                bounds=list(zip(self._mode - edges, self._mode + edges, strict=True)),
                options={"maxiter": 60},
            )
        self._theta = numpy.asarray(found.x)

    def condition(self, z: Floats, logs: Floats, repeats: Floats) -> None:
        """Take in runs in place of earlier ones.

        Args:
            z: (runs, features).
            logs: (runs,) mean log(figure) of each configuration.
            repeats: (runs,) of how many runs that is the mean.
        """
        self._take(z, logs)
        covariance = self.kernel.covariance(self._z, self._z)
        covariance[numpy.diag_indices_from(covariance)] += self.noise_variance / repeats
        self._chol = numpy.linalg.cholesky(covariance)
        self._weights = cho_solve((self._chol, True), self._residual)

    def _take(self, z: Floats, logs: Floats) -> None:
        self._z = z
        self._level = float(numpy.median(logs)) if len(logs) else 0.0
        self._residual = logs - self._level

    def form(self) -> Process:
        """The mean, as open data."""
        return Process(
            kernel=self.kernel,
            level=self._level,
            points=tuple(_row(each) for each in self._z),
            weights=_row(self._weights),
        )

    def whitened(self, z: Floats) -> Floats:
        """Inverse Cholesky factor times the covariance of the runs and `z`: (runs, rows)."""
        return solve_triangular(self._chol, self.kernel.covariance(self._z, z), lower=True)

    def predict(self, z: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of log(figure), without the noise of a single run."""
        white = self.whitened(z)
        mean = self._level + white.T @ solve_triangular(self._chol, self._residual, lower=True)
        variance = self.kernel.variance(z) - (white**2).sum(axis=0)
        return mean, numpy.sqrt(numpy.maximum(variance, 1e-12))

    def left_out(self) -> tuple[Floats, Floats]:
        """Each run's residual, and its standard deviation, when all other runs predict it."""
        precision = numpy.diag(cho_solve((self._chol, True), numpy.eye(len(self._chol))))
        return self._weights / precision, 1.0 / numpy.sqrt(precision)

    def trust(self, repeats: Floats, freedom: float) -> Floats:
        """How far each run is to be believed, about 1; far below 1 if it does not fit what the others say.

        The expected precision of a run, in units of the common one, if noise is Student's (Tipping and Lawrence 2005).
        Use it as the `repeats` of a run to make the process robust, and ask again.

        Args:
            repeats: as the process was conditioned with.
            freedom: degrees of freedom of the noise; small means that odd runs are expected.
        """
        noise = self.noise_variance / repeats
        inverse = cho_solve((self._chol, True), numpy.eye(len(noise)))
        square = (noise * self._weights) ** 2 + noise - noise**2 * numpy.diag(inverse)
        return (freedom + 1.0) / (freedom + square / self.noise_variance)

    def _loss(self, theta: Floats, gaps: Floats, repeats: Floats) -> tuple[float, Floats]:
        """Minus the log posterior of the hyperparameters, and its gradient."""
        d = self._d
        scaled = gaps / numpy.exp(theta[:d])
        decay = numpy.exp(-_SQRT5 * scaled)
        effect = numpy.exp(2 * theta[d + 1 : 2 * d + 1])
        part = effect * matern52(scaled)
        product = (1 + part).prod(axis=2)
        amplitude = math.exp(2 * theta[d])
        noise = math.exp(2 * theta[-1])
        centred = self._z - self._centre
        trend = self._prior.level_sd**2 + self._prior.exponent_sd**2 * (centred @ centred.T)
        covariance = trend + amplitude * (product - 1) + numpy.diag((noise + _JITTER) / repeats)
        try:
            chol = numpy.linalg.cholesky(covariance)
        except numpy.linalg.LinAlgError:
            return 1e10, numpy.zeros_like(theta)
        inverse = cho_solve((chol, True), numpy.eye(len(chol)))
        weights = inverse @ self._residual
        outer = inverse - numpy.outer(weights, weights)
        others = (amplitude * outer * product)[:, :, None] / (1 + part)
        slope = 5 / 3 * effect * scaled**2 * (1 + _SQRT5 * scaled) * decay
        gradient = numpy.concatenate(
            [
                (others * slope).sum(axis=(0, 1)) / 2,
                [amplitude * float((outer * (product - 1)).sum())],
                (others * part).sum(axis=(0, 1)),
                [noise * float((numpy.diag(outer) / repeats).sum())],
            ]
        )
        away = (theta - self._mode) / self._spread
        loss = self._residual @ weights / 2 + numpy.log(numpy.diag(chol)).sum() + away @ away / 2
        return float(loss), gradient + away / self._spread


def _row(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
