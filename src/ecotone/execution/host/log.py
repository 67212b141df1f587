"""What a host says in its instance's log, beside what the component prints."""

from __future__ import annotations

import sys

__all__ = ["say"]


def say(text: str) -> None:
    """One line, at once."""
    sys.stderr.write(f"[ecotone] {text}\n")
    sys.stderr.flush()
