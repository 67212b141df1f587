"""Placing a system that somebody else described: read it, search (or judge a given placement), and say what was found.

Called by `ecotone plan --space4ai` and by notebooks. Unlike a `Session` it needs no application and keeps nothing.

from ecotone.session.systems import plan_system, system_document
print(system_document(plan_system(Path("system_description.json"), load_per_s=1.8)))
"""

from __future__ import annotations

import gc
import importlib
import math
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.clock import SYSTEM_CLOCK
from ecotone.core.errors import InputError, UnavailableError
from ecotone.design.space4ai import LOAD_MAX, Mode, read_space4ai, read_space4ai_solution, space4ai_solution
from ecotone.infrastructure.files import replace_file
from ecotone.orchestration.placement.system.evaluate import Judgement, judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.model import System
from ecotone.orchestration.placement.system.search import Found, Progress, search

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from ecotone.orchestration.placement.system.flows import Terms

__all__ = [
    "Partition",
    "Progress",
    "SystemPlan",
    "judge_solution",
    "partitions_of",
    "plan_system",
    "serverless_prices",
    "system_document",
    "write_solution",
]

SEED_MAX = 2**31 - 1


class SystemPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a system: `found` by a search, None where a given placement was judged; `judged` is the
    placement, None where none was found. `interrupted`: the search was stopped before it was done."""

    file: str
    system: System
    semantics: Mode
    judged: Judgement | None
    found: Found | None = None
    interrupted: bool = False

    @property
    def load_per_s(self) -> float:
        """Requests per second that enter."""
        return next(iter(self.system.rates_per_s.values()))

    @property
    def feasible(self) -> bool:
        """Whether there is a placement that keeps every bound and rule."""
        return self.judged is not None and self.judged.feasible


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
    time_limit_s: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> SystemPlan:
    """Search the cheapest placement of a system description of SPACE4AI.

    Args:
        file: the description.
        load_per_s: requests per second that enter; None: what the file says.
        semantics: how to take what the published readers of the format disagree about.
        time_limit_s: when to settle for the best placement so far.
        gap: relative distance from the proven bound that is good enough (0: proven optimal).
        seed: of the search.
        progress: told, from other threads, whenever more is known.
        stop: when it is set, the search ends with the best placement so far.

    Raises:
        InputError: with every mistake of the file, its line and column; or an impossible load or seed.
    """
    system = _read(file, load_per_s, semantics)
    if not 0 <= seed <= SEED_MAX:
        raise InputError(f"the seed is {seed}; it must be from 0 to {SEED_MAX}")
    importlib.import_module("ortools.sat.python.cp_model")  # it takes long, and is not part of the search
    stop = threading.Event() if stop is None else stop
    clock = _StoppedClock(stop)
    with _halting(stop):
        found = search(
            system,
            time_limit_s=time_limit_s,
            gap=gap,
            seed=seed,
            progress=None if progress is None else clock.timed(progress),
            clock=clock,
        )
    found = msgspec.structs.replace(found, wall_s=clock.passed_s())
    is_done = found.optimal or found.infeasible or found.gap <= gap
    return SystemPlan(
        file=str(file),
        system=system,
        semantics=semantics,
        judged=found.best,
        found=found,
        interrupted=stop.is_set() and not is_done,
    )


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


# How a search is stopped


class _StoppedClock:
    """The search asks it what is left of its time: nothing, once `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._started_s = SYSTEM_CLOCK.monotonic_s()

    def monotonic_s(self) -> float:
        return math.inf if self._stop.is_set() else SYSTEM_CLOCK.monotonic_s()

    def wall_s(self) -> float:
        return SYSTEM_CLOCK.wall_s()

    def passed_s(self) -> float:
        return SYSTEM_CLOCK.monotonic_s() - self._started_s

    def timed(self, progress: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """The listener, told the time that has passed, also when the search believes that its time is up."""
        return lambda told: progress(msgspec.structs.replace(told, wall_s=self.passed_s()))


@contextmanager
def _halting(stop: threading.Event) -> Generator[None]:
    """While this lasts, `stop` also ends the solver's work, which looks at no clock of ours."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            if stop.is_set():
                _halt_solvers()

    watching = threading.Thread(target=watch, name="halt", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def _halt_solvers() -> None:
    """Ask every solver of this process to stop: the search hands none out, and there is no other."""
    module = sys.modules.get("ortools.sat.python.cp_model")
    if module is not None:
        for each in gc.get_objects():
            if type(each) is module.CpSolver:
                each.stop_search()


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
    found, judged = plan.found, plan.judged
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
        "lower_bound_eur_per_h": None if found is None else _finite(found.lower_bound),
        "gap": None if found is None else _finite(found.gap),
        "wall_s": None if found is None else found.wall_s,
        "rounds": None if found is None else found.rounds,
        "violations": [] if judged is None else msgspec.to_builtins(judged.violations),
        "bounds": _bounds(plan),
        "resources": _resources(plan),
        "components": _components(plan),
        "solution": space4ai_solution(plan.system, judged, plan.load_per_s)
        if judged is not None and judged.feasible
        else None,
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
