"""Placing a system that somebody else described: read it, search (or judge a given placement), and say what was found.

Called by `ecotone plan --space4ai` and by notebooks. Unlike a `Session` it needs no application and keeps nothing.

from ecotone.session.systems import plan_system, system_document
print(system_document(plan_system(Path("system_description.json"), load_per_s=1.8)))
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ecotone.core.errors import InputError, UnavailableError
from ecotone.design.space4ai import LOAD_MAX, Mode, read_space4ai, read_space4ai_solution, space4ai_solution
from ecotone.infrastructure.files import replace_file
from ecotone.orchestration.placement.system.evaluate import Judgement, judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.model import Goal, Placement, System
from ecotone.orchestration.placement.system.questions import (
    By,
    Conflict,
    Front,
    LargestLoad,
    Relaxation,
    explain_infeasible,
    largest_load,
    pareto,
    replan,
    states_accuracy,
    states_power,
    with_load,
)
from ecotone.orchestration.placement.system.search import Found, Progress, search

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from ecotone.orchestration.placement.system.flows import Terms

__all__ = [
    "By",
    "Conflict",
    "Objective",
    "Partition",
    "Progress",
    "SystemFront",
    "SystemLoad",
    "SystemPlan",
    "front_document",
    "front_of",
    "judge_solution",
    "largest_load_of",
    "load_document",
    "partitions_of",
    "plan_system",
    "serverless_prices",
    "system_document",
    "write_solution",
]

Objective = Literal["price", "power"]

SEED_MAX = 2**31 - 1
_NO_POWER = "the description states no power; give resources idle_power_w and busy_power_w, in W for each copy"
_NO_ACCURACY = 'the description states no accuracy; add "Accuracy": {component: {deployment: number up to 1}}'


class SystemPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a system: `found` by a search, None where a given placement was judged; `judged` is the
    placement, None where none was found. `interrupted`: the search was stopped before it was done.

    Attributes:
        objective: what was made least.
        running: from which components were moved, where one was given; `moved` of them, of which `lost` could not stay,
            for `moving_eur_per_h` together.
        conflict: why there is no placement, where that is proven and there was time to find out.
    """

    file: str
    system: System
    semantics: Mode
    judged: Judgement | None
    found: Found | None = None
    interrupted: bool = False
    objective: Objective = "price"
    running: Placement | None = None
    moved: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    moving_eur_per_h: float = 0.0
    conflict: Conflict | None = None

    @property
    def load_per_s(self) -> float:
        """Requests per second that enter."""
        return next(iter(self.system.rates_per_s.values()))

    @property
    def feasible(self) -> bool:
        """Whether there is a placement that keeps every bound and rule."""
        return self.judged is not None and self.judged.feasible


class SystemFront(msgspec.Struct, frozen=True, kw_only=True):
    """The compromises of a system. `interrupted`: before all were found."""

    file: str
    system: System
    semantics: Mode
    front: Front
    interrupted: bool = False


class SystemLoad(msgspec.Struct, frozen=True, kw_only=True):
    """The largest load of a system, or of the placement in `solution`. `interrupted`: before it was known."""

    file: str
    system: System
    semantics: Mode
    solution: str | None
    found: LargestLoad
    interrupted: bool = False


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """A partition of a chosen deployment, where it runs: `rate_per_s` requests reach it, each takes `time_s`."""

    partition: str
    resource: str
    layer: str
    rate_per_s: float
    time_s: float


def plan_system(
    file: Path,
    *,
    load_per_s: float | None = None,
    semantics: Mode = "published",
    objective: Objective = "price",
    running: Path | None = None,
    moving_eur_per_h: float = 0.0,
    time_limit_s: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> SystemPlan:
    """Search the best placement of a system description of SPACE4AI; where there is none, find out why.

    Args:
        file: the description.
        load_per_s: requests per second that enter; None: what the file says.
        semantics: how to take what the published readers of the format disagree about.
        objective: what is made least.
        running: a solution from which components are moved; its resources may be gone.
        moving_eur_per_h: charged for each component that is moved: its price, divided by the hours for which it pays.
        time_limit_s: when to settle for the best placement so far; finding out why there is none gets what is left.
        gap: relative distance from the proven bound that is good enough (0: proven optimal).
        seed: of the search.
        progress: told, from other threads, whenever more is known.
        stop: when it is set, the search ends with the best placement so far.

    Raises:
        InputError: with every mistake of a file, its line and column; or an impossible load or seed.
    """
    system = _read(file, load_per_s, semantics)
    _check_seed(seed)
    if objective == "power" and not states_power(system):
        raise InputError(f"{file}: {_NO_POWER}")
    assert running is None or objective == "price", "moving has a price"
    placement = None if running is None else read_space4ai_solution(running, system, is_running=True)
    _load_solver()
    moved, lost, moving = (), (), 0.0
    if placement is None:
        goal = Goal(minimise=objective)
        found = search(
            system, goal, time_limit_s=time_limit_s, gap=gap, seed=seed, progress=progress, stop=stop
        )  # fmt: skip
    else:
        prices = dict.fromkeys(placement.deployments, moving_eur_per_h)
        again = replan(
            system, placement, prices, time_limit_s=time_limit_s, gap=gap, seed=seed, progress=progress, stop=stop
        )
        found, moved, lost, moving = again.found, again.moved, again.lost, again.moving_eur_per_h
    is_done = found.optimal or found.infeasible or found.gap <= gap
    left_s = time_limit_s - found.wall_s
    conflict = None
    if found.infeasible and not _is_set(stop) and left_s > 0.0:
        conflict = explain_infeasible(system, is_known=True, time_limit_s=left_s, seed=seed, stop=stop)
    return SystemPlan(
        file=str(file),
        system=system,
        semantics=semantics,
        judged=found.best,
        found=found,
        interrupted=_is_set(stop) and not is_done,
        objective=objective,
        running=placement,
        moved=moved,
        lost=lost,
        moving_eur_per_h=moving,
        conflict=conflict,
    )


def front_of(
    file: Path,
    by: By,
    *,
    load_per_s: float | None = None,
    semantics: Mode = "published",
    time_limit_s: float = 60.0,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> SystemFront:
    """Every compromise between the price of a system and its power or accuracy.

    Raises:
        InputError: as `plan_system`; or the description states no power or accuracy.
    """
    system = _read(file, load_per_s, semantics)
    _check_seed(seed)
    if by == "power" and not states_power(system):
        raise InputError(f"{file}: {_NO_POWER}")
    if by == "accuracy" and not states_accuracy(system):
        raise InputError(f"{file}: {_NO_ACCURACY}")
    _load_solver()
    found = pareto(system, by, time_limit_s=time_limit_s, seed=seed, progress=progress, stop=stop)
    return SystemFront(
        file=str(file),
        system=system,
        semantics=semantics,
        front=found,
        interrupted=_is_set(stop) and not found.complete,
    )


def largest_load_of(
    file: Path,
    *,
    solution: Path | None = None,
    load_per_s: float | None = None,
    semantics: Mode = "published",
    time_limit_s: float = 60.0,
    seed: int = 0,
    stop: threading.Event | None = None,
) -> SystemLoad:
    """The largest load that a system carries within every bound and rule.

    Args:
        solution: of this placement, copies and all; None: of any.
        load_per_s: where to begin; None: what the file says.

    Raises:
        InputError: as `plan_system`.
    """
    system = _read(file, load_per_s, semantics)
    _check_seed(seed)
    placement = None if solution is None else read_space4ai_solution(solution, system)
    if placement is None:
        _load_solver()
    found = largest_load(system, placement=placement, time_limit_s=time_limit_s, seed=seed, stop=stop)
    return SystemLoad(
        file=str(file),
        system=system,
        semantics=semantics,
        solution=None if solution is None else str(solution),
        found=found,
        interrupted=_is_set(stop) and not found.proven,
    )


def _load_solver() -> None:
    importlib.import_module("ortools.sat.python.cp_model")  # it takes long, and is not part of the search


def _is_set(stop: threading.Event | None) -> bool:
    return stop is not None and stop.is_set()


def _check_seed(seed: int) -> None:
    if not 0 <= seed <= SEED_MAX:
        raise InputError(f"the seed is {seed}; it must be from 0 to {SEED_MAX}")


def judge_solution(
    file: Path, solution: Path, *, load_per_s: float | None = None, semantics: Mode = "published"
) -> SystemPlan:
    """Judge a solution in SPACE4AI's format: what it costs and takes, and which bounds and rules it breaks.

    Raises:
        InputError: with every mistake of one of the files, its line and column.
    """
    system = _read(file, load_per_s, semantics)
    judged = judge(system, read_space4ai_solution(solution, system))
    return SystemPlan(file=str(file), system=system, semantics=semantics, judged=judged)


def _read(file: Path, load_per_s: float | None, semantics: Mode) -> System:
    if load_per_s is not None and not 0 < load_per_s <= LOAD_MAX:
        raise InputError(f"the load is {load_per_s:g} requests per second; it must be above 0 and at most {LOAD_MAX:g}")
    return read_space4ai(file, load_per_s=load_per_s, mode=semantics)


def write_solution(plan: SystemPlan, file: Path) -> None:
    """Write the placement in SPACE4AI's solution format.

    Raises:
        UnavailableError: the file cannot be written.
    """
    assert plan.judged is not None, "only what was found can be written"
    solution = space4ai_solution(plan.system, plan.judged, plan.load_per_s)
    data = msgspec.json.format(msgspec.json.encode(solution), indent=2) + b"\n"
    try:
        if file.exists() and not file.is_file():
            file.write_bytes(data)  # a pipe or a device stays one
        else:
            replace_file(file.resolve(), data)
    except OSError as error:
        raise UnavailableError(f"{file} cannot be written: {error.strerror}") from None


# What was found, as figures


def partitions_of(plan: SystemPlan) -> dict[str, tuple[Partition, ...]]:
    """By component: its chosen partitions in their order; empty where the placement makes no sense."""
    return {
        name: tuple(
            Partition(
                partition=partition,
                resource=terms.resource.name,
                layer=terms.resource.layer,
                rate_per_s=terms.rate_per_s,
                time_s=time_s,
            )
            for (partition, terms), time_s in zip(placed, _times_s(plan, name), strict=True)
        )
        for name, placed in _placed(plan).items()
    }


def serverless_prices(plan: SystemPlan) -> dict[str, float]:
    """By serverless function that is used: what it costs, in EUR/h."""
    prices: dict[str, list[float]] = {}
    for placed in _placed(plan).values():
        for _, terms in placed:
            if terms.resource.kind == "serverless":
                prices.setdefault(terms.resource.name, []).append(terms.price_eur_per_h)
    once = plan.system.semantics.shared_serverless_once
    return {name: max(each) if once else math.fsum(each) for name, each in prices.items()}


def _times_s(plan: SystemPlan, component: str) -> tuple[float, ...]:
    assert plan.judged is not None
    return plan.judged.partition_times_s[component]


def _placed(plan: SystemPlan) -> dict[str, list[tuple[str, Terms]]]:
    """By component: the names of its chosen partitions, with what each is where it runs."""
    judged = plan.judged
    if judged is None or not judged.partition_times_s:
        return {}
    flows = Flows(plan.system)
    found: dict[str, list[tuple[str, Terms]]] = {}
    for component in plan.system.components:
        chosen = judged.placement.deployments[component.name]
        deployment = next(each for each in component.deployments if each.name == chosen)
        rows = found[component.name] = []
        for at, resource in enumerate(judged.placement.resources[component.name]):
            partition = deployment.partitions[at]
            option = next(each for each in partition.options if each.resource == resource)
            rows.append((partition.name, flows.terms(component, deployment, at, option)))
    return found


def system_document(plan: SystemPlan) -> dict[str, Any]:
    """Everything as plain data for JSON; times in seconds, as in SPACE4AI's files; null where there is no figure."""
    found, judged, is_power = plan.found, plan.judged, plan.objective == "power"
    return {
        "system": plan.system.name,
        "file": plan.file,
        "semantics": plan.semantics,
        "load_per_s": plan.load_per_s,
        "feasible": plan.feasible,
        "infeasible": None if found is None else found.infeasible,
        "optimal": None if found is None else found.optimal,
        "interrupted": plan.interrupted,
        "cost_eur_per_h": None if judged is None else _finite(judged.price_eur_per_h),
        "power_w": None if judged is None or not states_power(plan.system) else judged.power_w,
        "objective": plan.objective,
        "lower_bound_eur_per_h": _finite(found.lower_bound) if found is not None and not is_power else None,
        "lower_bound_w": _finite(found.lower_bound) if found is not None and is_power else None,
        "gap": None if found is None else _finite(found.gap),
        "wall_s": None if found is None else found.wall_s,
        "rounds": None if found is None else found.rounds,
        "violations": [] if judged is None else msgspec.to_builtins(judged.violations),
        "conflict": [] if plan.conflict is None else [each.sentence for each in plan.conflict.items],
        "conflict_minimal": None if plan.conflict is None else plan.conflict.minimal,
        "relaxations": [] if plan.conflict is None else [_relaxation(each) for each in plan.conflict.relaxations],
        "moved": None if plan.running is None else list(plan.moved),
        "lost": None if plan.running is None else list(plan.lost),
        "moving_eur_per_h": None if plan.running is None else plan.moving_eur_per_h,
        "bounds": _bounds(plan),
        "resources": _resources(plan),
        "components": _components(plan),
        "solution": space4ai_solution(plan.system, judged, plan.load_per_s)
        if judged is not None and judged.feasible
        else None,
    }


def front_document(found: SystemFront) -> dict[str, Any]:
    """The compromises as plain data for JSON."""
    has_power = states_power(found.system)
    load_per_s = next(iter(found.system.rates_per_s.values()))
    return {
        "system": found.system.name,
        "file": found.file,
        "semantics": found.semantics,
        "load_per_s": load_per_s,
        "by": found.front.by,
        "complete": found.front.complete,
        "interrupted": found.interrupted,
        "wall_s": found.front.wall_s,
        "points": [
            {
                "cost_eur_per_h": each.price_eur_per_h,
                "power_w": each.power_w if has_power else None,
                "accuracy": each.accuracy,
                "proven": each.proven,
                "solution": space4ai_solution(found.system, each.judged, load_per_s),
            }
            for each in found.front.points
        ],
    }


def load_document(load: SystemLoad) -> dict[str, Any]:
    """The largest load as plain data for JSON."""
    found = load.found
    solution = None
    if found.judged is not None and found.load_per_s is not None:
        carried = with_load(load.system, found.factor or 1.0)
        solution = space4ai_solution(carried, found.judged, next(iter(carried.rates_per_s.values())))
    return {
        "system": load.system.name,
        "file": load.file,
        "semantics": load.semantics,
        "judged": load.solution,
        "load_per_s": next(iter(load.system.rates_per_s.values())),
        "largest_load_per_s": _entering(load, found.load_per_s),
        "impossible_load_per_s": _entering(load, found.impossible_per_s),
        "proven": found.proven,
        "tolerance": found.tolerance,
        "interrupted": load.interrupted,
        "wall_s": found.wall_s,
        "cost_eur_per_h": None if found.judged is None else found.judged.price_eur_per_h,
        "solution": solution,
    }


def _entering(load: SystemLoad, total_per_s: float | None) -> float | None:
    """At each entry, which all get the same: what SPACE4AI calls Lambda."""
    return None if total_per_s is None else total_per_s / len(load.system.rates_per_s)


def _relaxation(each: Relaxation) -> dict[str, Any]:
    return {
        "sentence": each.sentence,
        "what": each.item.what,
        "subject": each.item.subject or None,
        "asked": each.asked,
        "value": each.value,
        "relative_change": _finite(each.relative_change),
        "cost_eur_per_h": each.price_eur_per_h,
        "optimal": each.price_proven,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _bounds(plan: SystemPlan) -> list[dict[str, Any]]:
    times_s = {} if plan.judged is None else {each.bound: each.time_s for each in plan.judged.bounds}
    broken = (
        set[str]() if plan.judged is None else {each.subject for each in plan.judged.violations if each.what == "bound"}
    )
    return [
        {
            "bound": bound.name,
            "components": list(bound.components),
            "limit_s": bound.limit_s,
            "time_s": _finite(times_s.get(bound.name, math.inf)),
            "slack_s": _finite(bound.limit_s - times_s.get(bound.name, math.inf)),
            "kept": bound.name not in broken if bound.name in times_s else None,
        }
        for bound in plan.system.bounds
    ]


def _resources(plan: SystemPlan) -> list[dict[str, Any]]:
    if plan.judged is None:
        return []
    resources = {resource.name: resource for resource in plan.system.resources}
    prices = serverless_prices(plan)
    rows: list[dict[str, Any]] = []
    for use in plan.judged.uses:
        resource = resources[use.resource]
        lasts = resource.kind != "serverless"
        rows.append(
            {
                "resource": resource.name,
                "kind": resource.kind,
                "layer": resource.layer,
                "copies": use.copies if lasts else None,
                "copies_max": resource.copies_max if lasts else None,
                "utilisation": use.busy if lasts else None,
                "memory_bytes": use.memory_bytes,
                "memory_of_copy_bytes": resource.memory_bytes,
                "cost_eur_per_h": use.price_eur_per_h if lasts else prices[resource.name],
            }
        )
    return rows


def _components(plan: SystemPlan) -> list[dict[str, Any]]:
    if plan.judged is None:
        return []
    judged, flows = plan.judged, Flows(plan.system)
    return [
        {
            "component": name,
            "deployment": judged.placement.deployments[name],
            "rate_per_s": flows.rates_per_s[name],
            "time_s": _finite(judged.times_s[name]),
            "partitions": [
                {
                    key: _finite(value) if key == "time_s" else value
                    for key, value in msgspec.structs.asdict(row).items()
                }
                for row in rows
            ],
        }
        for name, rows in partitions_of(plan).items()
    ]
