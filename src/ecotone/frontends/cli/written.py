"""Files that a command writes besides what it shows: checked before the work, told after it."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ecotone.core.errors import InputError, UnavailableError
from ecotone.infrastructure.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ecotone.frontends.cli.output import Output
    from ecotone.frontends.report.front import By, FrontPoint

__all__ = ["check_written", "write_front", "write_page"]


def check_written(file: Path | None, option: str = "--output", *, reads: Sequence[Path] = ()) -> None:
    """What cannot be written, or would replace one of the files that are read, is told before the work, not after it.
    Raises InputError."""
    if file is None:
        return
    if file.is_dir() or not file.parent.is_dir():
        what = f"{file} is a folder" if file.is_dir() else f"there is no folder {file.parent}"
        raise InputError(f"{option} {file}: {what}; name a file in a folder that is there")
    target = file.resolve().parent if file.is_file() or not file.exists() else file
    if not os.access(target, os.W_OK):
        raise InputError(f"{option} {file}: {target} may not be written; name a file in a folder that is yours")
    if any(file.exists() and each.exists() and file.samefile(each) for each in reads):
        raise InputError(f"{option} {file}: that would replace what is read; name another file")


def write_page(file: Path, text: str) -> None:
    """Replace `file` in one step. Raises UnavailableError."""
    try:
        replace_file(file, text.encode())
    except OSError as error:
        raise UnavailableError(f"{file} cannot be written: {error.strerror or error}") from None


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
