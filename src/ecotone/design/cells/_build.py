"""The driver around the compiler: flags, the cached library, and messages that say what to do. See the package."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ecotone.core.errors import MissingExtraError
from ecotone.design.cells._asyncify import make_movable
from ecotone.design.cells._errors import BuildError
from ecotone.design.cells._profiling_names import names_header, weak_functions

__all__ = ["BuildError", "Progress", "build_module", "compile_object", "library"]

Progress = Callable[[str], object]

LIBRARY = Path(__file__).parent / "library"

# What every object of a cell is compiled for. The library uses atomic instructions on memory that is not declared
# shared: ranks are processes, and what they share is laid under their memory by the host.
_TARGET = ["-target", "wasm32-wasi", "-msimd128", "-mbulk-memory", "-fno-sanitize=undefined"]
# What compilers of the last forty years have let pass, and scientific programs rely on.
_LENIENT = [
    "-Wno-error=incompatible-function-pointer-types",
    "-Wno-error=incompatible-pointer-types",
    "-Wno-error=int-conversion",
]
_EMULATED = ["SIGNAL", "PROCESS_CLOCKS", "GETPID", "MMAN"]
_DEFINES = [f"-D_WASI_EMULATED_{name}" for name in _EMULATED]
_LIBRARIES = [f"-lwasi-emulated-{name.lower().replace('_', '-')}" for name in _EMULATED]
_LINK = [
    "-Wl,-z,stack-size=1048576",  # zig's default of 16 MiB would let deep recursion eat memory
    "-Wl,--export=__stack_pointer",  # a snapshot carries it
]
_OWN_FLAGS = ["-O2", "-matomics", "-std=gnu11", "-Wall", "-Wextra", "-DECO_NAMES"]
_CPLUSPLUS = {".cc", ".cpp", ".cxx", ".C", ".c++"}


def _silent(_line: str) -> None:
    """Progress that nobody wants to see."""


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ecotone" / "cells"


def _compiler(sources: Sequence[Path]) -> list[str]:
    if importlib.util.find_spec("ziglang") is None:
        raise MissingExtraError("ziglang", "cells-build")
    plus = any(source.suffix in _CPLUSPLUS for source in sources)
    return [sys.executable, "-m", "ziglang", "c++" if plus else "cc"]


def _run(command: Sequence[str]) -> str:
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(_cache() / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(_cache() / "zig"),
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise BuildError(done.stderr.strip() or f"the compiler ended with code {done.returncode}")
    return done.stderr


def _optimised(flags: Sequence[str]) -> list[str]:
    return [] if any(flag.startswith("-O") for flag in flags) else ["-O2"]


def compile_object(source: Path, target: Path, flags: Sequence[str] = ()) -> str:
    """Compiles one source to an object file.

    Returns:
        The compiler's warnings.

    Raises:
        BuildError: it does not compile.
        MissingExtraError: the extra `cells-build` is not installed.
    """
    command = [
        *_compiler([source]), *_TARGET, *_DEFINES, *_LENIENT, *_optimised(flags), f"-I{LIBRARY}", *flags,
        "-c", str(source), "-o", str(target),
    ]  # fmt: skip
    return _run(command)


def build_module(
    sources: Sequence[Path],
    target: Path,
    flags: Sequence[str] = (),
    progress: Progress = _silent,
    *,
    movable: bool = True,
) -> str:
    """Compiles and links sources (and objects) to a module with the MPI library.

    Args:
        sources: C, C++ or object files.
        target: the module; it appears whole or not at all.
        flags: for the compiler and the linker, behind our own.
        progress: told what takes long.
        movable: whether a running cell can be taken to another process; costs a few percent of speed.

    Returns:
        The compiler's warnings.

    Raises:
        BuildError: it does not compile or link.
        MissingExtraError: the extra `cells-build` is not installed.
    """
    archive = library(progress)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        linked = Path(folder) / target.name
        command = [
            *_compiler(sources), *_TARGET, *_DEFINES, *_LENIENT, *_optimised(flags), f"-I{LIBRARY}", *_LINK, *flags,
            *map(str, sources), str(archive), *_LIBRARIES, "-o", str(linked),
        ]  # fmt: skip
        warnings = _run(command)
        if movable:
            make_movable(linked, linked)
        linked.replace(target)
    return warnings


def _digest() -> str:
    digest = hashlib.sha256(importlib.metadata.version("ziglang").encode())
    digest.update(" ".join([*_TARGET, *_OWN_FLAGS]).encode())
    for file in sorted([*LIBRARY.iterdir(), Path(__file__).parent / "_profiling_names.py"]):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:24]


def library(progress: Progress = _silent) -> Path:
    """The archive of the MPI library, built now if its sources or the compiler are new."""
    archive = _cache() / "library" / _digest() / "libecotone.a"
    if archive.exists():
        return archive
    compiler = _compiler([])
    progress("building the MPI library for cells (once; the first time also the C library, about a minute)")
    archive.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent.parent, prefix=".build-") as folder:
        built = _build_library(Path(folder), compiler)
        archive.parent.mkdir(exist_ok=True)
        built.replace(archive)
    return archive


def _build_library(folder: Path, compiler: Sequence[str]) -> Path:
    header = (LIBRARY / "mpi_functions.h").read_text()
    (folder / "names.h").write_text(names_header(header))
    (folder / "weak.c").write_text(weak_functions(header))
    sources = [*sorted(LIBRARY.glob("*.c")), folder / "weak.c"]

    def compile_one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        own = [flag for flag in _OWN_FLAGS if source.stem != "weak" or flag != "-DECO_NAMES"]
        _run([*compiler, *_TARGET, *own, f"-I{LIBRARY}", f"-I{folder}", "-c", str(source), "-o", str(target)])
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, sources))
    archive = folder / "libecotone.a"
    _run([*compiler[:-1], "ar", "rcs", str(archive), *map(str, objects)])
    return archive
