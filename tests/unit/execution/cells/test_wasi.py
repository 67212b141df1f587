"""What a cell sees of the world: its own folders, with the rights they were given with, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ecotone.execution.cells import Folder, JobResult

Run = Callable[..., tuple[JobResult, str]]


def test_files_links_limits_clocks(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in ("data", "fixed"):
        (tmp_path / name).mkdir()
    (tmp_path / "fixed" / "text").write_text("text")
    (tmp_path / "data" / "link").symlink_to("../secret")
    (tmp_path / "data" / "up").symlink_to("..")
    folders = {
        "/data": Folder(path=tmp_path / "data"),
        "/fixed": Folder(path=tmp_path / "fixed", writable=False),
    }
    result, output = run("files", 1, folders=folders, environment={"COLOUR": "blue"})
    assert output == "ok\n"
    assert result.exit_code == 0
    assert (tmp_path / "data" / "inner" / "b.txt").read_text() == "first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "fixed", "secret"]
    assert (tmp_path / "fixed" / "text").read_text() == "text"


def test_output_has_a_limit(run: Run) -> None:
    result, output = run("files", 1, "flood", output_max_bytes=100_000)
    assert result.first is not None
    assert "standard streams" in result.first.reason
    assert len(output) <= 100_000
