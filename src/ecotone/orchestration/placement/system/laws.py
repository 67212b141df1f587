"""How long resources take to answer: means and squared coefficients of variation, by queueing law.

Called by the evaluator; the solver uses `pressure`, and the simulation of a plan shows how far all this is off.
Requests are taken to come as Poisson processes. Loads are in busy copies: requests per second times seconds.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ecotone.orchestration.placement.system.model import Law, Starts

__all__ = [
    "Demand",
    "Moments",
    "erlang_c",
    "pressure",
    "quantile",
    "response",
    "serverless_response",
    "variation_min",
]

_INSTANCES_STEP = 30
_INSTANCES_MAX = 1000
_CV2_MIN, _CV2_DECADES, _CV2_STEPS = 1e-3, 7, 24
"""The grid of squared coefficients of variation: the least, how often ten times more, and in how many steps each."""
_CV_MIN = math.sqrt(_CV2_MIN)
_CV_MAX = _CV_MIN * 10.0 ** (_CV2_DECADES / 2)
_CV2_OF_QUEUES = 2.0
"""What lasts and queues varies less."""
_MARGIN, _MARGIN_OF_TAIL = 1.03, 0.07
"""See `_margin`; by some 450 simulated components and paths of random systems of all laws."""
_PRECISION = 1e-12


class Moments(msgspec.Struct, frozen=True):
    """Of a time: mean and variance, in seconds and seconds squared; both infinite where a queue never empties."""

    mean_s: float
    variance_s2: float


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """All that one resource is asked: requests per second, and moments of their service times weighted by them, so
    `load` is rate times mean, `load2` rate times the mean square, `load3` rate times the mean cube."""

    rate_per_s: float = 0.0
    load: float = 0.0
    load2: float = 0.0
    load3: float = 0.0

    def with_service(self, rate_per_s: float, service_s: float, cv2: float) -> Demand:
        """And requests whose services have this mean and squared coefficient of variation, gamma distributed."""
        second = service_s**2 * (1.0 + cv2)
        return Demand(
            rate_per_s=self.rate_per_s + rate_per_s,
            load=self.load + rate_per_s * service_s,
            load2=self.load2 + rate_per_s * second,
            load3=self.load3 + rate_per_s * service_s * second * (1.0 + 2.0 * cv2),
        )


def response(law: Law, service_s: float, cv2: float, demand: Demand, copies: int) -> Moments:
    """Of one request with a mean service of `service_s` at a resource of `copies` that is asked `demand`.

    Where requests come as a Poisson process, means are exact for `ps` and `mg1` (Pollaczek-Khinchine), and for `mmc`
    with one class of requests; with several it is Allen and Cunneen's. What comes from other resources, or comes again,
    is no Poisson process: then only those of `ps` stay exact (Baskett, Chandy, Muntz and Palacios 1975), and queues
    whose services vary less or more than exponential ones, or differ from request to request, are off in both
    directions. The variance of `ps` is that of M/M/1 (Coffman, Muntz and Trotter 1970), those of queues follow from
    Takács' recursion.
    """
    busy = demand.load / copies
    if busy >= 1.0:
        return Moments(math.inf, math.inf)
    if law == "ps":
        mean_s = service_s / (1.0 - busy)
        return Moments(mean_s, mean_s**2 * (2.0 + busy) / (2.0 - busy))
    waiting = _waiting_of_many(demand, copies) if law == "mmc" else _waiting(demand, copies)
    return Moments(service_s + waiting.mean_s, cv2 * service_s**2 + waiting.variance_s2)


def _waiting(demand: Demand, copies: int) -> Moments:
    """In one of `copies` queues with equal shares."""
    left = 1.0 - demand.load / copies
    mean_s = demand.load2 / copies / (2.0 * left)
    square = 2.0 * mean_s**2 + demand.load3 / copies / (3.0 * left)
    return Moments(mean_s, square - mean_s**2)


def _waiting_of_many(demand: Demand, copies: int) -> Moments:
    """In one queue before `copies` servers."""
    if demand.load == 0.0:
        return Moments(0.0, 0.0)
    busy = demand.load / copies
    # Whoever waits does so as before one server that works as fast as all.
    as_one = Demand(
        rate_per_s=demand.rate_per_s,
        load=busy,
        load2=demand.load2 / copies**2,
        load3=demand.load3 / copies**3,
    )
    waiting = _waiting(as_one, 1)
    more = erlang_c(copies, demand.load) / busy
    variance_s2 = more * waiting.variance_s2 + more * (1.0 - more) * waiting.mean_s**2
    return Moments(more * waiting.mean_s, variance_s2)


def pressure(law: Law, busy: float, copies: int) -> float:
    """By how much a service is stretched where all of `copies` are busy for this share (0 to 1) with services like it:
    mean response over mean service, less one. Convex and rising in `busy`."""
    if busy >= 1.0:
        return math.inf
    if law == "mmc":
        return erlang_c(copies, busy * copies) / (copies * (1.0 - busy))
    return busy / (1.0 - busy)


def variation_min(law: Law) -> float:
    """The least squared coefficient of variation of a response, whatever is asked."""
    # Queues: an exponential service and a wait that varies more than an exponential time, of whatever shares.
    return {"ps": 1.0, "mm1": 0.5, "mmc": 0.5, "mg1": 0.0}[law]


def erlang_c(servers: int, load: float) -> float:
    """The probability that all of `servers` are busy with `load` (below `servers`) offered."""
    if load <= 0.0:
        return 0.0
    inverse = 1.0
    for number in range(1, servers + 1):
        inverse = 1.0 + inverse * number / load
    blocked = 1.0 / inverse
    busy = load / servers
    return blocked / (1.0 - busy * (1.0 - blocked))


def serverless_response(
    rate_per_s: float, warm_s: float, cold_s: float, idle_s: float, starts: Starts = "parallel"
) -> Moments:
    """Of a function whose instances are kept for `idle_s` without work, in the steady state.

    The number of warm instances is a birth-death chain: a request that finds none free starts another, an instance that
    is idle for too long ends (Mahmoudi and Khazaei, "Performance modeling of serverless computing platforms", IEEE
    Transactions on Cloud Computing 10(4), 2022). Theirs are `queued` starts, one after the other; but while one starts,
    more are asked for, and simulated shares of cold answers are those of `parallel` ones. Services are exponential.
    """
    if rate_per_s <= 0.0:
        return Moments(cold_s, cold_s**2)
    blocked, ends_per_s = [1.0], [0.0]
    inverse, ending_per_s, instances_max = 1.0, 0.0, _INSTANCES_STEP
    while len(blocked) <= instances_max:
        inverse = 1.0 + inverse * len(blocked) / (rate_per_s * warm_s)
        ending_per_s += _ends_per_s(rate_per_s * (blocked[-1] - 1.0 / inverse), warm_s, idle_s)
        blocked.append(1.0 / inverse)
        ends_per_s.append(ending_per_s)
        if rate_per_s * blocked[-1] > ending_per_s:
            instances_max = min(len(blocked) - 1 + _INSTANCES_STEP, _INSTANCES_MAX)
    starts_per_s = [rate_per_s * each for each in blocked]
    if starts == "queued":
        starts_per_s = [1.0 / (1.0 / each + cold_s) if each > 0.0 else 0.0 for each in starts_per_s]
    cold = sum(p * b for p, b in zip(_steady_state(starts_per_s, ends_per_s), blocked, strict=True))
    mean_s = cold * cold_s + (1.0 - cold) * warm_s
    return Moments(mean_s, 2.0 * (cold * cold_s**2 + (1.0 - cold) * warm_s**2) - mean_s**2)


def _ends_per_s(rate_per_s: float, warm_s: float, idle_s: float) -> float:
    """How often an instance that gets `rate_per_s` is given up."""
    if rate_per_s <= 0.0:
        return 1.0 / idle_s
    idle_for_long = math.exp(-idle_s * rate_per_s)
    if idle_for_long == 0.0:
        return 0.0
    longest_s = idle_s + warm_s
    missed = math.exp(-rate_per_s * longest_s)
    between_s = -longest_s * missed + (1.0 - missed) / rate_per_s
    return 1.0 / (idle_s + (1.0 / idle_for_long - 1.0) * between_s)


def _steady_state(starts_per_s: list[float], ends_per_s: list[float]) -> list[float]:
    """Probabilities of 0, 1, 2 and so on warm instances; by logarithms, since the ratios leave the range of floats."""
    logs = [0.0]
    for starting_per_s, ending_per_s in zip(starts_per_s, ends_per_s[1:], strict=False):
        if ending_per_s <= 0.0:
            logs = [-math.inf] * len(logs) + [0.0]
        else:
            logs.append(logs[-1] + math.log(starting_per_s / ending_per_s) if starting_per_s > 0.0 else -math.inf)
    most = max(logs)
    weights = [math.exp(each - most) for each in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def quantile(moments: Moments, percentile: float) -> float:
    """About what a time with these moments is at `percentile` (up to below 100), rather more than less.

    It never falls when mean, variance or percentile grow, and is of the unit of the mean: mean + k * deviation, where k
    depends on the percentile and the squared coefficient of variation c alone.
    """
    if not math.isfinite(moments.mean_s) or moments.variance_s2 <= 0.0 or moments.mean_s <= 0.0:
        return moments.mean_s
    return moments.mean_s * _relative_quantile(math.sqrt(moments.variance_s2) / moments.mean_s, percentile)


def _relative_quantile(cv: float, percentile: float) -> float:
    """Of a time with mean 1 and this coefficient of variation."""
    logs = _relative_quantiles(percentile)
    at = 2.0 * _CV2_STEPS * math.log10(cv / _CV_MIN) if cv > _CV_MIN else 0.0
    if not 0.0 < at < len(logs) - 1:
        edge, end = (_CV_MIN, logs[0]) if at <= 0.0 else (_CV_MAX, logs[-1])
        return 1.0 + (math.exp(end) - 1.0) * cv / edge
    step = int(at)
    return math.exp(logs[step] + (at - step) * (logs[step + 1] - logs[step]))


@lru_cache(maxsize=64)
def _relative_quantiles(percentile: float) -> tuple[float, ...]:
    """Logarithms of quantiles of times with mean 1, on a logarithmic grid of squared coefficients of variation c.

    Sums of service and waiting times are near to gamma distributions, those of shared copies and of very variable
    services have longer tails: so the gamma's or the log-normal's quantile is taken, whichever is higher.
    With the mean m and the variance v, m * q(v/m^2) does not fall in v if q does not fall, nor in m if q/sqrt(c) does
    not rise. What the distributions have is changed to keep to that, in logarithms so that it holds between the points.
    """
    normal = NormalDist().inv_cdf(percentile / 100.0)
    growth = 10.0 ** (0.5 / _CV2_STEPS)
    found: list[float] = []
    for step in range(_CV2_STEPS * _CV2_DECADES + 1):
        cv2 = _CV2_MIN * growth ** (2 * step)
        spread = math.log1p(cv2)
        high = max(_gamma_quantile(cv2, percentile), math.exp(normal * math.sqrt(spread) - spread / 2.0))
        high = 1.0 + (high - 1.0) * _margin(percentile)
        if found:
            # Beyond, few take very long, and the two that are looked at fall below them: k does not.
            least = found[-1] if cv2 <= _CV2_OF_QUEUES else 1.0 + (found[-1] - 1.0) * growth
            high = min(max(high, least), found[-1] * growth)
        found.append(high)
    return tuple(map(math.log, found))


def _margin(percentile: float) -> float:
    """What simulated times were above: a few percent up to the 95th percentile, more beyond, where all depends on the
    shape of the tail."""
    return _MARGIN + _MARGIN_OF_TAIL * max(0.0, math.log10(5.0 / (100.0 - percentile)))


def _gamma_quantile(cv2: float, percentile: float) -> float:
    """Of the gamma distribution with mean 1."""
    shape, beyond = 1.0 / cv2, 1.0 - percentile / 100.0
    low, high = 0.0, shape / beyond  # by Markov's inequality
    normal = NormalDist().inv_cdf(percentile / 100.0)
    at = shape * (1.0 - cv2 / 9.0 + normal * math.sqrt(cv2) / 3.0) ** 3  # Wilson and Hilferty 1931
    while high - low > _PRECISION * shape:
        if not low < at < high:
            at = (low + high) / 2.0
        missing = _gamma_tail(shape, at) - beyond
        low, high = (at, high) if missing > 0.0 else (low, at)
        density = math.exp((shape - 1.0) * math.log(at) - at - math.lgamma(shape))
        step = missing / density if density > 0.0 else math.inf
        at += step  # Newton's; where it leads out, halves
        if abs(step) <= _PRECISION * at:
            break
    return max(0.0, at) * cv2


def _gamma_tail(shape: float, at: float) -> float:
    """The share of the standard gamma distribution above `at`: by its series, or its continued fraction."""
    scale = math.exp(shape * math.log(at) - at - math.lgamma(shape))
    if at < shape + 1.0:
        term = total = 1.0 / shape
        number = shape
        while term > 1e-16 * total:
            number += 1.0
            term *= at / number
            total += term
        return 1.0 - scale * total
    # Lentz's method.
    tiny = 1e-300
    b = at + 1.0 - shape
    c, d = 1.0 / tiny, 1.0 / b
    fraction = d
    for step in range(1, 10_000):
        a = step * (shape - step)
        b += 2.0
        d = 1.0 / (a * d + b or tiny)
        c = b + a / c or tiny
        fraction *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return scale * fraction
