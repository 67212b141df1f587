"""Collectives of cells beside Open MPI, in turns, on one node.

    python benchmarks/cells/collectives.py [--rounds 5] [--ranks 2,4,8,16]

Needs `mpicc` and `mpirun` (Debian: openmpi-bin, libopenmpi-dev). A ratio is the median over the rounds of ours over
Open MPI in the same round, the range its lowest and highest; times are medians, of one call. Both sides are not bound.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from ecotone.design.cells import build_module
from ecotone.execution.cells import Job, run_job

PROGRAM = Path(__file__).parent / "programs" / "collectives.c"
RUN_MAX_S = 300.0

Times = dict[tuple[str, int], float]
"""Microseconds a call, by collective and bytes of a block."""


def read_times(text: str) -> Times:
    rows = [line.split() for line in text.splitlines()]
    return {(row[0], int(row[1])): float(row[2]) for row in rows if len(row) == 3}


def run_ours(module: Path, ranks: int) -> Times:
    with tempfile.TemporaryFile() as output:
        result = run_job(Job(module=module, ranks=ranks, stdout=output.fileno(), time_max_s=RUN_MAX_S))
        if result.first:
            raise SystemExit(f"{ranks} ranks: rank {result.first.rank}: {result.first.reason}")
        output.seek(0)
        return read_times(output.read().decode())


def run_theirs(program: Path, ranks: int) -> Times:
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(ranks), str(program)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **root}, timeout=RUN_MAX_S
    )
    return read_times(done.stdout)


def show(ranks: int, rounds: list[tuple[Times, Times]]) -> None:
    print(f"\n{ranks} ranks{'':14}{'bytes':>8}{'ours, us':>12}{'Open MPI, us':>14}{'ratio':>8}   range")
    for key in rounds[0][0]:
        ours = [round_[0][key] for round_ in rounds]
        theirs = [round_[1][key] for round_ in rounds]
        ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
        print(
            f"{key[0]:21}{key[1]:8}{statistics.median(ours):12.1f}{statistics.median(theirs):14.1f}"
            f"{statistics.median(ratios):8.2f}   {ratios[0]:.2f}-{ratios[-1]:.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ranks", default="2,4,8,16")
    options = parser.parse_args()
    if not shutil.which("mpicc") or not shutil.which("mpirun"):
        raise SystemExit("Open MPI is not here: apt-get install openmpi-bin libopenmpi-dev")
    with tempfile.TemporaryDirectory() as folder:
        module, native = Path(folder) / "collectives.wasm", Path(folder) / "collectives"
        build_module([PROGRAM], module, ["-O3"])
        subprocess.run(["mpicc", "-O3", str(PROGRAM), "-o", str(native)], check=True)
        for ranks in map(int, options.ranks.split(",")):
            show(ranks, [(run_ours(module, ranks), run_theirs(native, ranks)) for _ in range(options.rounds)])


if __name__ == "__main__":
    main()
