"""YAML as a tree of written values with places. The only module that knows PyYAML's nodes; nothing is constructed."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import yaml

from ecotone.core.problems import Place
from ecotone.design._written import Mistakes, Opaque, Pairs, Written

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_yaml"]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEPTH_MAX = 20
_NODES_MAX = 100_000
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?\Z")
_INT = re.compile(r"[-+]?[0-9][0-9_]{0,300}\Z")


def read_yaml(file: Path, mistakes: Mistakes) -> Written | None:
    """The document of a YAML file, or None after noting why there is none.

    Scalars are text, int, float, bool or None as YAML's core schema has them: `yes` and `12:30` are text.
    """
    name = str(file)
    text = _text_of(file, mistakes)
    if text is None:
        return None
    try:
        node = yaml.compose(text, Loader=_LOADER)
        if node is not None:
            return _Tree(name).value(node, 0)
        mistakes.add(Place(name, 1, 1), "empty-file", "the file is empty", "describe sites and links")
    except _EndlessError as error:
        mistakes.add(error.place, "endless", "this is nested too deeply, or an alias of itself", "write it out")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark is not None else Place(name, 1, 1)
        mistakes.add(place, "syntax-error", f"this is not YAML: {error.problem or error.context}")
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        message = str(error).partition("\n")[0] or "nested too deeply"
        mistakes.add(Place(name, 1, 1), "syntax-error", f"this is not YAML: {message}")
    return None


def _text_of(file: Path, mistakes: Mistakes) -> str | None:
    name = str(file)
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        mistakes.add(Place(name), "not-readable", f"the file cannot be read: {error.strerror}", "check path and rights")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        mistakes.add(Place(name, line, 1), "not-utf-8", "the file is not text", "save it as UTF-8")
    return None


class _EndlessError(Exception):
    def __init__(self, place: Place) -> None:
        super().__init__(str(place))
        self.place = place


class _Tree:
    def __init__(self, file: str) -> None:
        self.file = file
        self.left = _NODES_MAX
        self.open: set[int] = set()

    def place(self, node: Any) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def value(self, node: Any, depth: int) -> Written:
        """The node as written; an alias stands for what it names.

        Raises:
            _EndlessError: there is no end to it.
        """
        place = self.place(node)
        self.left -= 1
        if depth > _DEPTH_MAX or self.left < 0 or id(node) in self.open:
            raise _EndlessError(place)
        if isinstance(node, yaml.ScalarNode):
            return Written(_scalar(node), place)
        self.open.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            value: Any = tuple(self.value(each, depth + 1) for each in node.value)
        else:
            value = Pairs(tuple(self._entries(node, depth)))
        self.open.discard(id(node))
        return Written(value, place)

    def _entries(self, node: Any, depth: int) -> list[tuple[Written, Written]]:
        entries: list[tuple[Written, Written]] = []
        merged: list[tuple[Written, Written]] = []
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged.extend(self._merged(value_node, depth + 1))
                continue
            key = self._key(key_node, depth)
            entries.append((key, self.value(value_node, depth + 1)))
        own = {key.value for key, _ in entries}
        return entries + [each for each in merged if each[0].value not in own]

    def _key(self, node: Any, depth: int) -> Written:
        if isinstance(node, yaml.ScalarNode):
            return Written(str(node.value), self.place(node))
        written = self.value(node, depth + 1)
        return Written(Opaque("a list or mapping as a key"), written.place)

    def _merged(self, node: Any, depth: int) -> list[tuple[Written, Written]]:
        """What `<<: *other` brings; anything but a mapping is left as a key that no table has."""
        written = self.value(node, depth)
        if not isinstance(written.value, Pairs):
            return [(Written("<<", written.place), written)]
        return list(written.value.entries)


def _scalar(node: Any) -> str | int | float | bool | None:  # noqa: PLR0911 - one type, one answer
    text = str(node.value)
    if node.style or node.tag == "tag:yaml.org,2002:binary":
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text.replace("_", ""))
    if text.lower() in (".nan", ".inf", "-.inf"):
        return math.nan if "nan" in text.lower() else math.inf
    return text
