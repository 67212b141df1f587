"""What it costs that cells can be moved: speed and size of movable modules against plain ones, and the pause of a move.

    python benchmarks/cells/asyncify.py [--rounds 9] [--only gemm,jacobi_mpi] [--pause] [--speed]

Speed: the kernels of `kernels/`, as parts of MPI programs since others are not changed, and two MPI programs on two
ranks, each built plain and movable from the same sources, run in turns; a ratio is the median over the rounds of
movable over plain in the same round, of the CPU seconds of the fastest repetition for kernels and of those of all ranks
for MPI programs. Both must print the same checksum.
Pause: two ranks that exchange messages all the time; one of them, which holds so much memory, is moved from process to
process. The program itself says how long it heard nothing.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _table import show

from ecotone.design.cells import build_module
from ecotone.execution.cells import Job, run_job
from ecotone.execution.cells._local import LocalJob

HERE = Path(__file__).parent
KERNELS, PROGRAMS = HERE / "kernels", HERE / "programs"
KINDS = ("dense", "numeric", "integer", "text")
MPI = {"jacobi_mpi": ("512", "500"), "conjugate_mpi": ("256", "800")}
SIZES_MIB = (0, 16, 64, 256)
SECONDS_A_RUN = 0.12


def run(module: Path, ranks: int, arguments: tuple[str, ...]) -> tuple[str, float]:
    """What the program has printed: a checksum and seconds."""
    with tempfile.TemporaryFile() as output:
        result = run_job(Job(module=module, ranks=ranks, arguments=arguments, stdout=output.fileno()))
        if result.first:
            raise SystemExit(f"{module.stem} failed: {result.first.reason}")
        output.seek(0)
        checksum, seconds = output.read().decode().split()
        return checksum, float(seconds)


def build(sources: list[Path], folder: Path, flags: list[str]) -> tuple[Path, Path]:
    """Plain and movable."""
    made = folder / f"{sources[0].stem}-plain.wasm", folder / f"{sources[0].stem}-movable.wasm"
    for target, movable in zip(made, (False, True), strict=True):
        build_module(sources, target, flags, movable=movable)
    return made


def compare(
    modules: tuple[Path, Path], ranks: int, arguments: tuple[str, ...] | None, rounds: int
) -> tuple[float, float]:
    """Seconds of the plain one and the ratio, medians."""
    if arguments is None:
        _, seconds = run(modules[0], ranks, ("2",))
        arguments = (str(max(3, min(60, round(SECONDS_A_RUN / seconds)))),)
    plain: list[float] = []
    ratios: list[float] = []
    for number in range(rounds):
        order = modules if number % 2 == 0 else modules[::-1]
        found = {module: run(module, ranks, arguments) for module in order}
        if found[modules[0]][0] != found[modules[1]][0]:
            raise SystemExit(f"{modules[0].stem}: the movable module computes something else")
        plain.append(found[modules[0]][1])
        ratios.append(found[modules[1]][1] / plain[-1])
    return statistics.median(plain), statistics.median(ratios)


def geometric(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def speed(wanted: set[str], rounds: int) -> None:
    programs = [(path, [path, PROGRAMS / "kernel_mpi.c"], [f"-I{KERNELS}"], 1, None)
                for kind in KINDS for path in sorted((KERNELS / kind).iterdir())]  # fmt: skip
    programs += [(PROGRAMS / f"{name}.c", [PROGRAMS / f"{name}.c"], [], 2, MPI[name]) for name in MPI]
    rows: list[list[str]] = []
    ratios: list[float] = []
    growth: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        for path, sources, flags, ranks, arguments in programs:
            if wanted and path.stem not in wanted:
                continue
            modules = build(sources, Path(place), ["-O3", *flags])
            seconds, ratio = compare(modules, ranks, arguments, rounds)
            print(f"{path.stem} {ratio:.3f}", file=sys.stderr, flush=True)
            sizes = [module.stat().st_size for module in modules]
            ratios.append(ratio)
            growth.append(sizes[1] / sizes[0])
            kind = "MPI, 2 ranks" if ranks > 1 else path.parent.name
            rows.append([kind, path.stem, f"{seconds * 1e3:.2f}", f"{ratio:.3f}", f"{sizes[0] >> 10}",
                         f"{growth[-1]:.2f}"])  # fmt: skip
    rows.append(["all", "geometric mean", "", f"{geometric(ratios):.3f}", "", f"{geometric(growth):.2f}"])
    show(f"Movable over plain modules, medians of {rounds} rounds in turns",
         ["class", "program", "plain, ms", "time ratio", "plain, KiB", "size ratio"], rows)  # fmt: skip


def move(job: LocalJob) -> tuple[float, float, int]:
    """Milliseconds to take rank 1 out and to put it back, and the size of the snapshot."""
    start = time.perf_counter()
    snapshot = job.take_out(1, 30.0)
    out = time.perf_counter()
    job.put_back(1, snapshot)
    back = time.perf_counter()
    size = os.fstat(snapshot).st_size
    os.close(snapshot)
    return (out - start) * 1e3, (back - out) * 1e3, size


def pause(moves: int) -> None:
    rows: list[list[str]] = []
    base: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        module = Path(place) / "moved.wasm"
        build_module([PROGRAMS / "moved.c"], module, ["-O3"])
        for size_mib in SIZES_MIB:
            pauses: list[float] = []
            outs: list[float] = []
            for _ in range(moves):
                with tempfile.TemporaryFile() as output:
                    arguments = (str(size_mib), "2")
                    with LocalJob(Job(module=module, ranks=2, arguments=arguments, stdout=output.fileno())) as job:
                        while not os.fstat(output.fileno()).st_size:
                            job.wait(0.01)
                        out, _, size = move(job)
                        result = job.wait()
                    assert result is not None
                    if result.first:
                        raise SystemExit(result.first.reason)
                    output.seek(0)
                    pauses.append(float(output.read().decode().split()[2]) * 1e3)
                    outs.append(out)
            middle = statistics.median(pauses)
            base.setdefault("pause", middle)
            per_mib = f"{(middle - base['pause']) / size_mib:.2f}" if size_mib else "-"
            rows.append([str(size_mib), f"{size / (1 << 20):.1f}", f"{statistics.median(outs):.1f}", f"{middle:.1f}",
                         f"{min(pauses):.1f}", per_mib])  # fmt: skip
    show(f"A move between processes of one node, its peer running, medians of {moves} moves",
         ["memory written, MiB", "snapshot, MiB", "taken out, ms", "pause, ms", "shortest, ms", "more per MiB, ms"],
         rows)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="")
    parser.add_argument("--pause", action="store_true")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    if options.speed or not options.pause:
        speed(set(filter(None, options.only.split(","))), options.rounds)
    if options.pause or not options.speed:
        pause(options.rounds)


if __name__ == "__main__":
    main()
