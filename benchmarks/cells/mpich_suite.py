"""MPICH's own test suite against the MPI library of cells: which of its tests pass, fail, or do not apply, and why.

    python benchmarks/cells/mpich_suite.py --source FOLDER [--only attr,coll] [--test NAME] [--work FOLDER]

FOLDER is `test/mpi` of MPICH 4.0.2's sources (Debian: `apt-get source mpich`); nothing of it is kept here. Each line of
its testlists is one test: a program, ranks, arguments. A test passes if it says "No Errors" and all ranks exit with 0
(or what its line wants). Not applicable is what needs more than MPI-3.1, or more memory than a cell can address, or
sets a switch of MPICH itself.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ecotone.design import cells
from ecotone.design.cells import BuildError, build_module, compile_object, library

FOLDERS = (
    "attr", "coll", "comm", "datatype", "errhan", "group", "impls", "info", "init", "io", "mpi_t", "pt2pt", "rma",
    "topo", "errors/attr", "errors/coll", "errors/comm", "errors/datatype", "errors/group", "errors/io", "errors/pt2pt",
    "errors/rma", "errors/topo",
)  # fmt: skip
# Folders of which nothing applies to a cell, and why. Their lines are listed, so that nothing is left out unseen.
OUTSIDE = {
    "threads/coll": "needs threads that call MPI",
    "threads/comm": "needs threads that call MPI",
    "threads/init": "needs threads that call MPI",
    "threads/mpi_t": "needs threads that call MPI",
    "threads/part": "needs threads that call MPI",
    "threads/perf": "needs threads that call MPI",
    "threads/pt2pt": "needs threads that call MPI",
    "threads/rma": "needs threads that call MPI",
    "threads/spawn": "needs threads that call MPI",
    "spawn": "spawns or connects to other programs",
    "errors/spawn": "spawns or connects to other programs",
    "errors/faults": "goes on after a rank has died, which MPI-3.1 does not have",
    "ft": "goes on after a rank has died, which MPI-3.1 does not have",
    "part": "beyond MPI-3.1: partitioned communication",
    "ckpoint": "checkpoints through MPICH's own launcher",
    "f77": "Fortran",
    "f90": "Fortran",
    "f08": "Fortran",
    "errors/f08": "Fortran",
    "errors/f77": "Fortran",
    "errors/f90": "Fortran",
    "cxx": "C++ interface, which MPI-3 has removed",
    "errors/cxx": "C++ interface, which MPI-3 has removed",
}
TIME_MAX_S = 60.0
ADDRESSABLE_GB = 3.0

# What MPI-4 added, by name, and MPICH's own extensions: outside of MPI-3.1.
MPI_4 = re.compile(
    r"^(MPIX_.*|MPI_.*_c|MPI_Session.*|MPI_SESSION.*|MPI_Group_from_session_pset|MPI_Comm_create_from_group|"
    r"MPI_Intercomm_create_from_groups|MPI_Isendrecv.*|MPI_Info_get_string|MPI_Info_create_env|MPI_COMM_TYPE_HW.*|"
    r"MPI_T_event.*|MPI_T_source.*|MPI_T_category_get_(num_)?events|MPI_Comm_idup_with_info|MPI_Delete_error_.*|MPI_ERR_SESSION|"
    r"MPI_(Barrier|Bcast|Gatherv?|Scatterv?|Allgatherv?|Alltoall[vw]?|Reduce|Allreduce|Reduce_scatter(_block)?|Scan|"
    r"Exscan|Neighbor_.*)_init)$"
)

OTHER_PROGRAMS = re.compile(
    r"^MPI_(Comm_(spawn|spawn_multiple|accept|connect|join)|.*_port|(Unp|P)ublish_name|Lookup_name)$"
)

# What the suite's own configure script would find out about a cell's C library.
CONFIGURATION = """
#define HAVE_DOUBLE__COMPLEX 1
#define HAVE_FLOAT__COMPLEX 1
#define HAVE_INTTYPES_H 1
#define HAVE_LIMITS_H 1
#define HAVE_LONG_DOUBLE 1
#define HAVE_LONG_DOUBLE__COMPLEX 1
#define HAVE_LONG_LONG 1
#define HAVE_MEMORY_H 1
#define HAVE_MPI_INTEGER16 1
#define HAVE_MPI_WIN_CREATE 1
#define HAVE_MEMSET 1
#define HAVE_STDARG_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRDUP 1
#define HAVE_STRINGS_H 1
#define HAVE_STRING_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_UNISTD_H 1
#define HAVE_USLEEP 1
#define HAVE__BOOL 1
#define MPIO_USES_MPI_REQUEST 1
#define POINTERINT_t int
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_MPI_OFFSET 8
#define SIZEOF_SHORT 2
#define SIZEOF_VOID_P 4
#define STDC_HEADERS 1
#define THREAD_PACKAGE_NAME THREAD_PACKAGE_NONE
"""


@dataclass
class Test:
    folder: str
    program: str
    ranks: int
    arguments: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    switches: tuple[str, ...] = ()
    large: bool = False

    @property
    def name(self) -> str:
        return " ".join([f"{self.folder}/{self.program}", f"n={self.ranks}", *self.arguments])


@dataclass
class Outcome:
    test: Test
    verdict: str
    reason: str = ""


def read_tests(source: Path, folder: str) -> list[Test]:
    """The lines of a folder's testlist; a folder without one has every program once, with two ranks."""
    lists = [source / folder / "testlist", source / folder / "testlist.in"]
    found = next((path for path in lists if path.exists()), None)
    if found is None:
        return [Test(folder, path.stem, 2) for path in sorted((source / folder).glob("*.c"))]
    tests = []
    for line in found.read_text().splitlines():
        words = line.split()
        if len(words) < 2 or words[0].startswith("#"):
            continue
        large = "@largetest@" in words[0]
        program = re.sub(r"@\w+@", "", words[0])
        arguments, switches, options = [], [], {}
        for word in words[2:]:
            key, _, value = word.partition("=")
            if key == "arg":
                arguments.append(value)
            elif key == "env":
                switches.append(value)
            else:
                options[key] = value
        if words[1].isdigit():
            tests.append(Test(folder, program, int(words[1]), tuple(arguments), options, tuple(switches), large))
    return tests


def recipes(source: Path, folder: str) -> dict[str, tuple[list[str], list[str]]]:
    """Programs whose sources or definitions differ from their name: from the folder's Makefile.am."""
    text = (source / folder / "Makefile.am").read_text() if (source / folder / "Makefile.am").exists() else ""
    sources = {
        name: [word for word in value.split() if word.endswith(".c")]
        for name, value in re.findall(r"^(\w+)_SOURCES\s*=\s*(.+)$", text, re.MULTILINE)
    }
    flags = {
        name: [word for word in value.split() if word.startswith("-D")]
        for name, value in re.findall(r"^(\w+)_CPPFLAGS\s*=\s*(.+)$", text, re.MULTILINE)
    }
    return {name: (sources.get(name, [f"{name}.c"]), flags.get(name, [])) for name in {*sources, *flags}}


class Builder:
    """Builds programs once each; a program that is asked for again is there."""

    def __init__(self, source: Path, work: Path, *, movable: bool) -> None:
        self.source = source
        self.movable = movable
        self.work = work
        include = work / "include"
        (include / "below").mkdir(parents=True, exist_ok=True)  # for sources that include "../dtpoolsconf.h"
        (include / "mpitestconf.h").write_text(CONFIGURATION)
        (include / "dtpoolsconf.h").write_text(CONFIGURATION)
        self.flags = [
            f"-I{include}", f"-I{include}/below", f"-I{source}/include", f"-I{source}/dtpools/include",
            "-DHAVE_MPITESTCONF_H", "-w", "-O1",
            # Parts that the suite leaves out, and then says "No Errors", unless the library is MPICH itself.
            "-DTEST_NEIGHB_COLL=1", "-DTEST_HINDEXED_BLOCK=1",
        ]  # fmt: skip
        self.support: list[Path] = []
        self.archive = library()
        self.recipes = {folder: recipes(source, folder) for folder in FOLDERS}

    def is_new(self, target: Path) -> bool:
        """Is it there, and newer than the library (a module) or its headers (an object)?"""
        headers = [Path(cells.__file__).parent / "library" / name for name in ("mpi.h", "mpi_functions.h")]
        needed = headers if target.suffix == ".o" else [self.archive]
        return target.exists() and all(target.stat().st_mtime > file.stat().st_mtime for file in needed)

    def build_support(self) -> None:
        names = ["util/mtest.c", "util/mtest_common.c", "util/dtypes.c", "util/mtest_thread.c"]
        names += [f"dtpools/src/{path.name}" for path in sorted((self.source / "dtpools/src").glob("*.c"))]
        for name in names:
            target = self.work / "support" / (Path(name).stem + ".o")
            target.parent.mkdir(exist_ok=True)
            if not self.is_new(target):
                compile_object(self.source / name, target, self.flags)
            self.support.append(target)

    def build(self, folder: str, program: str) -> Path | BuildError:
        target = self.work / folder / f"{program}.wasm"
        if self.is_new(target):
            return target
        names, flags = self.recipes[folder].get(program, ([f"{program}.c"], []))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            objects = []
            for name in names:
                compiled = target.parent / f"{program}-{Path(name).stem}.o"
                if not self.is_new(compiled):
                    compile_object(self.source / folder / name, compiled, [*self.flags, *flags])
                objects.append(compiled)
            build_module([*objects, *self.support], target, ["-O1"], movable=self.movable)
        except BuildError as error:
            return error
        return target


def not_applicable(test: Test) -> str:
    if test.folder in OUTSIDE:
        return OUTSIDE[test.folder]
    if test.switches and any("CVAR" in switch for switch in test.switches):
        return "sets a switch of MPICH"
    if test.large or float(test.options.get("mem", "0")) > ADDRESSABLE_GB:
        return "needs more memory than 32 bits address"
    if test.program.startswith("too_many_"):
        return "expects the library to run out of communicators, and this one does not"
    if "mpix" in test.options or test.options.get("mpiversion", "").startswith("4"):
        return "beyond MPI-3.1"
    return ""


def judge_build(error: BuildError) -> tuple[str, str]:
    text = str(error)
    missing = re.findall(
        r"undeclared (?:function|identifier) '(\w+)'|unknown type name '(\w+)'|undefined symbol: (\w+)", text
    )
    if "statement requires expression of integer type" in text:
        return "not applicable", "switches over handles, which the standard does not call integers"
    names = sorted({name for names in missing for name in names if name})
    mpi = [name for name in names if name.startswith("MPI")]
    if mpi and any(MPI_4.match(name) for name in mpi):
        return "not applicable", "beyond MPI-3.1: " + next(name for name in mpi if MPI_4.match(name))
    if any(OTHER_PROGRAMS.match(name) for name in names):
        return "not applicable", "spawns or connects to other programs"
    if names:
        return "failed", "does not build: no " + ", ".join(names[:3])
    return "failed", "does not build: " + next((line for line in text.splitlines() if "error" in line), text[:100])


def judge_run(test: Test, code: int, output: str, errors: str) -> tuple[str, str]:
    wanted = test.options.get("resultTest", "")
    if wanted == "TestStatus":
        return ("passed", "") if code else ("failed", "should have exited with an error")
    if wanted in ("TestErrFatal", "TestAbort"):
        return ("passed", "") if code else ("failed", "should have been aborted")
    if code == 0 and re.search(r"^\s*No Errors", output, re.MULTILINE | re.IGNORECASE):
        return "passed", ""
    lines = [line for line in (output + errors).splitlines() if line.strip()]
    if "xfail" in test.options:
        return "not applicable", f"fails in MPICH too ({test.options['xfail']}): {' | '.join(lines[:1])[:100]}"
    return "failed", f"code {code}: " + (" | ".join(lines[:2] + lines[-1:]))[:220]


def run(test: Test, module: Path) -> tuple[str, str]:
    limit = max(TIME_MAX_S, float(test.options.get("timeLimit", "0")))
    if test.program == "timeout":
        limit = 10.0
    with tempfile.TemporaryDirectory(prefix="ecotone-mpich-") as folder:  # several tests write files of the same name
        shutil.copy(module, Path(folder) / test.program)  # one test reads the file that it was started from
        command = [
            sys.executable, "-m", "ecotone.execution.cells", str(module), "-n", str(test.ranks),
            "--dir", f".={folder}", "--time-max-s", str(limit), "--", *test.arguments,
        ]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL
        )
    return judge_run(test, done.returncode, done.stdout, done.stderr)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "ecotone-mpich-suite")
    parser.add_argument("--only", default=",".join([*FOLDERS, *OUTSIDE]))
    parser.add_argument("--test", help="programs of this name alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--movable", action="store_true", help="programs as they are packed, which takes long to build")
    options = parser.parse_args()
    library(print)
    builder = Builder(options.source, options.work, movable=options.movable)
    builder.build_support()
    tests = [test for folder in options.only.split(",") for test in read_tests(options.source, folder)]
    if options.test:
        tests = [test for test in tests if test.program == options.test]
    outcomes = evaluate(builder, tests, options.jobs)
    show(outcomes)


def evaluate(builder: Builder, tests: list[Test], jobs: int) -> list[Outcome]:
    skipped = {id(test): not_applicable(test) for test in tests}
    programs = {(test.folder, test.program) for test in tests if not skipped[id(test)]}

    def build(program: tuple[str, str]) -> Path | BuildError:
        return builder.build(*program)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        built = dict(zip(programs, pool.map(build, programs), strict=True))

    def one(test: Test) -> Outcome:
        if skipped[id(test)]:
            return Outcome(test, "not applicable", skipped[id(test)])
        module = built[test.folder, test.program]
        if isinstance(module, BuildError):
            return Outcome(test, *judge_build(module))
        outcome = Outcome(test, *run(test, module))
        if outcome.verdict == "failed":
            print(f"failed: {test.name}: {outcome.reason}", flush=True)
        return outcome

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, tests))


def show(outcomes: list[Outcome]) -> None:
    verdicts = ("passed", "failed", "not applicable")
    print(f"\n{'folder':10}" + "".join(f"{verdict:>16}" for verdict in verdicts))
    for folder in [*dict.fromkeys(outcome.test.folder for outcome in outcomes), ""]:
        count = collections.Counter(outcome.verdict for outcome in outcomes if folder in ("", outcome.test.folder))
        print(f"{folder or 'all':16}" + "".join(f"{count[verdict]:16}" for verdict in verdicts))
    for verdict in verdicts[1:]:
        print(f"\n{verdict}:")
        for outcome in outcomes:
            if outcome.verdict == verdict:
                print(f"  {outcome.test.name}: {outcome.reason}")


if __name__ == "__main__":
    main()
