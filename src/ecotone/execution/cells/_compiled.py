"""Modules compiled for this machine, kept in the user's cache. Called by the job before it starts ranks.

Compilation runs in a process of its own, since it uses threads, and the process that starts ranks must have none: it
forks. Entries of the cache appear whole or not at all; they may be deleted at any time.
"""

from __future__ import annotations

import errno
import os
import sys
from hashlib import sha256
from pathlib import Path

from ecotone.core.errors import EcotoneError, InputError, MissingExtraError, UnavailableError
from ecotone.execution.cells._scratch import scratch_beside
from ecotone.execution.cells._wasm import WASM_MAGIC
from ecotone.infrastructure.packages import installed_version

__all__ = [
    "cache_folder",
    "compile_module",
    "compiled_module",
    "machine_kind",
    "module_digest",
    "private_folder",
    "processor",
]

_DIGEST_DIGITS = 40
_SETTINGS = 3  # of `_engine.new_engine`; another number for each change of them
_COMPILED_MAGIC = b"\x7fELF"
_CPU = "/proc/cpuinfo"
_CPU_HEAD_BYTES = 4096  # the first processor; the file of a large machine takes long to read


def cache_folder() -> Path:
    """Where cells keep what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ecotone" / "cells"


def machine_kind() -> str:
    """Processor and runtime for which code is compiled, such as `x86_64-1f2e3d4c-wasmtime-50.0.1-2`.

    Raises:
        MissingExtraError: the extra `cells` is not installed.
    """
    version = installed_version("wasmtime")
    if version is None:
        raise MissingExtraError("wasmtime", "cells")
    return f"{os.uname().machine}-{processor()}-wasmtime-{version}-{_SETTINGS}"


def processor() -> str:
    """A short name for what the processor can do. wasmtime itself refuses code for what it cannot."""
    try:
        with open(_CPU, "rb") as file:  # noqa: PTH123 - on the way to a cell's start
            head = file.read(_CPU_HEAD_BYTES)
    except OSError:
        head = b""
    able = next((line for line in head.split(b"\n") if line.startswith((b"flags", b"Features", b"isa"))), b"")
    return sha256(able).hexdigest()[:8]


def compiled_module(module: Path) -> Path:
    """The compiled form of a module or cell file: from the cache, from the cell file if this user has signed it, else
    made now.

    Raises:
        InputError: the file is not a module or cell that can be run.
        MissingExtraError: the extra `cells` is not installed.
        UnavailableError: the cache cannot be written.
    """
    machine = machine_kind()
    try:
        with module.open("rb") as file:
            is_plain = file.read(len(WASM_MAGIC)) == WASM_MAGIC
    except OSError as error:
        raise InputError(f"{module} cannot be read: {error.strerror}") from None
    if is_plain:
        code = module.read_bytes()
        return _from_cache(module, sha256(code).hexdigest(), machine, code, None)
    from ecotone.execution.cells._cell_file import read_cell  # noqa: PLC0415 - a plain module does not need it
    from ecotone.execution.cells._trust import is_signed  # noqa: PLC0415

    cell = read_cell(module)
    digest, signed = cell.manifest.digest, cell.manifest.compiled.get(machine)
    carried = cell.compiled(machine)
    if signed is None or carried is None or not is_signed(digest, machine, carried, signed.signature):
        carried = None
    return _from_cache(module, digest, machine, cell.module, carried)


def module_digest(compiled: Path) -> str:
    """Of the module that a compiled form was made from: the first 40 hexadecimal digits of its SHA-256."""
    return compiled.name[:_DIGEST_DIGITS]


def _from_cache(module: Path, digest: str, machine: str, code: bytes, carried: bytes | None) -> Path:
    folder = private_folder(cache_folder() / "compiled")
    target = folder / f"{digest[:_DIGEST_DIGITS]}-{machine}.cwasm"
    if _is_whole(target):
        return target
    if carried is not None:
        _write(target, carried)
        return target
    if not code.startswith(WASM_MAGIC):
        raise InputError(f"{module} is not a WebAssembly module")
    scratch = scratch_beside(target, ".wasm")
    try:
        _write(scratch, code)
        _compile_apart(module, scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def private_folder(folder: Path) -> Path:
    """Makes a folder of native code, which must be this user's alone, and belong to the user who runs this."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        seen = folder.stat()
    except OSError as error:
        raise UnavailableError(f"{folder} cannot be made: {error.strerror}") from None
    if seen.st_uid != os.getuid():
        raise InputError(
            f"{folder}, from which programs are run, belongs to another user (number {seen.st_uid}, and this is "
            f"{os.getuid()}): set XDG_CACHE_HOME to a folder of your own"
        )
    if seen.st_mode & 0o022:
        raise InputError(
            f"others can write to {folder}, from which programs are run; set XDG_CACHE_HOME to a folder of your own, "
            "or take their right to write away"
        )
    return folder


def _is_whole(compiled: Path) -> bool:
    try:
        with compiled.open("rb") as file:
            return file.read(len(_COMPILED_MAGIC)) == _COMPILED_MAGIC
    except OSError:
        return False


def _compile_apart(module: Path, source: Path, target: Path) -> None:
    import subprocess  # noqa: PLC0415 - only for the first run of a cell

    command = [sys.executable, "-m", "ecotone.execution.cells", "--compile", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 and _is_whole(target):
        return
    told = done.stderr.strip()
    message = told.splitlines()[-1] if told else f"the compiler ended with code {done.returncode}"
    if done.returncode == errno.ENOSPC:
        raise UnavailableError(message)
    raise InputError(f"{module} cannot be compiled: {message}")


def compile_module(module: Path, target: Path) -> int:
    """Compiles into `target`, which appears whole or not at all; the exit status, with a line on stderr if not 0.

    Args:
        module: the file, which must be that by whose digest `target` is named.
        target: of the cache.
    """
    import wasmtime  # noqa: PLC0415 - the job itself does not need it

    from ecotone.execution.cells._engine import new_engine  # noqa: PLC0415

    try:
        code = module.read_bytes()
        if sha256(code).hexdigest()[:_DIGEST_DIGITS] != module_digest(target):
            sys.stderr.write("the module was changed while it was compiled; run it again\n")
            return 1
        compiled = wasmtime.Module(new_engine(), code)
        for each in compiled.exports:  # of what the Python package cannot look at (v128) this process dies, not a rank
            if isinstance(each.type, wasmtime.GlobalType):
                str(each.type.content)
        _write(target, bytes(compiled.serialize()))
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        return 1
    except wasmtime.WasmtimeError as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 1
    except EcotoneError as error:
        sys.stderr.write(f"{error}\n")
        return errno.ENOSPC
    return 0


def _write(target: Path, data: bytes) -> None:
    """A new file, whole or not at all; the same one may be written by others at the same time."""
    scratch = scratch_beside(target)
    try:
        scratch.write_bytes(data)
        scratch.replace(target)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise UnavailableError(
            f"{target} cannot be written: {error.strerror}; free some space, or set XDG_CACHE_HOME to another folder"
        ) from None
