"""How a command is told to stop: Ctrl-C, SIGTERM and SIGHUP each raise KeyboardInterrupt, but not at a bad moment."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["end_like_interrupted", "stopping_signal", "told_to_stop"]

# msgspec 0.22 crashes when Python code that it calls to look at a type raises, and a module whose import is cut off
# stays half made or turns the KeyboardInterrupt into an ImportError.
_DELICATE = ("msgspec", "typing", "importlib._bootstrap", "_frozen_importlib")
_ASK_AGAIN_S = 0.005
_PATIENCE_S = 2.0

_told: list[float] = []
_numbers: list[int] = []


def end_like_interrupted() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end this command with a KeyboardInterrupt, so that it tidies up; what is ignored
    (nohup) stays so."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, _stop)


def told_to_stop() -> bool:
    """Whether one of the signals came."""
    return bool(_told)


def stopping_signal() -> int:
    """The last of the signals that came; SIGINT if none did, since Python's own handler tells nobody."""
    return _numbers[-1] if _numbers else int(signal.SIGINT)


def _stop(number: int, frame: FrameType | None) -> None:
    _told.append(time.monotonic())
    _numbers.append(number)
    if _told[-1] - _told[0] < _PATIENCE_S and _is_delicate(frame):

        def ask_again(_number: int, _frame: FrameType | None) -> None:
            signal.raise_signal(number)  # whoever handles it by then gets it

        signal.signal(signal.SIGALRM, ask_again)
        signal.setitimer(signal.ITIMER_REAL, _ASK_AGAIN_S)
        return
    raise KeyboardInterrupt


def _is_delicate(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_DELICATE):
            return True
        frame = frame.f_back
    return False
