"""Where a command's words go: its result to stdout, as pictures or as one JSON document; the rest to stderr."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.plan import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import RenderableType

__all__ = ["Output", "error_document"]


class Output:
    """One command's output. rich is imported only when something is drawn."""

    def __init__(self, *, json: bool) -> None:
        self.json = json

    @property
    def interactive(self) -> bool:
        """Whether a person watches stdout, so that a live view makes sense."""
        return not self.json and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"

    def show(self, picture: Callable[[int], RenderableType], document: Callable[[], Mapping[str, Any]]) -> None:
        """The result: `picture(width)` for people or `document()` for programs, with its schema version."""
        if self.json:
            write_document(document())
            return
        from ecotone.frontends.terminal.style import console, lines_of

        screen = console(sys.stdout)
        if screen.is_terminal:
            screen.print(picture(screen.width))
        else:
            sys.stdout.write("\n".join(lines_of(picture(screen.width), screen.width)) + "\n")

    def complain(self, picture: Callable[[int], RenderableType]) -> None:
        """Something for people on stderr."""
        from ecotone.frontends.terminal.style import console

        screen = console(sys.stderr)
        screen.print(picture(screen.width), soft_wrap=not screen.is_terminal)

    def say(self, text: str) -> None:
        """One plain line on stderr."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def write_document(document: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    full = {"schema_version": SCHEMA_VERSION} | dict(document)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(full), indent=2).decode() + "\n")
    sys.stdout.flush()


def error_document(kind: str, message: str, **more: Any) -> dict[str, Any]:
    """What `--json` prints instead of a result: `kind` is stable, `message` is for people."""
    return {"error": {"kind": kind, "message": message, **more}}
