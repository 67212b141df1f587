"""From a plan to what agents and hosts are told. Plain functions of values; called by the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.core.messages import Deployment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecotone.core.application import Application, Component, Value
    from ecotone.core.continuum import Continuum
    from ecotone.core.plan import Plan
    from ecotone.orchestration.performance.samples import Samples

__all__ = ["item_timeouts_s", "make_deployment"]

_TIMEOUT_FACTOR = 20.0
_TIMEOUT_MIN_S = 2.0
_TIMEOUT_UNKNOWN_S = 30.0


def make_deployment(
    *,
    run: str,
    application: Application,
    continuum: Continuum,
    plan: Plan,
    samples: Samples | None,
    parameters: Mapping[str, Value],
    root: str,
    module: str,
    speed_of_machine: float,
) -> Deployment:
    """All that a run needs to know.

    Args:
        samples: what the plan was made from; None when the plan came from a file and nothing was measured here.
        root, module: where the application's module is imported from, and its name.
        speed_of_machine: single-thread speed of the machine that will run it, over that of the one that took the
            samples.
    """
    return Deployment(
        run=run,
        application=application,
        continuum=continuum,
        plan=plan,
        parameters=dict(parameters),
        root=root,
        module=module,
        item_timeouts_s=item_timeouts_s(application, continuum, plan, samples),
        machine_score=speed_of_machine,
    )


def item_timeouts_s(
    application: Application, continuum: Continuum, plan: Plan, samples: Samples | None
) -> dict[str, float]:
    """For each component, how long the handling of one item may take before its host counts as hung: what the
    component says, or 20 times the 99th percentile of its profile on the slowest node it runs on, and at least 2 s."""
    return {
        component.name: component.item_timeout_s or _profiled_timeout_s(component, continuum, plan, samples)
        for component in application.components
    }


def _profiled_timeout_s(component: Component, continuum: Continuum, plan: Plan, samples: Samples | None) -> float:
    bounds: list[float] = []
    for assignment in plan.assignments_of(component.name):
        measured = samples.of(component.name, assignment.variant) if samples is not None else None
        if measured is None or not measured.wall_s:
            return _TIMEOUT_UNKNOWN_S
        ordered = sorted(measured.wall_s)
        p99_s = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
        bounds.append(_TIMEOUT_FACTOR * p99_s / min(1.0, continuum.node(assignment.node).type.speed))
    return max([_TIMEOUT_MIN_S, *bounds])
