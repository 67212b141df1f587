"""What is raised when a cell cannot be built. Called by the driver and by what it calls."""

from __future__ import annotations

from ecotone.core.errors import EcotoneError

__all__ = ["BuildError"]


class BuildError(EcotoneError):
    """A program could not be built; the message is the compiler's, with what to do where we know it."""
