"""Consoles, colours and the look of every table. Colour never says anything that a word does not say too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from ecotone.frontends.words import NOTHING, bar_text, time_text, verdict_text

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "THEME",
    "block",
    "budget_bar",
    "console",
    "heading",
    "lines_of",
    "plain_table",
    "promise_text",
    "share_style",
    "verdict",
    "widest",
]

THEME = Theme(
    {
        "kept": "green",
        "broken": "bold red",
        "close": "yellow",
        "quiet": "dim",
        "name": "bold",
        "device": "bold cyan",
        "edge": "bold green",
        "cloud": "bold blue",
        "bar.predicted": "blue",
        "track": "bright_black",
    }
)
CLOSE_TO_PROMISE = 0.85


def console(stream: TextIO, *, width: int | None = None) -> Console:
    """A console on `stream`; a pipe or file gets 100 columns unless COLUMNS says otherwise."""
    if width is None and not stream.isatty() and "COLUMNS" not in os.environ:
        width = 100
    return Console(file=stream, width=width, theme=THEME, highlight=False, markup=False, emoji=False)


def plain_table(*, expand: bool = False) -> Table:
    """A table with a thin line under its head and nothing else."""
    look = box.SIMPLE_HEAD
    return Table(box=look, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), expand=expand, header_style="quiet")


def block(*renderables: RenderableType) -> RenderableType:
    """A part of a page: one column in, a blank line above."""
    return Padding(Group(*renderables), (1, 0, 0, 1), expand=False)


def heading(text: str, *details: str, emulated: bool = False) -> Text:
    """A bold title, the label of what is emulated, then quiet details."""
    line = Text.assemble((text, "bold"))
    if emulated:
        line.append("  ")
        line.append(" EMULATED ", style="bold reverse yellow")
    for each in details:
        line.append(f"  {each}", style="quiet")
    return line


def widest(width: int, *renderables: RenderableType) -> RenderableType:
    """The first of `renderables` that fits into `width` columns uncut, else the last."""
    ruler = Console(width=10_000, theme=THEME)
    for each in renderables:
        if Measurement.get(ruler, ruler.options, each).maximum <= width:
            return each
    return renderables[-1]


def verdict(kept: bool | None) -> Text:
    """ "kept" in green, "broken" in red, a dash where nothing was promised or measured."""
    if kept is None:
        return Text(NOTHING, style="quiet")
    return Text(verdict_text(kept), style="kept" if kept else "broken")


def promise_text(value_s: float | None, promised_s: float | None, judged_s: float | None = None) -> Text:
    """A time, green when well within its promise, yellow when close to it, red when over it; `judged_s` is held against
    the promise where that is another time."""
    text = Text(time_text(value_s))
    if value_s is not None and promised_s:
        text.stylize(share_style((value_s if judged_s is None else judged_s) / promised_s))
    return text


def share_style(share: float) -> str:
    """Of how much of a promise is used."""
    return "broken" if share > 1 else "close" if share > CLOSE_TO_PROMISE else "kept"


def budget_bar(value_s: float | None, promised_s: float, width: int, mark_s: float | None = None) -> Text:
    """How much of a promise is used: a bar up to the promise, with a mark where `mark_s` (the prediction) lies."""
    share = 0.0 if value_s is None else value_s / promised_s
    text = Text()
    mark = None if mark_s is None else min(width - 1, max(0, round(mark_s / promised_s * width) - 1))
    style = share_style(share)
    for index, cell in enumerate(bar_text(share, width)):
        if index == mark:
            text.append("│", style="bold")
        elif cell == " ":
            text.append("─", style="track")
        else:
            text.append(cell, style=style)
    return text


def lines_of(renderable: RenderableType, width: int) -> list[str]:
    """What `renderable` looks like as plain lines of `width` columns."""
    recorder = Console(width=width, theme=THEME, highlight=False, color_system=None, force_terminal=False)
    with recorder.capture() as capture:
        recorder.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]
