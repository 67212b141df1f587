"""A module that has been instantiated, whichever tier runs it. Implemented by `_wasmtime.py`, and by the native tier.

Called by a rank and by what serves it: nothing there knows how the code of a cell is executed.
"""

from __future__ import annotations

from typing import Protocol

from ecotone.execution.cells._snapshot import Variable

__all__ = ["MemoryLimitError", "Program", "ProgramTrapError"]


class ProgramTrapError(Exception):
    """The program did what it may not; the message is for `_ending.trap_reason`."""


class MemoryLimitError(Exception):
    """The memory cannot have more: it is at its limit, or the machine has none."""


class Program(Protocol):
    """One instance; a thread has its own, over the same memory.

    Attributes:
        base: address of the memory in this process. It does not move, and 4 GiB behind it are reserved for it.
    """

    @property
    def base(self) -> int: ...

    def size_bytes(self) -> int:
        """Size of the memory now."""
        ...

    def grow(self, pages: int) -> int:
        """Adds pages of 64 KiB, all zero, and returns the number of pages before.

        Raises:
            MemoryLimitError: it may not have more.
        """
        ...

    def allow(self, memory_max_bytes: int) -> None:
        """Changes the limit of the memory, if it can still be changed."""
        ...

    def has(self, name: str) -> bool:
        """Whether the module exports a function of this name."""
        ...

    def call(self, name: str, *arguments: int) -> int | None:
        """Calls an exported function.

        Raises:
            ProgramTrapError: it did what it may not.
        """
        ...

    def variables(self) -> list[Variable]:
        """The mutable globals, all of which a module built for moving exports."""
        ...

    def set_variable(self, name: str, value: int | float) -> None:
        """Gives one of them another value."""
        ...

    def thread(self) -> Program:
        """A further instance over the same memory, to be used by the thread that asks for it."""
        ...
