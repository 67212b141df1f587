"""Questions about what can be had at all, answered by asking a search again and again: which compromises there are,
how much is possible, what contradicts what, and how little has to change.

Plain algorithms: what they ask is given to them, they know no model and no solver. Called by `system.questions`. A
question may run out of time; nothing is called proven that rests on an answer which was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "MOST_QUESTIONS",
    "Answer",
    "Frontier",
    "MinimalConflict",
    "Point",
    "Reached",
    "Reply",
    "frontier",
    "largest",
    "least_change",
    "minimal_conflict",
]

AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")

MOST_QUESTIONS = 60
"""Of one bisection: enough to halve a range to the last bit that matters."""


# Which compromises there are


class Answer(msgspec.Struct, Generic[AnswerT], frozen=True, kw_only=True):
    """The best answer to a question: its two objectives, both to be small. `proven`: there is none better."""

    answer: AnswerT
    first: float
    second: float
    proven: bool


class Point(msgspec.Struct, Generic[AnswerT], frozen=True, kw_only=True):
    """A compromise. `proven`: nothing is better in one objective without being worse in the other."""

    answer: AnswerT
    first: float
    second: float
    proven: bool


class Frontier(msgspec.Struct, Generic[AnswerT], frozen=True, kw_only=True):
    """Compromises, the best in the first objective first. `complete`: they are proven, and there are no others."""

    points: tuple[Point[AnswerT], ...]
    complete: bool


def frontier(
    ask: Callable[[float | None], Answer[AnswerT] | None],
    below: Callable[[float], float | None],
    *,
    improve: Callable[[Answer[AnswerT]], Answer[AnswerT]] | None = None,
    is_proven_empty: Callable[[], bool] = lambda: True,
    same: float = 1e-6,
    points_max: int = 1000,
    is_over: Callable[[], bool] = lambda: False,
) -> Frontier[AnswerT]:
    """Every compromise between two objectives, by epsilon-constraint (Haimes, Lasdon, Wismer, 1971).

    Args:
        ask: for what is least in the first objective with the second at most this, None: whatever it is; None where
            there is nothing.
        below: the next limit after a value of the second objective, less than it by the least difference that matters;
            None: there is nothing below.
        improve: for what is least in the second objective among what is as good in the first (lexicographic). Without
            it such answers are found one after the other and the worse ones are left out: right, but slower.
        is_proven_empty: after `ask` had nothing: whether that was proven.
        same: how much the first objective may differ and still be the same.
        points_max: after so many points there is no more asking.
        is_over: asked before each question; True ends it.
    """
    points: list[Point[AnswerT]] = []
    limit: float | None = None
    is_complete = False
    while len(points) < points_max and not is_over():
        found = ask(limit)
        if found is None:
            is_complete = is_proven_empty()
            break
        best = found
        if improve is not None:
            better = improve(found)
            is_better = better.second <= found.second and better.first <= found.first + same
            best = better if is_better else msgspec.structs.replace(found, proven=False)
        proven = found.proven and best.proven
        points.append(Point(answer=best.answer, first=best.first, second=best.second, proven=proven))
        limit = below(best.second)
        if limit is None:
            is_complete = True
            break
    return Frontier(
        points=_undominated(points, same, is_improved=improve is not None, is_complete=is_complete),
        complete=is_complete and all(each.proven for each in points),
    )


def _undominated(
    points: Sequence[Point[AnswerT]], same: float, *, is_improved: bool, is_complete: bool
) -> tuple[Point[AnswerT], ...]:
    """Each later point is better in the second objective: it replaces those before that are no better in the first. One
    that was not improved is as good as proven only once the next is."""
    kept: list[Point[AnswerT]] = []
    for each in points:
        while kept and each.first <= kept[-1].first + same:
            kept.pop()
        if kept and not is_improved and not each.proven:
            kept[-1] = msgspec.structs.replace(kept[-1], proven=False)
        kept.append(each)
    if kept and not is_improved and not is_complete:
        kept[-1] = msgspec.structs.replace(kept[-1], proven=False)
    return tuple(kept)


# How much is possible


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a value is possible; None: the time was up. `reached`: what was found would even do for this value, which
    is as good as the one asked for, or better."""

    possible: bool | None
    reached: float | None = None


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """`possible`: the best value that was shown to be possible, None if none was; `impossible`: the nearest value to it
    that was shown to be impossible, None if none was."""

    possible: float | None
    impossible: float | None

    def within(self, tolerance: float) -> bool:
        """Whether nothing is left between them but a share of `tolerance`."""
        if self.possible is None or self.impossible is None:
            return False
        return abs(self.impossible - self.possible) <= tolerance * max(abs(self.possible), abs(self.impossible))


def largest(
    ask: Callable[[float], Reply],
    low: float,
    high: float,
    *,
    tolerance: float = 0.01,
    most: float = float("inf"),
    is_over: Callable[[], bool] = lambda: False,
) -> Reached:
    """The largest value above 0 that is possible, where everything below a possible one is possible.

    Args:
        ask: whether a value is possible.
        low, high: where to begin; `low` is asked first and given up for less as long as it is impossible, `high` for
            more as long as it is possible.
        tolerance: relative, between what is possible and what is not.
        most: larger values are not asked for.
        is_over: asked before each question; True ends it.
    """
    assert 0.0 < low <= high <= most, "the range to begin with must be above 0 and below the most"
    bracket = _Bracket(ask, is_over)
    while not bracket.try_(low) and bracket.goes_on and low > 1e-12:
        low /= 16.0
    if bracket.possible is None:
        return bracket.reached
    while bracket.impossible is None and bracket.refused is None and bracket.goes_on and bracket.possible < most:
        high = min(most, max(high, 2.0 * bracket.possible))
        bracket.try_(high)
    bracket.narrow(tolerance)
    return bracket.reached


def least_change(
    ask: Callable[[float], Reply],
    asked: float,
    possible: float,
    *,
    tolerance: float = 0.01,
    is_over: Callable[[], bool] = lambda: False,
) -> Reached:
    """The value nearest to an impossible one that is possible, in the direction of one that is.

    Values are above 0. Bisection; whatever is found at a value may do for one that is nearer still, and then that is
    gone on from.

    Args:
        ask: whether a value is possible.
        asked: known to be impossible.
        possible: known to be possible, above or below; everything beyond it is possible too.
        tolerance: relative, between what is possible and what is not.
        is_over: asked before each question; True ends it.
    """
    bracket = _Bracket(ask, is_over)
    bracket.possible, bracket.impossible = possible, asked
    bracket.narrow(tolerance)
    return bracket.reached


class _Bracket:
    """Two values that come nearer to each other. `refused`: the nearest that had no yes, proven or not."""

    def __init__(self, ask: Callable[[float], Reply], is_over: Callable[[], bool]) -> None:
        self._ask = ask
        self._is_over = is_over
        self._left = MOST_QUESTIONS
        self.possible: float | None = None
        self.impossible: float | None = None
        self.refused: float | None = None

    @property
    def goes_on(self) -> bool:
        return self._left > 0 and not self._is_over()

    @property
    def reached(self) -> Reached:
        return Reached(possible=self.possible, impossible=self.impossible)

    def try_(self, value: float) -> bool:
        if not self.goes_on:
            return False
        self._left -= 1
        reply = self._ask(value)
        if reply.possible:
            self.possible = self._nearer(value if reply.reached is None else reply.reached, value)
            return True
        self.refused = value
        if reply.possible is False:
            self.impossible = value
        return False

    def _nearer(self, reached: float, value: float) -> float:
        """What an answer does for, but never beyond what was refused."""
        beyond = self._beyond
        if beyond is None or (reached - value) * (beyond - reached) > 0.0:
            return reached
        return value

    @property
    def _beyond(self) -> float | None:
        return self.impossible if self.refused is None else self.refused

    def narrow(self, tolerance: float) -> None:
        while self.goes_on:
            beyond = self._beyond
            if self.possible is None or beyond is None:
                return
            if abs(beyond - self.possible) <= tolerance * max(abs(beyond), abs(self.possible)):
                return
            self.try_((self.possible + beyond) / 2.0)


# What contradicts what


class MinimalConflict(msgspec.Struct, Generic[ItemT], frozen=True, kw_only=True):
    """Items that cannot hold together. `minimal`: any fewer of them can; False when a question was not answered."""

    items: tuple[ItemT, ...]
    minimal: bool


def minimal_conflict(
    holds: Callable[[Sequence[ItemT]], bool | None], items: Sequence[ItemT]
) -> MinimalConflict[ItemT] | None:
    """A minimal conflict among items that do not hold together; None if they do, or if nobody knows.

    QuickXplain (Junker, AAAI 2004): of n items, k of them in the conflict, about k log(n / k) questions. Of several
    conflicts it prefers the one with earlier items.

    Args:
        holds: whether these items, in their order, can hold together; None: nobody knows. Fewer always hold better.
        items: those that the reader would best understand first.
    """
    if holds(items) is not False:
        return None
    explainer = _Explainer(holds, items)
    if explainer.conflicts([]):
        return MinimalConflict(items=(), minimal=True)
    numbers = explainer.explain([], list(range(len(items))), grown=False)
    return MinimalConflict(items=tuple(items[each] for each in sorted(numbers)), minimal=not explainer.is_unsure)


class _Explainer(Generic[ItemT]):
    """`explain` is only ever asked about `given` and `rest` that are in conflict together."""

    def __init__(self, holds: Callable[[Sequence[ItemT]], bool | None], items: Sequence[ItemT]) -> None:
        self._holds = holds
        self._items = items
        self.is_unsure = False

    def conflicts(self, numbers: list[int]) -> bool:
        """Whether they are shown to be in conflict."""
        answer = self._holds([self._items[each] for each in sorted(numbers)])
        self.is_unsure = self.is_unsure or answer is None
        return answer is False

    def explain(self, given: list[int], rest: list[int], *, grown: bool) -> list[int]:
        """A minimal part of `rest` that is in conflict with what is `given`; `grown`: since the last time it was asked
        about."""
        if grown and self.conflicts(given):
            return []
        if len(rest) == 1:
            return rest
        early, late = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        of_late = self.explain([*given, *early], late, grown=True)
        return [*self.explain([*given, *of_late], early, grown=bool(of_late)), *of_late]
