"""The limits of a node's instances, from the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.execution.agent.decide import Rules, memory_limits

if TYPE_CHECKING:
    from ecotone.core.messages import Deployment, WantedNode
    from ecotone.execution.agent.options import Options

__all__ = ["rules_of"]


def rules_of(deployment: Deployment, wanted: WantedNode, options: Options) -> Rules:
    """What `decide` goes by on one node."""
    components = {each.name: each for each in deployment.application.components}
    node = next((each for each in deployment.continuum.nodes if each.name == wanted.node), None)
    declared = {name: component.requirements.memory_bytes for name, component in components.items()}
    limits = {}
    if node is not None:
        limits = memory_limits(wanted.instances, declared, node.type.memory_bytes)
    return Rules(
        start_limit_s=options.start_limit_s,
        stop_grace_s=options.stop_grace_s,
        item_timeouts_s=deployment.item_timeouts_s,
        memory_bytes=limits,
    )
