"""What the parts of the native tier's compiler raise. See the package."""

from __future__ import annotations

from ecotone.core.errors import InputError

__all__ = ["CannotTranslateError"]


class CannotTranslateError(InputError):
    """The module cannot be run by the native tier; wasmtime may still run it."""
