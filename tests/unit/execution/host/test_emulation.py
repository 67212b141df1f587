"""Emulation: the arithmetic, and the files that hosts share."""

from __future__ import annotations

import fcntl
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.continuum import Link
from ecotone.execution.host.emulation import CoreSlots, Route, crossing, padding_s, relative_speed

if TYPE_CHECKING:
    from pathlib import Path

EDGE = Link(between=("device", "edge"), latency_s=0.005, bandwidth_bytes_per_s=1e6)
CLOUD = Link(between=("cloud", "edge"), latency_s=0.020, bandwidth_bytes_per_s=1e7)


def test_nothing_is_faster_than_the_machine() -> None:
    assert relative_speed(4.0, 1.0) == 1.0
    assert relative_speed(0.5, 1.0) == 0.5
    assert relative_speed(0.5, 2.0) == 0.25
    assert padding_s(0.010, 0.011, 1.0) == 0.0


def test_work_stretches_and_waiting_does_not() -> None:
    assert padding_s(0.010, 0.050, 0.5) == pytest.approx(0.010)
    assert padding_s(0.040, 0.010, 0.5) == pytest.approx(0.010)  # four threads at once
    assert padding_s(-0.001, 0.010, 0.5) == 0.0


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 10**7)), min_size=1, max_size=30))
def test_a_link_never_carries_more_than_its_bandwidth_and_keeps_the_order(sent: list[tuple[float, int]]) -> None:
    now_s = busy_s = last_s = 0.0
    for wait_s, size in sent:
        now_s += wait_s
        busy_s, arrival_s = crossing(now_s, busy_s, size, EDGE)
        assert arrival_s >= now_s + size / 1e6 + 0.005 - 1e-9
        assert arrival_s >= last_s
        last_s = arrival_s
    assert busy_s >= sum(size for _, size in sent) / 1e6 - 1e-6


def test_links_in_a_row_and_two_hosts_on_one_link(tmp_path: Path) -> None:
    first = Route(tmp_path, "device", (EDGE, CLOUD), node="c1", share=False)
    second = Route(tmp_path, "device", (EDGE,), node="e1", share=False)
    assert first.arrival_s(100.0, 10_000) == (pytest.approx(100.0 + 0.010 + 0.005 + 0.001 + 0.020), 10_000)
    assert second.arrival_s(100.0, 10_000)[0] == pytest.approx(100.0 + 0.020 + 0.005)
    back = Route(tmp_path, "edge", (EDGE,), node="d1", share=False)
    assert back.arrival_s(100.0, 10_000)[0] == pytest.approx(100.015)
    for route in (first, second, back):
        route.close()


def test_an_object_crosses_once_for_all_components_of_a_node(tmp_path: Path) -> None:
    detect, quality = (Route(tmp_path, "device", (EDGE,), node="e1", share=True) for _ in range(2))
    other = Route(tmp_path, "device", (EDGE,), node="e2", share=True)
    arrival_s, charged = detect.arrival_s(50.0, 100_000, "camera.abcd")
    assert (arrival_s, charged) == (pytest.approx(50.105), 100_000)
    assert quality.arrival_s(50.3, 100_000, "camera.abcd") == (arrival_s, 0)
    assert other.arrival_s(50.3, 100_000, "camera.abcd") == (pytest.approx(50.405), 100_000)
    assert quality.arrival_s(60.0, 100_000)[1] == 100_000  # inline: each host pays
    for number in range(600):
        detect.arrival_s(70.0, 1, f"camera.{number}")
    assert detect.arrival_s(90.0, 100_000, "camera.abcd")[1] == 100_000
    for route in (detect, quality, other):
        route.close()


@pytest.mark.parametrize("cores", [1, 2])
def test_no_more_instances_compute_than_there_are_cores(tmp_path: Path, cores: int) -> None:
    slots = [CoreSlots(tmp_path, cores) for _ in range(cores + 1)]
    for slot in slots[:cores]:
        slot.__enter__()
    entered = threading.Event()

    def wait_for_a_core() -> None:
        with slots[cores]:
            entered.set()

    waiter = threading.Thread(target=wait_for_a_core)
    waiter.start()
    assert not entered.is_set()
    slots[0].__exit__()
    waiter.join(10)
    assert entered.is_set()
    for slot in slots[1:cores]:
        slot.__exit__()
    for slot in slots:
        slot.close()


def test_a_dead_holder_gives_its_core_back(tmp_path: Path) -> None:
    slots = CoreSlots(tmp_path, 1)
    holder = os.open(tmp_path / "0", os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    os.close(holder)  # what the kernel does at its death
    with slots:
        other = os.open(tmp_path / "0", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
    slots.close()
