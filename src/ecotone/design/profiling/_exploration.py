"""The course of one exploration: which configuration next, what is expected of it, and when it is over.

Decides and does no I/O; called by `explore`, which runs what this names and tells what came of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy

from ecotone.design.profiling._belief import Belief, Entry, believe
from ecotone.orchestration.performance.interface import Z90
from ecotone.orchestration.performance.learner.choice import Chooser

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ecotone.orchestration.performance.interface import Floats

__all__ = ["Exploration", "Foreseen"]


class Foreseen(NamedTuple):
    """What a run was expected to give, with its 90 % interval."""

    value: float
    low: float
    high: float


class Exploration:
    """Of one variant of a component: candidates, and the runs so far."""

    def __init__(self, candidates: Floats, accuracy: float, runs: Iterable[Entry] = ()) -> None:
        """Args:
        candidates: (n, features), above zero.
        accuracy: mean relative error that is asked for (0.1: 10 %).
        runs: of an earlier part of it.
        """
        self._candidates = candidates
        self._accuracy = accuracy
        self._entries = list(runs)
        self._failed: set[int] = set()
        self._belief = believe(self._entries)
        # Where it goes on, the machine may not be what it was.
        self._look_first = bool(self._entries)
        self._chooser = self._rebuilt() if self._is_a_choice else None

    @property
    def _is_a_choice(self) -> bool:
        return bool(numpy.ptp(self._candidates, axis=0).any())

    @property
    def entries(self) -> Sequence[Entry]:
        return self._entries

    @property
    def belief(self) -> Belief:
        return self._belief

    @property
    def failed(self) -> frozenset[int]:
        return frozenset(self._failed)

    @property
    def noise(self) -> float:
        """Relative standard deviation between repeats, as estimated now."""
        return math.nan if self._chooser is None else self._chooser.noise

    def expected_error(self) -> float:
        """Mean relative error that is expected of the model now; infinite without runs."""
        return math.inf if self._chooser is None else self._chooser.expected_error()

    def reached(self) -> bool:
        """Whether the accuracy is reached, and the machine was looked at since."""
        return self._is_accurate() and not self._wants_reference()

    def next(self) -> int | None:
        """The candidate to measure; None: the accuracy is reached, or nothing can be measured."""
        free = [index not in self._failed for index in range(len(self._candidates))]
        if not any(free) or self.reached():
            return None
        if self._wants_reference():
            return self._entries[0].candidate
        return 0 if self._chooser is None else self._chooser.next(free)

    def foreseen(self, candidate: int) -> Foreseen | None:
        """What a run of it is expected to give; None before there is anything to expect it from."""
        chooser = self._chooser
        if chooser is None or len(chooser.runs) < self._candidates.shape[1] + 2:
            return None
        mean, spread = chooser.predict(self._candidates[[candidate]])
        value, half = float(mean[0]), Z90 * math.hypot(float(spread[0]), chooser.noise)
        return Foreseen(math.exp(value), math.exp(value - half), math.exp(value + half))

    def add(self, entry: Entry) -> None:
        """Take in a run."""
        self._entries.append(entry)
        self._belief = believe(self._entries)
        if entry.candidate == self._entries[0].candidate:
            self._look_first = False
        believed = self._believed()
        if self._chooser is None:
            return
        if believed[:-1] == list(self._chooser.runs) and not self._belief.doubts[-1]:
            self._chooser.tell(*believed[-1])
        elif believed != list(self._chooser.runs):
            self._chooser = self._rebuilt()

    def fail(self, candidate: int) -> None:
        """It cannot be measured."""
        self._failed.add(candidate)

    def _is_accurate(self) -> bool:
        if self._chooser is None:
            return sum(not doubt for doubt in self._belief.doubts) >= 3
        return self._chooser.done(self._accuracy)

    def _wants_reference(self) -> bool:
        if not self._entries or self._entries[0].candidate in self._failed:
            return False
        unchecked = self._is_accurate() and self._belief.unchecked > 0
        return self._look_first or self._belief.reference_due or unchecked

    def _believed(self) -> list[tuple[int, float]]:
        pairs = zip(self._entries, self._belief.doubts, strict=True)
        return [(entry.candidate, entry.value) for entry, doubt in pairs if not doubt]

    def _rebuilt(self) -> Chooser:
        return Chooser.resumed(self._candidates, self._believed())
