"""Claim: the MPI program of usecases/galaxy runs in cells about as fast as its native build under Open MPI.

    python -m benchmarks.cells.galaxy [--bodies 3000] [--rounds 7]

Both compute the same; rounds are interleaved, and what counts is the program's own clock around its loop. Needs `mpicc`
and `mpirun` (Debian: openmpi-bin, libopenmpi-dev) for the native side, the extras `cells` and `cells-build` for ours.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks._table import median, show

from ecotone import CellRun
from ecotone.design.cells import build_module

SOURCE = Path(__file__).parents[2] / "usecases" / "galaxy" / "nbody.c"
FLAGS = {"gcc -O3 -march=native": ["-O3", "-march=native", "-ffast-math"], "gcc -O2": ["-O2"]}


def rate_of(output: bytes) -> float:
    """Million interactions/s, as the program says it."""
    found = re.search(rb"([\d.]+) million", output)
    assert found is not None, output
    return float(found[1])


def native(program: Path, ranks: int, arguments: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        command = ["mpirun", "--oversubscribe", "-n", str(ranks), str(program), *arguments]
        return rate_of(subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bodies", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    arguments = ["20", str(options.bodies)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cells = {"cell": folder / "nbody.wasm", "cell, -ffast-math": folder / "fast.wasm"}
        build_module([SOURCE], cells["cell"])
        build_module([SOURCE], cells["cell, -ffast-math"], ["-O3", "-ffast-math"])
        natives: dict[str, Path] = {}
        if shutil.which("mpicc"):
            for title, flags in FLAGS.items():
                natives[title] = folder / title.replace(" ", "")
                subprocess.run(["mpicc", *flags, str(SOURCE), "-o", str(natives[title]), "-lm"], check=True)
        else:
            print("mpicc is not installed (openmpi-bin, libopenmpi-dev): no native side")
        rows = []
        for ranks in (1, 2, 4):
            runs = {title: CellRun(module, ranks) for title, module in cells.items()}
            rates: dict[str, list[float]] = {title: [] for title in (*natives, *runs)}
            for _ in range(options.rounds):
                for title, program in natives.items():
                    rates[title].append(native(program, ranks, arguments))
                for title, run in runs.items():
                    rates[title].append(rate_of(run(*arguments).stdout))
            first = rates[next(iter(rates))]
            for title, found in rates.items():
                ratio = median([mine / other for mine, other in zip(found, first, strict=True)])
                rows.append([ranks, title, f"{median(found):.0f}", f"{ratio:.2f}"])
    title = f"n-body of usecases/galaxy, {options.bodies} bodies, medians of {options.rounds} interleaved rounds"
    show(title, ["ranks", "build", "million interactions/s", "of the first"], rows)


if __name__ == "__main__":
    main()
