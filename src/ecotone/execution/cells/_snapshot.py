"""A rank as a file: its memory, its variables, its open files. Called by a rank that leaves, and one that is resumed.

The format, version 1; all numbers little-endian:

    0    8 bytes   `eco-cell`
    8    4 bytes   version
    12   4 bytes   length of the header
    16   32 bytes  SHA-256 of the header
    48             the header: MessagePack, a map with the fields of `Header`
                   zeros up to a multiple of 4096
                   the pages that `Header.runs` names, in that order, 65536 bytes each; then nothing

Pages that are not named are zero, except those of the memory shared between ranks: that stays with the job, together
with the messages on their way in it and the windows; see `Header.shared_bytes`. A snapshot is made in memory that has
no name (`memfd`) and sealed when it is complete, so nobody ever sees half of one.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ecotone.core.errors import InputError
from ecotone.execution.cells._scratch import scratch_beside

__all__ = [
    "PAGE",
    "Clocks",
    "Header",
    "SavedFile",
    "SavedThread",
    "Variable",
    "load_snapshot",
    "open_snapshot",
    "read_pages",
    "save_snapshot",
    "write_snapshot",
]

PAGE = 65536

_MAGIC = b"eco-cell"
_VERSION = 1
_PREFIX = struct.Struct("<8sII32s")
_ALIGNMENT = 4096
_HEADER_MOST_BYTES = 64 << 20
_PAGES_MOST = 65536
_CHUNK = 4 << 20
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class Variable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mutable global of the module, by the name of its export."""

    name: str
    kind: str
    """`i32`, `i64`, `f32` or `f64`."""
    value: int | float


class SavedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the table of files. Names are bytes, as they are to the system."""

    number: int
    """The cell's own."""
    stream: int
    """Of the process, if it is a standard stream, else -1."""
    root: bytes
    """The given folder through which it was opened, by the cell's name for it; empty for a standard stream."""
    path: bytes
    """From there; empty for the folder itself."""
    preopened: bool
    folder: bool
    offset: int
    flags: int
    """Of WASI: append 1, data sync 2, non-blocking 4."""
    can_read: bool
    can_write: bool
    writable: bool
    listing: list[tuple[bytes, int, int]] | None
    """Of a folder that is being read: names, inodes and kinds."""


class SavedThread(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A thread, by addresses in the cell's memory."""

    low: int
    """The lowest page of its stack, which nobody may touch."""
    top: int
    """The upper end of its stack."""
    tls: int
    """What is its own of the program's thread-local variables."""
    argument: int
    """What it was started with."""


class Clocks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the cell's clocks showed, so that they do not run backwards elsewhere."""

    boot: str
    """Identifies the machine and its start: within it the monotonic clock goes on by itself."""
    real_ns: int
    monotonic_ns: int
    monotonic_ahead_ns: int
    """How far the cell's monotonic clock was ahead of the machine's."""
    cpu_ns: int


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a snapshot but the pages."""

    module: str
    """The first 40 hexadecimal digits of the SHA-256 of the module that it belongs to."""
    rank: int
    ranks: int
    arguments: list[str]
    environment: dict[str, str]
    memory_pages: int
    shared_start: int
    """Where the memory shared between ranks was mapped."""
    shared_bytes: int
    """0 if the snapshot is for another node: then what was there is among its pages, as memory of the cell's own."""
    stack_start: int
    """Where in the memory the unwound stack lies."""
    stack_bytes: int
    variables: list[Variable]
    files: list[SavedFile]
    output_left_bytes: int | None
    clocks: Clocks
    runs: list[tuple[int, int]]
    """First page and number of pages, ascending."""
    windows: list[tuple[int, int, int]] = []
    """Of memory shared with other ranks: where it was mapped, its first page of the job's windows, its bytes."""
    control: int | None = None
    """Where the page of its threads was."""
    threads: list[SavedThread] = []
    """All but the first; they waited for work."""
    pages_crc32: int | None = None
    """None in a snapshot that has not left the machine's memory: there nothing can change it."""

    def pages(self) -> int:
        """How many pages it holds."""
        return sum(count for _, count in self.runs)


def _prefix(header: Header) -> bytes:
    packed = msgspec.msgpack.encode(header)
    start = _PREFIX.pack(_MAGIC, _VERSION, len(packed), hashlib.sha256(packed).digest()) + packed
    return start + bytes(-len(start) % _ALIGNMENT)


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def write_snapshot(header: Header, page_run: Callable[[int, int], memoryview]) -> int:
    """Writes a snapshot to memory and seals it.

    Args:
        header: with its runs.
        page_run: gives the memory from a page on, so many pages.

    Returns:
        A file descriptor, which the caller closes.

    Raises:
        OSError: the machine's memory does not suffice.
    """
    descriptor = os.memfd_create("ecotone-snapshot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _write_all(descriptor, memoryview(_prefix(header)))
        for first, count in header.runs:
            _write_all(descriptor, page_run(first, count))
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_snapshot(descriptor: int) -> tuple[Header, int]:
    """Reads and checks the header of a snapshot, and that it is complete.

    Returns:
        The header and where the pages begin.

    Raises:
        InputError: it is not a snapshot, of another version, damaged or not complete.
    """
    prefix = os.pread(descriptor, _PREFIX.size, 0)
    if len(prefix) < _PREFIX.size or prefix[:8] != _MAGIC:
        raise InputError("this is not the snapshot of a cell")
    _, version, length, digest = _PREFIX.unpack(prefix)
    if version != _VERSION:
        raise InputError(f"the snapshot has version {version} of its format; this program reads version {_VERSION}")
    if length > _HEADER_MOST_BYTES:
        raise InputError("the snapshot is damaged: its header has no possible length")
    packed = os.pread(descriptor, length, _PREFIX.size)
    if hashlib.sha256(packed).digest() != digest:
        raise InputError("the snapshot is damaged: its header is not what was written")
    try:
        header = msgspec.msgpack.decode(packed, type=Header)
    except msgspec.MsgspecError as error:
        raise InputError(f"the snapshot cannot be used: {error}") from error
    _check_layout(header)
    start = -(-(_PREFIX.size + length) // _ALIGNMENT) * _ALIGNMENT
    found, wanted = os.fstat(descriptor).st_size, start + header.pages() * PAGE
    if found != wanted:
        raise InputError(f"the snapshot is not complete: it has {found} of {wanted} bytes")
    return header, start


def _check_layout(header: Header) -> None:
    end = 0
    for first, count in header.runs:
        if first < end or count < 1:
            raise InputError("the snapshot cannot be used: its pages are not in order")
        end = first + count
    top = header.memory_pages * PAGE
    # Behind the stack is a page that is made unusable while it is written: that must be the cell's own, too.
    parts = [(header.shared_start, header.shared_bytes), (header.stack_start, header.stack_bytes + PAGE)]
    parts += [] if header.control is None else [(header.control, PAGE)]
    parts = sorted([*parts, *((start, size_bytes) for start, _, size_bytes in header.windows)])
    if (
        not 0 < header.memory_pages <= _PAGES_MOST
        or end > header.memory_pages
        or any(start < 0 or start % PAGE or size < 0 or start + size > top for start, size in parts)
        or any(start + size > after for (start, size), (after, _) in itertools.pairwise(parts))
        or any(page < 0 for _, page, _ in header.windows)
        or any(not _is_possible(thread, top) for thread in header.threads)
    ):
        raise InputError("the snapshot cannot be used: it names memory that it does not have")


def _is_possible(thread: SavedThread, top: int) -> bool:
    return (
        0 <= thread.low < thread.top <= top
        and thread.low % _ALIGNMENT == 0
        and 0 <= thread.tls < top
        and 0 <= thread.argument < 1 << 32
    )


def read_pages(
    descriptor: int, header: Header, start: int, page_run: Callable[[int, int], memoryview] | None = None
) -> None:
    """Reads the pages to where they belong, and checks them if they were outside of the machine's memory.

    Args:
        descriptor: of the snapshot.
        header: of it.
        start: where the pages begin.
        page_run: gives the place for a run; None to check only.

    Raises:
        InputError: they are not what was written.
    """
    checksum = 0
    for room in _rooms(header, page_run):
        taken = os.preadv(descriptor, [room], start)
        if taken != len(room):
            raise InputError("the snapshot is not complete")
        start += taken
        if header.pages_crc32 is not None:
            checksum = zlib.crc32(room, checksum)
    if header.pages_crc32 is not None and checksum != header.pages_crc32:
        raise InputError("the snapshot is damaged: its pages are not what was written")


def _rooms(header: Header, page_run: Callable[[int, int], memoryview] | None) -> Iterator[memoryview]:
    """Places for the pages, in their order, none larger than is good for the processor's caches."""
    spare = memoryview(bytearray(_CHUNK))
    for first, count in header.runs:
        for offset in range(0, count, _CHUNK // PAGE):
            part = min(count - offset, _CHUNK // PAGE)
            yield page_run(first + offset, part) if page_run else spare[: part * PAGE]


def save_snapshot(descriptor: int, target: Path) -> None:
    """Writes a snapshot to a file, with a checksum; the file appears whole or not at all.

    Raises:
        InputError: what is given is not a complete snapshot.
        OSError: the file cannot be written.
    """
    header, start = open_snapshot(descriptor)
    size = header.pages() * PAGE
    if size:
        with mmap.mmap(descriptor, start + size, prot=mmap.PROT_READ) as mapped:
            _save(header, memoryview(mapped)[start:], target)
    else:
        _save(header, memoryview(b""), target)


def _save(header: Header, pages: memoryview, target: Path) -> None:
    header = msgspec.structs.replace(header, pages_crc32=zlib.crc32(pages))
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A file without a name: if this process is killed, nothing is left of it.
        file = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            _write_all(file, memoryview(_prefix(header)))
            _write_all(file, pages)
            os.fsync(file)
            _name_file(file, target, folder)
        finally:
            os.close(file)
    finally:
        pages.release()
        os.close(folder)


def _name_file(file: int, target: Path, folder: int) -> None:
    own = f"/proc/self/fd/{file}"
    try:
        os.link(own, target.name, dst_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        temporary = scratch_beside(target).name
        os.link(own, temporary, dst_dir_fd=folder, follow_symlinks=True)
        os.replace(temporary, target.name, src_dir_fd=folder, dst_dir_fd=folder)


def load_snapshot(source: Path) -> int:
    """Opens a file with a snapshot and checks all of it.

    Returns:
        A file descriptor, which the caller closes.

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"the snapshot {source} cannot be read: {error.strerror}") from error
    try:
        header, start = open_snapshot(descriptor)
        read_pages(descriptor, header, start)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
