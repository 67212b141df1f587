"""A component may fork. Its child must never come back into the host: it would work with the host's connections, pages
and turns at the core beside it. Called by the process at its start, and wherever user code hands control back."""

from __future__ import annotations

import os

from ecotone.execution.host.log import say

__all__ = ["leave_if_forked", "notice_forks"]

_forked: list[int] = []


def notice_forks() -> None:
    """Know from now on, in every child of this process, that it is one."""
    os.register_at_fork(after_in_child=lambda: _forked.append(os.getpid()))


def leave_if_forked() -> None:
    """End this process at once if the component's code has forked it; return otherwise."""
    if _forked:
        say(f"process {os.getpid()}, which the component forked, came back from its code: ended")
        os._exit(0)
