"""From what a person types as APP to the file that holds the application. Called by `read`. Nothing is imported."""

from __future__ import annotations

import importlib.machinery
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import InputError
from ecotone.core.ids import is_name
from ecotone.core.problems import Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Located", "application_name", "files_to_check", "locate"]


class Located(msgspec.Struct, frozen=True):
    """Where an application is. With `root` on `sys.path`, `module` is the name to import it by."""

    file: Path
    root: Path
    module: str

    @property
    def folder(self) -> Path:
        """The folder that holds the file; `.ecotone/` is in it."""
        return self.file.parent


def application_name(file: Path) -> str:
    """The folder's name for an `app.py`, else the file's; made a valid name where it is none."""
    resolved = file.resolve()
    own = resolved.parent.name if resolved.stem in ("app", "__init__") else resolved.stem
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", own).strip("-")[:63]
    return name if is_name(name) else f"app-{name}".rstrip("-")[:63]


def locate(app: str | Path) -> Located:
    """The application's file, from a folder with `app.py`, a file, or a module's name.

    Raises:
        InputError: there is none; its problem says what was looked for.
    """
    path = Path(app)
    text = str(app)
    if not text or "\0" in text:
        raise _wrong(text, "unknown-app", f"{text!r} is not an application", "name a folder, a file or a module")
    try:
        if path.is_dir():
            return _in_folder(path)
        if path.exists():
            return _file(path)
    except OSError as error:
        raise _wrong(text, "not-readable", f"cannot look at it: {error.strerror}", "check its permissions") from error
    if path.suffix == ".py" or len(path.parts) > 1:
        raise _wrong(text, "unknown-app", "there is no such file or folder", _nearby(path))
    return _module(text)


def files_to_check(names: Iterable[str | Path]) -> list[str | Path]:
    """What `ecotone check` looks at: each name, or, for a folder without `app.py` that holds applications or continuum
    files, all of those, sorted."""
    found: list[str | Path] = []
    for name in names:
        folder = Path(name)
        if not str(name) or not folder.is_dir() or (folder / "app.py").exists():
            found.append(name)
            continue
        inside = [
            each
            for each in folder.iterdir()
            if (each.suffix in {".py", ".yaml", ".yml"} and not each.name.startswith(("_", ".")))
            or (each / "app.py").is_file()
        ]
        found += sorted(inside) or [name]
    return found


def _wrong(file: str, code: str, message: str, hint: str) -> InputError:
    return InputError(message, [Problem(place=Place(file), code=code, message=message, hint=hint)])


def _in_folder(folder: Path) -> Located:
    file = folder / "app.py"
    if file.is_file():
        return Located(file, folder.resolve(), "app")
    others = sorted(each.name for each in folder.glob("*.py") if each.is_file())[:5]
    hint = f"it has {', '.join(others)}: name one of them" if others else "ecotone new makes one"
    raise _wrong(str(folder), "no-app-file", "the folder has no app.py", hint)


def _file(path: Path) -> Located:
    if not path.is_file():
        raise _wrong(str(path), "not-readable", "it is neither a file nor a folder", "name a .py file")
    if path.suffix != ".py":
        raise _wrong(str(path), "not-python", "it is not a Python file", "name a .py file, or a folder with app.py")
    if "." in path.stem:
        raise _wrong(str(path), "bad-name", "a dot in its name keeps it from being imported", "rename the file")
    return Located(path, path.resolve().parent, path.stem)


def _nearby(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    return "check the spelling"


def _module(name: str) -> Located:
    """The file of a module on `sys.path`; its parent packages are looked into, not imported."""
    search: list[str] | None = None
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise _wrong(name, "unknown-app", "there is no such file, folder or module", "check the spelling")
    spec = None
    for index in range(len(parts)):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[: index + 1]), search)
        if spec is None:
            raise _wrong(name, "unknown-app", "there is no such file, folder or module", "check the spelling")
        search = list(spec.submodule_search_locations or [])
    if spec is not None and search:
        folder = Path(search[0])
        if not (folder / "app.py").is_file():
            return _in_folder(folder)
        return Located(folder / "app.py", folder.resolve().parents[len(parts) - 1], f"{name}.app")
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise _wrong(name, "not-python", "the module is not a Python file", "name a .py file")
    file = Path(spec.origin)
    return Located(file, file.resolve().parents[len(parts) - 1], name)
