"""Building cells: what the compiler is told, what people are told."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from ecotone.design.cells._profiling_names import names_header, weak_functions

HEADER = """
/* Some */
ECO_MPI(int, Init, (int *, char ***))
ECO_MPI(int, Finalize, (void))
ECO_MPI(int, Group_range_incl, (MPI_Group, int,
        int[][3], MPI_Group *))
ECO_MPI(int, Pcontrol, (const int, ...))
"""

needs_compiler = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs the extra `cells-build`")


def test_every_function_has_two_names() -> None:
    names = names_header(HEADER, "extern int progress;\nvoid send_all(int rank);\n").splitlines()
    assert names[0] == "#define MPI_Init PMPI_Init"
    assert {"#define progress eco_progress", "#define send_all eco_send_all"} < set(names)
    weak = weak_functions(HEADER)
    assert "int MPI_Init(int * a0, char *** a1) { return PMPI_Init(a0, a1); }" in weak
    assert "int MPI_Finalize(void) { return PMPI_Finalize(); }" in weak
    assert "int a2[][3]" in weak.replace("int  a2", "int a2")
    assert "int MPI_Pcontrol(const int level, ...)" in weak


@needs_compiler
def test_what_the_library_does_not_have_fails_by_name(tmp_path: Path) -> None:
    from ecotone.design.cells import BuildError, build_module

    source = tmp_path / "wrong.c"
    source.write_text("#include <mpi.h>\nint main(void) { return MPI_Comm_spawn(0, 0, 0, 0, 0, 0, 0, 0); }\n")
    with pytest.raises(BuildError, match="MPI_Comm_spawn"):
        build_module([source], tmp_path / "wrong.wasm")
    assert list(tmp_path.iterdir()) == [source]


@needs_compiler
def test_profiler_stands_in_between(tmp_path: Path) -> None:
    from ecotone.design.cells import build_module

    source = tmp_path / "profiled.c"
    source.write_text(
        "#include <mpi.h>\nint calls;\n"
        "int MPI_Barrier(MPI_Comm comm) { calls++; return PMPI_Barrier(comm); }\n"
        "int main(void) { MPI_Init(0, 0); MPI_Barrier(MPI_COMM_WORLD); MPI_Finalize(); return calls != 1; }\n"
    )
    target = tmp_path / "profiled.wasm"
    build_module([source], target)
    if importlib.util.find_spec("wasmtime"):
        from ecotone.execution.cells import Job, run_job

        assert run_job(Job(module=target, ranks=2)).exit_code == 0


@needs_compiler
def test_cplusplus(tmp_path: Path) -> None:
    from ecotone.design.cells import build_module

    source = tmp_path / "program.cpp"
    source.write_text(
        "#include <mpi.h>\n#include <vector>\nint main(int argc, char **argv) { MPI_Init(&argc, &argv);\n"
        "std::vector<int> data(3, 1), sum(3); int size; MPI_Comm_size(MPI_COMM_WORLD, &size);\n"
        "MPI_Allreduce(data.data(), sum.data(), 3, MPI_INT, MPI_SUM, MPI_COMM_WORLD);\n"
        "MPI_Finalize(); return sum[2] != size; }\n"
    )
    target = tmp_path / "program.wasm"
    build_module([source], target)
    if importlib.util.find_spec("wasmtime"):
        from ecotone.execution.cells import Job, run_job

        assert run_job(Job(module=target, ranks=2)).exit_code == 0
