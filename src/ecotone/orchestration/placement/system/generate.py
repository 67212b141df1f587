"""Random systems of the kind that SPACE4AI-D was evaluated on, and larger ones; seeded. Called by benchmarks and tests.

The figures are the ranges of the published instances (S4AI, https://github.com/ai-sprint-eu-project, Apache-2.0) and of
its generator: a random graph from one source to one sink, alternative deployments in chains of partitions with early
exits, drones and edge servers, virtual machines by layer, functions, and bounds on components and paths.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from ecotone.core.errors import InputError
from ecotone.orchestration.placement.system.model import (
    Bound,
    Component,
    Deployment,
    Domain,
    Option,
    Partition,
    Resource,
    Semantics,
    Successor,
    System,
)

__all__ = ["COMPONENTS_MIN", "Strictness", "generate"]

Strictness = Literal["strict", "light"]
COMPONENTS_MIN = 5

_MB = 2.0**20
_EDGE_SHARE = 0.8
"""Probability of an edge of the graph between two inner components."""
_MEMORY_OF_COMPONENT = 32768 * _MB
_LIGHT = 10.0
"""Bounds of light systems are so much looser than those of strict ones."""


def generate(
    components: int,
    seed: int,
    *,
    strictness: Strictness = "strict",
    rate_per_s: float = 1.8,
) -> System:
    """A random system.

    Args:
        components: how many, at least `COMPONENTS_MIN`; the published instances have 5, 7, 10 and 15. Resources, bounds
            and memory grow with them.
        seed: the same seed gives the same system.
        strictness: of the bounds; `light` ones are ten times looser.
        rate_per_s: requests that enter the first component.

    Raises:
        InputError: too few components, or a rate that is not positive.
    """
    if components < COMPONENTS_MIN:
        raise InputError(f"a system is generated of at least {COMPONENTS_MIN} components, not of {components}")
    if not 0.0 < rate_per_s < float("inf"):
        raise InputError(f"the rate of requests must be positive and finite, not {rate_per_s:g}")
    name = f"{strictness}-{components}-{seed}"
    draw = random.Random(name)  # noqa: S311  (no secrets here)
    return _Generator(components, draw, strictness).system(name, rate_per_s)


class _Generator:
    def __init__(self, count: int, draw: random.Random, strictness: Strictness) -> None:
        self._count = count
        self._draw = draw
        self._looseness = _LIGHT if strictness == "light" else 1.0
        self._memory_bytes = _MEMORY_OF_COMPONENT * count
        self._names = [f"c{number}" for number in range(1, count + 1)]
        self._graph = self._draw_graph()
        self._edges, self._vms = self._draw_lasting()
        self._functions: list[Resource] = []

    def system(self, name: str, rate_per_s: float) -> System:
        components = tuple(self._component(at, each) for at, each in enumerate(self._names))
        edge_layers, vm_layers = _layers(self._edges), _layers(self._vms)
        everywhere = frozenset([*edge_layers, *vm_layers, "functions"])
        near = edge_layers[:2]
        between = (*edge_layers[2:], vm_layers[0]) if len(edge_layers) > len(near) else (*vm_layers[:2], "functions")
        return System(
            name=name,
            components=components,
            resources=(*self._edges, *self._vms, *self._functions),
            domains=(
                _domain("near", near, 2000.0),
                _domain("between", between, 1500.0),
                _domain("all", everywhere, 1000.0),
            ),
            rates_per_s={self._names[0]: rate_per_s},
            bounds=(*self._local_bounds(), *self._path_bounds()),
            one_type_layers=frozenset(vm_layers),
            semantics=Semantics(
                serverless_time_rate="component",
                serverless_price_rate="component",
                serverless_starts="queued",
                leaving="last",
            ),
        )

    # Resources

    def _draw_lasting(self) -> tuple[list[Resource], list[Resource]]:
        """Drones and edge servers, then virtual machines."""
        draw, count = self._draw, self._count
        small, middle = count <= 5, count < 10
        edge_layers, per_edge = (1, 2 if small else 3) if middle else (2, 4 if count < 15 else count // 3)
        vm_layers, per_vm = (1, 3) if small else (2, 4) if count < 15 else (3, count // 3)
        edges = [self._lasting("drone1", "drones", draw.uniform(4, 8), copies=1)]
        for layer in range(1, edge_layers + 1):
            for _ in range(per_edge):
                edges.append(self._lasting(f"edge{len(edges)}", f"edge-{layer}", draw.uniform(4, 8), copies=2))
        vms: list[Resource] = []
        for layer in range(vm_layers):
            for size in range(1, per_vm + 1):
                price = draw.uniform(0.02, min(size, 5)) * (1.0 + 0.8 * layer)
                vms.append(self._lasting(f"vm{len(vms) + 1}", f"vm-{layer + 1}", price, copies=draw.choice([3, 4])))
        return edges, vms

    def _lasting(self, name: str, layer: str, price: float, *, copies: int) -> Resource:
        return Resource(
            name=name,
            kind="vm" if layer.startswith("vm") else "edge",
            layer=layer,
            price_eur_per_h=price,
            copies_max=copies,
            memory_bytes=self._memory_bytes,
        )

    def _function(self) -> Resource:
        found = Resource(
            name=f"f{len(self._functions) + 1}",
            kind="serverless",
            layer="functions",
            price_eur_per_h=self._draw.uniform(0, 1),
            memory_bytes=self._memory_bytes,
            idle_s=600.0,
        )
        self._functions.append(found)
        return found

    # Components

    def _draw_graph(self) -> dict[str, tuple[Successor, ...]]:
        """A source, inner components with random edges forward, a sink; probabilities of what comes next sum to 1."""
        draw, names = self._draw, self._names
        inner = names[1:-1]
        after = {one: [two for two in inner[at + 1 :] if draw.random() < _EDGE_SHARE] for at, one in enumerate(inner)}
        reached = {two for targets in after.values() for two in targets}
        after[names[0]] = [name for name in inner if name not in reached]
        after = {name: targets or [names[-1]] for name, targets in after.items()}
        return {name: tuple(_successors(draw, after.get(name, []))) for name in names}

    def _component(self, at: int, name: str) -> Component:
        hosts, has_functions = self._hosts(at)
        whole_s = {host.name: self._whole_s(host, is_source=at == 0) for host in hosts}
        sizes = {each.component: self._size_bytes() for each in self._graph[name]}
        lengths = [1, *self._draw.sample([2, 3, 4], self._draw.randint(0, 2))]
        deployments = tuple(
            Deployment(
                name=f"s{number}",
                partitions=tuple(
                    self._partition(f"h{sum(lengths[: number - 1]) + step + 1}", step, length, whole_s, has_functions)
                    for step in range(length)
                ),
                output_bytes=sizes,
            )
            for number, length in enumerate(lengths, start=1)
        )
        return Component(name=name, deployments=deployments, successors=self._graph[name])

    def _hosts(self, at: int) -> tuple[list[Resource], bool]:
        """Where a component may run: early ones near the data, late ones in the cloud; and whether as functions."""
        if at == 0:
            return self._edges[:1], False
        place = (at - 1) / (self._count - 1)
        for share, hosts, has_functions in (
            (0.22, self._edges, False),
            (0.45, self._edges[1:], False),
            (0.68, [*self._edges[1:], *self._vms], False),
            (0.80 if self._count >= 10 else 0.68, [*self._edges[1:], *self._vms], True),
        ):
            if place < share:
                return hosts, has_functions
        return self._vms, True

    def _whole_s(self, host: Resource, *, is_source: bool) -> float:
        if host.kind == "vm":
            return self._draw.uniform(0.2, 0.7)
        if host.layer == "drones":
            return self._draw.uniform(0.1, 0.2) if is_source else self._draw.uniform(1.5, 2.0)
        return self._draw.uniform(0.6, 1.1)

    def _partition(
        self, name: str, step: int, length: int, whole_s: dict[str, float], has_functions: bool
    ) -> Partition:
        draw = self._draw
        options = [
            Option(
                resource=host,
                service_s=time_s if length == 1 else time_s / length + draw.uniform(0.03, 0.1) * min(1.0, 5 * time_s),
                memory_bytes=_MB * draw.choice((2048, 4096, 8192) if host.startswith("vm") else (512, 1024, 2048)),
            )
            for host, time_s in whole_s.items()
        ]
        for _ in range(2 if has_functions else 0):
            warm_s = draw.uniform(2, 3)
            options.append(
                Option(
                    resource=self._function().name,
                    service_s=warm_s,
                    cold_s=warm_s * draw.uniform(1.34, 1.96),
                    memory_bytes=_MB * draw.choice((1024, 2048, 4096)),
                )
            )
        is_last = step == length - 1
        return Partition(
            name=name,
            options=tuple(options),
            exit_probability=0.0 if is_last else draw.uniform(0, 1),
            output_bytes=0.0 if is_last else self._size_bytes(),
        )

    def _size_bytes(self) -> float:
        return _MB * self._draw.randint(4, 7)

    # Bounds

    def _bound_count(self) -> int:
        return 3 if self._count < 10 else 4 if self._count < 15 else self._count // 3

    def _local_bounds(self) -> list[Bound]:
        names = sorted(self._draw.sample(self._names, self._bound_count()), key=self._names.index)
        low, high = (10, 15) if self._count <= 5 else (7, 10)
        return [
            Bound(name=f"{name} alone", components=(name,), limit_s=self._looseness * self._draw.uniform(low, high))
            for name in names
        ]

    def _path_bounds(self) -> list[Bound]:
        low, high = (25, 40) if self._count <= 5 else (15, 20) if self._count < 15 else (20, 25)
        found: dict[tuple[str, ...], Bound] = {}
        while len(found) < self._bound_count():
            path = self._walk(self._draw.randint(2, min(9, self._count - 1)))
            if len(path) > 1 and path not in found:
                limit_s = self._looseness * self._draw.uniform(low, high)
                found[path] = Bound(name=f"p{len(found) + 1}", components=path, limit_s=limit_s)
        return list(found.values())

    def _walk(self, length: int) -> tuple[str, ...]:
        path = [self._draw.choice(self._names)]
        while len(path) < length and self._graph[path[-1]]:
            path.append(self._draw.choice(self._graph[path[-1]]).component)
        return tuple(path)


def _successors(draw: random.Random, targets: Sequence[str]) -> list[Successor]:
    weights = [1.0 - draw.random() for _ in targets]
    return [
        Successor(component=target, probability=weight / sum(weights))
        for target, weight in zip(targets, weights, strict=True)
    ]


def _layers(resources: Sequence[Resource]) -> list[str]:
    return list(dict.fromkeys(resource.layer for resource in resources))


def _domain(name: str, layers: Sequence[str] | frozenset[str], bandwidth_mb_per_s: float) -> Domain:
    return Domain(name=name, layers=frozenset(layers), delay_s=0.001, bandwidth_bytes_per_s=bandwidth_mb_per_s * _MB)
