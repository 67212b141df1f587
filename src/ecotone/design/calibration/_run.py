"""Runs the benchmark: kinds of work by turns, until each rate is certain or the time is up, and what disturbed it.

Taking turns spreads every kind over the whole time, so that a machine that slows down (heat, a neighbour) shows as a
drift of all of them and not as a difference between them. What a rate is worth is its median; the repeats say how
certain that is. Called by the session.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from ecotone.core.calibration import Calibration, Rate, Scaling
from ecotone.core.errors import UnavailableError
from ecotone.design.calibration._judge import certainty, disturbances, rate_of
from ecotone.design.calibration._machine import is_in_memory, thread_counts, writable
from ecotone.design.calibration.interface import UNITS, Progress, Ready, Repeat
from ecotone.design.profiling._score import machine_name
from ecotone.infrastructure.machine import cpu_time, own_cores
from ecotone.infrastructure.threads import thread_environment

_Message = TypeVar("_Message", Ready, Repeat)

__all__ = ["BRIEF_S", "LONGEST_S", "calibrate"]

LONGEST_S = 60.0
BRIEF_S = 5.0
"""Enough for the machine that profiles, of which more is known from its samples."""
_LEAST_S = 12.0
"""Drift needs time to show."""
_ROUNDS_MIN = 9
_CERTAIN = 0.01
"""The benchmark ends when the 95 % interval of each median is this narrow, relative to it."""
_DISK_EVERY = 4
"""Disks wear: they are read and written in every fourth round only."""


def calibrate(
    *,
    for_s: float = LONGEST_S,
    folder: Path | None = None,
    several_threads: bool = True,
    progress: Progress | None = None,
) -> Calibration:
    """Measure this machine.

    Args:
        for_s: the longest time, above 0; it ends earlier when everything is certain.
        folder: whose disk is measured; None: the current one.
        several_threads: measure also how the rates grow with threads.
        progress: is told how far it is.

    Raises:
        UnavailableError: a working process could not start or died.
    """
    start_s, before = time.monotonic(), cpu_time()
    cores = own_cores()
    counts = thread_counts(cores) if several_threads else (1,)
    where = writable(folder or Path.cwd())
    with ExitStack() as stack:
        workers = {count: stack.enter_context(_Worker(count, where)) for count in counts}
        bench = _Bench(workers, for_s, start_s, progress)
        bench.run()
    took_s, after = time.monotonic() - start_s, cpu_time()
    alone = bench.repeats[1]
    notes = disturbances(
        alone,
        cores=os.cpu_count() or cores,
        took_s=took_s,
        others_s=after.others_s - before.others_s,
        stolen_s=after.stolen_s - before.stolen_s,
    )
    if is_in_memory(where) and "disk_write" in alone:
        notes = (*notes, f"{where} is kept in memory: the disk rates are of memory; run it in a folder on a disk")
    rates = {kind: rate_of(found, unit=UNITS[kind]) for kind, found in alone.items()}
    return Calibration(
        machine=machine_name(),
        cores=cores,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        rates=rates,
        scaling=tuple(_scaling(count, bench.repeats[count], rates) for count in counts if count > 1),
        notes=notes,
        took_s=round(took_s, 2),
    )


def _scaling(threads: int, repeats: dict[str, list[Repeat]], rates: dict[str, Rate]) -> Scaling:
    speedups = {kind: round(rate_of(found, unit="").value / rates[kind].value, 4) for kind, found in repeats.items()}
    return Scaling(threads=threads, speedups=speedups)


class _Bench:
    """Rounds: every kind once on one thread, then those that take several on each of the larger counts."""

    def __init__(self, workers: dict[int, _Worker], for_s: float, start_s: float, progress: Progress | None) -> None:
        self._workers = workers
        self._for_s, self._start_s = for_s, start_s
        self._progress = progress
        self._furthest = 0.0
        self.repeats: dict[int, dict[str, list[Repeat]]] = {
            count: {kind: [] for kind in worker.kinds} for count, worker in workers.items()
        }

    def run(self) -> None:
        number = 0
        while not self._is_over(number):
            for count, worker in self._workers.items():
                for kind in worker.kinds:
                    if kind.startswith("disk") and number % _DISK_EVERY:
                        continue
                    self.repeats[count][kind].append(worker.repeat(kind))
                    self._tell(kind, count, number)
                    if number and self._gone_s() >= self._for_s:
                        return
            number += 1

    def _is_over(self, rounds: int) -> bool:
        if rounds == 0:
            return False  # without a first one nothing is known
        if self._gone_s() >= self._for_s:
            return True
        if rounds < _ROUNDS_MIN or self._gone_s() < min(_LEAST_S, self._for_s):
            return False
        return all(
            certainty(found) <= _CERTAIN
            for by_kind in self.repeats.values()
            for kind, found in by_kind.items()
            if not kind.startswith("disk")
        )

    def _gone_s(self) -> float:
        return time.monotonic() - self._start_s

    def _tell(self, kind: str, threads: int, rounds: int) -> None:
        if self._progress is not None:
            self._furthest = max(self._furthest, min(1.0, self._gone_s() / self._for_s))
            on = f" on {threads} threads" if threads > 1 else ""
            self._progress(kind, self._furthest, f"round {rounds + 1}: {kind.replace('_', ' ')}{on}")


class _Worker:
    """One process with a number of threads; a context that ends it."""

    def __init__(self, threads: int, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ecotone.design.calibration", str(threads), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=thread_environment(os.environ, threads),
        )
        self.kinds: tuple[str, ...] = ()

    def __enter__(self) -> _Worker:
        try:
            self.kinds = tuple(self._heard(Ready).units)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def repeat(self, kind: str) -> Repeat:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{kind}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        return self._heard(Repeat)

    def _heard(self, what: type[_Message]) -> _Message:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        return msgspec.json.decode(line, type=what)

    def _died(self) -> UnavailableError:
        return UnavailableError(f"a process of the benchmark ended with status {self._process.wait()}; try again")
