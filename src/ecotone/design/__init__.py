"""What application authors use: annotations, the static reader and checker, the continuum reader, profiling.

Called by the session and the front ends. Names are looked up when first used: a host imports a user's module, and with
it `annotations`, but none of the tools beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.design._check import CheckResult, check
    from ecotone.design._locate import files_to_check
    from ecotone.design.annotations import application_of
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

__getattr__ = lazy_names(
    __name__,
    {
        "._check": ("CheckResult", "check"),
        "._locate": ("files_to_check",),
        ".annotations": ("application_of",),
        ".continuum": ("DEFAULT_CONTINUUM", "ContinuumResult", "read_continuum"),
        ".read": ("ReadResult", "read_application"),
    },
)
