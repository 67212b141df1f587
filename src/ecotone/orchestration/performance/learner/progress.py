"""How far learning is, for the one who waits. Called by `learn` and by whoever shows it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "Steps"]


class Progress(Protocol):
    """Called often."""

    def __call__(self, fraction: float, message: str) -> None:
        """`fraction` of the work that is done, 0 to 1, and what is being done."""
        ...


class Steps:
    """Counts fits, for the one who waits."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.total = 1
        self._count = 0

    def say(self, message: str) -> None:
        if self._progress is not None:
            self._progress(min(0.99, self._count / self.total), message)
        self._count += 1

    def done(self) -> None:
        if self._progress is not None:
            self._progress(1.0, "done")
