"""SPACE4AI's solution format: what a placement is written to and read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecotone.core.errors import InputError
from ecotone.core.problems import did_you_mean
from ecotone.design._json import JsonMistakes, read_json
from ecotone.design.space4ai._modes import MB, local_name
from ecotone.design.space4ai._tree import Path, Tree, dotted, shown
from ecotone.orchestration.placement.system.model import Placement

if TYPE_CHECKING:
    from pathlib import Path as File

    from ecotone.orchestration.placement.system.evaluate import Judgement
    from ecotone.orchestration.placement.system.model import Component, Deployment, Resource, System

__all__ = ["read_space4ai_solution", "space4ai_solution"]

_TIMES = frozenset({"response_time", "response_time_threshold"})
"""Keys that stand beside the deployment of a component, and beside the layer of a partition."""
_COPIES_MAX = 10**6


def read_space4ai_solution(file: File, system: System, *, is_running: bool = False) -> Placement:
    """Read a solution of `system`. Only where everything runs is read, and how many copies are taken (the most that are
    stated for a resource): costs and times are for the evaluator, and so are promises and rules that it breaks.

    Args:
        is_running: it was made for an older state of the system: resources may be gone, and components new or gone.

    Raises:
        InputError: with every mistake and its line.
    """
    mistakes = JsonMistakes(file)
    document = read_json(file, mistakes)
    is_read = document is not None or not mistakes.count
    placement = _SolutionReader(document, mistakes, system, is_running=is_running).placement() if is_read else None
    if mistakes.count or placement is None:
        raise InputError(f"{file}: {mistakes.count_text}", mistakes.problems)
    return placement


class _SolutionReader:
    """From the document to a `Placement`; what is wrong is noted and left out."""

    def __init__(self, document: Any, mistakes: JsonMistakes, system: System, *, is_running: bool) -> None:
        self._is_running = is_running
        self._document = document
        self._tree = Tree(document, mistakes)
        self._system = system
        self._resources = {resource.name: resource for resource in system.resources}
        self._copies: dict[str, int] = {}

    def placement(self) -> Placement | None:
        tree, known = self._tree, [component.name for component in self._system.components]
        if not isinstance(self._document, dict):
            tree.note((), "wrong-type", f"this is {shown(self._document)}; a solution is an object")
            return None
        if "components" not in self._document:
            hint = "it says that none was found" if self._document.get("feasible") is False else ""
            tree.note((), "missing-key", "this holds no placement: components is missing", hint)
            return None
        placed = tree.object_(("components",))
        for name in placed:
            if name not in known and not self._is_running:
                text = f"{self._system.name} has no component {shown(name)}"
                tree.note(("components", name), "unknown-component", text, did_you_mean(name, known))
        deployments: dict[str, str] = {}
        resources: dict[str, tuple[str, ...]] = {}
        for component in self._system.components:
            if component.name not in placed and self._is_running:
                continue
            if component.name not in placed:
                text = f"the component {component.name} is placed nowhere"
                tree.note(("components",), "missing-key", text)
                continue
            deployment = self._deployment(component)
            if deployment is not None:
                deployments[component.name] = deployment.name
                resources[component.name] = self._where(component, deployment)
        return Placement(deployments=deployments, resources=resources, copies=self._copies)

    def _deployment(self, component: Component) -> Deployment | None:
        """The one that is chosen: the only key that is no time."""
        tree, path = self._tree, ("components", component.name)
        chosen = [name for name in tree.object_(path) if name not in _TIMES]
        known = {deployment.name: deployment for deployment in component.deployments}
        for name in chosen:
            if name not in known:
                text, hint = f"{component.name} has no deployment {shown(name)}", did_you_mean(name, known)
                tree.note((*path, name), "unknown-deployment", text, hint)
        if len(chosen) != 1 and isinstance(tree.get(path), dict):
            text = f"{component.name} has {len(chosen)} deployments here; one is chosen"
            tree.note(path, "wrong-length", text)
        return known.get(chosen[0]) if len(chosen) == 1 else None

    def _where(self, component: Component, deployment: Deployment) -> tuple[str, ...]:
        """The resource of each partition."""
        tree, path = self._tree, ("components", component.name, deployment.name)
        placed = [name for name in tree.object_(path) if name not in _TIMES]
        known = [partition.name for partition in deployment.partitions]
        for name in placed:
            if name not in known:
                text = f"{component.name}.{deployment.name} has no partition {shown(name)}"
                tree.note((*path, name), "unknown-partition", text, did_you_mean(name, known))
        found: list[str] = []
        for name in known:
            if name in placed:
                resource = self._resource((*path, name))
                found += [] if resource is None else [resource]
            elif isinstance(tree.get(path), dict):
                text = f"{component.name}.{deployment.name}.{name} is placed nowhere"
                tree.note(path, "missing-key", text)
        return tuple(found)

    def _resource(self, path: tuple[str, ...]) -> str | None:
        """The one resource that a partition is on, by its layer; its copies are noted."""
        tree = self._tree
        there = tree.object_(path)
        layers = [layer for layer in there if layer not in _TIMES and tree.is_object((*path, layer))]
        on = [(layer, name) for layer in layers for name in tree.object_((*path, layer))]
        if len(on) != 1:
            tree.note(path, "wrong-length", f"{dotted(path)} is on {len(on)} resources; it must be on one")
            return None
        layer, name = on[0]
        place = (*path, layer, name)
        resource = self._resources.get(name)
        if resource is None and self._is_running:
            return name
        if resource is None:
            text, hint = f"there is no resource {shown(name)}", did_you_mean(name, self._resources)
            tree.note(place, "unknown-resource", text, hint)
            return None
        if layer != resource.layer:
            text = f"{name} is in the layer {resource.layer}, not in {shown(layer)}"
            tree.note((*path, layer), "unknown-layer", text)
        if resource.kind != "serverless":
            self._take(place, name)
        return name

    def _take(self, path: Path, name: str) -> None:
        tree = self._tree
        if not isinstance(tree.get(path), dict):
            tree.note(path, "wrong-type", f"{dotted(path)} is {shown(tree.get(path))}; it must be an object")
            return
        copies = tree.whole((*path, "number"), positive=True, most=_COPIES_MAX)
        if copies is None:
            return
        # One of the published files states one copy at some partitions and two at others, and costs as with two.
        self._copies[name] = max(copies, self._copies.get(name, 0))


def space4ai_solution(system: System, judged: Judgement, load_per_s: float) -> dict[str, Any]:
    """A judged placement in SPACE4AI's solution format."""
    resources = {resource.name: resource for resource in system.resources}
    limits = {bound.name: bound for bound in system.bounds}
    copies = judged.placement.copies
    components: dict[str, Any] = {}
    for component in system.components:
        name = component.name
        chosen = judged.placement.deployments[name]
        deployment = next(each for each in component.deployments if each.name == chosen)
        steps: dict[str, Any] = {}
        for partition, where, time_s in zip(
            deployment.partitions, judged.placement.resources[name], judged.partition_times_s[name], strict=True
        ):
            described = _described(resources[where], copies.get(where, 0))
            steps[partition.name] = {resources[where].layer: {where: described}, "response_time": time_s}
        limit = limits.get(local_name(name))
        components[name] = {
            chosen: steps,
            "response_time": judged.times_s[name],
            "response_time_threshold": "inf" if limit is None else limit.limit_s,
        }
    paths = {
        each.bound: {
            "components": list(limits[each.bound].components),
            "global_res_time": each.limit_s,
            "path_response_time": each.time_s,
        }
        for each in judged.bounds
        if each.bound != local_name(limits[each.bound].components[0])
    }
    return {
        "Lambda": load_per_s,
        "components": components,
        "global_constraints": paths,
        "total_cost": judged.price_eur_per_h,
    }


def _described(resource: Resource, copies: int) -> dict[str, Any]:
    price, memory = resource.price_eur_per_h, resource.memory_bytes / MB
    if resource.kind == "serverless":
        return {"cost": price, "memory": memory, "idle_time_before_kill": resource.idle_s}
    return {"cost": price * copies, "memory": memory, "number": copies}
