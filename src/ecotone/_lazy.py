"""Names of a package that are imported when they are first used. Called by the `__init__` of packages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["lazy_names"]


def lazy_names(package: str, homes: dict[str, tuple[str, ...]]) -> Callable[[str], object]:
    """The `__getattr__` of `package`, which finds each name in its home and keeps it.

    A name must not be that of a submodule: whoever imported the submodule first would get it instead of the value.

    Args:
        package: `__name__` of the package.
        homes: submodules, with a dot before each (an absolute name works too), and the names to be found in each.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import sys  # noqa: PLC0415 - only now: importing the package costs next to nothing
        from importlib import import_module  # noqa: PLC0415

        value: object = getattr(import_module(home_of[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
