"""The requirements of an application one by one: named, said in a sentence, dropped or loosened.

`conflict` leaves out one after the other to find what cannot hold together; `explain` to find which one binds. A
loosened application is an ordinary application value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ecotone.core.units import Dimension, format_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecotone.core.application import Application, Component, Requirements
    from ecotone.orchestration.performance import PerformanceModel

__all__ = ["Requirement", "What", "requirements_of", "with_value", "without"]

What = Literal[
    "path latency", "latency", "throughput", "memory", "energy", "accuracy",
    "layers", "regions", "labels", "accelerators", "private", "confidential", "cores", "load",
]  # fmt: skip

_FIELDS: dict[What, str] = {
    "latency": "latency",
    "throughput": "throughput_min_per_s",
    "memory": "memory_bytes",
    "energy": "energy_max_j",
    "accuracy": "accuracy_min",
    "layers": "layers",
    "regions": "regions",
    "labels": "labels",
    "accelerators": "accelerators",
    "private": "private",
    "confidential": "confidential",
}
_DROPPED: dict[What, Any] = {
    "memory": 0.0, "layers": (), "regions": (), "labels": {}, "accelerators": (), "confidential": False,
}  # fmt: skip
_DIMENSIONS: dict[What, Dimension] = {
    "path latency": Dimension.DURATION,
    "latency": Dimension.DURATION,
    "throughput": Dimension.RATE,
    "memory": Dimension.SIZE,
    "energy": Dimension.ENERGY,
}


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement. `subject` is a component, a path ("camera -> analytics") or, for `load`, the application;
    `value` in base units where it is a bound that can be loosened by degrees; `path` is the index of a path."""

    subject: str
    what: What
    sentence: str
    value: float | None = None
    percentile: float | None = None
    path: int | None = None

    def show(self, value: float) -> str:
        """A value of this requirement with its unit."""
        dimension = _DIMENSIONS.get(self.what)
        return f"{value:.3g}" if dimension is None else format_quantity(value, dimension)


def requirements_of(application: Application, model: PerformanceModel) -> tuple[Requirement, ...]:
    """All of them: paths, then components in the file's order, then the load that the sources bring."""
    found: list[Requirement] = []
    for at, path in enumerate(application.paths):
        promise = path.latency
        found.append(
            Requirement(
                subject=path.name, what="path latency", path=at, value=promise.latency_max_s,
                percentile=promise.percentile,
                sentence=f"{path.name} promises at most {_time(promise.latency_max_s)} at p{promise.percentile:g}",
            )
        )  # fmt: skip
    for component in application.components:
        found += _of(component, model)
    sources = [each for each in application.components if not each.trigger.inputs]
    rates = ", ".join(f"{each.name} {_source_rate(each)}" for each in sources)
    sentence = f"the nodes and links must carry the load ({rates}) at 90 % utilisation or less"
    found.append(Requirement(subject=application.name, what="load", value=1.0, sentence=sentence))
    return tuple(found)


def _source_rate(component: Component) -> str:
    rate = component.requirements.throughput_min_per_s
    if component.trigger.kind == "every" and component.trigger.period_s:
        rate = 1.0 / component.trigger.period_s
    return format_quantity(1.0 if rate is None else rate, Dimension.RATE)


def _of(component: Component, model: PerformanceModel) -> Iterator[Requirement]:
    name, needs = component.name, component.requirements
    if needs.latency is not None:
        limit = needs.latency
        sentence = f"{name} promises at most {_time(limit.latency_max_s)} at p{limit.percentile:g}"
        yield Requirement(
            subject=name, what="latency", value=limit.latency_max_s, percentile=limit.percentile, sentence=sentence
        )
    if needs.throughput_min_per_s is not None and component.trigger.inputs:
        rate = needs.throughput_min_per_s
        text = f"{name} must be able to carry {format_quantity(rate, Dimension.RATE)}"
        yield Requirement(subject=name, what="throughput", value=rate, sentence=text)
    least = component.cores[0]
    memory = max(model.memory_bytes(component, variant.name, least) for variant in component.variants)
    said = "asks for" if needs.memory_bytes is not None else "was profiled to need up to"
    text = f"{name} {said} {format_quantity(memory, Dimension.SIZE)} of memory"
    yield Requirement(subject=name, what="memory", value=memory, sentence=text)
    if needs.energy_max_j is not None:
        text = f"{name} may take at most {format_quantity(needs.energy_max_j, Dimension.ENERGY)} an item"
        yield Requirement(subject=name, what="energy", value=needs.energy_max_j, sentence=text)
    if needs.accuracy_min is not None:
        text = f"{name} promises an accuracy of at least {needs.accuracy_min:.3g}"
        yield Requirement(subject=name, what="accuracy", value=needs.accuracy_min, sentence=text)
    yield from _rules(name, needs)
    held = component.held(least)
    if held > 1:
        yield Requirement(subject=name, what="cores", sentence=f"{name} uses {held} cores at once in each replica")


def _rules(name: str, needs: Requirements) -> Iterator[Requirement]:
    rules: list[tuple[What, str]] = []
    if needs.layers:
        rules.append(("layers", f"may run only in layer {' or '.join(needs.layers)}"))
    if needs.regions:
        rules.append(("regions", f"may run only in region {' or '.join(needs.regions)}"))
    if needs.labels:
        wanted = ", ".join(f"{key}: {value}" for key, value in needs.labels.items())
        rules.append(("labels", f"may run only on nodes labelled {wanted}"))
    if needs.accelerators:
        wanted = ", ".join(f"{each.count} {each.kind}" for each in needs.accelerators)
        rules.append(("accelerators", f"takes {wanted} for each replica"))
    if needs.private is not None:
        layers = " and ".join(needs.private) or "no layer at all"
        rules.append(("private", f"is private: its output and what is derived from it may be in {layers} only"))
    if needs.confidential:
        rules.append(("confidential", "is confidential: it may run only on attested sites"))
    for what, text in rules:
        yield Requirement(subject=name, what=what, sentence=f"{name} {text}")


def without(application: Application, requirement: Requirement) -> Application:
    """The application as if it had never said that. `load` is not the application's to drop: see `compile_problem`."""
    if requirement.what == "load":
        return application
    if requirement.path is not None:
        return _with_path_latency(application, requirement.path, None)
    if requirement.what == "cores":
        return _on_one_core(application, requirement.subject)
    return _with_field(application, requirement.subject, _FIELDS[requirement.what], _DROPPED.get(requirement.what))


def _on_one_core(application: Application, name: str) -> Application:
    """As if it could do with one, which it may still have more of."""

    def changed(component: Component) -> Component:
        cell = None if component.cell is None else msgspec.structs.replace(component.cell, ranks=1)
        return msgspec.structs.replace(component, cores=(1, component.cores[1]), cell=cell)

    components = tuple(changed(each) if each.name == name else each for each in application.components)
    return msgspec.structs.replace(application, components=components)


def with_value(application: Application, requirement: Requirement, value: float) -> Application:
    """The application with another bound, in base units."""
    if requirement.path is not None:
        return _with_path_latency(application, requirement.path, value)
    field: Any = value
    if requirement.what == "latency":
        promise = application.component(requirement.subject).requirements.latency
        assert promise is not None
        field = msgspec.structs.replace(promise, latency_max_s=value)
    return _with_field(application, requirement.subject, _FIELDS[requirement.what], field)


def _with_path_latency(application: Application, at: int, value: float | None) -> Application:
    """None: a promise that nothing can break; the path stays, so that the other paths keep their places."""
    path = application.paths[at]
    latency = msgspec.structs.replace(path.latency, latency_max_s=_ANY_TIME_S if value is None else value)
    changed = msgspec.structs.replace(path, latency=latency)
    return msgspec.structs.replace(application, paths=(*application.paths[:at], changed, *application.paths[at + 1 :]))


_ANY_TIME_S = 1e6


def _with_field(application: Application, name: str, field: str, value: Any) -> Application:
    components = tuple(
        msgspec.structs.replace(each, requirements=msgspec.structs.replace(each.requirements, **{field: value}))
        if each.name == name
        else each
        for each in application.components
    )
    return msgspec.structs.replace(application, components=components)


def _time(value_s: float) -> str:
    return format_quantity(value_s, Dimension.DURATION)
