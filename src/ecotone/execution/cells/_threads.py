"""Threads of a cell: each has an instance of its own over the same memory. Called by a rank.

The OpenMP library in the cell starts them when it first needs them, and keeps them: between parallel regions they wait
in the cell's memory. What they know lies there too, so a cell that has left its process gets the same threads again.
"""

from __future__ import annotations

import errno
import os
import threading

from ecotone.core.errors import EcotoneError
from ecotone.execution.cells._callbacks import define
from ecotone.execution.cells._ending import Ending, trap_reason
from ecotone.execution.cells._libc import map_fixed, protect
from ecotone.execution.cells._memory import CellMemory
from ecotone.execution.cells._program import MemoryLimitError, Program, ProgramTrapError
from ecotone.execution.cells._region import CONTROL_BYTES, Region
from ecotone.execution.cells._snapshot import SavedThread
from ecotone.execution.cells._wasi_numbers import error_number
from ecotone.execution.cells.interface import THREADS_MOST

__all__ = ["CellThreads", "stack_is_full"]

_MODULE = b"eco"
_THREAD = "eco_thread"
_MAY_LEAVE = "eco_may_leave"
_SYSTEM_PAGE = 4096
_GUARD_MOST_BYTES = 1 << 20
_GUARD_SHARE = 8
_STACK_LEAST = 64
_ALIGNMENT = 16
_ADDRESSES = 0xFFFFFFFF


class CellThreads:
    """The threads of one rank.

    Args:
        rank: of the job.
        region: shared with the other ranks of this node.
        end: ends this process with a code and a reason.
    """

    def __init__(self, rank: int, region: Region, end: Ending) -> None:
        self._rank = rank
        self._region = region
        self._end = end
        self._program: Program | None = None
        self._memory: CellMemory | None = None
        self._running: list[SavedThread] = []
        self._change = threading.Lock()
        self._control: int | None = None
        self._own = threading.local()

    def define(self) -> None:
        """Makes the functions importable; call `attach` after instantiation and before the cell runs."""
        define(_MODULE, b"thread_start", "iiii", self._start_new, results=1)
        define(_MODULE, b"control", "i", self._map_control, results=0)

    def attach(self, program: Program, memory: CellMemory) -> None:
        """Tells what the cell consists of."""
        self._program = program
        self._memory = memory
        self._own.program = program

    @property
    def current(self) -> Program | None:
        """The instance of the thread that asks: no other one may be used by it."""
        return getattr(self._own, "program", None)

    @property
    def is_first(self) -> bool:
        """Whether the thread that asks is the one in which the program began."""
        return self.current is self._program

    @property
    def busy(self) -> bool:
        """Whether a thread is not parked: in a parallel region, or one that the program has created itself."""
        program = self.current
        return program is not None and program.has(_MAY_LEAVE) and not program.call(_MAY_LEAVE)

    @property
    def control(self) -> range:
        """The page of the cell's memory that is the job's; empty if it is not mapped."""
        return range(0) if self._control is None else range(self._control, self._control + CONTROL_BYTES)

    def saved(self) -> list[SavedThread]:
        """The threads, for a snapshot; only while they all wait."""
        return list(self._running)

    def guard(self, *, usable: bool) -> None:
        """Makes the last pages of their stacks usable, for who reads all memory, or unusable again."""
        for thread in self._running:
            self._guard(thread, usable=usable)

    def _guard(self, thread: SavedThread, *, usable: bool) -> None:
        memory, size_bytes = self._memory, guard_bytes(thread)
        assert memory is not None
        with self._change:
            if usable:
                memory.open_again(thread.low)
            else:
                memory.close_off(thread.low, thread.low + size_bytes)
            protect(memory.base + thread.low, size_bytes, usable=usable)

    @property
    def _control_offset(self) -> int:
        return self._region.control_offset(self._region.ranks.index(self._rank))

    def resume(self, control: int | None, threads: list[SavedThread]) -> None:
        """Starts the threads that a cell has had in another process; its memory and variables are there already."""
        if control is not None:
            self._map_control(control)
        for thread in threads:
            problem = self._start(thread.low, thread.top, thread.tls, thread.argument, fresh=False)
            if problem:
                raise OSError(problem, f"the cell has {len(threads)} threads: {os.strerror(problem)}")

    def _map_control(self, page: int) -> None:
        memory = self._memory
        if memory is None or self._control is not None or page % CONTROL_BYTES:
            self._end(1, f"refused to lay the page of its threads at {page}")
        if page + CONTROL_BYTES > memory.size_bytes():
            self._end(1, f"refused to lay the page of its threads at {page}, which is not in the cell's own memory")
        map_fixed(memory.base + page, CONTROL_BYTES, self._region.descriptor, self._control_offset)
        self._control = page

    def _start_new(self, low: int, top: int, tls: int, argument: int) -> int:
        problem = self._start(low, top, tls, argument)
        return error_number(OSError(problem, "")) if problem else 0

    def _start(self, low: int, top: int, tls: int, argument: int, *, fresh: bool = True) -> int:
        memory, program = self._memory, self._program
        if memory is None or program is None or not program.has(_THREAD):
            self._end(1, "asked for a thread, and has nothing that it could do")
        size_bytes = memory.size_bytes()
        if low % _SYSTEM_PAGE or top % _ALIGNMENT or not 0 <= low < low + _SYSTEM_PAGE < top <= size_bytes:
            self._end(1, f"refused to start a thread with the stack from {low} to {top}")
        if not 0 <= tls < size_bytes or not 0 <= argument <= _ADDRESSES:
            self._end(1, f"refused to start a thread with variables at {tls}")
        if self._own.__dict__.get("starts"):
            self._end(1, "asked for a thread while one was made")
        thread = SavedThread(low=low, top=top, tls=tls, argument=argument)
        with self._change:  # the place is taken before the instance is made: a module may do much meanwhile
            if len(self._running) >= THREADS_MOST - 1:
                return errno.EAGAIN
            self._running.append(thread)
        problem = self._made(program, thread, fresh=fresh)
        if problem:
            with self._change:
                self._running.remove(thread)
        return problem

    def _made(self, program: Program, thread: SavedThread, *, fresh: bool) -> int:
        self._own.starts = True
        try:
            own = program.thread()
            own.set_variable("__stack_pointer", thread.top)
            if not fresh:
                own.set_variable("__tls_base", thread.tls)
            self._guard(thread, usable=False)
            threading.Thread(target=self._run, args=(own, thread, fresh), daemon=True).start()
        except (EcotoneError, MemoryLimitError, ProgramTrapError, RuntimeError):  # the last: no more threads
            return errno.EAGAIN
        except OSError as error:
            return error.errno or errno.EAGAIN
        finally:
            self._own.starts = False
        return 0

    def _run(self, program: Program, thread: SavedThread, fresh: bool) -> None:
        self._own.program = program
        try:
            program.call(_THREAD, thread.argument, int(fresh))
        except ProgramTrapError as trap:
            full = stack_is_full(program, thread.low + guard_bytes(thread))
            self._end(*self._end.judged(134, trap_reason(str(trap), stack_is_full=full)))
        except Exception as error:  # noqa: BLE001 - the outermost edge of this thread
            self._end(1, f"a thread could not go on: {error}")
        with self._change:
            self._running.remove(thread)
        self._guard(thread, usable=True)


def guard_bytes(thread: SavedThread) -> int:
    """How much of a stack, from its lower end on, cannot be used: what reaches beyond the stack is to be noticed, also
    where a function has large arrays, and so begins far below what the one before it has touched."""
    wanted = min(_GUARD_MOST_BYTES, (thread.top - thread.low) // _GUARD_SHARE)
    return max(_SYSTEM_PAGE, wanted // _SYSTEM_PAGE * _SYSTEM_PAGE)


def stack_is_full(program: Program, low: int) -> bool:
    """Whether the program's own stack, which grows down to address `low`, has gone beyond it."""
    pointer = next((int(one.value) for one in program.variables() if one.name == "__stack_pointer"), None)
    if pointer is None:
        return False
    return (pointer & _ADDRESSES if low else pointer) < low + _STACK_LEAST
