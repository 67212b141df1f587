"""The annotations that application authors write, exported as `ecotone.component`, `path`, `variant`, `parameter` and
`output_dir`.

`component` returns what it decorates, with the `core.application.Component` as its `__ecotone__`: the function stays an
ordinary function, and calling it costs nothing more. What each keyword means is in docs/reference/annotations.md; the
table that reads them is in `_keywords`, shared with the static reader. Tests and tools call `application_of` on an
imported module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Never, TypeVar, cast

from ecotone.core.application import Application, Component, PathPromise, Value
from ecotone.core.errors import InputError
from ecotone.core.ids import is_name
from ecotone.core.parameters import bind
from ecotone.core.problems import Place, did_you_mean
from ecotone.design._keywords import (
    Target,
    build_component,
    build_parameter,
    build_path,
    parameter_value,
)
from ecotone.design._locate import application_name
from ecotone.design._objects import (
    ParameterHandle,
    VariantAnnotation,
    first_line,
    pairs_of,
    target_of,
    written_of,
)
from ecotone.design._written import Mistakes

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
    cell: str | ParameterHandle[str] | None = None,
    ranks: int | ParameterHandle[int] | None = None,
    cores: int | str | Sequence[int | ParameterHandle[int]] | ParameterHandle[int] | ParameterHandle[str] | None = None,
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
    target = target_of(decorated)
    draft = build_component(pairs_of(given, place, scope), target, place, mistakes)
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
    declared = build_parameter(pairs_of(arguments, place, frame.f_globals), place, mistakes)
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
        build_component(pairs_of(given, place, scope), target, place, mistakes).component
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
        help=first_line(module.__doc__),
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
    written = [written_of(each, place, scope) for each in components]
    return build_path(written, pairs_of(keywords, place, scope), place, mistakes)


def _caller() -> FrameType:
    """Where the annotation stands: its line is where its mistakes are, its globals are the module."""
    return sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  # inspect.currentframe may be None, this may not


def _place(frame: FrameType) -> Place:
    return Place(frame.f_code.co_filename, frame.f_lineno)


def _raise_if_wrong(mistakes: Mistakes, what: str) -> None:
    problems = mistakes.problems
    if problems:
        raise InputError(f"{what} is wrong:\n" + "\n".join(f"  {each}" for each in problems), problems)
