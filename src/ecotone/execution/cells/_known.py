"""Modules that were run before, known again by their files. Called by the process that starts jobs for others.

Finding the compiled form of a module takes longer than running a short program: the file is read and its digest made.
A file that is the same as before needs neither.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import wasmtime

from ecotone.execution.cells._wasmtime import forget_module, keep_module

__all__ = ["Identity", "KnownModules", "identity_of"]

_KNOWN_MOST = 8
_SETTLED_NS = 100_000_000

Identity = tuple[int, ...]
"""Device, number, size and times of a file: another one after each change."""


def identity_of(module: Path) -> Identity | None:
    """By which a file is known again; None if it cannot be read, or was changed a moment ago.

    The system's clock for files ticks every few milliseconds: of two changes within one tick, only the first shows.
    """
    try:
        descriptor = os.open(module, os.O_RDONLY | os.O_CLOEXEC)  # looking alone might see what it was, over a network
    except OSError:
        return None
    try:
        seen = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    changed_ns = max(seen.st_ctime_ns, seen.st_mtime_ns)
    if time.time_ns() - changed_ns < _SETTLED_NS:
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


class KnownModules:
    """The compiled forms of the modules that were run last, open for the processes that are forked from now on."""

    def __init__(self) -> None:
        self._compiled: dict[Identity, Path] = {}  # the one that was run last at the end

    def get(self, identity: Identity | None) -> Path | None:
        """The compiled form of what a file contains; None if that is not known."""
        compiled = None if identity is None else self._compiled.pop(identity, None)
        if identity is not None and compiled is not None:
            self._compiled[identity] = compiled
        return compiled

    def add(self, identity: Identity, compiled: Path) -> None:
        """Learns of one that has been run. What cannot be opened stays unknown."""
        with contextlib.suppress(wasmtime.WasmtimeError):
            if compiled not in self._compiled.values():
                keep_module(compiled)
            self._compiled.pop(identity, None)
            self._compiled[identity] = compiled
        while len(self._compiled) > _KNOWN_MOST:
            last = self._compiled.pop(next(iter(self._compiled)))
            if last not in self._compiled.values():
                forget_module(last)
