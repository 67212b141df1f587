"""Mistakes and failures as a compiler would show them: place, message, the line with a caret, what to do.

The first line of each is `file:line:column: message [code]`, which editors understand.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ecotone.core.errors import EcotoneError, InfeasibleError, InputError
from ecotone.frontends.words import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from ecotone.core.problems import Place, Problem

__all__ = ["error_view", "failure_view", "infeasible_view", "problem_view", "problems_view"]

TAB = "    "


def error_view(message: str, *, hint: str = "") -> RenderableType:
    """One error that has no place in a file."""
    line = Text()
    line.append("error: ", style="broken")
    line.append(message)
    return Group(line, _hint(hint)) if hint else line


def problems_view(problems: Sequence[Problem], width: int) -> RenderableType:
    """Every problem in the order of the files, then how many there are."""
    ordered = sorted(problems)
    rows: list[RenderableType] = [problem_view(each, width) for each in ordered]
    files = len({each.place.file for each in ordered})
    total = f"{count_text(len(ordered), 'mistake')} in {count_text(files, 'file')}"
    return Group(*rows, Text(total, style="broken"))


def problem_view(problem: Problem, width: int) -> RenderableType:
    """One problem with the line it is about; without the line where the file cannot be read."""
    first = Text()
    first.append(f"{problem.place}: ", style="name")
    first.append(problem.message)
    first.append(f" [{problem.code}]", style="quiet")
    rows: list[RenderableType] = [first, *_excerpt(problem.place, width)]
    if problem.hint:
        rows.append(_hint(problem.hint))
    rows.append(Text())
    return Group(*rows)


def _hint(hint: str) -> Text:
    line = Text("   = ", style="quiet")
    line.append(hint, style="not dim")
    return line


def _excerpt(place: Place, width: int) -> list[Text]:
    """The source line and a caret under the column; a long line is cut around the caret."""
    if not place.line:
        return []
    try:
        line = Path(place.file).read_text(encoding="utf-8", errors="replace").split("\n")[place.line - 1]
    except (OSError, IndexError):
        return []
    # What a file holds may not steer the terminal.
    line = "".join(each if each.isprintable() or each == "\t" else "\ufffd" for each in line)
    caret = max(0, place.column - 1)
    before = line[:caret].expandtabs(len(TAB))
    line, caret = line.rstrip().expandtabs(len(TAB)), len(before)
    gutter = f" {place.line:>4} │ "
    room = max(20, width - len(gutter) - 1)
    if len(line) > room:
        start = max(0, min(caret - room // 2, len(line) - room))
        line, caret = ("…" if start else "") + line[start + bool(start) : start + room], caret - start
    blank = " " * (len(gutter) - 2)
    shown = Text(gutter, style="quiet", no_wrap=True, overflow="ellipsis")
    shown.append(line, style="not dim")
    if not place.column:
        return [shown]
    pointer = Text(f"{blank}│ " + " " * caret, style="quiet", no_wrap=True, overflow="crop")
    pointer.append("^", style="not dim bold red")
    return [shown, pointer]


def infeasible_view(error: InfeasibleError) -> RenderableType:
    """Why no plan keeps every promise: what cannot hold together, and the cheapest ways out."""
    rows: list[RenderableType] = [error_view(str(error))]
    if error.conflict:
        alone = len(error.conflict) == 1
        title = "This cannot hold:" if alone else "These cannot all hold; without any one of them the rest can:"
        rows += [Text(), Text(title, style="bold")]
        rows += [_item("×", each, "broken") for each in error.conflict]  # noqa: RUF001 - a cross
    if error.relaxations:
        rows += [Text(), Text("What would help, the cheapest first:", style="bold")]
        rows += [_item(f"{number}.", each, "kept") for number, each in enumerate(error.relaxations, 1)]
    return Group(*rows)


def _item(mark: str, text: str, style: str) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    row.add_row(Text(f"  {mark}", style=style), Text(text))
    return row


def failure_view(error: EcotoneError, width: int) -> RenderableType:
    """Any error raised on purpose, in full."""
    if isinstance(error, InfeasibleError):
        return infeasible_view(error)
    if isinstance(error, InputError) and error.problems:
        return problems_view(error.problems, width)
    return error_view(str(error))
