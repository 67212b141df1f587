"""Which measurement belongs to which code: a digest that changes when anything that was measured may have changed.

Called by `profile` and, at every start of a run, by `needed`: nothing is imported or executed here.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecotone.core.application import Application, Component, Value

__all__ = ["local_files", "variant_keys"]

_METHOD = "calls as far apart as in a run"
"""How is measured; another method makes other figures, so that what was measured before is measured again."""
_READ_MAX_BYTES = 32_000_000
"""Larger files are known by size and time of change, since reading them would delay every start."""
_PACKAGES = {
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    "PIL": ("pillow",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "skvideo": ("scikit-video",),
    "yaml": ("pyyaml",),
}
"""Distributions of modules that are named otherwise."""


def variant_keys(
    application: Application, root: Path, module: str, parameters: Mapping[str, Value]
) -> dict[tuple[str, str], str]:
    """For each (component, variant) a digest of all that its measurement rests on.

    That is: the module and what it imports of its own folder, files that their code names, the definition of the
    component and of those whose output it gets, the parameters that code reads with the files that those name, and the
    versions of Python and of the packages imported. Promises, and parameters that only they use, change nothing.
    """
    code = _read_code(root, module)
    common = hashlib.sha256(f"{_METHOD} {sys.version_info[:3]}".encode())
    for source in sorted(code.sources):
        common.update(source.relative_to(root).as_posix().encode() + b"\0" + code.sources[source] + b"\0")
    for package in sorted(code.packages):
        common.update(f"{package} {_version(package)}\n".encode())
    read = {name: value for name, value in sorted(parameters.items()) if name not in code.only_promised}
    named = {text for text in code.texts if _may_name_a_file(text)} | {str(value) for value in read.values()}
    for text in sorted(named):
        common.update(text.encode() + b"\0" + _content(root, text) + b"\0")
    common.update(msgspec.json.encode(read))
    keys: dict[tuple[str, str], str] = {}
    for component in application.components:
        before = [_definition(each) for each in _with_ancestors(application, component)]
        for variant in component.variants:
            digest = common.copy()
            digest.update(msgspec.json.encode((before, variant)))
            keys[component.name, variant.name] = digest.hexdigest()[:32]
    return keys


def _definition(component: Component) -> list[object]:
    """The part of a component that decides what is measured of it; the rest says what is expected."""
    first = component.variants[0]
    rate = component.requirements.throughput_min_per_s
    memory = component.requirements.memory_bytes
    several = [] if component.held(component.cores[1]) == 1 else [component.cores, component.held(1)]
    return [
        component.name, component.kind, component.target, component.trigger, component.batching, component.agreement,
        first, rate, memory, *several,
    ]  # fmt: skip


def _with_ancestors(application: Application, component: Component) -> list[Component]:
    wanted = {component.name}
    found: list[Component] = []
    for each in reversed(application.in_data_order()):
        if each.name in wanted:
            wanted.update(each.trigger.inputs)
            found.append(each)
    return found


def local_files(root: Path, module: str) -> tuple[Path, ...]:
    """The module's file and those of `root` that it imports, directly or not."""
    return tuple(sorted(_read_code(root, module).sources))


class _Code(msgspec.Struct, frozen=True):
    """An application's own code: sources by path, packages from elsewhere, every text in it, and the parameters that
    nothing but annotations uses."""

    sources: dict[Path, bytes]
    packages: set[str]
    texts: set[str]
    only_promised: set[str]


def _read_code(root: Path, module: str) -> _Code:
    sources: dict[Path, bytes] = {}
    packages: set[str] = set()
    texts: set[str] = set()
    used: set[str] = set()
    handles: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        found = _module_file(root, name)
        if found is None:
            packages.add(name.partition(".")[0])
            continue
        if found in sources:
            continue
        sources[found] = found.read_bytes()
        try:
            tree = ast.parse(sources[found])
        except (SyntaxError, ValueError):
            continue  # whoever imports it will hear of it
        package = name if found.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(tree):
            waiting.extend(_imported(node, package))
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
        handles |= _handles(tree)
        used |= _names_in_code(tree)
    foreign = {name for name in packages if name not in sys.stdlib_module_names and _module_file(root, name) is None}
    only_promised = {parameter for variable, parameter in handles.items() if variable not in used}
    return _Code(sources, foreign - {"", "ecotone"}, texts, only_promised)


def _handles(tree: ast.Module) -> dict[str, str]:
    """The parameters of a module by the variable that holds their handle."""
    found: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=variable)],
                value=ast.Call(
                    func=ast.Name(id="parameter") | ast.Attribute(attr="parameter"),
                    args=[ast.Constant(value=str(name)), *_],
                ),
            ):
                found[variable] = name
            case _:
                pass
    return found


def _names_in_code(tree: ast.Module) -> set[str]:
    """Every name that is used, but for the arguments of annotations."""
    names: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                children = [child for child in ast.iter_child_nodes(node) if child not in node.decorator_list]
            case ast.Expr(value=ast.Call(func=ast.Name(id="path") | ast.Attribute(attr="path"))):
                children = []
            case _:
                children = list(ast.iter_child_nodes(node))
        waiting.extend(children)
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) | ast.alias(name=name):
                names.add(name)
            case _:
                pass
    return names


def _imported(node: ast.AST, package: str) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package.split(".")[: -(node.level - 1) or None] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    # `from package import name` may name a module or a thing in it: both are tried.
    return [base, *(f"{base}.{alias.name}".lstrip(".") for alias in node.names)] if base or node.level else []


def _module_file(root: Path, name: str) -> Path | None:
    folder = root.joinpath(*name.split("."))
    for file in (folder / "__init__.py", folder.with_name(folder.name + ".py")):
        if file.is_file():
            return file
    return None


def _version(package: str) -> str:
    for name in (*_PACKAGES.get(package, ()), package):
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def _may_name_a_file(text: str) -> bool:
    return 2 < len(text) < 500 and "\n" not in text and "\0" not in text and ("." in text or "/" in text)


def _content(root: Path, text: str) -> bytes:
    """What stands for the file that `text` names, seen from here or from the application; empty: there is none."""
    for path in (Path(text).expanduser(), root / text):
        try:
            if path.is_file():
                status = path.stat()
                if status.st_size > _READ_MAX_BYTES:
                    return f"{status.st_size} {status.st_mtime_ns}".encode()
                return hashlib.sha256(path.read_bytes()).digest()
        except (OSError, RuntimeError, ValueError):
            continue  # not a name that this machine could give to a file
    return b""
