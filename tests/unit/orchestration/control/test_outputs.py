"""What is listed of the outputs of a run."""

from __future__ import annotations

from pathlib import Path

from ecotone.orchestration.control.outputs import outputs_of


def test_files_that_are_not_finished_are_not_listed(tmp_path: Path) -> None:
    for name in ("outputs/street.mp4", "outputs/.street.mp4", "outputs/.work/part.png", "outputs/b/a.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert outputs_of(tmp_path) == ("outputs/b/a.png", "outputs/street.mp4")
    assert outputs_of(tmp_path / "elsewhere") == ()
