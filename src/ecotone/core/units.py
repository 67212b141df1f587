"""Quantities that people write ("30 ms", "4 GiB", "2 req/s", "0.12 EUR/h") to floats in one base unit, and back.

Called by the readers of applications and continuum files, by parameters given on the command line, and by every table.
Base units: seconds, bytes, items per second, bytes per second, joules, watts, EUR per hour, EUR per byte, fractions.
"""

from __future__ import annotations

import math
import re
from enum import Enum

__all__ = ["Dimension", "QuantityError", "format_quantity", "parse_quantity"]

_TIMES = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
    "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40,
}  # fmt: skip
_BITS = {"bit": 0.125, "kbit": 125.0, "Mbit": 125e3, "Gbit": 125e6}
_COUNTS = ("", "req", "requests", "items", "item", "frames", "frame", "events", "event")
_RATES = {f"{what}/{per}": 1.0 / _TIMES[per] for what in _COUNTS for per in ("s", "min", "h")} | {
    "Hz": 1.0, "fps": 1.0,
}  # fmt: skip


class Dimension(Enum):
    """What a quantity measures: base unit, accepted units, and examples for messages."""

    DURATION = ("s", _TIMES, '"30 ms", "2 s"')
    SIZE = ("B", _BYTES, '"512 KiB", "4 GiB"')
    RATE = ("/s", _RATES, '"25 items/s", "2 req/s"')
    BANDWIDTH = (
        "B/s",
        {f"{unit}/s": factor for unit, factor in (_BYTES | _BITS).items()}
        | {"kbps": 125.0, "Mbps": 125e3, "Gbps": 125e6},
        '"100 Mbit/s", "1 GB/s"',
    )
    ENERGY = (
        "J",
        {"uJ": 1e-6, "mJ": 1e-3, "J": 1.0, "kJ": 1e3, "mWh": 3.6, "Wh": 3600.0, "kWh": 3.6e6},
        '"0.5 J", "2 mWh"',
    )
    POWER = ("W", {"mW": 1e-3, "W": 1.0, "kW": 1e3}, '"15 W"')
    PRICE_PER_HOUR = (
        "EUR/h",
        {"EUR/h": 1.0, "EUR/d": 1 / 24, "EUR/month": 1 / 730, "ct/h": 0.01},
        '"0.12 EUR/h"',
    )
    PRICE_PER_BYTE = (
        "EUR/B",
        {f"EUR/{unit}": 1.0 / factor for unit, factor in _BYTES.items()},
        '"0.09 EUR/GB"',
    )
    FRACTION = ("", {"": 1.0, "%": 0.01}, '0.95, "95 %"')

    def __init__(self, base: str, units: dict[str, float], examples: str) -> None:
        self.base = base
        self.units = units
        self.examples = examples


class QuantityError(ValueError):
    """The text is not a quantity of the wanted dimension; the message says what was expected.

    `code` names the kind of mistake as `Problem.code` does: `wrong-type`, `wrong-unit` or `out-of-range`.
    """

    def __init__(self, message: str, code: str = "wrong-unit") -> None:
        super().__init__(message)
        self.code = code


_QUANTITY = re.compile(r"\s*([+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*(?:\s*/\s*\S+)?)\s*\Z")


def parse_quantity(value: object, dimension: Dimension) -> float:
    """A non-negative quantity in the dimension's base unit.

    Args:
        value: text such as "30 ms"; a bare number is accepted only as a fraction, and zero anywhere, since a number
            without a unit is a mistake waiting to happen.
        dimension: what it must measure.

    Raises:
        QuantityError: not text, not a number, an unknown unit or another dimension's, negative or not finite.
    """
    name = dimension.name.lower().replace("_", " ")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise QuantityError(f"expected {_a(name)} such as {dimension.examples}, got {value!r}", "wrong-type")
    if isinstance(value, (int, float)):
        if "" not in dimension.units and value != 0:
            raise QuantityError(f"{value!r} has no unit: write {_a(name)} such as {dimension.examples}")
        return _checked(float(value) if abs(value) < 1e300 else math.inf, value, name)
    match = _QUANTITY.match(value)
    if match is None:
        raise QuantityError(f"{value!r} is not {_a(name)}: write for example {dimension.examples}")
    number, unit = float(match[1].replace("_", "")), match[2].replace(" ", "")
    factor = dimension.units.get(unit)
    if factor is None:
        if not unit:
            raise QuantityError(f"{value!r} has no unit: write {_a(name)} such as {dimension.examples}")
        raise QuantityError(_wrong_unit(value, unit, dimension, name))
    # 15 digits, so that "95 %" is 0.95 and not the next number above it.
    return _checked(float(f"{number * factor:.15g}"), value, name)


def _checked(number: float, written: object, name: str) -> float:
    if not math.isfinite(number):
        raise QuantityError(f"{written!r} is not a finite {name}", "out-of-range")
    if number < 0:
        raise QuantityError(f"{written!r} is negative: {_a(name)} is at least 0", "out-of-range")
    return number


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _wrong_unit(value: str, unit: str, dimension: Dimension, name: str) -> str:
    for other in Dimension:
        if other is not dimension and unit in other.units:
            kind = other.name.lower().replace("_", " ")
            return f"{value!r} is {_a(kind)}, not {_a(name)}: write for example {dimension.examples}"
    return f"{value!r} has the unknown unit {unit!r}: write {_a(name)} such as {dimension.examples}"


_SHOWN: dict[Dimension, tuple[str, ...]] = {
    Dimension.DURATION: ("h", "min", "s", "ms", "us"),
    Dimension.SIZE: ("GiB", "MiB", "KiB", "B"),
    Dimension.RATE: ("/s", "/min", "/h"),
    Dimension.BANDWIDTH: ("Gbit/s", "Mbit/s", "kbit/s", "B/s"),
    Dimension.ENERGY: ("kWh", "Wh", "J", "mJ", "uJ"),
    Dimension.POWER: ("kW", "W", "mW"),
    Dimension.PRICE_PER_HOUR: ("EUR/h",),
    Dimension.PRICE_PER_BYTE: ("EUR/GB",),
    Dimension.FRACTION: ("%",),
}


def format_quantity(value: float, dimension: Dimension) -> str:
    """A quantity in the largest unit that keeps it at 1 or above, three significant digits: 0.0302 -> "30.2 ms"."""
    units = _SHOWN[dimension]
    chosen = next((unit for unit in units if abs(value) >= dimension.units[unit] * 0.9995), units[-1])
    if value == 0:
        chosen = dimension.base if dimension.base in dimension.units else chosen
    scaled = value / dimension.units[chosen]
    digits = 0 if scaled == 0 or abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
    text = f"{scaled:.{digits}f}" if abs(scaled) >= 0.01 or scaled == 0 else f"{scaled:.2g}"
    if "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {chosen}".rstrip()
