"""WASI preview 1, of our own: files, arguments, environment, clocks, randomness; no network. Called by a rank.

Its whole state is one table of files (`_files.py`), so that a cell can be taken from one process to another. Every
function returns an error number of WASI; an `OSError` of the system becomes one, an address outside of the cell's
memory becomes `fault`.

Threads of a cell call these at the same time. What looks at the table of files or changes it has the table's lock; what
may take long does without, on an entry that stays open meanwhile: else its number could be closed, and be used by the
host for something else, while a thread reads by it.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import struct
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn

from ecotone.execution.cells._callbacks import define
from ecotone.execution.cells._files import Entry, FileTable
from ecotone.execution.cells._memory import CellMemory, FaultError
from ecotone.execution.cells._wasi_numbers import (
    BADF,
    FAULT,
    FILE_RIGHTS,
    FOLDER_RIGHTS,
    INVAL,
    NOTSUP,
    READ,
    SEEK,
    WRITE,
    error_number,
    file_kind,
)

__all__ = ["Wasi", "kind_in_folder"]

_MODULE = b"wasi_snapshot_preview1"

_CLOCKS = (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_THREAD_CPUTIME_ID)
_RANDOM_MOST = 1 << 20
_PATH_MOST = 4096  # as for the system
_POLL_MOST = 4096
_NONBLOCK = 4
_WITHOUT_LOCK = frozenset({
    "clock_res_get", "clock_time_get", "fd_allocate", "fd_datasync", "fd_pread", "fd_pwrite", "fd_read", "fd_sync",
    "fd_write", "path_open", "poll_oneoff", "random_get", "sched_yield",
})  # fmt: skip
_NO_LOCK: AbstractContextManager[object] = nullcontext()


class Wasi:
    """The functions, for one cell.

    Args:
        arguments: of the program, its name first.
        environment: of the program.
        files: its table.
        output_max_bytes: limit for both standard streams together, None for none.
        end: called with a code and a reason when the program ends itself or exceeds the limit.

    Attributes:
        output_left_bytes: what is left of that limit.
        monotonic_ahead_ns: how far the cell's monotonic clock is ahead of this machine's.
        cpu_before_ns: CPU time of the cell in other processes, before.
    """

    def __init__(
        self,
        *,
        arguments: list[str],
        environment: dict[str, str],
        files: FileTable,
        output_max_bytes: int | None,
        end: Callable[[int, str], NoReturn],
    ) -> None:
        self.arguments = arguments
        self.environment = environment
        self.files = files
        self.monotonic_ahead_ns = 0
        self.cpu_before_ns = 0
        self._arguments = [os.fsencode(value) + b"\0" for value in arguments]
        self._environment = [os.fsencode(f"{name}={value}") + b"\0" for name, value in environment.items()]
        self._files = files
        self.output_left_bytes = output_max_bytes
        self._end = end
        self._memory_or_none: CellMemory | None = None

    def attach(self, memory: CellMemory) -> None:
        """Tells where the cell's memory is; before it runs."""
        self._memory_or_none = memory

    @property
    def _memory(self) -> CellMemory:
        assert self._memory_or_none is not None
        return self._memory_or_none

    def resume(self, output_left_bytes: int | None, monotonic_ahead_ns: int, cpu_before_ns: int) -> None:
        """Goes on with what is left of the output, and with clocks that do not run backwards."""
        self.output_left_bytes = output_left_bytes
        self.monotonic_ahead_ns = monotonic_ahead_ns
        self.cpu_before_ns = cpu_before_ns

    def define(self) -> None:
        """Makes all functions importable."""
        functions: dict[str, tuple[str, Callable[..., int | None]]] = {
            "args_get": ("ii", self._get_arguments),
            "args_sizes_get": ("ii", self._get_argument_sizes),
            "environ_get": ("ii", self._get_environment),
            "environ_sizes_get": ("ii", self._get_environment_sizes),
            "clock_res_get": ("ii", self._clock_resolution),
            "clock_time_get": ("iIi", self._clock_time),
            "fd_advise": ("iIIi", self._only_check),
            "fd_allocate": ("iII", self._allocate),
            "fd_close": ("i", self._files.close),
            "fd_datasync": ("i", self._sync),
            "fd_fdstat_get": ("ii", self._descriptor_state),
            "fd_fdstat_set_flags": ("ii", self._set_flags),
            "fd_fdstat_set_rights": ("iII", self._only_check),
            "fd_filestat_get": ("ii", self._file_state),
            "fd_filestat_set_size": ("iI", self._set_size),
            "fd_filestat_set_times": ("iIIi", self._set_times),
            "fd_pread": ("iiiIi", self._read_at),
            "fd_prestat_get": ("ii", self._preopened),
            "fd_prestat_dir_name": ("iii", self._preopened_name),
            "fd_pwrite": ("iiiIi", self._write_at),
            "fd_read": ("iiii", self._read),
            "fd_readdir": ("iiiIi", self._list_folder),
            "fd_renumber": ("ii", self._files.renumber),
            "fd_seek": ("iIii", self._seek),
            "fd_sync": ("i", self._sync),
            "fd_tell": ("ii", self._tell),
            "fd_write": ("iiii", self._write),
            "path_create_directory": ("iii", self._create_folder),
            "path_filestat_get": ("iiiii", self._path_state),
            "path_filestat_set_times": ("iiiiIIi", self._path_set_times),
            "path_link": ("iiiiiii", _refuse),
            "path_open": ("iiiiiIIii", self._open),
            "path_readlink": ("iiiiii", self._read_link),
            "path_remove_directory": ("iii", self._remove_folder),
            "path_rename": ("iiiiii", self._rename),
            "path_symlink": ("iiiii", _refuse),  # a link could lead outside, for others who follow it
            "path_unlink_file": ("iii", self._unlink),
            "poll_oneoff": ("iiii", self._poll),
            "proc_raise": ("i", self._raise),
            "random_get": ("ii", self._random),
            "sched_yield": ("", os.sched_yield),
            "sock_accept": ("iii", _refuse),
            "sock_recv": ("iiiiii", _refuse),
            "sock_send": ("iiiii", _refuse),
            "sock_shutdown": ("ii", _refuse),
        }
        for name, (parameters, function) in functions.items():
            lock = _NO_LOCK if name in _WITHOUT_LOCK else self._files.lock
            define(_MODULE, name.encode(), parameters, _guarded(function, lock), results=1)
        define(_MODULE, b"proc_exit", "i", self._exit, results=0)

    def _exit(self, code: int) -> None:
        self._end(code & 0xFF, f"exit code {code}" if code else "")

    def _raise(self, signal: int) -> None:
        self._end(128 + signal, f"raised signal {signal}")

    # ---- Arguments, clocks, randomness ----

    def _get_arguments(self, pointers: int, data: int) -> None:
        self._strings(self._arguments, pointers, data)

    def _get_argument_sizes(self, count: int, size: int) -> None:
        self._string_sizes(self._arguments, count, size)

    def _get_environment(self, pointers: int, data: int) -> None:
        self._strings(self._environment, pointers, data)

    def _get_environment_sizes(self, count: int, size: int) -> None:
        self._string_sizes(self._environment, count, size)

    def _strings(self, values: list[bytes], pointers: int, data: int) -> None:
        for index, value in enumerate(values):
            self._memory.pack(pointers + 4 * index, "<I", data)
            self._memory.view(data, len(value))[:] = value
            data += len(value)

    def _string_sizes(self, values: list[bytes], count: int, size: int) -> None:
        self._memory.pack(count, "<I", len(values))
        self._memory.pack(size, "<I", sum(map(len, values)))

    def _clock_resolution(self, clock: int, result: int) -> int | None:
        if clock >= len(_CLOCKS):
            return INVAL
        return self._memory.pack(result, "<Q", int(time.clock_getres(_CLOCKS[clock]) * 1e9))

    def _clock_time(self, clock: int, _precision: int, result: int) -> int | None:
        if clock >= len(_CLOCKS):
            return INVAL
        now = time.clock_gettime_ns(_CLOCKS[clock])
        return self._memory.pack(result, "<Q", now + self._ahead_ns(_CLOCKS[clock]))

    def _ahead_ns(self, clock: int) -> int:
        """By how much the cell's clock is ahead of this process's: a cell may have come from another one."""
        if clock == time.CLOCK_MONOTONIC:
            return self.monotonic_ahead_ns
        return 0 if clock == time.CLOCK_REALTIME else self.cpu_before_ns

    def _random(self, address: int, size_bytes: int) -> None:
        for start in range(0, size_bytes, _RANDOM_MOST):
            part = min(_RANDOM_MOST, size_bytes - start)
            self._memory.view(address + start, part)[:] = os.urandom(part)

    # ---- Open files ----

    def _only_check(self, number: int, *_ignored: int) -> None:
        self._files.get(number)

    def _sync(self, number: int) -> None:
        with self._files.using(number) as entry:
            os.fsync(entry.descriptor)

    def _tell(self, number: int, result: int) -> int | None:
        return self._seek(number, 0, 1, result)

    def _descriptor_state(self, number: int, result: int) -> None:
        entry = self._files.get(number)
        mode = os.fstat(entry.descriptor).st_mode
        rights = FOLDER_RIGHTS if stat.S_ISDIR(mode) else FILE_RIGHTS
        if not stat.S_ISDIR(mode):
            rights |= (READ if entry.can_read else 0) | (WRITE if entry.can_write else 0)
        if stat.S_ISCHR(mode):
            rights &= ~SEEK  # by which the C library tells a terminal
        inherited = FOLDER_RIGHTS | FILE_RIGHTS | READ | WRITE
        self._memory.pack(result, "<BxHxxxxQQ", file_kind(mode), entry.flags, rights, inherited)

    def _set_flags(self, number: int, flags: int) -> None:
        entry = self._files.get(number)
        if entry.root:  # a standard stream is not the cell's alone: a terminal is shared with the shell
            os.set_blocking(entry.descriptor, not flags & _NONBLOCK)
        entry.flags = flags

    def _pack_state(self, result: int, state: os.stat_result) -> None:
        self._memory.pack(
            result, "<QQB7xQQQQQ", state.st_dev, state.st_ino, file_kind(state.st_mode), state.st_nlink, state.st_size,
            *(max(0, time_ns) for time_ns in (state.st_atime_ns, state.st_mtime_ns, state.st_ctime_ns)),
        )  # fmt: skip

    def _file_state(self, number: int, result: int) -> None:
        self._pack_state(result, os.fstat(self._files.get(number).descriptor))

    def _writable(self, number: int) -> Entry:
        entry = self._files.get(number)
        _check(entry.can_write, "writing")
        return entry

    def _allocate(self, number: int, offset: int, length: int) -> None:
        with self._files.using(number) as entry:
            _check(entry.can_write, "writing")
            os.posix_fallocate(entry.descriptor, offset, length)

    def _set_size(self, number: int, size_bytes: int) -> None:
        os.ftruncate(self._writable(number).descriptor, size_bytes)

    def _set_times(self, number: int, access_ns: int, change_ns: int, flags: int) -> None:
        entry = self._writable(number)
        os.utime(entry.descriptor, ns=_times(os.fstat(entry.descriptor), access_ns, change_ns, flags))

    def _read(self, number: int, vectors: int, count: int, result: int) -> None:
        buffers = self._memory.vectors(vectors, count)
        with self._files.using(number) as entry:
            _check(entry.can_read, "reading")
            if not entry.root and entry.flags & _NONBLOCK:
                _await(entry, select.POLLIN)
            taken = _until_ready(entry, select.POLLIN, lambda: os.readv(entry.descriptor, buffers))
        self._memory.pack(result, "<I", taken)

    def _read_at(self, number: int, vectors: int, count: int, offset: int, result: int) -> None:
        buffers = self._memory.vectors(vectors, count)
        with self._files.using(number) as entry:
            _check(entry.can_read, "reading")
            self._memory.pack(result, "<I", os.preadv(entry.descriptor, buffers, offset))

    def _write(self, number: int, vectors: int, count: int, result: int) -> None:
        buffers = self._memory.vectors(vectors, count)
        with self._files.using(number) as entry:
            _check(entry.can_write, "writing")
            if not entry.root:
                self._count_output(sum(map(len, buffers)))
                if entry.flags & _NONBLOCK:
                    _await(entry, select.POLLOUT)
            written = _until_ready(entry, select.POLLOUT, lambda: os.writev(entry.descriptor, buffers))
        self._memory.pack(result, "<I", written)

    def _write_at(self, number: int, vectors: int, count: int, offset: int, result: int) -> None:
        buffers = self._memory.vectors(vectors, count)
        with self._files.using(number) as entry:
            _check(entry.can_write, "writing")
            self._memory.pack(result, "<I", os.pwritev(entry.descriptor, buffers, offset))

    def _count_output(self, size_bytes: int) -> None:
        if self.output_left_bytes is None:
            return
        with self._files.lock:
            self.output_left_bytes -= size_bytes
        if self.output_left_bytes < 0:
            self._end(1, "wrote more to its standard streams than it may")

    def _seek(self, number: int, offset: int, whence: int, result: int) -> int | None:
        entry = self._files.get(number)
        if whence > 2:
            return INVAL
        signed = offset - (1 << 64) if offset >> 63 else offset
        return self._memory.pack(result, "<Q", os.lseek(entry.descriptor, signed, whence))

    def _preopened(self, number: int, result: int) -> int | None:
        entry = self._files.get(number)
        if not entry.preopened:
            return BADF
        return self._memory.pack(result, "<B3xI", 0, len(os.fsencode(entry.preopened)))

    def _preopened_name(self, number: int, address: int, size_bytes: int) -> int | None:
        name = os.fsencode(self._files.get(number).preopened)
        if not name or size_bytes < len(name):
            return INVAL
        self._memory.view(address, len(name))[:] = name
        return None

    def _list_folder(self, number: int, address: int, size_bytes: int, cookie: int, result: int) -> None:
        entry = self._files.get(number)
        if cookie == 0 or entry.listing is None:
            entry.listing = _listing(entry.descriptor)
        room = self._memory.view(address, size_bytes)
        used = 0
        for index, (name, inode, kind) in enumerate(entry.listing[cookie:], cookie + 1):
            text = name.encode(errors="surrogateescape")
            record = (
                index.to_bytes(8, "little") + inode.to_bytes(8, "little") + len(text).to_bytes(4, "little")
                + kind.to_bytes(4, "little") + text
            )  # fmt: skip
            part = record[: size_bytes - used]
            room[used : used + len(part)] = part
            used += len(part)
            if used == size_bytes:
                break
        self._memory.pack(result, "<I", used)

    # ---- Paths ----

    def _path(self, address: int, size_bytes: int) -> str:
        if size_bytes > _PATH_MOST:
            raise OSError(errno.ENAMETOOLONG, "a path is too long")
        return os.fsdecode(bytes(self._memory.view(address, size_bytes)))

    def _at(
        self, number: int, address: int, size_bytes: int, use: Callable[[str, int], object], *, change: bool
    ) -> None:
        if change and not self._files.get(number).writable:
            raise OSError(errno.EROFS, "the folder was given for reading only")
        folder, name, _ = self._files.walk(number, self._path(address, size_bytes))
        try:
            use(name, folder)
        finally:
            os.close(folder)

    def _open(self, number: int, _look: int, path: int, size: int, ask: int, *rest: int) -> None:
        rights, _inherited, flags, result = rest
        opened = self._files.open(
            number, self._path(path, size), ask, flags, read=bool(rights & READ), write=bool(rights & WRITE)
        )
        self._memory.pack(result, "<I", opened)

    def _create_folder(self, number: int, path: int, size: int) -> None:
        self._at(number, path, size, lambda name, folder: os.mkdir(name, dir_fd=folder), change=True)

    def _remove_folder(self, number: int, path: int, size: int) -> None:
        def remove(name: str, folder: int) -> None:
            self._files.own.check_removable(name, folder)
            os.rmdir(name, dir_fd=folder)

        self._at(number, path, size, remove, change=True)

    def _unlink(self, number: int, path: int, size: int) -> None:
        def unlink(name: str, folder: int) -> None:
            self._files.own.check_removable(name, folder)
            os.unlink(name, dir_fd=folder)

        self._at(number, path, size, unlink, change=True)

    def _path_state(self, number: int, _look: int, path: int, size: int, result: int) -> None:
        def state(name: str, folder: int) -> None:
            self._pack_state(result, os.stat(name, dir_fd=folder, follow_symlinks=False))

        self._at(number, path, size, state, change=False)

    def _path_set_times(self, number: int, _look: int, path: int, size: int, *times_and_flags: int) -> None:
        def touch(name: str, folder: int) -> None:
            state = os.stat(name, dir_fd=folder, follow_symlinks=False)
            times = _times(state, *times_and_flags)
            os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)

        self._at(number, path, size, touch, change=True)

    def _read_link(self, number: int, path: int, size: int, buffer: int, *rest: int) -> None:
        room, result = rest

        def read(name: str, folder: int) -> None:
            text = os.readlink(name, dir_fd=folder).encode(errors="surrogateescape")[:room]
            self._memory.view(buffer, len(text))[:] = text
            self._memory.pack(result, "<I", len(text))

        self._at(number, path, size, read, change=False)

    def _rename(self, number: int, path: int, size: int, *to: int) -> None:
        to_number, to_path, to_size = to

        def rename(name: str, folder: int) -> None:
            self._files.own.check_removable(name, folder)

            def onto(to_name: str, to_folder: int) -> None:
                self._files.own.check_removable(to_name, to_folder)
                os.rename(name, to_name, src_dir_fd=folder, dst_dir_fd=to_folder)

            self._at(to_number, to_path, to_size, onto, change=True)

        self._at(number, path, size, rename, change=True)

    # ---- Waiting ----

    def _poll(self, subscriptions: int, events: int, count: int, result: int) -> int | None:
        if not 0 < count <= _POLL_MOST:
            return INVAL
        asked = [self._memory.unpack(subscriptions + 48 * i, "<QB7xI4xQQH") for i in range(count)]

        def now(clock: int) -> int:
            return time.clock_gettime_ns(clock) + self._ahead_ns(clock)

        clocks = [
            (until if flags & 1 else now(_CLOCKS[min(which, 3)]) + until, which, user)
            for user, tag, which, until, _, flags in asked
            if tag == 0
        ]
        files = [(user, tag, self._files.get(which)) for user, tag, which, _, _, _ in asked if tag in (1, 2)]
        nearest = min(((until - now(_CLOCKS[min(which, 3)])) / 1e9 for until, which, _ in clocks), default=None)
        timeout = None if nearest is None else max(0.0, nearest)
        ready = self._wait_for_files(files, timeout)
        ended = [(user, 0) for until, which, user in clocks if not ready or until <= now(_CLOCKS[min(which, 3)])]
        told = [*ready, *ended]
        for index, (user, tag) in enumerate(told):
            self._memory.pack(events + 32 * index, "<QHB5xQH6x", user, 0, tag, 0, 0)
        return self._memory.pack(result, "<I", len(told))

    @staticmethod
    def _wait_for_files(files: list[tuple[int, int, Entry]], timeout_s: float | None) -> list[tuple[int, int]]:
        if not files:
            time.sleep(timeout_s or 0.0)
            return []
        reading = [entry.descriptor for _, tag, entry in files if tag == 1]
        writing = [entry.descriptor for _, tag, entry in files if tag == 2]
        can_read, can_write, _ = select.select(reading, writing, [], timeout_s)
        return [(user, tag) for user, tag, entry in files if entry.descriptor in (can_read if tag == 1 else can_write)]


def _await(entry: Entry, what: int) -> None:
    """Waits until a standard stream is ready; if the cell does not want to wait, it is told to come again."""
    poll = select.poll()
    poll.register(entry.descriptor, what)
    if not poll.poll(0 if entry.flags & _NONBLOCK else None):
        raise BlockingIOError(errno.EAGAIN, "not ready")


def _check(allowed: object, what: str) -> None:
    if not allowed:
        raise OSError(errno.EBADF, f"not open for {what}")


def _until_ready(entry: Entry, what: int, do: Callable[[], int]) -> int:
    """Does it again when a standard stream is ready: another program may have made it non-blocking."""
    while True:
        try:
            return do()
        except BlockingIOError:
            if entry.root:
                raise
            _await(entry, what)


def _refuse(*_ignored: int) -> int:
    return NOTSUP


def _guarded(function: Callable[..., int | None], lock: AbstractContextManager[object]) -> Callable[..., int]:
    """Turns what is raised into error numbers; a call that returns nothing has succeeded."""

    def call(*arguments: int) -> int:
        try:
            with lock:
                return function(*arguments) or 0
        except FaultError:
            return FAULT
        except (OverflowError, ValueError, struct.error):
            return INVAL
        except OSError as error:
            return error_number(error)

    return call


def _times(state: os.stat_result, access_ns: int, change_ns: int, flags: int) -> tuple[int, int]:
    """Flags: 1 access as given, 2 access now, 4 change as given, 8 change now; else as it is."""
    now = time.time_ns()
    access = access_ns if flags & 1 else now if flags & 2 else state.st_atime_ns
    change = change_ns if flags & 4 else now if flags & 8 else state.st_mtime_ns
    return access, change


def _listing(descriptor: int) -> list[tuple[str, int, int]]:
    """Names, inodes and kinds of what is in a folder, with itself and a parent that is itself."""
    own = os.fstat(descriptor).st_ino
    with os.scandir(descriptor) as entries:
        found = [(entry.name, entry.inode(), kind) for entry in entries if (kind := kind_in_folder(entry)) is not None]
    return [(".", own, 3), ("..", own, 3), *sorted(found)]


def kind_in_folder(entry: os.DirEntry[str]) -> int | None:
    """WASI's number for what lies in a folder that is listed; None if it has been removed meanwhile."""
    try:
        return file_kind(entry.stat(follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None
