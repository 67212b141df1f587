"""Ecotone: design, run and keep improving AI applications that span devices, edge servers and clouds.

An application's author imports `component`, `path`, `variant`, `parameter` and `output_dir` from here. Names are looked
up when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._version import __version__

if TYPE_CHECKING:
    from ecotone.design.annotations import component, output_dir, parameter, path, variant

__all__ = ["__version__", "component", "output_dir", "parameter", "path", "variant"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'ecotone' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only now, see above

    # Not `from ecotone.design import annotations`: that finds the `__future__` feature of the same name.
    value = getattr(import_module("ecotone.design.annotations"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
