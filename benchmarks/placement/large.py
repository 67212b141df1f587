"""Claim 3: 30, 60 and 100 components. Each case has a process of its own, whose peak memory is told:

python -m benchmarks.placement.large COMPONENTS STRICTNESS SEED LIMIT_S
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.placement._cases import STRICTNESSES, note, warm_up
from benchmarks.placement._report import Claim, Report, worst

from ecotone.orchestration.placement.system.baseline import baseline
from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.search import Progress, search

__all__ = ["run"]

_GAP = 0.05
_MEMORY_MAX_MIB = 2048.0
_MEASURED_COMPONENTS = 100


def run(*, quick: bool) -> list[Report]:
    sizes, seeds, limit_s = ((30,), 1, 5.0) if quick else ((30, 60, 100), 1, 60.0)
    answers = [
        _in_a_process(components, strictness, seed, limit_s)
        for components in sizes
        for strictness in STRICTNESSES
        for seed in range(seeds)
    ]
    feasible = sum(each["feasible"] for each in answers)
    gaps = [each["gap"] for each in answers]
    dearer = [_dearer(each["baseline"], each["price"]) for each in answers]
    peaks_mib = [each["peak MiB"] for each in answers if each["components"] == _MEASURED_COMPONENTS]
    small = max(peaks_mib) < _MEMORY_MAX_MIB if peaks_mib else None
    return [
        Report(
            f"Large systems, {limit_s:g} s",
            tuple(answers[0]),
            [tuple(each.values()) for each in answers],
            (
                Claim("all feasible", f"{feasible}/{len(answers)}", feasible == len(answers)),
                Claim(f"certified gap <= {_GAP:.0%}", f"worst {worst(gaps):.1%}", worst(gaps) <= _GAP),
                Claim(
                    "peak memory < 2 GiB, 100 components",
                    f"worst {worst(peaks_mib):.0f} MiB" if peaks_mib else "not measured",
                    small,
                ),
                Claim("baseline dearer by", ", ".join(dearer)),
            ),
        )
    ]


def _dearer(other: float | None, price: float | None) -> str:
    return "found none" if other is None else "-" if price is None else f"{other / price - 1.0:.1%}"


def _in_a_process(components: int, strictness: str, seed: int, limit_s: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.placement.large", str(components), strictness, str(seed), str(limit_s)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    found = json.loads(done.stdout)
    note(f"{components} {strictness} {seed}: {found}")
    return found


def _measured(components: int, strictness: Any, seed: int, limit_s: float) -> dict[str, Any]:
    warm_up()
    system = generate(components, seed, strictness=strictness)
    course: list[Progress] = []
    found = search(system, time_limit_s=limit_s, progress=course.append)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    near = (e.wall_s for e in course if e.value is not None and e.value - e.lower_bound <= _GAP * e.value)
    other = baseline(system, rounds=None, time_limit_s=limit_s)
    return {
        "components": components,
        "strictness": strictness,
        "seed": seed,
        "feasible": found.best is not None and judge(system, found.best.placement).feasible,
        "price": found.value if math.isfinite(found.value) else None,
        "gap": found.gap if math.isfinite(found.gap) else 1.0,
        "gap <= 5 % s": next(near, None),
        "ended s": found.wall_s,
        "peak MiB": peak_mib,
        "baseline": other.price_eur_per_h if other.best is not None else None,
    }


if __name__ == "__main__":
    print(json.dumps(_measured(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
