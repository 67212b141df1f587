"""One rank: the process in which a cell runs. Called by the job, in a process that it has forked."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from ecotone.execution.cells._ending import IN_MPI, Ending, trap_reason
from ecotone.execution.cells._engine import MEMORY_MOST_BYTES
from ecotone.execution.cells._files import FileTable
from ecotone.execution.cells._host import CellHost
from ecotone.execution.cells._leaving import Leaving
from ecotone.execution.cells._libc import die_with_parent
from ecotone.execution.cells._memory import CellMemory
from ecotone.execution.cells._passage import Passage
from ecotone.execution.cells._program import Program, ProgramTrapError
from ecotone.execution.cells._region import Region, open_region
from ecotone.execution.cells._threads import CellThreads, stack_is_full
from ecotone.execution.cells._tier import is_native
from ecotone.execution.cells._unwinder import PLACE_BYTES, State, Unwinder
from ecotone.execution.cells._wasi import Wasi
from ecotone.execution.cells._wasmtime import load_program
from ecotone.execution.cells.interface import Job

if TYPE_CHECKING:  # only a job of several nodes loads the network
    from ecotone.execution.cells._wires import Wiring

__all__ = ["rehearse", "run_rank"]


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
        compiled: the module, compiled for this machine, by whichever tier.
        rank: of this process.
        region: the memory shared by the ranks of this node.
        report: descriptor to which its last words go.
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
        code, reason = _run(job=job, compiled=compiled, host=host, rank=rank, region=region, passage=passage, end=end)
    except Exception as error:  # noqa: BLE001 - the outermost edge of this process
        code, reason = 1, f"could not start: {error}"
    end(code, reason)


def _run(
    *,
    job: Job,
    compiled: Path,
    host: CellHost,
    rank: int,
    region: Region,
    passage: Passage | None,
    end: Ending,
) -> tuple[int, str]:
    wasi, threads, leaving = _world(job=job, host=host, rank=rank, region=region, passage=passage, end=end)
    program = _load(compiled, job.memory_max_bytes)
    memory = CellMemory(program)
    host.attach(memory)
    wasi.attach(memory)
    threads.attach(program, memory)
    end.attach(memory, lambda: _is_in_mpi(threads.current))
    unwinder = Unwinder(program, memory, job.memory_max_bytes)
    leaving.attach(program, memory, unwinder)
    if passage is not None and passage.snapshot >= 0:
        leaving.resume()
    try:
        return _run_parts(program, unwinder, leaving, end)
    except ProgramTrapError as trap:
        return end.judged(134, trap_reason(str(trap), unwinder.during, stack_is_full=stack_is_full(program, 0)))


def _is_in_mpi(program: Program | None) -> bool:
    """Asked of the instance of the thread that ends the rank; what tells lies in memory."""
    return program is not None and program.has(IN_MPI) and program.call(IN_MPI) == 1


def _load(code: Path, memory_max_bytes: int) -> Program:
    if not is_native(code):
        return load_program(code, memory_max_bytes, PLACE_BYTES)
    from ecotone.execution.cells._native import load_native  # noqa: PLC0415 - most jobs do without

    return load_native(code, memory_max_bytes)


def _world(
    *, job: Job, host: CellHost, rank: int, region: Region, passage: Passage | None, end: Ending
) -> tuple[Wasi, CellThreads, Leaving]:
    """Defines all that a cell may import."""
    host.define()
    wasi = Wasi(
        arguments=[job.module.stem, *job.arguments],
        environment=job.environment,
        files=FileTable(job.folders, job.files_max),
        output_max_bytes=job.output_max_bytes,
        end=end.of_program,
    )
    wasi.define()
    threads = CellThreads(rank, region, end)
    threads.define()
    leaving = Leaving(rank=rank, ranks=job.ranks, passage=passage, host=host, wasi=wasi, threads=threads, end=end)
    leaving.define()
    return wasi, threads, leaving


def rehearse(program: Path) -> None:
    """Runs a program of our own to its end, in a process that forks ranks or waits to be one, and lets go of it.

    What a start loads is loaded then, and the memory that it writes is no longer shared with the process that has
    forked this one, which is most of what a start costs.

    Args:
        program: compiled, see `_rehearsal.py`.

    Raises:
        InputError: wasmtime cannot run programs on this machine as it is.
    """
    job = Job(module=program)
    region = open_region([0], 1, 1)
    end = Ending(job, -1)
    try:
        host = CellHost(0, region, end)
        _run(job=job, compiled=program, host=host, rank=0, region=region, passage=None, end=end)
        # The host's functions hold on to the first world.
        _world(job=job, host=CellHost(0, region, end), rank=0, region=region, passage=None, end=end)
    finally:
        os.close(region.descriptor)


def _run_parts(program: Program, unwinder: Unwinder, leaving: Leaving, end: Ending) -> tuple[int, str]:
    """`_start` returns when the program has ended, and when its stack has been unwound."""
    while True:
        program.call("_start")
        if unwinder.state is not State.UNWINDING:
            return end.judged(0, "")
        if leaving.leave():
            return 0, ""
