"""What a rank's process says just before it ends, over a pipe to who waits for it. Called by both sides.

Taking a process down takes the system longer than a short program runs; who has heard its last words need not wait.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time

import msgspec

__all__ = ["LastWords", "hear", "say"]

_REASON_MOST = 3000
_HEAD = struct.Struct("<idI")
_MESSAGE_MOST = 4096  # of what is written at once, the system leaves so much together


class LastWords(msgspec.Struct, frozen=True):
    """How a process is about to end."""

    code: int
    reason: str
    cpu_s: float
    """CPU time of the process, all its threads together."""


def say(report: int, code: int, reason: str) -> None:
    """Says it; the process ends right after that.

    Args:
        report: the end of the pipe to write to.
        code: with which it will exit.
        reason: why it does not end well, cut short if it is long; empty if it does.
    """
    text = reason.encode()[:_REASON_MOST]
    with contextlib.suppress(OSError):
        os.write(report, _HEAD.pack(code, time.process_time(), len(text)) + text)


def hear(reasons: int) -> LastWords | None:
    """Waits for the words; None if the process has ended without.

    Args:
        reasons: the end of the pipe to read from.
    """
    data = os.read(reasons, _MESSAGE_MOST)  # of two threads that end a process at once, the first is believed
    if not data:
        return None
    code, cpu_s, size = _HEAD.unpack_from(data)
    return LastWords(code, data[_HEAD.size : _HEAD.size + size].decode(errors="replace"), cpu_s)
