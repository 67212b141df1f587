"""How many threads numeric libraries start. Used by whoever starts a process that shall have so many, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["thread_environment"]

_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "ONEDNN")


def thread_environment(own: Mapping[str, str], threads: int) -> dict[str, str]:
    """`own` with what numeric libraries read when they are imported."""
    return {**own, **{f"{library}_NUM_THREADS": str(threads) for library in _LIBRARIES}}
