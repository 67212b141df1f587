"""How many cores a replica uses: what the model says of counts, what nodes have room for, why a plan takes which."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.applications import after, camera, measured, samples_of

from ecotone.core.application import Application, Cell, Component, LatencyPromise, PathPromise
from ecotone.core.continuum import Continuum, NodeType, Power, Site
from ecotone.core.errors import InfeasibleError, InputError
from ecotone.core.plan import Assignment, decode_plan, encode_plan, plan_differences
from ecotone.orchestration.performance import sampled_model
from ecotone.orchestration.performance.samples import CoresSamples, Samples, VariantSamples
from ecotone.orchestration.placement import ComponentExplanation, Goal, explain, plan
from ecotone.orchestration.placement.evaluate import Evaluator
from ecotone.orchestration.placement.problem import compile_problem

NODE = NodeType(name="n", cores=8)


def parallel(name: str, one_s: float, *, serial: float = 0.0, counts: tuple[int, ...] = (1, 2)) -> VariantSamples:
    """A call takes `one_s` on one core, of which the share `serial` is so on any number."""
    found = measured(name, one_s, spread=0.0, count=20)

    def wall_s(cores: int) -> tuple[float, ...]:
        return (one_s * (serial + (1.0 - serial) / cores),) * 20

    least, *more = counts
    return msgspec.structs.replace(
        found,
        cores=least,
        cpu_s=(one_s,) * 20,
        wall_s=wall_s(least),
        by_cores=tuple(
            CoresSamples(cores=each, cpu_s=(one_s,) * 20, wall_s=wall_s(each), memory_peak_bytes=50e6 * each)
            for each in more
        ),
    )


def application(cores: tuple[int, int], *, promise_s: float | None = None, cell: Cell | None = None) -> Application:
    path = PathPromise(components=("camera", "work"), latency=LatencyPromise(latency_max_s=promise_s or 1.0))
    work = after("work", "camera", cores=cores, cell=cell, kind="cell" if cell else "python")
    return Application(
        name="wide", components=(camera(period_s=0.5), work), paths=(path,) if promise_s is not None else ()
    )


def samples(work: VariantSamples) -> Samples:
    return samples_of(measured("camera", 0.001, spread=0.0), work)


def nodes(**cores: int) -> Continuum:
    """One site; a node costs a cent for each of its cores."""
    types = tuple(
        NodeType(name=name, cores=count, price_eur_per_h=0.01 * count, power=Power(idle_w=1.0, busy_w=1.0 + count))
        for name, count in cores.items()
    )
    return Continuum(name="room", sites=(Site(name="room", layer="edge", node_types=types),), emulated=False)


def model_of(found: VariantSamples, cores: tuple[int, int] = (1, 8), cell: Cell | None = None):
    work = after("work", "camera", cores=cores, cell=cell)
    return sampled_model(Application(name="x", components=(camera(), work)), samples(found))


def test_what_was_measured_is_taken_as_it_is() -> None:
    model = model_of(parallel("work", 0.08, serial=0.25))
    assert model.service("work", "default", NODE, 1).value == pytest.approx(0.08)
    assert model.service("work", "default", NODE, 2).value == pytest.approx(0.05)
    assert model.extrapolated_from("work", "default", 2) == ()
    assert model.cpu_s("work", "default", NODE, 2) == pytest.approx(0.08)
    assert model.held_s("work", "default", NODE, 2) == pytest.approx(2 * 0.05)  # one of the two idles at times
    component = after("work", "camera")
    assert model.memory_bytes(component, "default", 2) - model.memory_bytes(component, "default", 1) == 50e6


def test_other_counts_follow_the_law_of_amdahl_and_say_so() -> None:
    model = model_of(parallel("work", 0.08, serial=0.25))
    found = {cores: model.service("work", "default", NODE, cores) for cores in (2, 4, 8)}
    assert found[4].value == pytest.approx(0.08 * (0.25 + 0.75 / 4))
    assert found[8].value == pytest.approx(0.08 * (0.25 + 0.75 / 8))
    assert model.extrapolated_from("work", "default", 8) == (1, 2)
    widths = [each.high / each.value for each in found.values()]
    assert widths == sorted(widths)
    assert len(set(widths)) == 3


def test_from_a_single_count_more_cores_bring_nothing_and_fewer_cost_as_much_as_they_can() -> None:
    model = model_of(parallel("work", 0.08, counts=(2,)))
    assert model.service("work", "default", NODE, 8).value == pytest.approx(0.04)
    assert model.service("work", "default", NODE, 1).value == pytest.approx(0.08)
    assert model.extrapolated_from("work", "default", 1) == (2,)


def test_parts_of_the_law_are_never_negative() -> None:
    found = parallel("work", 0.08)
    slower = msgspec.structs.replace(found.by_cores[0], wall_s=(0.1,) * 20, cpu_s=(0.2,) * 20)
    model = model_of(msgspec.structs.replace(found, by_cores=(slower,)))
    assert 0.08 <= model.service("work", "default", NODE, 8).value <= 0.1
    faster = msgspec.structs.replace(found.by_cores[0], wall_s=(0.02,) * 20)  # twice as many cores, a quarter
    model = model_of(msgspec.structs.replace(found, by_cores=(faster,)))
    assert 0.0 < model.service("work", "default", NODE, 8).value < 0.02


def test_a_cell_of_two_ranks_holds_two_cores_and_is_as_fast_as_it_was() -> None:
    """Its CPU time is that of both ranks, which is not how long it takes."""
    found = msgspec.structs.replace(measured("work", 0.2, spread=0.0), wall_s=(0.1,) * 60)
    model = model_of(found, (1, 1), Cell(file="x.cell", ranks=2))
    assert model.service("work", "default", NODE).value == pytest.approx(0.1)
    assert model.cpu_s("work", "default", NODE) == pytest.approx(0.2)
    assert model.held_s("work", "default", NODE) == pytest.approx(0.2)


def test_broken_samples_of_a_count_are_told() -> None:
    found = parallel("work", 0.08)
    broken = msgspec.structs.replace(found, by_cores=(msgspec.structs.replace(found.by_cores[0], wall_s=(0.1,)),))
    with pytest.raises(InputError, match=r"work.*with 2 cores.*profile it again"):
        model_of(broken)


def test_more_cores_are_taken_where_a_promise_needs_them() -> None:
    found = samples(parallel("work", 0.08, counts=(1, 2, 4)))
    where = nodes(small=2, large=4)
    slow = plan(application((1, 4), promise_s=0.15), where, found)
    fast = plan(application((1, 4), promise_s=0.03), where, found)
    assert [(each.node, each.cores) for each in slow.assignments_of("work")] == [("small", 2)]
    assert [(each.node, each.cores) for each in fast.assignments_of("work")] == [("large", 4)]
    assert fast.cost_eur_per_h == pytest.approx(0.04)
    assert fast.optimal
    assert decode_plan(encode_plan(fast)).assignments == fast.assignments
    assert any("work changes" in each and "large, 4 cores" in each for each in plan_differences(slow, fast))


def test_the_least_power_takes_fewer_cores_where_threads_cost_something() -> None:
    work = parallel("work", 0.08, counts=(1, 2))
    spins = msgspec.structs.replace(work.by_cores[0], cpu_s=(0.16,) * 20)
    found = samples(msgspec.structs.replace(work, by_cores=(spins,)))
    chosen = plan(application((1, 2)), nodes(n=2), found, goal=Goal(minimise="power"))
    assert [each.cores for each in chosen.assignments_of("work")] == [1]


def test_extrapolated_times_are_in_the_notes() -> None:
    chosen = plan(application((4, 4)), nodes(n=4), samples(parallel("work", 0.08)))
    assert [each for each in chosen.notes if "Amdahl" in each] == [
        "work: its times with 4 cores are extrapolated by Amdahl's law from calls with 1 and 2; to measure them, "
        "profile on a machine that has as many"
    ]


def test_that_it_was_measured_on_too_few_cores_is_in_the_notes() -> None:
    few = msgspec.structs.replace(measured("work", 0.08, spread=0.0), cramped=2)
    chosen = plan(application((1, 1), cell=Cell(file="x.cell", ranks=4)), nodes(n=4), samples(few))
    assert [each for each in chosen.notes if "fewer" in each] == [
        "work: it was measured on a machine of 2 cores, fewer than it uses at once, and is faster where it has them"
    ]


def test_no_node_with_enough_cores_is_a_conflict_with_a_reason() -> None:
    with pytest.raises(InfeasibleError) as raised:
        plan(application((4, 4)), nodes(n=2), samples(parallel("work", 0.08)))
    assert raised.value.conflict == ("work uses 4 cores at once in each replica",)
    assert "give up that work uses 4 cores" in raised.value.relaxations[0]


def test_the_ranks_of_a_cell_count() -> None:
    cell = Cell(file="x.cell", ranks=4)
    with pytest.raises(InfeasibleError, match="4 cores at once"):
        plan(application((1, 1), cell=cell), nodes(n=2), samples(measured("work", 0.08)))
    problem = compile_problem(application((1, 2), cell=cell), nodes(n=4), samples(parallel("work", 0.08)))
    assert [option.held for option in problem.options["work"]] == [4]
    assert [each.reason for each in problem.refusals] == ["it uses 8 cores at once (4 ranks with 2 each), n has 4"]


def judged(rows: list[Assignment], component: Component | None = None, cores: int = 4) -> list[str]:
    chosen = application((1, 4))
    if component is not None:
        chosen = msgspec.structs.replace(chosen, components=(chosen.components[0], component))
    problem = compile_problem(chosen, nodes(n=cores), samples(parallel("work", 0.08)))
    camera_row = Assignment(component="camera", variant="default", node="n")
    return [each.message for each in Evaluator(problem).evaluate([camera_row, *rows]).violations]


def row(cores: int, replicas: int = 1) -> Assignment:
    return Assignment(component="work", variant="default", node="n", replicas=replicas, cores=cores)


def test_the_judge_refuses_cores_that_are_not_there() -> None:
    assert judged([row(4)]) == []
    assert judged([row(2, replicas=2)]) == []
    assert judged([row(2, replicas=3)]) == ["work: 3 replicas with 2 cores each on n, which has 4 cores"]
    assert judged([row(4)], cores=2) == ["work: each replica uses 4 cores at once, n has 2"]
    assert judged([row(8)], cores=8) == ["work: 8 cores, it can use 1 to 4"]
    assert judged([row(0)]) == ["0 cores on n"]


def test_explain_says_what_fewer_and_more_would_cost_or_break() -> None:
    chosen, where = application((1, 4), promise_s=0.06), nodes(small=2, large=4)
    found = samples(parallel("work", 0.08))
    best = plan(chosen, where, found)
    assert [(each.node, each.cores) for each in best.assignments_of("work")] == [("small", 2)]
    explained = explain(chosen, where, found, best)
    work: ComponentExplanation = next(each for each in explained.components if each.component == "work")
    one, two, four = work.cores
    assert (one.cores, one.chosen, one.cost_eur_per_h, one.searched) == (1, False, None, True)
    assert any("camera -> work: p95 would be" in each for each in one.breaks)
    assert (two.chosen, two.extra_eur_per_h) == (True, 0.0)
    assert (four.chosen, four.measured) == (False, False)
    assert four.extra_eur_per_h == pytest.approx(0.02)
    assert any("uses 4 cores at once, small has 2" in each for each in four.breaks)
    assert four.paths_s[0] < two.paths_s[0]
    camera_: ComponentExplanation = next(each for each in explained.components if each.component == "camera")
    assert camera_.cores == ()


def test_two_that_hold_all_cores_of_a_node_take_turns_and_on_a_larger_one_do_not() -> None:
    """Judge and simulation agree: so much of the node is held, and who comes second waits for a call."""
    both = Application(
        name="turns",
        components=(
            camera(period_s=0.5),
            after("work", "camera", cores=(1, 2)),
            after("other", "camera", cores=(1, 2)),
        ),
    )
    found = samples_of(measured("camera", 0.001, spread=0.0), *(parallel(name, 0.08) for name in ("work", "other")))
    waits: dict[int, float] = {}
    for cores in (2, 4):
        rows = [Assignment(component=name, variant="default", node="n", cores=2) for name in ("work", "other")]
        rows.append(Assignment(component="camera", variant="default", node="n"))
        judged_ = Evaluator(compile_problem(both, nodes(n=cores), found)).evaluate(rows)
        assert judged_.feasible
        assert judged_.timing is not None
        assert judged_.nodes[0].utilisation == pytest.approx((2 * 2 * 0.04 + 0.001) / 0.5 / cores)
        waits[cores] = sum(judged_.timing.of(name).waiting_mean_s for name in ("work", "other"))
    assert waits[4] == pytest.approx(0.0, abs=1e-9)
    assert waits[2] == pytest.approx(0.04, abs=0.003)  # hops differ by that
