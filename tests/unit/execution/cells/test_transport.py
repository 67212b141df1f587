"""The transport between ranks of one node, and what the host refuses to a cell that forges its requests."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

import pytest

from ecotone.execution.cells import JobResult
from ecotone.execution.cells._region import open_region, region_bytes, ring_bytes

Run = Callable[..., tuple[JobResult, str]]
MIB = 1 << 20


@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_messages_of_all_sizes(run: Run, ranks: int) -> None:
    _, output = run("traffic", ranks, "mixed", str(ranks), "20")
    assert output == "ok\n"


def test_many_ranks_with_small_rings(run: Run) -> None:
    _, output = run("traffic", 32, "mixed", "9", "1")
    assert output == "ok\n"


def test_sender_waits_for_slow_receivers_in_bounded_memory(run: Run) -> None:
    """40 MB are sent to ranks that do not listen; they, and the sender, have 16 MiB each, with rings and program."""
    _, output = run("traffic", 3, "flood", "4000", memory_max_bytes=16 * MIB)
    assert output == "ok\n"


@pytest.mark.slow
def test_positions_in_a_ring_may_wrap(run: Run) -> None:
    """More than 4 GiB go from one rank to another, small messages between large ones."""
    _, output = run("traffic", 2, "long", "4400", time_max_s=120)
    assert output == "ok\n"


@pytest.mark.parametrize("ranks", [2, 16, 64, 256, 1024])
def test_shared_memory_is_bounded(ranks: int) -> None:
    size = ring_bytes(ranks)
    assert size & (size - 1) == 0
    assert region_bytes(ranks, ranks) <= (65 * MIB if ranks <= 128 else ranks * ranks * 4300)


def test_region_says_who_is_here() -> None:
    region = open_region([5, 2], 7, 2)
    try:
        data = os.pread(region.descriptor, 128, 0)
        assert struct.unpack_from("<7I", data) == (7, MIB, 2, MIB, 2, MIB, 65536)
        assert struct.unpack_from("<7i", data, 64) == (-1, -1, 1, -1, -1, 0, -1)
        region.send_away(5)
        assert struct.unpack("<7i", os.pread(region.descriptor, 28, 64)) == (-1, -1, 1, -1, -1, -1, -1)
    finally:
        region.close()


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("wire", "refused to make a wire to rank 0"),
        ("pump", "there are none"),
        ("poll", "there are none"),
        ("settled", "there are none"),
    ],
)
def test_wires_that_are_not_there_are_refused(run: Run, how: str, reason: str) -> None:
    result, _ = run("forged", 2, how)
    assert result.first is not None
    assert reason in result.first.reason


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("share crooked", "refused to share 65536 bytes"),
        ("share part", "refused to share 100 bytes"),
        ("share nothing", "refused to share 0 bytes"),
        ("share outside", "which are not in the cell's own memory"),
        ("share beyond", "which this node's windows do not have"),
        ("share rings", "which are shared already"),
        ("share twice", "which are shared already"),
        ("unshare", "asked to give back a window"),
    ],
)
def test_window_that_may_not_be_there_is_refused(run: Run, how: str, reason: str) -> None:
    result, _ = run("forged", 2, how, time_max_s=20.0)
    assert result.first is not None
    assert reason in result.first.reason
