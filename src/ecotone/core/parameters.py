"""The values of the application's parameters in this process.

Hosts and profiling bind them before they import the application's module; the handles that `ecotone.parameter` returns
read them (`design` may not be imported by hosts, so the two meet here).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecotone.core.application import Value

__all__ = ["bind", "value_of"]

_bound: dict[str, Value] = {}


def bind(values: Mapping[str, Value]) -> None:
    """Replace what was bound before; a parameter that is not named has its default."""
    _bound.clear()
    _bound.update(values)


def value_of(name: str, default: Value) -> Value:
    """What was bound for `name`, else `default`."""
    return _bound.get(name, default)
