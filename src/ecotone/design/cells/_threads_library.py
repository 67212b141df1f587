"""The C library of programs with threads: which sources of the compiler's own are compiled again, and how.

The compiler builds its C library for one thread: its streams, for example, have no locks. The same sources have them if
`_REENTRANT` is defined, which also makes the structures larger that the locks lie in; so all sources that look into
those are compiled again, from where the compiler is installed, and come before its archive. What lies beneath them is
in library/threads. Called by `_build`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

__all__ = ["archives_told", "asking_for_archives", "locked_flags", "locked_sources"]

_MUSL = Path("lib/libc/musl")
_WASI = Path("lib/libc/wasi")
_TOP = _WASI / "libc-top-half" / "musl"  # what is different for WASI: a file here stands for that of musl
_BOTTOM = _WASI / "libc-bottom-half"  # what is not from musl

_LOCKED = re.compile(
    r"_REENTRANT|#\s*include\s*[<\"](\.\./internal/)?"
    r"(stdio_impl|lock|pthread_impl|shgetc|floatscan|intscan|getc|putc|locale_impl|libc)\.h[>\"]"
)
_OWN = ("libc",)  # of library/threads instead: the state of the library
_BENEATH = ("preopens", "getcwd", "chdir")
# Of the sources for threads, which the compiler leaves out or has stubs of: all but how threads begin and end.
_THREADS = (
    "__lock", "pthread_mutex_*", "pthread_cond_*", "pthread_rwlock_*", "pthread_barrier_*", "pthread_once",
    "pthread_key_create", "pthread_[gs]etspecific", "pthread_self", "pthread_setcancel*", "pthread_testcancel",
    "pthread_cleanup_push", "sem_destroy", "sem_getvalue", "sem_init", "sem_post", "sem_*wait",
)  # fmt: skip
_STREAMS = ("__lockfile", "flockfile", "ftrylockfile", "funlockfile")

_FLAGS = [
    "-O3", "-g0", "-std=gnu17", "-fno-trapping-math", "-w", "-Wno-int-conversion", "-D_REENTRANT",
    "-D_WASI_EMULATED_SIGNAL", "-DBULK_MEMORY_THRESHOLD=32",
]  # fmt: skip
_HEADERS = (
    _TOP / "src" / "include", _MUSL / "src" / "include", _TOP / "src" / "internal", _MUSL / "src" / "internal",
    _TOP / "arch" / "wasm32", _MUSL / "arch" / "generic", _WASI / "libc-top-half" / "headers" / "private",
    _BOTTOM / "headers" / "private", _BOTTOM / "cloudlibc" / "src", _BOTTOM / "cloudlibc" / "src" / "include",
)  # fmt: skip


def asking_for_archives(thing: Path, target: Path, *, plus: bool) -> list[str]:
    """What makes the compiler build its libraries for several threads, and tell where they are.

    Args:
        thing: an object with a main, to be linked.
        target: where the result goes, which nobody needs.
        plus: whether the C++ library is wanted, too.
    """
    libraries = ["-lc", "-lc++"] if plus else ["-lc"]
    cpu = "baseline+atomics+bulk_memory+simd128"  # as for all objects
    return [
        "build-exe", str(thing), "-target", "wasm32-wasi", "-mcpu", cpu, "-fno-single-threaded", "-O", "ReleaseFast",
        "-fstrip", "--verbose-link", f"-femit-bin={target}", *libraries,
    ]  # fmt: skip


def archives_told(told: str) -> list[Path]:
    """The compiler's libraries, and the object a program begins in, from what it has told of linking."""
    for line in told.splitlines():
        if line.startswith("wasm-ld "):
            words = shlex.split(line)
            return [Path(word) for word in words if word.endswith(".a") or Path(word).stem.startswith("crt1")]
    return []


def locked_sources(package: Path, members: Iterable[str]) -> list[Path]:
    """The sources that a program with threads has in a version of its own.

    Args:
        package: the folder that the compiler is installed in.
        members: the names of all objects in the compiler's C library.
    """
    beneath = {path.stem for path in (package / _BOTTOM / "cloudlibc").rglob("*.c")}
    beneath |= {path.stem for path in (package / _BOTTOM / "sources").rglob("*.c")}
    known = {Path(each).stem for each in members} - beneath
    found: dict[tuple[str, str], Path] = {}
    for root in (_MUSL, _TOP):
        for path in (package / root / "src").glob("*/*.c"):
            if _is_locked(path, known):
                found[path.parent.name, path.stem] = path
    return sorted([*found.values(), *(package / _BOTTOM / "sources" / f"{name}.c" for name in _BENEATH)])


def _is_locked(path: Path, known: set[str]) -> bool:
    if path.parent.name == "thread":
        return any(fnmatch(path.stem, pattern) for pattern in _THREADS)
    if path.stem in _STREAMS:
        return True
    return path.stem in known and path.stem not in _OWN and _LOCKED.search(path.read_text(errors="replace")) is not None


def locked_flags(package: Path, own: Path) -> list[str]:
    """How those sources are compiled, and ours that belong to them, whose folder is `own`."""
    return [*_FLAGS, f"-I{own}", *(f"-I{package / header}" for header in _HEADERS)]
