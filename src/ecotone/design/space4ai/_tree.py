"""Typed access to a JSON document: what is not as it should be is noted with its path, and read as nothing.

Called by the readers of descriptions and solutions, which so find every mistake in one pass.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ecotone.core.problems import closest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecotone.design._json import JsonMistakes

__all__ = ["MEMORY_MAX_MB", "TIME_MAX_S", "Path", "Tree", "dotted", "shown"]

Path = tuple[str | int, ...]
MEMORY_MAX_MB = 1e9
TIME_MAX_S = 1e9
_SMALLEST = 1e-9
"""A figure that must be above 0 is at least this: nothing here is shorter, smaller or rarer."""
_SHOWN_MAX = 40


class _Missing:
    pass


_MISSING = _Missing()


class Tree:
    """A document and where to note what is wrong with it."""

    def __init__(self, root: Any, mistakes: JsonMistakes) -> None:
        self._root = root
        self.mistakes = mistakes
        self.note = mistakes.add
        self._misspelt: set[Path] = set()

    def get(self, path: Path) -> Any:
        """What stands there, `_MISSING` where nothing does."""
        found: Any = self._root
        for step in path:
            if isinstance(step, int):
                found = found[step] if isinstance(found, list) and step < len(found) else _MISSING
            else:
                found = found.get(step, _MISSING) if isinstance(found, dict) else _MISSING
        return found

    def has(self, path: Path) -> bool:
        return self.get(path) is not _MISSING

    def object_(self, path: Path) -> dict[str, Any]:
        """An object, empty when it is absent; a mistake when it is something else."""
        found = self.get(path)
        if isinstance(found, dict):
            return found
        if found is not _MISSING:
            self.note(path, "wrong-type", f"{dotted(path)} is {shown(found)}; it must be an object")
        return {}

    def is_object(self, path: Path) -> bool:
        """Whether there is an object; noted when not."""
        found = self.get(path)
        if not isinstance(found, dict):
            what = "is missing" if found is _MISSING else f"is {shown(found)}"
            self.note(path, "wrong-type", f"{dotted(path)} {what}; it must be an object")
        return isinstance(found, dict)

    def names(self, path: Path) -> list[str]:
        """The keys of an object that are names: empty ones, and those that cannot be printed, are mistakes."""
        names: list[str] = []
        for name in self.object_(path):
            if name.strip() and name.isprintable():
                names.append(name)
            else:
                self.note((*path, name), "bad-name", f"{shown(name)} is no name: write letters, digits, - and _")
        return names

    def list_(self, path: Path) -> list[Any]:
        """A list, empty after noting that it is none."""
        found = self.get(path)
        if isinstance(found, list):
            return found
        if path not in self._misspelt:
            what = "is missing" if found is _MISSING else f"is {shown(found)}"
            self.note(path, "wrong-type", f"{dotted(path)} {what}; it must be a list")
        return []

    def texts(self, path: Path) -> list[str | None]:
        """A list of texts; None where one is something else, which is noted."""
        found = self.list_(path)
        for at, each in enumerate(found):
            if not isinstance(each, str):
                place = (*path, at)
                self.note(place, "wrong-type", f"{dotted(place)} is {shown(each)}; it must be text")
        return [each if isinstance(each, str) else None for each in found]

    def number(
        self,
        path: Path,
        *,
        positive: bool = False,
        most: float,
        default: float | None = None,
    ) -> float | None:
        """A number from 0, or above it, to `most`; `default` where it is absent, unless that is None: then it must not
        be. None after noting what is wrong."""
        found = self.get(path)
        if found is _MISSING and (default is not None or path in self._misspelt):
            return default
        if found is _MISSING or found is None:
            what = "missing" if found is _MISSING else "null"
            self.note(path, "missing-figure", f"{dotted(path)} is {what}; it must be a number")
            return None
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            self.note(path, "wrong-type", f"{dotted(path)} is {shown(found)}; it must be a number")
            return None
        wrong = _out_of_range(found, positive, most)
        if wrong:
            self.note(path, "out-of-range", f"{dotted(path)} is {shown(found)}; it must be {wrong}")
            return None
        return float(found)

    def whole(self, path: Path, *, positive: bool = False, most: int) -> int | None:
        """A whole number from 0, or 1, to `most`."""
        found = self.number(path, positive=positive, most=most)
        if found is not None and found != int(found):
            self.note(path, "wrong-type", f"{dotted(path)} is {shown(found)}; it must be a whole number")
            return None
        return None if found is None else int(found)

    def expect(self, path: Path, known: Iterable[str]) -> None:
        """Note keys that are misspelt; others that are not known are left alone, since SPACE4AI's tools write some."""
        there = self.get(path)
        if not isinstance(there, dict):
            return
        absent = set(known) - set(there)
        for key in there:
            meant = None if key in known else closest(key, sorted(absent))
            if meant is not None:
                self._misspelt.add((*path, meant))
                self.note((*path, key), "unknown-key", f"unknown key {shown(key)}", f"did you mean {meant}?")


def _out_of_range(found: float, positive: bool, most: float) -> str:
    """What it should be; "" where it is."""
    if isinstance(found, float) and not math.isfinite(found):
        return "finite"
    if found < 0 or (positive and found == 0):
        return "above 0" if positive else "at least 0"
    if found > most:
        return f"at most {most:g}"
    return f"at least {_SMALLEST:g}" if positive and found < _SMALLEST else ""


def dotted(path: Path) -> str:
    """A path as people write it: Components.c1.s1.h1.next[0]."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def shown(value: Any) -> str:
    """A value in a message: short, and without what steers a terminal."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "..."
