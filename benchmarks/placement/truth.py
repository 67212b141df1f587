"""Claim 4: what the evaluator says of the cheapest placements, beside simulations of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import msgspec
from benchmarks.placement._cases import STRICTNESSES, note
from benchmarks.placement._report import Claim, Report, middle, worst

from ecotone.orchestration.placement.system.evaluate import Judgement, judge
from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.model import System
from ecotone.orchestration.placement.system.search import search
from ecotone.orchestration.placement.system.simulate import Service, Simulated, simulate

__all__ = ["run"]

_LAWS: tuple[tuple[Service, float | None], ...] = (("exponential", None), ("lognormal", 4.0), ("deterministic", None))
_BUSY_MAX = 0.9
_SURE = 0.02
"""A mean whose 95 % confidence interval is wider than plus and minus this share of it tells nothing about 5 %."""
_PERCENTILE = 95.0
_FACTORS = (0.6, 0.8, 0.95, 1.05)
"""Limits, by the percentile that the cheapest placement without bounds has: but for the last, it breaks them."""
_REPLICATIONS = 20
_WALKED_MIN = 500
"""Requests in each replication from which on a 95th percentile is one."""


@dataclass
class _Errors:
    """Of the simulated means of one law, absolute and relative. `unsure`: left out for their confidence interval."""

    sure: list[float] = field(default_factory=list)
    unsure: int = 0
    requests: int = 0


def run(*, quick: bool) -> list[Report]:
    sizes, seeds, requests = ((5,), 1, 5_000) if quick else ((5, 7, 10, 15), 3, 50_000)
    return [_means(sizes, seeds, requests), _promises(sizes, 1 if quick else 2, 5_000 if quick else 20_000)]


def _means(sizes: tuple[int, ...], seeds: int, requests: int) -> Report:
    """Means over replications: of strict systems, whose bounds keep most resources from being busy all the time."""
    errors = {law: _Errors() for law, _ in _LAWS}
    for system in (generate(components, seed) for components in sizes for seed in range(seeds)):
        best = search(system).best
        if best is None:
            continue
        for law, cv2 in _LAWS:
            found = simulate(
                system, best.placement, requests=requests, replications=_REPLICATIONS, service=law, service_cv2=cv2
            )
            seen = errors[law]
            seen.requests += found.requests
            for error, is_sure in _compared(system, best, found):
                if is_sure:
                    seen.sure.append(error)
                else:
                    seen.unsure += 1
            note(f"{system.name} {law}: {found.requests} requests, worst so far {worst(seen.sure):.1%}")
    exponential = errors["exponential"].sure
    return Report(
        "Simulated means beside the evaluator's",
        ("service", "requests", "means", "median error", "worst error", "unsure, left out"),
        [(law, e.requests, len(e.sure), middle(e.sure), worst(e.sure), e.unsure) for law, e in errors.items()],
        (
            Claim(
                "means within 5 %, exponential service",
                f"median {middle(exponential):.2%}, worst {worst(exponential):.2%} of {len(exponential)}",
                worst(exponential) <= 0.05 if exponential else None,
            ),
        ),
    )


def _compared(system: System, judged: Judgement, found: Simulated) -> Iterator[tuple[float, bool]]:
    """Errors of components and bounds on nothing too busy, and whether each is surely known."""
    too_busy, paths = _too_busy(judged), _paths(system)
    times = [(each, (each.component,)) for each in found.components]
    times += [(each, paths[each.bound]) for each in found.bounds]
    for each, components in times:
        if too_busy.isdisjoint(components):
            yield abs(each.relative_error), each.half_width_s <= _SURE * each.simulated_s


def _too_busy(judged: Judgement) -> set[str]:
    """Components on resources that are busy for so much of their time that simulations would have to be far longer."""
    resources = {use.resource for use in judged.uses if use.busy > _BUSY_MAX}
    return {name for name, taken in judged.placement.resources.items() if not resources.isdisjoint(taken)}


def _paths(system: System) -> dict[str, tuple[str, ...]]:
    return {bound.name: bound.components for bound in system.bounds}


def _promises(sizes: tuple[int, ...], seeds: int, requests: int) -> Report:
    rows: list[tuple[str, int, float, float, float]] = []
    held: list[float] = []
    systems = (generate(n, seed, strictness=each) for n in sizes for each in STRICTNESSES for seed in range(seeds))
    for system, factor in product(systems, _FACTORS):
        promised = _promised(system, factor)
        best = search(promised, time_limit_s=20.0).best
        if best is None:
            note(f"{system.name}: no placement within {factor:g}")
            continue
        found = simulate(promised, best.placement, requests=requests, replications=_REPLICATIONS)
        too_busy, paths = _too_busy(best), _paths(system)
        counted = [
            each
            for each in found.bounds
            if each.requests >= _WALKED_MIN * _REPLICATIONS and too_busy.isdisjoint(paths[each.bound])
        ]
        shares = [each.held_share for each in counted]
        held += shares
        if counted:
            used = max(each.analytic_s / each.limit_s for each in counted)
            rows.append((system.name, len(shares), factor, used, min(shares)))
        note(f"{system.name}: limits by {factor:g}, held in {[f'{each:.0%}' for each in shares]}")
    overall = sum(held) / len(held) if held else math.nan
    below = sum(each < 0.95 for each in held)
    return Report(
        f"95th percentiles promised: {_REPLICATIONS} replications of {requests} requests",
        ("system", "promises", "limit factor", "most used of a limit", "worst held share"),
        rows,
        (
            Claim("p95 promises held in >= 95 % of replications", f"{overall:.1%} of all", overall >= 0.95),
            Claim("and each of them", f"{below} of {len(held)} are not", below == 0),
        ),
    )


def _promised(system: System, factor: float) -> System:
    """Bounds on percentiles, by those of the cheapest placement without any."""
    free = search(msgspec.structs.replace(system, bounds=())).best
    assert free is not None
    bounds = tuple(msgspec.structs.replace(each, percentile=_PERCENTILE) for each in system.bounds)
    times = judge(msgspec.structs.replace(system, bounds=bounds), free.placement).bounds
    limited = zip(bounds, times, strict=True)
    return msgspec.structs.replace(
        system, bounds=tuple(msgspec.structs.replace(bound, limit_s=factor * time.time_s) for bound, time in limited)
    )
