"""What a job and its ranks say to each other when one of them moves. Called by `_leaving.py` and `_moving.py`."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

__all__ = ["ASKED", "HERE", "LEAVE", "LEAVE_NODE", "LEFT", "MESSAGE", "REFUSED", "Passage"]

ASKED, LEAVE, LEAVE_NODE = 1, 2, 3
"""The word `stop` in the shared memory, in its lowest two bits; the others count the askings."""

HERE, REFUSED, LEFT = range(3)

MESSAGE = struct.Struct("<III")
"""Kind, rank, and the word `stop` that it answers; behind it the reason of a refusal."""


class Passage(NamedTuple):
    """By which a rank leaves, or has come."""

    digest: str
    """Of the module, see `module_digest`."""
    gate: socket.socket
    """To the job, which has the other end."""
    snapshot: int = -1
    """File descriptor of what is resumed; -1 for a rank that starts."""
