"""Small random systems, and every placement of one: what the exact search is compared with."""

from __future__ import annotations

import random
from itertools import product
from typing import TYPE_CHECKING

from ecotone.orchestration.placement.system.model import (
    MEAN,
    Bound,
    Component,
    Deployment,
    Domain,
    Law,
    Option,
    Partition,
    Placement,
    Resource,
    Semantics,
    Successor,
    System,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["every_placement", "random_system"]

_LAWS: tuple[Law, ...] = ("ps", "mm1", "mg1", "mmc")


def random_system(seed: int) -> System:
    """Two or three components on two edges, a VM type and a function; bounds are often, not always, tight."""
    draw = random.Random(seed)
    law = draw.choice(_LAWS)
    resources = (
        _resource(draw, "camera", "edge", "near", law),
        _resource(draw, "box", "edge", "site", law),
        _resource(draw, "small", "vm", "cloud", law),
        _resource(draw, "large", "vm", "cloud", law),
        Resource(name="function", kind="serverless", layer="functions", price_eur_per_h=draw.uniform(0, 3),
                 memory_bytes=4e9, idle_s=draw.uniform(1, 60)),
    )  # fmt: skip
    names = ["a", "b", "c"][: draw.randint(2, 3)]
    components = tuple(_component(draw, name, names[at + 1 :]) for at, name in enumerate(names))
    bounds = [
        Bound(name="all", components=tuple(_path(components)), limit_s=draw.uniform(0.3, 3), percentile=_at(draw))
    ]
    if draw.random() < 0.5:
        bounds.append(Bound(name="last", components=(names[-1],), limit_s=draw.uniform(0.2, 1.5), percentile=_at(draw)))
    layers = frozenset(resource.layer for resource in resources)
    return System(
        name=f"random-{seed}",
        components=components,
        resources=resources,
        domains=(
            Domain(name="near", layers=frozenset({"near", "site"}), delay_s=0.002, bandwidth_bytes_per_s=1e7),
            Domain(name="far", layers=layers, delay_s=draw.uniform(0.01, 0.1), bandwidth_bytes_per_s=1e6),
        ),
        rates_per_s={names[0]: draw.uniform(0.5, 3)},
        bounds=tuple(bounds),
        one_type_layers=frozenset({"cloud"}) if draw.random() < 0.5 else frozenset(),
        semantics=Semantics(
            memory_of_copies=draw.random() < 0.5,
            shared_serverless_once=draw.random() < 0.3,
            returns=draw.random() < 0.3,
        ),
    )


def every_placement(system: System) -> Iterator[Placement]:
    """All of them, the senseless ones included."""
    ways = [
        [(deployment.name, where) for deployment in component.deployments for where in _choices(deployment)]
        for component in system.components
    ]
    lasting = [resource for resource in system.resources if resource.kind != "serverless"]
    for chosen in product(*ways):
        used = {name for _, where in chosen for name in where}
        counts = [range(1, resource.copies_max + 1) if resource.name in used else (0,) for resource in lasting]
        for copies in product(*counts):
            yield Placement(
                deployments={c.name: name for c, (name, _) in zip(system.components, chosen, strict=True)},
                resources={c.name: where for c, (_, where) in zip(system.components, chosen, strict=True)},
                copies={r.name: count for r, count in zip(lasting, copies, strict=True) if count},
            )


def _choices(deployment: Deployment) -> Iterator[tuple[str, ...]]:
    return product(*([option.resource for option in partition.options] for partition in deployment.partitions))


def _resource(draw: random.Random, name: str, kind: str, layer: str, law: Law) -> Resource:
    return Resource(
        name=name,
        kind=kind,  # pyright: ignore[reportArgumentType]
        layer=layer,
        price_eur_per_h=draw.uniform(0.5, 5),
        copies_max=draw.randint(1, 2),
        memory_bytes=4e9,
        law=law,
        service_cv2=draw.choice([0.0, 0.5, 2.0]),
        idle_w=draw.uniform(1, 20),
        busy_w=draw.uniform(20, 60),
        attested=draw.random() < 0.7,
    )


def _component(draw: random.Random, name: str, later: list[str]) -> Component:
    deployments = tuple(
        Deployment(
            name=f"s{number}",
            partitions=tuple(_partition(draw, name, number, at) for at in range(draw.randint(1, 2))),
            output_bytes={each: draw.uniform(1e3, 3e5) for each in later},
            accuracy=draw.choice([None, 0.8, 0.9, 0.95]),
        )
        for number in range(1, draw.randint(1, 2) + 1)
    )
    successors = ()
    if later:
        successors = (Successor(component=later[0], probability=1.0),)
        if len(later) == 2:
            successors = (
                Successor(component=later[0], probability=0.7),
                Successor(component=later[1], probability=0.3),
            )
    return Component(
        name=name,
        deployments=deployments,
        successors=successors,
        confidential=draw.random() < 0.1,
        private_layers=frozenset({"near", "site"}) if draw.random() < 0.1 else frozenset(),
    )


def _partition(draw: random.Random, component: str, deployment: int, at: int) -> Partition:
    places = draw.sample(["camera", "box", "small", "large", "function"], draw.randint(2, 3))
    return Partition(
        name=f"{component}{deployment}{at}",
        options=tuple(_option(draw, place) for place in places),
        exit_probability=draw.choice([0.0, 0.3, 0.6]) if at == 0 else 0.0,
        output_bytes=draw.uniform(1e3, 3e5),
    )


def _option(draw: random.Random, place: str) -> Option:
    service_s = draw.uniform(0.02, 0.4)
    return Option(resource=place, service_s=service_s, memory_bytes=draw.uniform(1e8, 3e9), cold_s=2 * service_s)


def _path(components: tuple[Component, ...]) -> Iterator[str]:
    name: str | None = components[0].name
    by_name = {component.name: component for component in components}
    while name is not None:
        yield name
        following = by_name[name].successors
        name = following[0].component if following else None


def _at(draw: random.Random) -> float:
    return draw.choice([MEAN, MEAN, 95.0, 80.0])
