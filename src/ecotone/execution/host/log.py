"""What a host says in its instance's log, beside what the component prints."""

from __future__ import annotations

import contextlib
import sys

__all__ = ["say", "words_of"]

_WORDS_MAX = 1000


def say(text: str) -> None:
    """One line, at once."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a component may have closed or removed it
        sys.stderr.write(f"[ecotone] {text}\n")
        sys.stderr.flush()


def words_of(error: BaseException) -> str:
    """Its class and what it says, in at most a few lines; whatever its own `__str__` does."""
    try:
        text = str(error)
    except Exception as second:  # noqa: BLE001 - it is user code too
        text = f"(its __str__ raises {type(second).__name__})"
    return f"{type(error).__name__}: {text[:_WORDS_MAX]}"
