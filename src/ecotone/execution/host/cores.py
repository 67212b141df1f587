"""How many cores each component of this process may use now, as a plan has it.

Said by whoever runs the component: hosts, profiling and `--inline`; asked at each call by runners whose code can have
another number every time, such as that of cells. Numeric libraries are told by their environment, once (`threads`).
"""

from __future__ import annotations

__all__ = ["allow_cores", "allowed_cores"]

_allowed: dict[str, int] = {}


def allow_cores(component: str, cores: int) -> None:
    """From its next call on; of a cell, this is for each of its ranks."""
    _allowed[component] = cores


def allowed_cores(component: str) -> int:
    """One, if nobody said otherwise."""
    return _allowed.get(component, 1)
