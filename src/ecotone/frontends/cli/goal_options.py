"""The options of `ecotone plan` that say what is looked for; for applications and systems alike."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from ecotone.core.plan import Confidence
from ecotone.core.units import QuantityError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ConfidenceOption",
    "LargestLoadOption",
    "MovingPriceOption",
    "ObjectiveOption",
    "ParetoOption",
    "PlotOption",
    "RunningOption",
]


def _price(type_: Any, tokens: Sequence[Any]) -> float:
    """EUR/h from 0. Raises QuantityError, which cyclopts shows."""
    text = tokens[0].value
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise QuantityError(f"{text!r} is no price: write EUR/h, a number from 0, such as 0.05")
    return found


ParetoOption = Annotated[
    Literal["power", "accuracy"] | None,
    Parameter(help="Find every compromise between price and this."),
]
PlotOption = Annotated[Path | None, Parameter(metavar="FILE", help="Draw the compromises into this file, as SVG.")]
LargestLoadOption = Annotated[
    bool,
    Parameter(
        negative="",
        help="Find the largest load that can be carried, by this plan and by any.",
    ),
]
ObjectiveOption = Annotated[
    Literal["price", "power"] | None,
    Parameter(help="What is made least; the price by default."),
]
ConfidenceOption = Annotated[
    Confidence | None,
    Parameter(
        help="What is held against a promise: the upper end of the prediction's 90 % interval, as by default, or what "
        "is expected.",
    ),
]
RunningOption = Annotated[
    Path | None,
    Parameter(
        metavar="PLAN",
        help="What runs now, as --json printed it (of a system: in SPACE4AI's format): moving from it is paid for.",
    ),
]  # fmt: skip
MovingPriceOption = Annotated[
    float | None,
    Parameter(
        converter=_price, metavar="EUR/h", allow_leading_hyphen=True,
        help="For each component that is moved from what runs; 0 by default.",
    ),
]  # fmt: skip
