"""The configurations that an exploration may measure: the grid of what a person named. Called by `explore`."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import msgspec
import numpy

from ecotone.core.application import Value
from ecotone.core.errors import InputError
from ecotone.core.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecotone.core.application import Application, Component, Parameter
    from ecotone.orchestration.performance.interface import Floats

__all__ = ["Axis", "Configuration", "axes_of", "configurations", "features", "takes_lists"]

BATCH, CORES = "batch", "cores"
_CONFIGURATIONS_MAX = 20_000


class Axis(msgspec.Struct, frozen=True):
    """What is varied, and its values in their order: `batch`, `cores`, or a parameter of the application."""

    name: str
    values: tuple[float, ...]


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """One point of the grid. `batch` None: the component takes no lists, or as many items as it says itself; `cores`
    None: one, as in every other profile. `values` by axis."""

    batch: int | None
    cores: int | None
    parameters: dict[str, Value]
    values: dict[str, float]


def axes_of(application: Application, texts: Sequence[str], cores_max: int) -> tuple[Axis, ...]:
    """Read `NAME=VALUE,VALUE,...`, one text for each axis.

    Raises:
        InputError: an unknown name, one that is there twice, or values that it cannot have.
    """
    parameters = {each.name: each for each in application.parameters}
    axes: list[Axis] = []
    for text in texts:
        name, equals, listed = text.partition("=")
        if not equals or not name or not listed:
            raise InputError(f"--vary {text}: write --vary NAME=VALUE,VALUE, for example --vary batch=1,2,4")
        if any(axis.name == name for axis in axes):
            raise InputError(f"--vary {name} is there twice: name all its values in one")
        if name in {BATCH, CORES} and name in parameters:
            raise InputError(f"--vary {name}: the application has a parameter of this name, too; rename that")
        if name not in {BATCH, CORES, *parameters}:
            hint = did_you_mean(name, (BATCH, CORES, *parameters))
            raise InputError(f"--vary {name}: neither batch, cores, nor a parameter of the application ({hint})")
        axes.append(_axis(name, listed, parameters.get(name), cores_max))
    return tuple(axes)


def _axis(name: str, listed: str, parameter: Parameter | None, cores_max: int) -> Axis:
    if parameter is not None and parameter.type not in {"int", "float"}:
        raise InputError(f"--vary {name}: this parameter is a {parameter.type}; only numbers can be varied")
    whole = parameter is None or parameter.type == "int"
    values: list[float] = []
    for text in listed.split(","):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0.0):
            raise InputError(f"--vary {name}: {text.strip()!r} is not a number above 0")
        if whole and value != round(value):
            raise InputError(f"--vary {name}: {text.strip()} is not a whole number")
        if name == CORES and value > cores_max:
            raise InputError(f"--vary cores: {value:.0f} are more than the {cores_max} of this machine")
        if value not in values:
            values.append(value)
    return Axis(name, tuple(sorted(values)))


def takes_lists(component: Component) -> bool:
    """Whether its calls get lists of items."""
    return component.batching is not None or (component.trigger.kind == "every" and bool(component.trigger.inputs))


def configurations(
    application: Application, component: Component, axes: Sequence[Axis], defaults: Mapping[str, Value]
) -> tuple[Configuration, ...]:
    """Every combination that applies to the component.

    Args:
        application: whose parameters they are.
        component: `batch` applies only where calls get lists.
        axes: what is varied.
        defaults: values of the parameters that are not.

    Raises:
        InputError: there are too many.
    """
    own = [axis for axis in axes if axis.name != BATCH or takes_lists(component)]
    count = math.prod(len(axis.values) for axis in own)
    if count > _CONFIGURATIONS_MAX:
        raise InputError(f"{component.name}: {count} configurations; name fewer values (up to {_CONFIGURATIONS_MAX})")
    types = {each.name: each.type for each in application.parameters}
    found: list[Configuration] = []
    for combination in itertools.product(*(axis.values for axis in own)):
        values = {axis.name: value for axis, value in zip(own, combination, strict=True)}
        chosen = {
            name: int(value) if types[name] == "int" else value for name, value in values.items() if name in types
        }
        found.append(
            Configuration(
                batch=int(values[BATCH]) if BATCH in values else None,
                cores=int(values[CORES]) if CORES in values else None,
                parameters={**defaults, **chosen},
                values=values,
            )
        )
    return tuple(found)


def features(grid: Sequence[Configuration]) -> Floats:
    """(configurations, axes); one column of ones where nothing applies."""
    return numpy.array([list(each.values.values()) or [1.0] for each in grid], dtype=numpy.float64)
