"""Holds the service times of a run against what was predicted: what they teach, and when they change.

Called by the controller with each sample; decides nothing about the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.infrastructure.telemetry.histogram import merge
from ecotone.orchestration.performance.observed import Expected, Follower, Observed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ecotone.core.messages import Deployment
    from ecotone.orchestration.control.observe import Sample
    from ecotone.orchestration.performance.observed import Shift

__all__ = ["Following"]

_SATURATED_MAX = 0.05
"""Share of the time in which all cores of this machine may have been busy, for service times to mean anything."""


class Following:
    """Of one run."""

    def __init__(self, deployment: Deployment, before: Observed | None) -> None:
        """Args: before: what the plan was corrected by; None: the plan knew of no corrections."""
        self._follower = Follower(_expected(deployment, before or Observed()), before)

    def look(self, sample: Sample, changed: Collection[str] = ()) -> list[Shift]:
        """Take in the totals until now; what has shifted. Of components that were `changed`, calls take another time
        than was predicted of the plan."""
        groups: dict[tuple[str, str], list[Mapping[int, int]]] = {}
        for component, instances in sample.instances.items():
            for each in instances:
                groups.setdefault((component, each.node), []).append(each.service.counts)
        shifts: list[Shift] = []
        for (component, node), counts in groups.items():
            if sample.saturated_share > _SATURATED_MAX or component in changed:
                self._follower.pass_over(component, node, merge(counts))
            elif (shift := self._follower.see(component, node, merge(counts))) is not None:
                shifts.append(shift)
        return shifts

    @property
    def observed(self) -> Observed:
        """What the next plan should know."""
        return self._follower.observed()


def _expected(deployment: Deployment, before: Observed) -> dict[tuple[str, str], Expected]:
    """For components whose replicas are all of one variant on one type of node: a plan predicts the mean of all."""
    types = {node.name: node.type.name for node in deployment.continuum.nodes}
    expected: dict[tuple[str, str], Expected] = {}
    for component in deployment.application.components:
        assignments = deployment.plan.assignments_of(component.name)
        prediction = deployment.plan.prediction_of(component.name)
        kinds = {(each.variant, types[each.node]) for each in assignments}
        if prediction is None or len(kinds) != 1:
            continue
        variant, node_type = next(iter(kinds))
        service_s = prediction.service_mean_s / before.ratio(component.name, variant, node_type)
        for each in assignments:
            expected[component.name, each.node] = Expected(variant=variant, node_type=node_type, service_s=service_s)
    return expected
