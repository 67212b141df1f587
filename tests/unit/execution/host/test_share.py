"""What an instance makes of its deployment."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecotone.core.application import (
    Application,
    Batching,
    Component,
    LatencyPromise,
    PathPromise,
    Requirements,
    State,
    Trigger,
)
from ecotone.core.continuum import Continuum, Link, NodeType, Site, Trust
from ecotone.core.messages import Deployment, WantedInstance
from ecotone.core.plan import Assignment, ComponentPrediction, Plan
from ecotone.execution.host import share

CONTINUUM = Continuum(
    name="c",
    sites=(
        Site(name="edge", layer="edge", node_types=(NodeType(name="e", cores=2, speed=0.5),)),
        Site(name="cloud", layer="cloud", trust=Trust(attested=True), node_types=(NodeType(name="c", speed=2.0),)),
    ),
    links=(Link(between=("edge", "cloud"), latency_s=0.1),),
)


def component(name: str, *inputs: str, kind: str = "data", **fields: Any) -> Component:
    trigger = Trigger(kind=kind if inputs else "source", inputs=inputs, join_key=fields.pop("join_key", None))  # pyright: ignore
    return Component(name=name, target=name, trigger=trigger, **fields)


def deployment(*components: Component, where: dict[str, tuple[str, int]] | None = None, **fields: Any) -> Deployment:
    places = {each.name: ("e", 1) for each in components} | (where or {})
    plan = Plan(
        application="a",
        continuum="c",
        fingerprint="",
        assignments=tuple(
            Assignment(component=name, variant="default", node=node, replicas=replicas)
            for name, (node, replicas) in places.items()
        ),
        components=tuple(
            ComponentPrediction(
                component=each.name, rate_per_s=50.0, service_mean_s=0.0, predicted_p50_s=0.0, predicted_p95_s=0.0,
                low_s=0.0, high_s=0.0, utilisation=0.0, memory_bytes=0.0, energy_j=0.0,
            )
            for each in components
        ),
        cost_eur_per_h=0.0,
        lower_bound_eur_per_h=0.0,
        optimal=True,
        gap=0.0,
    )  # fmt: skip
    application = Application(name="a", components=components, paths=fields.pop("paths", ()))
    return Deployment(run="r", application=application, continuum=CONTINUUM, plan=plan, root="", module="app", **fields)


def refused(made: Deployment, *names: str, node: str) -> str | None:
    wanted = WantedInstance(id="x", components=names, variants=("default",) * len(names))
    return share.refusal(made, wanted, node)


def test_private_data_stays_in_its_layers_until_it_is_released() -> None:
    private = Requirements(private=("device", "edge"))
    made = deployment(
        component("camera", requirements=private),
        component("crop", "camera"),
        component("blur", "crop", requirements=Requirements(releases=True)),
        component("show", "blur"),
    )
    assert refused(made, "camera", node="e") is None
    assert "camera makes private data, which may be in device or edge only" in str(refused(made, "camera", node="c"))
    assert "crop takes the private output of camera" in str(refused(made, "crop", node="c"))
    assert "blur takes the private output of crop" in str(refused(made, "blur", node="c"))
    assert refused(made, "show", node="c") is None
    assert "crop takes" in str(refused(made, "camera", "crop", node="c")) or refused(made, "camera", "crop", node="c")


def test_confidential_components_need_an_attested_site() -> None:
    made = deployment(component("a", requirements=Requirements(confidential=True)))
    assert refused(made, "a", node="c") is None
    assert "does not declare itself attested" in str(refused(made, "a", node="e"))


@pytest.mark.parametrize(
    "follower",
    [
        component("b", "a", kind="every"),
        component("b", "a", "other", join_key="k"),
        component("b", "a", "other"),
        component("b", "a", batching=Batching(items_max=2)),
        component("b", "a", state=State()),
    ],
)
def test_only_plain_stateless_neighbours_share_a_host(follower: Component) -> None:
    made = deployment(component("a"), component("other"), follower)
    assert "cannot share the host of a" in str(refused(made, "a", "b", node="e"))


def test_speed_and_cores_of_a_node() -> None:
    made = deployment(component("a"), component("b", "a"), where={"b": ("c", 3)})
    assert (share.node_speed(made, "e"), share.node_speed(made, "c")) == (0.5, 1.0)
    assert (share.cores_contended(made, "e"), share.cores_contended(made, "c")) == (0, 1)
    assert share.node_speed(deployment(component("a"), machine_score=0.5), "e") == 1.0


def test_replicas_with_several_cores_contend_sooner() -> None:
    made = deployment(component("a"), component("b", "a", cores=(1, 4)), where={"b": ("c", 1)})
    rows = tuple(
        msgspec.structs.replace(row, cores=2) if row.component == "b" else row for row in made.plan.assignments
    )
    wide = msgspec.structs.replace(made, plan=msgspec.structs.replace(made.plan, assignments=rows))
    assert (share.cores_contended(made, "c"), share.cores_contended(wide, "c")) == (0, 1)
    assert (share.cores_of(wide, "a", "e"), share.cores_of(wide, "b", "c")) == (1, 2)


def test_objects_cross_once_where_two_components_take_them() -> None:
    parts = (component("a"), component("b", "a"), component("c", "a"))
    assert share.shares_objects(deployment(*parts), "a", "e")
    assert not share.shares_objects(deployment(*parts, where={"b": ("c", 2)}), "a", "c")


def test_paths_that_begin_and_end() -> None:
    promise = LatencyPromise(latency_max_s=1.0)
    paths = (
        PathPromise(components=("a", "b", "c"), latency=promise),
        PathPromise(components=("c",), latency=promise),
        PathPromise(components=("a", "b"), latency=promise),
    )
    application = deployment(component("a"), component("b", "a"), component("c", "b"), paths=paths).application
    assert [share.starts_path(application, name) for name in "abc"] == [True, False, True]
    assert share.path_ends(application, "c") == ((0, "a", "b"), (1, "c", ""))
    assert share.path_ends(application, "b") == ((2, "a", "a"),)


def test_prefetch_keeps_a_host_busy_and_no_more() -> None:
    camera = component("a", live=True)
    plain, sink = component("a"), component("b", "a")
    assert share.prefetch(deployment(plain, sink), plain, sink, "e") == 8
    assert share.prefetch(deployment(plain, sink, where={"b": ("e", 2)}), plain, sink, "e") == 2
    assert share.prefetch(deployment(camera, sink), camera, sink, "e") == 2
    assert share.prefetch(deployment(camera, sink, where={"b": ("c", 1)}), camera, sink, "c") == 2 + 5
    batched = component("b", "a", batching=Batching(items_max=10))
    assert share.prefetch(deployment(plain, batched), plain, batched, "e") == 20
    stateful = component("b", "a", state=State())
    assert share.prefetch(deployment(plain, stateful), plain, stateful, "e") == 64
    assert share.snapshot_items_max(deployment(plain, stateful).application, stateful) == 16
