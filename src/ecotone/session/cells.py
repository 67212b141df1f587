"""Jobs of cells as people run them: entered, watched, ended. Called by `ecotone cell` and the programs beside it.

Imports here are late and few: a hello cell is to be done 150 ms after the command.
"""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from ecotone.core.errors import ConflictError, EcotoneError, InputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

    from ecotone.execution.cells import EmulatedJob, LocalJob
    from ecotone.execution.cells.building import Built, Cell, Needs
    from ecotone.execution.cells.interface import Job, JobResult
    from ecotone.execution.cells.output import Output
    from ecotone.execution.cells.registry import Entry, JobEnd, ThreadUse

__all__ = [
    "InspectedCell",
    "SeenJob",
    "end_job",
    "inspect_cell",
    "job_named",
    "run_cell",
    "run_detached",
    "scale_job",
    "seen_jobs",
    "toolchain_file",
]

_KILLED = 143
_REST_LIMIT_S = 1.0
_END_LIMIT_S = 5.0
_TOLD_MOST = 4096
_LOOK_EVERY_S = 0.02


def run_cell(
    job: Job,
    *,
    label: bool = False,
    listening: bool = True,
    on_start: Callable[[str], object] | None = None,
    nodes: Mapping[str, tuple[int, ...]] | None = None,
) -> tuple[str, JobEnd]:
    """Runs a job to its end, with an entry that `ecotone cell ps` shows.

    Args:
        job: what to run; its streams say where output goes.
        nodes: the ranks of each node, by its name, if there are several; all of them are emulated here.
        label: whether each line is passed on with its rank in front.
        listening: whether output is passed on at all; else it is only kept in the log.
        on_start: told the job's name when all ranks run.

    Returns:
        The name and how the job ended.

    Raises:
        InputError: the cell is not there, is damaged, or the number of ranks is out of range.
        MissingExtraError: the extra `cells` is not installed.
        UnavailableError: the state folder or the cache cannot be written.
    """
    from ecotone.execution.cells.output import Output
    from ecotone.execution.cells.registry import enter
    from ecotone.session.cell_tiers import JobTier

    if not job.module.is_file():
        raise InputError(f"there is no file {job.module}")
    watched = listening and os.isatty(job.stderr)
    tier = JobTier(job, can_change=nodes is None, told=job.stderr if watched else None)  # may take long, and fail
    entry = enter(job.module, job.ranks, job.arguments, time.time())
    output = Output(
        job.ranks,
        log=entry.log,
        label=label,
        line_by_line=not listening or os.isatty(job.stdout),
        pass_on=(job.stdout, job.stderr) if listening else None,
    )
    begun_s, before_s = time.monotonic(), _children_cpu_s()
    result: JobResult | None = None
    cut: tuple[int, str] | None = None
    problem = "its launcher has failed"
    try:
        try:
            with _begun(job, nodes, output) as running:
                try:
                    output.start()
                    if on_start is not None:
                        on_start(entry.record.job)
                    result = tier.wait(running, entry.cpu_s)
                except KeyboardInterrupt:
                    cut = _why(entry, output)
                    running.kill(cut[1])
                    result = running.wait()
        finally:
            output.close()
    except EcotoneError:
        _withdraw(entry)
        raise
    except KeyboardInterrupt:  # while ranks were started, or once more, or while the rest was passed on
        cut = cut or _why(entry, output)
        output.close(_REST_LIMIT_S)
    except Exception as error:
        problem = f"it could not be run: {error}"
        raise
    finally:
        if output.trouble and result and not result.exit_code:
            cut = cut or output.trouble
        used_s = _children_cpu_s() - before_s - tier.compiling_s
        tier.close(used_s, by_itself=cut is None and result is not None)
        wall_s = time.monotonic() - begun_s
        took = {"wall_s": wall_s, "cpu_s": used_s, "tier": tier.name, "events": tuple(tier.events)}
        end = _ended(result, cut, problem, took)
        entry.finish(end)
    return entry.record.job, end


def _begun(job: Job, nodes: Mapping[str, tuple[int, ...]] | None, output: Output) -> EmulatedJob | LocalJob:
    if nodes:
        from ecotone.execution.cells import EmulatedJob

        return EmulatedJob(job, nodes, output.streams)
    from ecotone.execution.cells import LocalJob

    return LocalJob(job, output.streams)


def _withdraw(entry: Entry) -> None:
    import shutil

    shutil.rmtree(entry.folder, ignore_errors=True)


def _why(entry: Entry, output: Output) -> tuple[int, str]:
    """Of a KeyboardInterrupt: exit code and reason."""
    from ecotone._signals import stopping_signal

    asked = entry.asked_to_end()
    if asked is not None:
        return _KILLED, asked
    if output.trouble is not None:
        return output.trouble
    number = stopping_signal()
    return 128 + number, "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ended(result: JobResult | None, cut: tuple[int, str] | None, problem: str, took: dict[str, Any]) -> JobEnd:
    """How the job ended, from what its ranks had, unless it was `cut` from outside; of neither, the problem is told.

    Args:
        took: the other fields of a `JobEnd`.
    """
    from ecotone.execution.cells.registry import JobEnd

    if cut is None and result is None:
        cut = 1, problem
    if cut is not None:
        return JobEnd(exit_code=cut[0], reason=cut[1], **took)
    assert result is not None
    first = result.first
    reason, *stack = first.reason.split("\n") if first else [""]
    return JobEnd(
        exit_code=result.exit_code,
        reason=reason,
        stack=tuple(line.strip() for line in stack),
        rank=first.rank if first else None,
        **took,
    )


def run_detached(job: Job, nodes: Mapping[str, tuple[int, ...]] | None = None) -> str:
    """Starts a job that goes on when this process ends; its output is in its log.

    Returns:
        The job's name.

    Raises:
        InputError, MissingExtraError, UnavailableError: as for `run_cell`.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    if os.fork() == 0:
        _become_launcher(job, nodes, writing)
    os.close(writing)
    told = os.read(reading, _TOLD_MOST)  # not to its end: the ranks have the other end too
    os.close(reading)
    word, _, text = told.decode(errors="replace").partition(" ")
    if word == "started":
        return text
    if word == InputError.__name__:
        raise InputError(text)
    raise UnavailableError(text or "the job could not be started: its launcher was killed")


def _become_launcher(job: Job, nodes: Mapping[str, tuple[int, ...]] | None, told: int) -> NoReturn:
    """In the child; does not return."""
    os.setsid()
    empty = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(empty, number)

    def tell(word: str, text: str) -> None:
        os.write(told, f"{word} {text}".encode(errors="replace")[:_TOLD_MOST])
        os.close(told)

    try:
        run_cell(job, listening=False, on_start=lambda name: tell("started", name), nodes=nodes)
    except EcotoneError as error:
        tell(InputError.__name__ if isinstance(error, InputError) else "failed", str(error))
    except BaseException as error:  # noqa: BLE001 - nothing of the child may run into the caller's code
        with contextlib.suppress(OSError):
            tell("failed", f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


class SeenJob:
    """A job at one moment.

    Attributes:
        entry: its folder.
        state: `running`, `done`, `failed`, or `lost` if its launcher was killed.
        end: how it ended; None if it runs or is lost.
        age_s: since it was started.
        cpu_s, memory_bytes: of its ranks together; of an ended one the memory is 0.
        threads: what each rank does that has threads.
    """

    def __init__(self, entry: Entry, now: float) -> None:
        self.entry = entry
        self.age_s = max(0.0, now - entry.record.started_at)
        is_running = entry.is_running()
        self.end = entry.end()
        self.threads: tuple[ThreadUse, ...] = ()
        if self.end is not None:
            self.state = "failed" if self.end.exit_code else "done"
            self.cpu_s, self.memory_bytes = self.end.cpu_s, 0
            return
        self.state = "running" if is_running else "lost"
        used = entry.usage() if is_running else None
        self.cpu_s = used.cpu_s if used else 0.0
        self.memory_bytes = used.memory_bytes if used else 0
        self.threads = used.threads if used else ()

    @property
    def reason(self) -> str:
        """Why it ended as it did, in a line; empty while it runs and if it ended well."""
        if self.state == "lost":
            return "its launcher was killed, and its ranks with it"
        if self.end is None or not self.end.reason:
            return ""
        who = "" if self.end.rank is None else f"rank {self.end.rank}: "
        return f"{who}{self.end.reason}"


def seen_jobs(*, ended: bool) -> list[SeenJob]:
    """The jobs of this user on this machine, the oldest first.

    Args:
        ended: whether those that have ended are wanted too.
    """
    from ecotone.execution.cells.registry import entries

    now = time.time()
    seen = [SeenJob(entry, now) for entry in entries()]
    return [job for job in seen if ended or job.state == "running"]


def job_named(name: str) -> Entry:
    """A job by its name, or the beginning of it.

    Raises:
        ConflictError: several begin like that.
        NotFoundError: none does.
    """
    from ecotone.execution.cells.registry import find

    return find(name)


def end_job(name: str, reason: str) -> SeenJob:
    """Ends a running job, and waits until it has.

    Args:
        name: of the job, or its beginning.
        reason: what is said to those who ask later.

    Raises:
        ConflictError: it does not run, or several begin like that.
        NotFoundError: there is none.
    """
    entry = job_named(name)
    if not entry.is_running():
        raise ConflictError(f"{entry.record.job} does not run any more; see: ecotone cell ps --all")
    entry.ask_to_end(reason)
    with contextlib.suppress(ProcessLookupError):
        launcher = os.pidfd_open(entry.record.launcher)
        try:
            if entry.is_running():  # still the same process as the one that the descriptor names
                signal.pidfd_send_signal(launcher, signal.SIGTERM)
                _wait_for_end(entry)
                if entry.is_running():
                    signal.pidfd_send_signal(launcher, signal.SIGKILL)
                    _wait_for_end(entry)
        finally:
            os.close(launcher)
    return SeenJob(entry, time.time())


def scale_job(name: str, threads: int) -> tuple[SeenJob, int]:
    """Sets how many threads the next parallel region of each rank of a running job may have.

    Args:
        name: of the job, or its beginning.
        threads: from 1 on.

    Returns:
        The job as it is before its next region, and how many ranks were told.

    Raises:
        ConflictError: it does not run, or several begin like that.
        InputError: its program has no threads, or the number is out of range.
        NotFoundError: there is none.
    """
    from pathlib import Path

    from ecotone.execution.cells.interface import THREADS_MOST

    if not 1 <= threads <= THREADS_MOST:
        raise InputError(f"a rank can have 1 to {THREADS_MOST} threads, not {threads}")
    entry = job_named(name)
    if not entry.is_running():
        raise ConflictError(f"{entry.record.job} does not run any more; see: ecotone cell ps --all")
    cell = Path(entry.record.cell)
    if _threads_of(cell) == 1:
        raise InputError(f"{entry.record.job} has one thread in each rank: {cell.name} was built without -fopenmp")
    before = SeenJob(entry, time.time())
    told = entry.scale(threads)
    if not told:
        raise ConflictError(f"{entry.record.job} has no ranks now: it begins or ends")
    return before, told


def _threads_of(cell: Path) -> int | None:
    """What a cell file says; None also if it is a plain module, or was replaced meanwhile."""
    from ecotone.execution.cells.building import read_cell

    try:
        return read_cell(cell).manifest.needs.threads
    except EcotoneError:
        return None


def _wait_for_end(entry: Entry) -> None:
    until = time.monotonic() + _END_LIMIT_S
    while entry.is_running() and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)


class InspectedCell:
    """What a cell file holds, its module checked against its digest.

    Attributes:
        digest: SHA-256 of the module.
        module_bytes: its size.
        needs: what it asks of a machine.
        built: who built it; None for a plain module.
        machines: the kinds of machine it was compiled for, and whether that code is used here.
    """

    def __init__(
        self, digest: str, module_bytes: int, needs: Needs, built: Built | None, machines: dict[str, str]
    ) -> None:
        self.digest = digest
        self.module_bytes = module_bytes
        self.needs = needs
        self.built = built
        self.machines = machines

    def document(self) -> dict[str, Any]:
        """As plain data."""
        import msgspec

        return {
            "digest": self.digest,
            "module_bytes": self.module_bytes,
            "needs": msgspec.to_builtins(self.needs),
            "built": msgspec.to_builtins(self.built),
            "compiled": self.machines,
        }


def inspect_cell(path: Path) -> InspectedCell:
    """What a cell file or module holds.

    Raises:
        InputError: it is neither, or is damaged.
    """
    from hashlib import sha256

    from ecotone.execution.cells.building import WASM_MAGIC, Needs, module_imports, module_memory_bytes, read_cell

    if path.is_file() and (module := path.read_bytes()).startswith(WASM_MAGIC):
        needs = Needs(memory_bytes=module_memory_bytes(module), imports=module_imports(module))
        return InspectedCell(sha256(module).hexdigest(), len(module), needs, None, {})
    cell = read_cell(path)
    machines = {machine: _use_of(cell, machine) for machine in cell.manifest.compiled}
    return InspectedCell(
        cell.manifest.digest, cell.manifest.module_bytes, cell.manifest.needs, cell.manifest.built, machines
    )


def _use_of(cell: Cell, machine: str) -> str:
    from ecotone.execution.cells.building import is_signed, machine_kind

    if machine != machine_kind():
        return "another machine or runtime"
    code = cell.compiled(machine)
    signature = cell.manifest.compiled[machine].signature
    if code is None or not is_signed(cell.manifest.digest, machine, code, signature):
        return "not signed by you: compiled anew when it first runs"
    return "this machine, signed by you"


def toolchain_file() -> Path:
    """The file that makes CMake build cells.

    Raises:
        NotFoundError: the drivers are not where this Python's programs are.
    """
    from pathlib import Path

    from ecotone.core.errors import NotFoundError
    from ecotone.design import cells

    if not (Path(sys.executable).parent / "ecotone-cc").exists():
        raise NotFoundError(f"there is no ecotone-cc beside {sys.executable}; install ecotone[cells-build] there")
    return Path(cells.__file__).parent / "toolchain.cmake"
