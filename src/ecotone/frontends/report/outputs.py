"""The files that components wrote, as parts of the page: small pictures and clips inside it, the rest as links."""

from __future__ import annotations

import base64
import mimetypes
from typing import TYPE_CHECKING

from ecotone.frontends.report.markup import Html, join, tag
from ecotone.frontends.words import count_text, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["outputs_section"]

PICTURES_MAX = 12
FILE_MAX_BYTES = 4_000_000
TOTAL_MAX_BYTES = 12_000_000
LINES_MAX = 25
_PLAYS = ("video/mp4", "video/webm", "video/ogg")
_TEXTS = (".csv", ".json", ".jsonl", ".txt", ".log", ".md", ".tsv")


def outputs_section(outputs: Sequence[str], folder: Path) -> Html:
    """What to show of `outputs` (paths relative to `folder`); nothing outside of the folder is read."""
    files = [each for each in outputs if _inside(folder, each)]
    pictures = [each for each in files if _kind(each).startswith("image/")]
    shown = set(_evenly(pictures, PICTURES_MAX))
    left = TOTAL_MAX_BYTES
    cards: list[Html] = []
    linked: list[str] = []
    for each in files:
        card, used = _card(each, folder, left) if each in shown or each not in pictures else (None, 0)
        left -= used
        if card is None:
            linked.append(each)
        else:
            cards.append(card)
    gallery = tag("div", *cards, class_="gallery") if cards else ""
    return join(gallery, _links(linked, folder))


def _inside(folder: Path, name: str) -> bool:
    file = (folder / name).resolve()
    return file.is_relative_to(folder.resolve()) and file.is_file()


def _kind(name: str) -> str:
    return mimetypes.guess_type(name)[0] or ""


def _evenly(names: Sequence[str], most: int) -> list[str]:
    """At most `most` of `names`, spread over all of them, first and last included."""
    if len(names) <= most:
        return list(names)
    return [names[round(at * (len(names) - 1) / (most - 1))] for at in range(most)]


def _card(name: str, folder: Path, left: int) -> tuple[Html | None, int]:
    """One file on the page and the bytes that it took; None where it is better linked."""
    file, kind = folder / name, _kind(name)
    size = file.stat().st_size
    caption = tag("figcaption", tag("a", name, href=name), f" {size_text(size)}")
    if name.lower().endswith(_TEXTS):
        return tag("figure", tag("pre", _excerpt(file)), caption, class_="wide"), 0
    if kind in _PLAYS:
        source = _data_uri(file, kind) if size <= min(left, FILE_MAX_BYTES) else name
        video = tag("video", src=source, controls="", loop="", muted="")
        return tag("figure", video, caption, class_="wide"), size if source != name else 0
    if not kind.startswith("image/") or size > min(left, FILE_MAX_BYTES):
        return None, 0
    picture = tag("img", src=_data_uri(file, kind), alt=name, loading="lazy")
    return tag("figure", picture, caption), size


def _data_uri(file: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _excerpt(file: Path) -> str:
    """The first lines of a text file."""
    with file.open(encoding="utf-8", errors="replace") as stream:
        lines = [line.rstrip("\n")[:400] for _, line in zip(range(LINES_MAX + 1), stream, strict=False)]
    if len(lines) > LINES_MAX:
        lines[LINES_MAX:] = ["…"]
    return "\n".join(lines)


def _links(names: Sequence[str], folder: Path) -> Html:
    if not names:
        return Html("")
    items = [tag("li", tag("a", each, href=each), f" {size_text((folder / each).stat().st_size)}") for each in names]
    if len(items) <= 10:
        return tag("ul", *items)
    return tag("details", tag("summary", f"{count_text(len(items), 'more file')}"), tag("ul", *items))
