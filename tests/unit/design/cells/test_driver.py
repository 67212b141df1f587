"""Compiler drivers: the command lines that Makefiles, configure scripts and CMake write."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import pytest

from ecotone.core.errors import InputError
from ecotone.design.cells._command_line import understand

needs_compiler = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs the extra `cells-build`")
PROGRAM = "#include <stdio.h>\n#include <math.h>\nint twice(int);\nint main(void) { return twice(3) - 6; }\n"
TWICE = "int twice(int x) { return 2 * x; }\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.c").write_text(PROGRAM)
    (tmp_path / "twice.c").write_text(TWICE)
    return tmp_path


def test_words_are_sorted() -> None:
    words = "-c -O3 -march=native -DX=1 -I inc -MD -MF x.d -o out/x.o -Wall x.c -L lib -lm -pthread"
    line = understand(words.split())
    assert line.mode == "compile"
    assert line.output == "out/x.o"
    assert line.inputs == [("x.c", ""), ("-lm", "")]
    assert line.folders == ["lib"]
    assert line.flags == ["-O3", "-DX=1", "-I", "inc", "-MD", "-MF", "x.d", "-Wall", "-pthread"]


def test_language_holds_until_the_next() -> None:
    line = understand(["-x", "c++", "a.txt", "-xc", "-", "-x", "none", "b.o"])
    assert line.inputs == [("a.txt", "c++"), ("-", "c"), ("b.o", "")]


def test_files_of_options_are_read(tmp_path: Path) -> None:
    (tmp_path / "inner").write_text("-DTEXT='a b'\n")
    (tmp_path / "outer").write_text(f'"-I x" @{tmp_path}/inner')
    assert understand([f"@{tmp_path}/outer", "x.c"]).flags == ["-I x", "-DTEXT=a b"]
    (tmp_path / "inner").write_text(f"@{tmp_path}/inner")
    with pytest.raises(InputError, match="name each other"):
        understand([f"@{tmp_path}/inner"])


@pytest.mark.parametrize("word", ["-shared", "-fopenmp-targets=nvptx64", "-m32", "-fsanitize=address", "-pg"])
def test_what_cells_cannot_have_is_refused_with_what_to_do(word: str) -> None:
    with pytest.raises(InputError, match=f"{word}: .*(leave|make an archive)"):
        understand([word, "x.c"])


@pytest.mark.parametrize("word", ["-fopenmp", "-qopenmp", "-fopenmp=libomp"])
def test_openmp_is_asked_for_as_other_compilers_call_it(word: str) -> None:
    assert understand([word, "x.c"]).flags == ["-fopenmp"]


def test_unknown_words_for_the_linker_are_told() -> None:
    assert "-Wl,--wrap=malloc is left out" in understand(["x.o", "-Wl,--wrap=malloc", "-Wl,-rpath,/x"]).warnings[0]


@needs_compiler
def test_objects_archives_and_lists_of_headers(folder: Path) -> None:
    from ecotone.design.cells._driver import run_driver

    assert run_driver(["-c", "twice.c", "-MD", "-o", "two.o"], plus=False) == 0
    assert (folder / "two.d").read_text().startswith("two.o: twice.c")
    zig = Path(importlib.util.find_spec("ziglang").origin).parent / "zig"  # type: ignore[union-attr,arg-type]
    subprocess.run([zig, "ar", "rcs", "libtwice.a", "two.o"], check=True)
    assert run_driver(["main.c", "-L.", "-ltwice", "-lm", "-o", "app"], plus=False) == 0
    assert (folder / "app").stat().st_mode & 0o111
    if importlib.util.find_spec("wasmtime"):
        from ecotone.execution.cells import Job, run_job

        assert run_job(Job(module=folder / "app")).exit_code == 0


@needs_compiler
def test_text_goes_to_stdout(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    from ecotone.design.cells._driver import run_driver

    run_driver(["-E", "-P", "twice.c"], plus=False)
    run_driver(["-MM", "twice.c"], plus=False)
    run_driver(["-S", "twice.c", "-o", "-"], plus=False)
    sys.stdout.flush()
    shown = capfdbinary.readouterr()
    assert b"return 2 * x" in shown.out
    assert b"twice.o: twice.c" in shown.out
    assert b".functype\ttwice" in shown.out
    assert shown.err == b""
    assert run_driver(["-fsyntax-only", "twice.c"], plus=False) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["main.c", "twice.c"]


@needs_compiler
def test_source_from_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecotone.design.cells._driver import run_driver

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TWICE.encode())))
    run_driver(["-x", "c", "-c", "-", "-o", "from.o"], plus=False)
    assert (folder / "from.o").read_bytes().startswith(b"\0asm")


@needs_compiler
def test_objects_of_this_machine_are_refused(folder: Path) -> None:
    from ecotone.design.cells._driver import run_driver

    (folder / "native.o").write_bytes(b"\x7fELF" + bytes(60))
    with pytest.raises(InputError, match=r"native.o is not an object or archive for cells; remove"):
        run_driver(["native.o"], plus=False)
    with pytest.raises(InputError, match=r"no libfftw3.a for cells"):
        run_driver(["main.c", "twice.c", "-lfftw3"], plus=False)
    assert not (folder / "a.out").exists()


@needs_compiler
def test_questions_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    from ecotone.design.cells._build import LIBRARY
    from ecotone.design.cells._driver import run_driver

    for question in ("--version", "-showme:compile", "-dumpmachine"):
        assert run_driver([question], plus=False) == 0
    shown = capsys.readouterr().out
    assert "ecotone-cc" in shown
    assert "clang version" in shown
    assert f"-I{LIBRARY}" in shown
    assert "wasm32" in shown


@needs_compiler
@pytest.mark.parametrize("parameters", ["void", "int argc, char **argv"])
def test_main_may_lie_in_an_archive(folder: Path, parameters: str) -> None:
    from ecotone.design.cells import BuildError
    from ecotone.design.cells._driver import run_driver

    (folder / "main.c").write_text(f"int main({parameters}) {{ return 0; }}\n")
    run_driver(["-c", "main.c", "twice.c"], plus=False)
    zig = Path(importlib.util.find_spec("ziglang").origin).parent / "zig"  # type: ignore[union-attr,arg-type]
    subprocess.run([zig, "ar", "rcs", "liball.a", "main.o", "twice.o"], check=True)
    run_driver(["liball.a", "-o", "app"], plus=False)
    if importlib.util.find_spec("wasmtime"):
        from ecotone.execution.cells import Job, run_job

        assert run_job(Job(module=folder / "app")).exit_code == 0
    with pytest.raises(BuildError, match="there is no main"):
        run_driver(["twice.c"], plus=False)


_PARALLEL = """
#include <omp.h>
#include <stdio.h>
int count(void);
int main(void) { printf("%d\\n", count()); return 0; }
"""
_COUNT = """
int count(void)
{
    int all = 0;
#pragma omp parallel num_threads(3) reduction(+ : all)
    all++;
    return all;
}
"""


@needs_compiler
@pytest.mark.parametrize("linking", [["-fopenmp"], ["-lgomp"], []])
def test_what_was_compiled_for_openmp_has_threads_however_it_is_linked(folder: Path, linking: list[str]) -> None:
    """CMake's own module gives -fopenmp only to the compiler; and one object may be without."""
    pytest.importorskip("wasmtime")
    from ecotone.design.cells._driver import run_driver
    from ecotone.execution.cells.building import read_cell

    (folder / "main.c").write_text(_PARALLEL)
    (folder / "count.c").write_text(_COUNT)
    run_driver(["-c", "main.c"], plus=False)
    run_driver(["-c", "-qopenmp", "count.c"], plus=False)
    run_driver(["main.o", "count.o", *linking, "-o", "a.cell"], plus=False)
    done = subprocess.run(
        [sys.executable, "-m", "ecotone.execution.cells", "a.cell"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("3\n", "")
    assert read_cell(folder / "a.cell").manifest.needs.threads is None


@needs_compiler
@pytest.mark.parametrize("language", ["c", "c++"])
def test_what_starts_threads_itself_has_threads(folder: Path, language: str) -> None:
    pytest.importorskip("wasmtime")
    from ecotone.design.cells._driver import run_driver
    from ecotone.execution.cells.building import read_cell

    own = "static void *work(void *of) { *(int *) of = 42; return 0; }\n"
    start = "pthread_t t; pthread_create(&t, 0, work, &done); pthread_join(t, 0);"
    if language == "c++":
        own, start = "#include <thread>\n", "std::thread t([&] { done = 42; }); t.join();"
    text = f"#include <pthread.h>\n{own}int main() {{ int done = 0; {start} return done - 42; }}\n"
    (folder / "main.txt").write_text(text)
    run_driver(["-pthread", "-x", language, "main.txt", "-o", "a.cell"], plus=language == "c++")
    done = subprocess.run([sys.executable, "-m", "ecotone.execution.cells", "a.cell"], check=False)
    assert done.returncode == 0
    assert read_cell(folder / "a.cell").manifest.needs.threads is None


@needs_compiler
def test_program_without_openmp_has_no_threads(folder: Path) -> None:
    from ecotone.design.cells._driver import run_driver
    from ecotone.execution.cells.building import read_cell

    (folder / "count.c").write_text(f"{_COUNT}{_PARALLEL}".replace("#include <omp.h>", ""))
    run_driver(["count.c", "-o", "a.cell"], plus=False)
    assert read_cell(folder / "a.cell").manifest.needs.threads == 1
