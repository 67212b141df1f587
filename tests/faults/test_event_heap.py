"""Virtual time."""

from __future__ import annotations

import pytest

from ecotone.testing.clock import EventHeap, ManualClock


def test_events_happen_in_order_and_turn_the_clock() -> None:
    heap, seen = EventHeap(), []

    def note(name: str) -> None:
        seen.append((heap.now_s, name))

    heap.at(2.0, lambda: note("late"))
    heap.after(1.0, lambda: note("early"))
    heap.at(1.0, lambda: note("same moment, planned later"))
    heap.at(1.5, lambda: heap.at(0.5, lambda: note("planned for the past")))
    heap.run_until(10.0)

    assert seen == [
        (1.0, "early"),
        (1.0, "same moment, planned later"),
        (1.5, "planned for the past"),
        (2.0, "late"),
    ]
    assert heap.now_s == 10.0


def test_time_does_not_go_back() -> None:
    clock = ManualClock(start_s=5.0)
    clock.advance(1.0)

    assert clock.wall_s() - clock.monotonic_s() == 1_000_000_000.0
    with pytest.raises(AssertionError):
        clock.advance(-1.0)
