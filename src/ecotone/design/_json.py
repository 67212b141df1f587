"""JSON with the place of every mistake. Lines are looked up only when there is a mistake: documents may be large."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from ecotone.core.problems import Place, Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["JsonMistakes", "read_json"]

_Path = tuple[str | int, ...]
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_DIGITS_MAX = 400


class JsonMistakes:
    """Collects problems by the path of what is wrong: keys and indices from the root."""

    def __init__(self, file: Path) -> None:
        self.text = ""
        self._file = str(file)
        self._found: dict[tuple[_Path, str, str, str], None] = {}
        self._placed: list[Problem] = []

    def add(self, path: _Path, code: str, message: str, hint: str = "") -> None:
        self._found[path, code, message, hint] = None

    def add_at(self, line: int, column: int, code: str, message: str) -> None:
        self._placed.append(_problem(Place(self._file, line, column), code, message))

    @property
    def count(self) -> int:
        return len(self._found) + len(self._placed)

    @property
    def count_text(self) -> str:
        """ "1 mistake", "3 mistakes"."""
        return f"{self.count} mistake{'' if self.count == 1 else 's'}"

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything noted, sorted by place; what is missing stands where it should be, at what should hold it."""
        if not self._found:
            return tuple(sorted(self._placed))
        places, _ = _scan(self.text)
        problems = list(self._placed)
        for path, code, message, hint in self._found:
            known = path
            while known and known not in places:
                known = known[:-1]
            line, column = places.get(known, (1, 1))
            problems.append(_problem(Place(self._file, line, column), code, message, hint))
        return tuple(sorted(problems))


def read_json(file: Path, mistakes: JsonMistakes) -> Any:
    """The document; None, too, after noting why there is none. NaN, Infinity and what is too large for a float are
    numbers here: readers refuse them with their place."""
    data = b""
    repeating: list[bool] = []

    def unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeating.append(True)
        return found

    try:
        data = file.read_bytes()
        mistakes.text = data.decode("utf-8-sig")
        document = json.loads(mistakes.text, object_pairs_hook=unrepeated, parse_int=_whole)
    except OSError as error:
        mistakes.add_at(0, 0, "not-readable", f"the file cannot be read: {error.strerror}")
        return None
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        mistakes.add_at(before.count(b"\n") + 1, column, "not-utf-8", "this is not text in UTF-8; save it as UTF-8")
        return None
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg}" if mistakes.text.strip() else "the file is empty"
        mistakes.add_at(error.lineno, error.colno, "syntax-error", message)
        return None
    except RecursionError:
        mistakes.add_at(1, 1, "syntax-error", "this is nested too deeply")
        return None
    if repeating:
        for line, column, key in _scan(mistakes.text)[1]:
            mistakes.add_at(line, column, "repeated-key", f"the key {json.dumps(key)} appears twice in one object")
    if _HALF.search(mistakes.text):
        before = mistakes.count
        _note_halves(document, mistakes)
        return document if mistakes.count == before else None
    return document


def _problem(place: Place, code: str, message: str, hint: str = "") -> Problem:
    """What a file holds may stand in a message, but may not steer the terminal that shows it."""
    message, hint = ("".join(each if each.isprintable() else "\ufffd" for each in text) for text in (message, hint))
    return Problem(place=place, code=code, message=message, hint=hint)


def _whole(text: str) -> int | float:
    return int(text) if len(text) < _DIGITS_MAX else math.copysign(math.inf, -1 if text.startswith("-") else 1)


def _note_halves(document: Any, mistakes: JsonMistakes) -> None:
    """Half a character, which JSON can write, is no text: nothing could print it."""
    left: list[tuple[Any, _Path]] = [(document, ())]
    while left:
        value, path = left.pop()
        if isinstance(value, dict):
            left += [(each, (*path, key)) for key, each in value.items()]
            left += [(key, (*path, key)) for key in value]
        elif isinstance(value, list):
            left += [(each, (*path, at)) for at, each in enumerate(value)]
        elif isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value):
            mistakes.add(path, "not-utf-8", "this text holds half a character")


def _scan(text: str) -> tuple[dict[_Path, tuple[int, int]], list[tuple[int, int, str]]]:
    """Line and column of every key and element of a document that is JSON; and of every key that is there again."""
    places: dict[_Path, tuple[int, int]] = {(): (1, 1)}
    repeated: list[tuple[int, int, str]] = []
    path: list[str | int] = []
    keys: list[set[str] | None] = []  # of the objects that are open, None of the lists
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    line = 0
    expects_key = False
    for match in _TOKEN.finditer(text):
        while line + 1 < len(starts) and starts[line + 1] <= match.start():
            line += 1
        where = line + 1, match.start() - starts[line] + 1
        part = match.group()
        if part == ",":
            last = path.pop()
            path.append(last + 1 if isinstance(last, int) else "")
            expects_key = keys[-1] is not None
        elif part in "}]":
            path.pop()
            keys.pop()
            expects_key = False
        elif expects_key and part != ":":
            key = json.loads(part)
            path[-1] = key
            siblings = keys[-1]
            assert siblings is not None
            if key in siblings:
                repeated.append((*where, key))
            siblings.add(key)
            places[tuple(path)] = where
            expects_key = False
        elif part != ":":
            if keys and keys[-1] is None:
                places[tuple(path)] = where
            if part in "{[":
                keys.append(set() if part == "{" else None)
                path.append(0 if part == "[" else "")
                expects_key = part == "{"
    return places, repeated
