"""The platform's own folders, which no cell may reach though it was given a folder above them. Called by the table of
files.

In the cache lies compiled code, which is run as it is, and in the state folder the key that makes such code trusted:
a cell that could read or write there could do all that the user can. The folders are known by device and number, so
no other name leads to them; what leads to them can be neither renamed nor removed, so no others can take their place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ecotone.core.errors import InputError
from ecotone.execution.cells._compiled import cache_folder
from ecotone.execution.cells._trust import state_folder
from ecotone.execution.cells.interface import Folder

__all__ = ["OwnFolders"]

Identity = tuple[int, int]


def _identity(seen: os.stat_result) -> Identity:
    return seen.st_dev, seen.st_ino


class OwnFolders:
    """Tells them from others, for a cell that is given `folders`.

    Raises:
        InputError: one of those is the platform's own, or lies in it.
    """

    def __init__(self, folders: Mapping[str, Folder]) -> None:
        self._own: set[Identity] = set()
        self._ways: set[Identity] = set()
        if not folders:
            return
        given = [Path(os.path.realpath(folder.path)) for folder in folders.values()]
        for own in (cache_folder().absolute(), state_folder().absolute()):
            _make_if_within(own, given)
            self._ways |= _ways(own)
            with contextlib.suppress(OSError):
                self._own.add(_identity(own.stat()))
        for folder in given:
            self._check_given(folder)

    def _check_given(self, folder: Path) -> None:
        for above in (folder, *folder.parents):
            with contextlib.suppress(OSError):
                if _identity(above.stat()) in self._own:
                    raise InputError(
                        f"{folder} cannot be given to a cell: Ecotone keeps compiled code and its key in {above}"
                    )

    def check(self, descriptor: int) -> None:
        """Whether a cell may have this open.

        Raises:
            OSError: it may not.
        """
        if self._own and _identity(os.fstat(descriptor)) in self._own:
            raise OSError(errno.EACCES, "a folder of the platform")

    def check_removable(self, name: str, folder: int) -> None:
        """Whether a cell may remove or rename this, or put something in its place.

        Args:
            name: in `folder`; it need not exist.
            folder: a descriptor.

        Raises:
            OSError: it may not.
        """
        if not self._ways:
            return
        with contextlib.suppress(FileNotFoundError):
            if _identity(os.stat(name, dir_fd=folder, follow_symlinks=False)) in self._ways:
                raise OSError(errno.EACCES, "it leads to a folder of the platform")


def _make_if_within(own: Path, given: list[Path]) -> None:
    """What is not there yet a cell could make."""
    place = Path(os.path.realpath(own))
    if any(place.is_relative_to(folder) for folder in given):
        with contextlib.suppress(OSError):
            own.mkdir(mode=0o700, parents=True, exist_ok=True)


def _ways(path: Path) -> set[Identity]:
    """Every folder and link by which a path is reached, with its end."""
    found: set[Identity] = set()
    left, seen = [path, Path(os.path.realpath(path))], set[Path]()
    while left:
        at = left.pop()
        for each in (at, *at.parents):
            if each in seen:
                continue
            seen.add(each)
            with contextlib.suppress(OSError):
                state = each.lstat()
                found.add(_identity(state))
                if stat.S_ISLNK(state.st_mode):
                    left.append(Path(os.path.normpath(each.parent / each.readlink())))
    return found
