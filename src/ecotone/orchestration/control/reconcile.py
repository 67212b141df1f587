"""What a plan means for each node, for the bus, and for the processes that carry it. Plain functions of values.

Called by the controller and by the simulator.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.ids import instance_id
from ecotone.core.messages import DEAD_LETTERS, InstanceStatus, WantedInstance, WantedNode
from ecotone.infrastructure.bus import StreamConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecotone.core.application import Application
    from ecotone.core.messages import Deployment, SeenNode
    from ecotone.core.plan import Plan
    from ecotone.infrastructure.bus import ConsumerState

__all__ = [
    "SOURCES_WAIT_MAX_S",
    "ChildState",
    "Progress",
    "channels_outside",
    "child_died",
    "drain_step",
    "fused_groups",
    "progress",
    "sources",
    "streams_of",
    "wanted_first",
    "wanted_nodes",
    "with_cores",
    "without",
]

SOURCES_WAIT_MAX_S = 5.0
"""How long sources are held back at most while the rest starts: what never starts must not keep the others silent."""
_DEAD_LETTERS_CAPACITY = 10_000
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 5.0
_HEALTHY_AFTER_S = 10.0


def fused_groups(application: Application, plan: Plan) -> tuple[tuple[str, ...], ...]:
    """The plan's groups as they can be run: every member has the same nodes and replicas, and takes nothing but the
    output of the member before it. Others run as separate hosts."""
    groups: list[tuple[str, ...]] = []
    for group in plan.groups:
        where = [{(each.node, each.replicas) for each in plan.assignments_of(name)} for name in group]
        chained = all(application.component(after).trigger.inputs == (before,) for before, after in pairwise(group))
        if len(group) > 1 and chained and all(each == where[0] for each in where):
            groups.append(group)
    return tuple(groups)


def wanted_nodes(deployment: Deployment) -> dict[str, WantedNode]:
    """What should run on every node of the continuum; nodes without work are there, empty."""
    application, plan = deployment.application, deployment.plan
    group_of = {group[0]: group for group in fused_groups(application, plan)}
    behind = {name for group in group_of.values() for name in group[1:]}
    instances: dict[str, list[WantedInstance]] = {node.name: [] for node in deployment.continuum.nodes}
    for assignment in plan.assignments:
        if assignment.component in behind:
            continue
        components = group_of.get(assignment.component, (assignment.component,))
        variants = tuple(_variant(plan, name, assignment.node) for name in components)
        threads = 1 if application.component(assignment.component).cell is not None else assignment.cores
        for replica in range(assignment.replicas):
            wanted = WantedInstance(
                id=instance_id(assignment.component, assignment.node, replica),
                components=components,
                variants=variants,
                replica=replica,
                threads=threads,
            )
            instances.setdefault(assignment.node, []).append(wanted)
    return {node: WantedNode(node=node, instances=tuple(each)) for node, each in instances.items()}


def _variant(plan: Plan, component: str, node: str) -> str:
    return next(each.variant for each in plan.assignments_of(component) if each.node == node)


def sources(application: Application) -> frozenset[str]:
    """The components that make items out of nothing: they stop first when a run drains."""
    return frozenset(
        each.name
        for each in application.components
        if each.trigger.kind == "source" or (each.trigger.kind == "every" and not each.trigger.inputs)
    )


def without(wanted: Mapping[str, WantedNode], components: frozenset[str]) -> dict[str, WantedNode]:
    """The same without the instances whose host begins with one of `components`."""
    return {
        node: msgspec.structs.replace(
            each, instances=tuple(one for one in each.instances if one.components[0] not in components)
        )
        for node, each in wanted.items()
    }


def with_cores(wanted: Mapping[str, WantedNode], cores: Mapping[str, int]) -> dict[str, WantedNode]:
    """The same, but these components have so many cores instead of what was planned."""

    def here(each: WantedNode) -> dict[str, int]:
        names = {name for one in each.instances for name in one.components}
        return {name: count for name, count in cores.items() if name in names}

    return {node: msgspec.structs.replace(each, cores=here(each)) for node, each in wanted.items()}


def wanted_first(application: Application, wanted: Mapping[str, WantedNode]) -> dict[str, WantedNode]:
    """What is started first: all but the sources; everything, when there is nothing else."""
    rest = without(wanted, sources(application))
    return rest if any(each.instances for each in rest.values()) else dict(wanted)


def channels_outside(application: Application, plan: Plan) -> dict[str, tuple[str, ...]]:
    """For each component: the consumers that take its output from its stream, not from inside its own host."""
    groups = fused_groups(application, plan)
    inside = {(before, after) for group in groups for before, after in pairwise(group)}
    return {
        each.name: tuple(name for name in application.consumers(each.name) if (each.name, name) not in inside)
        for each in application.components
    }


def streams_of(deployment: Deployment) -> tuple[StreamConfig, ...]:
    """One stream for every component whose output leaves its host, and one for dead letters, which keeps the newest.
    Those that nobody takes from only count."""
    application = deployment.application
    channels = channels_outside(application, deployment.plan)
    streams = [
        StreamConfig(
            name=component.name,
            consumers=channels[component.name],
            capacity=component.capacity,
            overflow="drop_oldest" if component.live else "reject",
        )
        for component in application.components
        if channels[component.name] or not application.consumers(component.name)
    ]
    dead = StreamConfig(name=DEAD_LETTERS, consumers=("kept",), capacity=_DEAD_LETTERS_CAPACITY, overflow="drop_oldest")
    return (*streams, dead)


def drain_step(
    deployment: Deployment, stopped: frozenset[str], consumers: Mapping[tuple[str, str], ConsumerState]
) -> tuple[bool, frozenset[str]]:
    """How a drain goes on once the sources are stopped: (whether nothing is under way, which components stop now).

    A component that gathers items before it works on them (windows, joins, batches) or that acknowledges with its
    snapshots never comes to rest by waiting: when everything before it is at rest it is stopped, and deals with what
    it has. `consumers` must have been asked for in data order, so that an item cannot slip past.
    """
    channels = channels_outside(deployment.application, deployment.plan)
    for component in deployment.application.in_data_order():
        name = component.name
        states = [consumers.get((each, name)) for each in component.trigger.inputs if name in channels[each]]
        if name in stopped or not any(each and each.pending + each.in_flight for each in states):
            continue
        gathers = (
            component.trigger.kind == "every"
            or component.trigger.join_key is not None
            or component.batching is not None
            or component.state is not None
        )
        if gathers and not any(each and each.pending for each in states):
            return False, frozenset({name})
        return False, frozenset()
    return True, frozenset()


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far what is seen is what is wanted. `unwanted` still run; `troubled` died at least once lately and are
    backing off or failed."""

    wanted: int
    running: int
    troubled: tuple[InstanceStatus, ...]
    missing: tuple[str, ...]
    unwanted: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """Everything that is wanted runs, and nothing else."""
        return self.running == self.wanted and not self.unwanted


def progress(wanted: Mapping[str, WantedNode], seen: Mapping[str, SeenNode]) -> Progress:
    """Compare."""
    targets = {one.id for each in wanted.values() for one in each.instances}
    statuses = {one.id: one for each in seen.values() for one in each.instances}
    done = {name for name, one in statuses.items() if one.phase == "running"}
    return Progress(
        wanted=len(targets),
        running=len(targets & done),
        troubled=tuple(one for one in statuses.values() if one.phase in {"backing_off", "failed"}),
        missing=tuple(sorted(targets - done)),
        unwanted=tuple(sorted(set(statuses) - targets)),
    )


class ChildState(msgspec.Struct, frozen=True, kw_only=True):
    """A process that the controller keeps alive: how often it died in a row, and since when it runs."""

    deaths: int = 0
    started_s: float = 0.0


def child_died(child: ChildState, now_s: float) -> tuple[ChildState, float]:
    """What is known of it now, and how long to wait before its next start: not at all the first time, then doubling
    from 0.1 s to 5 s; ten seconds of health clear the record."""
    deaths = 1 if now_s - child.started_s >= _HEALTHY_AFTER_S else child.deaths + 1
    delay_s = 0.0 if deaths == 1 else min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2.0 ** (deaths - 2))
    return ChildState(deaths=deaths, started_s=now_s + delay_s), delay_s
