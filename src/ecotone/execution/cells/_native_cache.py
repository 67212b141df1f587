"""Native code of modules, kept in the user's cache. Called by ranks and jobs, which use it, and by the compiler.

An entry is a library, the names of its functions, and behind them a line that says how long both are, and the signature
of this user: code that is not signed, or was changed, is never loaded. Entries appear whole or not at all; they may be
deleted at any time.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from ecotone.core.errors import InputError, UnavailableError
from ecotone.execution.cells._compiled import cache_folder, private_folder, processor
from ecotone.execution.cells._scratch import scratch_beside
from ecotone.execution.cells._trust import is_signed, sign

__all__ = ["NATIVE_VERSION", "native_cached", "native_folder", "native_parts", "store_native"]

NATIVE_VERSION = 2
"""Of what a library offers, which is `RUNTIME_VERSION` of its own sources; another number for each change."""
_DIGEST_DIGITS = 40
_END = struct.Struct("<QQ64s8s")
_MARK = b"eco-so-1"


def native_folder() -> Path:
    """Where native code is kept, made if it is not there, and this user's alone.

    Raises:
        InputError: it belongs to somebody else, or others can write to it.
        UnavailableError: it cannot be made.
    """
    return private_folder(cache_folder() / "native")


def _machine() -> str:
    return f"{os.uname().machine}-{processor()}-native-{NATIVE_VERSION}"


def native_cached(digest: str, build: str = "*") -> Path | None:
    """The native code of a module, if it is there and this user has made it.

    Args:
        digest: of the module, SHA-256 in hexadecimal digits; the first 40 suffice.
        build: of the compiler; any, if it is not given.

    Raises:
        InputError: the cache belongs to somebody else.
        UnavailableError: the cache cannot be made.
    """
    pattern = f"{digest[:_DIGEST_DIGITS]}-{_machine()}-{build}.so"
    found = native_folder().glob(pattern) if build == "*" else [native_folder() / pattern]
    for entry in sorted(found, key=_made_at, reverse=True):
        if _checked(entry) is not None:
            return entry
    return None


def _made_at(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0


def _checked(entry: Path) -> tuple[bytes, bytes] | None:
    """The library and the names of an entry's functions, if it is whole and signed; else None."""
    try:
        data = entry.read_bytes()
    except OSError:
        return None
    if len(data) < _END.size:
        return None
    content = data[: -_END.size]
    library_bytes, names_bytes, signature, mark = _END.unpack_from(data, len(content))
    if mark != _MARK or library_bytes + names_bytes != len(content):
        return None
    digest = entry.name[:_DIGEST_DIGITS]
    machine = f"{_machine()} {library_bytes}"
    if not is_signed(digest, machine, content, signature.decode(errors="replace")):
        return None
    return content[:library_bytes], content[library_bytes:]


def native_parts(entry: Path) -> tuple[bytes, bytes]:
    """Checks an entry; its library may be loaded then.

    Returns:
        The library's content, and the names of its functions, see `_native_stack.Symbols`.

    Raises:
        InputError: it is damaged, or this user has not signed it.
    """
    parts = _checked(entry)
    if parts is None:
        raise InputError(f"{entry} is damaged, or was not made by you: remove it, and the module is compiled again")
    return parts


def store_native(digest: str, build: str, library: bytes, names: bytes) -> Path:
    """Signs and keeps native code, in place of that of other builds of the compiler.

    Args:
        digest: of the module, SHA-256 in hexadecimal digits.
        build: of the compiler.
        library: a shared object.
        names: of its functions, see `_native_stack.Symbols`.

    Raises:
        UnavailableError: it cannot be written.
    """
    folder = native_folder()
    start = f"{digest[:_DIGEST_DIGITS]}-{_machine()}-"
    target = folder / f"{start}{build}.so"
    content = library + names
    signature = sign(digest[:_DIGEST_DIGITS], f"{_machine()} {len(library)}", content)
    _write(target, content + _END.pack(len(library), len(names), signature.encode(), _MARK))
    for other in folder.glob(f"{start}*.so"):
        if other != target:
            other.unlink(missing_ok=True)
    return target


def _write(target: Path, data: bytes) -> None:
    scratch = scratch_beside(target)
    try:
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(target)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise UnavailableError(
            f"{target} cannot be written: {error.strerror}; free some space, or set XDG_CACHE_HOME to another folder"
        ) from None
