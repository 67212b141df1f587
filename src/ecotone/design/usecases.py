"""Applications to start from: the use cases that come with Ecotone, and the starter. Called by `ecotone new`.

In a wheel the use cases are package data; in a checkout they are the repository's own folder.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import ecotone
from ecotone.core.errors import InputError
from ecotone.core.ids import is_name
from ecotone.core.problems import did_you_mean

__all__ = ["find_usecase", "new_application", "usecase_names"]

_STARTER = Path(__file__).parent / "starter"
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.pyc")
_DATA_SUFFIX = ".txt"
"""Files of the starter have it, so that tools do not take them for code of this package."""


def usecase_names() -> tuple[str, ...]:
    """The use cases that are here, sorted."""
    folders = (folder for home in _homes() if home.is_dir() for folder in home.iterdir())
    return tuple(sorted({folder.name for folder in folders if (folder / "app.py").is_file()}))


def find_usecase(name: str) -> Path:
    """The folder of a use case.

    Raises:
        InputError: there is none of this name.
    """
    for home in _homes():
        if is_name(name) and (home / name / "app.py").is_file():
            return home / name
    names = usecase_names()
    hint = did_you_mean(name, names) or "none came with this Ecotone"
    raise InputError(f"there is no use case {name!r}: {hint}")


def new_application(target: str | Path, source: str | None = None) -> Path:
    """Write an application that runs: a copy of a use case, or the starter.

    Args:
        target: the folder to make; its name will be the application's.
        source: name of a use case; None: the starter.

    Returns:
        The folder.

    Raises:
        InputError: the name does not fit, something is there already, there is no such use case, or the folder cannot
            be written. Then nothing was changed.
    """
    folder = Path(target)
    if not is_name(folder.name):
        raise InputError(
            f"{folder.name!r} cannot be an application's name: use a letter, then letters, digits, '-' and '_'"
        )
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder} is there already; give another name, or remove it first")
    origin = _STARTER if source is None else find_usecase(source)
    scratch = folder.with_name(f".{folder.name}.new")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(origin, scratch, ignore=_LEFT_OUT)
        for file in scratch.rglob(f"*.*{_DATA_SUFFIX}") if source is None else ():
            file.rename(file.with_suffix(""))
        scratch.rename(folder)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise InputError(f"{folder} cannot be written: {_reason(error)}") from None
    return folder


def _reason(error: OSError) -> str:
    """What hindered the first file: `copytree` lists what happened to each, with its path."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        _, _, text = error.args[0][0]
        return re.sub(r"^\[Errno \d+\] |: ['\"].*$", "", str(text))
    return error.strerror or str(error)


def _homes() -> tuple[Path, ...]:
    package = Path(ecotone.__file__).parent
    return package / "_usecases", package.parent.parent / "usecases"
