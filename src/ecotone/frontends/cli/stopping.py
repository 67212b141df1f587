"""Ctrl-C and SIGTERM during a run: the first asks it to stop, the second ends this process at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ecotone._signals import told_to_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

__all__ = ["stopping"]

_LEAVE_SCREEN = "\x1b[?1049l\x1b[?25h"


@contextmanager
def stopping(on_first: Callable[[], None]) -> Generator[threading.Event]:
    """While this lasts, a first SIGINT, SIGTERM or SIGHUP sets the event and calls `on_first`; a second one kills.

    Child processes end with this one: they watch for its death.
    """
    stop = threading.Event()
    asked: list[int] = []

    def first() -> None:
        stop.set()
        on_first()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if asked:
            if sys.stdout.isatty():
                os.write(sys.stdout.fileno(), _LEAVE_SCREEN.encode())
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        asked.append(number)
        # In its own thread: the handler may have interrupted this thread inside the event's own lock.
        threading.Thread(target=first, name="stop", daemon=True).start()

    asking = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [each for each in asking if signal.getsignal(each) != signal.SIG_IGN]  # nohup means it
    old = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        if told_to_stop():  # and something swallowed the KeyboardInterrupt: a finalizer, or code written in C
            raise KeyboardInterrupt
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
