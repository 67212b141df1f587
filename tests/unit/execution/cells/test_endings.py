"""How jobs of cells end: the first rank that ends badly ends the others, and says why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ecotone.core.errors import InputError
from ecotone.execution.cells import Job, JobResult, run_job

Run = Callable[..., tuple[JobResult, str]]


@pytest.mark.parametrize("tier", ["wasmtime", "native"])
@pytest.mark.parametrize(
    ("how", "code", "reason"),
    [
        ("abort", 42, "ended the job with code 42"),
        ("exit", 7, "exit code 7"),
        ("bounds", 134, "out of bounds memory access"),
        ("stack", 134, "trap"),
        ("unreachable", 134, "unreachable"),
        ("truncate", 15, "ended the job with code 15"),
        ("map again", 1, "refused to map"),
        ("wake elsewhere", 1, "memory that is not shared"),
    ],
)
def test_rank_that_ends_badly_ends_the_job(run: Run, how: str, code: int, reason: str) -> None:
    result, _ = run("endings", 3, how)
    assert result.first is not None
    assert (result.first.rank, result.first.exit_code) == (1, code)
    assert reason in result.first.reason
    assert [end.exit_code for end in result.ends] == [137, code, 137]
    assert "because rank 1 had" in result.ends[0].reason


@pytest.mark.parametrize("tier", ["wasmtime", "native"])
def test_forged_mapping_is_refused(run: Run) -> None:
    result, _ = run("endings", 1, "map outside")
    assert "which is not in the cell's own memory" in result.ends[0].reason


def test_job_that_takes_too_long_is_killed(run: Run) -> None:
    before = time.monotonic()
    result, _ = run("endings", 2, "loop", time_max_s=0.5)
    assert time.monotonic() - before < 10
    assert result.first is not None
    assert "longer than the 0.5 s" in result.first.reason


def test_memory_has_a_limit(run: Run) -> None:
    result, _ = run("endings", 2, "exit", memory_max_bytes=1 << 20)
    assert result.first is not None
    assert "memory" in result.first.reason


def test_killed_rank_is_told_and_nothing_is_left(run: Run, module: Callable[[str], Path]) -> None:
    shared = set(Path("/dev/shm").iterdir())
    command = [sys.executable, "-m", "ecotone.execution.cells", str(module("endings")), "-n", "3", "--", "loop"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as job:
        ranks = wait_for_children(job.pid, 3)
        os.kill(ranks[2], signal.SIGKILL)
        _, errors = job.communicate(timeout=20)
    assert "rank 2: killed by SIGKILL" in errors
    assert job.returncode == 137
    assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)
    assert set(Path("/dev/shm").iterdir()) == shared


def test_ranks_end_with_their_launcher(module: Callable[[str], Path]) -> None:
    command = [sys.executable, "-m", "ecotone.execution.cells", str(module("endings")), "-n", "2", "--", "loop"]
    with subprocess.Popen(command) as job:
        ranks = wait_for_children(job.pid, 2)
        job.kill()
    deadline = time.monotonic() + 10
    while any(is_running(rank) for rank in ranks):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_cannot_run_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.wasm"
    wrong.write_bytes(b"not a module")
    with pytest.raises(InputError, match="not a cell file"):
        run_job(Job(module=wrong))
    with pytest.raises(InputError, match="no file"):
        run_job(Job(module=tmp_path / "missing.wasm"))
    with pytest.raises(InputError, match="1 to 1024 ranks"):
        run_job(Job(module=wrong, ranks=0))


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for_children(process: int, count: int) -> list[int]:
    """Children in the order in which they were started."""
    deadline = time.monotonic() + 20
    children = Path(f"/proc/{process}/task/{process}/children")
    while True:
        found = [int(word) for word in children.read_text().split()]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.01)
