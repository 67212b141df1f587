"""Claim 4, percentiles: whether what is promised of the 95th percentile holds in simulations."""

from __future__ import annotations

from itertools import product

import msgspec
from benchmarks.placement._cases import STRICTNESSES, note
from benchmarks.placement._report import Claim, Report, middle, share
from benchmarks.placement.truth import too_busy

from ecotone.orchestration.placement.system.evaluate import Judgement, judge
from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.model import System
from ecotone.orchestration.placement.system.search import search
from ecotone.orchestration.placement.system.simulate import SimulatedBound, simulate

__all__ = ["run"]

_PERCENTILE = 95.0
_FACTORS = (0.6, 0.8, 0.95, 1.05)
"""Limits, by the percentile that the cheapest placement without bounds has: but for the last, it breaks them."""
_REPLICATIONS = 20
_HELD_MIN = 0.95
_WALKED_MIN = 500
"""Requests in each replication from which on a 95th percentile is one."""
_TIGHT = 0.9
_LIMIT_S = 20.0


def run(*, quick: bool) -> list[Report]:
    sizes, seeds, requests = ((5,), 1, 5_000) if quick else ((5, 7, 10, 15), 2, 20_000)
    systems = (generate(n, seed, strictness=each) for n in sizes for each in STRICTNESSES for seed in range(seeds))
    rows: list[tuple[str, float, int, float, float]] = []
    counted: list[SimulatedBound] = []
    for system, factor in product(systems, _FACTORS):
        promised = _promised(system, factor)
        best = search(promised, time_limit_s=_LIMIT_S).best
        if best is None:
            note(f"{system.name}: no placement within {factor:g}")
            continue
        kept = _counted(promised, best, requests)
        note(f"{system.name}: within {factor:g}, held in {[f'{each.held_share:.0%}' for each in kept]}")
        if kept:
            counted += kept
            used, held = max(map(_used, kept)), min(each.held_share for each in kept)
            rows.append((system.name, factor, len(kept), used, held))
    return [
        Report(
            f"95th percentiles promised: {_REPLICATIONS} replications of {requests} requests",
            ("system", "limit factor", "promises", "most used of a limit", "least held"),
            rows,
            _claims(counted),
        )
    ]


def _claims(counted: list[SimulatedBound]) -> tuple[Claim, ...]:
    held, below = _held(counted), [each.held_share >= _HELD_MIN for each in counted].count(False)
    tight = [each for each in counted if _used(each) >= _TIGHT]
    errors = f"median {middle([each.relative_error for each in tight]):+.0%}" if tight else "-"
    return (
        Claim("p95 promises held in >= 95 % of replications", f"{held:.1%} of all", held >= _HELD_MIN),
        Claim("each of them", f"{below} of {len(counted)} are not", below == 0),
        Claim("those that use 90 % of the limit or more", f"{_held(tight):.1%} of {len(tight)}"),
        Claim("p95 of these, evaluator over simulation", errors),
        Claim(
            "p95 lower than simulated (optimistic), of all", f"{share([e.relative_error < 0.0 for e in counted]):.0%}"
        ),
    )


def _counted(system: System, judged: Judgement, requests: int) -> list[SimulatedBound]:
    """Bounds that enough requests walk, over nothing too busy."""
    found = simulate(system, judged.placement, requests=requests, replications=_REPLICATIONS)
    busy, paths = too_busy(judged), {bound.name: bound.components for bound in system.bounds}
    return [
        each
        for each in found.bounds
        if each.requests >= _WALKED_MIN * _REPLICATIONS and busy.isdisjoint(paths[each.bound])
    ]


def _held(bounds: list[SimulatedBound]) -> float:
    return sum(each.held_share for each in bounds) / len(bounds) if bounds else float("nan")


def _used(bound: SimulatedBound) -> float:
    return bound.analytic_s / bound.limit_s


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
