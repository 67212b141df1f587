"""Cells with threads: how many they may have, that they move with their rank, and how they end."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ecotone.execution.cells import Folder, Job, JobResult
from ecotone.execution.cells._local import LocalJob
from ecotone.execution.cells.interface import Tier

Run = Callable[..., tuple[JobResult, str]]
Module = Callable[[str], Path]


@pytest.mark.parametrize("inside", ["outside", "inside"])
def test_threads_move_with_their_rank(module: Module, run: Run, inside: str) -> None:
    """Each time at another MPI call, never inside of a parallel region."""
    result, expected = run("hybrid", 2, "3000", inside)
    assert result.exit_code == 0, result.first
    assert "level 1, threads kept" in expected
    with tempfile.TemporaryFile() as output:
        job = Job(
            module=module("hybrid"), ranks=2, arguments=("3000", inside), stdout=output.fileno(), stderr=output.fileno()
        )
        moved = 0
        with LocalJob(job) as running:
            while running.wait(0.02) is None and moved < 12:
                _move(running, moved % 2)
                moved += 1
            end = running.wait()
        output.seek(0)
        assert end is not None
        assert end.exit_code == 0, end.first
        assert moved >= 3
        assert output.read().decode() == expected


def test_ranks_with_threads_change_to_native_code_while_they_run(module: Module, run: Run) -> None:
    result, expected = run("hybrid", 2, "20000", tier="wasmtime")
    assert result.exit_code == 0, result.first
    native = _compiled_natively(module("hybrid"))
    with tempfile.TemporaryFile() as output:
        job = Job(
            module=module("hybrid"),
            ranks=2,
            arguments=("20000",),
            tier="wasmtime",
            stdout=output.fileno(),
            stderr=output.fileno(),
        )
        with LocalJob(job) as running:
            assert running.wait(0.05) is None
            assert running.switch(native, 30.0) == 2
            end = running.wait()
        output.seek(0)
        assert end is not None
        assert end.exit_code == 0, end.first
        assert output.read().decode() == expected


def _move(running: LocalJob, rank: int) -> None:
    snapshot = running.take_out(rank, 30.0)
    try:
        running.put_back(rank, snapshot)
    finally:
        os.close(snapshot)


@pytest.mark.parametrize(
    ("threads", "most", "expected"),
    [
        (1, None, "asked 3: 1, sized 2"),
        (3, None, "asked 3: 3, sized 3"),
        (2, 8, "asked 3: 2, sized 8"),
        (None, None, "asked 3: 3, sized 2"),
    ],
)
def test_threads_of_a_region_are_those_given(run: Run, threads: int | None, most: int | None, expected: str) -> None:
    if len(os.sched_getaffinity(0)) != 2:
        pytest.skip("the figures are for two cores")
    result, text = run("threads", 1, "sizes", threads=threads, threads_most=most)
    assert result.exit_code == 0, result.first
    assert text.strip() == expected


@pytest.mark.parametrize("tier", ["wasmtime", "native"])
@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("trap", "unreachable"),
        ("exit", "exit code 7"),
        ("overflow", "call stack exhausted"),
        ("outside", "out of bounds"),
    ],
)
def test_what_a_thread_does_wrong_ends_the_rank_with_the_reason(
    module: Module, run: Run, mode: str, reason: str, tier: Tier
) -> None:
    if tier == "native":
        _compiled_natively(module("threads"))
    result, _ = run("threads", 1, mode, threads=3, tier=tier)
    assert result.first is not None
    assert reason in result.first.reason
    if mode in ("trap", "outside"):
        assert "in wrong" in result.first.reason


@pytest.mark.parametrize("tier", ["wasmtime", "native"])
@pytest.mark.parametrize("mode", ["spin", "wait", "allocate"])
def test_rank_whose_threads_never_leave_a_region_is_killed_in_time(
    module: Module, run: Run, mode: str, tier: Tier
) -> None:
    if tier == "native":
        _compiled_natively(module("threads"))
    begun_s = time.monotonic()
    result, _ = run("threads", 1, mode, threads=3, tier=tier, time_max_s=1.0, memory_max_bytes=64 << 20)
    assert result.first is not None
    assert "took longer than the 1.0 s" in result.first.reason
    assert time.monotonic() - begun_s < 30


def test_more_threads_than_there_can_be_are_refused(run: Run) -> None:
    result, text = run("threads", 1, "many", threads_most=256)
    assert result.exit_code == 0, result.first
    assert text.strip() == "asked 1000: 256"


def _compiled_natively(module: Path) -> Path:
    native = pytest.importorskip("ecotone.design.cells.native")
    if not native.can_compile():
        pytest.skip("compiling natively needs the extra `cells-build`")
    return native.native_code(module)


def test_thread_may_end_a_rank_of_several(run: Run) -> None:
    """While the first thread computes: each thread asks its own instance, not that of another."""
    for _ in range(3):
        result, _ = run("hybrid", 2, "30", "exit")
        assert result.first is not None
        assert "ended without MPI_Finalize" in result.first.reason


@pytest.mark.parametrize("tier", ["wasmtime", "native"])
def test_who_waits_for_a_fifo_keeps_no_other_thread(module: Module, run: Run, tmp_path: Path, tier: Tier) -> None:
    if tier == "native":
        _compiled_natively(module("threads"))
    os.mkfifo(tmp_path / "fifo")
    result, text = run("threads", 1, "fifo", threads=3, tier=tier, folders={"here": Folder(path=tmp_path)})
    assert result.exit_code == 0, result.first
    assert "heard 42" in text


def test_page_that_guards_a_stack_is_no_place_for_the_host(run: Run) -> None:
    result, text = run("threads", 1, "guard", threads=3)
    assert result.exit_code == 0, result.first
    assert "refused" in text


@pytest.mark.parametrize("tier", ["wasmtime", "native"])
def test_volatile_variables_are_seen_to_change(module: Module, run: Run, tier: Tier) -> None:
    """Also by loops one behind the other, of which a compiler could think that they look at the same."""
    if tier == "native":
        _compiled_natively(module("threads"))
    result, text = run("threads", 1, "volatile", threads=2, tier=tier, time_max_s=20.0)
    assert result.exit_code == 0, result.first
    assert "seen" in text
