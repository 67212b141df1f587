"""Programs that mean harm, or do some: each is refused or ended with the reason, and its neighbours are not harmed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.execution.cells.conftest import children

from ecotone.execution.cells import Folder, JobResult

Run = Callable[..., tuple[JobResult, str]]


@pytest.fixture(params=["wasmtime", "native"])
def tier(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Folder]:
    """A folder with a file, and ways that lead out of it."""
    (tmp_path / "secret").write_text("secret")
    data = tmp_path / "data"
    (data / "in").mkdir(parents=True)
    (data / "file").write_text("text")
    (data / "link").symlink_to(tmp_path / "secret")
    (data / "up").symlink_to("..")
    (data / "in" / "out").symlink_to("../../secret")
    return {"/data": Folder(path=data)}


@pytest.mark.parametrize(
    ("how", "code", "reason"),
    [
        ("bounds", 134, "trap: out of bounds memory access"),
        ("stack", 134, "the stack is used up"),
        ("bomb", 9, "its memory was at its limit of 64 MiB"),
        ("flood", 1, "wrote more to its standard streams than it may"),
        ("descriptors", 10, "exit code 10"),
        ("escape", 11, "exit code 11"),
        ("leave", 1, "ended without MPI_Finalize"),
        ("type", 134, "pointer of another type"),
    ],
)
def test_harm_is_ended_with_its_reason_while_a_neighbour_goes_on(
    run: Run, module: Callable[[str], Path], given: dict[str, Folder], tmp_path: Path, how: str, code: int, reason: str
) -> None:
    beside = [sys.executable, "-m", "ecotone.execution.cells", str(module("communicators")), "-n", "2"]
    neighbour = subprocess.Popen(beside, stdout=subprocess.PIPE, text=True) if how == "bomb" else None
    result, output = run(
        "hostile", 2, how, folders=given, memory_max_bytes=64 << 20, output_max_bytes=1 << 20, files_max=40
    )
    assert result.first is not None
    assert (result.first.rank, result.first.exit_code) == (1, code), output
    assert reason in result.first.reason
    assert "because rank 1 had" in result.ends[0].reason
    assert len(output) <= (1 << 20) + 4096
    assert "escaped" not in output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "secret"]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["file", "in", "link", "up"]
    if how == "descriptors":
        assert "opened 36, then No file descriptors available" in output
    if neighbour is not None:
        assert neighbour.communicate(timeout=60)[0] == "ok\n"
        assert neighbour.returncode == 0


def test_a_trap_names_the_functions_it_was_in(run: Run) -> None:
    result, _ = run("hostile", 2, "stack")
    assert result.first is not None
    lines = result.first.reason.splitlines()
    assert "call stack exhausted" in lines[0]
    assert "  in recurse" in lines[1:]
    assert len(lines) <= 26


def test_deadline_is_kept(run: Run) -> None:
    begun_s = time.monotonic()
    result, _ = run("hostile", 2, "loop", time_max_s=0.3)
    took_s = time.monotonic() - begun_s
    assert result.first is not None
    assert "took longer than the 0.3 s" in result.first.reason
    assert took_s < 10  # the machine may be busy; benchmarks/cells/start.py tells how far it is over


def test_rank_that_is_killed_ends_its_job_and_no_other(module: Callable[[str], Path]) -> None:
    command = [sys.executable, "-m", "ecotone.execution.cells", str(module("hostile")), "-n", "2", "--", "loop"]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as job,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as other,
    ):
        victims, others = children(job.pid, 2), children(other.pid, 2)
        os.kill(victims[0], 9)
        _, told = job.communicate(timeout=30)
        assert "rank 0: killed by SIGKILL" in told
        assert job.returncode == 137
        assert all(Path(f"/proc/{process}").exists() for process in others)
        other.kill()
        other.communicate()
