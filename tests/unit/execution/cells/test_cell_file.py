"""Cell files: damaged ones are told, and code in them is used only if this user has signed it."""

from __future__ import annotations

import stat
import subprocess
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import wasmtime

from ecotone.core.errors import InputError, UnavailableError
from ecotone.execution.cells import Job, run_job
from ecotone.execution.cells._trust import is_signed, own_key, sign, state_folder
from ecotone.execution.cells.building import (
    Built,
    Compiled,
    Manifest,
    Needs,
    compiled_module,
    machine_kind,
    module_imports,
    read_cell,
    write_cell,
)

from ecotone.execution.cells._compiled import cache_folder, compile_module  # isort: skip


@pytest.fixture(scope="session")
def types(module: Callable[[str], Path]) -> Path:
    """A module, built with the caches that all tests have."""
    return module("types")


@pytest.fixture
def home(types: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys and caches of this test alone; what it needs is built before."""
    assert types.exists()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def cell(types: Path, home: Path) -> Path:
    """A cell file with code for this machine, signed by this user."""
    code, native = types.read_bytes(), compiled_module(types).read_bytes()
    return written(home / "app.cell", code, native)


def written(path: Path, module: bytes, native: bytes, signature: str | None = None) -> Path:
    from hashlib import sha256

    digest, machine = sha256(module).hexdigest(), machine_kind()
    signed = Compiled(size_bytes=len(native), signature=signature or sign(digest, machine, native))
    manifest = Manifest(
        digest=digest,
        module_bytes=len(module),
        needs=Needs(imports=module_imports(module)),
        built=Built(ecotone="1", compiler="c"),
        compiled={machine: signed},
    )
    write_cell(path, manifest, module, {machine: native})
    return path


def test_a_cell_is_a_zip_archive_that_can_be_run(cell: Path, types: Path) -> None:
    assert cell.stat().st_mode & 0o111
    assert cell.read_bytes().startswith(b"#!/usr/bin/env ecotone-run\n")
    with zipfile.ZipFile(cell) as archive:
        assert archive.testzip() is None
        assert archive.read("module.wasm") == types.read_bytes()
    assert "eco.map" in read_cell(cell).manifest.needs.imports
    assert run_job(Job(module=cell)).exit_code == 0


def test_every_damage_is_told(cell: Path) -> None:
    whole = cell.read_bytes()
    for at in range(len(whole) - 1, 0, -len(whole) // 40):
        cell.write_bytes(whole[:at])
        with pytest.raises(InputError, match=r"damaged or cut off|not a cell file"):
            read_cell(cell)
    start = whole.index(b"\0asm")
    for at in (start, start + 5000, whole.index(b'"digest"') + 15):
        cell.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(InputError, match="damaged"):
            read_cell(cell)


def test_another_module_under_the_same_digest_is_told(cell: Path) -> None:
    read = read_cell(cell)
    other = read.module + b"\0\x05\x04name"  # a section more
    manifest = msgspec.structs.replace(read.manifest, compiled={})
    write_cell(cell, manifest, other, {})
    with pytest.raises(InputError, match="its module is not the one that was built"):
        run_job(Job(module=cell))


def test_later_versions_and_other_programs_are_told(cell: Path) -> None:
    manifest = msgspec.structs.replace(read_cell(cell).manifest, format=99, compiled={})
    write_cell(cell, manifest, read_cell(cell).module, {})
    with pytest.raises(InputError, match="later version"):
        read_cell(cell)
    cell.write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(InputError, match="a program for this machine, not for cells"):
        run_job(Job(module=cell))


def test_signed_code_is_used(cell: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    monkeypatch.setattr(subprocess, "run", None)  # nothing is compiled
    assert compiled_module(cell).read_bytes() == read_cell(cell).compiled(machine_kind())


def test_code_that_was_changed_is_compiled_anew(cell: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = read_cell(cell)
    native = read.compiled(machine_kind())
    assert native is not None
    forged = native[:-1] + bytes([native[-1] ^ 1])
    signature = read.manifest.compiled[machine_kind()].signature
    written(cell, read.module, forged, signature)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    assert compiled_module(cell).read_bytes() != forged
    assert run_job(Job(module=cell)).exit_code == 0


def test_code_signed_by_another_is_compiled_anew(cell: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = read_cell(cell)
    native = b"\x7fELF of someone else"
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "someone"))
    written(cell, read.module, native)
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    assert compiled_module(cell).read_bytes() != native
    assert run_job(Job(module=cell)).exit_code == 0


def test_the_key_is_this_users_alone(home: Path) -> None:
    keys: list[bytes] = []
    threads = [threading.Thread(target=lambda: keys.append(own_key())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    file = state_folder() / "key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    signature = sign("d", "m", b"code")
    assert is_signed("d", "m", b"code", signature)
    assert not is_signed("d", "other", b"code", signature)
    file.chmod(0o644)
    assert not is_signed("d", "m", b"code", signature)
    with pytest.raises(UnavailableError, match="remove it"):
        own_key()


def test_the_cache_may_be_deleted_and_is_nobody_elses(cell: Path) -> None:
    entry = compiled_module(cell)
    entry.unlink()
    entry.write_bytes(b"")  # as after a loss of power
    assert run_job(Job(module=cell)).exit_code == 0
    folder = cache_folder() / "compiled"
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []
    folder.chmod(0o777)
    with pytest.raises(InputError, match="others can write to"):
        compiled_module(cell)


def test_each_compiles_its_own_though_process_numbers_are_the_same(home: Path) -> None:
    modules = [home / f"exit{code}.wasm" for code in range(1, 7)]
    for code, path in enumerate(modules, 1):
        text = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)'
        path.write_bytes(wasmtime.wat2wasm(f'(module {text} (func (export "_start") (call $exit (i32.const {code}))))'))
    threads = [threading.Thread(target=compiled_module, args=(path,)) for path in modules]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run_job(Job(module=path)).exit_code for path in modules] == [1, 2, 3, 4, 5, 6]


def test_a_module_is_compiled_only_under_its_own_digest(
    types: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = home / f"{'0' * 40}-{machine_kind()}.cwasm"
    assert compile_module(types, target) == 1
    assert "was changed" in capsys.readouterr().err
    assert not target.exists()


def test_many_compile_at_once(types: Path, home: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(compiled_module(types))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert list((cache_folder() / "compiled").iterdir()) == [found[0]]
