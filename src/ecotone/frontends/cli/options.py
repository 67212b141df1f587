"""The options that several commands share, and how their text becomes values. Imported by every command module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ecotone.core.errors import InputError
from ecotone.core.ids import is_name
from ecotone.core.units import Dimension, QuantityError, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AppArgument",
    "ContinuumOption",
    "Duration",
    "JsonOption",
    "RunOption",
    "SetOption",
    "Share",
    "duration",
    "settings",
    "share",
]


def duration(type_: Any, tokens: Sequence[Any]) -> float:
    """A duration above 0 on the command line, in seconds. Raises QuantityError, which cyclopts shows."""
    value = tokens[0].value
    seconds = parse_quantity(value, Dimension.DURATION)
    if seconds == 0:
        raise QuantityError(f"{value!r} is too short: write a duration above 0, such as {Dimension.DURATION.examples}")
    return seconds


def share(type_: Any, tokens: Sequence[Any]) -> float:
    """A share from 0 up to 1, also in percent. Raises QuantityError."""
    value = tokens[0].value
    found = parse_quantity(value, Dimension.FRACTION)
    if found >= 1:
        raise QuantityError(f"{value!r} is not a share: write a number from 0 up to 1, or percent, such as 0.05 or 5%")
    return found


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


AppArgument = Annotated[str, Parameter(help="The application: a folder with app.py, a Python file, or a module.")]
ContinuumOption = Annotated[
    Path | None,
    Parameter(
        name="--continuum",
        metavar="FILE",
        help="Where it can run; without it, continuum.yaml beside the application, or a default one.",
    ),
]
SetOption = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        metavar="NAME=VALUE",
        consume_multiple=False,
        help="Set a parameter of the application; may be repeated.",
    ),
]
JsonOption = Annotated[bool, Parameter(name="--json", help="Print one JSON document on stdout, progress on stderr.")]
RunOption = Annotated[
    str | None, Parameter(name="--run", metavar="ID", help="Which run, by its id; without it, the last one.")
]
# A negative value shall be told as one, and not taken for an option.
Duration = Annotated[float, Parameter(converter=duration, metavar="DURATION", allow_leading_hyphen=True)]
Share = Annotated[float, Parameter(converter=share, metavar="SHARE", allow_leading_hyphen=True)]
