"""When a component is called, and with what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.application import Batching, Component, Trigger
from ecotone.core.errors import ComponentError
from ecotone.core.messages import Item
from ecotone.execution.host.entry import Entry
from ecotone.execution.host.triggers import JOIN_HELD_MAX, joint_lineage, trigger_of


def entry(value: Any = None, producer: str = "a", arrived_s: float = 0.0, origin_s: float = 0.0) -> Entry:
    item = Item(f"{producer}:{value}", producer, "n", origin_s, 0.0, {producer: origin_s}, "bytes", b"")
    made = Entry(item, b"", arrived_s)
    made.value = value
    return made


def of(batching: Batching | None = None, **trigger: Any) -> Component:
    return Component(name="x", target="x", trigger=Trigger(**trigger), batching=batching)


def test_each_item_is_a_call_in_order_of_arrival() -> None:
    trigger = trigger_of(of(kind="data", inputs=("a", "b")), 0.0)
    for value, producer in ((1, "a"), (2, "b"), (3, "a")):
        trigger.add(entry(value, producer))
    calls = [trigger.take(9.0) for _ in range(4)]
    assert [call.value for call in calls if call is not None] == [(1,), (2,), (3,)]
    assert (calls[3], trigger.due_s(), trigger.flush(), trigger.given_up()) == (None, None, None, [])


def test_a_batch_is_called_when_it_is_full_or_has_waited() -> None:
    trigger = trigger_of(of(Batching(items_max=3, wait_max_s=0.5), kind="data", inputs=("a",)), 0.0)
    for number in range(4):
        trigger.add(entry(number, arrived_s=number / 10))
    call = trigger.take(0.3)
    assert call is not None
    assert call.value == ([0, 1, 2],)
    assert trigger.take(0.4) is None
    assert trigger.due_s() == pytest.approx(0.8)
    call = trigger.take(0.81)
    assert call is not None
    assert call.value == ([3],)
    assert trigger.due_s() is None


def test_what_has_raised_in_a_batch_is_called_alone() -> None:
    trigger = trigger_of(of(Batching(items_max=3), kind="data", inputs=("a",)), 0.0)
    for number in (1, 2):
        again = entry(number)
        again.raised = 1
        trigger.add(again)
    trigger.add(entry(3, arrived_s=5.0))
    calls = [trigger.take(1.0) for _ in range(3)]
    assert [call.value for call in calls if call is not None] == [([1],), ([2],)]


def test_windows_come_once_per_period_with_what_has_arrived() -> None:
    trigger = trigger_of(of(kind="every", inputs=("a",), period_s=1.0), 10.0)
    assert trigger.take(10.9) is None
    trigger.add(entry(1))
    trigger.add(entry(2))
    call = trigger.take(11.0)
    assert call is not None
    assert (call.value, call.due_s, len(call.entries)) == (([1, 2],), 11.0, 2)
    call = trigger.take(14.5)  # three periods at once: what was missed is missed
    assert call is not None
    assert (call.value, call.due_s, trigger.due_s()) == (([],), 12.0, 15.0)
    assert trigger.flush() is None
    trigger.add(entry(3))
    call = trigger.flush()
    assert call is not None
    assert call.value == ([3],)


@given(st.floats(0.001, 10), st.lists(st.floats(0, 50), max_size=30))
def test_ticks_never_come_early_or_twice(period_s: float, waits: list[float]) -> None:
    trigger = trigger_of(of(kind="every", period_s=period_s), 0.0)
    now_s, dues = 0.0, []
    for wait_s in waits:
        now_s += wait_s
        call = trigger.take(now_s)
        if call is not None:
            assert call.value == ()
            assert call.due_s is not None
            assert call.due_s <= now_s
            dues.append(call.due_s)
            if period_s > 1e-3 * wait_s:
                assert trigger.take(now_s) is None
    assert dues == sorted(set(dues))
    assert all(due_s == pytest.approx(round(due_s / period_s) * period_s, abs=1e-6) for due_s in dues)


def test_a_join_calls_with_one_item_of_each_input() -> None:
    trigger = trigger_of(of(kind="data", inputs=("a", "b"), join_key="k"), 0.0)
    for value, producer in (({"k": 1, "v": "x"}, "a"), ({"k": 2}, "b"), ({"k": 1, "v": "y"}, "a"), ({"k": 1}, "b")):
        trigger.add(entry(value, producer))
    call = trigger.take(0.0)
    assert call is not None
    assert call.value == ({"a": {"k": 1, "v": "x"}, "b": {"k": 1}},)
    assert trigger.take(0.0) is None
    trigger.add(entry({"k": 1}, "b"))
    call = trigger.take(0.0)
    assert call is not None
    assert call.value[0]["a"]["v"] == "y"  # pyright: ignore[reportIndexIssue]


def test_a_join_keeps_a_bounded_number_and_says_what_it_gave_up() -> None:
    trigger = trigger_of(of(kind="data", inputs=("a", "b"), join_key="k"), 0.0)
    entries = [entry({"k": number}) for number in range(JOIN_HELD_MAX + 3)]
    for each in entries:
        trigger.add(each)
    assert trigger.take(0.0) is None
    assert trigger.given_up() == entries[:3]
    assert trigger.given_up() == []


def test_an_item_without_the_field_cannot_be_joined() -> None:
    trigger = trigger_of(of(kind="data", inputs=("a", "b"), join_key="k"), 0.0)
    with pytest.raises(ComponentError, match="an item of a has no field 'k' to join by"):
        trigger.add(entry({"x": 1}))


def test_the_lineage_of_several_items_is_the_same_for_the_same_items_and_as_old_as_the_oldest() -> None:
    items = [entry(1, origin_s=5.0).item, entry(2, origin_s=3.0).item, entry(3, "b", origin_s=4.0).item]
    joint = joint_lineage(items)
    assert joint == joint_lineage(items)
    assert joint.id != joint_lineage(items[:2]).id
    assert (joint.origin_s, joint.starts_s) == (3.0, {"a": 3.0, "b": 4.0})
    assert joint_lineage(items[:1]) == (items[0].id, 5.0, {"a": 5.0})
