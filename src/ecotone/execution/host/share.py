"""What one instance makes of the deployment: its own share, as plain functions. Called once at a host's start."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ecotone.execution.host.emulation import relative_speed
from ecotone.execution.host.stages import PathEnd
from ecotone.execution.host.triggers import JOIN_HELD_MAX

if TYPE_CHECKING:
    from ecotone.core.application import Application, Component
    from ecotone.core.messages import Deployment, WantedInstance

__all__ = [
    "cores_contended",
    "cores_of",
    "node_speed",
    "path_ends",
    "prefetch",
    "refusal",
    "shares_objects",
    "snapshot_items_max",
    "starts_path",
]

_AHEAD = 8  # enough to hide the way to the bus and back
_AHEAD_LIVE = 2  # what waits here gets old and can no longer be dropped
_AHEAD_WINDOW = 1024
_AHEAD_SNAPSHOT = 64
_TRANSIT_MAX = 32


def refusal(deployment: Deployment, instance: WantedInstance, node: str) -> str | None:
    """Why this instance must not run on this node; None when it may.

    Whatever is derived from private data stays in the layers it is bound to, until a component releases it. Placement
    sees to that; this is the second lock.
    """
    application = deployment.application
    where = deployment.continuum.node(node)
    private = application.private_layers()
    for name in instance.components:
        component = application.component(name)
        for producer in component.trigger.inputs:
            if producer in private and where.layer not in private[producer]:
                return _private(name, f"takes the private output of {producer}", node, where.layer, private[producer])
        if name in private and where.layer not in private[name]:
            return _private(name, "makes private data", node, where.layer, private[name])
        if component.requirements.confidential and not where.attested:
            return f"{name} is confidential and {node} is at a site that does not declare itself attested"
    for name in instance.components[1:]:
        trigger = application.component(name).trigger
        fits = trigger.kind == "data" and trigger.join_key is None and set(trigger.inputs) <= set(instance.components)
        if not fits or application.component(name).batching is not None or application.component(name).state:
            return f"{name} cannot share the host of {instance.components[0]}: only plain stateless neighbours can"
    return None


def _private(name: str, what: str, node: str, layer: str, allowed: frozenset[str]) -> str:
    layers = " or ".join(sorted(allowed)) or "no layer at all"
    return f"{name} {what}, which may be in {layers} only; {node} is in the {layer} layer"


def node_speed(deployment: Deployment, node: str) -> float:
    """The node's speed as a fraction of this machine's."""
    if not deployment.continuum.emulated:
        return 1.0
    return relative_speed(deployment.continuum.node(node).type.speed, deployment.machine_score)


def cores_contended(deployment: Deployment, node: str) -> int:
    """The node's cores if the instances that are planned on it could hold more than it has, else 0: then nobody needs
    to queue. Cells may get more while they run."""
    if not deployment.continuum.emulated:
        return 0
    cores = deployment.continuum.node(node).type.cores
    planned = 0
    for each in deployment.plan.assignments:
        if each.node == node:
            component = deployment.application.component(each.component)
            planned += each.replicas * component.held(each.cores if component.cell is None else component.cores[1])
    return cores if planned > cores else 0


def cores_of(deployment: Deployment, component: str, node: str) -> int:
    """How many the plan gives a replica of `component` on `node`."""
    here = (each.cores for each in deployment.plan.assignments_of(component) if each.node == node)
    return max(here, default=1)


def shares_objects(deployment: Deployment, producer: str, node: str) -> bool:
    """Whether several components on `node` take what `producer` emits, so that an object crosses a link once for
    all of them."""
    consumers = deployment.application.consumers(producer)
    return len({each.component for each in deployment.plan.assignments if each.node == node} & set(consumers)) > 1


def starts_path(application: Application, component: str) -> bool:
    """Whether a promised path begins with the component."""
    return any(path.components[0] == component for path in application.paths)


def path_ends(application: Application, component: str) -> tuple[PathEnd, ...]:
    """The promised paths that end with the component."""
    return tuple(
        PathEnd(number, path.components[0], path.components[-2] if len(path.components) > 1 else "")
        for number, path in enumerate(application.paths)
        if path.components[-1] == component
    )


def keeps_snapshots(component: Component) -> bool:
    """Whether its author asked for snapshots."""
    return component.state is not None and component.state.snapshot_every_s is not None


def prefetch(deployment: Deployment, producer: Component, consumer: Component, node: str) -> int:
    """How many deliveries of one channel a host may hold: enough to keep it busy, no more than must wait elsewhere."""
    if consumer.trigger.kind == "every":
        return _AHEAD_WINDOW
    if consumer.trigger.join_key is not None and len(consumer.trigger.inputs) > 1:
        return 2 * JOIN_HELD_MAX
    if keeps_snapshots(consumer):
        return _AHEAD_SNAPSHOT
    replicas = sum(each.replicas for each in deployment.plan.assignments_of(consumer.name))
    ahead = _AHEAD_LIVE if producer.live or replicas > 1 else _AHEAD
    if consumer.batching is not None:
        ahead = consumer.batching.items_max * (1 if replicas > 1 else 2)
    return ahead + _in_transit(deployment, producer.name, node)


def _in_transit(deployment: Deployment, producer: str, node: str) -> int:
    """Items that are on emulated links at any time: they are delivered, but have not arrived."""
    continuum, plan = deployment.continuum, deployment.plan
    predicted = plan.prediction_of(producer)
    if not continuum.emulated or predicted is None:
        return 0
    site = continuum.node(node).site
    sources = {continuum.node(each.node).site for each in plan.assignments_of(producer)} - {site}
    transit_s = max((continuum.transfer_s(source, site, 0.0) or 0.0 for source in sources), default=0.0)
    return min(_TRANSIT_MAX, math.ceil(transit_s * predicted.rate_per_s))


def snapshot_items_max(application: Application, component: Component) -> int:
    """After how many items a snapshot is due, whatever the time: until then they take up room in their streams."""
    room = min((application.component(name).capacity for name in component.trigger.inputs), default=_AHEAD_SNAPSHOT)
    return max(1, min(room, _AHEAD_SNAPSHOT) // 4)
