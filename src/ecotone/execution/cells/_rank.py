"""One rank: the process in which a cell runs. Called by the job, in a process that it has forked."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec
import wasmtime

from ecotone.core.errors import InputError
from ecotone.execution.cells._ending import IN_MPI, Ending, trap_reason
from ecotone.execution.cells._engine import MEMORY_MOST_BYTES, limit, shared_engine, shared_linker
from ecotone.execution.cells._files import FileTable
from ecotone.execution.cells._host import CellHost
from ecotone.execution.cells._leaving import Leaving
from ecotone.execution.cells._libc import die_with_parent
from ecotone.execution.cells._memory import CellMemory
from ecotone.execution.cells._passage import Passage
from ecotone.execution.cells._region import Region, open_region
from ecotone.execution.cells._unwinder import State, Unwinder
from ecotone.execution.cells._wasi import Wasi
from ecotone.execution.cells.interface import Job

if TYPE_CHECKING:  # only a job of several nodes loads the network
    from ecotone.execution.cells._wires import Wiring

__all__ = ["prepare", "run_rank"]

_STACK_LEAST = 64


def run_rank(
    *,
    job: Job,
    compiled: Path,
    rank: int,
    region: Region,
    report: int,
    parent: int,
    wiring: Wiring | None = None,
    bells: tuple[int, ...] = (),
    passage: Passage | None = None,
) -> NoReturn:
    """Runs the cell to its end, or until it leaves, and ends this process.

    Args:
        job: the whole job.
        compiled: the module, compiled for this machine.
        rank: of this process.
        region: the memory shared by the ranks of this node.
        report: descriptor to which the reason is written if the rank does not end well.
        parent: process whose end ends this one.
        wiring: how ranks of other nodes are reached, if there are any.
        bells: with wiring, the events that wake the ranks of this node, by place.
        passage: by which the rank can be taken to another process, and has come from one.
    """
    die_with_parent(signal.SIGKILL, parent)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the job decides; its terminal may signal all at once
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what the launcher does about it is not for a rank
    os.dup2(job.stdin if rank == 0 else os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(job.stdout, 1)
    os.dup2(job.stderr, 2)

    job = msgspec.structs.replace(job, memory_max_bytes=min(job.memory_max_bytes, MEMORY_MOST_BYTES))
    end = Ending(job, report)
    try:
        wires = None
        if wiring is not None:
            from ecotone.execution.cells._wires import Wires  # noqa: PLC0415

            wires = Wires(rank, wiring, end)
        host = CellHost(rank, region, end, wires, bells)
        code, reason = _run(job=job, compiled=compiled, host=host, rank=rank, passage=passage, end=end)
    except Exception as error:  # noqa: BLE001 - the outermost edge of this process
        code, reason = 1, f"could not start: {error}"
    end(code, reason)


def _run(
    *,
    job: Job,
    compiled: Path,
    host: CellHost,
    rank: int,
    passage: Passage | None,
    end: Ending,
) -> tuple[int, str]:
    engine = shared_engine()
    module = wasmtime.Module.deserialize_file(engine, str(compiled))
    store = wasmtime.Store(engine)
    limit(store, job.memory_max_bytes)
    linker, wasi, leaving = _linked(job, host, rank, passage, end)
    exports = linker.instantiate(store, module).exports(store)
    exported, start = exports.get("memory"), exports.get("_start")
    if not isinstance(exported, wasmtime.Memory) or not isinstance(start, wasmtime.Func):
        raise InputError("the module has no `memory` and `_start`, so it is not a program: build it with a main")
    memory = CellMemory(exported, store)
    host.attach(memory)
    wasi.attach(memory)
    in_mpi = exports.get(IN_MPI)
    end.attach(memory, lambda: isinstance(in_mpi, wasmtime.Func) and in_mpi(store) == 1)
    unwinder = Unwinder(store, exports, memory, job.memory_max_bytes)
    leaving.attach(store, exports, memory, unwinder)
    if passage is not None and passage.snapshot >= 0:
        leaving.resume()
    try:
        return _run_parts(lambda: start(store), unwinder, leaving, end)
    except wasmtime.Trap as trap:
        return end.judged(134, trap_reason(trap.message, unwinder.during, stack_is_full=_stack_is_full(exports, store)))
    except wasmtime.WasmtimeError as error:
        return end.judged(134, trap_reason(str(error), unwinder.during))


def _linked(
    job: Job, host: CellHost, rank: int, passage: Passage | None, end: Ending
) -> tuple[wasmtime.Linker, Wasi, Leaving]:
    """All that a cell may import."""
    linker = shared_linker()
    host.define(linker)
    wasi = Wasi(
        arguments=[job.module.stem, *job.arguments],
        environment=job.environment,
        files=FileTable(job.folders, job.files_max),
        output_max_bytes=job.output_max_bytes,
        end=end.of_program,
    )
    wasi.define(linker)
    leaving = Leaving(rank=rank, ranks=job.ranks, passage=passage, host=host, wasi=wasi, end=end)
    leaving.define(linker)
    return linker, wasi, leaving


def prepare() -> None:
    """Has ready in this process what the ranks need that it forks: they start in half the time."""
    job = Job(module=Path(os.devnull))
    region = open_region([0], 1, 1)
    end = Ending(job, -1)
    try:
        _linked(job, CellHost(0, region, end), 0, None, end)
    finally:
        os.close(region.descriptor)


def _stack_is_full(exports: Mapping[str, object], store: wasmtime.Store) -> bool:
    """Whether the program's own stack, which grows down to address 0, has gone beyond it."""
    pointer = exports.get("__stack_pointer")
    return isinstance(pointer, wasmtime.Global) and pointer.value(store) < _STACK_LEAST


def _run_parts(start: Callable[[], object], unwinder: Unwinder, leaving: Leaving, end: Ending) -> tuple[int, str]:
    """`_start` returns when the program has ended, and when its stack has been unwound."""
    while True:
        start()
        if unwinder.state is not State.UNWINDING:
            return end.judged(0, "")
        if leaving.leave():
            return 0, ""
