"""Claim: a cell is done 150 ms after its command, 90 ms after `python -m`, 3 ms after a running process asks for it.

    python benchmarks/cells/start.py [rounds]

All ways take turns in every round; medians, and the median of each round's ratio to `python -c pass`, which says more
than times on a machine that others use too: there, `chrt -r 20` in front of the command shows what the ways themselves
take (but not how late a job is ended: ranks that compute then never let go of the cores). `podman` and `mpirun` beside
it where they are installed; jobs without a pause between them, for which no processes can be made ready meanwhile; and
how late a job that takes too long is ended, by its own process and by the one that starts jobs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _table import median, show

from ecotone.design.cells import build_cell
from ecotone.execution.cells import Job, run_job
from ecotone.execution.cells.server import CellServer

HELLO = """
#include <mpi.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    if (argc > 1) for (;;) continue;
    puts("hello");
    MPI_Finalize();
    return 0;
}
"""
DEADLINE_S = 0.3
IN_A_ROW = 20
REST_S = 0.1
"""Before a job that comes alone: it finds all ready, as it would if nothing else ran."""
IMAGE = "localhost/hello"


def command_s(command: list[str]) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun_s = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=environment)
    return time.perf_counter() - begun_s


def alone_s(server: CellServer, cell: Path, ranks: int, nowhere: int) -> float:
    time.sleep(REST_S)
    return served_s(server, cell, ranks, nowhere)


def in_a_row_s(server: CellServer, cell: Path, ranks: int, nowhere: int) -> float:
    return median([served_s(server, cell, ranks, nowhere) for _ in range(IN_A_ROW)])


def served_s(server: CellServer, cell: Path, ranks: int, nowhere: int) -> float:
    begun_s = time.perf_counter()
    done = server.start(Job(module=cell, ranks=ranks, stdout=nowhere, stderr=nowhere)).wait(60)
    took_s = time.perf_counter() - begun_s
    assert done.result is not None
    assert done.result.exit_code == 0
    return took_s


def late_s(cell: Path, nowhere: int, server: CellServer | None = None) -> float:
    job = Job(module=cell, ranks=2, arguments=("for ever",), time_max_s=DEADLINE_S, stdout=nowhere, stderr=nowhere)
    begun_s = time.perf_counter()
    result = run_job(job) if server is None else server.start(job).wait(60).result
    took_s = time.perf_counter() - begun_s
    assert result is not None
    assert result.exit_code
    return took_s - DEADLINE_S


def native(folder: Path, source: Path) -> list[str] | None:
    if shutil.which("mpicc") is None or shutil.which("mpirun") is None:
        return None
    built = folder / "native"
    subprocess.run(["mpicc", "-O2", source, "-o", built], check=True)
    return ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "2", str(built)]


def podman() -> list[str] | None:
    if shutil.which("podman") is None:
        return None
    has_image = subprocess.run(["podman", "image", "exists", IMAGE], check=False).returncode == 0
    return ["podman", "run", "--rm", "--network", "none", IMAGE] if has_image else None


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, cell = folder / "hello.c", folder / "hello.cell"
        source.write_text(HELLO)
        build_cell([source], cell)
        python = sys.executable
        server = CellServer()
        try:
            ways: dict[str, Callable[[], float] | None] = {
                "python -c pass": lambda: command_s([python, "-c", "pass"]),
                "python -c 'import wasmtime'": lambda: command_s([python, "-c", "import wasmtime"]),
                "ecotone cell run hello.cell": lambda: command_s([python, "-m", "ecotone", "cell", "run", str(cell)]),
                "python -m ecotone.execution.cells hello.cell": lambda: command_s(
                    [python, "-m", "ecotone.execution.cells", str(cell)]
                ),
                "from a running process, 1 rank": lambda: alone_s(server, cell, 1, nowhere),
                "from a running process, 2 ranks": lambda: alone_s(server, cell, 2, nowhere),
                f"each of {IN_A_ROW} in a row, 1 rank": lambda: in_a_row_s(server, cell, 1, nowhere),
                f"each of {IN_A_ROW} in a row, 2 ranks": lambda: in_a_row_s(server, cell, 2, nowhere),
                "mpirun -np 2, native": with_command(native(folder, source)),
                "podman run": with_command(podman()),
                f"a job over its {DEADLINE_S} s: ended late by": lambda: late_s(cell, nowhere),
                "the same, from a running process": lambda: late_s(cell, nowhere, server),
            }
            report(ways, rounds)
        finally:
            server.close()
            os.close(nowhere)


def with_command(command: list[str] | None) -> Callable[[], float] | None:
    return None if command is None else lambda: command_s(command)


def report(ways: dict[str, Callable[[], float] | None], rounds: int) -> None:
    here = {name: way for name, way in ways.items() if way is not None}
    for way in here.values():
        way()  # caches
    taken: dict[str, list[float]] = {name: [] for name in here}
    for _ in range(rounds):
        for name, way in here.items():
            taken[name].append(way())
    unit = taken["python -c pass"]
    rows = []
    for name in ways:
        if name not in here:
            rows.append([name, "not here", "", "", ""])
            continue
        times = taken[name]
        ratio = median([each / one for each, one in zip(times, unit, strict=True)])
        figures = [f"{1000 * each:.1f}" for each in (median(times), min(times), max(times))]
        rows.append([name, *figures, f"{ratio:.2f}"])
    show(f"From the command to the end, ms, {rounds} interleaved rounds", ["", "median", "min", "max", "ratio"], rows)


if __name__ == "__main__":
    main()
