"""Takes the stack of a running cell into its memory, and back from there. Called by a rank.

Asyncify has given the module four functions for it. The saved stack needs a place: memory that is added to the cell's
own when it first leaves, so cells that stay pay nothing. Behind the place is a page that cannot be written while the
stack is saved; a stack that does not fit ends the cell and harms nothing.
"""

from __future__ import annotations

import enum

from ecotone.execution.cells._libc import clear_fixed, protect
from ecotone.execution.cells._memory import CellMemory
from ecotone.execution.cells._program import MemoryLimitError, Program

__all__ = ["PLACE_BYTES", "STACK_BYTES", "State", "Unwinder"]

STACK_BYTES = 2 << 20
"""A multiple of WebAssembly's page; four times wasmtime's own limit for the stack of a cell."""

_PAGE = 65536
PLACE_BYTES = STACK_BYTES + _PAGE
"""What the place takes."""

_FUNCTIONS = ("start_unwind", "stop_unwind", "start_rewind", "stop_rewind")


class State(enum.Enum):
    RUNNING = enum.auto()
    UNWINDING = enum.auto()
    REWINDING = enum.auto()


class Unwinder:
    """The stack of one cell.

    Args:
        program: of the cell.
        memory: of the cell.
        memory_max_bytes: the cell's limit; the place for the stack does not count.

    Attributes:
        place: where the saved stack lies, None as long as there is no such place.
    """

    def __init__(
        self,
        program: Program,
        memory: CellMemory,
        memory_max_bytes: int,
    ) -> None:
        self._program = program
        self._memory = memory
        self._memory_max_bytes = memory_max_bytes
        self.stack_bytes = STACK_BYTES
        self.state = State.RUNNING
        self.place: int | None = None

    @property
    def movable(self) -> bool:
        """Whether the module was built so that its stack can be taken."""
        return all(self._program.has(f"asyncify_{name}") for name in _FUNCTIONS)

    @property
    def during(self) -> str:
        """What the cell was doing apart from running, for messages."""
        if self.state is State.RUNNING:
            return ""
        what = "its stack was saved" if self.state is State.UNWINDING else "its stack was taken back"
        return f" while {what} (there is room for {self.stack_bytes >> 10} KiB)"

    def _call(self, name: str, *arguments: int) -> None:
        self._program.call(f"asyncify_{name}", *arguments)

    def reserve(self) -> str:
        """Makes the place for the stack if there is none.

        Returns:
            Why it cannot be made, empty if it is there.
        """
        if self.place is not None:
            return ""
        more = self.stack_bytes + _PAGE
        self.allow_place()
        try:
            self.place = self._memory.grow(more // _PAGE) * _PAGE
        except MemoryLimitError:
            return f"the cell's memory cannot grow by the {more >> 10} KiB that its stack needs to leave"
        return ""

    def allow_place(self) -> None:
        """Raises the cell's limit by what the place needs; before it grows."""
        self._program.allow(self._memory_max_bytes + PLACE_BYTES)

    def _guard(self, *, usable: bool) -> None:
        assert self.place is not None
        protect(self._memory.base + self.place + self.stack_bytes, _PAGE, usable=usable)

    def _reset_place(self) -> int:
        """Asyncify's own record: where to write next, and the end."""
        assert self.place is not None
        self._memory.pack(self.place, "<II", self.place + 8, self.place + self.stack_bytes)
        return self.place

    def begin(self) -> None:
        """Starts to unwind: call it in the safe point; the cell's `_start` returns soon after."""
        assert self.state is State.RUNNING
        self.state = State.UNWINDING
        self._guard(usable=False)
        self._call("start_unwind", self._reset_place())

    def finish(self) -> None:
        """The stack is in memory; call it when `_start` has returned."""
        assert self.state is State.UNWINDING
        self._call("stop_unwind")
        self._guard(usable=True)
        self.state = State.RUNNING

    def rewind(self) -> None:
        """Starts to take the stack back; call `_start` then, in which the safe point will be called again."""
        assert self.state is State.RUNNING
        assert self.place is not None
        self.state = State.REWINDING
        self._call("start_rewind", self.place)

    def arrive(self) -> None:
        """The stack is as it was; call it in the safe point. What was saved is given back to the machine."""
        assert self.state is State.REWINDING
        assert self.place is not None
        self._call("stop_rewind")
        self.state = State.RUNNING
        clear_fixed(self._memory.base + self.place, self.stack_bytes)
