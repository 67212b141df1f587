"""The one table of files of a cell: what it has open, and what it may do with it. Called by the WASI layer.

A path is followed component by component, from a folder that was given to the cell, and no link is ever followed: what
lies outside cannot be named, nor what the platform itself keeps inside (`_own_folders.py`). The table knows for each
entry the folder and path it was opened by, so that another process can open the same again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Generator, Mapping
from pathlib import Path

from ecotone.core.errors import InputError
from ecotone.execution.cells._own_folders import OwnFolders
from ecotone.execution.cells._snapshot import SavedFile
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
        users: how many threads use it just now, without the table's lock.
        closed: whether it is to be closed when nobody uses it any more.
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
        self.users = 0
        self.closed = False

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(os.fstat(self.descriptor).st_mode)


class FileTable:
    """All that a cell has open, by its own numbers: 0 to 2 the standard streams, then the folders given to it.

    Attributes:
        own: the folders of the platform, which the cell may not reach.

    Raises:
        InputError: one of those is given.
    """

    def __init__(self, folders: Mapping[str, Folder], files_max: int = FILES_MOST) -> None:
        self._files_max = files_max
        self._folders = folders
        self.own = OwnFolders(folders)
        self.lock = threading.RLock()
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
        with self.lock:
            entry = self.get(number)
            del self.entries[number]
            entry.closed = True
            self._let_go(entry)

    def _let_go(self, entry: Entry) -> None:
        if entry.closed and not entry.users and entry.descriptor > 2:
            os.close(entry.descriptor)

    @contextlib.contextmanager
    def using(self, number: int) -> Generator[Entry]:
        """An entry that stays open meanwhile, whatever other threads do: for what may take long, without the lock.

        Raises:
            OSError: there is none.
        """
        with self.lock:
            entry = self.get(number)
            entry.users += 1
        try:
            yield entry
        finally:
            with self.lock:
                entry.users -= 1
                self._let_go(entry)

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
        return _walk(self.get(number), path, self.own)

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
        with self.using(number) as above:
            entry = self._opened(above, path, ask, flags, read=read, write=write)
        with self.lock:
            return self._add(entry)

    def _opened(self, above: Entry, path: str, ask: int, flags: int, *, read: bool, write: bool) -> Entry:
        changes = write or bool(ask & (CREATE | TRUNCATE))
        if ask & CREATE and ask & DIRECTORY:
            raise OSError(errno.EINVAL, "folders are not created by opening")
        if changes and not above.writable:
            raise OSError(errno.EROFS, "the folder was given for reading only")
        folder, name, whole = _walk(above, path, self.own)
        try:
            descriptor = _open_in(folder, name, _mode(read, write) | _open_flags(ask, flags), self.own)
        finally:
            os.close(folder)
        entry = Entry(descriptor, root=above.root, path=whole, writable=above.writable)
        entry.flags = flags
        entry.can_read, entry.can_write = read or not write, write
        return entry

    # ---- Leaving a process and coming to another ----

    def hindrance(self) -> str:
        """Why another process could not open the same files; empty if it can."""
        for number, entry in self.entries.items():
            if not entry.root:
                continue
            try:
                self._check_again(entry)
            except OSError as error:
                return f"descriptor {number} ({entry.root}/{entry.path}) cannot be opened again: {error.strerror}"
        return ""

    def _check_again(self, entry: Entry) -> None:
        mine = os.fstat(entry.descriptor)
        if not stat.S_ISREG(mine.st_mode) and not stat.S_ISDIR(mine.st_mode):
            raise OSError(errno.ESPIPE, "it is neither a file nor a folder")
        descriptor = self._open_again(entry.root, entry.path, _mode(entry.can_read, entry.can_write))
        try:
            other = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if (mine.st_dev, mine.st_ino) != (other.st_dev, other.st_ino):
            raise OSError(errno.ESTALE, "another file has its name now")

    def _open_again(self, root: str, path: str, flags: int) -> int:
        if root not in self._folders:
            raise OSError(errno.ENOENT, f"no folder {root} is given to this cell")
        top = os.open(Path(self._folders[root].path), _O_PATH | os.O_DIRECTORY)
        if not path:
            try:
                return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=top)
            finally:
                os.close(top)
        entry = Entry(top, root=root)
        try:
            folder, name, _ = _walk(entry, path, self.own)
        finally:
            os.close(top)
        try:
            return _open_in(folder, name, flags | _open_flags(0, 0), self.own)
        finally:
            os.close(folder)

    def saved(self) -> list[SavedFile]:
        """The table as a snapshot carries it."""
        return [_saved(number, entry) for number, entry in self.entries.items()]

    def restore(self, saved: list[SavedFile]) -> None:
        """Opens what a snapshot has, in place of what is open.

        Raises:
            InputError: a folder is not given to this cell, or a file is not there any more.
        """
        numbers = {one.number for one in saved}
        if len(numbers) < len(saved) or not numbers <= set(range(self._files_max)):
            raise InputError("the snapshot has more open files than this cell may have, or one number twice")
        for number in list(self.entries):
            self.close(number)
        for one in saved:
            self.entries[one.number] = self._restored(one)

    def _restored(self, one: SavedFile) -> Entry:
        root, path = os.fsdecode(one.root), os.fsdecode(one.path)
        if not root:
            if one.stream not in range(3):
                raise InputError(f"the snapshot names a standard stream {one.stream}")
            descriptor = one.stream
        else:
            try:
                mode = _mode(one.can_read, one.can_write)
                descriptor = self._open_again(root, path, mode | _open_flags(0, one.flags))
                if not one.folder:
                    os.lseek(descriptor, one.offset, os.SEEK_SET)
            except OSError as error:
                raise InputError(f"the snapshot has {root}/{path} open, but: {error.strerror}") from error
        writable = one.writable and (not root or self._folders[root].writable)
        if one.can_write and not writable:
            raise InputError(f"the snapshot has {root}/{path} open for writing, but its folder is for reading only")
        entry = Entry(descriptor, root=root, path=path, writable=writable)
        entry.preopened = root if one.preopened else ""
        entry.flags, entry.can_read, entry.can_write = one.flags, one.can_read, one.can_write
        if one.listing is not None:
            entry.listing = [(os.fsdecode(name), inode, kind) for name, inode, kind in one.listing]
        return entry


def _mode(read: bool, write: bool) -> int:
    return os.O_RDWR if read and write else os.O_WRONLY if write else os.O_RDONLY


def _saved(number: int, entry: Entry) -> SavedFile:
    folder = bool(entry.root) and entry.is_folder
    return SavedFile(
        number=number,
        stream=-1 if entry.root else entry.descriptor,
        root=os.fsencode(entry.root),
        path=os.fsencode(entry.path),
        preopened=bool(entry.preopened),
        folder=folder,
        offset=os.lseek(entry.descriptor, 0, os.SEEK_CUR) if entry.root and not folder else 0,
        flags=entry.flags,
        can_read=entry.can_read,
        can_write=entry.can_write,
        writable=entry.writable,
        listing=None
        if entry.listing is None
        else [(os.fsencode(name), inode, kind) for name, inode, kind in entry.listing],
    )


def _open_in(folder: int, name: str, flags: int, own: OwnFolders) -> int:
    """Opens what a cell may have."""
    descriptor = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        own.check(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _walk(entry: Entry, path: str, own: OwnFolders) -> tuple[int, str, str]:
    """See `FileTable.walk`."""
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
                below = _open_in(folder, name, _O_PATH | os.O_DIRECTORY, own)
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
