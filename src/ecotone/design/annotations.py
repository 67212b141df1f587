"""The annotations that application authors write, exported as `ecotone.component`, `path`, `variant`, `parameter` and
`output_dir`.

`component` returns what it decorates, with the `core.application.Component` as its `__ecotone__`: the function stays an
ordinary function, and calling it costs nothing more. What each keyword means is in docs/reference/annotations.md; the
table that reads them is in `_keywords`, shared with the static reader. Tests and tools call `application_of` on an
imported module.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
import sys
import tokenize
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any, Generic, Never, TypeVar, cast

from ecotone.core.application import Application, Component, Parameter, PathPromise, Value
from ecotone.core.errors import InputError
from ecotone.core.ids import is_name
from ecotone.core.parameters import bind, value_of
from ecotone.core.problems import Place, did_you_mean
from ecotone.design._code import Function, hint_text, is_function
from ecotone.design._keywords import (
    VARIANT,
    Target,
    build_component,
    build_parameter,
    build_path,
    parameter_value,
)
from ecotone.design._locate import application_name
from ecotone.design._written import Mistakes, Opaque, Pairs, Reference, VariantCall, Written

__all__ = [
    "ParameterHandle",
    "VariantAnnotation",
    "application_of",
    "component",
    "output_dir",
    "parameter",
    "path",
    "variant",
]

_DECLARED = "__ecotone_declared__"

T = TypeVar("T")
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


class _Declared:
    """What a module has declared so far, kept in the module itself. Running it again (reload) declares it again."""

    def __init__(self) -> None:
        self.components: dict[str, tuple[Any, Target, Place, dict[str, Any]]] = {}
        self.paths: dict[tuple[int, int], tuple[tuple[Any, ...], dict[str, Any], Place]] = {}
        self.parameters: dict[str, ParameterHandle[Any]] = {}


def component(
    *positional: Never,
    name: str | None = None,
    on: object | None = None,
    join: str | None = None,
    every: str | ParameterHandle[str] | None = None,
    request: bool | ParameterHandle[bool] | None = None,
    source: bool | ParameterHandle[bool] | None = None,
    timeout: str | ParameterHandle[str] | None = None,
    batch: int | ParameterHandle[int] | None = None,
    batch_wait: str | ParameterHandle[str] | None = None,
    latency: str | ParameterHandle[str] | None = None,
    percentile: float | ParameterHandle[float] | ParameterHandle[int] | None = None,
    throughput: str | ParameterHandle[str] | None = None,
    memory: str | ParameterHandle[str] | None = None,
    energy: str | ParameterHandle[str] | None = None,
    accuracy: float | str | ParameterHandle[float] | ParameterHandle[str] | None = None,
    layers: str | Sequence[str] | ParameterHandle[str] | None = None,
    regions: str | Sequence[str] | ParameterHandle[str] | None = None,
    labels: Mapping[str, str | ParameterHandle[str]] | None = None,
    accelerators: str | Sequence[str] | ParameterHandle[str] | None = None,
    private: str | Sequence[str] | ParameterHandle[str] | None = None,
    releases: bool | ParameterHandle[bool] | None = None,
    confidential: bool | ParameterHandle[bool] | None = None,
    replicas: int | ParameterHandle[int] | None = None,
    variants: VariantAnnotation | Sequence[VariantAnnotation] | None = None,
    agreement: Callable[..., float | None] | str | None = None,
    stateful: bool | ParameterHandle[bool] | None = None,
    snapshot_every: str | ParameterHandle[str] | None = None,
    live: bool | ParameterHandle[bool] | None = None,
    capacity: int | ParameterHandle[int] | None = None,
    attempts: int | ParameterHandle[int] | None = None,
    kind: str | None = None,
    **unknown: Never,
) -> Callable[[T], T]:
    """Make a function or class a component: what makes it run, what it needs, where it may be.

    Quantities are text with a unit ("30 ms", "25 items/s", "512 MiB"); every keyword is described in
    docs/reference/annotations.md. Exactly one trigger is needed: `on` (with `join` or `every`), `every`, `request` or
    `source`.

    Raises:
        InputError: a keyword is unknown or wrong, or two contradict each other; `problems` names all of them.
    """
    keywords = {key: value for key, value in locals().items() if key not in ("positional", "unknown")}
    given = {key: value for key, value in keywords.items() if value is not None} | unknown
    frame = _caller()
    place = _place(frame)
    if positional:
        mistakes = Mistakes()
        message = "component takes keywords only"
        mistakes.add(place, "not-called", message, "write @component(on=...) or another trigger")
        _raise_if_wrong(mistakes, "component")

    def attach(decorated: T) -> T:
        return _attach(decorated, given, place, frame.f_globals, at_top=frame.f_locals is frame.f_globals)

    return attach


def _attach(decorated: T, given: dict[str, Any], place: Place, scope: dict[str, Any], *, at_top: bool) -> T:
    mistakes = Mistakes()
    target = _target_of(decorated)
    draft = build_component(_pairs(given, place, scope), target, place, mistakes)
    _raise_if_wrong(mistakes, f"component {target.name}")
    try:
        decorated.__ecotone__ = draft.component  # pyright: ignore[reportAttributeAccessIssue]
    except AttributeError:
        message = f"{decorated!r} cannot be a component"
        mistakes.add(place, "wrong-type", message, "decorate a function or a class")
        _raise_if_wrong(mistakes, "component")
    if at_top:
        _declared(scope).components[target.name] = (decorated, target, place, given)
    return decorated


def variant(
    name: str,
    *,
    use: Callable[..., object] | str | None = None,
    accuracy: float | str | ParameterHandle[float] | ParameterHandle[str] | None = None,
    **settings: Value | ParameterHandle[str] | ParameterHandle[int] | ParameterHandle[float] | ParameterHandle[bool],
) -> VariantAnnotation:
    """One of several implementations of a component, for `component(variants=[...])`.

    Args:
        name: what plans and reports call it.
        use: another function or class of this module that does the work; the decorated one by default.
        accuracy: 0 to 1; without it, profiling measures the agreement with the first variant.
        settings: keyword arguments for the class's constructor, or for each call of the function.
    """
    keywords: dict[str, Any] = {"name": name, "use": use, "accuracy": accuracy, **settings}
    return VariantAnnotation(keywords, _place(_caller()))


def path(
    *components: object,
    latency: str | ParameterHandle[str],
    percentile: float | ParameterHandle[float] | ParameterHandle[int] | None = None,
) -> None:
    """Promise that an item's way along `components` (objects or names, each fed by the one before) takes at most
    `latency` at `percentile` (95 by default).

    Raises:
        InputError: a bound is wrong, or something named is not a component.
    """
    frame = _caller()
    place = _place(frame)
    keywords = {"latency": latency} | ({"percentile": percentile} if percentile is not None else {})
    mistakes = Mistakes()
    _build_path(components, keywords, place, frame.f_globals, mistakes)
    _raise_if_wrong(mistakes, "path")
    if frame.f_locals is frame.f_globals:
        _declared(frame.f_globals).paths[frame.f_lineno, frame.f_lasti] = (components, keywords, place)


def parameter(name: str, default: V, *, help: str = "") -> ParameterHandle[V]:  # noqa: A002 - the author's word
    """Declare a value that the user of the application may set with `--set NAME=VALUE`; its type is the default's.

    Read `.value` inside components; the parameter itself may stand in an annotation.

    Raises:
        InputError: the name is no name or taken, or the default is not a text, number or truth value.
    """
    frame = _caller()
    place = _place(frame)
    mistakes = Mistakes()
    arguments: dict[str, Any] = {"name": name, "default": default} | ({"help": help} if help else {})
    declared = build_parameter(_pairs(arguments, place, frame.f_globals), place, mistakes)
    _raise_if_wrong(mistakes, "parameter")
    assert declared is not None, "a parameter without mistakes was built"
    handle = ParameterHandle[V](declared)
    if frame.f_locals is frame.f_globals:
        _declared(frame.f_globals).parameters[name] = handle
    return handle


def output_dir() -> Path:
    """The folder for files that the run's report shows; it exists. Outside a run: `.ecotone/outputs` here."""
    folder = Path(os.environ.get("ECOTONE_OUTPUT_DIR") or Path(".ecotone") / "outputs")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def application_of(
    module: ModuleType, name: str | None = None, parameters: Mapping[str, Value] | None = None
) -> Application:
    """What the decorators of an imported module attached, as one application: equal to what the static reader builds.

    Args:
        module: the imported application.
        name: the application's; by default the module's `APPLICATION`, else its folder's or file's name.
        parameters: values to bind in this process first, as text or typed; annotations then use them. None leaves
            what is bound.

    Raises:
        InputError: with these parameters an annotation is wrong, or there is no such parameter.
    """
    scope = vars(module)
    declared = _declared(scope)
    mistakes = Mistakes()
    if parameters is not None:
        bind(_typed(parameters, declared, Place(str(module.__file__)), mistakes))
    components = [
        build_component(_pairs(given, place, scope), target, place, mistakes).component
        if _uses_parameters(given)
        else cast("Component", decorated.__ecotone__)
        for decorated, target, place, given in declared.components.values()
    ]
    paths = [_build_path(*each, scope, mistakes) for each in declared.paths.values()]
    _raise_if_wrong(mistakes, "application")
    own = scope.get("APPLICATION")
    file = Path(module.__file__ or "app.py")
    return Application(
        name=name or (own if isinstance(own, str) and is_name(own) else application_name(file)),
        components=tuple(components),
        paths=tuple(each for each in paths if each is not None),
        parameters=tuple(each.declared for each in declared.parameters.values()),
        help=_first_line(module.__doc__),
    )


def _typed(parameters: Mapping[str, Value], declared: _Declared, place: Place, mistakes: Mistakes) -> dict[str, Value]:
    typed: dict[str, Value] = {}
    for name, value in parameters.items():
        handle = declared.parameters.get(name)
        if handle is None:
            hint = did_you_mean(name, declared.parameters)
            mistakes.add(place, "unknown-parameter", f"there is no parameter {name!r}", hint)
            continue
        try:
            typed[name] = parameter_value(handle.declared, value)
        except ValueError as error:
            mistakes.add(place, "wrong-type", f"parameter {name}: {error}")
    return typed


def _declared(scope: dict[str, Any]) -> _Declared:
    return scope.setdefault(_DECLARED, _Declared())


def _uses_parameters(value: object) -> bool:
    if isinstance(value, ParameterHandle):
        return True
    if isinstance(value, VariantAnnotation):
        return _uses_parameters(value.keywords)
    if isinstance(value, Mapping):
        return any(_uses_parameters(each) for each in cast("Mapping[Any, Any]", value).values())
    return isinstance(value, (list, tuple)) and any(_uses_parameters(each) for each in cast("list[Any]", value))


def _build_path(
    components: Sequence[object], keywords: dict[str, Any], place: Place, scope: dict[str, Any], mistakes: Mistakes
) -> PathPromise | None:
    written = [_written(each, place, scope) for each in components]
    return build_path(written, _pairs(keywords, place, scope), place, mistakes)


def _caller() -> FrameType:
    """Where the annotation stands: its line is where its mistakes are, its globals are the module."""
    return sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  # inspect.currentframe may be None, this may not


def _place(frame: FrameType) -> Place:
    return Place(frame.f_code.co_filename, frame.f_lineno)


def _raise_if_wrong(mistakes: Mistakes, what: str) -> None:
    problems = mistakes.problems
    if problems:
        raise InputError(f"{what} is wrong:\n" + "\n".join(f"  {each}" for each in problems), problems)


# From Python objects to written values


def _pairs(given: Mapping[str, Any], place: Place, scope: dict[str, Any]) -> Pairs:
    return Pairs(tuple((Written(key, place), _written(value, place, scope)) for key, value in given.items()))


def _written(value: object, place: Place, scope: dict[str, Any]) -> Written:  # noqa: PLR0911 - one type, one answer
    match value:
        case None | str() | bool() | int() | float():
            return Written(value, place)
        case ParameterHandle():
            return Written(value.value, place)
        case VariantAnnotation():
            keywords = {key: each for key, each in value.keywords.items() if each is not None or key not in VARIANT}
            return Written(VariantCall(_pairs(keywords, value.place, scope)), value.place)
        case list() | tuple():
            return Written(tuple(_written(each, place, scope) for each in cast("list[object]", value)), place)
        case dict():
            entries = cast("dict[object, object]", value).items()
            pairs = ((_written(key, place, scope), _written(each, place, scope)) for key, each in entries)
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


def _target_of(decorated: object) -> Target:
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
        help=_first_line(cast("str | None", vars(decorated).get("__doc__") if is_class else decorated.__doc__)),
    )


def _first_line(text: str | None) -> str:
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
