"""Goes through an application's syntax tree from top to bottom and builds what its annotations describe.

Called by `read`. User code is neither imported nor executed: `_scope` knows what the text tells of each name.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.application import Parameter, PathPromise, Value
from ecotone.core.ids import is_name
from ecotone.core.problems import Place, did_you_mean
from ecotone.design._code import (
    Function,
    call_of,
    find_method,
    help_line,
    hint_text,
    signature_of,
    statements_below,
)
from ecotone.design._keywords import (
    Draft,
    Target,
    build_component,
    build_parameter,
    build_path,
    default_component_name,
    parameter_value,
)
from ecotone.design._scope import API, Binding, Defined, Handle, Imported, NotConstant, Places, Scope
from ecotone.design._written import BROKEN, Mistakes, Pairs, Reference, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["PathDraft", "Source", "read_module", "target_of"]

_COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match, ast.AsyncFor, ast.AsyncWith, ast.TryStar)


class PathDraft(msgspec.Struct, frozen=True):
    """A promise, with the place of the annotation and of each component that it names."""

    promise: PathPromise
    place: Place
    components: tuple[Written, ...]


class Source(msgspec.Struct, frozen=True):
    """All that was read of a module. `definitions` are the nodes of `drafts`, in the same order.

    `values` are those of the parameters in this reading. `nodes` are the functions and classes of the top level at its
    end, `classes` the latter from anywhere in it. `misplaced` names components that stand where none may.
    """

    tree: ast.Module
    scope: Scope
    name: str
    drafts: tuple[Draft, ...]
    definitions: tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, ...]
    paths: tuple[PathDraft, ...]
    parameters: tuple[Parameter, ...]
    values: dict[str, Value]
    classes: dict[str, ast.ClassDef]
    nodes: dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]
    misplaced: frozenset[str]


def target_of(node: Function | ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> Target:
    """What is decorated, from its tree."""
    method = isinstance(node, ast.ClassDef)
    code, _ = call_of(node, classes)
    item = signature_of(code, method=method).positional[:1] if code is not None else ()
    return Target(
        name=node.name,
        is_class=method,
        item_type=hint_text(item[0].hint) if item else "",
        output_type=hint_text(code.returns) if code is not None else "",
        has_hooks=isinstance(node, ast.ClassDef) and _has_hooks(node, classes),
        help=help_line(node),
    )


def _has_hooks(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> bool:
    return all(find_method(node, hook, classes)[0] is not None for hook in ("snapshot", "restore"))


def read_module(
    tree: ast.Module, places: Places, name: str, parameters: Mapping[str, str], mistakes: Mistakes
) -> Source:
    """Everything that the module's annotations describe. `name` is the application's unless the module says another;
    `parameters` are values as given on a command line."""
    return _Reader(tree, places, parameters, mistakes).read(name)


class _Reader:
    def __init__(self, tree: ast.Module, places: Places, parameters: Mapping[str, str], mistakes: Mistakes) -> None:
        self.tree = tree
        self.places = places
        self.given = parameters
        self.mistakes = mistakes
        self.scope = Scope(tree, places)
        self.classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
        self.drafts: list[Draft] = []
        self.definitions: list[Function | ast.ClassDef] = []
        self.paths: list[PathDraft] = []
        self.parameters: dict[str, Parameter] = {}
        self.declared: set[str] = set()
        self.values: dict[str, Value] = {}
        self.misplaced: set[str] = set()

    def read(self, name: str) -> Source:
        for statement in self.tree.body:
            self._statement(statement)
        for given in self.given:
            if given not in self.declared:
                hint = did_you_mean(given, self.declared) or "it declares none"
                self.mistakes.add(_set_place(given), "unknown-parameter", f"there is no parameter {given!r}", hint)
        nodes = {key: each.node for key, each in self.scope.names.items() if isinstance(each, Defined)}
        return Source(
            tree=self.tree,
            scope=self.scope,
            name=self._application_name(name),
            drafts=tuple(self.drafts),
            definitions=tuple(self.definitions),
            paths=tuple(self.paths),
            parameters=tuple(self.parameters.values()),
            values=self.values,
            classes=self.classes,
            nodes=nodes,
            misplaced=frozenset(self.misplaced),
        )

    def _application_name(self, otherwise: str) -> str:
        declared = self.scope.names.get("APPLICATION")
        if declared is None:
            return otherwise
        if isinstance(declared, Written) and isinstance(declared.value, str) and is_name(declared.value):
            return declared.value
        place = declared.place if isinstance(declared, Written) else Place(self.places.file, 0, 0)
        line = getattr(declared, "line", 0)
        place = Place(self.places.file, line, 1) if line else place
        self.mistakes.add(place, "bad-name", "APPLICATION is not a name", 'APPLICATION = "street"')
        return otherwise

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._definition(statement)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, value)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._assign(target, value)
            case ast.Expr(value=value):
                self._expression(value)
            case ast.Import() | ast.ImportFrom():
                self._import(statement)
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                pass  # not run when the module is imported
            case ast.AugAssign() | ast.Delete():
                self._forget(statement, "is changed")
            case _:
                self._compound(statement)

    # Definitions

    def _definition(self, node: Function | ast.ClassDef) -> None:
        self._report_misplaced(node)
        ours = [each for each in node.decorator_list if self._is_component(each)]
        if not ours:
            self.scope.names[node.name] = Defined(node)
            return
        if len(ours) > 1:
            message = f"{node.name} is annotated as a component twice"
            self.mistakes.add(self.places.of(ours[1]), "duplicate-annotation", message, "keep one @component(...)")
        draft = self._component(node, ours[0])
        self.drafts.append(draft)
        self.definitions.append(node)
        self.scope.names[node.name] = Defined(node, draft.component.name)

    def _is_component(self, decorator: ast.expr) -> bool:
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        return self.scope.api_of(named) == "component"

    def _component(self, node: Function | ast.ClassDef, decorator: ast.expr) -> Draft:
        place = self.places.of(decorator)
        target = target_of(node, self.classes)
        if not isinstance(decorator, ast.Call):
            message = "component needs keywords that say what makes it run"
            self.mistakes.add(place, "not-called", message, "write @component(on=...) or another trigger")
            return build_component(Pairs(()), target, place, self.mistakes, unread=True)
        keywords = self.scope.with_positional(decorator, (), self.mistakes, of="component")
        unread = any(each.arg is None for each in decorator.keywords) or bool(decorator.args)
        return build_component(keywords, target, place, self.mistakes, unread=unread)

    # Other annotations

    def _path(self, call: ast.Call) -> None:
        components = tuple(self.scope.evaluate(each, self.mistakes) for each in call.args)
        place = self.places.of(call)
        promise = build_path(components, self.scope.keywords(call, self.mistakes), place, self.mistakes)
        if promise is not None:
            self.paths.append(PathDraft(promise, place, components))

    def _parameter(self, call: ast.Call) -> Handle:
        arguments = self.scope.with_positional(call, ("name", "default"), self.mistakes, of="parameter")
        place = self.places.of(call)
        written = next((each.value for key, each in arguments.entries if key.value == "name"), None)
        repeated = isinstance(written, str) and written in self.declared
        if isinstance(written, str):
            self.declared.add(written)
        parameter = build_parameter(arguments, place, self.mistakes)
        if parameter is None:
            return Handle(BROKEN)
        if repeated:
            message = f"there are two parameters {parameter.name!r}"
            self.mistakes.add(place, "duplicate-name", message, "give each its own name")
            return Handle(parameter.default)
        self.parameters[parameter.name] = parameter
        value = self._given_value(parameter)
        self.values[parameter.name] = value if value is not BROKEN else parameter.default
        return Handle(value)

    def _given_value(self, parameter: Parameter) -> Value:
        if parameter.name not in self.given:
            return parameter.default
        try:
            return parameter_value(parameter, self.given[parameter.name])
        except ValueError as error:
            self.mistakes.add(_set_place(parameter.name), "wrong-type", f"parameter {parameter.name}: {error}")
            return BROKEN

    def _expression(self, value: ast.expr) -> None:
        called = self.scope.called_api(value)
        if isinstance(value, ast.Call) and called == "path":
            self._path(value)
        elif isinstance(value, ast.Call) and called == "parameter":
            self._parameter(value)
        elif isinstance(value, ast.Call):
            self._report_undecorated(value)
            if isinstance(value.func, ast.Attribute) and isinstance(value.func.value, ast.Name):
                self._forget_if_mutable(value.func.value)
        elif isinstance(value, ast.NamedExpr):
            self._assign(value.target, value.value)

    def _report_undecorated(self, value: ast.expr) -> None:
        named = value.func if isinstance(value, ast.Call) else value
        if self.scope.called_api(named) == "component" or self.scope.called_api(value) == "component":
            message = "component is not used as a decorator here"
            self.mistakes.add(self.places.of(value), "not-a-decorator", message, "write @component(...) above a def")

    # Names

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.scope.names[target.id] = self._bound(value)
            self.scope.aliases[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._assign_each(target.elts, value)
        elif isinstance(target, (ast.Subscript, ast.Attribute)) and isinstance(target.value, ast.Name):
            self._forget_if_mutable(target.value)

    def _assign_each(self, targets: list[ast.expr], value: ast.expr) -> None:
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        if len(values) == len(targets) and not any(isinstance(each, ast.Starred) for each in (*values, *targets)):
            for target, each in zip(targets, values, strict=True):
                self._assign(target, each)
            return
        for target in targets:
            for each in ast.walk(target):
                if isinstance(each, ast.Name):
                    self.scope.names[each.id] = NotConstant("is not a literal", each.lineno)

    def _bound(self, value: ast.expr) -> Binding:
        called = self.scope.called_api(value)
        if isinstance(value, ast.Call) and called == "parameter":
            return self._parameter(value)
        if isinstance(value, ast.Call) and called == "path":
            self._path(value)
        self._report_undecorated(value)
        path = self.scope.dotted(value)
        if path is not None:
            return Imported(path)
        unreadable = Mistakes()
        written = self.scope.evaluate(value, unreadable)
        if unreadable.problems:
            return NotConstant("is not a literal", value.lineno, value)
        if isinstance(written.value, Reference):
            return self.scope.names[written.value.target]
        return written

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for name, path in _imports(statement):
            self.scope.names[name] = Imported(path)

    def _forget(self, node: ast.AST, why: str) -> None:
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and isinstance(each.ctx, (ast.Store, ast.Del)):
                self.scope.names[each.id] = NotConstant(why, each.lineno)

    def _forget_if_mutable(self, name: ast.Name) -> None:
        binding = self.scope.names.get(name.id)
        if isinstance(binding, Written) and isinstance(binding.value, (tuple, Pairs)):
            self.scope.names[name.id] = NotConstant("is changed", name.lineno)

    # Inside compound statements

    def _compound(self, statement: ast.stmt) -> None:
        self._report_misplaced(statement)
        for below in statements_below(statement) if isinstance(statement, _COMPOUND) else ():
            if isinstance(below, (ast.Import, ast.ImportFrom)):
                self._import(below)
            elif isinstance(below, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self.scope.names[below.name] = Defined(below, self._misplaced_name(below))
            elif isinstance(below, ast.Expr) and self.scope.called_api(below.value) in ("path", "parameter"):
                self._misplaced(below.value, str(self.scope.called_api(below.value)))
        for name, line in _stored(statement):
            self.scope.names[name] = NotConstant("is set inside another statement", line)

    def _report_misplaced(self, node: ast.AST) -> None:
        for below in statements_below(node):
            if isinstance(below, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = self._misplaced_name(below)
                for decorator in below.decorator_list if name is not None else ():
                    if self._is_component(decorator):
                        self._misplaced(decorator, f"component {below.name}")
                        self.misplaced.add(str(name))

    def _misplaced_name(self, node: Function | ast.ClassDef) -> str | None:
        if not any(self._is_component(decorator) for decorator in node.decorator_list):
            return None
        return default_component_name(target_of(node, self.classes))

    def _misplaced(self, node: ast.expr, what: str) -> None:
        message = f"{what} does not stand at the top level of the module"
        self.mistakes.add(self.places.of(node), "not-top-level", message, "move it out, unindented")


def _set_place(name: str) -> Place:
    return Place(f"--set {name}")


def _imports(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    if isinstance(statement, ast.Import):
        for each in statement.names:
            first = each.name.partition(".")[0]
            yield (each.asname, each.name) if each.asname else (first, first)
        return
    home = "." * statement.level + (statement.module or "")
    for each in statement.names:
        if each.name == "*":
            if home == "ecotone":
                yield from ((name, f"{home}.{name}") for name in API)
            continue
        yield each.asname or each.name, f"{home}.{each.name}"


def _stored(statement: ast.stmt) -> Iterator[tuple[str, int]]:
    """Names that a compound statement binds at module level."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.Name) and isinstance(each.ctx, (ast.Store, ast.Del)):
            yield each.id, each.lineno
        if not isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(each))
