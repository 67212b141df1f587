"""Claim 6: what others find in the time of our proof, and in five times that: the baseline, which looks as SPACE4AI
does, and CP-SAT as it comes, with all cores, on our formulation."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.placement._cases import Case, generated, note
from benchmarks.placement._report import Claim, Report, middle, share, worst
from ortools.sat.python import cp_model

from ecotone.orchestration.placement.system._formulation import Formulation
from ecotone.orchestration.placement.system.baseline import baseline
from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.search import CHEAPEST, search

__all__ = ["run"]

_LIMIT_S = 60.0
_LONGER = 5


class _Compared(NamedTuple):
    """Prices over the optimum, as a share of it; infinite: nothing found. `cp_sat_proven`: in five times the time."""

    proven_s: float
    baseline: float
    baseline_longer: float
    cp_sat: float
    cp_sat_longer: float
    cp_sat_proven: bool


class _Course(cp_model.CpSolverSolutionCallback):
    """The cheapest placement that the evaluator confirms after so long; the formulation alone may believe in others."""

    def __init__(self, case: Case, formulation: Formulation, flows: Flows, started_s: float) -> None:
        super().__init__()
        self._case, self._formulation, self._flows, self._started_s = case, formulation, flows, started_s
        self.known: list[tuple[float, float]] = []

    def on_solution_callback(self) -> None:
        judged = judge(self._case.system, self._formulation.placement(self.value), self._flows)
        if judged.feasible:
            self.known.append((time.monotonic() - self._started_s, judged.price_eur_per_h))

    def price(self, wall_s: float) -> float:
        return min((price for when_s, price in self.known if when_s <= wall_s), default=math.inf)


def run(*, quick: bool) -> list[Report]:
    compared = [each for case in generated(*((7, 1) if quick else (15, 20))) if (each := _compared(case))]
    kinds = (
        ("baseline, equal time", [each.baseline for each in compared]),
        (f"baseline, {_LONGER} x", [each.baseline_longer for each in compared]),
        ("CP-SAT as it comes, equal time", [each.cp_sat for each in compared]),
        (f"CP-SAT as it comes, {_LONGER} x", [each.cp_sat_longer for each in compared]),
    )
    rows = [
        (who, middle(excess), worst(list(filter(math.isfinite, excess))), share([e <= 1e-6 for e in excess]), none)
        for who, excess in kinds
        for none in [sum(map(math.isinf, excess))]
    ]
    closed = sum(each.cp_sat_proven for each in compared)
    return [
        Report(
            f"Peers, {len(compared)} generated systems",
            ("who", "median over optimum", "worst found", "share optimal", "found none"),
            rows,
            (
                Claim("search proves in, median", f"{middle([each.proven_s for each in compared]):.2f} s"),
                Claim("baseline over the optimum, median", _percents(e.baseline for e in compared)),
                Claim(f"the same in {_LONGER} x the time", _percents(e.baseline_longer for e in compared)),
                Claim(f"CP-SAT as it comes proves in {_LONGER} x the time", f"{closed}/{len(compared)}"),
            ),
        )
    ]


def _percents(values: Iterable[float]) -> str:
    return f"{middle(list(values)):.1%}"


def _compared(case: Case) -> _Compared | None:
    """None: the optimum is not known."""
    found = search(case.system, time_limit_s=_LIMIT_S)
    if not found.optimal:
        note(f"{case.name}: not proven")
        return None
    once_s, longer_s = found.wall_s, _LONGER * found.wall_s
    equal, longer = (baseline(case.system, rounds=None, time_limit_s=each) for each in (once_s, longer_s))
    course, is_proven = _cp_sat(case, longer_s)
    note(f"{case.name}: {found.value:.3f}, baseline {equal.price_eur_per_h:.3f}, CP-SAT {course.price(once_s):.3f}")
    prices = (equal.price_eur_per_h, longer.price_eur_per_h, course.price(once_s), course.price(longer_s))
    is_proven = is_proven and course.price(longer_s) <= found.value + 1e-6
    return _Compared(found.wall_s, *(price / found.value - 1.0 for price in prices), is_proven)


def _cp_sat(case: Case, time_limit_s: float) -> tuple[_Course, bool]:
    """The default portfolio; building the formulation counts."""
    started_s = time.monotonic()
    flows = Flows(case.system)
    formulation = Formulation(flows, CHEAPEST, flows.copies)
    solver = cp_model.CpSolver()
    # The optimum may be wrong otherwise (google/or-tools#5293).
    solver.parameters.presolve_inclusion_work_limit = 0
    solver.parameters.max_time_in_seconds = max(0.01, time_limit_s - (time.monotonic() - started_s))
    course = _Course(case, formulation, flows, started_s)
    status = solver.solve(formulation.model, course)
    return course, status == cp_model.OPTIMAL
