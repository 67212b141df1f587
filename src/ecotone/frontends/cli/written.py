"""Files that `ecotone plan` writes besides what it shows: checked before the search, told after it."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ecotone.frontends.cli.output import Output
    from ecotone.frontends.report.front import By, FrontPoint

__all__ = ["check_written", "write_front"]


def check_written(file: Path | None, option: str = "--output") -> None:
    """What cannot be written is told before the search, not after it. Raises InputError."""
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        what = f"{file} is a folder" if file.is_dir() else f"there is no folder {file.parent}"
        raise InputError(f"{option} {file}: {what}; name a file in a folder that is there")


def write_front(file: Path, output: Output, name: str, by: By, points: Sequence[FrontPoint], *, complete: bool) -> bool:
    """Draw compromises into a file, and say so; False when it cannot be written."""
    from ecotone.frontends.report.front import front_plot

    try:
        file.write_text(front_plot(name, by, points, complete=complete))
    except OSError as error:
        output.say(f"error: {file} cannot be written: {error.strerror}")
        return False
    output.say(f"wrote {file}")
    return True
