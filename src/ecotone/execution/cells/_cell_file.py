"""Cell files: a module, what it needs and who built it, and code compiled for machines, in one file that can be run.

A cell file is a zip archive without compression: `cell.json`, `module.wasm`, and `compiled/<machine>` for each machine
that it was compiled for. In front of the archive stands a line that lets a shell run it. Called by the job, which
reads it, and by the driver, which writes it.

Reading is done here rather than by `zipfile`, whose import takes longer than the rest.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec

from ecotone.core.errors import InputError, UnavailableError
from ecotone.execution.cells._scratch import scratch_beside
from ecotone.execution.cells._wasm import WASM_MAGIC

__all__ = ["SHEBANG", "Built", "Cell", "Compiled", "Manifest", "Needs", "read_cell", "write_cell"]

FORMAT = 1
SHEBANG = b"#!/usr/bin/env ecotone-run\n"
_MANIFEST, _MODULE, _COMPILED = "cell.json", "module.wasm", "compiled/"
_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\5\6"
_ENTRY = struct.Struct("<4s6H3L5H2L")
_ENTRY_MARK = b"PK\1\2"
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MARK = b"PK\3\4"
_ZIP_MOST_BYTES = (1 << 32) - 1


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell asks of the machine that runs it."""

    ranks: int | None = None
    """How many ranks it is meant for; None if any number will do."""
    threads: int | None = 1
    """Of each rank; None if any number will do: it uses OpenMP."""
    memory_bytes: int = 0
    """Of each rank, when it starts."""
    imports: tuple[str, ...] = ()
    """Host functions, as `module.name`."""


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """Who built a cell, and from what."""

    ecotone: str
    compiler: str
    flags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """Code for one kind of machine. It is used only by whoever holds the key it was signed with: it is native code."""

    size_bytes: int
    signature: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a cell file."""

    format: int = FORMAT
    digest: str
    """SHA-256 of the module."""
    module_bytes: int
    needs: Needs
    built: Built
    compiled: dict[str, Compiled] = {}
    """By kind of machine."""


class _Format(msgspec.Struct):
    format: int


class Cell:
    """A cell file that was read, its module checked against its digest.

    Attributes:
        manifest: its head.
        module: the WebAssembly module.
    """

    def __init__(self, manifest: Manifest, module: bytes, compiled: Mapping[str, bytes]) -> None:
        self.manifest = manifest
        self.module = module
        self._compiled = compiled

    def compiled(self, machine: str) -> bytes | None:
        """The code for a kind of machine, as the file has it: not to be trusted before its signature was checked."""
        return self._compiled.get(machine)


def read_cell(path: Path) -> Cell:
    """Reads a cell file.

    Raises:
        InputError: it is not one, is damaged, or is of a later version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    try:
        entries = _entries(data)
        manifest = _manifest(entries[_MANIFEST], path)
        module = entries[_MODULE]
    except (struct.error, KeyError, ValueError) as error:
        raise InputError(_damaged(path, data, error)) from None
    if sha256(module).hexdigest() != manifest.digest:
        raise InputError(f"{path} is damaged: its module is not the one that was built; build it or copy it again")
    compiled = {name[len(_COMPILED) :]: code for name, code in entries.items() if name.startswith(_COMPILED)}
    return Cell(manifest, module, compiled)


def _damaged(path: Path, data: bytes, error: Exception) -> str:
    if data.startswith((SHEBANG[:2], _LOCAL_MARK)):
        why = f" ({error})" if isinstance(error, ValueError) and str(error) else ""
        return f"{path} is damaged or cut off{why}; build it or copy it again"
    kind = "a program for this machine, not for cells" if data.startswith(b"\x7fELF") else "not a cell file"
    return f"{path} is {kind}; make one with: ecotone cell build -o app.cell SOURCES"


def _manifest(text: bytes, path: Path) -> Manifest:
    try:
        if msgspec.json.decode(text, type=_Format).format > FORMAT:
            raise InputError(f"{path} was built by a later version of Ecotone; install that, or build the cell again")
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{_MANIFEST}: {error}") from None


def _entries(data: bytes) -> dict[str, bytes]:
    """The files of a zip archive without compression.

    Raises:
        ValueError, struct.error: it is damaged.
    """
    at = data.rfind(_END_MARK)
    if at < 0:
        raise ValueError("its end is missing")
    _, _, _, _, count, size, start, _ = _END.unpack_from(data, at)
    shift = at - size - start  # what stands in front of the archive and is not counted in it
    if shift < 0:
        raise ValueError("its list of contents is missing")
    found: dict[str, bytes] = {}
    place = at - size
    for _ in range(count):
        entry = _ENTRY.unpack_from(data, place)
        packing, checksum, packed, whole = entry[4], entry[7], entry[8], entry[9]
        name_size, more_size, note_size, local = entry[10], entry[11], entry[12], entry[16]
        if entry[0] != _ENTRY_MARK or packing != 0 or packed != whole:
            raise ValueError("its list of contents is damaged")
        name_at = place + _ENTRY.size
        name = data[name_at : name_at + name_size].decode()
        found[name] = _content(data, shift + local, whole, checksum, name)
        place = name_at + name_size + more_size + note_size
    return found


def _content(data: bytes, local: int, size: int, checksum: int, name: str) -> bytes:
    head = _LOCAL.unpack_from(data, local)
    start = local + _LOCAL.size + head[9] + head[10]
    content = data[start : start + size]
    if head[0] != _LOCAL_MARK or len(content) != size or zlib.crc32(content) != checksum:
        raise ValueError(f"{name} is damaged")
    return content


def write_cell(path: Path, manifest: Manifest, module: bytes, compiled: Mapping[str, bytes]) -> None:
    """Writes a cell file that a shell can run; it appears whole or not at all.

    Args:
        path: of the file.
        manifest: its head, which must name each machine of `compiled`.
        module: the WebAssembly module.
        compiled: code by kind of machine.

    Raises:
        UnavailableError: it cannot be written.
    """
    assert module.startswith(WASM_MAGIC)
    assert set(manifest.compiled) == set(compiled)
    files = {_MANIFEST: msgspec.json.format(msgspec.json.encode(manifest), indent=2), _MODULE: module}
    files |= {f"{_COMPILED}{machine}": code for machine, code in compiled.items()}
    data = _archive(files)
    scratch = scratch_beside(path, ".new")
    try:
        scratch.write_bytes(data)
        umask = os.umask(0)
        os.umask(umask)
        scratch.chmod(0o777 & ~umask)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise UnavailableError(f"{path} cannot be written: {error.strerror}") from None


def _archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive behind the line for the shell; places are counted from the start of the file."""
    parts, listing, at = [SHEBANG], [], len(SHEBANG)
    for name, content in files.items():
        text, checksum = name.encode(), zlib.crc32(content)
        date = 0x21  # 1 January 1980, so that the same sources give the same file
        local = _LOCAL.pack(_LOCAL_MARK, 10, 0, 0, 0, date, checksum, len(content), len(content), len(text), 0)
        listing.append(
            _ENTRY.pack(
                _ENTRY_MARK, 0x30A, 10, 0, 0, 0, date, checksum, len(content), len(content), len(text), 0, 0, 0, 0,
                0o644 << 16, at,
            )
            + text
        )  # fmt: skip
        parts += [local, text, content]
        at += len(local) + len(text) + len(content)
    directory = b"".join(listing)
    if at + len(directory) > _ZIP_MOST_BYTES:
        raise InputError("a cell file of more than 4 GiB cannot be written")
    end = _END.pack(_END_MARK, 0, 0, len(files), len(files), len(directory), at, 0)
    return b"".join([*parts, directory, end])
