"""One-sided communication and MPI's files, by programs that check themselves."""

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


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7])
def test_files(run: Run, tmp_path: Path, ranks: int) -> None:
    result, output = run("io", ranks, folders={"out": Folder(path=tmp_path)})
    assert output == "ok\n"
    assert result.exit_code == 0
    assert not list(tmp_path.iterdir())
