"""A mistake in something that a person wrote, with its place. Readers collect them all before they give up."""

from __future__ import annotations

import msgspec

__all__ = ["Place", "Problem"]


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
