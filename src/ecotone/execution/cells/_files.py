"""The one table of files of a cell: what it has open, and what it may do with it. Called by the WASI layer.

A path is followed component by component, from a folder that was given to the cell, and no link is ever followed: what
lies outside cannot be named. The table knows for each entry the folder and path it was opened by, so that another
process can open the same again.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ecotone.execution.cells.interface import Folder

__all__ = ["CREATE", "DIRECTORY", "EXCLUSIVE", "FILES_MOST", "TRUNCATE", "Entry", "FileTable"]

FILES_MOST = 256
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
_APPEND, _DSYNC, _NONBLOCK = 1, 2, 4
_O_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Entry:
    """One open file or folder.

    Attributes:
        descriptor: of this process.
        root: the name of the given folder through which it was opened; empty for the standard streams.
        path: from that folder.
        preopened: the name under which the cell finds a given folder, else empty.
        writable: whether the given folder may be changed.
        flags: of WASI: append 1, data sync 2, non-blocking 4.
        can_read, can_write: how it was opened.
    """

    def __init__(self, descriptor: int, *, root: str = "", path: str = "", writable: bool = True) -> None:
        self.descriptor = descriptor
        self.root = root
        self.path = path
        self.writable = writable
        self.preopened = ""
        self.flags = 0
        self.can_read = True
        self.can_write = True
        self.listing: list[tuple[str, int, int]] | None = None

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(os.fstat(self.descriptor).st_mode)


class FileTable:
    """All that a cell has open, by its own numbers: 0 to 2 the standard streams, then the folders given to it."""

    def __init__(self, folders: Mapping[str, Folder], files_max: int = FILES_MOST) -> None:
        self._files_max = files_max
        self.entries: dict[int, Entry] = {}
        for number in range(3):
            entry = Entry(number)
            entry.can_read, entry.can_write = number == 0, number > 0
            self.entries[number] = entry
        for name, folder in folders.items():
            descriptor = os.open(Path(folder.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            entry = Entry(descriptor, root=name, writable=folder.writable)
            entry.preopened = name
            self._add(entry)

    def _add(self, entry: Entry) -> int:
        number = next(number for number in range(3, self._files_max + 4) if number not in self.entries)
        if number >= self._files_max:
            os.close(entry.descriptor)
            raise OSError(errno.EMFILE, "too many open files")
        self.entries[number] = entry
        return number

    def get(self, number: int) -> Entry:
        """An entry by the cell's number.

        Raises:
            OSError: there is none.
        """
        entry = self.entries.get(number)
        if entry is None:
            raise OSError(errno.EBADF, "no such descriptor")
        return entry

    def close(self, number: int) -> None:
        """Closes an entry; the process's own streams stay open."""
        entry = self.get(number)
        del self.entries[number]
        if entry.descriptor > 2:
            os.close(entry.descriptor)

    def renumber(self, from_number: int, to_number: int) -> None:
        """Moves an entry over another, which is closed."""
        entry = self.get(from_number)
        if from_number != to_number:
            self.close(to_number)
            self.entries[to_number] = self.entries.pop(from_number)
        assert entry is self.entries[to_number]

    def walk(self, number: int, path: str) -> tuple[int, str, str]:
        """The folder in which the last component of a path lies.

        Returns:
            A descriptor that the caller closes, the last component (`.` if the path names the folder itself), and the
            whole path from the given folder.

        Raises:
            OSError: the path leads outside, through a link, or does not exist.
        """
        entry = self.get(number)
        if path.startswith("/"):
            raise OSError(errno.EPERM, "absolute path")
        names = [name for name in path.split("/") if name not in ("", ".")]
        folder = os.open(".", _O_PATH | os.O_DIRECTORY, dir_fd=entry.descriptor)
        above: list[int] = []
        passed: list[str] = []
        try:
            for index, name in enumerate(names):
                if name == "..":
                    if not above:
                        raise OSError(errno.EPERM, "path leads outside of the folder")
                    os.close(folder)
                    folder = above.pop()
                    passed.pop()
                elif index < len(names) - 1:
                    below = os.open(name, _O_PATH | os.O_DIRECTORY, dir_fd=folder)
                    above.append(folder)
                    folder = below
                    passed.append(name)
            last = names[-1] if names and names[-1] != ".." else "."
            whole = "/".join([*filter(None, [entry.path]), *passed, *([] if last == "." else [last])])
        except BaseException:
            os.close(folder)
            raise
        finally:
            for descriptor in above:
                os.close(descriptor)
        return folder, last, whole

    def open(self, number: int, path: str, ask: int, flags: int, *, read: bool, write: bool) -> int:
        """Opens a path and enters it into the table.

        Args:
            number: of the folder from which the path goes.
            path: relative, without links.
            ask: CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE.
            flags: of WASI, see `Entry`.
            read: whether the cell wants to read.
            write: whether it wants to write.

        Returns:
            The cell's number for it.

        Raises:
            OSError: not there, not allowed, or too many are open.
        """
        above = self.get(number)
        changes = write or bool(ask & (CREATE | TRUNCATE))
        if ask & CREATE and ask & DIRECTORY:
            raise OSError(errno.EINVAL, "folders are not created by opening")
        if changes and not above.writable:
            raise OSError(errno.EROFS, "the folder was given for reading only")
        folder, name, whole = self.walk(number, path)
        try:
            mode = os.O_RDWR if read and write else os.O_WRONLY if write else os.O_RDONLY
            descriptor = os.open(name, mode | _open_flags(ask, flags), 0o666, dir_fd=folder)
        finally:
            os.close(folder)
        entry = Entry(descriptor, root=above.root, path=whole, writable=above.writable)
        entry.flags = flags
        entry.can_read, entry.can_write = read or not write, write
        return self._add(entry)


def _open_flags(ask: int, flags: int) -> int:
    wanted = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
    for bit, flag in (
        (CREATE, os.O_CREAT),
        (DIRECTORY, os.O_DIRECTORY),
        (EXCLUSIVE, os.O_EXCL),
        (TRUNCATE, os.O_TRUNC),
    ):
        wanted |= flag if ask & bit else 0
    for bit, flag in ((_APPEND, os.O_APPEND), (_DSYNC, os.O_DSYNC), (_NONBLOCK, os.O_NONBLOCK)):
        wanted |= flag if flags & bit else 0
    return wanted
