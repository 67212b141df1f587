"""Values as a person wrote them, each with its place, and the collector of mistakes.

The static reader (from a syntax tree), the decorators (from Python objects) and the continuum reader (from YAML nodes)
all make these; `_fields` turns them into core values. So one set of checks serves all three.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ecotone.core.problems import Place, Problem

__all__ = ["BROKEN", "Mistakes", "Opaque", "Pairs", "Reference", "VariantCall", "Written", "plain"]


class _Broken:
    """The type of `BROKEN`."""


BROKEN: Any = _Broken()
"""Stands for a value that was wrong; the mistake has been noted, and nothing that depends on it is judged."""


class Written(msgspec.Struct, frozen=True):
    """One value where it stands: a scalar, None, a tuple of Written, Pairs, Reference, VariantCall or Opaque."""

    value: Any
    place: Place


class Pairs(msgspec.Struct, frozen=True):
    """Keys and values in the order written; the same key may appear twice, which readers report."""

    entries: tuple[tuple[Written, Written], ...]


class Reference(msgspec.Struct, frozen=True):
    """A function or class of the application's module, by its Python name. `component` is the component that it is,
    None when it is not one (yet, at the place of the reference)."""

    target: str
    component: str | None = None

    def __repr__(self) -> str:
        return self.target


class VariantCall(msgspec.Struct, frozen=True):
    """`variant(...)` with its keywords; `name` is among them."""

    keywords: Pairs

    def __repr__(self) -> str:
        return "variant(...)"


class Opaque(msgspec.Struct, frozen=True):
    """A Python object that no annotation takes, as text for messages."""

    text: str

    def __repr__(self) -> str:
        return self.text


class Mistakes:
    """Collects problems in the order found; the same one at the same place once."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}

    def add(self, place: Place, code: str, message: str, hint: str = "") -> None:
        self._problems[Problem(place=place, code=code, message=message, hint=hint)] = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything noted, sorted by place."""
        return tuple(sorted(self._problems))


def plain(written: Written) -> Any:
    """The value without places, for messages and for equality."""
    value = written.value
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, Pairs):
        return {str(key.value): plain(each) for key, each in value.entries}
    return value
