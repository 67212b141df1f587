"""NAS's kernels in C, which verify themselves, as cells: IS and EP at 1, 2, 4, 8 ranks, DT at its graphs' counts.

    python benchmarks/cells/nas.py --source FOLDER [--class S] [--work FOLDER]

FOLDER is `examples/smpi/NAS` of SimGrid 3.32's sources (Debian: `apt-get source simgrid`); nothing of it is kept here.
SimGrid's own additions (shared allocation, sampled loops, traces) are defined away; the kernels are as they are. Exits
with 1 if one does not verify.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ecotone.design.cells import build_module

# SimGrid's headers, as far as the kernels need them. DT ends with code 1 when all is well, which ends the whole job:
# so output is written before.
MPI_HEADER = """
#include <stdio.h>
#include <mpi.h>
#define SMPI_SHARED_MALLOC(bytes) malloc(bytes)
#define SMPI_SHARED_FREE(memory) free(memory)
#define SMPI_SAMPLE_GLOBAL(first, condition, step, iterations, threshold) for (first; condition; step)
#define MPI_Finalize() (fflush(NULL), MPI_Finalize())
"""
TRACE_HEADER = """
#define TRACE_smpi_set_category(name) ((void) (name))
"""
PROGRAMS = {
    "is": ["is.c", "nas_common.c"],
    "ep": ["ep.c", "nas_common.c"],
    "dt": ["dt.c", "nas_common.c", "DGraph.c"],
}
GRAPHS = ("BH", "WH", "SH")
DT_MOST = 64
TIME_MAX_S = 600.0


@dataclass
class Row:
    kernel: str
    ranks: int
    verified: bool
    time_s: float
    what: str


def build(source: Path, work: Path, kernel: str) -> Path:
    shims = work / "include"
    (shims / "smpi").mkdir(parents=True, exist_ok=True)
    (shims / "simgrid").mkdir(exist_ok=True)
    (shims / "smpi" / "mpi.h").write_text(MPI_HEADER)
    (shims / "simgrid" / "instr.h").write_text(TRACE_HEADER)
    target = work / f"{kernel}.wasm"
    build_module([source / name for name in PROGRAMS[kernel]], target, [f"-I{shims}", "-O3", "-w"])
    return target


def run(module: Path, ranks: int, arguments: list[str]) -> tuple[bool, float, str]:
    command = [
        sys.executable, "-m", "ecotone.execution.cells", str(module), "-n", str(ranks), "--time-max-s", str(TIME_MAX_S),
        "--", str(ranks), *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    verified = re.search(r"verification\s*=\s*SUCCESSFUL", text, re.IGNORECASE) is not None
    time = re.search(r"Time in seconds\s*=\s*([\d.]+)", text)
    return verified, float(time.group(1)) if time else float("nan"), text


def graph_nodes(text: str) -> int:
    """What DT answers when it is given too few ranks."""
    found = re.search(r"Number nodes in the graph = (\d+)", text)
    return int(found.group(1)) if found else 1


def rows(source: Path, work: Path, problem: str) -> list[Row]:
    found: list[Row] = []
    for kernel in ("is", "ep"):
        module = build(source, work, kernel)
        found += [report(Row(kernel.upper(), ranks, *run(module, ranks, [problem]))) for ranks in (1, 2, 4, 8)]
    module = build(source, work, "dt")
    for graph in GRAPHS:
        ranks = graph_nodes(run(module, 1, [problem, graph])[2])
        if ranks <= DT_MOST:
            found.append(report(Row(f"DT {graph}", ranks, *run(module, ranks, [problem, graph]))))
        else:
            print(f"DT {graph} needs {ranks} ranks: left out")
    return found


def report(row: Row) -> Row:
    print(
        f"{row.kernel:6} {row.ranks:3} ranks  {'verified' if row.verified else 'NOT verified':12} {row.time_s:8.2f} s"
    )
    if not row.verified:
        print("\n".join(row.what.splitlines()[-8:]))
    return row


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--class", dest="problem", default="S", help="S, W, A, ...")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "ecotone-nas")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    return 0 if all(row.verified for row in rows(options.source, options.work, options.problem)) else 1


if __name__ == "__main__":
    sys.exit(main())
