"""What can be told of a function or class from its syntax tree alone: signature, hints, hooks, whether it yields.

Called by the static reader and the rules; `hint_text` also by the decorators, so that hints read the same both ways.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeGuard

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "Argument",
    "Function",
    "Signature",
    "call_of",
    "constructor_of",
    "find_method",
    "help_line",
    "hint_text",
    "is_function",
    "signature_of",
    "statements_below",
    "yields",
]

Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def is_function(node: ast.AST | None) -> TypeGuard[Function]:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


class Argument(msgspec.Struct, frozen=True):
    """One named argument; `hint` is the node of its annotation."""

    name: str
    required: bool
    hint: ast.expr | None
    node: ast.arg


class Signature(msgspec.Struct, frozen=True):
    """How a function can be called. `any_positional` and `any_keyword` say that it takes `*args` and `**kwargs`."""

    positional: tuple[Argument, ...]
    keyword_only: tuple[Argument, ...]
    positional_only: frozenset[str]
    any_positional: bool
    any_keyword: bool


def signature_of(node: Function, *, method: bool = False) -> Signature:
    """The signature, without `self` for a method."""
    written = node.args
    every = [*written.posonlyargs, *written.args]
    first_default = len(every) - len(written.defaults)
    positional = tuple(
        Argument(each.arg, index < first_default, each.annotation, each) for index, each in enumerate(every)
    )
    keyword_only = tuple(
        Argument(each.arg, default is None, each.annotation, each)
        for each, default in zip(written.kwonlyargs, written.kw_defaults, strict=True)
    )
    return Signature(
        positional=positional[1:] if method else positional,
        keyword_only=keyword_only,
        positional_only=frozenset(each.arg for each in written.posonlyargs),
        any_positional=written.vararg is not None,
        any_keyword=written.kwarg is not None,
    )


def find_method(node: ast.ClassDef, name: str, classes: Mapping[str, ast.ClassDef]) -> tuple[Function | None, bool]:
    """The method that an instance has, and whether that is certain: bases from elsewhere are not looked into."""
    return _find_method(node, name, classes, set())


def _find_method(
    node: ast.ClassDef, name: str, classes: Mapping[str, ast.ClassDef], seen: set[str]
) -> tuple[Function | None, bool]:
    seen.add(node.name)
    for statement in node.body:
        if is_function(statement) and statement.name == name:
            return statement, not statement.decorator_list
    certain = not node.keywords
    for base in node.bases:
        if not isinstance(base, ast.Name) or (base.id not in classes and base.id != "object"):
            certain = False
        elif base.id in classes and base.id not in seen:
            found, sure = _find_method(classes[base.id], name, classes, seen)
            if found is not None:
                return found, sure and certain
            certain = certain and sure
    return None, certain


def call_of(node: Function | ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> tuple[Function | None, bool]:
    """The code that handles an item: the function itself, or the class's `__call__`; and whether that is certain."""
    if isinstance(node, ast.ClassDef):
        return find_method(node, "__call__", classes)
    return node, True


def constructor_of(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> tuple[Function | None, bool]:
    """The class's `__init__`, None when there is none; and whether that is certain (decorators may write one)."""
    found, certain = find_method(node, "__init__", classes)
    makes, sure = find_method(node, "__new__", classes)
    return found, certain and sure and makes is None


def yields(node: Function) -> bool:
    """Whether the function is a generator."""
    return any(isinstance(each, (ast.Yield, ast.YieldFrom)) for each in _own_nodes(node))


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function's own body, without those of functions and classes within."""
    waiting: list[ast.AST] = list(getattr(node, "body", ()))
    while waiting:
        each = waiting.pop()
        yield each
        if not isinstance(each, _SCOPES):
            waiting.extend(ast.iter_child_nodes(each))


def statements_below(node: ast.AST) -> Iterator[ast.stmt]:
    """All statements inside a compound statement, function or class, however deep."""
    waiting: list[ast.AST] = [node]
    while waiting:
        each = waiting.pop()
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            for below in getattr(each, part, None) or ():
                if isinstance(below, ast.AST):
                    waiting.append(below)
                    if isinstance(below, ast.stmt):
                        yield below


def help_line(node: ast.Module | Function | ast.ClassDef) -> str:
    """The first line of the docstring, "" without one."""
    text = ast.get_docstring(node)
    return text.strip().partition("\n")[0].strip() if text else ""


def hint_text(node: ast.expr | None) -> str:  # noqa: PLR0911 - one case, one answer
    """The hint as text in one spelling: quotes around names of types taken off, spaces as usual; "" without one."""
    if node is None:
        return ""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=None):
            return "None"
        case ast.Constant(value=str() as quoted):
            return _unquoted(quoted)
        case ast.Attribute(value=value, attr=attribute):
            return f"{hint_text(value)}.{attribute}"
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{hint_text(left)} | {hint_text(right)}"
        case ast.Subscript(value=value, slice=inner):
            head = hint_text(value)
            if head.rpartition(".")[2] in ("Literal", "Annotated"):
                return f"{head}[{ast.unparse(inner)}]"
            return f"{head}[{hint_text(inner)}]"
        case ast.Tuple(elts=parts) if parts:
            return ", ".join(hint_text(each) for each in parts)
        case _:
            return ast.unparse(node)


def _unquoted(quoted: str) -> str:
    try:
        return hint_text(ast.parse(quoted.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
