"""Cores of running cells: which number at which load, when a change is made, and what the report says of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from tests.support.applications import after, measured, samples_of

from ecotone.core.application import Application, Cell, Component, LatencyPromise, PathPromise, Requirements, Trigger
from ecotone.core.continuum import Continuum, NodeType, Site
from ecotone.core.messages import Deployment, InstanceTelemetry
from ecotone.orchestration.control.elastic import Change, Elastic, choose, elastic_cores, judge_of
from ecotone.orchestration.control.observe import Sample
from ecotone.orchestration.performance.samples import CoresSamples, Samples
from ecotone.orchestration.placement import plan

RATE_PER_S = 8.0


def source() -> Component:
    trigger = Trigger(kind="source")
    return Component(
        name="source", target="source", trigger=trigger, requirements=Requirements(throughput_min_per_s=RATE_PER_S)
    )


def profiled() -> Samples:
    """A call takes 0.2 s on one core, 0.1 s on two, 0.05 s on four; the source brings one every 0.125 s."""
    work = measured("work", 0.2, spread=0.0, count=20)
    by_cores = tuple(
        CoresSamples(cores=cores, cpu_s=(0.2,) * 20, wall_s=(0.2 / cores,) * 20, memory_peak_bytes=1e6)
        for cores in (2, 4)
    )
    work = msgspec.structs.replace(work, cpu_s=(0.2,) * 20, wall_s=(0.2,) * 20, by_cores=by_cores)
    return samples_of(measured("source", 0.0001, spread=0.0), work, measured("sink", 0.0001, spread=0.0))


def deployed(*, kind: str = "cell", promise_s: float = 0.3) -> Deployment:
    """Two cores keep up with the source, one does not."""
    cell = Cell(file="x.cell") if kind == "cell" else None
    work = after("work", "source", cores=(1, 4), cell=cell, kind=kind, requirements=Requirements(replicas_max=1))
    application = Application(
        name="elastic",
        components=(source(), work, after("sink", "work")),
        paths=(PathPromise(components=("source", "work", "sink"), latency=LatencyPromise(latency_max_s=promise_s)),),
    )
    two, four = (NodeType(name=f"n{cores}", cores=cores, price_eur_per_h=0.01 * cores) for cores in (2, 4))
    site = Site(name="room", layer="edge", node_types=(two, four))
    continuum = Continuum(name="room", sites=(site,), emulated=False)
    best = plan(application, continuum, profiled())
    return Deployment(run="r", application=application, continuum=continuum, plan=best, root="/", module="app")


def sample(time_s: float, items: int) -> Sample:
    count = InstanceTelemetry(id="source.n2.0", component="source", node="n2", emitted=items)
    return Sample(time_s=time_s, instances={"source": (count,)})


def looks(elastic: Elastic, rates_per_s: list[float]) -> list[tuple[int, Change]]:
    """One look a second, at what the source has brought until then."""
    found: list[tuple[int, Change]] = []
    items = 1.0
    for second, rate_per_s in enumerate(rates_per_s):
        found += [(second, each) for each in elastic.look(sample(float(second), int(items)))]
        items += rate_per_s
    return found


def test_only_cells_that_can_use_several_numbers_are_elastic() -> None:
    assert elastic_cores(deployed()) == {"work": 2}
    assert elastic_cores(deployed(kind="python")) == {}


def test_numbers_are_those_that_the_judge_of_plans_allows() -> None:
    deployment = deployed()
    judge = judge_of(deployment, profiled())
    said = {load: choose(deployment, {"work": 2}, load, judge)["work"] for load in (0.2, 0.85, 1.0, 1.5)}
    assert said[0.2] == (1, "the sources bring 20% of what was planned: one core is enough for every promise")
    assert said[0.85][0] == said[1.0][0] == 2
    # Four would do, but the node has two.
    assert said[1.5][0] == 2
    strict = deployed(promise_s=0.15)
    assert choose(strict, {"work": 2}, 0.2, judge_of(strict, profiled()))["work"][0] == 2


def test_more_cores_are_given_where_the_load_grows_and_the_node_has_them() -> None:
    deployment = deployed()
    rows = tuple(msgspec.structs.replace(row, node="n4") for row in deployment.plan.assignments)
    moved = msgspec.structs.replace(deployment, plan=msgspec.structs.replace(deployment.plan, assignments=rows))
    cores, reason = choose(moved, {"work": 2}, 1.5, judge_of(moved, profiled()))["work"]
    assert cores == 4
    assert reason.startswith("the sources bring 150% of what was planned, and otherwise: work: each replica would be")


def enough(cores: Mapping[str, int], load: float) -> dict[tuple[str, str], str]:
    """One core carries half of the load, two carry all, four twice that."""
    return {} if cores["work"] >= 2 * load else {("work", "throughput"): "it would not keep up"}


def test_fewer_are_taken_when_the_load_has_been_low_for_a_while_and_more_at_once() -> None:
    elastic = Elastic(deployed(), enough)
    found = looks(elastic, [8.0] * 10 + [2.0] * 12 + [8.0] * 8)
    assert [(each.before, each.after) for _, each in found] == [(2, 1), (1, 2)]
    (lowered, first), (raised, second) = found
    assert 13 <= lowered <= 18
    assert 22 <= raised <= 28
    assert first.reason.endswith("one core is enough for every promise")
    assert second.reason.endswith("as planned")
    assert elastic.cores == {"work": 2}


def test_nothing_changes_at_the_planned_load_or_while_little_is_known() -> None:
    assert looks(Elastic(deployed(), enough), [8.0, 7.5, 8.5] * 8) == []
    assert looks(Elastic(deployed(), enough), [1.0] * 5) == []
    assert looks(Elastic(deployed(), enough), [0.0] * 3) == []


def test_twice_the_load_gets_twice_the_cores_once() -> None:
    found = looks(Elastic(deployed(), enough), [16.0] * 14)
    assert [(each.before, each.after) for _, each in found] == [(2, 4)]
    assert "it would not keep up" in found[0][1].reason


@pytest.mark.parametrize("seed", range(20))
def test_every_change_leads_to_a_number_that_it_can_use(seed: int) -> None:
    elastic = Elastic(deployed(), enough)
    rates = [float((seed * 7919 + second * 104729) % 24) for second in range(40)]
    for _, each in looks(elastic, rates):
        assert each.before != each.after
        assert each.after in (1, 2, 4)
        assert each.reason
