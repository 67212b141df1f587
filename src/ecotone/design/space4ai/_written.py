"""The writer of SPACE4AI's description format: systems that were generated become files that their tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.errors import InputError
from ecotone.design._json import JsonMistakes
from ecotone.design.space4ai._description import system_of
from ecotone.design.space4ai._modes import KINDS, MB, MODES, local_name
from ecotone.orchestration.placement.system.model import MEAN, Component, Kind, Resource, System

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["space4ai_description"]

_MODELS: dict[Kind, str] = {"edge": "QTedge", "vm": "QTcloud", "serverless": "PACSLTK"}


def space4ai_description(system: System) -> dict[str, Any]:
    """The system in SPACE4AI's description format; read in the mode `published` it is equal to `system`, if the file
    has its name.

    Raises:
        InputError: the format cannot say it all: other queueing laws than `ps`, rules, percentiles, other semantics.
    """
    beyond = list(_beyond(system))
    if not beyond:
        document = _Writer(system).document()
        beyond = list(_differences(system, document))
        if not beyond:
            return document
    raise InputError(f"SPACE4AI's format cannot describe {system.name}: {'; '.join(beyond)}")


def _beyond(system: System) -> Iterator[str]:
    """What the format has no words for."""
    for resource in system.resources:
        if resource.law != "ps":
            yield f"{resource.name} answers by the law {resource.law}"
        if resource.busy_w or resource.idle_w or resource.region or resource.attested:
            yield f"{resource.name} states its power, region or attestation"
    for component in system.components:
        if component.layers or component.private_layers or component.regions or component.confidential:
            yield f"{component.name} has rules on where it may run"
        if any(deployment.accuracy is not None for deployment in component.deployments):
            yield f"{component.name} states its accuracy"
    for bound in system.bounds:
        if bound.percentile != MEAN:
            yield f"{bound.name} is about a percentile"
    if len(set(system.rates_per_s.values())) != 1:
        yield "requests enter at different rates"
    if system.semantics != MODES["published"].semantics:
        yield "its semantics are not those of published solutions"


def _differences(system: System, document: dict[str, Any]) -> Iterator[str]:
    """Which parts would be read back otherwise."""
    mistakes = JsonMistakes(Path(f"{system.name}.json"))
    again = system_of(document, mistakes, system.name)
    if again is None:
        yield from (problem.message for problem in mistakes.problems[:3])
        return
    for name in msgspec.structs.asdict(system):
        if getattr(again, name) != getattr(system, name):
            yield f"its {name.replace('_', ' ')} would be read back otherwise"


class _Writer:
    def __init__(self, system: System) -> None:
        self._system = system
        self._resources = {resource.name: resource for resource in system.resources}

    def document(self) -> dict[str, Any]:
        system = self._system
        locals_ = [bound for bound in system.bounds if bound.name == local_name(bound.components[0])]
        return {
            "DirectedAcyclicGraph": {
                component.name: {
                    "next": [each.component for each in component.successors],
                    "transition_probability": [each.probability for each in component.successors],
                }
                for component in system.components
            },
            "Components": {component.name: _component(component) for component in system.components},
            **{key: self._resources_of(kind) for key, kind in KINDS.items()},
            "CompatibilityMatrix": {
                component.name: {
                    partition.name: [
                        {"resource": option.resource, "memory": option.memory_bytes / MB}
                        for option in partition.options
                    ]
                    for deployment in component.deployments
                    for partition in deployment.partitions
                }
                for component in system.components
            },
            "Performance": {component.name: self._performance(component) for component in system.components},
            "Lambda": next(iter(system.rates_per_s.values())),
            "LocalConstraints": {bound.components[0]: {"local_res_time": bound.limit_s} for bound in locals_},
            "GlobalConstraints": {
                bound.name: {"components": list(bound.components), "global_res_time": bound.limit_s}
                for bound in system.bounds
                if bound not in locals_
            },
            "NetworkTechnology": {
                domain.name: {
                    "computationallayers": sorted(domain.layers),
                    "AccessDelay": domain.delay_s,
                    "Bandwidth": domain.bandwidth_bytes_per_s / MB,
                }
                for domain in system.domains
            },
            "Time": 1,
        }

    def _resources_of(self, kind: Kind) -> dict[str, Any]:
        layers: dict[str, dict[str, Any]] = {}
        for resource in self._system.resources:
            if resource.kind == kind:
                layers.setdefault(resource.layer, {})[resource.name] = _resource(resource)
        if kind == "serverless":
            for resources in layers.values():
                resources["transition_cost"] = 0
        return layers

    def _performance(self, component: Component) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for partition in (each for deployment in component.deployments for each in deployment.partitions):
            models = found[partition.name] = dict[str, Any]()
            for option in partition.options:
                kind = self._resources[option.resource].kind
                times = {"demand": option.service_s}
                if kind == "serverless":
                    times = {"demandWarm": option.service_s, "demandCold": option.starting_s}
                models[option.resource] = {"model": _MODELS[kind], **times}
        return found


def _resource(resource: Resource) -> dict[str, Any]:
    described = {"cost": resource.price_eur_per_h, "memory": resource.memory_bytes / MB}
    if resource.kind == "serverless":
        return {**described, "idle_time_before_kill": resource.idle_s}
    return {"number": resource.copies_max, **described, "n_cores": 1}


def _component(component: Component) -> dict[str, Any]:
    deployments: dict[str, Any] = {}
    for deployment in component.deployments:
        steps = deployments[deployment.name] = dict[str, Any]()
        for at, partition in enumerate(deployment.partitions):
            is_last = at == len(deployment.partitions) - 1
            targets = [] if is_last else [deployment.partitions[at + 1].name]
            sizes = [partition.output_bytes / MB] * len(targets)
            if is_last:
                targets = [each.component for each in component.successors]
                sizes = [deployment.output_bytes.get(target, 0.0) / MB for target in targets]
            steps[partition.name] = {
                "next": targets,
                "early_exit_probability": partition.exit_probability,
                "data_size": sizes,
            }
    return deployments
