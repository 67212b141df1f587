"""SPACE4AI's files. The published solutions cost and take here what they say; descriptions, mistakes and all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.systems import random_system

from ecotone.core.errors import InputError
from ecotone.design.space4ai import (
    MODES,
    local_name,
    read_space4ai,
    read_space4ai_solution,
    space4ai_description,
    space4ai_solution,
)
from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.model import Placement

if TYPE_CHECKING:
    from ecotone.orchestration.placement.system.evaluate import Judgement
    from ecotone.orchestration.placement.system.model import System

CORPUS = Path(__file__).parents[2] / "corpus" / "space4ai"
RIGHT = CORPUS / "right.json"
PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "placement"
INSTANCES = [f"{kind}/{size}Components/Ins{number}" for kind in ("Light", "Strict") for size in (5, 7, 10)
             for number in range(1, 11)]  # fmt: skip
LOAD_PER_S = 1.8
INCONSISTENT = "Light/7Components/Ins3"
"""Its times are of no number of copies: see below."""


def published(instance: str) -> tuple[System, Judgement, dict[str, Any]]:
    folder = PUBLISHED / instance
    if not folder.is_dir():
        pytest.skip(f"the published instances are not here: {folder}")
    system = read_space4ai(folder / "system_description.json", load_per_s=LOAD_PER_S)
    solution = folder / "best_sol_1.8.json"
    return system, judge(system, read_space4ai_solution(solution, system)), json.loads(solution.read_text())


@pytest.mark.parametrize("instance", INSTANCES)
def test_published_solutions_cost_and_take_what_they_say(instance: str) -> None:
    system, judged, stated = published(instance)
    assert judged.feasible, judged.violations
    assert judged.price_eur_per_h == pytest.approx(float(stated["total_cost"]), rel=1e-12)
    if instance == INCONSISTENT:
        return
    for name, component in stated["components"].items():
        assert judged.times_s[name] == pytest.approx(component["response_time"], rel=1e-12)
        steps = component[judged.placement.deployments[name]]
        found = [step["response_time"] for step in steps.values()]
        assert list(judged.partition_times_s[name]) == pytest.approx(found, rel=1e-12)
    times_s = {each.bound: each.time_s for each in judged.bounds}
    for bound in system.bounds:
        if bound.name in stated["global_constraints"]:
            path_s = stated["global_constraints"][bound.name]["path_response_time"]
            assert times_s[bound.name] == pytest.approx(path_s, rel=1e-12)


def test_one_published_file_counts_the_copies_of_a_resource_differently_in_each_partition() -> None:
    """It states one copy of VM1 at three partitions and two at a fourth: its cost is that of two, its times are as if
    each partition's requests were shared by its own number of copies."""
    system, judged, stated = published(INCONSISTENT)
    flows, busy, services = Flows(system), 0.0, dict[float, float]()
    for component in system.components:
        chosen = judged.placement.deployments[component.name]
        deployment = next(each for each in component.deployments if each.name == chosen)
        for at, resource in enumerate(judged.placement.resources[component.name]):
            if resource != "VM1":
                continue
            partition = deployment.partitions[at]
            step = stated["components"][component.name][chosen][partition.name]
            option = next(each for each in partition.options if each.resource == resource)
            busy += flows.terms(component, deployment, at, option).load / step["computationallayer3"]["VM1"]["number"]
            services[option.service_s] = step["response_time"]
    assert len(services) == 4
    assert [service_s / (1 - busy) for service_s in services] == pytest.approx(list(services.values()), rel=1e-12)
    assert judged.placement.copies["VM1"] == 2


@pytest.mark.parametrize("number", [7, 8, 9, 10])
def test_four_published_instances_are_copies(number: int) -> None:
    copy, _, _ = published(f"Light/7Components/Ins{number}")
    original, _, _ = published(f"Light/5Components/Ins{number}")
    assert copy == original


@pytest.mark.parametrize("instance", INSTANCES[::7])
def test_published_descriptions_are_written_as_they_are_read(instance: str, tmp_path: Path) -> None:
    system, judged, _ = published(instance)
    assert written(system, tmp_path) == system
    assert rewritten(system, judged, tmp_path) == judged.placement


def written(system: System, folder: Path) -> System:
    file = folder / f"{system.name}.json"
    file.write_text(json.dumps(space4ai_description(system)))
    return read_space4ai(file)


def rewritten(system: System, judged: Judgement, folder: Path) -> Placement:
    file = folder / "solution.json"
    file.write_text(json.dumps(space4ai_solution(system, judged, 1.0)))
    return read_space4ai_solution(file, system)


# A description of our own

ON_DRONE_AND_VM = Placement(
    deployments={"c1": "s2", "c2": "s1"},
    resources={"c1": ("Drone1", "VM1"), "c2": ("VM1",)},
    copies={"Drone1": 1, "VM1": 1},
)
AS_FUNCTION = Placement(
    deployments={"c1": "s1", "c2": "s1"}, resources={"c1": ("Drone1",), "c2": ("F1",)}, copies={"Drone1": 1}
)


def test_a_description_is_read() -> None:
    system = read_space4ai(RIGHT)
    assert [component.name for component in system.components] == ["c1", "c2"]
    assert [(each.name, each.kind, each.copies_max) for each in system.resources] == [
        ("Drone1", "edge", 1), ("VM1", "vm", 3), ("VM2", "vm", 2), ("F1", "serverless", 1),
    ]  # fmt: skip
    assert system.rates_per_s == {"c1": 1.0}
    assert system.one_type_layers == {"computationallayer2"}
    assert [(bound.name, bound.components, bound.limit_s) for bound in system.bounds] == [
        (local_name("c1"), ("c1",), 2.0), ("p1", ("c1", "c2"), 4.0),
    ]  # fmt: skip
    assert read_space4ai(RIGHT, load_per_s=2.0).rates_per_s == {"c1": 2.0}


def test_times_are_what_the_formulas_say() -> None:
    judged = judge(read_space4ai(RIGHT), ON_DRONE_AND_VM)
    # Half of the requests leave c1 at the drone: VM1 is asked 0.5/s for 0.1 s and 1/s for 0.5 s, so busy for 55 %.
    network_s = 0.001 + 2 / 1000
    first, second, third = 0.2 / 0.8, 0.1 / 0.45, 0.5 / 0.45
    assert judged.partition_times_s == {"c1": pytest.approx((first, second)), "c2": pytest.approx((third,))}
    assert judged.times_s["c1"] == pytest.approx(first + 0.5 * (network_s + second))
    # On paper all goes on from VM1, where c2 is: half of it did not get there, and takes the network in other modes.
    assert judged.bounds[1].time_s == pytest.approx(judged.times_s["c1"] + third)
    exact = judge(read_space4ai(RIGHT, mode="cpp"), ON_DRONE_AND_VM)
    early_s = 0.5 * (0.001 + 4 / 1000)
    assert exact.bounds[1].time_s == pytest.approx(exact.times_s["c1"] + early_s + third)
    assert judged.price_eur_per_h == 4.5


@pytest.mark.parametrize(("mode", "network_s"), [("published", 0.005), ("cpp", 0.005), ("python", 0.033),
                                                 ("ecotone", 0.033)])  # fmt: skip
def test_modes_differ_in_the_unit_of_bandwidths(mode: Any, network_s: float) -> None:
    flows = Flows(read_space4ai(RIGHT, mode=mode))
    assert flows.delay_s("Drone1", "VM1", 4 * 2.0**20) == pytest.approx(network_s)
    assert flows.system.semantics == MODES[mode].semantics


def test_a_solution_is_read_as_it_was_written(tmp_path: Path) -> None:
    system = read_space4ai(RIGHT)
    for placement in (ON_DRONE_AND_VM, AS_FUNCTION):
        judged = judge(system, placement)
        assert rewritten(system, judged, tmp_path) == placement


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("components", "c9", {}), [("unknown-component", "c9")]),
        (("components", "c1", None), [("missing-key", "c1 is placed nowhere")]),
        (("components.c1", "s9", {}), [("unknown-deployment", "s9"), ("wrong-length", "2 deployments")]),
        (("components.c1.s2", "h9", {}), [("unknown-partition", "h9")]),
        (("components.c1.s2", "h3", None), [("missing-key", "h3 is placed nowhere")]),
        (("components.c1.s2.h3", "computationallayer2", None), [("wrong-length", "on 0 resources")]),
        (("components.c1.s2.h3.computationallayer2", "VM2", {"number": 1}), [("wrong-length", "on 2 resources")]),
        (("components.c1.s2.h2", "computationallayer1", {"Drone9": {"number": 1}}), [("unknown-resource", "Drone9")]),
        (("components.c1.s2.h2", "computationallayer1", [1]), [("wrong-type", "is a list"), ("wrong-length", "")]),
        (("components.c1.s2.h2.computationallayer1", "Drone1", 1), [("wrong-type", "is 1")]),
        (("components.c1.s2.h2.computationallayer1.Drone1", "number", None), [("missing-figure", "is missing")]),
        (("components.c1.s2.h2.computationallayer1.Drone1", "number", 0), [("out-of-range", "above 0")]),
        (("components.c1.s2.h2.computationallayer1.Drone1", "number", 1.5), [("wrong-type", "whole number")]),
        (("components.c1.s2.h2.computationallayer1.Drone1", "number", True), [("wrong-type", "is true")]),
        (("components", "c1", []), [("wrong-type", "is a list")]),
        (("", "components", 3), [("wrong-type", "is 3"), ("missing-key", ""), ("missing-key", "")]),
        (("", "components", None), [("missing-key", "this holds no placement")]),
    ],
)  # fmt: skip
def test_mistakes_of_solutions_are_found(change: Any, found: list[tuple[str, str]], tmp_path: Path) -> None:
    system = read_space4ai(RIGHT)
    document = space4ai_solution(system, judge(system, ON_DRONE_AND_VM), 1.0)
    path, key, value = change
    inside: Any = document
    for step in filter(None, path.split(".")):
        inside = inside[step]
    if value is None:
        del inside[key]
    else:
        inside[key] = value
    file = tmp_path / "solution.json"
    file.write_text(json.dumps(document, indent=1))
    with pytest.raises(InputError) as caught:
        read_space4ai_solution(file, system)
    problems = caught.value.problems
    assert sorted(each.code for each in problems) == sorted(code for code, _ in found)
    assert all(any(text in each.message for each in problems if each.code == code) for code, text in found)
    assert all(each.place.line and each.place.column for each in problems)


@pytest.mark.parametrize("text", ["", "[]", "{", "3", "null", '{"feasible": false, "Lambda": 1}'])
def test_what_is_no_solution_is_told(text: str, tmp_path: Path) -> None:
    file = tmp_path / "solution.json"
    file.write_text(text)
    with pytest.raises(InputError):
        read_space4ai_solution(file, read_space4ai(RIGHT))


def test_a_layer_that_is_another_one_is_told(tmp_path: Path) -> None:
    system = read_space4ai(RIGHT)
    text = json.dumps(space4ai_solution(system, judge(system, AS_FUNCTION), 1.0))
    file = tmp_path / "solution.json"
    file.write_text(text.replace("computationallayer3", "computationallayer2"))
    with pytest.raises(InputError, match="1 mistake") as caught:
        read_space4ai_solution(file, system)
    assert "F1 is in the layer computationallayer3" in caught.value.problems[0].message


def test_a_description_is_written_as_it_was_read(tmp_path: Path) -> None:
    file = tmp_path / "right.json"
    file.write_text(json.dumps(space4ai_description(read_space4ai(RIGHT))))
    assert read_space4ai(file) == read_space4ai(RIGHT)


@pytest.mark.parametrize("strictness", ["strict", "light"])
@pytest.mark.parametrize("components", [5, 7, 15])
def test_generated_systems_can_be_written(components: int, strictness: Any, tmp_path: Path) -> None:
    system = generate(components, seed=3, strictness=strictness)
    assert written(system, tmp_path) == system


def test_what_the_format_cannot_say_is_refused() -> None:
    with pytest.raises(InputError, match="cannot describe random-1: "):
        space4ai_description(random_system(1))


def test_components_that_nothing_follows_may_be_left_out_of_the_graph(tmp_path: Path) -> None:
    document = json.loads(RIGHT.read_text())
    del document["DirectedAcyclicGraph"]["c2"]
    file = tmp_path / "right.json"
    file.write_text(json.dumps(document))
    assert read_space4ai(file) == read_space4ai(RIGHT)


def test_components_keep_their_order_if_it_is_one(tmp_path: Path) -> None:
    document = json.loads(RIGHT.read_text())
    graph = document["DirectedAcyclicGraph"]
    document["DirectedAcyclicGraph"] = {"c2": graph["c2"], "c1": graph["c1"]}
    file = tmp_path / "right.json"
    file.write_text(json.dumps(document))
    assert [component.name for component in read_space4ai(file).components] == ["c1", "c2"]
