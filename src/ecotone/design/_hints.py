"""Whether what one component gives can be what another takes, told from type hints as text.

Called by the rules for each channel. Only a definite mismatch counts: a name from another module may be anything,
`Any` and `object` take all, a dict may be decoded into a class, numbers widen. Silence is not consent, only ignorance.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import msgspec

from ecotone.design._scope import Defined, Imported, NotConstant, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Hints"]

_NUMBERS = ("bool", "int", "float", "complex")
_BYTES = ("bytes", "bytearray", "memoryview")
_SEQUENCES = ("list", "tuple", "set", "frozenset", "sequence")
_LISTS = ("list", "sequence", "tuple")
_BUILTINS = frozenset({"str", "dict", "None", *_NUMBERS, *_BYTES, *_SEQUENCES}) - {"sequence"}
_ITERATORS = ("Iterator", "Iterable", "Generator")
_TYPING = {
    "List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "FrozenSet": "frozenset", "Text": "str",
    "Sequence": "sequence", "MutableSequence": "sequence", "Iterable": "sequence", "Collection": "sequence",
    "Mapping": "dict", "MutableMapping": "dict",
}  # fmt: skip
_PLAIN_BASES = frozenset({"object", "msgspec.Struct", "abc.ABC", "typing.Generic"})
_DEPTH_MAX = 12


class _Leaf(msgspec.Struct, frozen=True):
    """One member of a union: a builtin, a class of this module, an array, or unknown."""

    kind: str
    name: str = ""
    arguments: tuple[ast.expr, ...] = ()


_UNKNOWN = _Leaf("unknown")


class Hints:
    """Compares hints in the light of one module's names."""

    def __init__(self, scope: Scope, classes: Mapping[str, ast.ClassDef]) -> None:
        self._scope = scope
        self._classes = classes

    def emits_nothing(self, output: str) -> bool:
        """Whether the hint says that nothing but None is returned."""
        return output == "None"

    def accepts(self, taken: str, given: str, *, listed: bool = False, joined: bool = False) -> bool:
        """False only if an item of type `given` is definitely not a `taken`.

        Args:
            taken: the hint of the consumer's argument.
            given: the hint of the producer's return value; a generator gives what it yields, None gives nothing.
            listed: the consumer gets a list of items.
            joined: the consumer gets a dict of items by producer.
        """
        wanted, items = _parsed(taken), _parsed(given)
        if wanted is None or items is None:
            return True
        if listed or joined:
            members = [self._leaf(each) for each in self._members(wanted)]
            if any(leaf.kind == "unknown" for leaf in members):
                return True
            boxes = [leaf for leaf in members if leaf.name in (_LISTS if listed else ("dict",))]
            inner = [leaf.arguments[-1 if joined else 0] for leaf in boxes if leaf.arguments]
            if not boxes or len(inner) < len(boxes):
                return bool(boxes) or any(leaf.kind == "class" and joined for leaf in members)
        else:
            inner = [wanted]
        given_members = [each for item in self._items(items) for each in self._members(item)]
        some = [each for each in given_members if not _is_none(each)]
        return all(any(self._fits(leaf, each, 0) for leaf in inner) for each in some)

    def _items(self, node: ast.expr) -> list[ast.expr]:
        """What is emitted: an iterator's elements, else the value itself."""
        result: list[ast.expr] = []
        for member in self._members(node):
            if isinstance(member, ast.Subscript) and self._typing_name(member.value) in _ITERATORS:
                inner = member.slice
                result.append(inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner)
            else:
                result.append(member)
        return result

    def _members(self, node: ast.expr, depth: int = 0) -> list[ast.expr]:  # noqa: PLR0911 - one form, one answer
        """The members of a union, with aliases of this module resolved."""
        if depth > _DEPTH_MAX:
            return [node]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return [*self._members(node.left, depth + 1), *self._members(node.right, depth + 1)]
        if isinstance(node, ast.Subscript):
            name = self._typing_name(node.value)
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if name == "Union":
                return [each for part in parts for each in self._members(part, depth + 1)]
            if name == "Optional":
                return [*self._members(parts[0], depth + 1), ast.Constant(None)]
            if name == "Annotated" and parts:
                return self._members(parts[0], depth + 1)
        if isinstance(node, ast.Name):
            alias = self._scope.aliases.get(node.id)
            binding = self._scope.names.get(node.id)
            if alias is not None and isinstance(binding, (NotConstant, Imported)):
                return self._members(alias, depth + 1)
        return [node]

    def _typing_name(self, node: ast.expr) -> str:
        """The last word of a name that comes from `typing` or `collections.abc`, else ""."""
        home, _, name = (self._scope.dotted(node) or "").rpartition(".")
        return name if home in ("typing", "typing_extensions", "collections.abc", "types") else ""

    def _leaf(self, node: ast.expr) -> _Leaf:  # noqa: PLR0911 - one form, one answer
        if _is_none(node):
            return _Leaf("builtin", "None")
        arguments: tuple[ast.expr, ...] = ()
        if isinstance(node, ast.Subscript):
            inner = node.slice
            arguments = tuple(inner.elts) if isinstance(inner, ast.Tuple) else (inner,)
            node = node.value
        path = self._scope.dotted(node)
        if path is not None:
            if path in ("numpy.ndarray", "numpy.typing.NDArray"):
                return _Leaf("array", "numpy.ndarray")
            known = _TYPING.get(self._typing_name(node))
            return _Leaf("builtin", known, arguments) if known is not None else _UNKNOWN
        if not isinstance(node, ast.Name):
            return _UNKNOWN
        binding = self._scope.names.get(node.id)
        if isinstance(binding, Defined) and isinstance(binding.node, ast.ClassDef):
            return _Leaf("class", binding.node.name)
        if node.id in _BUILTINS and node.id not in self._scope.names:
            return _Leaf("builtin", node.id, arguments)
        return _UNKNOWN

    def _fits(self, taken: ast.expr, given: ast.expr, depth: int) -> bool:
        """Whether every member of `given` may be some member of `taken`."""
        if depth > _DEPTH_MAX:
            return True
        wanted = [self._leaf(each) for each in self._members(taken)]
        return all(any(self._may_be(leaf, self._leaf(each), depth) for leaf in wanted) for each in self._members(given))

    def _may_be(self, taken: _Leaf, given: _Leaf, depth: int) -> bool:
        if "unknown" in (taken.kind, given.kind):
            return True
        if taken.kind == given.kind == "builtin":
            return self._builtins_fit(taken, given, depth)
        if taken.kind == given.kind == "class":
            return self._class_may_be(given.name, taken.name)
        if "class" not in (taken.kind, given.kind):
            return taken.kind == given.kind
        name, other = (given.name, taken) if given.kind == "class" else (taken.name, given)
        return not self._is_plain(name) or other.name in ("dict", *_SEQUENCES)

    def _builtins_fit(self, taken: _Leaf, given: _Leaf, depth: int) -> bool:
        if taken.name in _NUMBERS and given.name in _NUMBERS:
            return _NUMBERS.index(given.name) <= _NUMBERS.index(taken.name)
        if taken.name in _BYTES and given.name in _BYTES:
            return True
        if taken.name == "sequence" and given.name in ("str", "dict", *_BYTES):
            return True
        both_lists = taken.name in _SEQUENCES and given.name in _SEQUENCES
        if not both_lists and taken.name != given.name:
            return False
        return self._arguments_fit(taken.arguments, given.arguments, depth)

    def _arguments_fit(self, taken: Sequence[ast.expr], given: Sequence[ast.expr], depth: int) -> bool:
        if len(taken) != len(given) or any(_is_ellipsis(each) for each in (*taken, *given)):
            return True
        return all(self._fits(left, right, depth + 1) for left, right in zip(taken, given, strict=True))

    def _class_may_be(self, name: str, base: str) -> bool:
        if name == base or not self._is_plain(base):
            return True
        return base in self._ancestors(name)

    def _ancestors(self, name: str) -> set[str]:
        """The class's bases as far as they are in this module, by name; those from elsewhere by dotted path."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            node = self._classes.get(waiting.pop())
            for base in node.bases if node is not None else ():
                head = base.value if isinstance(base, ast.Subscript) else base
                path = self._scope.dotted(head) or (head.id if isinstance(head, ast.Name) else "?")
                if path not in found:
                    found.add(path)
                    waiting.append(path)
        return found

    def _is_plain(self, name: str) -> bool:
        """Whether nothing but the class and those derived from it is one: no protocol, enumeration or typed dict."""
        return all(base in self._classes or base in _PLAIN_BASES for base in self._ancestors(name))


def _parsed(text: str) -> ast.expr | None:
    if not text:
        return None
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...
