"""The face of each package: what `__init__` offers, and that it is found whatever was imported before."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import ecotone

PACKAGES = ["ecotone"] + [each.name for each in pkgutil.walk_packages(ecotone.__path__, "ecotone.") if each.ispkg]


@pytest.mark.parametrize("name", PACKAGES)
def test_no_name_is_that_of_a_submodule(name):
    """Else `from package import name` gives the module to whoever comes after one that imported it."""
    package = importlib.import_module(name)
    submodules = {each.name for each in pkgutil.iter_modules(package.__path__)}
    assert not submodules & set(getattr(package, "__all__", ()))


@pytest.mark.parametrize("name", PACKAGES)
def test_every_name_is_found(name):
    package = importlib.import_module(name)
    for each in getattr(package, "__all__", ()):
        assert not isinstance(getattr(package, each), ModuleType), each
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        package.nothing_of_this_name  # noqa: B018


@pytest.mark.parametrize("name", PACKAGES)
def test_lazy_names_are_those_that_the_type_checker_sees(name):
    package = importlib.import_module(name)
    if not hasattr(package, "__getattr__"):
        return
    tree = ast.parse(Path(str(package.__file__)).read_text())
    seen = {
        (each.module, alias.name)
        for block in tree.body
        if isinstance(block, ast.If)
        for each in block.body
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("ecotone")
        for alias in each.names
    }
    call = next(
        each.value
        for each in tree.body
        if isinstance(each, ast.Assign)
        and isinstance(each.value, ast.Call)
        and ast.unparse(each.targets[0]) == "__getattr__"
    )
    homes = ast.literal_eval(call.args[1])
    assert {(name + home, each) for home, names in homes.items() for each in names} == seen
