"""How long resources take to answer: means and squared coefficients of variation, by queueing law.

Called by the evaluator; the solver uses `pressure`, and the simulation of a plan shows how far all this is off.
Requests come as a Poisson process. Loads are in busy copies: requests per second times seconds.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ecotone.orchestration.placement.system.model import Law

__all__ = [
    "Demand",
    "Moments",
    "erlang_c",
    "gamma_quantile",
    "pressure",
    "response",
    "serverless_response",
    "variation_min",
]

_INSTANCES_STEP = 30
_INSTANCES_MAX = 1000


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

    Means are exact for `ps` and `mg1` (Pollaczek-Khinchine), and for `mmc` with one class of requests; with several it
    is Allen and Cunneen's. The variance of `ps` is that of M/M/1 (Coffman, Muntz and Trotter 1970), those of queues
    follow from Takács' recursion.
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
    """In one queue before `copies` servers: whoever waits does so for an exponential time."""
    if demand.rate_per_s == 0.0:
        return Moments(0.0, 0.0)
    left = 1.0 - demand.load / copies
    waits = erlang_c(copies, demand.load)
    mean_service_s = demand.load / demand.rate_per_s
    variation = demand.load2 * demand.rate_per_s / demand.load**2 / 2.0
    when_waiting_s = mean_service_s * variation / (copies * left)
    mean_s = waits * when_waiting_s
    return Moments(mean_s, 2.0 * waits * when_waiting_s**2 - mean_s**2)


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


def serverless_response(rate_per_s: float, warm_s: float, cold_s: float, idle_s: float) -> Moments:
    """Of a function whose instances are kept for `idle_s` without work, in the steady state.

    The number of warm instances is a birth-death chain: a request that finds none free starts another, an instance that
    is idle for too long ends (Mahmoudi and Khazaei, "Performance modeling of serverless computing platforms", IEEE
    Transactions on Cloud Computing 10(4), 2022). Services are exponential.
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
    cold = sum(p * b for p, b in zip(_steady_state(rate_per_s, cold_s, blocked, ends_per_s), blocked, strict=True))
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


def _steady_state(rate_per_s: float, cold_s: float, blocked: list[float], ends_per_s: list[float]) -> list[float]:
    """Probabilities of 0, 1, 2 and so on warm instances; by logarithms, since the ratios leave the range of floats."""
    logs = [0.0]
    for before, ending_per_s in zip(blocked, ends_per_s[1:], strict=False):
        starts_per_s = 1.0 / (1.0 / (rate_per_s * before) + cold_s) if before > 0.0 else 0.0
        if ending_per_s <= 0.0:
            logs = [-math.inf] * len(logs) + [0.0]
        else:
            logs.append(logs[-1] + math.log(starts_per_s / ending_per_s) if starts_per_s > 0.0 else -math.inf)
    most = max(logs)
    weights = [math.exp(each - most) for each in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def gamma_quantile(moments: Moments, percentile: float) -> float:
    """Of the gamma distribution with these moments (Wilson and Hilferty 1931): what sums of a few service and waiting
    times are near to."""
    if not math.isfinite(moments.mean_s) or moments.variance_s2 <= 0.0 or moments.mean_s <= 0.0:
        return moments.mean_s
    shape = moments.mean_s**2 / moments.variance_s2
    if shape < 0.5:
        # Below it the cube root leaves its range; Markov's inequality never promises too much.
        return min(moments.mean_s / (1.0 - percentile / 100.0), _cantelli(moments, percentile))
    normal = NormalDist().inv_cdf(percentile / 100.0)
    return moments.mean_s * max(0.0, 1.0 - 1.0 / (9.0 * shape) + normal / (3.0 * math.sqrt(shape))) ** 3


def _cantelli(moments: Moments, percentile: float) -> float:
    share = percentile / 100.0
    return moments.mean_s + math.sqrt(moments.variance_s2 * share / (1.0 - share))
