"""Building cells: C and C++ sources, MPI programs among them, to WebAssembly modules.

Called by the session for `ecotone cell build`, and by tests. The compiler is the wheel `ziglang`; the MPI library in
`library/` is compiled once and kept in the user's cache. Running cells is the business of `ecotone.execution.cells`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.design.cells._build import BuildError, build_module, compile_object, library
    from ecotone.design.cells._driver import ar, cc, cplusplus, ranlib
    from ecotone.design.cells._package import build_cell

__all__ = ["BuildError", "ar", "build_cell", "build_module", "cc", "compile_object", "cplusplus", "library", "ranlib"]

__getattr__ = lazy_names(
    __name__,
    {
        "._build": ("BuildError", "build_module", "compile_object", "library"),
        "._driver": ("ar", "cc", "cplusplus", "ranlib"),
        "._package": ("build_cell",),
    },
)
