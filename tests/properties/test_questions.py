"""Questions on small abstract problems, against looking at everything."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from ecotone.orchestration.placement.questions import (
    Answer,
    Reply,
    frontier,
    largest,
    least_change,
    minimal_conflict,
)

PAIRS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12)
ITEMS = list(range(6))
CONFLICTS = st.lists(st.frozensets(st.sampled_from(ITEMS), max_size=4), max_size=4)


def undominated(pairs):
    return sorted(
        {a for a in pairs if not any(b != a and b[0] <= a[0] and b[1] <= a[1] for b in pairs)},
    )


def asker(pairs, *, proven=lambda _: True):
    def ask(limit):
        left = [each for each in pairs if limit is None or each[1] <= limit]
        if not left:
            return None
        first = min(each[0] for each in left)
        best = max(each for each in left if each[0] == first)  # the worst of the equally good ones
        return Answer(answer=best, first=best[0], second=best[1], proven=proven(best))

    return ask


def improver(pairs):
    def improve(answer):
        best = min((each for each in pairs if each[0] <= answer.first), key=lambda each: each[1])
        return Answer(answer=best, first=best[0], second=best[1], proven=True)

    return improve


@given(PAIRS, st.booleans())
def test_the_frontier_is_what_nothing_dominates(pairs, is_improved):
    improve = improver(pairs) if is_improved else None
    found = frontier(asker(pairs), lambda second: second - 1 if second > 0 else None, improve=improve)
    assert [each.answer for each in found.points] == undominated(pairs)
    assert found.complete
    assert all(each.proven for each in found.points)


@given(PAIRS, st.integers(1, 4))
def test_a_frontier_that_is_cut_short_does_not_say_complete(pairs, points_max):
    found = frontier(asker(pairs), lambda second: second - 1, improve=improver(pairs), points_max=points_max)
    best = undominated(pairs)
    assert [each.answer for each in found.points] == best[:points_max]
    assert found.complete == (len(best) < points_max)


@given(PAIRS, st.sets(st.integers(0, 8)), st.booleans())
def test_what_is_called_proven_is(pairs, unsure, is_improved):
    ask = asker(pairs, proven=lambda best: best[0] not in unsure)

    def dearer(limit):  # the search that was not finished found something worse, if there is any
        found = ask(limit)
        if found is None or found.proven:
            return found
        worse = [each for each in pairs if each[0] >= found.first and (limit is None or each[1] <= limit)]
        return Answer(answer=max(worse), first=max(worse)[0], second=max(worse)[1], proven=False)

    improve = improver(pairs) if is_improved else None
    found = frontier(dearer, lambda second: second - 1 if second > 0 else None, improve=improve)
    best = undominated(pairs)
    assert all(each.answer in best for each in found.points if each.proven)
    assert not found.complete or [each.answer for each in found.points] == best


@given(st.floats(1e-4, 1e6), st.floats(0, 0.5), st.floats(0.01, 100), st.floats(1, 10))
def test_the_largest_value_is_between_what_is_possible_and_what_is_not(true, slack, low, factor):
    def ask(value):
        return Reply(possible=value <= true, reached=value + slack * (true - value) if value <= true else None)

    found = largest(ask, low, low * factor, tolerance=0.01)
    assert found.possible is not None
    assert found.impossible is not None
    assert found.possible <= true < found.impossible
    assert found.within(0.01)


@given(st.floats(0.1, 1e3), st.floats(1e-3, 1))
def test_what_nobody_knows_is_not_called_impossible(true, share):
    def ask(value):
        return Reply(possible=True if value <= share * true else False if value > true else None)

    found = largest(ask, 1.0, 2.0, tolerance=0.01)
    assert found.possible is None or found.possible <= share * true
    assert found.impossible is None or found.impossible > true


def test_the_largest_value_asked_for_is_the_most():
    found = largest(lambda value: Reply(possible=True), 1.0, 2.0, most=100.0)
    assert (found.possible, found.impossible) == (100.0, None)


def test_nothing_is_asked_when_the_time_is_up():
    found = largest(lambda value: Reply(possible=True), 1.0, 2.0, is_over=lambda: True)
    assert (found.possible, found.impossible) == (None, None)


@given(st.floats(1, 100), st.floats(0.01, 0.5), st.floats(0.01, 0.4), st.booleans(), st.floats(0, 1))
def test_the_least_change_is_the_nearest_that_helps(asked, change, more, is_up, slack):
    sign = 1.0 if is_up else -1.0
    true, possible = asked * (1 + sign * change), asked * (1 + sign * (change + more))

    def ask(value):
        if (value - true) * sign < 0:
            return Reply(possible=False)
        return Reply(possible=True, reached=value + slack * (true - value))

    found = least_change(ask, asked, possible, tolerance=0.01)
    assert found.possible is not None
    assert found.impossible is not None
    assert (found.possible - true) * sign >= -1e-9
    assert (found.impossible - true) * sign <= 1e-9
    assert found.within(0.0101)


@given(CONFLICTS, st.lists(st.sampled_from(ITEMS), unique=True))
def test_a_conflict_is_minimal(conflicts, items):
    def holds(some):
        return not any(each <= set(some) for each in conflicts)

    found = minimal_conflict(holds, items)
    if holds(items):
        assert found is None
        return
    assert found is not None
    assert found.minimal
    assert not holds(found.items)
    for fewer in range(len(found.items)):
        assert all(holds(some) for some in combinations(found.items, fewer))
    assert [items.index(each) for each in found.items] == sorted(items.index(each) for each in found.items)


@given(CONFLICTS, st.sets(st.frozensets(st.sampled_from(ITEMS))))
def test_what_is_not_answered_makes_a_conflict_larger_at_most(conflicts, unanswered):
    def holds(some):
        is_held = not any(each <= set(some) for each in conflicts)
        return None if frozenset(some) in unanswered and len(some) < len(ITEMS) else is_held

    found = minimal_conflict(holds, ITEMS)
    if found is not None:
        assert any(each <= set(found.items) for each in conflicts)
        if found.minimal:
            assert any(each == set(found.items) for each in conflicts)


def test_the_earlier_of_two_conflicts_is_told():
    found = minimal_conflict(lambda some: not {0, 1} & set(some), [0, 1])
    assert found is not None
    assert found.items == (0,)
