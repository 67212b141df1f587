"""Ends a solver that runs in C++ when an event is set; called by whatever runs one."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["when_set"]

_LOOK_S = 0.05


@contextmanager
def when_set(event: threading.Event | None, act: Callable[[], None]) -> Generator[None]:
    """Call `act` once, from a thread, if the event is set inside."""
    if event is None:
        yield
        return
    left = threading.Event()

    def watch() -> None:
        while not left.is_set():
            if event.wait(_LOOK_S):
                act()
                return

    thread = threading.Thread(target=watch, name="stopping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()
