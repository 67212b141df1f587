"""How long a thread was ready to run while others had its core. Used by what times work on a shared machine."""

from __future__ import annotations

import os

__all__ = ["CoreWait"]


class CoreWait:
    """The kernel's own count for the thread that makes this; always 0 on a kernel that does not keep it."""

    def __init__(self) -> None:
        try:
            self._statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # then a busy machine shows in the elapsed times
            self._statistics = -1

    def waited_s(self) -> float:
        """Since the thread began."""
        if self._statistics < 0:
            return 0.0
        return int(os.pread(self._statistics, 128, 0).split()[1]) * 1e-9

    def close(self) -> None:
        if self._statistics >= 0:
            os.close(self._statistics)
            self._statistics = -1
