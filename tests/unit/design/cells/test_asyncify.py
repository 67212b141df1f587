"""Modules that are made movable: all their variables can be carried, and what cannot be transformed is said."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

wasmtime = pytest.importorskip("wasmtime")
if importlib.util.find_spec("icpp_binaryen") is None:  # not imported: its Python side wants more than its library
    pytest.skip("needs the extra `cells-build`", allow_module_level=True)

from ecotone.core.errors import MissingExtraError  # noqa: E402
from ecotone.design.cells import BuildError  # noqa: E402
from ecotone.design.cells._asyncify import harmless, make_movable  # noqa: E402

# Counts down, calling the safe point at every step, and adds the steps up in a global that nobody has exported.
PROGRAM = """
(module
  (import "eco" "safepoint" (func $safepoint))
  (memory (export "memory") 2)
  (global $total (mut i32) (i32.const 0))
  (global $fixed i32 (i32.const 7))
  (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
  (func (export "_start") (local $left i32)
    (local.set $left (i32.const 3))
    (loop $again
      (global.set $total (i32.add (global.get $total) (call $leaf (local.get $left))))
      (call $safepoint)
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
  (func (export "total") (result i32) (global.get $total)))
"""


@pytest.fixture
def movable(tmp_path: Path) -> Path:
    target = tmp_path / "program.wasm"
    target.write_bytes(wasmtime.wat2wasm(PROGRAM))
    make_movable(target, target)
    return target


def test_every_variable_is_exported(movable: Path) -> None:
    module = wasmtime.Module.from_file(wasmtime.Engine(), str(movable))
    mutable = [one.name for one in module.exports if isinstance(one.type, wasmtime.GlobalType) and one.type.mutable]
    assert len(mutable) == 1
    assert mutable[0].startswith("eco.global.")


def test_stack_is_taken_and_given_back(movable: Path) -> None:
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    module = wasmtime.Module.from_file(engine, str(movable))
    events: list[str] = []

    def safe_point() -> None:
        if events[-1:] == ["rewind"]:
            exports["asyncify_stop_rewind"](store)
            events.append("arrived")
        elif len(events) < 4:
            events.append("unwind")
            memory.write(store, (65536 + 8).to_bytes(4, "little") + (2 * 65536).to_bytes(4, "little"), 65536)
            exports["asyncify_start_unwind"](store, 65536)

    function = wasmtime.Func(store, wasmtime.FuncType([], []), safe_point)
    exports = wasmtime.Instance(store, module, [function]).exports(store)
    memory = exports["memory"]
    for _ in range(2):
        exports["_start"](store)
        exports["asyncify_stop_unwind"](store)
        exports["asyncify_start_rewind"](store, 65536)
        events.append("rewind")
    exports["_start"](store)
    assert events == ["unwind", "rewind", "arrived", "unwind", "rewind", "arrived"]
    assert exports["total"](store) == 3 * (3 + 2 + 1)


def test_what_is_no_module_is_refused(tmp_path: Path) -> None:
    source, target = tmp_path / "broken.wasm", tmp_path / "made.wasm"
    source.write_bytes(b"\0asm\1\0\0\0\1\x7fnothing of this is true")
    with pytest.raises(BuildError, match=r"broken.wasm cannot be made movable: binaryen ended with"):
        make_movable(source, target)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.wasm"]


def test_module_without_a_safe_point_stays_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "plain.wasm"
    code = bytes(wasmtime.wat2wasm('(module (func (export "_start")))'))
    target.write_bytes(code)
    make_movable(target, target)
    assert target.read_bytes() == code


STDIO = """(module
 (import "eco" "safepoint" (func $host_safepoint))
 (func $__fwritex (param $0 i32)
  (call_indirect $0 (type $t) (local.get $0)))
 (func $fwrite (param $0 i32)
  (call $__fwritex (local.get $0)))
 (func $fclose
  (call $send))
 (func $send
  (call $host_safepoint))
%s)"""


def test_files_of_the_c_library_are_left_alone_unless_a_program_has_its_own() -> None:
    assert harmless(STDIO % "") == ["__fwritex", "fwrite"]
    assert harmless(STDIO % " (func $fopencookie\n  (nop))\n") == []
    assert harmless(STDIO.replace("safepoint", "other") % "") == []


def test_missing_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "icpp_binaryen" else found(name, *rest)
    )
    with pytest.raises(MissingExtraError, match=r"ecotone\[cells-build\]"):
        make_movable(tmp_path / "a.wasm", tmp_path / "b.wasm")
