"""The C and C++ library of programs with threads: nothing that threads share is torn, lost, or given twice."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

if importlib.util.find_spec("wasmtime") is None or importlib.util.find_spec("ziglang") is None:
    pytest.skip("cells need the extras `cells` and `cells-build`", allow_module_level=True)

from ecotone.design.cells import build_module
from ecotone.execution.cells import Folder, Job, run_job
from ecotone.execution.cells._local import LocalJob
from ecotone.execution.cells._moving import NoSafePointError

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


@pytest.mark.parametrize("stays", [False, True], ids=["parked", "one stays"])
def test_a_cell_moves_when_created_threads_are_over(module: Callable[[str], Path], tmp_path: Path, stays: bool) -> None:
    with tempfile.TemporaryFile() as output:
        job = Job(
            module=module("parted.c"), arguments=("stays",) if stays else (), stdout=output.fileno(),
            folders={"/data": Folder(path=tmp_path)}, threads=STORM_THREADS, time_max_s=60,
        )  # fmt: skip
        with LocalJob(job) as running:
            deadline = time.monotonic() + 30
            while not (tmp_path / "ready").exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            if stays:
                with pytest.raises(NoSafePointError):
                    running.take_out(0, 1.0)
            else:
                snapshot = running.take_out(0, 30.0)
                running.put_back(0, snapshot)
                os.close(snapshot)
            (tmp_path / "go").touch()
            result = running.wait()
        assert result is not None
        output.seek(0)
        assert (result.exit_code, output.read()) == (0, b"ok\n"), result


def storm(module: Path, seed: int, folder: Path) -> None:
    """One run of everything at once, whose every block and line is checked."""
    code, output, errors = run(module, str(STORM_STEPS), str(seed), "lines", folder=folder)
    assert (code, errors) == (0, f"{STORM_THREADS} threads, 0 wrong\n")
    turns = [f"{thread} {line}" for thread in range(STORM_THREADS) for line in range(STORM_STEPS // 2)]
    expected = [f"printf {turn} to the standard stream" for turn in turns]
    expected += [f"cout {turn} from one string" for turn in turns] + [f"pieces {turn}" for turn in turns]
    assert Counter(output.splitlines()) == Counter(expected)
    written = (folder / "lines").read_text().splitlines()
    assert Counter(written) == Counter(f"fprintf {turn} to a file" for turn in turns)


@pytest.mark.parametrize("seeds", [range(1, 9), pytest.param(range(9, 109), marks=pytest.mark.slow)], ids=str)
def test_storm(module: Callable[[str], Path], seeds: range, tmp_path: Path) -> None:
    for seed in seeds:
        storm(module("storm.cpp"), seed, tmp_path)
