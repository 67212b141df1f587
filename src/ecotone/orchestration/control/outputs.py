"""What the components of a run have left for people to look at. Called by the controller and by inline runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["outputs_of"]


def outputs_of(run_folder: Path) -> tuple[str, ...]:
    """The files in the run's `outputs` folder, relative to the run's, sorted; () when there is no such folder.

    Those whose name begins with a dot, or that of a folder on their way, are not finished, or not for people.
    """
    found = (path.relative_to(run_folder) for path in (run_folder / "outputs").rglob("*") if path.is_file())
    return tuple(str(path) for path in sorted(found) if not any(part.startswith(".") for part in path.parts))
