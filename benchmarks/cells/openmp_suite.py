"""Our OpenMP suite (`tests/openmp`), all of it: natively by gcc as oracle, and as cells on each tier.

    python benchmarks/cells/openmp_suite.py [--only loops,tasks/depend.c] [--tiers wasmtime,native] [--repeat 1]
                                            [--jobs 2] [--fixed-place] [--broken] [--work FOLDER]

Each program is run on each tier with a cap of threads that stays, and once more with one that changes every two
milliseconds. A run passes if the program finds nothing wrong and prints what it prints natively. Not applicable is
what the compiler cannot build or does wrongly for any target; where gcc 12 is the one that cannot, the program still
checks itself. `--fixed-place` builds cells that cannot be moved, which is faster. Ends with 1 if a run failed.

`--broken` tells what the suite is worth: it takes one directive or clause out of a program at a time, builds it with
gcc, and looks whether the program notices, in a few runs. What changes nothing that can be seen (a barrier before
another one) is listed as unseen, too.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from _table import show
from tests.openmp.suite import (
    Outcome,
    Program,
    Run,
    batches,
    build_cells,
    build_oracle,
    has_oracle,
    judge,
    programs,
    run_cell,
    run_oracle,
)

from ecotone.core.errors import EcotoneError
from ecotone.design.cells import library
from ecotone.design.cells.native import can_compile, native_code

VERDICTS = ("passed", "failed", "not applicable")
NATIVELY = "gcc"


@dataclass(frozen=True)
class Result:
    section: str
    name: str
    mode: str
    verdict: str
    reason: str = ""


Said = dict[tuple[str, str], Outcome]
"""What gcc's builds print, by the names of programs and runs."""


def evaluate(batch: list[Program], work: Path, tiers: tuple[str, ...], repeat: int, movable: bool) -> list[Result]:
    """All runs of the programs of a batch."""
    said: Said = {}
    results = [result for program in batch for result in natively(program, work, said)]
    modes = [mode for tier in tiers for mode in (tier, f"{tier}, changing")]
    runs = [(program, run) for program in batch for run in program.runs]
    try:
        module = build_cells(batch, work, movable=movable)
        if "native" in tiers:
            native_code(module)
    except EcotoneError as error:
        why = f"does not build: {str(error).splitlines()[0]}"
        return results + [result_of(program, mode, "failed", why, run) for mode in modes for program, run in runs]
    for mode in modes:
        for program, run in runs:
            wrong = ""
            for seed in range(repeat):
                changing = seed if mode.endswith("changing") else None
                tier = "native" if mode.startswith("native") else "wasmtime"
                wrong = wrong or judge(
                    run_cell(module, program, run, tier, changing=changing), said.get((program.name, run.name))
                )
            results.append(result_of(program, mode, "failed" if wrong else "passed", wrong, run))
    return results


def result_of(program: Program, mode: str, verdict: str, reason: str, run: Run) -> Result:
    name = f"{program.name} [{run.name}]" if run.name else program.name
    return Result(program.section, name, mode, verdict, reason)


def no_cells(program: Program, work: Path, tiers: tuple[str, ...]) -> list[Result]:
    """The results of a program that the compiler of cells cannot build."""
    return natively(program, work, {}) + [
        result_of(program, mode, "not applicable", program.no_cell, run)
        for tier in tiers
        for mode in (tier, f"{tier}, changing")
        for run in program.runs
    ]


def natively(program: Program, work: Path, said: Said) -> list[Result]:
    """Runs what gcc builds, keeps what it prints, and tells whether the program is content with itself."""
    if not has_oracle() or program.no_oracle:
        why = f"checks itself only: gcc {program.no_oracle}" if program.no_oracle else "there is no gcc here"
        return [result_of(program, NATIVELY, "not applicable", why, run) for run in program.runs]
    try:
        executable = build_oracle(program, work)
    except RuntimeError as error:
        why = f"does not build: {str(error).splitlines()[0]}"
        return [result_of(program, NATIVELY, "failed", why, run) for run in program.runs]
    results: list[Result] = []
    for run in program.runs:
        if not run.oracle:
            results.append(result_of(program, NATIVELY, "not applicable", "gcc's runtime cannot do this", run))
            continue
        outcome = said[program.name, run.name] = run_oracle(executable, run)
        wrong = judge(outcome, None)
        results.append(result_of(program, NATIVELY, "failed" if wrong else "passed", wrong, run))
    return results


DIRECTIVE = re.compile(r"^\s*#\s*pragma\s+omp\b.*$|_Pragma\(\"omp[^\"]*\"\)", re.MULTILINE)
"""Of continued lines only the first is changed."""
WITHOUT = {
    name: re.compile(rf"\bomp {name}\b(?!.*\\$)")
    for name in ("critical", "atomic", "barrier", "taskwait", "taskgroup", "ordered", "single", "master", "masked")
}
CLAUSES = {
    name: (re.compile(rf"\b{name} ?\((?:[^():]*:)? ?([^():]*)\)"), instead)
    for name, instead in {
        "reduction": r"firstprivate(\1)",
        "in_reduction": r"firstprivate(\1)",
        "firstprivate": r"private(\1)",
        "lastprivate": r"private(\1)",
        "private": r"shared(\1)",
        "copyin": "",
        "copyprivate": "",
        "depend": "",
        "filter": "",
        "detach": "",
        "final": "",
        "if": "",
    }.items()
} | {"nowait": (re.compile(r"\bnowait\b"), ""), "ordered clause": (re.compile(r"(?<=for )ordered\b"), "")}
"""What a clause is replaced with: mostly what a runtime would do that forgets about it."""


def breakages(text: str) -> Iterator[tuple[str, str]]:
    """Programs with one directive or clause less, or another: what is missing, and the text."""
    for found in DIRECTIVE.finditer(text):
        directive, line = found.group(), text.count("\n", 0, found.start()) + 1
        if "declare" in directive or "threadprivate" in directive or directive.rstrip().endswith("\\"):
            continue
        for name, pattern in WITHOUT.items():
            if pattern.search(directive) and "parallel" not in directive:
                yield f"{name} of line {line}", text[: found.start()] + text[found.end() :]
        for name, (pattern, instead) in CLAUSES.items():
            for clause in pattern.finditer(directive):
                less = directive[: clause.start()] + clause.expand(instead) + directive[clause.end() :]
                yield f"{name} of line {line}", text[: found.start()] + less + text[found.end() :]


def look_for_breakages(program: Program, work: Path) -> list[tuple[str, str, bool]]:
    """What was taken out, its kind, and whether the program noticed; what does not build does not count."""
    seen: list[tuple[str, str, bool]] = []
    run = next((run for run in program.runs if run.oracle), None)
    if program.no_oracle or run is None:
        return []
    text = program.source.read_text().replace('"../check.h"', f'"{program.source.parent.parent / "check.h"}"')
    for what, broken in breakages(text):
        source = work / f"{program.stem}-broken{program.source.suffix}"
        source.write_text(broken)
        try:
            executable = build_oracle(program, work, source=source, optimised="-O1")
        except RuntimeError:
            continue
        noticed = any(judge(run_oracle(executable, run, time_max_s=5.0), None) for _ in range(3))
        seen.append((f"{program.name}: {what}", what.partition(" of line")[0], noticed))
    return seen


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--tiers", default="wasmtime,native" if can_compile() else "wasmtime")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each mode; one that fails once has failed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--fixed-place", action="store_true")
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "ecotone-openmp-suite")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    wanted = programs([name for name in options.only.split(",") if name])
    with ProcessPoolExecutor(options.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        if options.broken:
            found = [pool.submit(look_for_breakages, program, options.work) for program in wanted]
            show_broken([one for future in found for one in future.result()])
            return
        library(print)
        tiers = tuple(options.tiers.split(","))
        futures = [
            pool.submit(evaluate, batch, options.work, tiers, options.repeat, not options.fixed_place)
            for batch in batches(wanted)
        ]
        futures += [pool.submit(no_cells, program, options.work, tiers) for program in wanted if program.no_cell]
        results = [result for future in futures for result in report(future.result())]
    show_results(results, len(wanted))
    raise SystemExit(any(result.verdict == "failed" for result in results))


def report(results: list[Result]) -> list[Result]:
    for result in results:
        if result.verdict == "failed":
            print(f"failed: {result.name}, {result.mode}: {result.reason}", flush=True)
    return results


def show_results(results: list[Result], programs_run: int) -> None:
    modes = list(dict.fromkeys(result.mode for result in results))
    sections = [*dict.fromkeys(result.section for result in results), ""]
    counts = collections.Counter(
        (section, result.mode, result.verdict) for result in results for section in (result.section, "")
    )
    rows = [
        [section or "all", *("/".join(str(counts[section, mode, verdict]) for verdict in VERDICTS) for mode in modes)]
        for section in sections
    ]
    show(f"OpenMP suite, {programs_run} programs, runs: passed/failed/not applicable", ["section", *modes], rows)
    for verdict in VERDICTS[1:]:
        reasons = collections.defaultdict(list)
        for result in results:
            if result.verdict == verdict:
                reasons[result.name, result.reason].append(result.mode)
        print(f"\n{verdict}:")
        for (name, reason), where in reasons.items():
            print(f"  {name}: {reason} ({'; '.join(where)})")


def show_broken(seen: list[tuple[str, str, bool]]) -> None:
    kinds = collections.Counter(kind for _, kind, _ in seen)
    noticed = collections.Counter(kind for _, kind, found in seen if found)
    rows = [[kind, count, noticed[kind]] for kind, count in kinds.most_common()]
    rows.append(["all", len(seen), sum(noticed.values())])
    show("Programs with one directive or clause less", ["without", "programs", "noticed"], rows)
    print("\nunseen:")
    for name, _, found in seen:
        if not found:
            print(f"  {name}")


if __name__ == "__main__":
    main()
