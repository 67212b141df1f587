"""How much power a node takes and how fast it is at each kind of work, as a continuum file says it.

Called by the continuum reader, for the keys `power` and `calibration` of a node type.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.core.calibration import Calibration, Rate
from ecotone.core.continuum import Power
from ecotone.core.errors import InputError
from ecotone.core.units import Dimension
from ecotone.design._fields import Field, integer, number, quantity, read_fields, text
from ecotone.design._written import BROKEN, Pairs, plain
from ecotone.design.calibration import UNITS, read_calibration

if TYPE_CHECKING:
    from ecotone.design._fields import Fields
    from ecotone.design._written import Mistakes, Written

__all__ = ["calibration", "power"]


def power(what: str, written: Written, mistakes: Mistakes) -> Any:
    """A mapping with `idle` and `busy`, or a `curve` that says the two at its ends, or all three."""
    if not isinstance(written.value, Pairs):
        return _wrong_type(what, written, "a mapping such as {idle: 2 W, busy: 6 W}", mistakes)
    fields = read_fields(written.value, _POWER, mistakes, place=written.place, of="power")
    if fields.broken or not _has_ends(fields, mistakes):
        return BROKEN
    points = dict(fields.values.get("curve", ()))
    idle_w = fields.values.get("idle", points.get(0.0, 0.0))
    busy_w = fields.values.get("busy", points.get(1.0, 0.0))
    ends = {0.0: idle_w, 1.0: busy_w}
    if any(points.get(share, value_w) != value_w for share, value_w in ends.items()):
        message = "power: the curve says otherwise than idle and busy"
        mistakes.add(fields.place("curve"), "contradiction", message, "leave out one of the two")
        return BROKEN
    if idle_w > busy_w:
        message = f"power: idle ({idle_w:g} W) is more than busy ({busy_w:g} W)"
        mistakes.add(written.place, "contradiction", message, "exchange the two")
        return BROKEN
    inner = tuple((share, value_w) for share, value_w in sorted(points.items()) if share not in ends)
    found = Power(idle_w=idle_w, busy_w=busy_w, curve=inner)
    if any(low_w > high_w for (_, low_w), (_, high_w) in pairwise(found.points)):
        message = "power: a point of the curve takes less than one with less to do"
        mistakes.add(fields.place("curve"), "contradiction", message, "order the points by their power")
        return BROKEN
    return found


def _has_ends(fields: Fields, mistakes: Mistakes) -> bool:
    """A curve without an end does not say what the node takes there."""
    if "curve" not in fields.values:
        return True
    known = set(fields.values) | {_ENDS[share] for share, _ in fields.values["curve"] if share in _ENDS}
    missing = [label for label in _ENDS.values() if label not in known]
    for label in missing:
        hint = f"add {label}, or a point at {'0 %' if label == 'idle' else '100 %'}"
        mistakes.add(fields.place("curve"), "missing-key", f"power: the curve does not begin or end at {label}", hint)
    return not missing


def _curve(what: str, written: Written, mistakes: Mistakes) -> Any:
    """A list of [busy share, power], the shares growing."""
    if not isinstance(written.value, tuple) or not written.value:
        return _wrong_type(what, written, "a list such as [[0 %, 2 W], [50 %, 5 W], [100 %, 6 W]]", mistakes)
    points: list[Any] = []
    for each in written.value:
        if not isinstance(each.value, tuple) or len(each.value) != 2:
            points.append(_wrong_type(what, each, "a busy share and its power, such as [50 %, 5 W]", mistakes))
            continue
        share = quantity(Dimension.FRACTION, zero=True, most=1.0)(what, each.value[0], mistakes)
        value_w = quantity(Dimension.POWER, zero=True)(what, each.value[1], mistakes)
        sound = share is not BROKEN and value_w is not BROKEN
        before = [point for point in points if point is not BROKEN]
        if sound and before and share <= before[-1][0]:
            message = f"{what}: {share:.0%} comes after {before[-1][0]:.0%}"
            mistakes.add(each.place, "contradiction", message, "order the points by their busy share, each once")
            sound = False
        points.append((share, value_w) if sound else BROKEN)
    return BROKEN if BROKEN in points else tuple(points)


_ENDS = {0.0: "idle", 1.0: "busy"}
_POWER = {
    "idle": Field(quantity(Dimension.POWER, zero=True)),
    "busy": Field(quantity(Dimension.POWER, zero=True)),
    "curve": Field(_curve),
}


def calibration(what: str, written: Written, mistakes: Mistakes) -> Any:
    """The name of a file that `ecotone performance calibrate` wrote, seen from the continuum file; or its content."""
    if isinstance(written.value, str) and written.value.strip():
        try:
            return read_calibration(Path(written.place.file).parent / Path(written.value).expanduser())
        except InputError as error:
            mistakes.add(written.place, "not-a-calibration", f"{what}: {error}")
            return BROKEN
    if not isinstance(written.value, Pairs):
        return _wrong_type(what, written, "a file, or a mapping with rates", mistakes)
    fields = read_fields(written.value, _CALIBRATION, mistakes, place=written.place, of="calibration")
    if fields.broken:
        return BROKEN
    given = fields.values
    return Calibration(
        machine=given.get("machine", ""),
        cores=given.get("cores", 1),
        taken_at=given.get("taken_at", ""),
        rates=given["rates"],
    )


def _rates(what: str, written: Written, mistakes: Mistakes) -> Any:
    if not isinstance(written.value, Pairs) or not written.value.entries:
        return _wrong_type(what, written, "a mapping of rates such as {python: 7.0e6}", mistakes)
    fields = read_fields(written.value, _RATE_OF_KIND, mistakes, place=written.place, of="rates", path="rates.")
    return BROKEN if fields.broken else dict(fields.values)


def _rate(what: str, written: Written, mistakes: Mistakes) -> Any:
    """A number, or what the benchmark writes: a mapping with its value and spread."""
    if not isinstance(written.value, Pairs):
        value = _above_zero(what, written, mistakes)
        return BROKEN if value is BROKEN else Rate(value=value)
    fields = read_fields(written.value, _RATE, mistakes, place=written.place, of=what)
    return BROKEN if fields.broken else Rate(**fields.values)


def _anything(_what: str, _written: Written, _mistakes: Mistakes) -> Any:
    return None


def _wrong_type(what: str, written: Written, expected: str, mistakes: Mistakes) -> Any:
    mistakes.add(written.place, "wrong-type", f"{what}: expected {expected}, got {plain(written)!r}")
    return BROKEN


_above_zero = number(0.0, 1e30)
_RATE = {
    "value": Field(_above_zero, required=True),
    "unit": Field(text),
    "spread": Field(number(-1e-12, 1e6)),
    "repeats": Field(integer(1)),
}
_RATE_OF_KIND = {kind: Field(_rate) for kind in UNITS}
_NOT_NEEDED = ("version", "took_s", "scaling", "notes", "reliable", "file", "schema_version")
"""What else `ecotone performance calibrate` prints may be pasted, too."""
_CALIBRATION = {
    "machine": Field(text),
    "cores": Field(integer(1, 4096)),
    "taken_at": Field(text),
    "rates": Field(_rates, required=True),
    **{each: Field(_anything) for each in _NOT_NEEDED},
}
