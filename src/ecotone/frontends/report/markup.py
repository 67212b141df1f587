"""HTML without surprises: what is not `Html` is escaped. Used by every part of the report."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Html", "join", "table", "tag"]

_VOID = frozenset({"img", "meta", "br", "source"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def _safe(part: object) -> str:
    return part if isinstance(part, Html) else escape(str(part))


def join(*parts: object) -> Html:
    """The parts one after the other."""
    return Html("".join(_safe(each) for each in parts))


def tag(name: str, /, *children: object, **attributes: str | None) -> Html:
    """An element; `class_` is written class, None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[int] = ()) -> Html:
    """A table; the columns in `numbers` are set to the right."""
    right = frozenset(numbers)

    def row(cells: Sequence[object], name: str) -> Html:
        return tag("tr", *(tag(name, cell, class_="n" if at in right else None) for at, cell in enumerate(cells)))

    body = join(*(row(cells, "td") for cells in rows))
    return tag("div", tag("table", tag("thead", row(heads, "th")), tag("tbody", body)), class_="scroll")
