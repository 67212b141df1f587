"""Keeps stdout clean while a library writes to it from C++: there is where a program reads our document."""

from __future__ import annotations

import ctypes
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["quiet_stdout"]

_STDOUT = 1
_LOCK = threading.Lock()


@contextmanager
def quiet_stdout() -> Generator[None]:
    """What is written to the file descriptor of stdout inside goes nowhere; one at a time."""
    libc = ctypes.CDLL(None)
    with _LOCK:
        try:
            kept = os.dup(_STDOUT)
        except OSError:  # there is no stdout
            yield
            return
        try:
            libc.fflush(None)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDOUT)
            os.close(nowhere)
            yield
        finally:
            libc.fflush(None)
            os.dup2(kept, _STDOUT)
            os.close(kept)
