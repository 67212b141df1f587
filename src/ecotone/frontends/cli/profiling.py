"""How a person sees profiling go on, for every command that may have to profile first. Imports rich only if it does."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from ecotone.frontends.terminal.profile import ProfileBar

__all__ = ["ProfileProgress", "profile_progress"]


class ProfileProgress:
    """A bar on a terminal, else a line for each variant; nothing at all until the first call."""

    def __init__(self) -> None:
        self._bar: ProfileBar | None = None
        self._last: tuple[str, str] = ("", "")

    def __call__(self, component: str, variant: str, fraction: float, message: str) -> None:
        if not sys.stderr.isatty():
            if (component, variant) != self._last:
                self._last = component, variant
                shown = component if variant in ("", "default") else f"{component} ({variant})"
                sys.stderr.write(f"profiling {shown}: {message}\n" if message else f"profiling {shown}\n")
                sys.stderr.flush()
            return
        if self._bar is None:
            from ecotone.frontends.terminal.profile import ProfileBar

            self._bar = ProfileBar(sys.stderr)
        self._bar.update(component, variant, fraction, message)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def profile_progress() -> Generator[ProfileProgress]:
    """Progress that is gone from the screen when this ends, whatever happens."""
    progress = ProfileProgress()
    try:
        yield progress
    finally:
        progress.close()
