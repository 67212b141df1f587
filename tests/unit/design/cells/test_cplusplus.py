"""C++ programs in cells: files, folders, streams, what is thrown, and what WebAssembly cannot have."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import pytest

if importlib.util.find_spec("wasmtime") is None or importlib.util.find_spec("ziglang") is None:
    pytest.skip("cells need the extras `cells` and `cells-build`", allow_module_level=True)

from ecotone.design.cells import BuildError, build_module
from ecotone.execution.cells import Folder, Job, JobResult, run_job

PROGRAMS = Path(__file__).parent / "programs"


def run(source: Path, folder: Path, *arguments: str) -> tuple[JobResult, str]:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    module = folder / f"{source.stem}.wasm"
    if not module.exists():
        build_module([source], module, movable=False)
    with tempfile.TemporaryFile() as output:
        end = output.fileno()
        folders = {"/data": Folder(path=data)}
        result = run_job(
            Job(module=module, arguments=arguments, stdout=end, stderr=end, time_max_s=60, folders=folders)
        )
        output.seek(0)
        return result, output.read().decode()


def test_files_and_folders(tmp_path: Path) -> None:
    result, output = run(PROGRAMS / "files.cpp", tmp_path)
    assert output == "ok\n"
    assert result.exit_code == 0
    assert (tmp_path / "data" / "inner" / "copy.txt").read_text() == "1.5 words 1e+300\n"


def test_what_is_thrown_is_told(tmp_path: Path) -> None:
    expected = {
        "range": "type std::out_of_range was thrown: vector",
        "own": "type science::Failure was thrown: the pressure is negative",
        "plain": "type Plain was thrown. ",
        "number": "type i was thrown. ",
    }
    for argument, message in expected.items():
        result, output = run(PROGRAMS / "throws.cpp", tmp_path, argument)
        assert message in output
        assert result.exit_code == 134
    assert run(PROGRAMS / "throws.cpp", tmp_path)[1] == "nothing thrown\n"


def test_threads_without_openmp_are_there(tmp_path: Path) -> None:
    source = tmp_path / "threads.cpp"
    source.write_text(
        "#include <mutex>\n#include <thread>\nstd::mutex mutex;\n"
        "int main(int count, char **)\n{\n    std::lock_guard<std::mutex> held(mutex);\n"
        "    if (count > 1) std::thread([] {}).join();\n}\n"
    )
    assert not build_module([source], tmp_path / "threads.wasm")
    assert run_job(Job(module=tmp_path / "threads.wasm", time_max_s=60)).exit_code == 0
    assert run_job(Job(module=tmp_path / "threads.wasm", arguments=("some",), time_max_s=60)).exit_code == 0


def test_long_jumps_are_refused_with_what_to_do(tmp_path: Path) -> None:
    source = tmp_path / "jumps.c"
    source.write_text("#include <setjmp.h>\njmp_buf place;\nint main(void) { return setjmp(place); }\n")
    with pytest.raises(BuildError, match="return an error code instead"):
        build_module([source], tmp_path / "jumps.wasm")
