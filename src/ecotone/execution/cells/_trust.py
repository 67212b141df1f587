"""The key of this user with which compiled code is signed. Called by the job and by the driver.

wasmtime runs compiled code as it is: whoever can change it can do what the user can. So code that came in a file is
used only if this user's own key has signed it; else the module is compiled anew. The key never leaves the machine.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path

from ecotone.core.errors import UnavailableError
from ecotone.execution.cells._scratch import scratch_beside

__all__ = ["is_signed", "own_key", "sign", "state_folder"]

_KEY_BYTES = 32


def state_folder() -> Path:
    """Where cells keep what cannot be made again: the key, and what is known of jobs."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "ecotone" / "cells"


def _key_file() -> Path:
    return state_folder() / "key"


def _read_key() -> bytes | None:
    """The key, if it is there and nobody else could have put it there or read it."""
    try:
        with _key_file().open("rb") as file:
            seen = os.fstat(file.fileno())
            key = file.read(_KEY_BYTES + 1)
    except OSError:
        return None
    is_private = seen.st_uid == os.getuid() and not seen.st_mode & 0o077
    return key if is_private and len(key) == _KEY_BYTES else None


def own_key() -> bytes:
    """The key of this user, made now if there is none.

    Raises:
        UnavailableError: it cannot be kept, or others could read it.
    """
    key = _read_key()
    if key is not None:
        return key
    file = _key_file()
    scratch = scratch_beside(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as new:
            new.write(os.urandom(_KEY_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(scratch, file)  # of two that come at once, one is first, and its key is whole
    except OSError as error:
        raise UnavailableError(f"{file} cannot be written: {error.strerror}") from None
    finally:
        scratch.unlink(missing_ok=True)
    key = _read_key()
    if key is None:
        raise UnavailableError(f"{file} is not a key that only you can read; remove it, and a new one is made")
    return key


def _code(key: bytes, digest: str, machine: str, compiled: bytes) -> str:
    head = f"{digest}\n{machine}\n".encode()
    return blake2b(head + compiled, key=key, digest_size=32).hexdigest()


def sign(digest: str, machine: str, compiled: bytes) -> str:
    """The signature of code that this user has compiled.

    Args:
        digest: of the module it was compiled from.
        machine: kind of machine it is for.
        compiled: the code.
    """
    return _code(own_key(), digest, machine, compiled)


def is_signed(digest: str, machine: str, compiled: bytes, signature: str) -> bool:
    """Whether this user has signed the code; never makes a key."""
    key = _read_key()
    return key is not None and compare_digest(_code(key, digest, machine, compiled), signature)
