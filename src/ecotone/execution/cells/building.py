"""What builds cells needs of the package that runs them: files, and what modules say of themselves.

Called by `ecotone.design.cells`, apart from the package's own face: a node that only runs cells does not load it.
"""

from __future__ import annotations

from ecotone.execution.cells._cell_file import SHEBANG, Built, Cell, Compiled, Manifest, Needs, read_cell, write_cell
from ecotone.execution.cells._compiled import compiled_module, machine_kind, module_digest
from ecotone.execution.cells._heat import COMPILE_MOST_S, Heat, add_spent, heat_of, spent_s
from ecotone.execution.cells._native_cache import native_cached, native_folder, store_native
from ecotone.execution.cells._tier import code_of, is_native
from ecotone.execution.cells._trust import is_signed, sign
from ecotone.execution.cells._wasm import (
    WASM_MAGIC,
    NumberReader,
    has_threads,
    is_object,
    module_imports,
    module_memory_bytes,
    without_debugging,
)

__all__ = [
    "COMPILE_MOST_S",
    "SHEBANG",
    "WASM_MAGIC",
    "Built",
    "Cell",
    "Compiled",
    "Heat",
    "Manifest",
    "Needs",
    "NumberReader",
    "add_spent",
    "code_of",
    "compiled_module",
    "has_threads",
    "heat_of",
    "is_native",
    "is_object",
    "is_signed",
    "machine_kind",
    "module_digest",
    "module_imports",
    "module_memory_bytes",
    "native_cached",
    "native_folder",
    "read_cell",
    "sign",
    "spent_s",
    "store_native",
    "without_debugging",
    "write_cell",
]
