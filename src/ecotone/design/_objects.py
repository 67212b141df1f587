"""From the Python objects that decorators get to written values and targets; `_scope` and `_module` do it from text.

Called by `annotations`. Also holds what `parameter` and `variant` return.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import tokenize
from collections.abc import Mapping
from types import FunctionType
from typing import Any, Generic, TypeVar, cast

from ecotone.core.application import Component, Parameter
from ecotone.core.parameters import value_of
from ecotone.core.problems import Place
from ecotone.design._code import Function, hint_text, is_function
from ecotone.design._keywords import VARIANT, Target
from ecotone.design._written import Opaque, Pairs, Reference, VariantCall, Written

__all__ = ["ParameterHandle", "VariantAnnotation", "first_line", "pairs_of", "target_of", "written_of"]

V = TypeVar("V", str, int, float, bool)


class ParameterHandle(Generic[V]):
    """A declared parameter. `value` is what was bound for it in this process (`core.parameters`), else the default."""

    def __init__(self, declared: Parameter) -> None:
        self.declared = declared

    @property
    def value(self) -> V:
        return cast("V", value_of(self.declared.name, self.declared.default))

    def __repr__(self) -> str:
        return f"parameter({self.declared.name!r}, {self.declared.default!r})"


class VariantAnnotation:
    """What `variant(...)` returns, for `component(variants=[...])`."""

    def __init__(self, keywords: Mapping[str, Any], place: Place) -> None:
        self.keywords = dict(keywords)
        self.place = place

    def __repr__(self) -> str:
        return f"variant({self.keywords.get('name')!r}, ...)"


# From Python objects to written values


def pairs_of(given: Mapping[str, Any], place: Place, scope: dict[str, Any]) -> Pairs:
    return Pairs(tuple((Written(key, place), written_of(value, place, scope)) for key, value in given.items()))


def written_of(value: object, place: Place, scope: dict[str, Any]) -> Written:  # noqa: PLR0911 - one type, one answer
    match value:
        case None | str() | bool() | int() | float():
            return Written(value, place)
        case ParameterHandle():
            return Written(value.value, place)
        case VariantAnnotation():
            keywords = {key: each for key, each in value.keywords.items() if each is not None or key not in VARIANT}
            return Written(VariantCall(pairs_of(keywords, value.place, scope)), value.place)
        case list() | tuple():
            return Written(tuple(written_of(each, place, scope) for each in cast("list[object]", value)), place)
        case dict():
            entries = cast("dict[object, object]", value).items()
            pairs = ((written_of(key, place, scope), written_of(each, place, scope)) for key, each in entries)
            return Written(Pairs(tuple(pairs)), place)
        case _ if callable(value):
            return Written(Reference(_bound_name(value, scope), _component_name(value)), place)
        case _:
            return Written(Opaque(repr(value)), place)


def _component_name(value: object) -> str | None:
    attached = getattr(value, "__ecotone__", None)
    return attached.name if isinstance(attached, Component) else None


def _bound_name(value: object, scope: dict[str, Any]) -> str:
    """The name that the module has for a function: an import may have renamed it."""
    own = getattr(value, "__name__", repr(value))
    if scope.get(own) is value:
        return own
    return next((key for key, each in scope.items() if each is value), own)


# What is decorated


def target_of(decorated: object) -> Target:
    is_class = inspect.isclass(decorated)
    code = _method(decorated, "__call__") if is_class else decorated
    item_type, output_type = _hints_of(code, method=is_class)
    hooks = [_method(decorated, hook) for hook in ("snapshot", "restore")] if is_class else [None]
    return Target(
        name=getattr(decorated, "__name__", type(decorated).__name__),
        is_class=is_class,
        item_type=item_type,
        output_type=output_type,
        has_hooks=all(hooks),
        help=first_line(cast("str | None", vars(decorated).get("__doc__") if is_class else decorated.__doc__)),
    )


def first_line(text: str | None) -> str:
    return inspect.cleandoc(text).strip().partition("\n")[0].strip() if text else ""


def _method(decorated: object, name: str) -> object | None:
    """A method that the class, or a base of it in the same module, defines: what the static reader sees as well."""
    for base in cast("type", decorated).__mro__:
        if base.__module__ == cast("type", decorated).__module__ and name in vars(base):
            return vars(base)[name]
    return None


def _hints_of(code: object, *, method: bool) -> tuple[str, str]:
    """The hints of the item and of the return value, as normalised text."""
    function = inspect.unwrap(code) if isinstance(code, FunctionType) else None
    if not isinstance(function, FunctionType):
        return "", ""
    names = function.__code__.co_varnames[: function.__code__.co_argcount][int(method) :]
    if sys.version_info < (3, 14):  # from then on, hints are computed, and the first one that is undefined raises
        hints = function.__annotations__
        if all(isinstance(each, str) for each in hints.values()):
            return _text(hints.get(names[0])) if names else "", _text(hints.get("return"))
    return _hints_in_source(function, names[0] if names else "")


def _text(hint: object) -> str:
    return hint_text(ast.Constant(hint)) if isinstance(hint, str) else ""


def _hints_in_source(function: FunctionType, item: str) -> tuple[str, str]:
    """Hints that are objects by now are read where they were written, so that they have the author's words."""
    node = _functions_of(function.__code__.co_filename).get(function.__code__.co_firstlineno)
    if node is None or node.name != function.__name__:
        return "", ""
    arguments = [each for each in (*node.args.posonlyargs, *node.args.args) if each.arg == item]
    return hint_text(arguments[0].annotation) if arguments else "", hint_text(node.returns)


@functools.cache
def _functions_of(file: str) -> dict[int, Function]:
    """The functions of a file by their first line, which is that of the first decorator."""
    try:
        with tokenize.open(file) as stream:
            tree = ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError, LookupError):
        return {}
    functions = [each for each in ast.walk(tree) if is_function(each)]
    return {min([each.lineno, *(d.lineno for d in each.decorator_list)]): each for each in functions}
