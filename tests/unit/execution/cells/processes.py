"""Looking at the processes of jobs, by tests of what starts them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def ranks_of(server: int) -> list[int]:
    """They are its children, beside those that wait to be one, or children of jobs that are."""
    below = [each for child in children(server) for each in (child, *children(child))]
    return [each for each in below if name_of(each).startswith("cell-rank-") and alive(each)]


def wait_until(condition: Callable[[], object], what: str) -> None:
    end_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end_s, what
        time.sleep(0.01)


def spares_of(server: int) -> list[int]:
    """The processes that wait to be something."""
    return [each for each in children(server) if name_of(each) == "cell-spare" and alive(each)]
