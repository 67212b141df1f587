"""Claim 4, means: what the evaluator says of the cheapest placements, beside simulations of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from statistics import fmean, stdev
from typing import NamedTuple

from benchmarks.placement._cases import note
from benchmarks.placement._report import Claim, Report, middle, worst

from ecotone.orchestration.placement.system.evaluate import Judgement
from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.model import System
from ecotone.orchestration.placement.system.search import search
from ecotone.orchestration.placement.system.simulate import Service, simulate

__all__ = ["BUSY_MAX", "run", "too_busy"]

BUSY_MAX = 0.9
"""Where a copy is busy for more of its time, queues change so slowly that simulations would have to be far longer."""
_OFF = 0.05
_SURE = 0.02
"""A mean whose 95 % confidence interval is wider than plus and minus this share of it is unsure."""
_BATCHES_MIN = 10


class _Law(NamedTuple):
    """`batches`: independent runs that are made at most; fewer once every mean is sure."""

    service: Service
    cv2: float | None
    batches: int


class _Mean(NamedTuple):
    """Simulated beside the evaluator's: relative error, and half the width of its confidence interval."""

    what: str
    error: float
    half_width: float


def run(*, quick: bool) -> list[Report]:
    sizes, seeds, requests, most = ((5,), 1, 5_000, 20) if quick else ((5, 7, 10, 15), 2, 100_000, 40)
    laws = (
        _Law("exponential", None, most),
        _Law("lognormal", 4.0, most // 2),
        _Law("deterministic", None, most // 2),
    )
    means: dict[str, list[_Mean]] = defaultdict(list)
    counted: dict[str, int] = defaultdict(int)
    for system in (generate(components, seed) for components in sizes for seed in range(seeds)):
        best = search(system).best
        for law in laws if best is not None else ():
            found, batches = _simulated(system, best, law, requests)
            means[law.service] += found
            counted[law.service] += batches * requests
            sure = [abs(each.error) for each in found if each.half_width <= _SURE]
            note(
                f"{system.name} {law.service}: {batches} batches, {len(sure)}/{len(found)} sure, {worst(sure):.2%} off"
            )
    rows = [(law, counted[law], *_row(found)) for law, found in means.items()]
    _, _, known, median, most_off, unsure, refuted = rows[0]
    text = f"median {median:.2%}, worst {most_off:.2%} of {known}; unsure {unsure}, of them surely off {refuted}"
    return [
        Report(
            "Simulated means beside the evaluator's",
            ("service", "requests", "sure", "median error", "worst error", "unsure", "of them surely off"),
            rows,
            (Claim("means within 5 %, exponential service", text, most_off <= _OFF and refuted == 0),),
        )
    ]


def too_busy(judged: Judgement) -> set[str]:
    """Components of which a simulation cannot tell much: on resources that are busy for too much of their time."""
    resources = {use.resource for use in judged.uses if use.busy > BUSY_MAX}
    return {name for name, taken in judged.placement.resources.items() if not resources.isdisjoint(taken)}


def _row(means: list[_Mean]) -> tuple[int, float, float, int, int]:
    sure = [abs(each.error) for each in means if each.half_width <= _SURE]
    refuted = sum(_SURE < each.half_width < abs(each.error) - _OFF for each in means)
    return len(sure), middle(sure), worst(sure), len(means) - len(sure), refuted


def _simulated(system: System, judged: Judgement, law: _Law, requests: int) -> tuple[list[_Mean], int]:
    """Means of components and bounds on nothing too busy, over batches of so many requests."""
    seen: dict[str, list[float]] = defaultdict(list)
    analytic: dict[str, float] = {}
    for batch in range(law.batches):
        for what, analytic_s, simulated_s in _batch(system, judged, law, requests, seed=batch):
            seen[what].append(simulated_s)
            analytic[what] = analytic_s
        means = [_mean(what, analytic[what], values) for what, values in seen.items() if len(values) > 1]
        if batch + 1 >= _BATCHES_MIN and all(each.half_width <= _SURE for each in means):
            return means, batch + 1
    return means, law.batches


def _batch(
    system: System, judged: Judgement, law: _Law, requests: int, *, seed: int
) -> Iterator[tuple[str, float, float]]:
    found = simulate(system, judged.placement, requests=requests, seed=seed, service=law.service, service_cv2=law.cv2)
    busy = too_busy(judged)
    paths = {bound.name: bound.components for bound in system.bounds}
    for each in found.components:
        if each.component not in busy:
            yield each.component, each.analytic_s, each.simulated_s
    for each in found.bounds:
        if busy.isdisjoint(paths[each.bound]) and len(paths[each.bound]) > 1:  # of one component: seen already
            yield each.bound, each.analytic_s, each.simulated_s


def _mean(what: str, analytic_s: float, values: list[float]) -> _Mean:
    """With Student's 97.5 % quantile to 1 % from four batches on."""
    simulated_s, freedom = fmean(values), len(values) - 1
    student = 1.96 + 2.37 / freedom + 2.82 / freedom**2 if freedom > 2 else math.inf
    return _Mean(what, analytic_s / simulated_s - 1.0, student * stdev(values) / math.sqrt(len(values)) / simulated_s)
