"""OpenMP in cells, by a selection of the suite's programs: they check themselves, and print what they print natively.

All programs, on both tiers: `python benchmarks/cells/openmp_suite.py`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

if importlib.util.find_spec("wasmtime") is None or importlib.util.find_spec("ziglang") is None:
    pytest.skip("cells need the extras `cells` and `cells-build`", allow_module_level=True)

from tests.openmp.suite import (
    Outcome,
    Program,
    build_cells,
    build_oracle,
    has_oracle,
    judge,
    programs,
    run_cell,
    run_oracle,
)

C = programs(
    (
        "parallel/regions.c", "parallel/threadprivate.c", "parallel/nested.c", "parallel/orphaned.c",
        "loops/schedules.c", "loops/distribution.c", "loops/collapse.c", "loops/doacross.c", "loops/nowait.c",
        "loops/ordered.c", "worksharing/single.c", "worksharing/sections.c", "reductions/arrays.c",
        "reductions/declared.c", "synchronization/atomic_capture.c", "synchronization/barrier.c",
        "synchronization/critical.c", "synchronization/locks.c", "tasks/data.c", "tasks/depend.c", "tasks/detach.c",
        "tasks/groups.c", "tasks/taskloop.c", "tasks/trees.c", "tasks/waiting.c", "cancellation/cancel.c",
        "cancellation/regions.c", "teams/teams.c", "environment/schedule.c", "library/malloc.c", "library/stdio.c",
        "other/elastic.c",
    )
)  # fmt: skip
CPLUSPLUS = programs(("cplusplus/objects.cpp", "cplusplus/statics.cpp", "other/storm.cpp"))


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Program], Path]:
    """The module with a program: one for each language."""
    folder = tmp_path_factory.mktemp("openmp")
    built: dict[str, Path] = {}

    def module_of(program: Program) -> Path:
        batch = C if program in C else CPLUSPLUS
        suffix = program.source.suffix
        if suffix not in built:
            built[suffix] = build_cells(batch, folder, movable=False)
        return built[suffix]

    return module_of


@pytest.fixture(scope="session")
def natively(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Program], Outcome | None]:
    """What a program prints in its first run when gcc has built it; None if there is no gcc."""
    folder = tmp_path_factory.mktemp("openmp-native")

    def said(program: Program) -> Outcome | None:
        if not has_oracle():
            return None
        outcome = run_oracle(build_oracle(program, folder, optimised="-O0"), program.runs[0])
        assert judge(outcome, None) == ""
        return outcome

    return said


@pytest.mark.parametrize("program", [*C, *CPLUSPLUS], ids=lambda program: program.name)
def test_program_finds_nothing_wrong_with_threads_that_change_all_the_time(
    program: Program, modules: Callable[[Program], Path], natively: Callable[[Program], Outcome | None]
) -> None:
    oracle = natively(program)
    steady = run_cell(modules(program), program, program.runs[0], "wasmtime")
    assert judge(steady, oracle) == ""
    changing = run_cell(modules(program), program, program.runs[0], "wasmtime", changing=1)
    assert judge(changing, oracle) == ""
    if oracle is None:
        pytest.skip("without gcc, programs only check themselves")


def test_judge_hears_of_what_goes_wrong() -> None:
    right = Outcome(0, "  sum 3\nsums passed\nall passed\n")
    assert judge(right, right) == ""
    assert "sum 4" in judge(Outcome(0, "  sum 4\nsums passed\nall passed\n"), right)
    assert "sums FAILED" in judge(Outcome(1, "sums FAILED\nfailed\n"), None)
    assert "too early" in judge(Outcome(0, "sums passed\n"), None)
    assert "killed" in judge(Outcome(137, "", "was killed"), right)


def test_every_program_says_what_can_run_it() -> None:
    for program in programs():
        text = program.source.read_text()
        assert text.startswith("/* "), program.name
        assert "return finish();" in text or program.name == "library/ending.c"
        assert not (program.no_oracle and program.no_cell), f"{program.name} is run by nothing"
