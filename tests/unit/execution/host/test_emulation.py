"""Emulation: the arithmetic, and the files that hosts share."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.continuum import Link
from ecotone.execution.host.emulation import CoreSlots, Route, crossing, padding_s, relative_speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


def test_waiting_for_a_core_of_this_machine_is_padding_that_has_passed_already() -> None:
    assert padding_s(0.010, 0.014, 0.5, waited_s=0.004) == pytest.approx(0.006)
    assert padding_s(0.010, 0.030, 0.5, waited_s=0.020) == 0.0
    assert padding_s(0.010, 0.014, 1.0, waited_s=0.004) == 0.0


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


def test_who_holds_several_cores_gets_them_together_and_is_not_overtaken(tmp_path: Path) -> None:
    one, other, late = (CoreSlots(tmp_path, 3) for _ in range(3))
    wide, everything = CoreSlots(tmp_path, 3, held=2), CoreSlots(tmp_path, 3, held=8)
    order: list[str] = []

    def take(name: str, slots: CoreSlots) -> threading.Thread:
        drawn = (tmp_path / "tickets").read_bytes()
        thread = threading.Thread(target=lambda: (slots.__enter__(), order.append(name)))
        thread.start()
        while (tmp_path / "tickets").read_bytes() == drawn:
            time.sleep(0.001)
        return thread

    one.__enter__()
    other.__enter__()
    waiters = [take("wide", wide), take("late", late)]  # one core is free, which is not enough, and nobody else gets it
    assert order == []
    one.__exit__()
    waiters[0].join(10)
    assert order == ["wide"]
    other.__exit__()
    waiters[1].join(10)
    assert order == ["wide", "late"]
    last = take("everything", everything)  # more than there are: all of them
    wide.__exit__()
    assert order == ["wide", "late"]
    late.__exit__()
    last.join(10)
    assert order == ["wide", "late", "everything"]
    everything.__exit__()
    with one:
        pass
    for each in (one, other, late, wide, everything):
        each.close()


HOST = """
import sys
from pathlib import Path
from ecotone.execution.host.emulation import CoreSlots
slots = CoreSlots(Path(sys.argv[1]), int(sys.argv[2]))
for line in sys.stdin:
    if line == "take\\n":
        slots.__enter__()
        print("taken", flush=True)
    else:
        slots.__exit__()
"""


class HostProcess:
    """A process that takes and gives back a core when it is told to. `takes` waits until it stands in the queue."""

    def __init__(self, folder: Path, cores: int) -> None:
        command = [sys.executable, "-c", HOST, str(folder), str(cores)]
        self.folder = folder
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())

    def takes(self) -> None:
        before = self._drawn()
        self.tell("take")
        while self._drawn() == before:
            time.sleep(0.001)

    def has_taken(self) -> bool:
        assert self.process.stdout is not None
        return self.process.stdout.readline() == b"taken\n"

    def is_waiting(self) -> bool:
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        time.sleep(0.02)
        waits = self.process.stdout.read(1) is None
        os.set_blocking(self.process.stdout.fileno(), True)
        return waits

    def _drawn(self) -> bytes:
        tickets = self.folder / "tickets"
        return tickets.read_bytes() if tickets.exists() else bytes(8)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Callable[[int, int], list[HostProcess]]]:
    started: list[HostProcess] = []

    def start(count: int, cores: int) -> list[HostProcess]:
        started.extend(HostProcess(tmp_path / "cores", cores) for _ in range(count))
        return started

    yield start
    for each in started:
        if each.process.returncode is None:
            each.end()


@pytest.mark.parametrize("cores", [1, 2])
def test_cores_go_to_those_who_came_first(hosts: Callable[[int, int], list[HostProcess]], cores: int) -> None:
    processes = hosts(cores + 3, cores)
    holders, waiters = processes[:cores], processes[cores:]
    for each in holders:
        each.takes()
        assert each.has_taken()
    for each in waiters:
        each.takes()
    giver = holders[0]
    for place, each in enumerate(waiters):
        giver.tell("give back")
        giver.takes()  # at once, and still it comes last
        assert each.has_taken()
        assert all(other.is_waiting() for other in (giver, *waiters[place + 1 :]))
        giver = each
    giver.tell("give back")
    assert holders[0].has_taken()


@pytest.mark.parametrize("cores", [1, 2])
def test_the_dead_hold_nobody_up(hosts: Callable[[int, int], list[HostProcess]], cores: int) -> None:
    processes = hosts(cores + 4, cores)
    holders, (first, second, third, fourth) = processes[:cores], processes[cores:]
    for each in holders:
        each.takes()
        assert each.has_taken()
    for each in (first, second, third, fourth):
        each.takes()
    second.kill()  # it waits, behind another
    assert third.is_waiting()
    first.kill()  # it is the next
    assert third.is_waiting()
    holders[0].kill()
    assert third.has_taken()
    assert fourth.is_waiting()
    third.kill()
    assert fourth.has_taken()


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
