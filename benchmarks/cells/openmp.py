"""OpenMP in cells beside libgomp, in turns: costs of constructs, kernels on two threads, a cap that changes, a storm.

    python benchmarks/cells/openmp.py [--rounds 7] [--only constructs,kernels,cap,storm] [--storm 500] [--tiers ...]
                                      [--real-time]

libgomp's side is `gcc -O3 -fopenmp -march=native` of the same sources. Figures are medians over the rounds, ratios
medians of ours over libgomp's in the same round. The speed-up of a kernel is its time with one thread over that with
two. The storm is a program of our suite (tasks, memory, files, containers), half of its runs with a cap of threads that
changes all the time. `--real-time` gives all sides real-time priority (needs root): on a machine that does other things
the figures mean little without it. Ends with 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from _table import show
from tests.openmp.suite import build_cells, judge, programs, run_cell

from ecotone.design.cells import build_module
from ecotone.design.cells.native import can_compile, native_code
from ecotone.execution.cells import Job, run_job
from ecotone.execution.cells._control import write_cap
from ecotone.execution.cells._local import LocalJob
from ecotone.execution.cells._region import control_pages
from ecotone.execution.cells.interface import Tier

SOURCES = Path(__file__).parent / "programs"
THREADS = 2
RUN_MAX_S = 120.0
CONSTRUCTS_MAX = {"region": 1.0, "barrier": 1.0}
"""Of libgomp's times."""
KERNEL_MAX = 1.2
"""Of libgomp's times, natively."""
SPEED_UP_MIN = 0.95
"""Of libgomp's: "the same" but for noise."""
OBEYED_MAX_S = 0.010
CHANGES = 40
Measure = Callable[[], dict[str, list[float]]]
"""Runs a program once; gives its figures by name."""


def measures(name: str, folder: Path, tiers: Sequence[Tier]) -> dict[str, Measure]:
    """How to run a program by libgomp, if there is gcc, and as a cell on each tier."""
    source = SOURCES / f"openmp_{name}.c"
    found: dict[str, Measure] = {}
    if shutil.which("gcc"):
        native = folder / name
        subprocess.run(["gcc", "-O3", "-march=native", "-fopenmp", str(source), "-o", str(native), "-lm"], check=True)
        found["libgomp"] = lambda: read(run_native(native))
    module = build(source, folder, tiers)
    for tier in tiers:
        found[tier] = lambda tier=tier: read(run_in_cell(module, tier))
    return found


def build(source: Path, folder: Path, tiers: Sequence[Tier]) -> Path:
    module = folder / f"{source.stem}.wasm"
    build_module([source], module, ["-O3", "-fopenmp"])
    if "native" in tiers:
        native_code(module)
    return module


def run_native(program: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
    done = subprocess.run([program], capture_output=True, text=True, env=environment, timeout=RUN_MAX_S, check=True)
    return done.stdout


def run_in_cell(module: Path, tier: Tier) -> str:
    with tempfile.TemporaryFile() as output:
        job = Job(module=module, tier=tier, threads=THREADS, stdout=output.fileno(), time_max_s=RUN_MAX_S)
        result = run_job(job)
        if result.first:
            raise SystemExit(f"{module.stem}, {tier}: {result.first.reason}")
        output.seek(0)
        return output.read().decode()


def read(text: str) -> dict[str, list[float]]:
    """Lines of a name, which may have spaces, and figures."""
    found: dict[str, list[float]] = {}
    for line in text.splitlines():
        words = line.split()
        numbers = [word for word in words if word[0].isdigit() or word[0] == "-"]
        found[" ".join(words[: len(words) - len(numbers)])] = [float(number) for number in numbers]
    return found


def in_turns(sides: dict[str, Measure], rounds: int) -> list[dict[str, dict[str, list[float]]]]:
    """What each side measures, round by round."""
    for measure in sides.values():
        measure()  # wasmtime compiles now, and files are read
    with priority():
        return [{side: measure() for side, measure in sides.items()} for _ in range(rounds)]


class Priority:
    """Whether what is measured has real-time priority, which is asked for on the command line."""

    real_time = False


@contextlib.contextmanager
def priority() -> Iterator[None]:
    """For what this process starts meanwhile."""
    if Priority.real_time:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    try:
        yield
    finally:
        if Priority.real_time:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def constructs(folder: Path, tiers: Sequence[Tier], rounds: int) -> list[str]:
    found = in_turns(measures("overheads", folder, tiers), rounds)
    rows, missed = [], []
    for name in found[0][tiers[0]]:
        row: list[object] = [name]
        if "libgomp" in found[0]:
            row.append(f"{middle([one['libgomp'][name][0] for one in found]):.3f}")
        for tier in tiers:
            row.append(f"{middle([one[tier][name][0] for one in found]):.3f}")
            if "libgomp" in found[0]:
                ratio = middle([one[tier][name][0] / one["libgomp"][name][0] for one in found])
                row.append(f"{ratio:.2f}")
                if ratio > CONSTRUCTS_MAX.get(name, float("inf")):
                    missed.append(f"{name}, {tier}: {ratio:.2f} times libgomp's")
        rows.append(row)
    show(f"Constructs on {THREADS} threads, microseconds", header(found[0], tiers, "construct"), rows)
    return missed


def header(sides: dict[str, object], tiers: Sequence[Tier], first: str) -> list[str]:
    names = [first]
    if "libgomp" not in sides:
        return [*names, *tiers]
    names.append("libgomp")
    for tier in tiers:
        names += [tier, "ratio"]
    return names


def kernels(folder: Path, tiers: Sequence[Tier], rounds: int) -> list[str]:
    found = in_turns(measures("kernels", folder, tiers), rounds)
    rows, missed = [], []
    for name in found[0][tiers[0]]:
        row: list[object] = [name]
        for side in found[0]:
            two, speed_up = (middle([figure(one[side][name]) for one in found]) for figure in (with_two, speed_up_of))
            row += [f"{two * 1e3:.2f}", f"{speed_up:.2f}"]
            if side == "libgomp" or "libgomp" not in found[0]:
                continue
            if abs(found[0][side][name][2] - found[0]["libgomp"][name][2]) > 1e-6 * abs(found[0][side][name][2]):
                missed.append(f"{name}, {side}: another result than natively")
            ratio = middle([one[side][name][1] / one["libgomp"][name][1] for one in found])
            gain = middle([speed_up_of(one[side][name]) / speed_up_of(one["libgomp"][name]) for one in found])
            row.append(f"{ratio:.2f}")
            if side == "native" and ratio > KERNEL_MAX:
                missed.append(f"{name}, {side}: {ratio:.2f} times libgomp's time")
            if gain < SPEED_UP_MIN:
                missed.append(f"{name}, {side}: {gain:.2f} of libgomp's speed-up")
        rows.append(row)
    names = ["kernel"]
    for side in found[0]:
        names += [f"{side} ms", "speed-up"] + (["ratio"] if side != "libgomp" and "libgomp" in found[0] else [])
    show(f"Kernels on {THREADS} threads", names, rows)
    return missed


def with_two(figures: Sequence[float]) -> float:
    return figures[1]


def speed_up_of(figures: Sequence[float]) -> float:
    return figures[0] / figures[1]


def cap(folder: Path, tiers: Sequence[Tier], _rounds: int) -> list[str]:
    """How long after a change of the cap the first region with the new number of threads begins."""
    module = build(SOURCES / "openmp_cap.c", folder, tiers)
    rows, missed = [], []
    for tier in tiers:
        run_changing(module, tier, 2)  # wasmtime compiles now
        with priority():
            delays, longest_s = obeyed_after(*run_changing(module, tier, CHANGES))
        rows.append(
            [tier, len(delays), f"{middle(delays) * 1e3:.2f}", f"{max(delays) * 1e3:.2f}", f"{longest_s * 1e3:.2f}"]
        )
        if len(delays) < CHANGES or max(delays) > OBEYED_MAX_S:
            missed.append(
                f"cap, {tier}: {len(delays)} of {CHANGES} obeyed, the latest after {max(delays) * 1e3:.1f} ms"
            )
    names = ["tier", "changes", "obeyed after ms", "at most ms", "longest between regions ms"]
    show("A changed cap of threads, at the next region", names, rows)
    return missed


def run_changing(module: Path, tier: Tier, changes: int) -> tuple[list[tuple[float, int]], str]:
    """The changes (when, to how many), and what the program prints about its regions."""
    made: list[tuple[float, int]] = []
    with tempfile.TemporaryFile() as output:
        seconds = str(changes * 0.08 + 1)
        job = Job(
            module=module, arguments=(seconds,), tier=tier, threads=THREADS, threads_most=4, stdout=output.fileno(),
            time_max_s=RUN_MAX_S,
        )  # fmt: skip
        with LocalJob(job) as running:
            running.wait(0.5)
            for change in range(changes):
                threads = 1 + (change % 3)
                for region, offset in control_pages([os.getpid()]):
                    made.append((time.monotonic(), threads))
                    write_cap(region, offset, threads)
                running.wait(0.05)
            result = running.wait()
        assert result is not None
        if result.first:
            raise SystemExit(f"{module.stem}, {tier}: {result.first.reason}")
        output.seek(0)
        return made, output.read().decode()


def obeyed_after(made: list[tuple[float, int]], text: str) -> tuple[list[float], float]:
    """Seconds from each change to the first region that has the new size, and the longest from region to region."""
    regions = [tuple(map(int, line.split())) for line in text.splitlines() if line[0].isdigit()]
    longest_s = int(text.rsplit(maxsplit=1)[-1]) * 1e-9
    delays: list[float] = []
    for when, threads in made:
        begun = next((begun for begun, size in regions if begun * 1e-9 >= when - 1e-3 and size == threads), None)
        if begun is not None:
            delays.append(max(0.0, begun * 1e-9 - when))
    return delays, longest_s


def storm(folder: Path, tiers: Sequence[Tier], runs: int) -> list[str]:
    program = programs(("other/storm.cpp",))[0]
    module = build_cells([program], folder)
    if "native" in tiers:
        native_code(module)
    rows, missed = [], []
    for tier in tiers:
        wrong: list[str] = []
        begun = time.monotonic()
        for number in range(runs):
            changing = number if number % 2 else None
            outcome = run_cell(module, program, program.runs[0], tier, changing=changing, time_max_s=60.0)
            if told := judge(outcome, None):
                wrong.append(f"run {number}: {told}")
        rows.append([tier, runs, len(wrong), f"{(time.monotonic() - begun) / runs * 1e3:.0f}"])
        missed += [f"storm, {tier}, {one}" for one in wrong[:5]]
    show("Storm of tasks, memory, files, containers", ["tier", "runs", "wrong or hanging", "ms a run"], rows)
    return missed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="constructs,kernels,cap,storm")
    parser.add_argument("--storm", type=int, default=500, help="runs on each tier")
    parser.add_argument("--tiers", default="wasmtime,native" if can_compile() else "wasmtime")
    parser.add_argument("--real-time", action="store_true")
    options = parser.parse_args()
    Priority.real_time = options.real_time
    tiers: list[Tier] = [tier for tier in ("wasmtime", "native") if tier in options.tiers.split(",")]
    missed: list[str] = []
    parts = {"constructs": constructs, "kernels": kernels, "cap": cap, "storm": storm}
    with tempfile.TemporaryDirectory(prefix="ecotone-openmp-") as folder:
        for name in options.only.split(","):
            missed += parts[name](Path(folder), tiers, options.storm if name == "storm" else options.rounds)
    for one in missed:
        print(f"missed: {one}")
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
