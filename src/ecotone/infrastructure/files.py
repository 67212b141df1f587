"""Files that a crash must not tear. Used by whoever keeps state beside an application: samples, plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["replace_file"]


def replace_file(path: Path, data: bytes) -> None:
    """Write `path`, making its folder, in one step: a crash leaves the old file or the new one. Raises OSError.

    What is there and is not a file (a pipe, a device such as `/dev/stdout`) is written to, and stays what it is. A
    link stays, too: what it leads to is replaced.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)  # before any link is followed: that of a pipe leads nowhere
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    scratch.write_bytes(data)
    scratch.replace(path)
