"""Whether this command was told to stop: Python may make something else of a KeyboardInterrupt that comes while a
module written in C is imported."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["end_like_interrupted", "told_to_stop"]

_told: list[int] = []


def end_like_interrupted() -> None:
    """SIGTERM and SIGHUP end a command as Ctrl-C does, so that it tidies up; what is ignored (nohup) stays so.

    Ctrl-C keeps Python's own handler: asyncio looks for it.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)


def told_to_stop() -> bool:
    """Whether SIGTERM or SIGHUP came."""
    return bool(_told)


def _stop(number: int, _: FrameType | None) -> None:
    _told.append(number)
    raise KeyboardInterrupt
