"""Profiling of components that can use several cores, with real workers: which counts, with what threads and cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support.applications import after
from tests.unit.design.test_profiling import measured, still_needed, written

from ecotone.core.application import Cell
from ecotone.design.profiling._counts import counts_to_measure

SEEN = """
from pathlib import Path

@component(every="50 ms")
def tick() -> int:
    return 1

@component(on=tick, cores=CORES)
def several(number: int) -> int:
    threads, cores = os.environ["OMP_NUM_THREADS"], len(os.sched_getaffinity(0))
    Path(__file__).with_name(f"seen-{threads}-{cores}").touch()
    return number
"""


@pytest.mark.parametrize(
    ("cores", "ranks", "machine", "expected"),
    [
        ((1, 1), 1, 8, ()),
        ((1, 1), 4, 8, ()),
        ((1, 4), 1, 8, (1, 2, 4)),
        ((1, 4), 1, 2, (1, 2)),
        ((1, 8), 1, 6, (1, 2, 4, 6)),
        ((1, 8), 2, 6, (1, 2, 3)),
        ((4, 4), 1, 8, (4,)),
        ((4, 8), 1, 2, (2,)),
        ((2, 4), 4, 2, (1,)),
        ((1, 64), 1, 64, (1, 2, 8, 64)),
    ],
)
def test_counts_are_those_that_the_machine_has(
    cores: tuple[int, int], ranks: int, machine: int, expected: tuple[int, ...]
) -> None:
    component = after("x", "y", cores=cores, cell=Cell(file="x.cell", ranks=ranks) if ranks > 1 else None)
    assert counts_to_measure(component, machine) == expected


def test_each_count_is_measured_with_as_many_threads_and_cores(tmp_path: Path) -> None:
    most = min(2, len(os.sched_getaffinity(0)))
    folder = written(tmp_path / "app", SEEN.replace("CORES", "(1, 2)"))
    samples = measured(folder)
    found, tick = samples.of("several", "default"), samples.of("tick", "default")
    assert found is not None and tick is not None
    assert (tick.cores, tick.by_cores) == (1, ())
    assert [cores for cores, _, _ in found.counts] == list(range(1, most + 1))
    assert all(len(wall_s) == len(cpu_s) >= 10 for _, wall_s, cpu_s in found.counts)
    seen = {path.name for path in folder.glob("seen-*")}
    assert seen == {f"seen-{count}-{count}" for count in range(1, most + 1)}
    assert still_needed(folder, samples) == set()
    (folder / "app.py").write_text((folder / "app.py").read_text().replace("(1, 2)", "(1, 4)"))
    assert "several" in still_needed(folder, samples)


def test_fewer_cores_than_it_wants_are_not_taken_for_what_it_wants(tmp_path: Path) -> None:
    """More than any machine has: what was measured says with how many."""
    samples = measured(written(tmp_path / "app", SEEN.replace("CORES", "1024")))
    found = samples.of("several", "default")
    assert found is not None
    assert found.cores == len(os.sched_getaffinity(0))
    assert found.cramped == 0
