"""Every annotation is a constraint: the judge names what breaks it, and the compiler refuses where nothing can help."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.applications import after, camera, continuum, measured, samples_of

from ecotone.core.application import Accelerator, Application, Component, LatencyPromise, Requirements, State
from ecotone.core.continuum import Continuum, Device, Trust
from ecotone.core.plan import Assignment
from ecotone.orchestration.placement import Evaluator, Violation, compile_problem, plan


def broken(
    requirements: Requirements, *, where: Continuum | None = None, replicas: int = 1, node: str = "edge",
    **component: object,
) -> list[Violation]:  # fmt: skip
    """What the judge says of `work` on `node` behind a camera on the device."""
    components = (camera(), after("work", "camera", requirements=requirements, variants=("v",), **component))
    samples = samples_of(
        measured("camera", 0.001, output_bytes=20_000),
        measured("work", 0.01, variant="v", accuracy=0.8, memory_bytes=300e6),
    )
    problem = compile_problem(Application(name="x", components=components), where or continuum(), samples)
    rows = [
        Assignment(component="camera", variant="default", node="device"),
        Assignment(component="work", variant="v", node=node, replicas=replicas),
    ]
    return list(Evaluator(problem).evaluate(rows).violations)


def attested(where: Continuum) -> Continuum:
    sites = tuple(msgspec.structs.replace(site, trust=Trust(attested=True)) for site in where.sites)
    return msgspec.structs.replace(where, sites=sites)


def with_edge(**changes: object) -> Continuum:
    """The usual continuum with another edge node."""
    where = continuum()
    sites = tuple(
        msgspec.structs.replace(
            site, node_types=tuple(msgspec.structs.replace(kind, **changes) for kind in site.node_types)
        )
        if site.name == "cabinet"
        else site
        for site in where.sites
    )
    return msgspec.structs.replace(where, sites=sites)


def test_nothing_asked_is_nothing_broken() -> None:
    assert broken(Requirements()) == []


@pytest.mark.parametrize(
    ("requirements", "what"),
    [
        (Requirements(layers=("cloud",)), "layers"),
        (Requirements(regions=("us-*",)), "regions"),
        (Requirements(labels={"disk": "ssd"}), "labels"),
        (Requirements(confidential=True), "confidential"),
        (Requirements(private=("device",)), "private"),
        (Requirements(accelerators=(Accelerator(kind="gpu"),)), "accelerators"),
        (Requirements(memory_bytes=5 * 2.0**30), "memory"),
        (Requirements(energy_max_j=0.1), "energy"),
        (Requirements(accuracy_min=0.9), "accuracy"),
        (Requirements(throughput_min_per_s=95.0), "throughput"),
        (Requirements(latency=LatencyPromise(latency_max_s=0.005)), "latency"),
    ],
)
def test_each_requirement_is_named_when_it_is_broken(requirements: Requirements, what: str) -> None:
    found = broken(requirements)
    assert what in {violation.what for violation in found}
    message = next(violation.message for violation in found if violation.what == what)
    assert message.startswith(("work", "edge"))


@pytest.mark.parametrize(
    ("requirements", "where"),
    [
        (Requirements(layers=("cloud", "edge")), continuum()),
        (Requirements(regions=("us-*", "eu-*")), continuum()),
        (Requirements(regions=("eu-south",)), continuum()),
        (Requirements(labels={"disk": "ssd"}), with_edge(labels={"disk": "ssd"})),
        (Requirements(confidential=True), attested(continuum())),
        (Requirements(private=("device", "edge")), continuum()),
        (Requirements(accelerators=(Accelerator(kind="gpu", memory_bytes=4e9),)),
         with_edge(devices=(Device(kind="gpu", memory_bytes=8e9),))),
        (Requirements(memory_bytes=3 * 2.0**30), continuum()),
        (Requirements(energy_max_j=0.2), continuum()),
        (Requirements(accuracy_min=0.8), continuum()),
        (Requirements(throughput_min_per_s=85.0), continuum()),
        (Requirements(latency=LatencyPromise(latency_max_s=0.02)), continuum()),
    ],
)  # fmt: skip
def test_each_requirement_is_silent_when_it_is_kept(requirements: Requirements, where: Continuum) -> None:
    assert broken(requirements, where=where) == []


def test_devices_are_counted_for_each_replica_and_by_memory() -> None:
    two = with_edge(
        devices=(Device(kind="gpu", count=1, memory_bytes=8e9), Device(kind="gpu", count=1, memory_bytes=2e9))
    )
    small, large = (Requirements(accelerators=(Accelerator(kind="gpu", memory_bytes=size),)) for size in (1e9, 4e9))
    assert broken(small, where=two, replicas=2) == []
    assert [violation.what for violation in broken(large, where=two, replicas=2)] == ["accelerators"]


def test_replicas_are_limited_by_cores_annotation_and_state() -> None:
    assert {v.what for v in broken(Requirements(), replicas=3)} == {"replicas"}
    assert {v.what for v in broken(Requirements(replicas_max=1), replicas=2)} == {"replicas"}
    assert {v.what for v in broken(Requirements(), replicas=2, state=State())} == {"replicas"}


def test_what_derives_from_private_data_is_private_until_it_is_released() -> None:
    secret = camera(private=("device", "edge"))
    samples = samples_of(*(measured(name, 0.001) for name in ("camera", "blur", "count")))

    def judged(blur: Component) -> set[tuple[str, str]]:
        problem = compile_problem(
            Application(name="x", components=(secret, blur, after("count", "blur"))), continuum(), samples
        )
        rows = [
            Assignment(component=name, variant="default", node=node)
            for name, node in (("camera", "device"), ("blur", "edge"), ("count", "cloud"))
        ]
        return {(violation.subject, violation.what) for violation in Evaluator(problem).evaluate(rows).violations}

    assert judged(after("blur", "camera")) == {("count", "private")}
    assert judged(after("blur", "camera", requirements=Requirements(releases=True))) == set()


def test_nodes_and_links_are_not_overloaded() -> None:
    components = (camera(period_s=0.02), *(after(name, "camera") for name in "abc"))
    samples = samples_of(measured("camera", 0.001, output_bytes=400_000), *(measured(name, 0.015) for name in "abc"))
    problem = compile_problem(Application(name="x", components=components), continuum(), samples)
    rows = [Assignment(component=name, variant="default", node="edge") for name in "abc"]
    found = Evaluator(problem).evaluate([Assignment(component="camera", variant="default", node="device"), *rows])
    assert ("edge", "cores") in {(violation.subject, violation.what) for violation in found.violations}
    away = [msgspec.structs.replace(row, node="cloud") for row in rows]
    found = Evaluator(problem).evaluate([Assignment(component="camera", variant="default", node="device"), *away])
    assert {violation.what for violation in found.violations} == {"bandwidth"}


def test_memory_of_a_node_is_shared() -> None:
    components = (camera(), after("a", "camera"), after("b", "camera"))
    samples = samples_of(measured("camera", 0.001), *(measured(name, 0.001, memory_bytes=600e6) for name in "ab"))
    problem = compile_problem(Application(name="x", components=components), continuum(), samples)
    rows = [Assignment(component=name, variant="default", node="device") for name in ("camera", "a", "b")]
    assert [violation.what for violation in Evaluator(problem).evaluate(rows).violations] == ["memory"]


def test_an_assignment_that_means_nothing_is_judged_without_times() -> None:
    components = (camera(), after("a", "camera"))
    samples = samples_of(measured("camera", 0.001), measured("a", 0.001))
    problem = compile_problem(Application(name="x", components=components), continuum(), samples)
    rows = [
        Assignment(component="ghost", variant="default", node="edge"),
        Assignment(component="camera", variant="old", node="edge"),
        Assignment(component="camera", variant="default", node="moon", replicas=1),
    ]
    found = Evaluator(problem).evaluate(rows)
    assert found.timing is None
    assert {violation.what for violation in found.violations} == {"component", "variant", "node"}


def test_an_object_is_paid_once_for_each_link_and_receiving_node() -> None:
    components = (camera(), after("a", "camera"), after("b", "camera"))
    samples = samples_of(measured("camera", 0.001, output_bytes=10_000), measured("a", 0.001), measured("b", 0.001))
    where = continuum(edge_price=0.0, device_price=0.0, cloud_price=0.0)
    problem = compile_problem(Application(name="x", components=components), where, samples)

    def cost(a: str, b: str) -> float:
        rows = [
            Assignment(component=name, variant="default", node=node)
            for name, node in (("camera", "device"), ("a", a), ("b", b))
        ]
        return Evaluator(problem).evaluate(rows).cost_eur_per_h

    once = 25 * 10_000 * 3600 * 0.05e-9
    assert cost("cloud", "cloud") == pytest.approx(once)
    assert cost("edge", "cloud") == pytest.approx(once)
    assert cost("edge", "edge") == 0.0


def test_the_planner_heeds_every_rule() -> None:
    """The same rules, end to end: each moves the work to the only place that keeps it."""
    samples = samples_of(measured("camera", 0.001), measured("work", 0.01))
    rules = {
        "edge": Requirements(layers=("edge",)),
        "cloud": Requirements(regions=("eu-w*",)),
        "device": Requirements(energy_max_j=0.1),
    }
    for node, requirements in rules.items():
        components = (camera(), after("work", "camera", requirements=requirements))
        found = plan(Application(name="x", components=components), continuum(device_price=0.5), samples)
        assert found.assignments_of("work")[0].node == node
