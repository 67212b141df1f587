"""The reader of SPACE4AI's system descriptions, and the writer of its solutions; called by `ecotone plan --space4ai`.

The two published code bases that read the format (space4ai-d in Python, space4ai-r-optimizer in C++) differ in what
they mean by it: `MODES` says how each is read. In the mode `published` the evaluator gives the costs and times that the
published solutions state.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ecotone.core.errors import InputError
from ecotone.core.problems import did_you_mean
from ecotone.design._json import JsonMistakes, read_json
from ecotone.orchestration.placement.system.model import (
    Bound,
    Component,
    Deployment,
    Domain,
    Kind,
    Option,
    Partition,
    Resource,
    Semantics,
    Successor,
    System,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecotone.orchestration.placement.system.evaluate import Judgement

__all__ = ["MODES", "Mode", "read_space4ai", "space4ai_solution"]

Mode = Literal["published", "python", "cpp", "ecotone"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a mode means. `bits_per_byte`: 8 where data is in MB and bandwidth in Mbit/s, 1 where both are the same."""

    bits_per_byte: int
    semantics: Semantics


MODES: dict[Mode, Reading] = {
    "published": Reading(
        bits_per_byte=1, semantics=Semantics(serverless_time_rate="component", serverless_price_rate="component")
    ),
    "python": Reading(
        bits_per_byte=8,
        semantics=Semantics(
            serverless_time_rate="partition", serverless_price_rate="component", memory_of_copies=False
        ),
    ),
    "cpp": Reading(bits_per_byte=1, semantics=Semantics(shared_serverless_once=True, saturation=True)),
    "ecotone": Reading(bits_per_byte=8, semantics=Semantics()),
}

_MB = 2.0**20
_IGNORED = "transition_cost"
"""Stands among serverless resources or their layers; no cost of theirs contains it."""
_KEYS = {
    "DirectedAcyclicGraph", "Components", "EdgeResources", "CloudResources", "FaaSResources", "CompatibilityMatrix",
    "Performance", "Lambda", "LocalConstraints", "GlobalConstraints", "NetworkTechnology", "Time", "EnergyCostPct",
}  # fmt: skip
_NEEDED = ("DirectedAcyclicGraph", "Components", "CompatibilityMatrix", "Performance")
_KINDS: dict[str, Kind] = {"EdgeResources": "edge", "CloudResources": "vm", "FaaSResources": "serverless"}


def read_space4ai(file: Path, *, load_per_s: float | None = None, mode: Mode = "published") -> System:
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
    system = _Reader(document, mistakes, load_per_s, MODES[mode]).system(file.stem) if document is not None else None
    if mistakes.problems or system is None:
        count = len(mistakes.problems)
        raise InputError(f"{file}: {count} mistake{'s' if count > 1 else ''}", mistakes.problems)
    return system


class _Reader:
    """From the document to a `System`; what is wrong is noted and left out."""

    def __init__(self, document: Any, mistakes: JsonMistakes, load_per_s: float | None, reading: Reading) -> None:
        self._document = document
        self._note = mistakes
        self._load_per_s = load_per_s
        self._reading = reading
        self._resources: dict[str, Resource] = {}
        self._graph: dict[str, tuple[Successor, ...]] = {}

    def system(self, name: str) -> System | None:
        if not isinstance(self._document, dict):
            self._note.add((), "wrong-type", "the document must be an object")
            return None
        for key in self._document:
            if key not in _KEYS:
                self._note.add((key,), "unknown-key", f"unknown key {key}", did_you_mean(key, _KEYS))
        for key in _NEEDED:
            if key not in self._document:
                self._note.add((), "missing-key", f"{key} is missing")
        self._read_resources()
        order = self._read_graph()
        components = [self._component(each) for each in order]
        load = self._load_per_s
        if load is None:
            load = self._number(("Lambda",), positive=True, default=None)
        if load is None and "Lambda" not in self._document:
            self._note.add((), "missing-key", "Lambda is missing", "or give the load with --load")
        bounds = (*self._local_bounds(), *self._path_bounds())
        domains = tuple(self._domains())
        if self._note.problems:
            return None
        targets = {successor.component for successors in self._graph.values() for successor in successors}
        clouds = {each.layer for each in self._resources.values() if each.kind == "vm"}
        assert load is not None
        return System(
            name=name,
            components=tuple(each for each in components if each is not None),
            resources=tuple(self._resources.values()),
            domains=domains,
            rates_per_s={each: load for each in order if each not in targets},
            bounds=bounds,
            one_type_layers=frozenset(clouds),
            semantics=self._reading.semantics,
        )

    # Parts of the document

    def _get(self, path: tuple[str | int, ...]) -> Any:
        found: Any = self._document
        for step in path:
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found

    def _object(self, path: tuple[str | int, ...]) -> dict[str, Any]:
        """An object, empty when it is absent; a mistake when it is something else."""
        found = self._get(path)
        if isinstance(found, dict):
            return found  # pyright: ignore[reportUnknownVariableType]
        if found is not None:
            self._note.add(path, "wrong-type", f"{_dotted(path)} must be an object")
        return {}

    def _list(self, path: tuple[str | int, ...]) -> list[Any]:
        found = self._get(path)
        if isinstance(found, list):
            return found  # pyright: ignore[reportUnknownVariableType]
        what = "is missing" if found is None else "must be a list"
        self._note.add(path, "wrong-type", f"{_dotted(path)} {what}")
        return []

    def _number(
        self,
        path: tuple[str | int, ...],
        *,
        positive: bool = False,
        most: float = math.inf,
        default: float | None = math.nan,
    ) -> float | None:
        """A finite number, at least 0 or above it, and at most `most`; `default` where it may be absent, NaN: it may
        not."""
        found = self._get(path)
        if found is None and (default is None or not math.isnan(default)):
            return default
        what = f"{_dotted(path)} is {'missing' if found is None else found}"
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            self._note.add(path, "missing-figure" if found is None else "wrong-type", f"{what}; it must be a number")
            return None
        if not math.isfinite(found) or found < 0 or (positive and found == 0) or found > most:
            bounds = "above 0" if positive else "at least 0"
            also = f" and at most {most:g}" if math.isfinite(most) else ""
            self._note.add(path, "out-of-range", f"{what}; it must be finite, {bounds}{also}")
            return None
        return float(found)

    # Resources and networks

    def _read_resources(self) -> None:
        period = self._number(("Time",), positive=True, default=1.0) or 1.0
        edge_share = self._number(("EnergyCostPct",), default=1.0)
        for key, kind in _KINDS.items():
            factor = period * (edge_share if kind == "edge" and edge_share is not None else 1.0)
            for layer in self._object((key,)):
                for name in self._object((key, layer)) if layer != _IGNORED else ():
                    if name != _IGNORED:
                        self._read_resource((key, layer, name), kind, factor)
        if not self._resources:
            self._note.add((), "empty-continuum", "there are no resources; describe EdgeResources or CloudResources")

    def _read_resource(self, path: tuple[str, str, str], kind: Kind, factor: float) -> None:
        _, layer, name = path
        if name in self._resources:
            self._note.add(path, "repeated-name", f"there is another resource {name}, in {self._resources[name].layer}")
            return
        price = self._number((*path, "cost"))
        memory = self._number((*path, "memory"), positive=True)
        copies = 1.0 if kind == "serverless" else self._number((*path, "number"))
        if copies is not None and copies != int(copies):
            self._note.add((*path, "number"), "wrong-type", f"{_dotted((*path, 'number'))} must be a whole number")
        idle = self._number((*path, "idle_time_before_kill"), positive=True) if kind == "serverless" else 600.0
        self._resources[name] = Resource(
            name=name,
            kind=kind,
            layer=layer,
            price_eur_per_h=(price or 0.0) * factor,
            copies_max=int(copies or 0),
            memory_bytes=(memory or 0.0) * _MB,
            idle_s=idle or 600.0,
        )

    def _domains(self) -> Iterator[Domain]:
        layers = {resource.layer for resource in self._resources.values()}
        for key in ("EdgeResources", "CloudResources", "FaaSResources"):
            layers |= set(self._object((key,)))
        for name in self._object(("NetworkTechnology",)):
            path = ("NetworkTechnology", name)
            joined = self._list((*path, "computationallayers"))
            for at, layer in enumerate(joined):
                if layer not in layers:
                    place, hint = (*path, "computationallayers", at), did_you_mean(str(layer), layers)
                    self._note.add(place, "unknown-layer", f"there is no layer {layer}", hint)
            delay = self._number((*path, "AccessDelay"))
            bandwidth = self._number((*path, "Bandwidth"), positive=True)
            if delay is not None and bandwidth is not None:
                rate = bandwidth * _MB / self._reading.bits_per_byte
                yield Domain(
                    name=name,
                    layers=frozenset(str(each) for each in joined),
                    delay_s=delay,
                    bandwidth_bytes_per_s=rate,
                )

    # Components

    def _read_graph(self) -> list[str]:
        """Fills the graph; the names of the components in an order in which successors come later."""
        nodes = self._object(("DirectedAcyclicGraph",))
        described = self._object(("Components",))
        for name in described:
            if name not in nodes:
                text = f"component {name} is not in the graph"
                self._note.add(("Components", name), "unknown-component", text, did_you_mean(name, nodes))
        for name in nodes:
            if name not in described:
                self._note.add(("DirectedAcyclicGraph", name), "unknown-component", f"{name} is not in Components")
            self._graph[name] = tuple(self._successors(name, nodes))
        order: list[str] = []
        waiting = {name: sum(name == s.component for all_ in self._graph.values() for s in all_) for name in nodes}
        ready = [name for name, count in waiting.items() if count == 0]
        while ready:
            name = ready.pop(0)
            order.append(name)
            for successor in self._graph[name]:
                waiting[successor.component] -= 1
                if waiting[successor.component] == 0:
                    ready.append(successor.component)
        circle = [name for name in nodes if name not in order]
        if circle:
            text = f"there is a cycle among {', '.join(circle)}"
            self._note.add(("DirectedAcyclicGraph", circle[0]), "cycle", text)
        return order + circle

    def _successors(self, name: str, nodes: dict[str, Any]) -> Iterator[Successor]:
        path = ("DirectedAcyclicGraph", name)
        following = self._list((*path, "next"))
        chances = self._list((*path, "transition_probability"))
        if len(following) != len(chances):
            text = f"{name} has {len(following)} successors and {len(chances)} probabilities"
            self._note.add(path, "wrong-length", text)
            return
        total, complete = 0.0, True
        for at, target in enumerate(following):
            chance = self._number((*path, "transition_probability", at), most=1.0)
            complete = complete and chance is not None
            if target not in nodes:
                text = f"{name} goes on to {target}, which is no component"
                self._note.add((*path, "next", at), "unknown-component", text, did_you_mean(str(target), nodes))
                continue
            total += chance or 0.0
            yield Successor(component=target, probability=chance or 0.0)
        if following and complete and abs(total - 1.0) > 1e-6:
            text = f"the probabilities after {name} sum to {total:.6g}, not to 1"
            self._note.add((*path, "transition_probability"), "probabilities", text)

    def _component(self, name: str) -> Component | None:
        deployments = [self._deployment(name, each) for each in self._object(("Components", name))]
        if not deployments:
            self._note.add(("Components", name), "empty-component", f"{name} has no deployment")
            return None
        return Component(name=name, deployments=tuple(deployments), successors=self._graph[name])

    def _deployment(self, component: str, deployment: str) -> Deployment:
        path = ("Components", component, deployment)
        steps = self._object(path)
        order = self._chain(path, steps)
        after = [successor.component for successor in self._graph[component]]
        partitions: list[Partition] = []
        outputs: dict[str, float] = {}
        for at, step in enumerate(order):
            here = (*path, step)
            is_last = at == len(order) - 1
            exits = self._number((*here, "early_exit_probability"), most=1.0, default=0.0) or 0.0
            if is_last and exits > 0:
                text = f"{component}.{step} is the last partition: nothing can leave before it"
                self._note.add((*here, "early_exit_probability"), "exit-of-last", text)
            targets, sizes = self._outputs(here, f"{component}.{step}")
            if is_last:
                if sorted(targets) != sorted(after):
                    text = f"{component}.{step} goes on to {_names(targets)}, in the graph it is {_names(after)}"
                    self._note.add((*here, "next"), "not-as-graph", text)
                outputs = dict(zip(targets, sizes, strict=False))
            partitions.append(
                Partition(
                    name=step,
                    options=tuple(self._options(component, step)),
                    exit_probability=exits,
                    output_bytes=0.0 if is_last or not sizes else sizes[0],
                )
            )
        return Deployment(name=deployment, partitions=tuple(partitions), output_bytes=outputs)

    def _outputs(self, path: tuple[str, ...], name: str) -> tuple[list[str], list[float]]:
        """What a partition goes on to, and bytes to each."""
        targets = [str(each) for each in self._list((*path, "next"))]
        given = self._list((*path, "data_size")) if targets else []
        if len(given) != len(targets):
            text = f"{name} has {len(targets)} successors and {len(given)} data sizes"
            self._note.add(path, "wrong-length", text)
        sizes = [self._number((*path, "data_size", at)) or 0.0 for at in range(min(len(given), len(targets)))]
        return targets, [size * _MB for size in sizes]

    def _chain(self, path: tuple[str, ...], steps: dict[str, Any]) -> list[str]:
        """The partitions of a deployment in the order of their `next`."""
        if not steps:
            self._note.add(path, "empty-deployment", f"{_dotted(path)} has no partitions")
            return []
        following = {
            step: [each for each in self._list((*path, step, "next")) if each in steps]
            for step in self._steps(path, steps)
        }
        targets = [target for each in following.values() for target in each]
        first = [step for step in following if step not in targets]
        order = first[:1]
        while order and (after := following.get(order[-1])) and after[0] not in order:
            order.append(after[0])
        if len(order) != len(steps) or any(len(each) > 1 for each in following.values()):
            text = f"the partitions of {_dotted(path)} are not one chain"
            hint = "each goes on to one other, the last to the next components"
            self._note.add(path, "no-chain", text, hint)
            return list(following)
        return order

    def _steps(self, path: tuple[str, ...], steps: dict[str, Any]) -> Iterator[str]:
        for step, described in steps.items():
            if isinstance(described, dict):
                yield step
            else:
                self._note.add((*path, step), "wrong-type", f"{_dotted((*path, step))} must be an object")

    def _options(self, component: str, step: str) -> Iterator[Option]:
        path = ("CompatibilityMatrix", component, step)
        seen: set[str] = set()
        for at in range(len(self._list(path))):
            name = self._get((*path, at, "resource"))
            resource = self._resources.get(name) if isinstance(name, str) else None
            if resource is None:
                text = f"{component}.{step} may run on {name}, which is no resource"
                hint = did_you_mean(str(name), self._resources)
                self._note.add((*path, at, "resource"), "unknown-resource", text, hint)
                continue
            if resource.name in seen:
                self._note.add((*path, at), "repeated-name", f"{component}.{step} names {name} twice")
                continue
            seen.add(resource.name)
            memory = self._number((*path, at, "memory"))
            option = self._option(("Performance", component, step, resource.name), resource, memory or 0.0)
            if option is not None:
                yield option
        if not seen:
            self._note.add(path, "no-resource", f"{component}.{step} can run nowhere")

    def _option(self, path: tuple[str, ...], resource: Resource, memory: float) -> Option | None:
        known = self._object(path)
        if not known:
            text = f"there is no performance model of {path[1]}.{path[2]} on {resource.name}"
            self._note.add(path, "missing-figure", text)
            return None
        wanted = ("demandWarm", "demandCold") if resource.kind == "serverless" else ("demand",)
        if "regressor_file" in known and not all(each in known for each in wanted):
            text = f"{_dotted(path)} names a regressor, which cannot be read here"
            self._note.add(path, "regressor", text, f"state {' and '.join(wanted)} in seconds")
            return None
        times = [self._number((*path, each), positive=True) for each in wanted]
        if any(each is None for each in times):
            return None
        service, cold = times[0] or 0.0, times[-1] or 0.0
        return Option(resource=resource.name, service_s=service, memory_bytes=memory * _MB, cold_s=cold)

    # Bounds

    def _local_bounds(self) -> Iterator[Bound]:
        for name in self._object(("LocalConstraints",)):
            if name not in self._graph:
                text = f"there is no component {name}"
                self._note.add(("LocalConstraints", name), "unknown-component", text, did_you_mean(name, self._graph))
            limit = self._number(("LocalConstraints", name, "local_res_time"), positive=True)
            if limit is not None:
                yield Bound(name=local_name(name), components=(name,), limit_s=limit)

    def _path_bounds(self) -> Iterator[Bound]:
        for name in self._object(("GlobalConstraints",)):
            path = ("GlobalConstraints", name)
            parts = [str(each) for each in self._list((*path, "components"))]
            for at, part in enumerate(parts):
                place = (*path, "components", at)
                if part not in self._graph:
                    hint = did_you_mean(part, self._graph)
                    self._note.add(place, "unknown-component", f"there is no component {part}", hint)
                    continue
                before = parts[at - 1] if at else None
                if before in self._graph and all(part != each.component for each in self._graph[before]):
                    self._note.add(place, "no-path", f"{name} is no path: nothing goes from {before} to {part}")
            if not parts:
                self._note.add(path, "no-path", f"{name} names no components")
            limit = self._number((*path, "global_res_time"), positive=True)
            if limit is not None:
                yield Bound(name=name, components=tuple(parts), limit_s=limit)


def local_name(component: str) -> str:
    """The name of the bound on one component; no path has it, since it is no key of theirs."""
    return f"{component} alone"


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
    price, memory = resource.price_eur_per_h, resource.memory_bytes / _MB
    if resource.kind == "serverless":
        return {"cost": price, "memory": memory, "idle_time_before_kill": resource.idle_s}
    return {"cost": price * copies, "memory": memory, "number": copies}


def _names(names: list[str]) -> str:
    return ", ".join(names) or "nothing"


def _dotted(path: tuple[str | int, ...]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")
