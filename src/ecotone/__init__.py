"""Ecotone: design, run and keep improving AI applications that span devices, edge servers and clouds.

An application's author imports `component`, `path`, `variant`, `parameter` and `output_dir` from here. Names are looked
up when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names
from ecotone._version import __version__

if TYPE_CHECKING:
    from ecotone.design.annotations import component, output_dir, parameter, path, variant
    from ecotone.execution.cells.component import CellDone, CellRun

__all__ = ["CellDone", "CellRun", "__version__", "component", "output_dir", "parameter", "path", "variant"]


__getattr__ = lazy_names(
    __name__,
    {
        ".design.annotations": ("component", "output_dir", "parameter", "path", "variant"),
        ".execution.cells.component": ("CellDone", "CellRun"),
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
