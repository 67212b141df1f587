"""User code as something that can be called: what `kind` of component it is decides who loads it.

Called by hosts, by profiling and by `--inline`. A kind is an entry point of the group `ecotone.kinds`, naming a class
with the methods of `Runner`; `python` ships here.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import types
import typing
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Union, cast

from ecotone.core import parameters as bound
from ecotone.core.errors import ComponentError, InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ecotone.core.application import Component, Value

__all__ = ["Handler", "PythonRunner", "Runner", "load"]


class Handler(Protocol):
    """One component, ready to work, in one thread."""

    def handle(self, *value: object) -> Iterable[object]:
        """Handle one input and give the outputs; the work may go on while they are taken.

        The value is one item; a list for batches and for `every` with inputs; a dict by producer's name for joins;
        nothing for a source and for `every` without inputs. Whatever user code raises comes through.
        """
        ...

    def hint_for(self, producer: Component | None) -> object:
        """The type that items of `producer` (None: of a request) should have; None when nothing is known."""
        ...

    @property
    def keeps_state(self) -> bool:
        """Whether it has both hooks: `snapshot` and `restore`."""
        ...

    def snapshot(self) -> object:
        """The state between two items, as something that can travel."""
        ...

    def restore(self, state: object) -> None:
        """Go on from what `snapshot` gave, maybe in another process."""
        ...


class Runner(Protocol):
    """Loads components of one kind."""

    def load(
        self, module_root: str, module: str, component: Component, variant: str, parameters: Mapping[str, Value]
    ) -> Handler:
        """See `load`."""
        ...


def load(module_root: str, module: str, component: Component, variant: str, parameters: Mapping[str, Value]) -> Handler:
    """Make a component ready in this process.

    Args:
        module_root: folder that the application's module is imported from.
        module: the module's name there.
        component: what to load; user code must still declare exactly this.
        variant: name of one of its variants.
        parameters: values of the application's parameters, bound for the whole process.

    Raises:
        NotFoundError: nobody runs this kind, or the module or the object in it does not exist.
        InputError: the code no longer declares what was planned.
        Exception: whatever user code raises while it is imported or constructed.
    """
    return _runner(component.kind).load(module_root, module, component, variant, parameters)


def _runner(kind: str) -> Runner:
    if kind == "python":
        return PythonRunner()
    from importlib.metadata import entry_points  # noqa: PLC0415 - reads the whole environment; most hosts need not

    for entry in entry_points(group="ecotone.kinds", name=kind):
        return cast("Runner", entry.load()())
    raise NotFoundError(f"nothing installed runs components of kind {kind!r}: install the package that does")


class PythonRunner:
    """Components that are functions or classes of the application's module."""

    def load(
        self, module_root: str, module: str, component: Component, variant: str, parameters: Mapping[str, Value]
    ) -> Handler:
        bound.bind(parameters)
        code = _import(module_root, module)
        declared = getattr(_target(code, component.target), "__ecotone__", None)
        if declared is None:
            raise InputError(f"{module}.{component.target} is not a component: it lacks the decorator @component")
        if declared != component:
            raise InputError(
                f"{module}.{component.target} is not what the plan was made for: the code has changed; plan again"
            )
        chosen = component.variant(variant)
        target = _target(code, chosen.target or component.target)
        return _PythonHandler(code, component, target, chosen.settings, self.further(module_root, component))

    def further(self, module_root: str, component: Component) -> tuple[object, ...]:
        """What every call of user code gets behind the item. For kinds whose code is more than Python."""
        del module_root, component
        return ()


def _import(root: str, name: str) -> types.ModuleType:
    if root not in sys.path:
        sys.path.insert(0, root)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise NotFoundError(f"there is no module {name} in {root}") from None


def _target(code: types.ModuleType, name: str) -> Callable[..., object]:
    target = getattr(code, name, None)
    if not callable(target):
        raise NotFoundError(f"{code.__name__} has no function or class {name}")
    return target


class _PythonHandler:
    """See `Handler`."""

    def __init__(
        self,
        code: types.ModuleType,
        component: Component,
        target: Callable[..., object],
        settings: Mapping[str, Value],
        further: tuple[object, ...],
    ) -> None:
        self._code = code
        self._further = further
        self._component = component
        if inspect.isclass(target):
            self._object: object = target(**settings)
            self._function: Callable[..., object] = type(self._object).__call__
            self._call = cast("Callable[..., object]", self._object)
        else:
            self._object = None
            self._function = target
            self._call = partial(target, **settings) if settings else target
        if inspect.iscoroutinefunction(self._function) or inspect.isasyncgenfunction(self._function):
            raise InputError(f"{component.target} is asynchronous: a component is an ordinary function or class")
        self._is_source = component.trigger.kind == "source"

    def handle(self, *value: object) -> Iterable[object]:
        result = self._call(*value, *self._further)
        if result is None:
            return ()
        if isinstance(result, types.GeneratorType):
            return cast("Iterable[object]", result)
        if self._is_source:
            raise ComponentError(f"{self._component.name} is a source and must yield its items; it returned a value")
        return (result,)

    def hint_for(self, producer: Component | None) -> object:
        own = self._own_hint()
        if producer is None or (own is not None and not _is_union(own)):
            return own
        target = getattr(self._code, producer.target, None)
        function = getattr(target, "__call__", None) if inspect.isclass(target) else target  # noqa: B004 - unbound
        hint = _hint(function, "return", self._code)
        is_generator = typing.get_origin(hint) is not None and getattr(hint, "__name__", "") in _GENERATORS
        return typing.get_args(hint)[0] if is_generator else hint

    def _own_hint(self) -> object:
        names = list(inspect.signature(self._function).parameters)
        if self._object is not None:
            names = names[1:]
        if not names:
            return None
        hint = _hint(self._function, names[0], self._code)
        trigger = self._component.trigger
        if trigger.join_key is not None:
            origin, inner = typing.get_origin(hint), typing.get_args(hint)
            return inner[1] if origin is dict else None
        if self._component.batching is not None or trigger.kind == "every":
            inner = typing.get_args(hint)
            return inner[0] if inner else None
        return hint

    @property
    def keeps_state(self) -> bool:
        return all(callable(getattr(self._object, name, None)) for name in ("snapshot", "restore"))

    def snapshot(self) -> object:
        return cast("Any", self._object).snapshot()

    def restore(self, state: object) -> None:
        cast("Any", self._object).restore(state)


_GENERATORS = {"Iterator", "Iterable", "Generator"}


def _is_union(hint: object) -> bool:
    return typing.get_origin(hint) in {Union, types.UnionType}


def _hint(function: object, name: str, code: types.ModuleType) -> Any:
    """One annotation as a type; None when it is absent, says nothing, or is not to be had while running."""
    written = getattr(function, "__annotations__", {}).get(name)
    if written is None:
        return None
    holder = types.SimpleNamespace(__annotations__={name: written})
    try:
        hint = typing.get_type_hints(holder, globalns=vars(code))[name]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return None  # names that only type checkers import
    return None if hint in {Any, object, type(None)} else hint
