"""A rank leaves its process at an MPI call and goes on in another: nothing that it computes shows it."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from ecotone.core.errors import ConflictError, InputError
from ecotone.execution.cells import Folder, Job, JobResult, _leaving, _snapshot, _unwinder
from ecotone.execution.cells._local import LocalJob
from ecotone.execution.cells._moving import MoveRefusedError, NoSafePointError
from ecotone.execution.cells._region import region_bytes
from ecotone.execution.cells._snapshot import (
    PAGE,
    SavedThread,
    load_snapshot,
    open_snapshot,
    save_snapshot,
    write_snapshot,
)

Run = Callable[..., tuple[JobResult, str]]
Module = Callable[[str], Path]


class Started:
    """A job that runs, what it writes, and the folder by which it is led."""

    def __init__(self, running: LocalJob, output: tempfile._TemporaryFileWrapper[bytes], folder: Path) -> None:  # pyright: ignore[reportPrivateUsage]
        self.running = running
        self._output = output
        self.folder = folder

    def until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while not (self.folder / "ready").exists():
            assert time.monotonic() < deadline
            assert self.running.wait(0.005) is None, self.written()

    def go_on(self) -> None:
        (self.folder / "go").touch()

    def move(self, rank: int) -> None:
        snapshot = self.running.take_out(rank, 30.0)
        try:
            self.running.put_back(rank, snapshot)
        finally:
            os.close(snapshot)

    def end(self) -> JobResult:
        result = self.running.wait()
        assert result is not None
        return result

    def written(self) -> str:
        self._output.seek(0)
        return self._output.read().decode()


Start = Callable[..., "contextlib.AbstractContextManager[Started]"]


@pytest.fixture
def start(module: Module, tmp_path: Path) -> Start:
    """Starts `programs/moving.c`."""

    @contextlib.contextmanager
    def begin(*arguments: str, ranks: int = 3, **more: object) -> Iterator[Started]:
        folder = tmp_path / "data"
        (folder / "names").mkdir(parents=True, exist_ok=True)
        for number in range(40):
            (folder / "names" / f"{number:02}").touch()
        with tempfile.NamedTemporaryFile() as output:
            job = Job(
                module=module("moving"),
                ranks=ranks,
                arguments=arguments,
                folders={"/data": Folder(path=folder)},
                stdout=output.fileno(),
                stderr=output.fileno(),
                time_max_s=60.0,
                **more,  # type: ignore[arg-type]
            )
            with LocalJob(job) as running:
                yield Started(running, output, folder)

    return begin


@pytest.mark.parametrize("moves", [1, 3])
@pytest.mark.parametrize("doing", ["blocked", "pointer", "collective", "deep", "files", "callbacks", "window"])
def test_rank_goes_on_where_it_was(start: Start, doing: str, moves: int) -> None:
    with start(doing) as job:
        job.until_ready()
        for _ in range(moves):
            job.move(1)
        job.go_on()
        assert job.end().exit_code == 0
        assert job.written() == "ok\n"


def test_computation_is_the_same_to_the_last_bit(start: Start, run: Run) -> None:
    _, unmoved = run("moving", 4, "stencil", "6000")
    assert unmoved.endswith("ok\n")
    chance = random.Random(5)
    moved = 0
    with start("stencil", "6000", ranks=4) as job:
        while moved < 16 and job.running.wait(0.004 * chance.random()) is None:
            job.move(moved % 4)
            moved += 1
        assert job.end().exit_code == 0
        assert job.written() == unmoved
    assert moved == 16


def test_rank_that_never_waits_can_leave(start: Start) -> None:
    with start("alone", ranks=1) as job:
        for _ in range(3):
            job.move(0)
        job.go_on()
        assert job.end().exit_code == 0
        assert job.written() == "ok\n"


def test_all_ranks_are_out_at_once(start: Start, run: Run) -> None:
    _, unmoved = run("moving", 3, "stencil", "3000")
    with start("stencil", "3000") as job:
        snapshots = [job.running.take_out(rank, 30.0) for rank in (2, 0, 1)]
        assert job.running.wait() is None
        for rank, snapshot in zip((2, 0, 1), snapshots, strict=True):
            job.running.put_back(rank, snapshot)
            os.close(snapshot)
        assert job.end().exit_code == 0
        assert job.written() == unmoved


def test_no_safe_point_is_said_and_does_no_harm(start: Start) -> None:
    with start("silent") as job:
        job.until_ready()
        with pytest.raises(NoSafePointError, match=r"rank 1 has reached no safe point within 0.05 s"):
            job.running.take_out(1, 0.05)
        job.go_on()
        assert job.end().exit_code == 0
        assert job.written() == "ok\n"


def test_file_that_cannot_be_opened_again_keeps_the_rank(start: Start) -> None:
    with start("removed") as job:
        job.until_ready()
        with pytest.raises(MoveRefusedError, match=r"\(/data/removed\) cannot be opened again"):
            job.running.take_out(1, 30.0)
        job.go_on()
        assert job.end().exit_code == 0
        assert job.written() == "ok\n"


def test_snapshot_that_cannot_be_written_keeps_the_rank(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_ignored: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_leaving, "write_snapshot", fail)
    with start("deep") as job:
        job.until_ready()
        for _ in range(3):
            with pytest.raises(MoveRefusedError, match="No space left"):
                job.running.take_out(1, 30.0)
        job.go_on()
        assert job.end().exit_code == 0
        assert job.written() == "ok\n"


def test_stack_without_room_ends_the_rank_with_the_reason(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unwinder, "STACK_BYTES", PAGE)
    with start("deep") as job:
        job.until_ready()
        with pytest.raises(ConflictError, match="rank 1 has ended before it could leave"):
            job.running.take_out(1, 30.0)
        first = job.end().first
        assert first is not None
        assert first.rank == 1
        assert "while its stack was saved (there is room for 64 KiB)" in first.reason


def test_place_for_the_stack_does_not_count_as_memory_of_the_cell(start: Start) -> None:
    with start("blocked", memory_max_bytes=region_bytes(3, 3) + (7 << 19)) as job:
        job.until_ready()
        job.move(1)
        job.move(1)
        job.go_on()
        assert job.end().exit_code == 0


def test_module_that_was_not_made_movable_says_so(tmp_path: Path) -> None:
    from ecotone.design.cells import build_module

    target = tmp_path / "fixed.wasm"
    build_module([Path(__file__).parent / "programs" / "moving.c"], target, movable=False)
    folder = tmp_path / "data"
    folder.mkdir()
    with LocalJob(
        Job(module=target, ranks=2, arguments=("blocked",), folders={"/data": Folder(path=folder)}, stdout=2)
    ) as running:
        with pytest.raises(MoveRefusedError, match="build it as movable"):
            running.take_out(1, 30.0)
        (folder / "go").touch()
        result = running.wait()
        assert result is not None
        assert result.exit_code == 0


# ---- Snapshots ----


@pytest.fixture
def saved(start: Start, tmp_path: Path) -> Path:
    """A snapshot of rank 1, in a file."""
    target = tmp_path / "rank.snapshot"
    with start("blocked") as job:
        job.until_ready()
        snapshot = job.running.take_out(1, 30.0)
        save_snapshot(snapshot, target)
        os.close(snapshot)
    return target


def test_snapshot_goes_through_a_file(start: Start, tmp_path: Path) -> None:
    target = tmp_path / "rank.snapshot"
    with start("files") as job:
        job.until_ready()
        snapshot = job.running.take_out(1, 30.0)
        save_snapshot(snapshot, target)
        save_snapshot(snapshot, target)  # over an older one
        os.close(snapshot)
        snapshot = load_snapshot(target)
        job.running.put_back(1, snapshot)
        os.close(snapshot)
        job.go_on()
        assert job.end().exit_code == 0
        assert job.written() == "ok\n"
    assert [path.name for path in tmp_path.iterdir() if "snapshot" in path.name] == ["rank.snapshot"]


def test_snapshot_leaves_out_what_is_zero_or_shared(start: Start) -> None:
    with start("blocked") as job:
        job.until_ready()
        snapshot = job.running.take_out(1, 30.0)
        header, _ = open_snapshot(snapshot)
        os.close(snapshot)
    shared = range(header.shared_start // PAGE, (header.shared_start + header.shared_bytes) // PAGE)
    named = {page for first, count in header.runs for page in range(first, first + count)}
    assert len(shared) > 10
    assert named.isdisjoint(shared)
    assert len(named) < header.memory_pages - len(shared) - 10  # the untouched part of the place for the stack
    assert [one.name for one in header.variables] == ["__stack_pointer"]


def test_snapshot_for_another_node_has_the_messages_on_their_way(start: Start) -> None:
    with start("blocked") as job:
        job.until_ready()
        snapshot = job.running.take_out(1, 30.0, leave_node=True)
        header, _ = open_snapshot(snapshot)
        os.close(snapshot)
    assert header.shared_bytes == 0
    assert header.pages() > 5


def test_rank_that_shares_a_window_keeps_to_its_node(start: Start) -> None:
    with start("window") as job:
        job.until_ready()
        with pytest.raises(MoveRefusedError, match="shares memory with other ranks of its node"):
            job.running.take_out(1, 30.0, leave_node=True)
        job.go_on()
        assert job.end().exit_code == 0
        assert job.written() == "ok\n"
        region = job.running._region  # pyright: ignore[reportPrivateUsage]
        with contextlib.suppress(OSError):  # if there are no data at all; windows that were freed hold none
            data = os.lseek(region.descriptor, region.size_bytes, os.SEEK_DATA)
            assert data >= region.size_bytes + region.windows_bytes


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda data: data[: len(data) // 2], "not complete"),
        (lambda data: data + b"x", "not complete"),
        (lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:], "pages are not what was written"),
        (lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:], "header is not what was written"),
        (lambda data: data[:8] + b"\2" + data[9:], "version 2 of its format"),
        (lambda data: b"x" + data[1:], "not the snapshot of a cell"),
        (lambda _data: b"", "not the snapshot of a cell"),
    ],
)
def test_damaged_snapshot_is_refused(saved: Path, damage: Callable[[bytes], bytes], problem: str) -> None:
    os.close(load_snapshot(saved))
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(InputError, match=problem):
        load_snapshot(saved)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"runs": [(3, 1), (2, 1)]}, "not in order"),
        ({"memory_pages": 10}, "memory that it does not have"),
        ({"stack_start": 1000}, "memory that it does not have"),
        ({"shared_start": -PAGE}, "memory that it does not have"),
        ({"stack_bytes": 1 << 40}, "memory that it does not have"),
        ({"windows": [(4 * PAGE, 0, PAGE), (4 * PAGE, 9, PAGE)]}, "memory that it does not have"),
        ({"windows": [(4 * PAGE, 0, 1 << 40)]}, "memory that it does not have"),
        ({"windows": [(4 * PAGE, -1, PAGE)]}, "memory that it does not have"),
        ({"control": -PAGE}, "memory that it does not have"),
        *(
            ({"threads": [SavedThread(**{"low": 0, "top": PAGE, "tls": 0, "argument": 0} | wrong)]}, "memory that it")
            for wrong in ({"low": -PAGE}, {"top": 1 << 40}, {"tls": -1}, {"argument": 1 << 32}, {"low": 100})
        ),
    ],
)
def test_forged_snapshot_is_refused(saved: Path, change: dict[str, object], problem: str) -> None:
    descriptor = load_snapshot(saved)
    header, _ = open_snapshot(descriptor)
    os.close(descriptor)
    forged = write_snapshot(
        msgspec.structs.replace(header, **change), lambda _first, count: memoryview(bytes(count * PAGE))
    )
    with pytest.raises(InputError, match=problem):
        open_snapshot(forged)
    os.close(forged)


def test_forged_table_of_files_ends_the_job(start: Start, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with start("files") as job:
        job.until_ready()
        snapshot = job.running.take_out(1, 30.0)
        header, first = open_snapshot(snapshot)
        one = next(file for file in header.files if file.path == b"both")
        pages = os.pread(snapshot, header.pages() * PAGE, first)
        os.close(snapshot)
        files = [*header.files, msgspec.structs.replace(one, number=9, path=b"../secret")]
        each = iter([pages[at : at + PAGE] for at in range(0, len(pages), PAGE)])
        forged = write_snapshot(
            msgspec.structs.replace(header, files=files),
            lambda _first, count: memoryview(b"".join(itertools.islice(each, count))),
        )
        job.running.put_back(1, forged)
        os.close(forged)
        first_end = job.end().first
        assert first_end is not None
        assert "/data/../secret open, but: path leads outside" in first_end.reason


def test_snapshot_of_another_module_or_rank_is_refused(saved: Path, module: Module) -> None:
    snapshot = load_snapshot(saved)
    with (
        LocalJob(Job(module=module("endings"), ranks=3, arguments=("loop",))) as other,
        pytest.raises(InputError, match="belongs to another module"),
    ):
        other.put_back(1, snapshot)
    with LocalJob(Job(module=module("moving"), ranks=3, arguments=("none",))) as same:
        with pytest.raises(InputError, match="of rank 1 of 3, not of rank 2"):
            same.put_back(2, snapshot)
        with pytest.raises(ConflictError, match="has not been taken out"):
            same.put_back(1, snapshot)
    os.close(snapshot)


def test_rank_killed_while_it_is_written_leaves_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_a_part(header: _snapshot.Header, _page_run: object) -> int:
        half = os.memfd_create("ecotone-snapshot")
        os.write(half, bytes(header.pages() * PAGE // 2))
        os.kill(os.getpid(), signal.SIGKILL)
        return half

    monkeypatch.setattr(_leaving, "write_snapshot", write_a_part)
    with start("blocked") as job:
        job.until_ready()
        with pytest.raises(ConflictError, match="rank 1 has ended before it could leave"):
            job.running.take_out(1, 30.0)
        first = job.end().first
        assert first is not None
        assert (first.rank, first.reason) == (1, "killed by SIGKILL")
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert not [link for link in links if "ecotone" in str(link)]


_SAVE_AGAIN = """
import sys
from pathlib import Path
from ecotone.execution.cells._region import region_bytes
from ecotone.execution.cells._snapshot import load_snapshot, save_snapshot
source = load_snapshot(Path(sys.argv[1]))
print("begin", flush=True)
while True:
    save_snapshot(source, Path(sys.argv[2]))
"""


def test_process_killed_while_it_saves_leaves_a_whole_file_or_none(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    chance = random.Random(3)
    for _ in range(3):
        command = [sys.executable, "-c", _SAVE_AGAIN, str(saved), str(folder / "rank.snapshot")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as saving:
            assert saving.stdout is not None
            saving.stdout.readline()
            time.sleep(0.02 * chance.random())
            saving.kill()
        for path in folder.iterdir():
            os.close(load_snapshot(path))
