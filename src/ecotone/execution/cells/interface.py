"""What a job of cells is, and how it ended. Called by whoever starts one."""

from __future__ import annotations

from pathlib import Path

import msgspec

__all__ = ["Job", "JobResult", "RankEnd"]


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of a module as `ranks` processes."""

    module: Path
    """The WebAssembly module."""
    ranks: int = 1
    arguments: tuple[str, ...] = ()
    """What `main` gets behind the program's name."""
    environment: dict[str, str] = {}
    directories: dict[str, Path] = {}
    """What the program may open: its name for a folder, and the folder."""
    memory_max_bytes: int = 1 << 32
    """Of each rank; more than 4 GiB cannot be addressed."""
    time_max_s: float | None = None
    """Of the whole job; then it is killed."""
    stdout: int = 1
    """File descriptor that all ranks write to."""
    stderr: int = 2


class RankEnd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one rank ended."""

    rank: int
    exit_code: int
    """0 only if `main` returned 0; a rank that was killed has 128 and the signal, as a shell says it."""
    reason: str
    """Empty if it ended well."""


class JobResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a job ended."""

    ends: tuple[RankEnd, ...]
    """One for each rank, in their order."""
    first: RankEnd | None = None
    """The rank that ended the job for all others, None if every rank ended well."""

    @property
    def exit_code(self) -> int:
        return self.first.exit_code if self.first else 0
