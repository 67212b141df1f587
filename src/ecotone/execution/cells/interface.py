"""What a job of cells is, and how it ended. Called by whoever starts one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

__all__ = ["RANKS_MOST", "THREADS_MOST", "Folder", "Job", "JobResult", "RankEnd", "Tier", "as_path"]

RANKS_MOST = 1024
"""Of one job."""

THREADS_MOST = 256
"""Of one rank."""


Tier = Literal["auto", "native", "wasmtime"]
"""What runs a program: code of wasmtime's, which is there at once; code that was compiled for this processor; or the
latter if it is there, else the former."""


def as_path(kind: type, value: Any) -> Any:
    """Turns a text into a path, where msgspec asks: for decoding jobs, which are encoded with `enc_hook=str`."""
    return kind(value)


class Folder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder that is given to a cell."""

    path: Path
    writable: bool = True


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of a module as `ranks` processes."""

    module: Path
    """The cell file, or a WebAssembly module."""
    ranks: int = 1
    arguments: tuple[str, ...] = ()
    """What `main` gets behind the program's name."""
    environment: dict[str, str] = {}
    folders: dict[str, Folder] = {}
    """What the program may open, by its own names."""
    files_max: int = 256
    """Descriptors that a rank may have at once."""
    output_max_bytes: int | None = None
    """What a rank may write to its standard streams together; then it is ended."""
    memory_max_bytes: int = 1 << 32
    """Of each rank; more than 4 GiB cannot be addressed."""
    threads: int | None = None
    """How many threads a parallel region of a rank may have at first (see `scale_job`); None for as many as the program
    asks for, which is its share of the cores unless it says otherwise."""
    threads_most: int | None = None
    """How many processors the program is told that there are: what it may ever be given of its own accord. None for
    `threads`, or the rank's share of the cores if that is more."""
    tier: Tier = "auto"
    time_max_s: float | None = None
    """Of the whole job; then it is killed."""
    stdin: int = 0
    """File descriptor that rank 0 reads; the others find theirs empty."""
    bind: bool = False
    """Each rank stays on one core, by turns of those the job may use: steadier times where nothing else runs there."""
    stdout: int = 1
    """File descriptor that all ranks write to."""
    stderr: int = 2


class RankEnd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one rank ended."""

    rank: int
    exit_code: int
    """0 only if `main` returned 0; a rank that was killed has 128 and the signal, as a shell says it."""
    reason: str
    """Empty if it ended well; after a trap the functions follow, a line each, the innermost first."""


class JobResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a job ended."""

    ends: tuple[RankEnd, ...]
    """One for each rank, in their order."""
    first: RankEnd | None = None
    """The rank that ended the job for all others, None if every rank ended well."""

    @property
    def exit_code(self) -> int:
        return self.first.exit_code if self.first else 0
