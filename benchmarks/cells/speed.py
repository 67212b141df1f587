"""Speed of code in cells against native code: kernels of four kinds, each built five ways and run in turns.

    python benchmarks/cells/speed.py [--rounds 7] [--only gemm,table] [--flags=-O2] [--check]

The cell is what `build_module` makes, run as any job is run: by wasmtime, and by the native tier, from the same module.
The reference is `zig cc -O3 -mcpu=x86_64` of the same sources; beside it stand `zig cc -O3 -mcpu=native`, which is
clang, and `gcc -O3 -march=native` where there is one: the faster of the two is the best build for this machine. A ratio
is the median over the rounds of the ratios within each, a class is the geometric mean of its kernels. Every kernel
prints a checksum, which must be the same on both tiers, and that of the reference: to the last digit for whole numbers,
to nine digits for others (gcc and clang fuse multiplications with additions for this machine, so they may differ).
`--check` only looks at that. `--cpu-time` counts only the time that a kernel has had a core: for busy machines.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _table import show

from ecotone.design.cells import build_module, library
from ecotone.design.cells.native import can_compile, native_code
from ecotone.execution.cells import Job, run_job
from ecotone.execution.cells.interface import Tier

KERNELS = Path(__file__).parent / "kernels"
CLASSES = ("dense", "numeric", "integer", "text")
GOALS = {"dense": 1.6, "text": 2.0, "all": 1.25}
NATIVE_GOALS = {"all": 1.0}
BEST_GOALS = {"all": 1.2}
KERNEL_GOAL = 1.6  # of each numeric kernel on the native tier, to the reference
DIGITS = 1e-9
SECONDS_A_RUN = 0.08
ZIG = [sys.executable, "-m", "ziglang"]
NATIVE = {
    "zig": ({".c": [*ZIG, "cc"], ".cpp": [*ZIG, "c++"]}, ["-O3", "-mcpu=x86_64"]),
    "clang": ({".c": [*ZIG, "cc"], ".cpp": [*ZIG, "c++"]}, ["-O3", "-mcpu=native"]),
    "gcc": ({".c": ["gcc"], ".cpp": ["g++"]}, ["-O3", "-march=native"]),
}
"""Compilers of C and C++ by the ending of a source, and flags."""
Run = Callable[[int], tuple[float, float]]
"""Runs a kernel so many times; gives its checksum and the seconds of the fastest."""


def sources(kernel: Path) -> list[Path]:
    return [kernel, KERNELS / "main.c"]


def build_cells(kernel: Path, folder: Path, flags: Sequence[str]) -> dict[str, Run]:
    """By tier, as far as this machine has them."""
    module = folder / f"{kernel.stem}.wasm"
    build_module(sources(kernel), module, [f"-I{KERNELS}", *flags])
    runs: dict[str, Run] = {"cell": lambda repetitions: run_cell(module, repetitions, "wasmtime")}
    if can_compile():
        native_code(module)
        runs["native"] = lambda repetitions: run_cell(module, repetitions, "native")
    return runs


def run_cell(module: Path, repetitions: int, tier: Tier) -> tuple[float, float]:
    with tempfile.TemporaryFile() as output:
        result = run_job(Job(module=module, arguments=(str(repetitions),), stdout=output.fileno(), tier=tier))
        if result.first:
            raise SystemExit(f"{module.stem} failed in the cell: {result.first.reason}")
        output.seek(0)
        return read_result(output.read().decode())


def build_native(kernel: Path, folder: Path, name: str, more: Sequence[str]) -> Run:
    drivers, flags = NATIVE[name]
    flags = [*flags, *more]
    objects = []
    for source in sources(kernel):
        objects.append(folder / f"{kernel.stem}-{name}-{source.stem}.o")
        command([*drivers[source.suffix], *flags, f"-I{KERNELS}", "-c", str(source), "-o", str(objects[-1])])
    target = folder / f"{kernel.stem}-{name}"
    command([*drivers[kernel.suffix], *flags, *map(str, objects), "-lm", "-o", str(target)])
    return lambda repetitions: run_native(target, repetitions)


def command(words: Sequence[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}")


def run_native(program: Path, repetitions: int) -> tuple[float, float]:
    return read_result(subprocess.run([program, str(repetitions)], capture_output=True, text=True, check=True).stdout)


def read_result(output: str) -> tuple[float, float]:
    checksum, seconds = output.split()
    return float(checksum), float(seconds)


def same(a: float, b: float) -> bool:
    return a == b if b == int(b) else math.isclose(a, b, rel_tol=DIGITS)


def check(name: str, builds: dict[str, Run]) -> int:
    """Compares checksums; returns how many repetitions make a run long enough to be timed."""
    found = {build: run(1) for build, run in builds.items()}
    cell, zig = found["cell"][0], found["zig"][0]
    if not same(cell, zig):
        raise SystemExit(f"{name}: checksum {cell!r} of the cell is not that of the native program, {zig!r}")
    if "native" in found and found["native"][0] != cell:
        raise SystemExit(
            f"{name}: checksum {found['native'][0]!r} of the native tier is not that of wasmtime, {cell!r}"
        )
    return max(3, min(50, round(SECONDS_A_RUN / found["zig"][1])))


def measure(name: str, builds: dict[str, Run], rounds: int) -> dict[str, float]:
    """Medians over the rounds of seconds over those of the reference, and the reference's own median seconds."""
    repetitions = check(name, builds)
    ratios: dict[str, list[float]] = {build: [] for build in builds} | {"native / best": []}
    for _ in range(rounds):
        seconds = {build: run(repetitions)[1] for build, run in builds.items()}
        for build, value in seconds.items():
            ratios[build].append(value if build == "zig" else value / seconds["zig"])
        best = min(seconds[name] for name in ("clang", "gcc") if name in seconds)
        ratios["native / best"].append(seconds.get("native", math.nan) / best)
    return {build: statistics.median(values) for build, values in ratios.items()}


def geometric(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(math.log(value) for value in values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--flags", default="-O3")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--cpu-time", action="store_true")
    options = parser.parse_args()
    wanted = set(filter(None, options.only.split(",")))
    kernels = [path for kind in CLASSES for path in sorted((KERNELS / kind).iterdir())]
    kernels = [kernel for kernel in kernels if not wanted or kernel.stem in wanted]
    compilers = [name for name in NATIVE if name != "gcc" or shutil.which("g++")]
    defined = ["-DCPU_TIME"] if options.cpu_time else []
    library()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)

        def build(kernel: Path) -> dict[str, Run]:
            cells = build_cells(kernel, folder, [*options.flags.split(), *defined])
            return {**cells, **{name: build_native(kernel, folder, name, defined) for name in compilers}}

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            builds = dict(zip(kernels, pool.map(build, kernels), strict=True))
        if options.check:
            for kernel in kernels:
                check(kernel.stem, builds[kernel])
            print(f"{len(kernels)} kernels give the same checksums in a cell and natively")
            return
        results: dict[Path, dict[str, float]] = {}
        for kernel in kernels:
            print(kernel.stem, end=" ", file=sys.stderr, flush=True)
            results[kernel] = measure(kernel.stem, builds[kernel], options.rounds)
    report(results, options.rounds, options.flags)


COLUMNS = ("cell", "native", "clang", "gcc")


def report(results: dict[Path, dict[str, float]], rounds: int, flags: str) -> None:
    def row(result: dict[str, float]) -> list[str]:
        return [f"{result.get(name, math.nan):.2f}" for name in (*COLUMNS, "native / best")]

    titles = ["cell / zig", "native tier / zig", "clang native / zig", "gcc native / zig", "native tier / best"]
    title = f"Kernels: cells (built with {flags}) and native builds over zig cc, medians of {rounds} rounds"
    show(
        title,
        ["class", "kernel", "zig cc, ms", *titles],
        [
            [kernel.parent.name, kernel.stem, f"{result['zig'] * 1e3:.2f}", *row(result)]
            for kernel, result in results.items()
        ],
    )
    means = []
    for kind in (*CLASSES, "all"):
        chosen = [result for kernel, result in results.items() if kind in (kernel.parent.name, "all")]
        if chosen:
            mean = {name: geometric([result.get(name, math.nan) for result in chosen]) for name in chosen[0]}
            goals = [str(goal.get(kind, "-")) for goal in (GOALS, NATIVE_GOALS, BEST_GOALS)]
            means.append([kind, len(chosen), *row(mean), *goals])
    show("Geometric means", ["class", "kernels", *titles, "goal of cell", "of native tier", "to best"], means)
    slow = [
        f"{kernel.stem} {result['native']:.2f}"
        for kernel, result in results.items()
        if kernel.parent.name in ("dense", "numeric") and result.get("native", 0) > KERNEL_GOAL
    ]
    print(f"Numeric kernels above {KERNEL_GOAL} on the native tier: {', '.join(slow) or 'none'}")


if __name__ == "__main__":
    main()
