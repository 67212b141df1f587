"""Which code the ranks of a job run: wasmtime's, or native code of the same module. Called by jobs, before ranks."""

from __future__ import annotations

from pathlib import Path

from ecotone.core.errors import InputError
from ecotone.execution.cells._compiled import compiled_module, module_digest
from ecotone.execution.cells._native_cache import native_cached
from ecotone.execution.cells.interface import Job

__all__ = ["code_of", "is_native"]


def code_of(job: Job) -> Path:
    """The code for a job, compiled now if it is wasmtime's and not there; its name begins with the module's digest.

    Raises:
        InputError: the file is not a module or cell that can be run, or native code is asked for and not there.
        MissingExtraError: the extra `cells` is not installed.
        UnavailableError: the cache cannot be written.
    """
    compiled = compiled_module(job.module)
    native = None if job.tier == "wasmtime" else native_cached(module_digest(compiled))
    if native is None and job.tier == "native":
        raise InputError(
            f"{job.module.name} is not compiled for this machine's processor: `ecotone cell run --tier native` does so"
        )
    return native or compiled


def is_native(code: Path) -> bool:
    """Which of the two it is."""
    return code.suffix == ".so"
