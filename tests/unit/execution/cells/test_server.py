"""The process that starts jobs: what it has ready, which programs it knows again, and what it leaves behind."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.execution.cells.processes import alive, children, ranks_of, spares_of, wait_until

from ecotone.core.errors import InputError, UnavailableError
from ecotone.execution.cells import Job, JobResult
from ecotone.execution.cells.server import CellServer

WAITING = 5
"""Four processes that wait to be a rank, and one to be a job."""


@pytest.fixture
def server() -> Iterator[CellServer]:
    started = CellServer()
    yield started
    started.close()


@pytest.fixture
def program(module: Callable[[str], Path]) -> Path:
    return settled(module("component"))


def settled(file: Path) -> Path:
    """Waits until it was not changed a moment ago."""
    while time.time() - file.stat().st_ctime < 0.2:
        time.sleep(0.02)
    return file


def run(server: CellServer, program: Path, *arguments: str, ranks: int = 1, **more: float) -> tuple[JobResult, str]:
    with tempfile.TemporaryFile() as output:
        stream = output.fileno()
        job = Job(module=program, ranks=ranks, arguments=arguments, stdout=stream, stderr=stream, **more)  # type: ignore[arg-type]
        result = server.start(job).wait(30).result
        output.seek(0)
        assert result is not None
        return result, output.read().decode()


def teach(server: CellServer, program: Path) -> set[int]:
    """Lets the server run a program for the first time, and wait for the next with all that it has; what waits."""
    run(server, program)

    def ready() -> list[int]:
        return [each for each in spares_of(server.pid) if any(name.endswith(".cwasm") for name in held(each))]

    wait_until(lambda: len(ready()) >= WAITING - 1 and len(spares_of(server.pid)) == WAITING, "all wait that shall")
    return set(spares_of(server.pid))


def held(process: int) -> list[str]:
    """What it has open."""
    try:
        return [str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir()]
    except OSError:  # something was closed meanwhile, or all
        return []


def spin(program: Path, ranks: int) -> Job:
    return Job(module=program, ranks=ranks, arguments=("spin", "0"))


def test_ranks_of_a_known_program_have_waited_for_it(server: CellServer, program: Path) -> None:
    waiting = teach(server, program)
    job = server.start(spin(program, 3))
    wait_until(lambda: len(ranks_of(server.pid)) == 3, "the ranks run")
    ranks = ranks_of(server.pid)
    assert set(ranks) < waiting
    wait_until(lambda: len(spares_of(server.pid)) == WAITING, "others wait in their place")
    job.close()
    wait_until(lambda: not any(map(alive, ranks)), "they have ended")


@pytest.mark.parametrize("arguments", [("echo",), ("fail",), ("say", "3000")])
def test_a_known_program_ends_like_one_that_is_new(
    server: CellServer, program: Path, arguments: tuple[str, ...]
) -> None:
    new = run(server, program, *arguments, ranks=2)
    assert run(server, program, *arguments, ranks=2) == new
    assert run(server, program, *arguments, ranks=2) == new


def test_more_ranks_than_wait_are_started_all_the_same(server: CellServer, program: Path) -> None:
    teach(server, program)
    assert run(server, program, "echo", ranks=9)[1] == "9 ranks, no name\n"


def test_the_deadline_and_the_end_of_a_rank_are_told(server: CellServer, program: Path) -> None:
    teach(server, program)
    result, _ = run(server, program, "spin", "0", ranks=2, time_max_s=0.1)
    assert [end.reason for end in result.ends] == ["took longer than the 0.1 s it was given"] * 2
    job = server.start(spin(program, 2))
    wait_until(lambda: len(ranks_of(server.pid)) == 2, "the ranks run")
    os.kill(ranks_of(server.pid)[0], signal.SIGKILL)
    first = job.wait(20).result
    assert first is not None
    assert first.first is not None
    assert (first.first.exit_code, first.first.reason) == (137, "killed by SIGKILL")


def test_when_all_that_waited_were_killed_jobs_start(server: CellServer, program: Path) -> None:
    waiting = teach(server, program)
    for process in waiting:
        os.kill(process, signal.SIGKILL)
    wait_until(lambda: not any(map(alive, waiting)), "they are dead")
    for ranks in (1, 2, 4):
        assert run(server, program, "echo", ranks=ranks)[1] == f"{ranks} ranks, no name\n"


def test_with_the_server_all_ends_that_it_has_started(server: CellServer, program: Path) -> None:
    teach(server, program)
    job = server.start(spin(program, 2))
    wait_until(lambda: len(ranks_of(server.pid)) == 2, "the ranks run")
    processes = children(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(UnavailableError, match="was killed"):
        job.wait(20)
    wait_until(lambda: not any(map(alive, processes)), "they have ended")


def test_a_file_that_was_changed_is_run_as_it_is(server: CellServer, program: Path, tmp_path: Path) -> None:
    """Of the same length, in the same place, and once right after it was run."""
    code, changing = program.read_bytes(), tmp_path / "changing.wasm"
    assert code.count(b"no name") == 1
    for name in (b"no name", b"no fame", b"no game"):
        changing.write_bytes(code.replace(b"no name", name))
        told = f"1 ranks, {name.decode()}\n"
        assert run(server, changing, "echo")[1] == told
        settled(changing)
        assert [run(server, changing, "echo")[1] for _ in range(3)] == [told] * 3
    for name in (b"no lame", b"no tame", b"no dame", b"no same"):
        changing.write_bytes(code.replace(b"no name", name))
        assert run(server, changing, "echo")[1] == f"1 ranks, {name.decode()}\n"


def test_many_jobs_at_once(server: CellServer, program: Path) -> None:
    teach(server, program)
    jobs = [server.start(Job(module=program, ranks=1 + number % 3, stdout=2)) for number in range(24)]
    for number, job in enumerate(jobs):
        result = job.wait(60).result
        assert result is not None
        assert [end.exit_code for end in result.ends] == [0] * (1 + number % 3)


def test_want_of_descriptors_is_told_and_passes(server: CellServer, program: Path) -> None:
    teach(server, program)
    before = len(held(server.pid))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (before + 25, 4096))
    job = Job(module=program, ranks=2, arguments=("spin", "0"), time_max_s=1.0)
    jobs, ends = [server.start(job) for _ in range(12)], set[str]()
    for started in jobs:
        try:
            result = started.wait(30).result
            assert result is not None
            ends.add(result.ends[0].reason)
        except (InputError, UnavailableError) as error:
            ends.add(str(error))
    assert "took longer than the 1.0 s it was given" in ends
    assert any("Too many open files" in each for each in ends), ends
    wait_until(lambda: not ranks_of(server.pid), "all have ended")
    assert run(server, program, "echo", ranks=2)[1] == "2 ranks, no name\n"
    wait_until(lambda: len(held(server.pid)) == before, "all is closed")


def test_after_200_jobs_the_server_has_what_it_had(server: CellServer, program: Path) -> None:
    teach(server, program)
    before = len(held(server.pid))
    for number in range(200):
        job = server.start(Job(module=program, ranks=1 + number % 2))
        if number % 10 == 0:
            job.close()
        else:
            job.wait(30)
    wait_until(lambda: len(children(server.pid)) == WAITING and len(held(server.pid)) == before, "all is closed")


def test_what_waits_has_nothing_of_the_jobs_that_run(server: CellServer, program: Path) -> None:
    before = teach(server, program)
    job = server.start(spin(program, 2))
    wait_until(lambda: len(set(spares_of(server.pid)) - before) == 2, "two new ones wait")
    for process in spares_of(server.pid):
        names = held(process)
        assert sum(each.startswith("socket:") for each in names) == 1
        assert not [each for each in names if "ecotone-cells" in each or "pidfd" in each]
    job.close()
