"""Replicas that hold several cores, in the simulation of an assignment: worked out by hand."""

from __future__ import annotations

from ecotone.orchestration.performance._simulation import Server, Simulation, Source, Stage, Step


def responses(cores: int, *works: tuple[int, int, list[float]]) -> list[list[float]]:
    """Each work: (cores of a replica, replicas, arrivals); a call computes for a second. Response times by work."""
    stages = [
        Stage(index=at, size_bytes=[0.0], hop_s=[0.0], deal=(at,) * replicas)
        for at, (_, replicas, _) in enumerate(works)
    ]
    servers = [
        Server(node=0, steps=(Step(stage=at, computing_s=[1.0], wait_s=[0.0]),), idle=replicas, cores=held)
        for at, (held, replicas, _) in enumerate(works)
    ]
    simulation = Simulation(
        stages=stages, servers=servers, cores=[cores], routes=[[()]], paths=[], turnaround_s=0.0
    )  # fmt: skip
    sources = [Source(stage=at, times_s=times) for at, (_, _, times) in enumerate(works)]
    return simulation.run(sources, horizon_s=100.0).responses


def test_one_that_holds_all_cores_makes_the_others_wait() -> None:
    assert responses(2, (2, 1, [0.0]), (1, 1, [0.25])) == [[1.0], [1.75]]


def test_it_waits_until_enough_are_free_and_nobody_overtakes_it() -> None:
    """The second of the narrow ones comes while a core is free, and after the wide one."""
    wide, first, second = responses(2, (2, 1, [0.25]), (1, 1, [0.0]), (1, 1, [0.5]))
    assert first == [1.0]
    assert wide == [1.75]
    assert second == [2.5]


def test_what_fits_beside_it_does_not_wait() -> None:
    assert responses(4, (2, 1, [0.0, 1.5]), (1, 2, [0.0, 0.1])) == [[1.0, 1.0], [1.0, 1.0]]
    assert responses(4, (2, 2, [0.0, 0.0]), (4, 1, [0.5])) == [[1.0, 1.0], [1.5]]


def test_a_busy_node_keeps_its_cores_busy() -> None:
    """Two wide ones at a time fit, a narrow one comes between: nothing is lost and nothing is done twice."""
    wide, narrow = responses(4, (2, 3, [0.0] * 6), (1, 1, [0.0] * 3))
    assert len(wide) == 6
    assert len(narrow) == 3
    assert max(wide) <= 5.0
    assert sum(wide) >= 1 + 1 + 2 + 2 + 3 + 3 - 1e-9
