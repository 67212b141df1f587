"""Which configuration to measure next, and when to stop: sequential design of experiments for performance models.

Called by `design.profiling`, one `next` and one `tell` for each run. It decides and does no I/O.

`LogProcess` models log(figure) over log(features). The next run is the one that lowers its variance, summed over all
candidates, the most; a configuration measured before competes on equal terms, so runs are repeated where noise is what
is left. There is no first phase: under the prior the criterion picks the centre, then corners. A run that does not fit
the others counts for less, and is made again at once.

How far predictions will fall is not taken from the model alone, which believes its own shape. What it said of each run
before that run was made is compared with what came, and its spread is multiplied by what that teaches; the factor
starts high, as of one who has seen smooth models fail, and only evidence lowers it.

Sources: Cohn 1996, Seo et al. 2000 and Gramacy 2020 ch. 6 (the criterion), Binois et al. 2019 (repeat or explore: one
criterion weighs both), Dawid 1984 (judging forecasts by what came after them).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy

from ecotone.orchestration.performance.learner.process import LogProcess, Prior

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ecotone.orchestration.performance.interface import Floats

__all__ = ["Chooser"]

_MEAN_ABS = math.sqrt(2.0 / math.pi)
"""Mean absolute value of a standard normal variable."""
_FREEDOM = 4.0
_ROBUST_FROM = 8
"""Runs before which an odd run cannot be told from an odd program."""
_ROBUST_ROUNDS = 2
_REFERENCES = 400
"""Configurations over which the variance is summed; more costs time and changes no choice."""
_SUSPECT = 0.4
"""Trust below which a run that was made once is repeated at once."""
_SPREAD_MAX = 3.0
_SURPRISE_MAX = 5.0
_DOUBT = 2.0
"""What the spread is multiplied by before there is evidence."""
_DOUBT_RUNS = 6.0
"""How many runs' worth of evidence that is."""
_ELSEWHERE = 1.5
"""How much further predictions are off at configurations nobody chose to look at. This, the two above and `_SETTLED`
were chosen among some 200 settings by their wrong stops on six recorded sets, the ones that
`benchmarks/performance/few_runs.py` shows: other seeds confirm them, no other set does."""
_SETTLED = 5
"""Runs in a row after which the expected error must be within what was asked."""


class Chooser:
    """Equal candidates, seed and runs give equal choices, so that an interrupted profile goes on from its runs alone
    (`resumed`)."""

    def __init__(self, candidates: Floats, seed: int = 0, *, prior: Prior | None = None) -> None:
        """Args:
        candidates: (n, features) of the configurations that can be measured, all above zero, two different ones at
            least.
        seed: of the choice among equals.
        prior: what is believed before the first run.
        """
        assert candidates.ndim == 2
        assert len(candidates) >= 2
        assert bool((numpy.isfinite(candidates) & (candidates > 0.0)).all())
        logs = numpy.log(candidates)
        self._varies = numpy.ptp(logs, axis=0) > 0.0
        assert self._varies.any()
        self._z = logs[:, self._varies]
        self._seed = seed
        self._runs: list[tuple[int, float]] = []
        self._surprises: list[float] = []
        self._expected: list[float] = []
        self._trust = numpy.empty(0)
        self._process = LogProcess(self._z.min(axis=0), self._z.max(axis=0), prior or Prior())
        self._process.condition(self._z[:0], numpy.empty(0), numpy.empty(0))

    @classmethod
    def resumed(cls, candidates: Floats, runs: Iterable[tuple[int, float]], seed: int = 0) -> Chooser:
        """As it was after `runs`."""
        chooser = cls(candidates, seed)
        for index, value in runs:
            chooser.tell(index, value)
        return chooser

    @property
    def runs(self) -> Sequence[tuple[int, float]]:
        """The runs so far, in their order: which candidate, and the figure."""
        return self._runs

    @property
    def noise(self) -> float:
        """Relative standard deviation of repeats of one configuration, as estimated now."""
        return math.sqrt(self._process.noise_variance)

    def next(self, available: Sequence[bool] | None = None) -> int:
        """The candidate whose run lowers the expected error the most; changes nothing.

        Args:
            available: whether each candidate can be measured now, at least one of them; None: all.
        """
        count = len(self._z)
        allowed = numpy.ones(count, dtype=numpy.bool_) if available is None else numpy.asarray(available)
        assert allowed.any()
        suspect = self._suspect()
        if suspect is not None and allowed[suspect]:
            return suspect
        random = numpy.random.default_rng([self._seed, len(self._runs)])
        gain = self._gain(random) * (1.0 + 1e-9 * random.random(count))
        return int(numpy.where(allowed, gain, -1.0).argmax())

    def tell(self, index: int, value: float) -> None:
        """Learn from one run of candidate `index`; `value` is positive and finite: failed runs are left out."""
        assert 0 <= index < len(self._z)
        assert value > 0.0
        assert math.isfinite(value)
        if len(self._runs) > self._z.shape[1]:  # before, the prior speaks and is not to be judged
            mean, spread = self._process.predict(self._z[[index]])
            away = abs(math.log(value) - float(mean[0]))
            self._surprises.append(away / math.hypot(float(spread[0]), self.noise))
        self._runs.append((int(index), float(value)))
        self._fit()
        self._expected.append(self._estimate())

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of log(figure), without the noise of a single run; of candidates or of others."""
        mean, spread = self._process.predict(numpy.log(features)[:, self._varies])
        return mean, spread * self._doubt()

    def expected_error(self) -> float:
        """Expected mean absolute relative error (0.1 is 10 %) over the candidates not measured (all, when each
        was); infinite at first."""
        return self._expected[-1] if self._expected else math.inf

    def done(self, accuracy: float) -> bool:
        """Whether the expected error was within `accuracy` (0.1 is 10 %) after each of the last runs."""
        if not self._rest().size:
            return self._expected[-1] <= accuracy
        # Two runs for each coefficient of the trend: before, spreads are the prior's.
        enough = len(self._runs) >= 2 * (self._z.shape[1] + 1)
        return enough and all(error <= accuracy for error in self._expected[-_SETTLED:])

    def _fit(self) -> None:
        z = self._z[[index for index, _ in self._runs]]
        logs = numpy.log([value for _, value in self._runs])
        self._trust = numpy.ones(len(logs))
        rounds = _ROBUST_ROUNDS if len(logs) >= _ROBUST_FROM else 0
        for _ in range(rounds):
            self._process.refine(z, logs, self._trust)
            self._process.condition(z, logs, self._trust)
            self._trust = self._process.trust(self._trust, _FREEDOM)
        if not rounds:
            self._process.refine(z, logs, self._trust)
        self._process.condition(z, logs, self._trust)

    def _gain(self, random: numpy.random.Generator) -> Floats:
        """Fall of the variance summed over reference configurations, for a run of each candidate."""
        z, kernel = self._z, self._process.kernel
        references = random.permutation(len(z))[:_REFERENCES]
        white = self._process.whitened(z)
        variance = numpy.maximum(kernel.variance(z) - (white**2).sum(axis=0), 1e-12)
        covariance = kernel.covariance(z, z[references]) - white.T @ white[:, references]
        return (covariance**2).sum(axis=1) / (variance + self._process.noise_variance)

    def _suspect(self) -> int | None:
        """The candidate of the least trusted run, if it was made once and is not believed."""
        if not self._runs:
            return None
        worst = int(self._trust.argmin())
        index = self._runs[worst][0]
        once = sum(each == index for each, _ in self._runs) == 1
        return index if once and self._trust[worst] < _SUSPECT else None

    def _doubt(self) -> float:
        """What the spreads are multiplied by: how far predictions fell from runs, against how far they should.

        Of two witnesses, leaving one run out and the predictions made before their runs, the worse one counts.
        """
        if len(self._surprises) < 2:
            return _DOUBT * _ELSEWHERE
        residual, spread = self._process.left_out()
        witnesses = numpy.abs(residual) / spread, numpy.array(self._surprises)
        factors: list[float] = []
        for each in witnesses:
            ratios = numpy.minimum(each / _MEAN_ABS, _SURPRISE_MAX)
            factors.append((_DOUBT * _DOUBT_RUNS + float(ratios.sum())) / (_DOUBT_RUNS + len(ratios)))
        return max(factors) * _ELSEWHERE

    def _rest(self) -> numpy.ndarray[tuple[int], numpy.dtype[numpy.int_]]:
        """The candidates that were not measured."""
        return numpy.setdiff1d(numpy.arange(len(self._z)), [index for index, _ in self._runs])

    def _estimate(self) -> float:
        rest = self._rest()
        _, raw = self._process.predict(self._z[rest] if rest.size else self._z)
        doubt = self._doubt() / (1.0 if rest.size else _ELSEWHERE)
        spread = numpy.minimum(raw * doubt, _SPREAD_MAX)
        # E|exp(x) - 1| for x normal about 0 with this spread.
        within = numpy.array([math.erf(each / math.sqrt(2.0)) for each in spread])
        return float(numpy.mean(numpy.exp(spread**2 / 2.0) * within))
