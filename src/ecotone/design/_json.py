"""JSON with the place of every mistake. Lines are looked up only when there is a mistake: documents may be large."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ecotone.core.problems import Place, Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["JsonMistakes", "read_json"]

_Path = tuple[str | int, ...]
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


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
        self._placed.append(Problem(place=Place(self._file, line, column), code=code, message=message))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything noted, sorted by place; what is missing stands where it should be, at what should hold it."""
        if not self._found:
            return tuple(sorted(self._placed))
        places = _places(self.text)
        problems = list(self._placed)
        for path, code, message, hint in self._found:
            known = path
            while known and known not in places:
                known = known[:-1]
            line, column = places.get(known, (1, 1))
            place = Place(self._file, line, column)
            problems.append(Problem(place=place, code=code, message=message, hint=hint))
        return tuple(sorted(problems))


def read_json(file: Path, mistakes: JsonMistakes) -> Any:
    """The document, None after noting why there is none. NaN and Infinity are numbers here: readers refuse them with
    their place."""
    try:
        mistakes.text = file.read_bytes().decode("utf-8-sig")
        return json.loads(mistakes.text, object_pairs_hook=lambda pairs: _unrepeated(pairs, mistakes))
    except OSError as error:
        mistakes.add_at(0, 0, "not-readable", f"the file cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        mistakes.add_at(0, 0, "not-utf-8", "the file is not text; save it as UTF-8")
    except json.JSONDecodeError as error:
        mistakes.add_at(error.lineno, error.colno, "syntax-error", f"this is not JSON: {error.msg}")
    except RecursionError:
        mistakes.add_at(1, 1, "syntax-error", "this is nested too deeply")
    return None


def _unrepeated(pairs: list[tuple[str, Any]], mistakes: JsonMistakes) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            at = mistakes.text.find(json.dumps(key))
            line = mistakes.text.count("\n", 0, max(at, 0)) + 1
            mistakes.add_at(line, 1, "repeated-key", f"the key {key} appears twice in one object")
    return found


def _places(text: str) -> dict[_Path, tuple[int, int]]:
    """Line and column of every key and element of a document that is JSON."""
    places: dict[_Path, tuple[int, int]] = {(): (1, 1)}
    path: list[str | int] = []
    counting: list[bool] = []
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
            path.append(last + 1 if counting[-1] and isinstance(last, int) else "")
            expects_key = not counting[-1]
        elif part in "}]":
            path.pop()
            counting.pop()
            expects_key = False
        elif expects_key and part != ":":
            path[-1] = json.loads(part)
            places[tuple(path)] = where
            expects_key = False
        elif part != ":":
            if counting and counting[-1]:
                places[tuple(path)] = where
            if part in "{[":
                counting.append(part == "[")
                path.append(0 if part == "[" else "")
                expects_key = part == "{"
    return places
