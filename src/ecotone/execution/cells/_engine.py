"""The settings of wasmtime, the same for compiling cells and for running them. Called by ranks and the compiler.

A process has one engine and one linker: who forks ranks has them ready, with the functions of the host in them.
"""

from __future__ import annotations

import os
from functools import cache

import wasmtime

__all__ = ["new_engine", "shared_engine", "shared_linker"]


@cache
def shared_engine() -> wasmtime.Engine:
    """The engine of this process."""
    return new_engine()


@cache
def shared_linker() -> wasmtime.Linker:
    """The linker of this process; `_callbacks.define` puts functions into it, and other ones in their place."""
    return wasmtime.Linker(shared_engine())


def new_engine() -> wasmtime.Engine:
    """An engine that knows lines of source, where a module has them, for the stack of a trap."""
    os.environ["WASMTIME_BACKTRACE_DETAILS"] = "1"  # the only way to say it that the Python package has
    return wasmtime.Engine()
