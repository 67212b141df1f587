"""The settings of wasmtime, the same for compiling cells and for running them. Called by ranks and the compiler.

A process has one engine and one linker: who forks ranks has them ready, with the functions of the host in them.
"""

from __future__ import annotations

import os
from functools import cache

import wasmtime

__all__ = ["MEMORY_MOST_BYTES", "limit", "new_engine", "shared_engine", "shared_linker"]

MEMORY_MOST_BYTES = 1 << 32
"""What a cell can address, and what is reserved for its memory, which therefore never moves."""

_TABLES_MOST = 2
_TABLE_MOST = 1 << 20  # functions that a program can call through pointers: 8 MiB of the host's memory


@cache
def shared_engine() -> wasmtime.Engine:
    """The engine of this process."""
    return new_engine()


@cache
def shared_linker() -> wasmtime.Linker:
    """The linker of this process; `_callbacks.define` puts functions into it, and other ones in their place."""
    return wasmtime.Linker(shared_engine())


def new_engine(*, compiles_with_threads: bool = True) -> wasmtime.Engine:
    """An engine that knows lines of source, where a module has them, for the stack of a trap.

    Args:
        compiles_with_threads: whether compilation may use all cores; not in a process that forks.

    A cell has one memory of 32 bits that does not move: host functions hold addresses in it. Whoever changes a setting
    raises the number in `_compiled.machine_kind`, so that code compiled before is not used.
    """
    os.environ["WASMTIME_BACKTRACE_DETAILS"] = "1"  # the only way to say it that the Python package has
    config = wasmtime.Config()
    config.wasm_memory64 = False
    config.wasm_multi_memory = False
    config.shared_memory = True  # only imported; see `_wasmtime.load_program`
    config.wasm_gc = False
    config.wasm_function_references = False
    config.memory_reservation = MEMORY_MOST_BYTES
    config.memory_may_move = False
    config.parallel_compilation = compiles_with_threads
    return wasmtime.Engine(config)


def limit(store: wasmtime.Store, memory_max_bytes: int) -> None:
    """Sets all that a cell may have of the host's memory: one memory of so many bytes, and small tables."""
    store.set_limits(
        memory_size=max(0, min(memory_max_bytes, MEMORY_MOST_BYTES)),
        memories=1,
        instances=1,
        tables=_TABLES_MOST,
        table_elements=_TABLE_MOST,
    )
