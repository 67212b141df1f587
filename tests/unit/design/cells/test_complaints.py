"""What people are told when WebAssembly cannot have what a program wants."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from ecotone.design.cells._complaints import catches, readable

needs_compiler = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs the extra `cells-build`")

IMPOSSIBLE = {
    "fork": ("#include <unistd.h>\nint main(void) { return fork(); }", "can start no other"),
    "execl": ('#include <unistd.h>\nint main(void) { return execl("a", "b", 0); }', "can start no other"),
    "system": ('#include <stdlib.h>\nint main(void) { return system("ls"); }', "can start no other"),
    "popen": ('#include <stdio.h>\nint main(void) { return !popen("ls", "r"); }', "can start no other"),
    "longjmp": ("#include <setjmp.h>\nint main(void) { jmp_buf b; return setjmp(b); }", "return an error code"),
    "rdtsc": ('int main(void) { int a; __asm__("rdtsc" : "=a"(a)); return a; }', "inline assembly is for one"),
    "mfence": ('int main(void) { __asm__("mfence" ::: "memory"); return 0; }', "inline assembly is for one"),
    "immintrin": ("#include <immintrin.h>\nint main(void) { return 0; }", "intrinsics of one processor"),
    "socket": ("#include <sys/socket.h>\nint main(void) { return socket(2, 1, 0); }", "has no network"),
    "too large": ("char a[5000000000ULL];\nint main(void) { return a[1]; }", "can address 4 GiB"),
    "MPI_Comm_spawn": (
        "int MPI_Comm_spawn(void);\nint main(void) { return MPI_Comm_spawn(); }",
        "not in the library for cells yet",
    ),
}


@needs_compiler
@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_cells_cannot_have_is_named_with_what_to_do(tmp_path: Path, what: str) -> None:
    from ecotone.design.cells import BuildError, build_module

    text, advice = IMPOSSIBLE[what]
    source = tmp_path / "program.c"
    source.write_text(text + "\n")
    with pytest.raises(BuildError) as told:
        build_module([source], tmp_path / "program.wasm")
    assert what in str(told.value)
    assert advice in str(told.value)
    assert str(told.value).count("\n   = ") == 1
    assert len(str(told.value).splitlines()) < 12


@needs_compiler
def test_what_links_but_always_fails_is_warned_of(tmp_path: Path) -> None:
    from ecotone.design.cells import build_module

    source = tmp_path / "program.c"
    source.write_text('#include <dlfcn.h>\nint main(void) { return !dlopen("x", 1); }\n')
    warnings = build_module([source], tmp_path / "program.wasm")
    assert "program.o loads libraries with dlopen, which always fails in a cell" in warnings


@needs_compiler
def test_all_undefined_symbols_are_told_at_once_with_who_wants_them(tmp_path: Path) -> None:
    from ecotone.design.cells import BuildError, build_module

    (tmp_path / "one.c").write_text(
        "int red(void), blue(void), two(void); int main(void) { return red() + blue() + two(); }\n"
    )
    (tmp_path / "two.c").write_text("int blue(void); int two(void) { return blue(); }\n")
    with pytest.raises(BuildError) as told:
        build_module([tmp_path / "one.c", tmp_path / "two.c"], tmp_path / "program.wasm")
    assert "error: red is defined nowhere; wanted by one.o" in str(told.value)
    assert "error: blue is defined nowhere; wanted by one.o, two.o" in str(told.value)


@needs_compiler
def test_all_sources_that_do_not_compile_are_told(tmp_path: Path) -> None:
    from ecotone.design.cells import BuildError, build_module

    for name in ("one", "two"):
        (tmp_path / f"{name}.c").write_text(f"int {name}(void) {{ return nothing_{name}; }}\n")
    with pytest.raises(BuildError, match=r"nothing_one(.|\n)*nothing_two"):
        build_module([tmp_path / "one.c", tmp_path / "two.c"], tmp_path / "program.wasm")


def test_handlers_of_exceptions_are_warned_of_by_line() -> None:
    source = (
        'int a; // catch (x)\n/* catch (\n */ const char *s = "catch (";\nvoid f() { try { g(); } catch (int e) {} }\n'
    )
    assert catches("f.cpp", source).startswith("f.cpp:4: warning: a cell cannot catch C++ exceptions")
    assert catches("f.cpp", source.rpartition("void")[0]) == ""


def test_a_symbol_of_an_archive_is_told_with_both_names() -> None:
    told = readable("wasm-ld: error: /a/b/libx.a(/tmp/y.o): undefined symbol: f(int)\n")
    assert told == "error: f(int) is defined nowhere; wanted by libx.a(y.o)"
