"""The options that several commands share, and how their text becomes values. Imported by every command module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ecotone.core.errors import InputError
from ecotone.core.ids import is_name
from ecotone.core.units import Dimension, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AppArgument",
    "ContinuumOption",
    "Duration",
    "JsonOption",
    "RunOption",
    "SetOption",
    "duration",
    "settings",
]


def duration(type_: Any, tokens: Sequence[Any]) -> float:
    """A duration on the command line in seconds, with its unit. Raises QuantityError, which cyclopts shows."""
    return parse_quantity(tokens[0].value, Dimension.DURATION)


def settings(pairs: Sequence[str]) -> dict[str, str]:
    """`--set NAME=VALUE`, as often as given; the last one wins.

    Raises:
        InputError: no `=`, or no name before it.
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not is_name(name):
            raise InputError(f"--set {pair}: write --set NAME=VALUE, for example --set clip=street.avi")
        values[name] = value
    return values


AppArgument = Annotated[str, Parameter(help="The application: a folder with app.py, a file, or a module.")]
ContinuumOption = Annotated[
    Path | None,
    Parameter(
        name="--continuum",
        metavar="FILE",
        help="Continuum file; without it, continuum.yaml beside the application, or the default one.",
    ),
]
SetOption = Annotated[
    tuple[str, ...],
    Parameter(name="--set", metavar="NAME=VALUE", consume_multiple=False, help="A parameter's value; may be repeated."),
]
JsonOption = Annotated[bool, Parameter(name="--json", help="Print one JSON document on stdout, progress on stderr.")]
RunOption = Annotated[str | None, Parameter(name="--run", metavar="ID", help="Which run; without it, the last one.")]
Duration = Annotated[float, Parameter(converter=duration, metavar="DURATION")]
