"""`ecotone cell`: building, running, and looking after jobs, as a person does it."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecotone.execution.cells import registry
from ecotone.frontends.cli.cell_running import quick_run
from ecotone.frontends.cli.main import run_command

if importlib.util.find_spec("wasmtime") is None or importlib.util.find_spec("ziglang") is None:
    pytest.skip("cells need the extras `cells` and `cells-build`", allow_module_level=True)

PROGRAM = """
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
__attribute__((noinline)) static void fall(volatile int *place) { *place = 1; }
int main(int argc, char **argv)
{
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    printf("rank %d of %d: %s\\n", rank, size, argc > 1 ? argv[1] : "nothing");
    fflush(stdout);
    if (getenv("COLOUR")) printf("%s\\n", getenv("COLOUR"));
    if (argc > 1 && !strcmp(argv[1], "write")) { FILE *f = fopen("out.txt", "w"); if (!f) return 5; fclose(f); }
    if (argc > 1 && !strcmp(argv[1], "read")) { char t[80]; if (fgets(t, 80, stdin)) printf("got %s", t); }
    if (argc > 1 && !strcmp(argv[1], "wait")) sleep(600);
    if (argc > 1 && !strcmp(argv[1], "much"))
        for (int line = 0; line < 20000; line++) puts("a line that says nothing");
    if (argc > 1 && !strcmp(argv[1], "ever")) for (;;) puts("a line that says nothing");
    if (argc > 1 && !strcmp(argv[1], "fall") && rank == 1) fall((int *) 0xfffffff0u);
    MPI_Finalize();
    return 0;
}
"""


@pytest.fixture(scope="session")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cell")
    source = folder / "demo.c"
    source.write_text(PROGRAM)
    from ecotone.design.cells import build_cell

    build_cell([source], folder / "demo.cell", ["-g"])
    return folder / "demo.cell"


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry of this test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "110")
    yield
    from ecotone.session.cells import end_job, seen_jobs

    for job in seen_jobs(ended=False):
        end_job(job.entry.record.job, "the test has ended")


def ecotone(*words: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecotone", "cell", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **more)  # type: ignore[call-overload]


def document(*words: object) -> dict:
    done = ecotone(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def started(cell: Path) -> str:
    done = ecotone("run", cell, "-n", 2, "--detach", "--", "wait")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_build_says_what_it_made(cell: Path, tmp_path: Path) -> None:
    done = ecotone("build", "-o", tmp_path / "x.cell", cell.with_name("demo.c"), "--ranks", "3", "--", "-O1", "-DX")
    assert done.returncode == 0, done.stderr
    assert "run it with: ecotone cell run" in done.stdout
    assert "Traceback" not in done.stderr
    seen = document("inspect", tmp_path / "x.cell")
    assert seen["built"]["flags"] == ["-O1", "-DX"]
    assert seen["built"]["sources"] == ["demo.c"]
    assert seen["needs"]["ranks"] == 3
    assert list(seen["compiled"].values()) == ["this machine, signed by you"]
    assert "of 3: nothing" in ecotone("run", tmp_path / "x.cell").stdout


def test_build_that_fails_says_why(cell: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int main(void) { return system_x(1); }\n")
    done = ecotone("build", "-o", tmp_path / "x.cell", tmp_path / "bad.c")
    assert done.returncode == 1
    assert "system_x" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.cell").exists()
    assert ecotone("build", tmp_path / "none.c").returncode == 2
    assert "-O3 would be a flag for the compiler; write it behind --" in ecotone("build", "x.c", "-O3").stderr


def test_run_passes_output_arguments_and_status(cell: Path) -> None:
    done = ecotone("run", cell, "-n", 2, "--env", "COLOUR=blue", "--label", "--", "one")
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == ["0| blue", "0| rank 0 of 2: one", "1| blue", "1| rank 1 of 2: one"]
    assert done.stderr == ""
    assert ecotone("run", cell, "--", "write").returncode == 5
    assert "got hello" in ecotone("run", cell, "-n", 2, "--", "read", input="hello\n").stdout


def test_run_gives_folders_with_their_rights(cell: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert ecotone("run", cell, "--dir", f".={tmp_path}/data:ro", "--", "write").returncode == 5
    assert ecotone("run", cell, "--dir", f".={tmp_path}/data", "--", "write").returncode == 0
    assert (tmp_path / "data" / "out.txt").exists()


def test_a_trap_is_told_with_functions_and_lines(cell: Path) -> None:
    done = ecotone("run", cell, "-n", 3, "--", "fall")
    assert done.returncode == 134
    assert "ecotone: rank 1: trap: out of bounds memory access" in done.stderr
    assert "  in fall (" in done.stderr
    assert "demo.c:7)" in done.stderr
    seen = document("ps", "--all")["jobs"][-1]
    assert (seen["state"], seen["exit_code"], seen["rank"]) == ("failed", 134, 1)
    assert any("demo.c:7" in line for line in seen["stack"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--time", "soon"], "--time"),
        (["--memory", "9GiB"], "64 KiB to 4 GiB"),
        (["--dir", "x=/nowhere"], "there is no folder /nowhere"),
        (["--env", "=1"], "--env"),
        (["-n", "0"], "1 to 1024 ranks"),
        (["-n", "many"], "many"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_mistakes_are_told_with_status_2(cell: Path, words: list[str], told: str) -> None:
    done = ecotone("run", cell, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_both_ways_of_running_are_one(cell: Path) -> None:
    """The quick way leaves to the other what it does not know, and both take the same options."""
    assert quick_run(["--help"]) is None
    assert quick_run([str(cell), "--json"]) is None
    assert quick_run([str(cell), "-n"]) is None
    seen = document("run", cell, "-n", "2")
    assert (seen["exit_code"], seen["ranks"], seen["reason"]) == (0, 2, "")


def test_a_detached_job_is_seen_read_and_ended(cell: Path) -> None:
    name = started(cell)
    seen = document("ps")["jobs"]
    assert [(each["job"], each["state"], each["ranks"]) for each in seen] == [(name, "running", 2)]
    assert seen[0]["memory_bytes"] > 1 << 20
    assert document("top")["jobs"][0]["cpu_share"] >= 0
    deadline = time.monotonic() + 20
    while len(lines := document("logs", name)["lines"]) < 2:
        assert time.monotonic() < deadline
    assert {(each["rank"], each["text"]) for each in lines} == {(0, "rank 0 of 2: wait"), (1, "rank 1 of 2: wait")}
    assert ecotone("logs", name, "--rank", 1, "--label").stdout == "1| rank 1 of 2: wait\n"
    ended = document("kill", name[:-1], "--reason", "enough")["jobs"][0]
    assert ended["state"] == "failed"
    assert ended["reason"].endswith(": enough")
    assert ended["exit_code"] == 143
    assert document("ps")["jobs"] == []
    again = ecotone("kill", name)
    assert again.returncode == 1
    assert "does not run any more" in again.stderr


def test_a_killed_launcher_leaves_nothing_and_no_lie(cell: Path) -> None:
    name = started(cell)
    launcher = document("ps")["jobs"][0]["launcher"]
    ranks = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    assert len(ranks) == 2
    os.kill(launcher, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(is_alive(process) for process in (str(launcher), *ranks)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    seen = document("ps", "--all")["jobs"]
    assert [(each["job"], each["state"]) for each in seen] == [(name, "lost")]
    assert "its launcher was killed" in seen[0]["reason"]
    assert document("ps")["jobs"] == []


def test_a_launcher_that_does_not_end_is_killed_and_waited_for(cell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecotone.session import cells as session

    name = started(cell)
    os.kill(document("ps")["jobs"][0]["launcher"], signal.SIGSTOP)
    monkeypatch.setattr(session, "_END_LIMIT_S", 0.3)
    assert session.end_job(name, "enough").state == "lost"


def is_alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_interrupted_is_told(cell: Path) -> None:
    command = [sys.executable, "-m", "ecotone", "cell", "run", str(cell), "-n", "2", "--", "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        job.stdout.readline()
        job.send_signal(signal.SIGINT)
        _, told = job.communicate(timeout=30)
    assert job.returncode == 130
    assert "ecotone: interrupted" in told
    assert document("ps", "--all")["jobs"][0]["reason"] == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_by_a_signal_is_told_as_that(cell: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "ecotone", "cell", "run", str(cell), "-n", "2", "--", "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        job.stdout.readline()
        job.send_signal(number)
        _, told = job.communicate(timeout=30)
    assert job.returncode == 128 + number
    assert f"ecotone: ended by {number.name}" in told


def test_a_full_disk_is_told_as_that(cell: Path) -> None:
    command = [sys.executable, "-m", "ecotone", "cell", "run", str(cell), "--"]
    for what in ("ever", "hello"):  # while ranks run, and when they have ended
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run([*command, what], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("ecotone: stdout cannot be written: No space left on device; free some space")
    seen = document("ps", "--all")["jobs"]
    assert {each["reason"].partition(":")[0] for each in seen} == {"stdout cannot be written"}


@pytest.mark.parametrize("what", ["ever", "hello"])
def test_a_reader_that_goes_is_the_end_as_of_any_program(cell: Path, what: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "ecotone", "cell", "run", str(cell), "--", what]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
    seen = document("ps", "--all")["jobs"]
    assert [(each["state"], each["reason"]) for each in seen] == [("failed", "nobody reads its output any more")]


def test_a_stream_that_does_not_wait_gets_all(cell: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    command = [sys.executable, "-m", "ecotone", "cell", "run", str(cell), "--", "much"]
    with subprocess.Popen(command, stdout=writing, stderr=subprocess.PIPE) as job:
        os.close(writing)
        time.sleep(0.5)  # the pipe is full
        with os.fdopen(reading, "rb") as rest:
            assert rest.read().count(b"\n") == 20001
    assert job.returncode == 0


def test_a_name_that_is_taken_is_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, urandom = iter([b"\x00\x01", b"\x00\x01", b"\x00\x02"]), os.urandom
    monkeypatch.setattr(registry.os, "urandom", lambda count: next(drawn) if count == 2 else urandom(count))
    names = [registry.enter(tmp_path / "a.cell", 1, ("no text: \udcff",), 0.0).record.job for _ in range(2)]
    assert names == ["a-0001", "a-0002"]
    entered = registry.entries()
    assert [entry.record.arguments for entry in entered] == [("no text: \ufffd",)] * 2
    for entry in entered:  # else this process would be ended as their launcher
        shutil.rmtree(entry.folder)


def test_what_keeps_a_detached_job_from_its_start_is_told_as_such(cell: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    done = ecotone("run", cell, "--detach", env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert done.returncode == ecotone("run", cell).returncode != 0
    assert "state" in done.stderr


def test_a_cell_file_runs_in_a_folder_with_any_name(cell: Path, tmp_path: Path) -> None:
    here = tmp_path / "size=8:ro"
    here.mkdir()
    code = "from ecotone.frontends.cli.cell_running import run_file; run_file()"
    command = [sys.executable, "-c", code, str(cell), "write"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (here / "out.txt").exists()
    shut = f"exec {shlex.join(command)} >&- <&-"
    done = subprocess.run(["sh", "-c", shut], cwd=here, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_is_asked_for_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["cell", "logs", "nothing"]) == 2
    assert "there is no job nothing" in capsys.readouterr().err
    assert run_command(["cell", "kill"]) == 2
    assert run_command(["cell", "ps"]) == 0
    assert "no job runs" in capsys.readouterr().out


def test_a_cell_file_runs_by_itself_in_the_current_folder(cell: Path, tmp_path: Path) -> None:
    code = "from ecotone.frontends.cli.cell_running import {}; {}()"
    run_file = [sys.executable, "-c", code.format("run_file", "run_file"), str(cell), "write"]
    done = subprocess.run(run_file, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.txt").exists()
    mpirun = [sys.executable, "-c", code.format("mpirun", "mpirun"), "-np", "3", "--oversubscribe", str(cell), "-x"]
    done = subprocess.run(mpirun, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert sorted(done.stdout.splitlines()) == [f"rank {rank} of 3: -x" for rank in range(3)]
