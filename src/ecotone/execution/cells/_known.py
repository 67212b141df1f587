"""Programs that were run before, known again by their files. Called by the process that starts jobs for others.

Finding the code of a program takes longer than running a short one: its file is read and the digest made. A file that
is the same as before needs neither.
"""

from __future__ import annotations

import contextlib
import os
import time
from functools import cache
from pathlib import Path

import wasmtime

from ecotone.core.errors import InputError
from ecotone.execution.cells._compiled import cache_folder
from ecotone.execution.cells._tier import is_native
from ecotone.execution.cells._wasmtime import forget_module, keep_module
from ecotone.execution.cells.interface import Job

__all__ = ["Identity", "KnownPrograms", "identity_of"]

_KNOWN_MOST = 8
_SETTLED_NS = 100_000_000

Identity = tuple[object, ...]
"""What tells that a job runs the same code as one before: the tier, and of the module's file the device, the number,
the size and the times, which are others after each change."""


def identity_of(job: Job) -> Identity | None:
    """By which a job's program is known again; None if its file cannot be read, or was changed a moment ago.

    The system's clock for files ticks every few milliseconds: of two changes within one tick, only the first shows.
    """
    try:
        descriptor = os.open(
            job.module, os.O_RDONLY | os.O_CLOEXEC
        )  # over a network, looking alone may see the old one
    except OSError:
        return None
    try:
        seen = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if time.time_ns() - max(seen.st_ctime_ns, seen.st_mtime_ns) < _SETTLED_NS:
        return None
    natives_ns = 0 if job.tier == "wasmtime" else _changed_ns(_natives())
    return job.tier, natives_ns, seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


@cache
def _natives() -> Path:
    return cache_folder() / "native"


def _changed_ns(folder: Path) -> int:
    """When an entry was added or taken away; 0 if there is no such folder."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - on the way to a start
    except OSError:
        return 0


def _keep(code: Path) -> None:
    if not is_native(code):
        keep_module(code)
        return
    from ecotone.execution.cells._native import keep_native  # noqa: PLC0415 - most do without

    keep_native(code)


class KnownPrograms:
    """The code of the programs that were run last, open for the processes that are forked from now on."""

    def __init__(self) -> None:
        self._code: dict[Identity, Path] = {}  # the one that was run last at the end

    def get(self, identity: Identity | None) -> Path | None:
        """The code of a program; None if it is not known."""
        code = None if identity is None else self._code.pop(identity, None)
        if identity is not None and code is not None:
            self._code[identity] = code
        return code

    def add(self, identity: Identity, code: Path) -> None:
        """Learns of one that has been run. What cannot be opened stays unknown."""
        with contextlib.suppress(wasmtime.WasmtimeError, InputError, OSError):
            if code not in self._code.values():
                _keep(code)
            self._code.pop(identity, None)
            self._code[identity] = code
        while len(self._code) > _KNOWN_MOST:
            last = self._code.pop(next(iter(self._code)))
            if last not in self._code.values():
                forget_module(last)
