"""What a module cannot have, whatever compiler made it: memory that moves, tables without end, a host that fails."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from ecotone.core.errors import InputError, UnavailableError
from ecotone.execution.cells import Folder, Job, JobResult, run_job
from ecotone.execution.cells._callbacks import define, link
from ecotone.execution.cells._compiled import compiled_module
from ecotone.execution.cells._engine import limit, new_engine
from ecotone.execution.cells._wasi import kind_in_folder

Written = Callable[[str], Path]
_EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A module from its text."""

    def write(text: str) -> Path:
        path = tmp_path / "made.wasm"
        path.write_bytes(wasmtime.wat2wasm(f"(module {text})"))
        return path

    return write


def result_of(module: Path, **more: object) -> JobResult:
    with tempfile.TemporaryFile() as output:
        given = {"stdout": output.fileno(), "stderr": output.fileno(), "time_max_s": 60.0, **more}
        return run_job(Job(module=module, **given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("memory", "reason"),
    [
        ('(memory (export "memory") i64 1)', "memory64"),
        ('(memory (export "memory") 1) (memory 1)', "multiple memories"),
        ('(memory (export "memory") 1) (type (struct (field i32)))', "gc"),
    ],
)
def test_memory_of_another_kind_is_refused(written: Written, memory: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        result_of(written(f'{memory} (func (export "_start"))'))


def test_shared_memory_of_the_modules_own_is_refused(written: Written) -> None:
    """It would have no limit."""
    result = result_of(written('(memory (export "memory") 1 2 shared) (func (export "_start"))'))
    assert result.first is not None
    assert "does not import" in result.first.reason
    grow = "(func $bomb (drop (memory.grow (i32.const 60000)))) (start $bomb)"
    result = result_of(written(f'(memory 1 65536 shared) {grow} (func (export "_start"))'))
    assert result.first is not None
    assert "not a program" in result.first.reason


@pytest.mark.parametrize(("most_mib", "grows"), [(1, False), (4, True)])
def test_memory_that_threads_share_has_the_limit_of_the_cell(written: Written, most_mib: int, *, grows: bool) -> None:
    memory = '(import "env" "memory" (memory 1 65536 shared)) (export "memory" (memory 0))'
    grow = '(func (export "_start") (call $exit (i32.eq (memory.grow (i32.const 60)) (i32.const -1))))'
    result = result_of(written(f"{_EXIT} {memory} {grow}"), memory_max_bytes=most_mib << 20)
    assert result.exit_code == (0 if grows else 1)


def test_variable_that_cannot_be_moved_is_refused(written: Written) -> None:
    variable = '(global (export "v") (mut v128) (v128.const i64x2 0 0))'
    with pytest.raises(InputError, match="cannot be compiled"):
        result_of(written(f'(memory (export "memory") 1) {variable} (func (export "_start"))'))


def test_module_with_memory_of_its_own_gets_no_threads(written: Written) -> None:
    start = '(import "eco" "thread_start" (func $start (param i32 i32 i32 i32) (result i32)))'
    thread = '(func (export "eco_thread") (param i32 i32))'
    call = "(call $start (i32.const 0) (i32.const 65536) (i32.const 0) (i32.const 0))"
    result = result_of(
        written(f'{_EXIT} {start} (memory (export "memory") 1) {thread} (func (export "_start") (call $exit {call}))')
    )
    assert result.exit_code == 6  # again


def test_module_that_is_no_program_is_told(written: Written) -> None:
    result = result_of(written('(memory (export "memory") 1)'))
    assert result.first is not None
    assert "not a program" in result.first.reason


def test_tables_have_a_limit(written: Written) -> None:
    grow = "(table.grow $t (ref.null func) (i32.const 4000000))"
    table = f'(table $t 1 funcref) (func (export "_start") (call $exit (i32.eq {grow} (i32.const -1))))'
    result = result_of(written(f'{_EXIT} (memory (export "memory") 1) {table}'))
    assert result.exit_code == 1
    result = result_of(written('(memory (export "memory") 1) (table 4000000 funcref) (func (export "_start"))'))
    assert result.first is not None
    assert "table" in result.first.reason


def test_limits_hold_when_they_are_raised() -> None:
    engine = new_engine()
    store = wasmtime.Store(engine)
    module = wasmtime.Module(engine, bytes(wasmtime.wat2wasm("(module (memory 1))")))
    limit(store, 1 << 20)
    wasmtime.Instance(store, module, [])
    limit(store, 1 << 21)
    with pytest.raises(wasmtime.WasmtimeError, match="limit exceeded"):
        wasmtime.Instance(store, module, [])


def test_long_path_is_refused(written: Written, tmp_path: Path) -> None:
    unlink = '(import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))'
    start = '(func (export "_start") (call $exit (call $unlink (i32.const 3) (i32.const 0) (i32.const 65536))))'
    result = result_of(
        written(f'{_EXIT} {unlink} (memory (export "memory") 1) {start}'), folders={".": Folder(path=tmp_path)}
    )
    assert result.exit_code == 37  # nametoolong


def failing(*_arguments: int) -> int:
    raise MemoryError("no more")


def test_host_function_that_fails_is_a_trap() -> None:
    engine = new_engine()
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    define(b"test", b"fails", "i", failing, results=1)
    link(linker)
    call = (
        '(import "test" "fails" (func $f (param i32) (result i32))) (func (export "go") (drop (call $f (i32.const 7))))'
    )
    instance = linker.instantiate(store, wasmtime.Module(engine, bytes(wasmtime.wat2wasm(f"(module {call})"))))
    go = instance.exports(store)["go"]
    assert isinstance(go, wasmtime.Func)
    with pytest.raises(wasmtime.WasmtimeError, match="could not do fails: MemoryError no more"):
        go(store)


def test_host_function_that_fails_ends_the_rank_with_the_reason(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_yield", failing)  # a rank is forked from this process
    text = '(import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))'
    start = '(func $main (export "_start") (drop (call $yield)))'
    result = result_of(written(f'{text} (memory (export "memory") 1) {start}'))
    assert result.first is not None
    assert result.exit_code == 134
    assert "the host could not do sched_yield: MemoryError no more" in result.first.reason


def test_rank_that_cannot_start_never_goes_on_in_its_launcher(written: Written) -> None:
    own = os.getpid()
    result = result_of(written('(memory (export "memory") 1) (func (export "_start"))'), stdout=9999, ranks=2)
    assert os.getpid() == own
    assert result.first is not None
    assert "could not start" in result.first.reason
    assert "Bad file descriptor" in result.first.reason


def test_ranks_beyond_what_the_system_has_are_told_and_none_is_left(written: Written) -> None:
    module = written('(memory (export "memory") 1) (func $run (export "_start") (loop $on (br $on)))')
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    compiled_module(module)
    open_now = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 12, hard))
    try:
        with pytest.raises(UnavailableError, match="Too many open files; start fewer"):
            result_of(module, ranks=100, time_max_s=5.0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(list(Path("/proc/self/fd").iterdir())) == open_now
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_file_from_before_1970_has_a_state(written: Written, tmp_path: Path) -> None:
    state = '(import "wasi_snapshot_preview1" "fd_filestat_get" (func $state (param i32 i32) (result i32)))'
    start = '(func (export "_start") (call $exit (call $state (i32.const 3) (i32.const 0))))'
    folder = tmp_path / "old"
    folder.mkdir()
    os.utime(folder, ns=(-(10**9), -(10**9)))
    result = result_of(
        written(f'{_EXIT} {state} (memory (export "memory") 1) {start}'), folders={".": Folder(path=folder)}
    )
    assert result.exit_code == 0


def test_standard_stream_stays_as_it_is(written: Written) -> None:
    flags = '(import "wasi_snapshot_preview1" "fd_fdstat_set_flags" (func $flags (param i32 i32) (result i32)))'
    read = '(import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))'
    start = """(data (i32.const 0) "\\10\\00\\00\\00\\08\\00\\00\\00") (func (export "_start")
        (drop (call $flags (i32.const 0) (i32.const 4)))
        (call $exit (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))))"""
    reading, writing = os.pipe()
    try:
        result = result_of(written(f'{_EXIT} {flags} {read} (memory (export "memory") 1) {start}'), stdin=reading)
        assert os.get_blocking(reading)
    finally:
        os.close(reading)
        os.close(writing)
    assert result.exit_code == 6  # again: nothing is there, and the cell has said that it does not wait


def test_output_waits_for_a_stream_that_others_made_nonblocking(written: Written) -> None:
    write = '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'
    start = """(data (i32.const 0) "\\10\\00\\00\\00\\00\\80\\00\\00") (func (export "_start") (local $i i32)
        (loop $more
            (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then (call $exit (i32.const 9))))
            (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8)))))"""
    module = written(f'{_EXIT} {write} (memory (export "memory") 1) {start}')
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    reader = os.fork()
    if reader == 0:
        os.close(writing)
        while os.read(reading, 4096):
            pass
        os._exit(0)
    os.close(reading)
    result = result_of(module, stdout=writing)
    os.close(writing)
    os.waitpid(reader, 0)
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("function", "path", "to", "error"),
    [
        ("path_create_directory", "mine", "", 0),
        ("path_create_directory", "cache/mine", "", 0),
        ("path_create_directory", "cache/ecotone/cells/compiled/mine", "", 2),
        ("path_create_directory", "state/ecotone/cells/mine", "", 2),  # which is not there before the cell runs
        ("path_unlink_file", "cache/ecotone/cells/../cells/key", "", 2),
        ("path_unlink_file", "link", "", 2),
        ("path_rename", "real", "other", 2),
        ("path_rename", "real/ecotone", "other", 2),
        ("path_rename", "file", "link", 2),
        ("path_rename", "file", "other", 0),
        ("path_open", "real/ecotone/cells", "", 2),
        ("path_open", "real/ecotone", "", 0),
    ],
)
def test_folders_of_the_platform_are_out_of_reach(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, path: str, to: str, error: int
) -> None:
    home = tmp_path / "home"
    (home / "real").mkdir(parents=True)
    (home / "link").symlink_to("real")
    (home / "file").touch()
    (home / "cache").mkdir()
    by_link = path.startswith(("link", "real")) or to == "link"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ("link" if by_link else "cache")))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    given = f"(i32.const 3) (i32.const 256) (i32.const {len(path)})"
    numbers = "i32 i32 i32"
    if to:
        given, numbers = f"{given} (i32.const 3) (i32.const 512) (i32.const {len(to)})", "i32 i32 i32 i32 i32 i32"
    if function == "path_open":
        given = (
            f"(i32.const 3) (i32.const 0) (i32.const 256) (i32.const {len(path)}) (i32.const 2) "
            "(i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)"
        )
        numbers = "i32 i32 i32 i32 i32 i64 i64 i32 i32"
    text = f"""{_EXIT} (import "wasi_snapshot_preview1" "{function}" (func $do (param {numbers}) (result i32)))
        (memory (export "memory") 1) (data (i32.const 256) "{path}") (data (i32.const 512) "{to}")
        (func (export "_start") (call $exit (call $do {given})))"""
    assert result_of(written(text), folders={".": Folder(path=home)}).exit_code == error


def test_folder_of_the_platform_cannot_be_given(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module = written('(memory (export "memory") 1) (func (export "_start"))')
    result = result_of(module, folders={".": Folder(path=tmp_path / "ecotone" / "cells" / "compiled")})
    assert result.first is not None
    assert "cannot be given to a cell" in result.first.reason


def test_arguments_need_not_be_text(written: Written) -> None:
    module = written('(memory (export "memory") 1) (func (export "_start"))')
    strange = os.fsdecode(b"\xff")
    assert result_of(module, arguments=(strange,), environment={"NAME": strange}).exit_code == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_cache_of_another_user_is_told(written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "ecotone" / "cells" / "compiled"
    folder.mkdir(parents=True, mode=0o700)
    os.chown(folder, 12345, -1)
    with pytest.raises(InputError, match="belongs to another user"):
        result_of(written('(memory (export "memory") 1) (func (export "_start"))'))


def test_file_that_goes_while_a_folder_is_listed_is_not_in_the_list(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    with os.scandir(tmp_path) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
        (tmp_path / "a").unlink()
        assert [kind_in_folder(entry) for entry in found] == [None, 4]
