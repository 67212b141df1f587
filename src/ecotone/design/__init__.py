"""What application authors use: annotations, the static reader and checker, the continuum reader, profiling.

Called by the session and the front ends. Names are looked up when first used: a host imports a user's module, and with
it `annotations`, but none of the tools beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecotone.design._locate import files_to_check
    from ecotone.design.annotations import application_of
    from ecotone.design.check import CheckResult, check
    from ecotone.design.continuum import DEFAULT_CONTINUUM, ContinuumResult, read_continuum
    from ecotone.design.read import ReadResult, read_application

__all__ = [
    "DEFAULT_CONTINUUM",
    "CheckResult",
    "ContinuumResult",
    "ReadResult",
    "application_of",
    "check",
    "files_to_check",
    "read_application",
    "read_continuum",
]

_HOMES = {
    "DEFAULT_CONTINUUM": "continuum",
    "CheckResult": "check",
    "ContinuumResult": "continuum",
    "ReadResult": "read",
    "application_of": "annotations",
    "check": "check",
    "files_to_check": "_locate",
    "read_application": "read",
    "read_continuum": "continuum",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ecotone.design' has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - only now, see above

    value = getattr(importlib.import_module(f"ecotone.design.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
