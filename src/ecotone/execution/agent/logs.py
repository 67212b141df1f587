"""The log files of a run: bounded, so that a component that floods its output cannot fill the disk."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LOG_BYTES_MAX", "bound_logs"]

LOG_BYTES_MAX = 10_000_000
"""A log that grows beyond this is cut: its end is kept beside it in `<name>.log.1`, which replaces the one before."""

_COPY_BYTES = 1 << 20


def bound_logs(folder: Path, bytes_max: int = LOG_BYTES_MAX) -> tuple[str, ...]:
    """Cut every log in `folder` that is too long, and return the names of those.

    Hosts write with O_APPEND, so that they go on at the new end by themselves. What is written between the copy and
    the cut is lost, and the end as well if the disk has no room for it.

    Raises:
        OSError: the folder is gone or cannot be read.
    """
    cut: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".log") and entry.stat(follow_symlinks=False).st_size > bytes_max:
                _cut(folder / entry.name, bytes_max)
                cut.append(entry.name)
    return tuple(cut)


def _cut(path: Path, bytes_max: int) -> None:
    with contextlib.suppress(OSError):
        _keep_end(path, path.with_name(path.name + ".1"), bytes_max)
    os.truncate(path, 0)


def _keep_end(path: Path, older: Path, bytes_max: int) -> None:
    with path.open("rb") as source, older.open("wb") as target:
        source.seek(-bytes_max, os.SEEK_END)
        source.readline()
        left = bytes_max
        while left > 0 and (data := source.read(min(_COPY_BYTES, left))):
            target.write(data)
            left -= len(data)
