"""`ecotone cell run --nodes`: a job whose ranks are on several nodes, emulated here."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tests.unit.frontends.test_cell_commands import cell, document, ecotone, is_alive, jobs

from ecotone.core.errors import InputError
from ecotone.frontends.cli.cell_running import spread_ranks

__all__ = ["cell", "jobs"]


@pytest.mark.parametrize(
    ("text", "ranks", "spread"),
    [
        ("a,b", 4, {"a": (0, 1), "b": (2, 3)}),
        ("a,b", 3, {"a": (0,), "b": (1, 2)}),
        ("a:3,b", 4, {"a": (0, 1, 2), "b": (3,)}),
        ("a, b:1 ,c", 5, {"a": (0, 1), "b": (2,), "c": (3, 4)}),
        ("a,b,c", 2, {"a": (), "b": (0,), "c": (1,)}),
        ("a:2", 2, {"a": (0, 1)}),
    ],
)
def test_ranks_are_spread_in_their_order(text: str, ranks: int, spread: dict[str, tuple[int, ...]]) -> None:
    assert spread_ranks(text, ranks) == spread


@pytest.mark.parametrize("text", ["", "a,a", "a:x", "a:1,b:1", "a:9,b", ":2"])
def test_what_cannot_be_spread_is_told(text: str) -> None:
    with pytest.raises(InputError, match="--nodes"):
        spread_ranks(text, 4)


def test_ranks_of_several_nodes_are_one_job(cell: Path) -> None:
    done = ecotone("run", cell, "-n", 5, "--nodes", "edge:2,cloud", "--label", "--", "one")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"{rank}| rank {rank} of 5: one" for rank in range(5)]
    assert done.stderr == ""


def test_a_rank_that_ends_badly_ends_it_on_all_nodes(cell: Path) -> None:
    done = ecotone("run", cell, "-n", 4, "--nodes", "a,b", "--", "fall")
    assert done.returncode == 134
    assert "ecotone: rank 1: trap: out of bounds memory access" in done.stderr
    assert "demo.c:7)" in done.stderr


def test_its_time_is_limited(cell: Path) -> None:
    done = ecotone("run", cell, "-n", 2, "--nodes", "a,b", "--time", "1s", "--", "wait")
    assert done.returncode != 0
    assert "took longer than the 1.0 s" in done.stderr


def started(cell: Path) -> tuple[str, int, list[int]]:
    """The job's name, its launcher, and all processes beneath."""
    done = ecotone("run", cell, "-n", 3, "--nodes", "a,b", "--detach", "--", "wait")
    assert done.returncode == 0, done.stderr
    end_s = time.monotonic() + 30
    while document("ps")["jobs"][0]["memory_bytes"] == 0 or len(document("logs", done.stdout.strip())["lines"]) < 3:
        assert time.monotonic() < end_s
    launcher = document("ps")["jobs"][0]["launcher"]
    beneath = [*children(launcher)]
    beneath += [rank for part in beneath for rank in children(part)]
    assert len(beneath) == 5
    return done.stdout.strip(), launcher, beneath


def children(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def gone(processes: list[int]) -> None:
    end_s = time.monotonic() + 30
    while any(is_alive(str(process)) for process in processes):
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_it_is_seen_and_ended(cell: Path) -> None:
    name, launcher, beneath = started(cell)
    seen = document("ps")["jobs"]
    assert [(each["job"], each["state"], each["ranks"]) for each in seen] == [(name, "running", 3)]
    ended = document("kill", name, "--reason", "enough")["jobs"][0]
    assert ended["reason"].endswith(": enough")
    gone([launcher, *beneath])


@pytest.mark.parametrize("which", ["launcher", "part", "rank"])
def test_whoever_is_killed_nothing_is_left(cell: Path, which: str) -> None:
    name, launcher, beneath = started(cell)
    os.kill({"launcher": launcher, "part": beneath[0], "rank": beneath[-1]}[which], signal.SIGKILL)
    gone([launcher, *beneath])
    (seen,) = document("ps", "--all")["jobs"]
    assert (seen["job"], seen["state"]) == (name, "lost" if which == "launcher" else "failed")
    assert seen["reason"]
