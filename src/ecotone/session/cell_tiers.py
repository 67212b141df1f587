"""What a job's ranks run on, and when a program is worth native code. Called by `cells.py` for each job that it runs.

Compiling natively costs seconds, and saves time only with programs that run long. So nothing is compiled before a
program has used as much CPU time, in all its runs, as compiling is expected to take: then no run is ever more than
twice as expensive as with perfect foresight (the argument of renting or buying skis). The compiler runs beside the job,
in a process of low priority behind walls; when it is done, the ranks go on natively from their next MPI call.
"""

# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import contextlib
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ecotone.core.errors import EcotoneError

if TYPE_CHECKING:
    import subprocess

    from ecotone.execution.cells import EmulatedJob, Job, JobResult, LocalJob

__all__ = ["JobTier", "spent_s"]

_SECONDS = struct.Struct("<d")
_RUNS_MOST = 512  # after so many the file is summed up
_SWITCH_LIMIT_S = 2.0
_COMPILE_MOST_S = 900.0
_LOOK_EVERY_S = 1.0


def _spent_file(digest: str) -> Path:
    from ecotone.execution.cells.building import native_folder

    return native_folder() / f"{digest}.spent"


def spent_s(digest: str) -> float:
    """CPU time that a module has used in its earlier runs on this machine, by other code than native."""
    try:
        data = _spent_file(digest).read_bytes()
    except (OSError, EcotoneError):
        return 0.0
    return sum(value for (value,) in _SECONDS.iter_unpack(data[: len(data) // 8 * 8]) if value > 0)


def _add_spent(digest: str, cpu_s: float) -> None:
    """Appends, so that several jobs may do so at once; what cannot be kept is not worth a complaint."""
    with contextlib.suppress(OSError, EcotoneError):
        file = _spent_file(digest)
        total = spent_s(digest)
        if file.exists() and file.stat().st_size > _RUNS_MOST * _SECONDS.size:
            scratch = file.with_suffix(f".{os.getpid()}")
            scratch.write_bytes(_SECONDS.pack(total))
            scratch.replace(file)
        with file.open("ab") as writing:
            writing.write(_SECONDS.pack(cpu_s))


def _module_bytes(module: Path) -> int:
    from ecotone.execution.cells.building import read_cell

    try:
        return read_cell(module).manifest.module_bytes
    except EcotoneError:  # it is a plain module
        return module.stat().st_size


class _Hot:
    """One job's program, from its start to its end.

    Args:
        module: the file that is run.
        digest: of the module.
        tell: told, in a line, what is done and why.

    Attributes:
        tier: what the ranks run on now.
        compiling_s: CPU time of the compiler, if it has ended.
    """

    def __init__(self, module: Path, digest: str, tell: Callable[[str], object]) -> None:
        self._module = module
        self._digest = digest
        self._tell = tell
        self._earlier_s = spent_s(digest)
        self._compiler: subprocess.Popen[bytes] | None = None
        self._begun_s = 0.0
        self._cost_s: float | None = None
        self._given_up = False
        self.tier = "wasmtime"
        self.compiling_s = 0.0

    def look(self, cpu_s: float, running: LocalJob) -> None:
        """Does what is due.

        Args:
            cpu_s: what the job has used so far.
            running: the job.
        """
        if self._given_up or self.tier == "native":
            return
        if self._compiler is None:
            if self._is_hot(cpu_s):
                self._start(cpu_s)
        elif self._has_compiled(self._compiler):
            self._finish(running)

    def _has_compiled(self, compiler: subprocess.Popen[bytes]) -> bool:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        if compiler.poll() is None:
            return False
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.compiling_s += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return True

    def _is_hot(self, cpu_s: float) -> bool:
        if cpu_s < _LOOK_EVERY_S / 2:
            return False  # most programs: nothing is loaded for them
        if self._cost_s is None:
            from ecotone.design.cells.native import can_compile, estimate_s

            if not can_compile():
                self._given_up = True
                return False
            self._cost_s = estimate_s(_module_bytes(self._module))
        return self._earlier_s + cpu_s >= self._cost_s

    def _start(self, cpu_s: float) -> None:
        used = f"{cpu_s:.0f} s of CPU time"
        if self._earlier_s >= 1:
            used += f" and {self._earlier_s:.0f} s in earlier runs"
        self._tell(f"{self._module.name} has used {used}: compiling it for this processor, beside the job")
        import subprocess

        command = [sys.executable, "-P", "-m", "ecotone.design.cells.native", str(self._module)]
        command.append(str(_COMPILE_MOST_S))
        try:
            self._compiler = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._given_up = True
            self._tell(f"the compiler cannot be started: {error.strerror}; the job goes on as it is")
        self._begun_s = time.monotonic()

    def _finish(self, running: LocalJob) -> None:
        from ecotone.execution.cells.building import native_cached

        assert self._compiler is not None
        assert self._compiler.stderr is not None
        assert self._compiler.stdin is not None
        said = self._compiler.stderr.read().decode(errors="replace").strip().splitlines()
        self._compiler.stderr.close()
        self._compiler.stdin.close()
        code = native_cached(self._digest) if self._compiler.returncode == 0 else None
        if code is None:
            self._given_up = True
            why = said[-1] if said else f"the compiler ended with code {self._compiler.returncode}"
            self._tell(f"{why}; the job goes on as it is")
            return
        took = f"compiled in {time.monotonic() - self._begun_s:.1f} s"
        switched = running.switch(code, _SWITCH_LIMIT_S)
        self.tier = "native"
        if switched:
            self._tell(f"{took}: {switched} rank{'s' if switched > 1 else ''} went on natively")
        else:
            self._tell(f"{took}: it makes no MPI call at which it could change over, so the next run is native")

    def close(self, cpu_s: float, *, finish: bool) -> None:
        """The job has ended. A compiler that still runs is ended too, unless it is to finish for the next run.

        Args:
            cpu_s: what the job has used.
            finish: whether the program may be run again soon: it has ended by itself.
        """
        if self.tier != "native":
            _add_spent(self._digest, cpu_s)
        compiler = self._compiler
        if compiler is None or self._has_compiled(compiler):
            return
        assert compiler.stdin is not None
        with contextlib.suppress(BrokenPipeError), compiler.stdin as owner:
            if finish:
                owner.write(b"1")
        if finish:
            self._tell("the compiler goes on in the background, for the next run")
        else:
            compiler.wait()


class JobTier:
    """What one job runs on, and what is done about it.

    Args:
        job: that is about to be run; a tier that it asks for is made ready now.
        can_change: whether its ranks may change over while they run.
        told: descriptor to which a person is told what is done; None for nobody.

    Attributes:
        name: `wasmtime` or `native`.
        events: what was done, a line each.
        compiling_s: CPU time of compilers that have ended while the job ran.

    Raises:
        InputError: the file cannot be run, or not natively.
        MissingExtraError: what runs or compiles it is not installed.
        UnavailableError: the cache cannot be written, or compiling natively took too long.
    """

    def __init__(self, job: Job, *, can_change: bool, told: int | None) -> None:
        from ecotone.execution.cells.building import code_of, is_native, module_digest

        self._told = told
        self.events: list[str] = []
        if job.tier == "native":
            from ecotone.design.cells.native import native_code

            native_code(job.module, self._show, _COMPILE_MOST_S)
            self._show("")
        code = code_of(job)
        self._hot: _Hot | None = None
        self._is_native = is_native(code)
        if job.tier == "auto" and can_change and not self._is_native:
            self._hot = _Hot(job.module, module_digest(code), self._tell)

    @property
    def name(self) -> str:
        return "native" if self._is_native or (self._hot and self._hot.tier == "native") else "wasmtime"

    @property
    def compiling_s(self) -> float:
        return self._hot.compiling_s if self._hot else 0.0

    def _show(self, line: str) -> None:
        """Progress of the moment, in one line of a terminal."""
        if self._told is not None:
            os.write(self._told, f"\r\x1b[K{line[:100]}".encode())

    def _tell(self, line: str) -> None:
        self.events.append(line)
        if self._told is not None:
            os.write(self._told, f"ecotone: {line}\n".encode())

    def wait(self, running: LocalJob | EmulatedJob, cpu_s: Callable[[], float]) -> JobResult | None:
        """Waits until the job has ended, and does what is due about its tier.

        Args:
            running: the job.
            cpu_s: what its ranks have used so far.
        """
        from ecotone.execution.cells import LocalJob

        hot = self._hot
        if hot is None or not isinstance(running, LocalJob):
            return running.wait()
        while (result := running.wait(_LOOK_EVERY_S)) is None:
            hot.look(cpu_s(), running)
        return result

    def close(self, cpu_s: float, *, by_itself: bool) -> None:
        """The job has ended, with so much CPU time of its ranks; `by_itself` if nobody has ended it."""
        if self._hot is not None:
            self._hot.close(cpu_s, finish=by_itself)
