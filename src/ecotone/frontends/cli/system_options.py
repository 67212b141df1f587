"""The options of `ecotone plan` for a system in SPACE4AI's format, and how their text becomes values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from ecotone.core.units import QuantityError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["JudgeOption", "LoadOption", "SeedOption", "SemanticsOption", "SystemOption", "WrittenOption"]

_SEED_MAX = 2**31 - 1
_GROUP = Group("For a system instead of an application", sort_key=100)


def _load(type_: Any, tokens: Sequence[Any]) -> float:
    """Requests per second, above 0. Raises QuantityError, which cyclopts shows."""
    text = tokens[0].value
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise QuantityError(f"{text!r} is no load: write requests per second, a number above 0, such as 1.8")
    return found


def _seed(type_: Any, tokens: Sequence[Any]) -> int:
    """A whole number from 0. Raises QuantityError."""
    text = tokens[0].value
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= _SEED_MAX):
        raise QuantityError(f"{text!r} is no seed: write a whole number from 0 to {_SEED_MAX}")
    return int(text)


SystemOption = Annotated[
    Path | None,
    Parameter(
        name="--space4ai",
        metavar="FILE",
        help="Place the system that FILE describes, in SPACE4AI's format.",
        group=_GROUP,
    ),
]
LoadOption = Annotated[
    float | None,
    Parameter(
        converter=_load,
        metavar="RATE",
        allow_leading_hyphen=True,
        help="Of a system, the requests per second that enter (without it, what FILE says); of an application, a "
        "multiple of what its sources bring, such as 2.",
    ),
]
SemanticsOption = Annotated[
    Literal["published", "python", "cpp", "ecotone"] | None,
    Parameter(
        help="What FILE means where readers of the format disagree; as in the published solutions by default.",
        group=_GROUP,
    ),
]
SeedOption = Annotated[
    int | None,
    Parameter(
        converter=_seed, metavar="N", allow_leading_hyphen=True, help="Seed of the search; 0 by default.", group=_GROUP
    ),
]
JudgeOption = Annotated[
    Path | None,
    Parameter(
        metavar="SOLUTION", help="Search nothing, judge the placement in this file, in SPACE4AI's format.", group=_GROUP
    ),
]
WrittenOption = Annotated[
    Path | None,
    Parameter(
        name="--output",
        metavar="SOLUTION",
        help="Write the placement to this file, in SPACE4AI's format.",
        group=_GROUP,
    ),
]
