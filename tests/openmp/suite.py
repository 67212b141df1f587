"""The OpenMP suite: its programs, and how each is built and run, natively by gcc as oracle, and as a cell.

Called by the test beside it, which runs a selection, and by `benchmarks/cells/openmp_suite.py`, which runs all. A
program in `programs/SECTION/` checks itself: it ends with 0 and says "all passed" last. What it prints does not depend
on the runtime or on how many threads there are, so it must be the same everywhere. Its first lines may say:

    // run: OMP_NAME=VALUE ...             one run with these variables in the environment; without any, it is run once
    // run in cells: OMP_NAME=VALUE (why)  a run that gcc's runtime cannot do
    // gcc: why                            gcc 12 cannot build it or does it wrongly; only the program checks itself
    // cell: why                           the compiler of cells cannot build it or does it wrongly
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ecotone.design.cells import build_module, compile_object
from ecotone.execution.cells import Folder, Job
from ecotone.execution.cells._control import write_cap
from ecotone.execution.cells._local import LocalJob
from ecotone.execution.cells._region import control_pages
from ecotone.execution.cells.interface import JobResult, Tier

__all__ = [
    "Outcome",
    "Program",
    "Run",
    "batches",
    "build_cells",
    "build_oracle",
    "has_oracle",
    "judge",
    "programs",
    "run_cell",
    "run_oracle",
]

PROGRAMS = Path(__file__).parent / "programs"
THREADS = 4
"""Of a team whose size the program leaves open; more than cores on small machines, which is the harder case."""
FLAGS = {".c": ["-std=gnu11"], ".cpp": ["-std=c++20"]}
_LINE = re.compile(r"^// (run|run in cells|gcc|cell):(.*)$", re.MULTILINE)
_CHANGES_EVERY_S = 0.002


@dataclass(frozen=True)
class Run:
    """One run of a program: its variables of the environment, and whether gcc's runtime can do it."""

    environment: tuple[tuple[str, str], ...] = ()
    oracle: bool = True

    @property
    def name(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.environment)


@dataclass(frozen=True)
class Program:
    source: Path
    runs: tuple[Run, ...]
    no_oracle: str
    """Why gcc is no oracle for it; empty if it is."""
    no_cell: str
    """Why it cannot be a cell; empty if it can."""

    @property
    def section(self) -> str:
        return self.source.parent.name

    @property
    def name(self) -> str:
        return f"{self.section}/{self.source.name}"

    @property
    def stem(self) -> str:
        return f"{self.section}-{self.source.stem}"


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its exit code and what it has written to its output; why, if it did not end by itself."""

    code: int
    text: str
    reason: str = ""


def programs(only: Sequence[str] = ()) -> list[Program]:
    """All programs, or those of the given sections or names ("loops", "loops/ordered.c")."""
    found = [_read(path) for path in sorted(PROGRAMS.glob("*/*.c*"))]
    return [program for program in found if not only or program.section in only or program.name in only]


def _read(source: Path) -> Program:
    runs: list[Run] = []
    reasons = {"gcc": "", "cell": ""}
    for kind, rest in _LINE.findall(source.read_text()):
        if kind in reasons:
            reasons[kind] = rest.strip()
        else:
            words = rest.partition(" (")[0].split()
            runs.append(Run(tuple((word.partition("=")[0], word.partition("=")[2]) for word in words), kind == "run"))
    return Program(source, tuple(runs) or (Run(),), reasons["gcc"], reasons["cell"])


def build_oracle(program: Program, folder: Path, *, source: Path | None = None, optimised: str = "-O2") -> Path:
    """Builds it with gcc; from another source than its own, if one is given.

    Raises:
        RuntimeError: it does not build; what the compiler says.
    """
    target = folder / f"{program.stem}.native"
    compiler = "g++" if program.source.suffix == ".cpp" else "gcc"
    command = [compiler, *FLAGS[program.source.suffix], optimised, "-fopenmp", "-w", f"-I{program.source.parent}",
               str(source or program.source), "-o", str(target), "-lm"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return target


def batches(chosen: Sequence[Program]) -> list[list[Program]]:
    """Those that can be cells, in groups of one section and language: a group is one module, since what a module costs
    to build is mostly the libraries in it."""
    groups: dict[tuple[str, str], list[Program]] = {}
    for program in chosen:
        if not program.no_cell:
            groups.setdefault((program.section, program.source.suffix), []).append(program)
    return list(groups.values())


def build_cells(batch: Sequence[Program], folder: Path, *, movable: bool = True) -> Path:
    """Builds programs of one language as one module, which runs that which its argument names.

    Args:
        batch: the programs.
        folder: for the module and what is on the way to it.
        movable: as cells are packed; one that cannot be moved builds faster.

    Raises:
        BuildError: one of them does not build.
    """
    suffix = batch[0].source.suffix
    name = f"{batch[0].section}{suffix.replace('.', '-')}"
    folder = folder / name
    folder.mkdir(exist_ok=True)
    flags = [*FLAGS[suffix], "-O2", "-fopenmp", "-w"]
    objects: list[Path] = []
    for program in batch:
        objects.append(folder / f"{program.stem}.o")
        compile_object(program.source, objects[-1], [*flags, f"-Dmain={_main(program)}"])
    chooser = folder / f"chooser{suffix}"
    chooser.write_text(_chooser(batch))
    target = folder / f"{name}.wasm"
    build_module([chooser, *objects], target, flags, movable=movable)
    return target


def _main(program: Program) -> str:
    return "main_" + re.sub(r"\W", "_", program.stem)


def _chooser(batch: Sequence[Program]) -> str:
    nothing = "void" if batch[0].source.suffix == ".c" else ""
    declarations = "".join(f"int {_main(program)}({nothing});\n" for program in batch)
    choices = "".join(f'    if (!strcmp(name, "{program.stem}")) return {_main(program)}();\n' for program in batch)
    return (
        f"#include <string.h>\n{declarations}\nint main(int count, char **words)\n{{\n"
        f'    const char *name = count > 1 ? words[1] : "";\n{choices}    return 99;\n}}\n'
    )


def run_oracle(executable: Path, run: Run, *, time_max_s: float = 60.0) -> Outcome:
    environment = {"OMP_NUM_THREADS": str(THREADS), **dict(run.environment)}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    with tempfile.TemporaryDirectory(prefix="ecotone-openmp-") as folder:
        try:
            done = subprocess.run(
                [executable], capture_output=True, env={**clean, **environment}, cwd=folder, timeout=time_max_s,
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            return Outcome(124, (late.stdout or b"").decode(errors="replace"), f"took longer than {time_max_s} s")
    return Outcome(done.returncode, done.stdout.decode(errors="replace"))


def run_cell(
    module: Path, program: Program, run: Run, tier: Tier, *, changing: int | None = None, time_max_s: float = 60.0
) -> Outcome:
    """Runs it as a cell of one rank.

    Args:
        module: what `build_cells` has given for a batch with the program.
        program: which of them.
        run: its environment.
        tier: native only if `native_code` was called for the module.
        changing: the cap of threads changes all the time, by this seed; None: it stays.
        time_max_s: then it is killed.
    """
    with tempfile.TemporaryDirectory(prefix="ecotone-openmp-") as folder, tempfile.TemporaryFile() as output:
        given = Folder(path=Path(folder))
        job = Job(
            module=module,
            arguments=(program.stem,),
            environment=dict(run.environment),
            folders={".": given, "/tmp": given},
            threads=THREADS,
            threads_most=THREADS,
            tier=tier,
            time_max_s=time_max_s,
            stdin=os.open(os.devnull, os.O_RDONLY),
            stdout=output.fileno(),
            stderr=os.open(os.devnull, os.O_WRONLY),
        )
        try:
            with LocalJob(job) as running:
                result = running.wait() if changing is None else _wait_changing(running, random.Random(changing))
        finally:
            os.close(job.stdin)
            os.close(job.stderr)
        assert result is not None
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Outcome(result.exit_code, text, result.first.reason if result.first else "")


def _wait_changing(running: LocalJob, chance: random.Random) -> JobResult:
    while (result := running.wait(_CHANGES_EVERY_S)) is None:
        for region, offset in control_pages([os.getpid()]):
            write_cap(region, offset, chance.randint(1, THREADS))
    return result


def judge(outcome: Outcome, oracle: Outcome | None) -> str:
    """Empty if the run was right, else what was wrong."""
    failed = [
        line.strip() for line in outcome.text.splitlines() if line.endswith("FAILED") or line.startswith("  wrong")
    ]
    if outcome.code or outcome.reason or failed:
        return " | ".join([f"code {outcome.code}", *outcome.reason.splitlines()[:1], *failed[:4]])
    if outcome.text.splitlines()[-1:] != ["all passed"]:
        return f"it ended too early: {outcome.text[-100:]!r}"
    if oracle is not None and outcome.text != oracle.text:
        differing = sorted(set(outcome.text.splitlines()) ^ set(oracle.text.splitlines()))
        return f"prints other things than natively: {differing[:3]}"
    return ""


def has_oracle() -> bool:
    """Whether gcc is here, for C and C++."""
    return shutil.which("gcc") is not None and shutil.which("g++") is not None
