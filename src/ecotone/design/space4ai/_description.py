"""The reader of SPACE4AI's system descriptions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ecotone.core.errors import InputError
from ecotone.core.problems import did_you_mean
from ecotone.design._json import JsonMistakes, read_json
from ecotone.design.space4ai._components import ComponentsReader
from ecotone.design.space4ai._continuum import ContinuumReader
from ecotone.design.space4ai._graph import GraphReader
from ecotone.design.space4ai._modes import LOAD_MAX, MODES, Mode, Reading, local_name
from ecotone.design.space4ai._tree import TIME_MAX_S, Path, Tree, shown
from ecotone.orchestration.placement.system.model import Bound, System

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as File

__all__ = ["read_space4ai", "system_of"]

_KEYS = {
    "DirectedAcyclicGraph", "Components", "EdgeResources", "CloudResources", "FaaSResources", "CompatibilityMatrix",
    "Performance", "Lambda", "LocalConstraints", "GlobalConstraints", "NetworkTechnology", "Time", "EnergyCostPct",
    "Accuracy",
}  # fmt: skip
"""Those of SPACE4AI, and `Accuracy`, which is ours."""
_NEEDED = ("DirectedAcyclicGraph", "Components", "CompatibilityMatrix", "Performance")
_SLACK = 1e-9


def read_space4ai(file: File, *, load_per_s: float | None = None, mode: Mode = "published") -> System:
    """Read a system description.

    Args:
        file: JSON, as SPACE4AI writes it.
        load_per_s: requests per second that enter; None: `Lambda` of the file.
        mode: how to take what its readers disagree about.

    Raises:
        InputError: with every mistake and its line.
    """
    mistakes = JsonMistakes(file)
    document = read_json(file, mistakes)
    is_read = document is not None or not mistakes.count
    system = system_of(document, mistakes, file.stem, load_per_s=load_per_s, mode=mode) if is_read else None
    if system is None:
        raise InputError(f"{file}: {mistakes.count_text}", mistakes.problems)
    return system


def system_of(
    document: Any, mistakes: JsonMistakes, name: str, *, load_per_s: float | None = None, mode: Mode = "published"
) -> System | None:
    """The system that a document describes; None after noting what is wrong with it."""
    return _Reader(document, mistakes, load_per_s, MODES[mode]).system(name)


class _Reader:
    """From the document to a `System`; what is wrong is noted and left out."""

    def __init__(self, document: Any, mistakes: JsonMistakes, load_per_s: float | None, reading: Reading) -> None:
        self._tree = Tree(document, mistakes)
        self._document = document
        self._load_per_s = load_per_s
        self._reading = reading
        self._continuum = ContinuumReader(self._tree, reading)
        self._nodes = GraphReader(self._tree)
        self._graph = self._nodes.successors
        self._components = ComponentsReader(self._tree, self._continuum, self._nodes)

    def system(self, name: str) -> System | None:
        tree = self._tree
        if not isinstance(self._document, dict):
            tree.note((), "wrong-type", f"this is {shown(self._document)}; a system description is an object")
            return None
        for key in self._document:
            if key not in _KEYS:
                tree.note((key,), "unknown-key", f"unknown key {shown(key)}", did_you_mean(key, _KEYS))
        for key in _NEEDED:
            if key not in self._document:
                tree.note((), "missing-key", f"{key} is missing")
        self._continuum.read()
        order = self._nodes.read()
        components = [self._components.component(each) for each in order]
        for table in ("CompatibilityMatrix", "Performance"):
            self._check_names(table)
        self._check_accuracies()
        load = self._load()
        domains = tuple(self._continuum.domains())
        bounds = (*self._local_bounds(), *self._path_bounds())
        if tree.mistakes.count:
            return None
        targets = {successor.component for successors in self._graph.values() for successor in successors}
        resources = tuple(self._continuum.resources.values())
        assert load is not None
        return System(
            name=name,
            components=tuple(each for each in components if each is not None),
            resources=resources,
            domains=domains,
            rates_per_s={each: load for each in order if each not in targets},
            bounds=bounds,
            one_type_layers=frozenset(each.layer for each in resources if each.kind == "vm"),
            semantics=self._reading.semantics,
        )

    def _load(self) -> float | None:
        if self._tree.has(("Lambda",)):
            stated = self._tree.number(("Lambda",), positive=True, most=LOAD_MAX)
            return stated if self._load_per_s is None else self._load_per_s
        if self._load_per_s is None:
            self._tree.note((), "missing-key", "Lambda is missing", "or give the load with --load")
        return self._load_per_s

    def _check_names(self, table: str) -> None:
        """Components, partitions and resources that a table speaks of and that are not there."""
        tree = self._tree
        for component in tree.object_((table,)):
            described = tree.get(("Components", component))
            deployments = list(described.values()) if isinstance(described, dict) else []
            if not self._knows((table, component), component):
                continue
            steps = {step for each in deployments if isinstance(each, dict) for step in each}
            are_known = bool(deployments) and all(isinstance(each, dict) and each for each in deployments)
            for step in tree.object_((table, component)):
                path = (table, component, step)
                if step in steps:
                    self._check_resources(path)
                elif are_known:
                    text, hint = f"{component} has no partition {shown(step)}", did_you_mean(step, steps)
                    tree.note(path, "unknown-partition", text, hint)

    def _check_accuracies(self) -> None:
        tree = self._tree
        for component in tree.object_(("Accuracy",)):
            if not self._knows(("Accuracy", component), component):
                continue
            known = tree.get(("Components", component))
            for deployment in tree.object_(("Accuracy", component)):
                if isinstance(known, dict) and deployment not in known:
                    text, hint = f"{component} has no deployment {shown(deployment)}", did_you_mean(deployment, known)
                    tree.note(("Accuracy", component, deployment), "unknown-deployment", text, hint)

    def _check_resources(self, path: tuple[str, str, str]) -> None:
        """Those of a partition that `Performance` speaks of."""
        if path[0] != "Performance":
            return
        for resource in self._tree.object_(path):
            if resource not in self._continuum.resources and self._continuum.complete:
                text, hint = (
                    f"there is no resource {shown(resource)}",
                    did_you_mean(resource, self._continuum.resources),
                )
                self._tree.note((*path, resource), "unknown-resource", text, hint)

    def _knows(self, path: Path, component: str) -> bool:
        """Whether there is this component; noted when not."""
        if component in self._graph or self._tree.has(("Components", component)):
            return True
        hint = did_you_mean(component, self._graph)
        self._tree.note(path, "unknown-component", f"there is no component {shown(component)}", hint)
        return False

    # Bounds

    def _local_bounds(self) -> Iterator[Bound]:
        tree = self._tree
        for name in tree.object_(("LocalConstraints",)):
            path = ("LocalConstraints", name)
            self._knows(path, name)
            if not self._tree.is_object(path):
                continue
            tree.expect(path, ("local_res_time",))
            place = (*path, "local_res_time")
            limit = tree.number(place, positive=True, most=TIME_MAX_S)
            if limit is not None:
                yield self._kept_by_some(place, Bound(name=local_name(name), components=(name,), limit_s=limit))

    def _path_bounds(self) -> Iterator[Bound]:
        tree = self._tree
        locals_ = {local_name(each) for each in tree.object_(("LocalConstraints",))}
        for name in tree.names(("GlobalConstraints",)):
            path = ("GlobalConstraints", name)
            if name in locals_:
                tree.note(path, "repeated-name", f"{name} is what the bound of a component is called here")
            if not self._tree.is_object(path):
                continue
            tree.expect(path, ("components", "global_res_time"))
            parts = self._path((*path, "components"), name)
            place = (*path, "global_res_time")
            limit = tree.number(place, positive=True, most=TIME_MAX_S)
            if limit is not None and parts:
                yield self._kept_by_some(place, Bound(name=name, components=parts, limit_s=limit))

    def _path(self, path: Path, name: str) -> tuple[str, ...]:
        """Components that follow each other."""
        tree, parts = self._tree, self._tree.texts(path)
        for at, part in enumerate(parts):
            before = parts[at - 1] if at else None
            if part is None:
                continue
            if not self._knows((*path, at), part) or before not in self._graph or before in self._nodes.unsure:
                continue
            if all(part != each.component for each in self._graph[before]):
                tree.note((*path, at), "no-path", f"{name} is no path: nothing goes from {before} to {part}")
        if not parts and tree.get(path) == []:
            tree.note(path, "no-path", f"{name} names no components")
        return tuple(part for part in parts if part is not None)

    def _kept_by_some(self, path: Path, bound: Bound) -> Bound:
        """The bound, after noting that no placement keeps it, if so: even alone, without networks, each partition where
        it is fastest, its components take longer."""
        if all(name in self._components.least_s for name in bound.components):
            least_s = math.fsum(self._components.least_s[name] for name in bound.components)
            if least_s > bound.limit_s * (1 + _SLACK):
                text = f"{bound.name}: at most {bound.limit_s:.6g} s, but no placement takes less than {least_s:.6g} s"
                self._tree.note(path, "contradiction", text, "allow more, or name faster resources")
        return bound
