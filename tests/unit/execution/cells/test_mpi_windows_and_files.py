"""One-sided communication, MPI's files and its tool interface, by programs that check themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ecotone.execution.cells import Folder, JobResult

Run = Callable[..., tuple[JobResult, str]]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7])
def test_one_sided_calls(run: Run, ranks: int) -> None:
    result, output = run("onesided", ranks)
    assert output == "ok\n"
    assert result.exit_code == 0


@pytest.mark.parametrize("ranks", [1, 2, 7])
def test_windows_that_ranks_share(run: Run, ranks: int) -> None:
    result, output = run("shared", ranks, memory_max_bytes=128 << 20)
    assert output == "ok\n"
    assert result.exit_code == 0


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7])
def test_files(run: Run, tmp_path: Path, ranks: int) -> None:
    result, output = run("io", ranks, folders={"out": Folder(path=tmp_path)})
    assert output == "ok\n"
    assert result.exit_code == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ranks", [1, 3])
def test_files_of_many_gigabytes(run: Run, tmp_path: Path, ranks: int) -> None:
    """Datatypes that lay out a file may have more bytes than an address; the file is mostly holes."""
    result, output = run("largefile", ranks, folders={"out": Folder(path=tmp_path)})
    assert output == "ok\n"
    assert result.exit_code == 0


@pytest.mark.parametrize("ranks", [1, 3])
def test_tool_interface(run: Run, ranks: int) -> None:
    _, output = run("tool", ranks)
    assert output == "ok\n"


@pytest.mark.parametrize("ranks", [9, 17])
def test_collectives_by_trees(run: Run, ranks: int) -> None:
    """Of more than eight ranks, small blocks are passed on by others."""
    _, output = run("collectives", ranks)
    assert output == "ok\n"
