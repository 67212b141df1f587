"""What a placement does when requests really come: a simulation, event by event, beside the evaluator's formulas.

It tells how far the times of `evaluate.judge` are off, and how often the bounds hold: those on means and those on
percentiles. Queueing formulas take what comes for Poisson processes, times at several resources for independent, and
sums of them for gamma distributed; here nothing of the kind is assumed. Called by benchmarks, tests and whoever doubts.

A request walks the graph of components. Where the probabilities after a component sum to 1 at most, it goes on to one
of the successors, or to none with what is missing to 1; where they sum to more, it forks: each successor gets it, or
does not, independently of the others. Both give the rates of `flows.Flows`. What exits early leaves its component and
goes on from there like what has passed all of it. Networks delay by `Flows.delay_s`, however much goes over them. A
bound on several components is about the requests that walk just these, from entering the first to leaving the last.
"""

from __future__ import annotations

import math
from statistics import NormalDist, fmean, stdev
from typing import TYPE_CHECKING

import msgspec
import numpy

from ecotone.core.errors import InputError
from ecotone.orchestration.placement.system._arrivals import poisson, recorded
from ecotone.orchestration.placement.system._course import Discipline, Service, Setting
from ecotone.orchestration.placement.system._walks import Walked, walk
from ecotone.orchestration.placement.system.evaluate import Judgement, judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.model import MEAN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ecotone.orchestration.placement.system.model import Bound, Placement, System

__all__ = [
    "Discipline",
    "Service",
    "Simulated",
    "SimulatedBound",
    "SimulatedComponent",
    "SimulatedFunction",
    "SimulatedResource",
    "simulate",
]

_WARM_UP = 0.1
_STUDENT = (12.706, 4.303, 3.182)
"""97.5 % quantiles of Student's distribution with one, two and three degrees of freedom."""


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class SimulatedComponent(_Frozen, frozen=True, kw_only=True):
    """Mean response time of a component, networks between its partitions included.

    Attributes:
        requests: that were counted, over all replications.
        analytic_s: by `evaluate.judge`.
        simulated_s: mean over replications.
        half_width_s: of the 95 % confidence interval around it, infinite with one replication.
        relative_error: analytic over simulated, less one: above 0 the evaluator is on the safe side.
    """

    component: str
    requests: int
    analytic_s: float
    simulated_s: float
    half_width_s: float
    relative_error: float


class SimulatedBound(_Frozen, frozen=True, kw_only=True):
    """The time that a bound is about: a mean or a percentile, of the requests of one replication.

    Attributes:
        percentile: of the bound; `MEAN` is a mean.
        held_share: share (0 to 1) of the replications in which the time was at most `limit_s`.
        requests, analytic_s, simulated_s, half_width_s, relative_error: as of a component.
    """

    bound: str
    percentile: float
    limit_s: float
    requests: int
    analytic_s: float
    simulated_s: float
    half_width_s: float
    relative_error: float
    held_share: float


class SimulatedResource(_Frozen, frozen=True, kw_only=True):
    """Share (0 to 1) of each copy's time that is busy: by the evaluator, and simulated with a 95 % confidence interval
    of plus and minus `half_width`."""

    resource: str
    copies: int
    analytic_busy: float
    simulated_busy: float
    half_width: float


class SimulatedFunction(_Frozen, frozen=True, kw_only=True):
    """A partition on a serverless function; `partition` is its number in the deployment, from 0.

    Attributes:
        requests: that were counted, over all replications.
        cold_share: share (0 to 1) of them that had to start an instance.
        analytic_s, simulated_s: mean response time, cold ones included.
    """

    component: str
    partition: int
    resource: str
    requests: int
    cold_share: float
    analytic_s: float
    simulated_s: float


class Simulated(_Frozen, frozen=True, kw_only=True):
    """What a simulation saw. Components, functions and bounds that no request came to are left out. `requests` entered
    from outside after the warm-up, `events` are arrivals at partitions and departures; both over all replications."""

    replications: int
    requests: int
    events: int
    components: tuple[SimulatedComponent, ...]
    bounds: tuple[SimulatedBound, ...]
    resources: tuple[SimulatedResource, ...]
    functions: tuple[SimulatedFunction, ...]


def simulate(
    system: System,
    placement: Placement,
    *,
    requests: int = 20_000,
    replications: int = 1,
    seed: int = 0,
    service: Service = "resource",
    service_cv2: float | None = None,
    discipline: Discipline | None = None,
    arrivals: Mapping[str, Sequence[float]] | None = None,
    repeats: int = 1,
    warm_up: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Simulated:
    """Simulate a placement of a system; the same arguments give the same answer.

    Args:
        requests: that enter from outside in each replication, as Poisson processes of `system.rates_per_s`. A copy
            settles after some 1/(1 - busy)^2 services: where one is busy for more than 0.9 of its time, 20 000 are few,
            the simulation that begins with empty queues is too fast, and intervals do not tell.
        replications: how often, each with other random numbers; at least two for confidence intervals.
        seed: of all random numbers, at least 0.
        service: law of the service times: of each resource (gamma where its law is `mg1`, else exponential), or one for
            all, functions included.
        service_cv2: squared coefficient of variation of `gamma` and `lognormal`; None for each resource's own.
        discipline: how every resource serves that is not serverless: `ps` copies that requests choose at random and
            share, `fifo` copies that they choose at random and queue for, `shared` one queue for all copies. None for
            each resource's own, by its law: `ps`; `mm1` and `mg1` are `fifo`; `mmc` is `shared`.
        arrivals: recorded instead of random: by component that requests enter, when, in seconds, in order. They are
            played to their end, whatever `requests` says; time begins with the first of them.
        repeats: how often a recording is played in each replication, one mean gap between arrivals apart.
        warm_up: share (0 to below 1) of the time whose requests do not count; by default 0.1, and 0 of a recording.
        progress: called after each replication with how many are done, and how many there are.

    Returns:
        Times in seconds and busy shares beside those of `evaluate.judge`, which takes `system.rates_per_s` for granted.

    Raises:
        InputError: a placement that cannot be simulated: of wrong structure, with a resource that is not taken,
            that is busy all the time, or that no network joins to the next. Or a recording with unknown components,
            with times that are negative, infinite or out of order, or without any; or a number out of its range.
    """
    if requests < 1 or replications < 1 or repeats < 1 or seed < 0:
        raise InputError("requests, replications and repeats must be at least 1, and the seed at least 0")
    if warm_up is None:
        warm_up = _WARM_UP if arrivals is None else 0.0
    if not 0.0 <= warm_up < 1.0:
        raise InputError(f"the warm-up is a share from 0 to below 1 of the time, not {warm_up:g}")
    if service_cv2 is not None and not 0.0 <= service_cv2 < math.inf:
        raise InputError(f"a squared coefficient of variation must be finite and at least 0, not {service_cv2:g}")
    flows = Flows(system)
    judged = judge(system, placement, flows)
    _refuse(judged)
    recording = None if arrivals is None else recorded(system, arrivals, repeats, warm_up)
    numbers = {component.name: number for number, component in enumerate(system.components)}
    watched = [(number,) for number in numbers.values()]
    watched += [tuple(numbers[name] for name in bound.components) for bound in system.bounds]
    setting = Setting(service, service_cv2, discipline)
    walks: list[Walked] = []
    counted = 0
    for number in range(1, replications + 1):
        entering, walking = numpy.random.SeedSequence((seed, number)).spawn(2)
        coming = recording or poisson(system, requests, warm_up, entering)
        counted += coming.counted
        walks.append(walk(flows, placement, coming, watched=watched, setting=setting, seeds=walking))
        if progress is not None:
            progress(number, replications)
    return Simulated(
        replications=replications,
        requests=counted,
        events=sum(each.events for each in walks),
        components=tuple(_components(system, judged, walks)),
        bounds=tuple(_bounds(system, judged, walks)),
        resources=tuple(_resources(judged, walks)),
        functions=tuple(_functions(system, placement, judged, walks)),
    )


def _refuse(judged: Judgement) -> None:
    """Raises what is wrong with a placement that cannot be simulated; what is only against a rule can be."""
    for violation in judged.violations:
        if violation.what in ("structure", "copies", "load"):
            raise InputError(f"the placement cannot be simulated: {violation.message}")
    for use in judged.uses:
        if use.busy >= 1.0:
            raise InputError(f"the placement cannot be simulated: {use.resource} would be busy all the time")


def _components(system: System, judged: Judgement, walks: Sequence[Walked]) -> Iterator[SimulatedComponent]:
    for at, component in enumerate(system.components):
        seen = [each.path_s[at] for each in walks if each.path_s[at]]
        if seen:
            simulated_s, half_width_s = _interval([fmean(times_s) for times_s in seen])
            analytic_s = judged.times_s[component.name]
            yield SimulatedComponent(
                component=component.name,
                requests=sum(map(len, seen)),
                analytic_s=analytic_s,
                simulated_s=simulated_s,
                half_width_s=half_width_s,
                relative_error=_error(analytic_s, simulated_s),
            )


def _bounds(system: System, judged: Judgement, walks: Sequence[Walked]) -> Iterator[SimulatedBound]:
    for at, (bound, time) in enumerate(zip(system.bounds, judged.bounds, strict=True), start=len(system.components)):
        seen = [each.path_s[at] for each in walks if each.path_s[at]]
        if seen:
            found = [_time_s(bound, times_s) for times_s in seen]
            simulated_s, half_width_s = _interval(found)
            yield SimulatedBound(
                bound=bound.name,
                percentile=bound.percentile,
                limit_s=bound.limit_s,
                requests=sum(map(len, seen)),
                analytic_s=time.time_s,
                simulated_s=simulated_s,
                half_width_s=half_width_s,
                relative_error=_error(time.time_s, simulated_s),
                held_share=sum(time_s <= bound.limit_s for time_s in found) / len(found),
            )


def _resources(judged: Judgement, walks: Sequence[Walked]) -> Iterator[SimulatedResource]:
    for use in judged.uses:
        if use.resource in walks[0].busy:
            simulated, half_width = _interval([each.busy[use.resource] for each in walks])
            yield SimulatedResource(
                resource=use.resource,
                copies=use.copies,
                analytic_busy=use.busy,
                simulated_busy=simulated,
                half_width=half_width,
            )


def _functions(
    system: System, placement: Placement, judged: Judgement, walks: Sequence[Walked]
) -> Iterator[SimulatedFunction]:
    for component in system.components:
        for at, resource in enumerate(placement.resources[component.name]):
            seen = [each.functions[component.name, at] for each in walks if (component.name, at) in each.functions]
            served = sum(each.served for each in seen)
            if served:
                yield SimulatedFunction(
                    component=component.name,
                    partition=at,
                    resource=resource,
                    requests=served,
                    cold_share=sum(each.cold for each in seen) / served,
                    analytic_s=judged.partition_times_s[component.name][at],
                    simulated_s=math.fsum(each.served_s for each in seen) / served,
                )


def _time_s(bound: Bound, times_s: Sequence[float]) -> float:
    return fmean(times_s) if bound.percentile == MEAN else float(numpy.percentile(times_s, bound.percentile))


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half of the width of its 95 % confidence interval."""
    count = len(values)
    mean = fmean(values)
    return mean, _student(count - 1) * stdev(values) / math.sqrt(count) if count > 1 else math.inf


def _student(freedom: int) -> float:
    """The 97.5 % quantile of Student's distribution; where the table ends by Cornish and Fisher's expansion
    (Abramowitz and Stegun 26.7.5), within 0.2 %."""
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    z = NormalDist().inv_cdf(0.975)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def _error(analytic: float, simulated: float) -> float:
    if simulated == 0.0:
        return 0.0 if analytic == 0.0 else math.inf
    return analytic / simulated - 1.0
