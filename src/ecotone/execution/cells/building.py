"""What builds cells needs of the package that runs them: files, and what modules say of themselves.

Called by `ecotone.design.cells`, apart from the package's own face: a node that only runs cells does not load it.
"""

from __future__ import annotations

from ecotone.execution.cells._cell_file import SHEBANG, Built, Cell, Compiled, Manifest, Needs, read_cell, write_cell
from ecotone.execution.cells._compiled import compiled_module, machine_kind
from ecotone.execution.cells._trust import is_signed, sign
from ecotone.execution.cells._wasm import (
    WASM_MAGIC,
    has_threads,
    is_object,
    module_imports,
    module_memory_bytes,
    without_debugging,
)

__all__ = [
    "SHEBANG",
    "WASM_MAGIC",
    "Built",
    "Cell",
    "Compiled",
    "Manifest",
    "Needs",
    "compiled_module",
    "has_threads",
    "is_object",
    "is_signed",
    "machine_kind",
    "module_imports",
    "module_memory_bytes",
    "read_cell",
    "sign",
    "without_debugging",
    "write_cell",
]
