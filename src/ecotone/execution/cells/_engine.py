"""The settings of wasmtime, the same for compiling cells and for running them. Called by ranks and the compiler."""

from __future__ import annotations

import os

import wasmtime

__all__ = ["new_engine"]


def new_engine() -> wasmtime.Engine:
    """An engine that knows lines of source, where a module has them, for the stack of a trap."""
    os.environ["WASMTIME_BACKTRACE_DETAILS"] = "1"  # the only way to say it that the Python package has
    return wasmtime.Engine()
