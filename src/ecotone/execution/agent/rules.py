"""The limits of a node's instances, from the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.execution.agent.decide import Rules, memory_limits

if TYPE_CHECKING:
    from ecotone.core.messages import Deployment, WantedNode
    from ecotone.execution.agent.options import Options

__all__ = ["rules_of"]


def rules_of(deployment: Deployment, wanted: WantedNode, options: Options) -> Rules:
    """What `decide` goes by on one node. A default item timeout is stretched where an emulated node is slower than the
    machine that was profiled; one that the author wrote is kept."""
    components = {each.name: each for each in deployment.application.components}
    node = next((each for each in deployment.continuum.nodes if each.name == wanted.node), None)
    speed = min(1.0, node.type.speed) if node is not None and node.type.speed > 0 else 1.0
    timeouts_s = {
        name: timeout_s if name in components and components[name].item_timeout_s is not None else timeout_s / speed
        for name, timeout_s in deployment.item_timeouts_s.items()
    }
    declared = {name: component.requirements.memory_bytes for name, component in components.items()}
    limits = {}
    if node is not None:
        limits = memory_limits(wanted.instances, declared, node.type.memory_bytes)
    return Rules(
        start_limit_s=options.start_limit_s,
        stop_grace_s=options.stop_grace_s,
        item_timeouts_s=timeouts_s,
        memory_bytes=limits,
    )
