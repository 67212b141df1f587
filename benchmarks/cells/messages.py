"""Messages between ranks of cells, beside Open MPI, in turns: half a round trip, allreduce, exchange of halos.

    python benchmarks/cells/messages.py [--rounds 10] [--only ping] [--real-time]

Needs `mpicc` and `mpirun` (Debian: openmpi-bin, libopenmpi-dev). On one node by shared memory, free and bound to cores;
between nodes over TCP: ours between two emulated nodes, Open MPI restricted to `--mca btl tcp,self`. A ratio is the
median over the rounds of ours over Open MPI in the same round; times are medians. `--real-time` gives both sides
real-time priority (needs root): on a machine that does other things the figures mean little without it. Ends with 1 if
a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from _table import show

from ecotone.design.cells import build_module
from ecotone.execution.cells import Job, JobResult, run_job
from ecotone.execution.cells._network import Launcher
from ecotone.execution.cells._node import encode_part

PROGRAM = Path(__file__).parent / "programs" / "messages.c"
RUN_MAX_S = 120.0


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured, and what it may take."""

    what: str
    amount: int
    """Bytes, or doubles of an allreduce."""
    repeats: int
    ranks: int = 2
    nodes: int = 1
    bound: bool = False
    ratio_max: float | None = None
    """To Open MPI."""
    time_max_us: float | None = None

    @property
    def name(self) -> str:
        unit = "B" if self.what != "allreduce" else "doubles"
        where = "TCP, 2 nodes" if self.nodes > 1 else "bound" if self.bound else "free"
        return f"{self.what} {self.amount} {unit}, {self.ranks} ranks, {where}"


def cases() -> list[Case]:
    """The goals are those of the issue."""
    pings = [(8, 50000), (1024, 30000), (16384, 8000), (65536, 3000), (1 << 20, 300), (4 << 20, 60)]
    goals = {8: 2.0, 1 << 20: 1.2}
    found = [
        Case(what="ping", amount=amount, repeats=repeats, bound=bound, ratio_max=goals.get(amount) if bound else None)
        for bound in (True, False)
        for amount, repeats in pings
    ]
    found += [
        Case(what="allreduce", amount=1, repeats=20000, bound=True),
        Case(what="allreduce", amount=1, repeats=5000, ranks=4, ratio_max=2.0),
        Case(what="allreduce", amount=65536, repeats=100, ranks=4),
        Case(what="halo", amount=8192, repeats=3000, bound=True),
        Case(what="halo", amount=8192, repeats=1000, ranks=4),
    ]
    wires = {8: 50.0, 1 << 20: (1 << 20) / 1e9 * 1e6}
    found += [
        Case(what="ping", amount=amount, repeats=repeats // 20 + 20, nodes=2, time_max_us=wires.get(amount))
        for amount, repeats in pings
    ]
    found += [
        Case(what="allreduce", amount=1, repeats=1000, ranks=4, nodes=2),
        Case(what="halo", amount=8192, repeats=500, ranks=4, nodes=2),
    ]
    return found


def run_ours(module: Path, case: Case) -> float:
    with tempfile.TemporaryFile() as output:
        job = Job(
            module=module,
            ranks=case.ranks,
            arguments=(case.what, str(case.amount), str(case.repeats)),
            stdout=output.fileno(),
            bind=case.bound,
            time_max_s=RUN_MAX_S,
        )
        result = run_job(job) if case.nodes == 1 else run_on_nodes(job, case.nodes)
        if result.first:
            raise SystemExit(f"{case.name}: rank {result.first.rank}: {result.first.reason}")
        output.seek(0)
        return float(output.read())


def run_on_nodes(job: Job, nodes: int) -> JobResult:
    names = [f"node{number}" for number in range(nodes)]
    launcher = Launcher(job, {name: tuple(range(job.ranks))[number::nodes] for number, name in enumerate(names)})
    parts: list[subprocess.Popen[bytes]] = []
    for name in names:
        command = [sys.executable, "-m", "ecotone.execution.cells._node"]
        part = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[job.stdout])
        assert part.stdin is not None
        part.stdin.write(encode_part(launcher.part(name, "127.0.0.1")))
        part.stdin.close()
        parts.append(part)
    result = launcher.run()
    for part in parts:
        part.wait(20)
    return result


def run_theirs(program: Path, case: Case) -> float:
    command = ["mpirun", "--oversubscribe", "-np", str(case.ranks)]
    command += ["--bind-to", "core" if case.bound else "none"]
    if case.nodes > 1:
        command += ["--mca", "btl", "tcp,self"]
    command += [str(program), case.what, str(case.amount), str(case.repeats)]
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **root}, timeout=RUN_MAX_S
    )
    return float(done.stdout)


def measure(case: Case, sides: list[Callable[[Case], float]], rounds: int) -> tuple[float, float, float, float]:
    """Medians of both, and the ratio with its lowest and highest quarter."""
    ours, theirs = zip(*[[side(case) for side in sides] for _ in range(rounds)], strict=True)
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return statistics.median(ours), statistics.median(theirs), statistics.median(ratios), ratios[-1 - rounds // 4]


def goal_of(case: Case) -> str:
    if case.ratio_max:
        return f"<= {case.ratio_max}"
    return f"<= {case.time_max_us:.0f} us" if case.time_max_us else ""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", default="")
    parser.add_argument("--real-time", action="store_true")
    options = parser.parse_args()
    if not shutil.which("mpicc") or not shutil.which("mpirun"):
        raise SystemExit("Open MPI is not here: apt-get install openmpi-bin libopenmpi-dev")
    if options.real_time:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    rows, missed = [], False
    with tempfile.TemporaryDirectory() as folder:
        module, program = Path(folder) / "messages.wasm", Path(folder) / "messages"
        build_module([PROGRAM], module)
        subprocess.run(["mpicc", "-O2", str(PROGRAM), "-o", str(program)], check=True)
        sides = [lambda case: run_ours(module, case), lambda case: run_theirs(program, case)]
        for case in cases():
            if options.only not in case.name:
                continue
            ours, theirs, ratio, upper = measure(case, sides, options.rounds)
            good = ratio <= (case.ratio_max or ratio) and ours <= (case.time_max_us or ours)
            missed = missed or not good
            row = [f"{value:.2f}" for value in (ours, theirs, ratio, upper)]
            rows.append([case.name, *row, goal_of(case), "" if good else "MISSED"])
    title = f"Messages, us; medians of {options.rounds} rounds in turns"
    title += ", real-time priority" if options.real_time else ""
    show(title, ["what", "ours", "Open MPI", "ratio", "upper quarter", "goal", ""], rows)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
