"""What the ranks of a job run on, and what is done about it while they run. Called by `cells.py` for each job."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecotone.execution.cells import EmulatedJob, Job, JobResult, LocalJob
    from ecotone.execution.cells.building import Heat

__all__ = ["JobTier"]

_LOOK_EVERY_S = 1.0
_SWITCH_LIMIT_S = 2.0


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
        from ecotone.execution.cells.building import COMPILE_MOST_S, code_of, is_native, module_digest

        self._told = told
        self.events: list[str] = []
        if job.tier == "native":
            from ecotone.design.cells.native import native_code

            native_code(job.module, self._show, COMPILE_MOST_S)
            self._show("")
        code = code_of(job)
        self._heat: Heat | None = None
        self._module = job.module
        self._digest = module_digest(code)
        self.name = "native" if is_native(code) else "wasmtime"
        self._watches = job.tier == "auto" and can_change and self.name == "wasmtime"

    @property
    def compiling_s(self) -> float:
        return self._heat.compiling_s if self._heat else 0.0

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

        if not self._watches or not isinstance(running, LocalJob):
            return running.wait()
        while (result := running.wait(_LOOK_EVERY_S)) is None:
            if self._heat is None:
                from ecotone.execution.cells.building import heat_of

                self._heat = heat_of(self._module, self._tell)
            if self._heat is not None and (code := self._heat.look(cpu_s())):
                self._change(running, code)
        return result

    def _change(self, running: LocalJob, code: Path) -> None:
        switched = running.switch(code, _SWITCH_LIMIT_S)
        if switched:
            self.name = "native"
            self._tell(f"{switched} rank{'s' if switched > 1 else ''} went on natively")
        else:
            self._tell("it makes no MPI call at which it could change over, so the next run is native")

    def close(self, cpu_s: float, *, by_itself: bool) -> None:
        """The job has ended, with so much CPU time of its ranks; `by_itself` if nobody has ended it."""
        if self._heat is not None:
            self._heat.close(cpu_s if self.name == "wasmtime" else 0.0, finish=by_itself)
        elif self._watches:
            from ecotone.execution.cells.building import add_spent

            add_spent(self._digest, cpu_s)
