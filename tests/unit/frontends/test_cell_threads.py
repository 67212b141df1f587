"""`ecotone cell run --threads` and `ecotone cell scale`, on jobs of one node and of several."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if importlib.util.find_spec("wasmtime") is None or importlib.util.find_spec("ziglang") is None:
    pytest.skip("cells need the extras `cells` and `cells-build`", allow_module_level=True)

PROGRAM = """
#include <mpi.h>
#include <omp.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int level, rank, before = 0, changes = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    while (changes < (argc > 1 ? 3 : 1)) {
        int size = 0;
#pragma omp parallel
#pragma omp master
        size = omp_get_num_threads();
        if (size != before) {
            printf("rank %d: %d\\n", rank, size);
            fflush(stdout);
            changes++;
        }
        before = size;
        usleep(2000);
    }
    MPI_Finalize();
    return 0;
}
"""


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cell that has threads, `many.cell`, and one that has not, `one.cell`."""
    from ecotone.design.cells import build_cell

    folder = tmp_path_factory.mktemp("cell")
    (folder / "many.c").write_text(PROGRAM)
    build_cell([folder / "many.c"], folder / "many.cell", ["-fopenmp"])
    (folder / "one.c").write_text("#include <unistd.h>\nint main(void) { sleep(600); return 0; }\n")
    build_cell([folder / "one.c"], folder / "one.cell")
    return folder


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry of this test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield
    from ecotone.session.cells import end_job, seen_jobs

    for job in seen_jobs(ended=False):
        end_job(job.entry.record.job, "the test has ended")


def ecotone(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecotone", "cell", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def seen(job: str) -> dict:
    listed = json.loads(ecotone("ps", "--all", "--json").stdout)["jobs"]
    return next(each for each in listed if each["job"] == job)


def until_size(job: str, sizes: list[int]) -> dict:
    deadline = time.monotonic() + 60
    while True:
        found = seen(job)
        if [each["size"] for each in found["threads"]] == sizes:
            return found
        assert time.monotonic() < deadline, found


@pytest.mark.parametrize("nodes", [[], ["--nodes", "edge:1,cloud:1"]])
def test_threads_of_a_running_job_are_raised_and_lowered(cells: Path, nodes: list[str]) -> None:
    done = ecotone("run", cells / "many.cell", "-n", 2, "--threads", "2:4", "--detach", *nodes, "--", "changes")
    job = done.stdout.strip()
    assert not done.stderr
    found = until_size(job, [2, 2])
    assert [each["existing"] for each in found["threads"]] == [2, 2]
    done = ecotone("scale", job, 9)
    assert done.stdout == f"{job}: at most 9 threads in each of 2 ranks from the next region on (now 2)\n"
    until_size(job, [4, 4])  # it was told of 4
    assert "2 x 4" in ecotone("ps").stdout
    told = json.loads(ecotone("scale", job, 1, "--json").stdout)
    assert (told["threads_asked"], told["ranks_told"]) == (1, 2)
    deadline = time.monotonic() + 60
    while (found := seen(job))["state"] == "running":
        assert time.monotonic() < deadline
    assert (found["state"], found["exit_code"]) == ("done", 0)
    lines = sorted(ecotone("logs", job).stdout.splitlines())
    assert lines == sorted(f"rank {rank}: {size}" for rank in (0, 1) for size in (1, 2, 4))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "many.cell", "--threads", "0"], "--threads 0: write how many"),
        (["run", "many.cell", "--threads", "4:2"], "--threads 4:2: write how many"),
        (["run", "many.cell", "--threads", "two"], "--threads two: write how many"),
        (["run", "many.cell", "--threads", "257"], "1 to 256"),
        (["run", "many.cell", "--tier", "fast"], "--tier fast: write auto, native or wasmtime"),
        (["scale", "nothing", "2"], "there is no job nothing"),
    ],
)
def test_mistakes_are_told(cells: Path, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cells)
    done = ecotone(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_what_has_no_threads_or_has_ended_cannot_be_scaled(cells: Path) -> None:
    job = ecotone("run", cells / "one.cell", "--detach").stdout.strip()
    done = ecotone("scale", job, 2)
    assert done.returncode == 2
    assert "one.cell was built without -fopenmp" in done.stderr
    assert "1 to 256 threads, not 0" in ecotone("scale", job, 0).stderr
    ecotone("kill", job)
    done = ecotone("scale", job, 2)
    assert done.returncode == 1  # it was no mistake in what was written
    assert "does not run any more" in done.stderr
