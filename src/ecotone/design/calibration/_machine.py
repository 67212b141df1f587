"""How many threads to try on this machine, and where a folder lies. Called by `_run`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["is_in_memory", "thread_counts", "writable"]

_COUNTS_MAX = 4


def thread_counts(cores: int) -> tuple[int, ...]:
    """1, powers of two, and all cores; at most four of them."""
    counts = sorted({1, cores} | {2**power for power in range(1, 12) if 2**power < cores})
    return tuple(counts) if len(counts) <= _COUNTS_MAX else (1, 2, counts[len(counts) // 2], cores)


def writable(folder: Path) -> Path:
    """`folder`, or that of temporary files where nothing can be written to it."""
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())


def is_in_memory(folder: Path) -> bool:
    """Whether the folder's file system has no disk under it."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return False
    resolved = folder.resolve()
    above = [(len(mount[1]), mount[2]) for mount in mounts if resolved.is_relative_to(mount[1].replace("\\040", " "))]
    return max(above, default=(0, ""))[1] in {"tmpfs", "ramfs"}
