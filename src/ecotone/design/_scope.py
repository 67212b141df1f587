"""The names of a module as far as its text tells them, and the values of the expressions that annotations may hold.

Called by `_module` while it goes through the file from top to bottom, so that a name means here what it would mean
there when the module is run. Allowed are literals, names of module constants, parameters, functions and components,
`variant(...)`, and tuples, lists and dicts of these; anything else is a mistake at its place.
"""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.problems import Place, did_you_mean
from ecotone.design._written import BROKEN, Mistakes, Pairs, Reference, VariantCall, Written

if TYPE_CHECKING:
    from ecotone.core.application import Value

__all__ = ["API", "Binding", "Defined", "Handle", "Imported", "NotConstant", "Places", "Scope"]

API = ("component", "output_dir", "parameter", "path", "variant")
_HOMES = ("ecotone", "ecotone.design", "ecotone.design.annotations")
_API_BY_PATH = {f"{home}.{name}": name for home in _HOMES for name in API}


class Places:
    """Places of syntax nodes; columns count characters, where the tree counts bytes."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._lines = None if text.isascii() else text.splitlines(keepends=True)

    def of(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> Place:
        column = node.col_offset
        if self._lines is not None and node.lineno <= len(self._lines):
            column = len(self._lines[node.lineno - 1].encode(errors="replace")[:column].decode(errors="replace"))
        return Place(self.file, node.lineno, column + 1)


class Imported(msgspec.Struct, frozen=True):
    """A name from elsewhere, by its dotted path there."""

    path: str


class Defined(msgspec.Struct, frozen=True):
    """A function or class of this module; `component` is its name if it is one."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    component: str | None = None


class Handle(msgspec.Struct, frozen=True):
    """A declared parameter with the value that it has in this reading; BROKEN when the declaration was wrong."""

    value: Value


class NotConstant(msgspec.Struct, frozen=True):
    """A variable whose value the text does not tell; `why` completes "NAME is ..."."""

    why: str
    line: int
    value: ast.expr | None = None


Binding = Written | Imported | Defined | Handle | NotConstant


class Scope:
    """What each module-level name is bound to at the statement that is being read."""

    def __init__(self, tree: ast.Module, places: Places) -> None:
        self.places = places
        self.names: dict[str, Binding] = {}
        self.aliases: dict[str, ast.expr] = {}
        self._tree = tree

    def dotted(self, node: ast.expr) -> str | None:
        """The full path of an imported name or of an attribute of one; None for anything else."""
        if isinstance(node, ast.Name):
            binding = self.names.get(node.id)
            return binding.path if isinstance(binding, Imported) else None
        if isinstance(node, ast.Attribute):
            head = self.dotted(node.value)
            return f"{head}.{node.attr}" if head is not None else None
        return None

    def api_of(self, node: ast.expr) -> str | None:
        """Which function of Ecotone's own an expression names, if any."""
        path = self.dotted(node)
        return _API_BY_PATH.get(path) if path is not None else None

    def called_api(self, node: ast.expr | None) -> str | None:
        """Which function of Ecotone's own an expression calls, if any."""
        return self.api_of(node.func) if isinstance(node, ast.Call) else None

    def evaluate(self, node: ast.expr, mistakes: Mistakes) -> Written:  # noqa: PLR0911 - one form, one answer
        """The value of an expression; BROKEN after noting why it has none here."""
        place = self.places.of(node)
        match node:
            case ast.Constant(value=str() | bool() | int() | float() | None as value):
                return Written(value, place)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as value)):
                return Written(-value if isinstance(sign, ast.USub) else +value, place)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return Written(tuple(self.evaluate(each, mistakes) for each in elements), place)
            case ast.Dict():
                return self._mapping(node, place, mistakes)
            case ast.Name(id=name):
                return self._name(name, place, mistakes)
            case ast.Call() if self.called_api(node) == "variant":
                return Written(VariantCall(self.variant_keywords(node, mistakes)), place)
            case _:
                return self._not_literal(node, place, mistakes)

    def _mapping(self, node: ast.Dict, place: Place, mistakes: Mistakes) -> Written:
        entries: list[tuple[Written, Written]] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                return self._not_literal(value, self.places.of(value), mistakes)
            entries.append((self.evaluate(key, mistakes), self.evaluate(value, mistakes)))
        if any(key.value is BROKEN for key, _ in entries):
            return Written(BROKEN, place)
        return Written(Pairs(tuple(entries)), place)

    def _name(self, name: str, place: Place, mistakes: Mistakes) -> Written:
        binding = self.names.get(name)
        match binding:
            case Written():
                return Written(binding.value, place)
            case Handle():
                return Written(binding.value, place)
            case Defined():
                return Written(Reference(binding.node.name, binding.component), place)
            case Imported():
                return Written(Reference(name), place)
            case NotConstant():
                hint = f"line {binding.line}; only literals, other constants and parameters are read"
                mistakes.add(place, "not-literal", f"{name} {binding.why}", hint)
            case _:
                self._undefined(name, place, mistakes)
        return Written(BROKEN, place)

    def _undefined(self, name: str, place: Place, mistakes: Mistakes) -> None:
        later = self._defined_later(name)
        if later:
            hint = f"it is defined below, on line {later}: move it up, or name a component as text"
        elif hasattr(builtins, name):
            mistakes.add(place, "not-literal", f"{name} is not a value that can be read here", "write a literal")
            return
        else:
            hint = did_you_mean(name, self.names)
        mistakes.add(place, "undefined-name", f"{name} is not defined", hint)

    def _defined_later(self, name: str) -> int:
        for statement in self._tree.body:
            names = [getattr(statement, "name", None)]
            if isinstance(statement, ast.Assign):
                names = [each.id for each in statement.targets if isinstance(each, ast.Name)]
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                names = [statement.target.id]
            if name in names:
                return statement.lineno
        return 0

    def _not_literal(self, node: ast.expr, place: Place, mistakes: Mistakes) -> Written:
        message = f"{_shown(node)} cannot be read without running it"
        hint = "write a literal, a constant or a parameter"
        owner = node.value.id if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""
        if isinstance(self.names.get(owner), Handle):
            hint = f"write the parameter itself: {owner}"
        mistakes.add(place, "not-literal", message, hint)
        return Written(BROKEN, place)

    def keywords(self, call: ast.Call, mistakes: Mistakes) -> Pairs:
        """The keyword arguments of a call, evaluated; `**` is a mistake."""
        entries: list[tuple[Written, Written]] = []
        for keyword in call.keywords:
            place = self.places.of(keyword)
            if keyword.arg is None:
                message = "** cannot be read without running it"
                mistakes.add(place, "not-literal", message, "write each keyword out")
                continue
            entries.append((Written(keyword.arg, place), self.evaluate(keyword.value, mistakes)))
        return Pairs(tuple(entries))

    def variant_keywords(self, call: ast.Call, mistakes: Mistakes) -> Pairs:
        return self.with_positional(call, ("name",), mistakes, of="variant")

    def with_positional(self, call: ast.Call, names: tuple[str, ...], mistakes: Mistakes, *, of: str) -> Pairs:
        """All arguments of a call as keywords, the positional ones under `names`; too many is a mistake."""
        named: list[tuple[Written, Written]] = []
        for index, argument in enumerate(call.args):
            place = self.places.of(argument)
            if index >= len(names):
                hint = f"name it: {of}(..., keyword=value)" if names else f"write {of}(keyword=value)"
                mistakes.add(place, "positional-argument", f"{of} takes no argument here without its name", hint)
                continue
            named.append((Written(names[index], place), self.evaluate(argument, mistakes)))
        return Pairs((*named, *self.keywords(call, mistakes).entries))


def _shown(node: ast.expr) -> str:
    try:
        text = ast.unparse(node)
    except RecursionError:
        return "this expression"
    return text if len(text) <= 60 else text[:57] + "..."
