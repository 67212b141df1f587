"""One rank: the process in which a cell runs. Called by the job, in a process that it has forked."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import wasmtime

from ecotone.execution.cells._files import FileTable
from ecotone.execution.cells._host import CellHost
from ecotone.execution.cells._libc import die_with_parent
from ecotone.execution.cells._memory import CellMemory
from ecotone.execution.cells._region import region_bytes
from ecotone.execution.cells._wasi import Wasi
from ecotone.execution.cells.interface import Job

__all__ = ["run_rank"]

_REASON_MOST = 3000


def run_rank(*, job: Job, compiled: Path, rank: int, region: int, report: int, parent: int) -> NoReturn:
    """Runs the cell to its end and ends this process.

    Args:
        job: the whole job.
        compiled: the module, compiled for this machine.
        rank: of this process.
        region: descriptor of the shared memory.
        report: descriptor to which the reason is written if the rank does not end well.
        parent: process whose end ends this one.
    """
    die_with_parent(signal.SIGKILL, parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job decides; its terminal may signal all at once
    os.dup2(job.stdout, 1)
    os.dup2(job.stderr, 2)

    def end(code: int, reason: str) -> NoReturn:
        if reason:
            with contextlib.suppress(OSError):
                os.write(report, reason.encode()[:_REASON_MOST])
        os._exit(code)

    try:
        code, reason = _run(job, compiled, rank, region, end)
    except Exception as error:  # noqa: BLE001 - the outermost edge of this process
        code, reason = 1, f"could not start: {error}"
    end(code, reason)


def _run(job: Job, compiled: Path, rank: int, region: int, end: Callable[[int, str], NoReturn]) -> tuple[int, str]:
    engine = wasmtime.Engine()
    module = wasmtime.Module.deserialize_file(engine, str(compiled))
    store = wasmtime.Store(engine)
    store.set_limits(memory_size=job.memory_max_bytes)
    linker = wasmtime.Linker(engine)
    host = CellHost(rank, region, region_bytes(job.ranks), end)
    host.define(linker)
    wasi = Wasi(
        arguments=[job.module.stem, *job.arguments],
        environment=job.environment,
        files=FileTable(job.folders, job.files_max),
        output_max_bytes=job.output_max_bytes,
        end=end,
    )
    wasi.define(linker)
    exports = linker.instantiate(store, module).exports(store)
    exported, start = exports["memory"], exports["_start"]
    assert isinstance(exported, wasmtime.Memory)
    assert isinstance(start, wasmtime.Func)
    memory = CellMemory(exported, store)
    host.attach(memory)
    wasi.attach(memory)
    try:
        start(store)
    except wasmtime.Trap as trap:
        return 134, f"trap: {trap.message.strip()}"
    except wasmtime.WasmtimeError as error:
        return 134, f"trap: {error}"
    return 0, ""
