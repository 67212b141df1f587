"""Runs CP-SAT on a formulation; called by the search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ortools.sat.python import cp_model

from ecotone.orchestration.placement.system._formulation import PARTS
from ecotone.orchestration.placement.system._stopping import when_set

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from ecotone.orchestration.placement.system._formulation import Formulation
    from ecotone.orchestration.placement.system.model import Placement

__all__ = ["solve"]

_SUBSOLVERS = ("core", "max_lp")
"""What closes these problems: unsatisfiable cores raise the bound, linear relaxations and their search the rest."""
_NOTHING_FOUND = {cp_model.INFEASIBLE: "infeasible", cp_model.UNKNOWN: "unknown"}


class _Listener(cp_model.CpSolverSolutionCallback):
    def __init__(self, formulation: Formulation, on_placement: Callable[[Placement], bool]) -> None:
        super().__init__()
        self._formulation = formulation
        self._on_placement = on_placement

    def on_solution_callback(self) -> None:
        if not self._on_placement(self._formulation.placement(self.value)):
            self.stop_search()


def solve(
    formulation: Formulation,
    *,
    seed: int,
    time_limit_s: float,
    gap: float,
    on_placement: Callable[[Placement], bool],
    on_bound: Callable[[float], None],
    stop: Event | None,
) -> str:
    """Search the formulation: `infeasible`, `optimal` (the last placement is), `feasible` or `unknown` (nothing found).

    `on_placement` gets each better placement and says whether to go on; `on_bound` each better lower bound.
    """
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    # OR-Tools 9.15 may certify a wrong optimum otherwise (google/or-tools#5293, docs/decisions/008).
    parameters.presolve_inclusion_work_limit = 0
    # One thread, in which the two take turns: the same question always gets the same answer.
    parameters.num_workers = 1
    parameters.interleave_search = True
    parameters.subsolvers.extend(_SUBSOLVERS)
    parameters.catch_sigint_signal = False
    parameters.random_seed = seed
    parameters.max_time_in_seconds = max(0.01, time_limit_s)
    if math.isfinite(gap):  # an infinite limit makes CP-SAT refuse the model
        parameters.relative_gap_limit = gap
    solver.best_bound_callback = lambda bound: on_bound(bound / PARTS)
    with when_set(stop, solver.stop_search):
        status = solver.solve(formulation.model, _Listener(formulation, on_placement))
    if status in _NOTHING_FOUND:
        return _NOTHING_FOUND[status]
    assert status != cp_model.MODEL_INVALID, formulation.model.validate()
    on_bound(solver.best_objective_bound / PARTS)
    return "optimal" if status == cp_model.OPTIMAL else "feasible"
