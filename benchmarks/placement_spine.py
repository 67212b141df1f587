"""Planning of the spine: how long a plan, its proof, its explanation and an impossible request take.

    python benchmarks/placement_spine.py [--cases 20]

The mobility-like application has 6 components on 3 node types; the random ones 15 components on about 10 nodes, seeded.
"cold" counts the import of OR-Tools and numpy in a fresh process. Everything is single-threaded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._table import median, show
from tests.support.applications import continuum, mobility, mobility_samples
from tests.support.random_cases import random_case

from ecotone.core.errors import InfeasibleError
from ecotone.core.plan import Assignment
from ecotone.orchestration.performance import predict_paths
from ecotone.orchestration.placement import compile_problem, explain, plan, search

REPEATS = 9
LIMIT_S = 20.0


def timed(act: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    act()
    return time.perf_counter() - started_s


def milliseconds(act: Callable[[], object]) -> str:
    act()
    return f"{1e3 * median([timed(act) for _ in range(REPEATS)]):.0f} ms"


def impossible() -> None:
    try:
        plan(mobility(promise_s=0.06, accuracy_min=0.9), continuum(), mobility_samples())
    except InfeasibleError:
        return
    raise AssertionError("this must have no plan")


def cold_s() -> float:
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.support.applications import *\n"
        "from ecotone.orchestration.placement import plan\n"
        "plan(mobility(), continuum(), mobility_samples())"
    )
    root = Path(__file__).resolve().parent.parent
    return timed(lambda: subprocess.run([sys.executable, "-c", code], check=True, cwd=root))


def mobility_rows() -> list[tuple[object, ...]]:
    application, where, samples = mobility(accuracy_min=0.9), continuum(), mobility_samples()
    found = plan(application, where, samples)
    rows = [Assignment(component=c.name, variant=c.variants[0].name, node="edge") for c in application.components]
    return [
        ("predict one assignment", milliseconds(lambda: predict_paths(rows, application, where, samples)), ""),
        ("plan, proven, cold process", f"{1e3 * median([cold_s() for _ in range(3)]):.0f} ms", "<= 1 s"),
        ("plan, proven", milliseconds(lambda: plan(application, where, samples)), "<= 1 s"),
        ("explain", milliseconds(lambda: explain(application, where, samples, found)), ""),
        ("impossible: conflict and relaxations", milliseconds(impossible), ""),
    ]


def random_rows(cases: int) -> list[tuple[object, ...]]:
    walls: list[float] = []
    proven = without = 0
    for seed in range(cases):
        problem = compile_problem(*random_case(seed, components=15, node_types=7, strictness=0.2))
        started_s = time.monotonic()
        found = search(problem, deadline_s=started_s + LIMIT_S)
        walls.append(time.monotonic() - started_s)
        proven += found.optimal or found.infeasible
        without += found.infeasible
    return [
        (
            f"{cases} random, 15 components",
            f"{median(walls):.2f} s",
            f"{max(walls):.2f} s",
            f"{proven}/{cases}",
            f"{without}",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20, help="random problems")
    arguments = parser.parse_args()
    show("Mobility-like: 6 components, 3 node types", ("what", "median", "goal"), mobility_rows())
    show("Larger", ("problems", "median", "worst", "closed", "have no plan"), random_rows(arguments.cases))


if __name__ == "__main__":
    main()
