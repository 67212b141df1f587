"""Modules compiled for this machine, kept in the user's cache. Called by the job before it starts ranks.

Compilation runs in a process of its own, since it uses threads, and the process that starts ranks must have none: it
forks.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from ecotone.core.errors import InputError

__all__ = ["cache_folder", "compile_module", "compiled_module"]


def cache_folder() -> Path:
    """Where cells keep what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ecotone" / "cells"


def compiled_module(module: Path) -> Path:
    """The compiled form of a module, made now if it is not in the cache.

    Raises:
        InputError: the file is not a module that can be run.
    """
    code = module.read_bytes()
    # wasmtime itself refuses what another version or another processor has compiled; the name keeps them apart.
    version = importlib.metadata.version("wasmtime")
    key = hashlib.sha256(
        b"\0".join([code, version.encode(), platform.processor().encode(), platform.machine().encode()])
    )
    target = cache_folder() / "compiled" / f"{key.hexdigest()[:32]}.cwasm"
    if target.exists():
        return target
    command = [sys.executable, "-m", "ecotone.execution.cells", "--compile", str(module), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"{module} cannot be compiled: {done.stderr.strip().splitlines()[-1:]}")
    return target


def compile_module(module: Path, target: Path) -> None:
    """Compiles into `target`, which appears whole or not at all."""
    import wasmtime  # noqa: PLC0415 - the job itself does not need it

    compiled = wasmtime.Module.from_file(wasmtime.Engine(), str(module)).serialize()
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(compiled)
    Path(temporary).replace(target)
