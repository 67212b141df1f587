"""What a call costs on an emulated node, beside others that want the same core of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecotone.execution.host.meter import Meter


@pytest.fixture
def idle_clock() -> Iterator[int]:
    """The CPU clock of a thread that does nothing, as the platform's nearly is."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    assert thread.ident is not None
    yield time.pthread_getcpuclockid(thread.ident)
    over.set()
    thread.join()


@pytest.fixture
def busy_core() -> Iterator[None]:
    """This thread shares one core with a process that never rests."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    other = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()
    yield
    other.kill()
    other.wait()
    other.stdout.close()
    os.sched_setaffinity(0, allowed)


def compute(cpu_s: float) -> None:
    end_s = time.thread_time() + cpu_s
    while time.thread_time() < end_s:
        pass


def waited_s() -> float:
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) * 1e-9


def test_a_slower_node_takes_longer(idle_clock: int) -> None:
    meter = Meter(0.5, None, idle_clock, waits=False)
    meter.begin()
    compute(0.02)
    meter.pause()

    assert meter.cpu_s >= 0.02
    assert meter.busy_s >= 1.9 * meter.cpu_s


@pytest.mark.usefixtures("busy_core")
def test_the_wait_for_a_core_of_this_machine_counts_as_padding(idle_clock: int) -> None:
    meter = Meter(0.25, None, idle_clock, waits=False)
    before_s = waited_s()
    meter.begin()
    compute(0.05)
    others_s = waited_s() - before_s
    meter.pause()

    assert others_s > 0.01, "nobody else wanted the core"
    on_the_node_s = max(4.0 * meter.cpu_s, meter.cpu_s + others_s)
    assert meter.busy_s - meter.late_s == pytest.approx(on_the_node_s, rel=0.1)
