"""The C and C++ library of programs with threads: nothing that threads share is torn, lost, or given twice."""

from __future__ import annotations

import importlib.util
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

if importlib.util.find_spec("wasmtime") is None or importlib.util.find_spec("ziglang") is None:
    pytest.skip("cells need the extras `cells` and `cells-build`", allow_module_level=True)

from ecotone.design.cells import build_module
from ecotone.execution.cells import Folder, Job, run_job

PROGRAMS = Path(__file__).parent / "programs"
STORM_THREADS = 4
STORM_STEPS = 2000


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The module of a program with threads, by the name of its source."""
    folder = tmp_path_factory.mktemp("threads")

    def build(name: str) -> Path:
        target = folder / f"{name}.wasm"
        if not target.exists():
            flags = ["-fopenmp", "-Wall", "-Wextra", *(["-std=c++20"] if name.endswith(".cpp") else ["-fno-builtin"])]
            assert not build_module([PROGRAMS / name], target, flags)
        return target

    return build


def run(module: Path, *arguments: str, folder: Path | None = None) -> tuple[int, str, str]:
    """The exit code, and what is written to stdout and stderr."""
    folders = {} if folder is None else {"/data": Folder(path=folder)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        result = run_job(
            Job(
                module=module, arguments=arguments, stdout=output.fileno(), stderr=errors.fileno(), folders=folders,
                threads=STORM_THREADS, time_max_s=60,
            )
        )  # fmt: skip
        output.seek(0)
        errors.seek(0)
        return result.exit_code, output.read().decode(), errors.read().decode()


@pytest.mark.parametrize("program", ["memory.c", "pthreads.c"])
def test_a_library_works_with_threads(module: Callable[[str], Path], program: str) -> None:
    code, output, errors = run(module(program))
    assert (code, output, errors) == (0, "ok\n", "")


def test_threads_of_cplusplus(module: Callable[[str], Path]) -> None:
    code, output, errors = run(module("cxxthreads.cpp"))
    lines = Counter(output.splitlines())
    assert lines.pop("ok", 0) == 1, output
    assert lines == {f"thread {thread}": 20 for thread in range(4)}
    assert (code, errors) == (0, "")


def test_a_thread_may_end_the_program(module: Callable[[str], Path]) -> None:
    assert run(module("cxxthreads.cpp"), "end")[:2] == (7, "ended by a thread\n")


def storm(module: Path, seed: int, folder: Path) -> None:
    """One run of everything at once, whose every block and line is checked."""
    code, output, errors = run(module, str(STORM_STEPS), str(seed), "lines", folder=folder)
    assert (code, errors) == (0, f"{STORM_THREADS} threads, 0 wrong\n")
    turns = [f"{thread} {line}" for thread in range(STORM_THREADS) for line in range(STORM_STEPS // 20)]
    expected = [f"printf {turn} to the standard stream" for turn in turns]
    expected += [f"cout {turn} from one string" for turn in turns] + [f"pieces {turn}" for turn in turns]
    assert Counter(output.splitlines()) == Counter(expected)
    written = (folder / "lines").read_text().splitlines()
    assert Counter(written) == Counter(f"fprintf {turn} to a file" for turn in turns)


@pytest.mark.parametrize("seeds", [range(1, 5), pytest.param(range(5, 105), marks=pytest.mark.slow)], ids=str)
def test_storm(module: Callable[[str], Path], seeds: range, tmp_path: Path) -> None:
    for seed in seeds:
        storm(module("storm.cpp"), seed, tmp_path)
