"""What is said of a rank that has ended badly: the reason, and the functions it was in. Called by a rank.

The reason is what people read, so it is said in the words of C programs, with what to do where we know it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import NoReturn

from ecotone.execution.cells._last_words import say
from ecotone.execution.cells._memory import CellMemory
from ecotone.execution.cells.interface import Job

__all__ = ["IN_MPI", "Ending", "trap_reason"]

IN_MPI = "eco_in_mpi"
"""The function by which the MPI library in a cell says whether it has begun and not ended."""

_FRAME = re.compile(r"^\s*\d+:\s+(0x[0-9a-f]+) - (.*)$")
_PLACE = re.compile(r"^\s+at (.+?)(?::(\d+))?(?::\d+)?$")
_CAUSE = re.compile(r"^\s*(?:\d+:\s+)?(?:wasm trap: )?(\S.*)$")
_FRAMES_MOST = 24
_ADVICE = (
    (
        "call stack exhausted",
        "the stack is used up: recurse less deeply, or move large arrays from the stack to malloc",
    ),
    ("indirect call type mismatch", "a function was called through a pointer of another type: cast it to its own type"),
    ("uninitialized element", "a function was called through a null or wild pointer"),
    ("undefined element", "a function was called through a null or wild pointer"),
    ("wasm `unreachable` instruction executed", "abort() was called, or a failed assertion or __builtin_trap"),
)
_NEAR = 0.95


def _never() -> bool:
    return False


class Ending:
    """How one rank's process ends; called with a code and a reason, it ends it at once.

    Args:
        job: of the rank.
        report: descriptor to which its last words go.
    """

    def __init__(self, job: Job, report: int) -> None:
        self._job = job
        self._report = report
        self._memory: CellMemory | None = None
        self._in_mpi: Callable[[], bool] = _never

    def attach(self, memory: CellMemory, in_mpi: Callable[[], bool]) -> None:
        """Tells where the cell's memory is, and what asks whether it is between MPI_Init and MPI_Finalize."""
        self._memory = memory
        self._in_mpi = in_mpi

    def __call__(self, code: int, reason: str) -> NoReturn:
        say(self._report, code, reason)
        os._exit(code)

    def of_program(self, code: int, reason: str) -> NoReturn:
        """The program has called exit."""
        judged_code, judged_reason = self.judged(code, reason)
        self.__call__(judged_code, judged_reason)

    def judged(self, code: int, reason: str) -> tuple[int, str]:
        """What the program's own end means for the job."""
        memory = self._memory
        if memory is None:
            return code, reason
        if code:
            return code, f"{reason}{self._near_memory_limit(memory)}"
        if self._job.ranks > 1 and self._in_mpi():
            return 1, "ended without MPI_Finalize, so that other ranks might wait for it for ever"
        return code, reason

    def _near_memory_limit(self, memory: CellMemory) -> str:
        if memory.size_bytes() < self._job.memory_max_bytes * _NEAR:
            return ""
        limit = self._job.memory_max_bytes / (1 << 20)
        return f"; its memory was at its limit of {limit:.0f} MiB, so memory it asked for may have been refused"


def trap_reason(message: str, during: str = "", *, stack_is_full: bool = False) -> str:
    """The reason, then a line for each function, the innermost first.

    Args:
        message: what wasmtime says of a trap.
        during: when it was, with a space before it; empty while the program ran.
        stack_is_full: whether the program's stack has run over, which shows as an access out of bounds.
    """
    stack, _, causes = message.partition("Caused by:")
    found = [match.group(1) for match in map(_CAUSE.match, causes.strip().splitlines()) if match]
    reason = found[-1] if found else stack.strip().splitlines()[0] if stack.strip() else "unknown"
    if stack_is_full and "out of bounds" in reason:
        reason, found = "call stack exhausted", []
    if "__cxa_throw" in stack:
        reason, found = "a C++ exception was thrown, which a cell cannot catch", []
    where = f" ({found[0]})" if len(found) > 1 else ""
    advice = next((f"; {advice}" for sign, advice in _ADVICE if sign in reason), "")
    return "\n".join([f"trap{during}: {reason}{where}{advice}", *_frames(stack)])


def _frames(stack: str) -> list[str]:
    lines: list[str] = []
    for line in stack.splitlines():
        if match := _FRAME.match(line):
            name = match.group(2).rpartition("!")[2]
            lines.append(f"in {name if name != '<unknown>' else match.group(1)}")
        elif lines and (match := _PLACE.match(line)) and match.group(2):
            lines[-1] += f" ({match.group(1)}:{match.group(2)})"
    if len(lines) > _FRAMES_MOST:
        lines[_FRAMES_MOST - 4 : -3] = [f"... {len(lines) - _FRAMES_MOST + 1} more"]
    return [f"  {line}" for line in lines]
