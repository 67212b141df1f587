"""Random planning problems from a seed: small ones that can be enumerated, and larger ones for timing."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
from tests.support.applications import after, camera, measured, samples_of

from ecotone.core.application import (
    Accelerator,
    Application,
    Cell,
    Component,
    LatencyPromise,
    PathPromise,
    Requirements,
)
from ecotone.core.continuum import Continuum, Device, Link, NodeType, Power, Site, Trust
from ecotone.orchestration.performance.samples import CoresSamples, Samples, VariantSamples

__all__ = ["random_application", "random_case", "random_continuum", "random_samples", "with_cores"]

_LAYERS = ("device", "edge", "cloud")


def random_case(
    seed: int, *, components: int = 3, node_types: int = 3, strictness: float = 1.0
) -> tuple[Application, Continuum, Samples]:
    """A problem; of the small ones about a half has no plan at `strictness` 1, fewer when it is lower (0 to 1)."""
    rng = random.Random(seed)
    application = random_application(rng, components, strictness)
    return application, random_continuum(rng, node_types), random_samples(rng, application)


def with_cores(seed: int, application: Application, samples: Samples) -> tuple[Application, Samples]:
    """The same, but some components can use several cores, and a cell has ranks; with samples at some of the counts."""
    rng = random.Random(f"cores/{seed}")
    components: list[Component] = []
    for each in application.components:
        cores = rng.choice(((1, 1), (1, 2), (1, 4), (1, 4), (2, 4)))
        cell = Cell(file="x.cell", ranks=2) if rng.random() < 0.15 and each.trigger.kind == "data" else None
        components.append(msgspec.structs.replace(each, cores=cores, cell=cell))
    variants = tuple(
        _at_counts(rng, each, next(c for c in components if c.name == each.component)) for each in samples.variants
    )
    return (
        msgspec.structs.replace(application, components=tuple(components)),
        msgspec.structs.replace(samples, variants=variants),
    )


def _at_counts(rng: random.Random, found: VariantSamples, component: Component) -> VariantSamples:
    """A part of the work is serial, and threads cost something."""
    serial, spun = rng.uniform(0.0, 0.6), rng.uniform(0.0, 0.2)
    counts = [count for count in component.core_counts if rng.random() < 0.8]
    ranks = 1 if component.cell is None else component.cell.ranks

    def cpu_s(cores: int) -> tuple[float, ...]:
        return tuple(each * (1.0 + spun * (cores * ranks - 1)) for each in found.cpu_s)

    def wall_s(cores: int) -> tuple[float, ...]:
        waits = [wall - cpu for wall, cpu in zip(found.wall_s, found.cpu_s, strict=True)]
        return tuple(
            cpu * (serial + (1.0 - serial) / (cores * ranks)) + wait
            for cpu, wait in zip(found.cpu_s, waits, strict=True)
        )

    by_cores = [
        CoresSamples(
            cores=count, cpu_s=cpu_s(count), wall_s=wall_s(count), memory_peak_bytes=found.memory_peak_bytes * count
        )
        for count in counts
        if count > component.cores[0]
    ]
    least = component.cores[0]
    return msgspec.structs.replace(
        found, cpu_s=cpu_s(least), wall_s=wall_s(least), cores=least, by_cores=tuple(by_cores)
    )


def random_application(rng: random.Random, count: int, strictness: float) -> Application:
    """A camera and what follows it, a tree or with merges, rules and promises here and there."""
    components: list[Component] = [camera(period_s=rng.choice((0.02, 0.05, 0.1)))]
    for number in range(1, count):
        earlier = [each.name for each in components]
        inputs = rng.sample(earlier, k=min(len(earlier), 1 if rng.random() < 0.85 else 2))
        variants = ("large", "small") if rng.random() < 0.4 else ("default",)
        requirements = Requirements(
            layers=tuple(rng.sample(_LAYERS, k=2)) if rng.random() < 0.3 * strictness else (),
            private=("device", "edge") if rng.random() < 0.2 * strictness else None,
            releases=rng.random() < 0.3,
            confidential=rng.random() < 0.1,
            accuracy_min=0.9 if rng.random() < 0.2 * strictness else None,
            accelerators=gpu(rng) if rng.random() < 0.15 * strictness else (),
            replicas_max=rng.choice((1, 1, 2)),
            latency=LatencyPromise(latency_max_s=rng.uniform(0.01, 0.08)) if rng.random() < 0.2 * strictness else None,
            energy_max_j=rng.uniform(0.05, 0.4) if rng.random() < 0.1 * strictness else None,
        )
        components.append(after(f"c{number}", *inputs, variants=variants, requirements=requirements))
    depth = 1.0 + count * (1.0 - strictness) / 4
    paths = (
        PathPromise(
            components=("camera", components[-1].name),
            latency=LatencyPromise(
                latency_max_s=rng.uniform(0.03, 0.2) * depth, percentile=rng.choice((50.0, 95.0, 99.0))
            ),
        ),
    )
    return Application(name="random", components=tuple(components), paths=paths if rng.random() < 0.8 else ())


def gpu(rng: random.Random) -> tuple[Accelerator, ...]:
    return (Accelerator(kind="gpu", memory_bytes=rng.choice((0.0, 4e9))),)


def random_power(rng: random.Random, number: int) -> Power:
    """A straight line, a curve that grows quickly at first, or one that jumps late."""
    idle_w, busy_w = rng.uniform(1, 20), rng.uniform(20, 60)
    curves = ((), ((0.1, 0.6), (0.5, 0.9)), ((0.4, 0.1), (0.41, 0.7)))
    points = tuple((share, idle_w + (busy_w - idle_w) * part) for share, part in curves[number % 3])
    return Power(idle_w=idle_w, busy_w=busy_w, curve=points)


def random_continuum(rng: random.Random, node_types: int) -> Continuum:
    """One to three sites in a chain."""
    sites: list[Site] = []
    for number in range(node_types):
        kind = NodeType(
            name=f"n{number}",
            count=rng.choice((1, 1, 2)),
            cores=rng.choice((1, 2, 4)),
            speed=rng.choice((0.4, 0.7, 1.0)),
            memory_bytes=rng.choice((0.3e9, 1e9, 8e9)),
            price_eur_per_h=round(rng.uniform(0.01, 0.3), 3),
            power=random_power(rng, number),
            devices=(Device(kind="gpu", count=rng.choice((1, 2)), memory_bytes=8e9),) if rng.random() < 0.4 else (),
        )
        if sites and rng.random() < 0.2:
            last = sites[-1]
            sites[-1] = Site(
                name=last.name, layer=last.layer, region=last.region, trust=last.trust,
                node_types=(*last.node_types, kind),
            )  # fmt: skip
        else:
            sites.append(
                Site(
                    name=f"s{number}",
                    layer=_LAYERS[min(len(sites), 2)],
                    region=rng.choice(("eu-south", "eu-west")),
                    trust=Trust(attested=rng.random() < 0.5),
                    node_types=(kind,),
                )
            )
    links = tuple(
        Link(
            between=(one.name, other.name),
            latency_s=rng.uniform(0.0005, 0.02),
            bandwidth_bytes_per_s=rng.choice((1e6, 1e7, 1e8)),
            price_eur_per_byte=rng.choice((0.0, 0.05e-9, 0.5e-9)),
        )
        for one, other in pairwise(sites)
        if rng.random() < 0.95
    )
    return Continuum(name="random", sites=tuple(sites), links=links)


def random_samples(rng: random.Random, application: Application) -> Samples:
    variants = []
    is_small = len(application.components) < 6
    for component in application.components:
        mean = rng.uniform(0.001, 0.03 if is_small else 0.012)
        for variant in component.variants:
            small = variant.name == "small"
            variants.append(
                measured(
                    component.name, mean * (0.4 if small else 1.0), variant=variant.name, spread=rng.uniform(0.0, 0.4),
                    wait_s=rng.choice((0.0, 0.0, 0.003)), output_bytes=rng.choice((500, 20_000, 300_000)),
                    memory_bytes=rng.uniform(2e7, 2e8), accuracy=0.8 if small else 1.0,
                    outputs_per_input=rng.choice((1.0, 1.0, 1.0, 1.0, 0.5, 2.0)) if is_small else 1.0, count=40,
                )
            )  # fmt: skip
    return samples_of(*variants, application=application.name)
