"""Tables of fields, and the conversions from written values to core values that every table draws on.

A table (`Mapping[str, Field]`) is the one description of what may be written somewhere: the keywords of an
annotation, the keys of a site. `read_fields` applies it and notes every mistake: unknown and repeated keys, missing
ones, values of the wrong type, unit or range.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ecotone.core.application import Accelerator
from ecotone.core.ids import is_name
from ecotone.core.problems import Place, closest, did_you_mean
from ecotone.core.units import Dimension, QuantityError, parse_quantity
from ecotone.design._written import BROKEN, Mistakes, Pairs, Written, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "Convert",
    "Field",
    "Fields",
    "accelerator",
    "choice",
    "flag",
    "integer",
    "mapping_of_text",
    "name",
    "number",
    "quantity",
    "read_fields",
    "scalar",
    "several",
    "span",
    "text",
]

LARGEST_COUNT = 1_000_000


class Convert(Protocol):
    """From a written value to a core value, or BROKEN after noting why; `what` names the field in messages."""

    def __call__(self, what: str, written: Written, mistakes: Mistakes, /) -> Any: ...


class Field(msgspec.Struct, frozen=True):
    """What one key may hold. `goes`: the dotted attribute of the core value that it becomes, "" when a rule decides."""

    convert: Convert
    goes: str = ""
    required: bool = False


class Fields(msgspec.Struct, frozen=True):
    """What was read: the values, what was written for each, and the names of the fields given but wrong.

    `partial` holds the lists among these of which only some elements are wrong; those are BROKEN in it.
    """

    values: dict[str, Any]
    written: dict[str, Written]
    broken: set[str]
    partial: dict[str, tuple[Any, ...]]

    def elements(self, label: str) -> Iterator[tuple[Any, Place]]:
        """The elements of a list field that are right, with their places, even if others are wrong."""
        values = self.values.get(label, self.partial.get(label, ()))
        for index, value in enumerate(values):
            if value is not BROKEN:
                yield value, self.place_of(label, index)

    def place(self, label: str) -> Place:
        """Where the field's value stands. Raises KeyError when it was not given."""
        return self.written[label].place

    def place_of(self, label: str, index: int) -> Place:
        """Where the element `index` of the field's list stands; a single value stands for a list of it."""
        value = self.written[label].value
        return value[index].place if isinstance(value, tuple) else self.written[label].place

    def known(self, *names: str) -> bool:
        """Whether all of these were given rightly or not given: rules about them may speak."""
        return self.broken.isdisjoint(names)


def read_fields(
    pairs: Pairs, table: Mapping[str, Field], mistakes: Mistakes, *, place: Place, of: str, path: str = ""
) -> Fields:
    """The fields of one mapping. `of` names what has them in messages, `path` goes before each field's name.

    None (YAML's null) counts as not given. A mistyped key breaks the field that was probably meant, so that nothing
    is said to be missing that is only misspelt.
    """
    values: dict[str, Any] = {}
    given: dict[str, Written] = {}
    broken: set[str] = set()
    partial: dict[str, tuple[Any, ...]] = {}
    for key, written in pairs.entries:
        label = str(key.value)
        if not isinstance(key.value, str) or label not in table:
            mistakes.add(key.place, "unknown-key", f"{of} has no {label!r}", did_you_mean(label, table))
            broken.add(closest(label, table) or label)
            continue
        if label in given:
            mistakes.add(key.place, "duplicate-key", f"{label} is given twice", "remove one of the two")
            broken.add(label)
            continue
        given[label] = written
        if written.value is None:
            continue
        value = table[label].convert(path + label, written, mistakes) if written.value is not BROKEN else BROKEN
        if value is BROKEN:
            broken.add(label)
        elif isinstance(value, tuple) and BROKEN in value:
            broken.add(label)
            partial[label] = value
        else:
            values[label] = value
    for label, field in table.items():
        if field.required and label not in values and label not in broken:
            mistakes.add(place, "missing-key", f"{of} needs {label}", f"add {label}")
            broken.add(label)
    return Fields(values, given, broken, partial)


def _wrong_type(what: str, written: Written, expected: str, mistakes: Mistakes) -> Any:
    mistakes.add(written.place, "wrong-type", f"{what}: expected {expected}, got {plain(written)!r}")
    return BROKEN


def flag(what: str, written: Written, mistakes: Mistakes) -> Any:
    if not isinstance(written.value, bool):
        return _wrong_type(what, written, "True or False", mistakes)
    return written.value


def text(what: str, written: Written, mistakes: Mistakes) -> Any:
    if not isinstance(written.value, str) or not written.value.strip() or not _is_utf8(written.value):
        return _wrong_type(what, written, "a text that is not empty", mistakes)
    return written.value


def _is_utf8(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def name(what: str, written: Written, mistakes: Mistakes) -> Any:
    if not isinstance(written.value, str):
        return _wrong_type(what, written, "a name", mistakes)
    if not is_name(written.value):
        mistakes.add(
            written.place,
            "bad-name",
            f"{what}: {written.value!r} is not a name",
            "a letter, then at most 62 letters, digits, - and _",
        )
        return BROKEN
    return written.value


def scalar(what: str, written: Written, mistakes: Mistakes) -> Any:
    """A text, number or truth value, as it is."""
    value = written.value
    if not isinstance(value, (str, int, float, bool)):
        return _wrong_type(what, written, "a text, a number, True or False", mistakes)
    if isinstance(value, str) and not _is_utf8(value):
        return _wrong_type(what, written, "a text of Unicode characters", mistakes)
    if isinstance(value, float) and not math.isfinite(value):
        return _out_of_range(what, written, "a finite number", mistakes)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return _out_of_range(what, written, "a number of 64 bits", mistakes)
    return value


def _out_of_range(what: str, written: Written, expected: str, mistakes: Mistakes) -> Any:
    mistakes.add(written.place, "out-of-range", f"{what}: {plain(written)!r} is not {expected}")
    return BROKEN


def integer(least: int, most: int = LARGEST_COUNT) -> Convert:
    """A whole number from `least` to `most`."""

    def convert(what: str, written: Written, mistakes: Mistakes) -> Any:
        if isinstance(written.value, bool) or not isinstance(written.value, int):
            return _wrong_type(what, written, "a whole number", mistakes)
        if not least <= written.value <= most:
            return _out_of_range(what, written, f"between {least} and {most}", mistakes)
        return written.value

    return convert


_SPAN = re.compile(r"\s*(\d{1,9})(?:\s*\.\.\s*(\d{1,9}))?\s*\Z")


def span(least: int, most: int) -> Convert:
    """Whole numbers from one to another, both at least `least` and at most `most`: (1, 4), "1..4", or 4 alone."""

    def convert(what: str, written: Written, mistakes: Mistakes) -> Any:
        if isinstance(written.value, tuple) and any(each.value is BROKEN for each in written.value):
            return BROKEN
        ends = _ends(written)
        if ends is None:
            return _wrong_type(what, written, 'a whole number, or two such as (1, 4) or "1..4"', mistakes)
        if not all(least <= each <= most for each in ends):
            return _out_of_range(what, written, f"between {least} and {most}", mistakes)
        if ends[0] > ends[1]:
            message = f"{what}: {plain(written)!r} begins above its end"
            mistakes.add(written.place, "out-of-range", message, f"write ({ends[1]}, {ends[0]})")
            return BROKEN
        return ends

    return convert


def _ends(written: Written) -> tuple[int, int] | None:
    value = plain(written)
    if isinstance(value, str) and (match := _SPAN.match(value)):
        return int(match[1]), int(match[2] or match[1])
    ends: list[object] = list(value) if isinstance(value, (list, tuple)) else [value, value]  # pyright: ignore
    if len(ends) != 2:
        return None
    first, last = ends
    if isinstance(first, bool) or isinstance(last, bool) or not isinstance(first, int) or not isinstance(last, int):
        return None
    return first, last


def number(above: float, below: float) -> Convert:
    """A number greater than `above` and less than `below`, without a unit."""

    def convert(what: str, written: Written, mistakes: Mistakes) -> Any:
        if isinstance(written.value, bool) or not isinstance(written.value, (int, float)):
            return _wrong_type(what, written, "a number", mistakes)
        if not above < written.value < below:
            return _out_of_range(what, written, f"above {above:g} and below {below:g}", mistakes)
        return float(written.value)

    return convert


def quantity(dimension: Dimension, *, zero: bool = False, most: float = math.inf) -> Convert:
    """A quantity with its unit, in the dimension's base unit; above zero unless `zero`, at most `most`."""

    def convert(what: str, written: Written, mistakes: Mistakes) -> Any:
        try:
            value = parse_quantity(plain(written), dimension)
        except QuantityError as error:
            mistakes.add(written.place, error.code, f"{what}: {error}")
            return BROKEN
        if value == 0 and not zero:
            return _out_of_range(what, written, "above zero", mistakes)
        if value > most:
            return _out_of_range(what, written, f"at most {most:g} {dimension.base}".rstrip(), mistakes)
        return value

    return convert


def choice(noun: str, known: tuple[str, ...]) -> Convert:
    """One of the known words."""

    def convert(what: str, written: Written, mistakes: Mistakes) -> Any:
        if not isinstance(written.value, str):
            return _wrong_type(what, written, f"a {noun} ({', '.join(known)})", mistakes)
        if written.value not in known:
            message = f"{what}: there is no {noun} {written.value!r}"
            mistakes.add(written.place, f"unknown-{noun}", message, did_you_mean(written.value, known))
            return BROKEN
        return written.value

    return convert


def several(one: Convert, *, unique: bool = True) -> Convert:
    """A list of at least one, without repetition if `unique`; a single value stands for a list of it. Elements that
    are wrong are BROKEN in it."""

    def convert(what: str, written: Written, mistakes: Mistakes) -> Any:
        entries = written.value if isinstance(written.value, tuple) else (written,)
        if not entries:
            mistakes.add(written.place, "empty-list", f"{what}: the list is empty", f"leave {what} out, or fill it")
            return BROKEN
        values: list[Any] = []
        for entry in entries:
            value = one(what, entry, mistakes) if entry.value is not BROKEN else BROKEN
            if unique and value is not BROKEN and value in values:
                mistakes.add(entry.place, "duplicate-value", f"{what}: {plain(entry)!r} is given twice", "remove one")
                value = BROKEN
            values.append(value)
        return tuple(values)

    return convert


def mapping_of_text(what: str, written: Written, mistakes: Mistakes) -> Any:
    """Text keys to text values."""
    if not isinstance(written.value, Pairs):
        return _wrong_type(what, written, "a mapping of text to text", mistakes)
    values: dict[str, str] = {}
    broken = False
    for key, entry in written.value.entries:
        key_text = text(what, key, mistakes)
        value = text(what, entry, mistakes) if entry.value is not BROKEN else BROKEN
        if key_text is BROKEN or value is BROKEN:
            broken = True
        elif key_text in values:
            mistakes.add(key.place, "duplicate-key", f"{what}: {key_text} is given twice", "remove one of the two")
            broken = True
        else:
            values[key_text] = value
    return BROKEN if broken else values


_ACCELERATOR = re.compile(r"\s*([A-Za-z][\w.-]*)\s*(?::\s*(\d{1,4}))?(?:\s+(\S.*))?\Z")


def accelerator(what: str, written: Written, mistakes: Mistakes) -> Any:
    """ "gpu", "gpu:2", "gpu 4 GiB" or "gpu:2 4 GiB": a kind, how many, and the memory of each."""
    if not isinstance(written.value, str):
        return _wrong_type(what, written, 'an accelerator such as "gpu", "gpu:2" or "gpu 4 GiB"', mistakes)
    match = _ACCELERATOR.match(written.value)
    if match is None:
        message = f"{what}: {written.value!r} is not an accelerator"
        mistakes.add(written.place, "wrong-type", message, 'write for example "gpu", "gpu:2" or "gpu 4 GiB"')
        return BROKEN
    count = int(match[2]) if match[2] else 1
    if count < 1:
        return _out_of_range(what, written, "at least one device", mistakes)
    memory_bytes = 0.0
    if match[3]:
        memory_bytes = quantity(Dimension.SIZE)(what, Written(match[3], written.place), mistakes)
        if memory_bytes is BROKEN:
            return BROKEN
    return Accelerator(kind=match[1], count=count, memory_bytes=memory_bytes)
