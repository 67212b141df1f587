"""The process that does the work with one number of threads, one repeat for each line that it reads.

Started by `_run` as `python -m ecotone.design.calibration THREADS FOLDER`. Standard input names a kind of work;
standard output gets `Ready`, then a `Repeat` for each name. It ends when its input does.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import msgspec

from ecotone.design.calibration._works import make_work
from ecotone.design.calibration.interface import SEVERAL_THREADS, UNITS, Ready, Repeat
from ecotone.infrastructure.waiting import CoreWait

if TYPE_CHECKING:
    from ecotone.design.calibration._works import Work

__all__ = ["main"]


def main(threads: int, folder: str) -> int:
    """Serve until the input ends; returns the exit status."""
    works: dict[str, Work] = {}
    for kind in UNITS if threads == 1 else SEVERAL_THREADS:
        work = make_work(kind, threads, folder)
        if work is not None:
            works[kind] = work
    _say(Ready(units={kind: UNITS[kind] for kind in works}))
    core = CoreWait()
    for line in sys.stdin:
        kind = line.strip()
        _say(_repeat(kind, works[kind], core))
    return 0


def _repeat(kind: str, work: Work, core: CoreWait) -> Repeat:
    start_s, waiting_s = time.perf_counter(), core.waited_s()  # in this order: all waiting is in the time
    amount = work()
    waiting_s = max(0.0, core.waited_s() - waiting_s)
    took_s = time.perf_counter() - start_s
    return Repeat(kind=kind, amount=amount, took_s=max(1e-9, took_s - waiting_s), waited_s=waiting_s)


def _say(message: Ready | Repeat) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()
