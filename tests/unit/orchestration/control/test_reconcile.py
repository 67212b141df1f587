"""What a plan means for nodes, streams and processes."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.applications import after, camera
from tests.support.deployments import continuum, plan_of

from ecotone.core.application import Application, Batching, Component, Trigger
from ecotone.core.messages import DEAD_LETTERS, Deployment, InstanceStatus, SeenNode
from ecotone.infrastructure.bus import ConsumerState
from ecotone.orchestration.control.reconcile import (
    ChildState,
    channels_outside,
    child_died,
    drain_step,
    fused_groups,
    progress,
    sources,
    streams_of,
    wanted_first,
    wanted_nodes,
    without,
)

REST = ConsumerState(pending=0, in_flight=0, acknowledged_floor=9, redelivered=0)
OPEN = msgspec.structs.replace(REST, in_flight=3)
WAITING = msgspec.structs.replace(REST, pending=3, in_flight=1)


def deployment(*components: Component, groups: tuple[tuple[str, ...], ...] = (), **places: object) -> Deployment:
    application = Application(name="test", components=components)
    plan = plan_of(application, places, groups=groups)
    return Deployment(run="r", application=application, continuum=continuum(), plan=plan, root="/", module="app")


CHAIN = (camera(), after("detect", "camera"), after("blur", "detect"), after("count", "detect"))


def test_every_node_has_its_part() -> None:
    wanted = wanted_nodes(deployment(*CHAIN, detect=("edge-2", 2), count="cloud"))

    assert {node: [each.id for each in one.instances] for node, one in wanted.items()} == {
        "edge-1": ["camera.edge-1.0", "blur.edge-1.0"],
        "edge-2": ["detect.edge-2.0", "detect.edge-2.1"],
        "cloud": ["count.cloud.0"],
    }


def test_sources_and_what_is_fused_behind_them_start_last() -> None:
    plan = deployment(*CHAIN, camera("clock"), groups=(("camera", "detect"),))
    wanted = wanted_nodes(plan)
    first = wanted_first(plan.application, wanted)

    assert set(first) == set(wanted)
    assert [each.id for one in first.values() for each in one.instances] == ["blur.edge-1.0", "count.edge-1.0"]


def test_sources_alone_start_first() -> None:
    plan = deployment(camera(), camera("clock"))
    wanted = wanted_nodes(plan)

    assert wanted_first(plan.application, wanted) == wanted


def test_a_fused_group_is_one_instance() -> None:
    plan = deployment(*CHAIN, groups=(("detect", "blur"),), detect=("edge-2", 2), blur=("edge-2", 2))
    instances = wanted_nodes(plan)["edge-2"].instances

    assert [each.id for each in instances] == ["detect.edge-2.0", "detect.edge-2.1"]
    assert instances[0].components == ("detect", "blur")
    assert instances[0].variants == ("default", "default")


@pytest.mark.parametrize(
    ("group", "places"),
    [
        (("detect", "blur"), {"blur": "edge-2"}),
        (("detect", "blur"), {"blur": ("edge-1", 2)}),
        (("blur", "count"), {}),
        (("detect",), {}),
    ],
    ids=["other node", "other count", "not neighbours", "alone"],
)
def test_a_group_that_cannot_share_a_host_runs_apart(group: tuple[str, ...], places: dict[str, object]) -> None:
    plan = deployment(*CHAIN, groups=(group,), **places)

    assert not fused_groups(plan.application, plan.plan)
    assert sum(len(each.instances) for each in wanted_nodes(plan).values()) == 4 + (("edge-1", 2) in places.values())


def test_streams_have_the_consumers_that_are_outside() -> None:
    plan = deployment(*CHAIN, groups=(("detect", "blur"),))
    streams = {each.name: each for each in streams_of(plan)}

    assert streams["camera"].consumers == ("detect",)
    assert streams["camera"].overflow == "drop_oldest", "it is live"
    assert streams["camera"].capacity == 64
    assert streams["detect"].consumers == ("count",), "blur gets its items inside the host"
    assert streams["detect"].overflow == "reject"
    assert streams["blur"].consumers == (), "nobody takes from it: it only counts"
    assert streams[DEAD_LETTERS].overflow == "drop_oldest"


def test_what_stays_inside_a_host_needs_no_stream() -> None:
    plan = deployment(camera(), after("detect", "camera"), after("blur", "detect"), groups=(("detect", "blur"),))

    assert "detect" not in {each.name for each in streams_of(plan)}
    assert channels_outside(plan.application, plan.plan)["detect"] == ()


def test_sources_are_what_makes_items_out_of_nothing() -> None:
    lines = Component(name="lines", target="lines", trigger=Trigger(kind="source"))
    window = Component(name="window", target="window", trigger=Trigger(kind="every", period_s=1.0, inputs=("lines",)))
    ask = Component(name="ask", target="ask", trigger=Trigger(kind="request"))
    plan = deployment(lines, camera(), window, ask)

    assert sources(plan.application) == {"lines", "camera"}
    left = without(wanted_nodes(plan), sources(plan.application))
    assert [each.id for each in left["edge-1"].instances] == ["window.edge-1.0", "ask.edge-1.0"]


def test_progress() -> None:
    wanted = wanted_nodes(deployment(*CHAIN, count="cloud"))

    def seen(**phases: str) -> dict[str, SeenNode]:
        statuses = [InstanceStatus(id=f"{name}.edge-1.0", phase=phase) for name, phase in phases.items()]  # pyright: ignore
        return {"edge-1": SeenNode(node="edge-1", boot="1", instances=tuple(statuses))}

    half = progress(wanted, seen(camera="running", detect="backing_off", old="running"))
    assert half.wanted == 4
    assert half.running == 1
    assert half.missing == ("blur.edge-1.0", "count.cloud.0", "detect.edge-1.0")
    assert half.unwanted == ("old.edge-1.0",)
    assert [each.id for each in half.troubled] == ["detect.edge-1.0"]
    assert not half.converged

    whole = seen(camera="running", detect="running", blur="running")
    whole["cloud"] = SeenNode(node="cloud", boot="1", instances=(InstanceStatus(id="count.cloud.0", phase="running"),))
    assert progress(wanted, whole).converged


class TestDraining:
    window = Component(name="window", target="window", trigger=Trigger(kind="every", period_s=60, inputs=("detect",)))
    batch = after("batch", "detect", batching=Batching(items_max=8))
    plan = deployment(camera(), after("detect", "camera"), window, batch)
    begun = frozenset({"camera"})

    def states(self, **more: ConsumerState) -> dict[tuple[str, str], ConsumerState]:
        named = {"detect": REST, "window": REST, "batch": REST} | more
        producer = {"detect": "camera", "window": "detect", "batch": "detect"}
        return {(producer[name], name): state for name, state in named.items()}

    def test_at_rest_is_the_end(self) -> None:
        assert drain_step(self.plan, self.begun, self.states()) == (True, frozenset())

    def test_what_is_worked_on_is_waited_for(self) -> None:
        assert drain_step(self.plan, self.begun, self.states(detect=OPEN, window=OPEN)) == (False, frozenset())

    def test_what_gathers_is_stopped_when_all_before_it_is_at_rest(self) -> None:
        assert drain_step(self.plan, self.begun, self.states(window=OPEN)) == (False, {"window"})
        assert drain_step(self.plan, self.begun, self.states(window=WAITING)) == (False, frozenset())

    def test_one_after_the_other(self) -> None:
        stopped = self.begun | {"window"}
        assert drain_step(self.plan, stopped, self.states(window=OPEN, batch=OPEN)) == (False, {"batch"})
        stopped |= {"batch"}
        assert drain_step(self.plan, stopped, self.states(window=OPEN, batch=OPEN)) == (True, frozenset())


def test_a_child_that_dies_again_and_again_is_started_more_and_more_slowly() -> None:
    child, now_s, delays = ChildState(started_s=100.0), 101.0, []
    for _ in range(9):
        child, delay_s = child_died(child, now_s)
        delays.append(round(delay_s, 3))
        now_s += delay_s + 1.0

    assert delays == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert child_died(child, now_s + 10.0)[1] == 0.0, "ten seconds of health clear the record"
