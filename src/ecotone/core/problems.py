"""A mistake in something that a person wrote, with its place. Readers collect them all before they give up."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Place", "Problem", "closest", "did_you_mean"]


class Place(msgspec.Struct, frozen=True, order=True):
    """Where something stands in a file; line and column count from 1, 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One mistake: where it is, what is wrong and what to do about it.

    `code` is a stable kebab-case name of the kind of mistake (`unknown-key`, `wrong-unit`), for programs and tests.
    """

    place: Place
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f" ({self.hint})" if self.hint else "") + f" [{self.code}]"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None when nothing is near."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown word: the nearest known one, else the known ones (at most twelve)."""
    names = sorted(known)
    near = closest(word, names)
    if near is not None:
        return f"did you mean {near}?"
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"one of {shown}" + (", ..." if len(names) > 12 else "")
