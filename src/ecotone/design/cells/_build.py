"""The compiler behind everything: flags, the cached library, and messages that say what to do. See the package."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ecotone.core.errors import InputError, MissingExtraError, UnavailableError
from ecotone.design.cells._asyncify import make_movable
from ecotone.design.cells._complaints import catches, readable, risks
from ecotone.design.cells._errors import BuildError
from ecotone.design.cells._powers import powers_header
from ecotone.design.cells._profiling_names import names_header, weak_functions
from ecotone.design.cells._threads_library import (
    archives_told,
    asking_for_archives,
    locked_flags,
    locked_sources,
)
from ecotone.execution.cells.building import without_debugging
from ecotone.infrastructure.packages import installed_version

__all__ = [
    "CPLUSPLUS",
    "LIBRARY",
    "OPENMP",
    "PTHREADS",
    "BuildError",
    "Progress",
    "build_module",
    "compile_object",
    "compiler",
    "compiler_flags",
    "debugging",
    "is_source",
    "library",
    "link",
    "run_compiler",
    "threads_library",
]

Progress = Callable[[str], object]

LIBRARY = Path(__file__).parent / "library"
OPENMP = "-fopenmp"
"""The flag of a program with threads."""
PTHREADS = "-pthread"
"""That of one which starts them itself."""
_LIBC = LIBRARY / "libc"
_FILES = LIBRARY / "cplusplus" / "files.cpp"

_OPENMP = LIBRARY / "openmp"
_THREADS = LIBRARY / "threads"
_LOCKED = _THREADS / "musl"
_THREADS_LIBRARY = Path(__file__).parent / "_threads_library.py"

# What every object of a cell is compiled for, also of one without threads, so that any can be linked with any. The
# library uses atomic instructions on memory that is not declared shared, too: ranks are processes, and what they share
# is laid under their memory by the host.
_TARGET = ["-target", "wasm32-wasi", "-msimd128", "-mbulk-memory", "-matomics", "-fno-sanitize=undefined"]
# What compilers of the last forty years have let pass, and scientific programs rely on.
_LENIENT = [
    "-Wno-error=incompatible-function-pointer-types",
    "-Wno-error=incompatible-pointer-types",
    "-Wno-error=int-conversion",
]
_EMULATED = ["SIGNAL", "PROCESS_CLOCKS", "GETPID", "MMAN"]
# The compiler's C++ library is built without files, which library/cplusplus/files.cpp adds. Its headers are for several
# threads in all programs, so that inline functions of all objects are the same.
_DEFINES = [
    *(f"-D_WASI_EMULATED_{name}" for name in _EMULATED),
    "-U_LIBCPP_HAS_FILESYSTEM",
    "-D_LIBCPP_HAS_FILESYSTEM=1",
    "-U_LIBCPP_HAS_THREADS",
    "-D_LIBCPP_HAS_THREADS=1",
]
_LINK = [
    "-nostdlib",  # the compiler's libraries are given by their files, see `_compiler_libraries`
    "-Wl,-z,stack-size=1048576",  # zig's default of 16 MiB would let deep recursion eat memory
    "-Wl,--export=__stack_pointer",  # a snapshot carries it
]
# Without the first, flockfile and the like are not declared. A variable that is volatile is read and written by atomic
# instructions: programs wait for such a one in a loop, and both tiers may keep what a plain load has given.
_FOR_THREADS = ["-D_REENTRANT", "-fms-volatile"]
_LINK_THREADS = [
    "-Wl,--shared-memory,--import-memory,--export-memory",
    "-Wl,--max-memory=4294901760",  # the most that the compiler lets pass, a page below 4 GiB
    "-Wl,--export=__tls_base",  # a thread that is started again in another process has its variables where they were
]
# What is in the compiler's libraries, or nowhere; the compiler would bring its own again.
_WITHIN = frozenset({f"-l{name}" for name in ("c", "m", "pthread", "dl", "rt", "util", "c++", "stdc++")})
_THREAD_STARTERS = (b"__kmpc_", b"pthread_create")
_NO_MAIN = b"undefined_weak:main"  # what the linker calls the function that stands for a missing main
_MAINS = ("__main_argc_argv", "__original_main", "main")  # by its parameters
_OWN_FLAGS = ["-O2", "-g0", "-std=gnu11", "-Wall", "-Wextra", "-DECO_NAMES"]
_LIBC_FLAGS = ["-O3", "-g0", "-fno-builtin", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra"]
_CPLUSPLUS_FLAGS = ["-O2", "-g0", "-std=c++23", "-fno-exceptions", "-D_LIBCPP_BUILDING_LIBRARY", "-w"]
CPLUSPLUS = frozenset({".cc", ".cpp", ".cxx", ".C", ".c++", ".cp"})
_SOURCES = CPLUSPLUS | {".c", ".i", ".ii", ".s", ".S"}


def _silent(_line: str) -> None:
    """Progress that nobody wants to see."""


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ecotone" / "cells"


def is_source(path: Path) -> bool:
    """Whether the compiler would compile it, rather than link it."""
    return path.suffix in _SOURCES


def compiler(sources: Sequence[Path] = (), *, plus: bool = False) -> list[str]:
    """The command that compiles C, or C++ if it is asked for or one of the sources is.

    Raises:
        MissingExtraError: the extra `cells-build` is not installed.
    """
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        raise MissingExtraError("ziglang", "cells-build")
    plus = plus or any(source.suffix in CPLUSPLUS for source in sources)
    return [str(Path(found.origin).parent / "zig"), "c++" if plus else "cc"]


def compiler_flags(flags: Sequence[str] = ()) -> list[str]:
    """Our flags for compiling, then those given."""
    threads = _FOR_THREADS if OPENMP in flags or PTHREADS in flags else []
    return [
        *_TARGET,
        *_DEFINES,
        *_LENIENT,
        *threads,
        *_optimised(flags),
        f"-I{LIBRARY}",
        *(flag for flag in flags if flag != PTHREADS),
    ]


def run_compiler(command: Sequence[str], *, given: bytes | None = None) -> tuple[bytes, str]:
    """Runs a command of the compiler.

    Returns:
        What it has written to stdout, and its warnings.

    Raises:
        BuildError: it has failed.
        UnavailableError: its cache cannot be written.
    """
    cache = _cache() / "zig"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"{cache} cannot be made: {error.strerror}; set XDG_CACHE_HOME to a folder of yours"
        ) from None
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    source = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    done = subprocess.run(command, capture_output=True, check=False, env=environment, **source)  # type: ignore[call-overload]
    told = done.stderr.decode(errors="replace")
    if done.returncode:
        raise BuildError(readable(told) or f"the compiler ended with code {done.returncode}")
    return done.stdout, readable(told)


def _optimised(flags: Sequence[str]) -> list[str]:
    optimised = [] if any(flag.startswith("-O") for flag in flags) else ["-O2"]
    return [*optimised, *([] if debugging(flags) else ["-g0"])]


def debugging(flags: Sequence[str]) -> bool:
    """Whether lines of source are to be kept, for the stack of a rank that traps."""
    wanted = [flag for flag in flags if flag.startswith("-g")]
    return bool(wanted) and wanted[-1] != "-g0"


def compile_object(source: Path, target: Path, flags: Sequence[str] = (), *, plus: bool = False) -> str:
    """Compiles one source to an object file.

    Returns:
        The compiler's warnings, and ours.

    Raises:
        BuildError: it does not compile.
        MissingExtraError: the extra `cells-build` is not installed.
    """
    command = [*compiler([source], plus=plus), *compiler_flags(flags), "-c", str(source), "-o", str(target)]
    _, warnings = run_compiler(command)
    return "\n".join(filter(None, [warnings, _handlers(source, plus=plus)]))


def _handlers(source: Path, *, plus: bool) -> str:
    if not plus and source.suffix not in CPLUSPLUS:
        return ""
    with contextlib.suppress(OSError):
        return catches(str(source), source.read_text(errors="replace"))
    return ""


def link(
    objects: Sequence[Path | str],
    target: Path,
    flags: Sequence[str] = (),
    *,
    plus: bool,
    archive: Path,
    threads: bool = False,
    movable: bool = True,
    progress: Progress = _silent,
) -> str:
    """Links objects, archives and the MPI library to a module, which appears whole or not at all.

    Args:
        objects: objects and archives, in their order.
        target: the module.
        flags: for the linker.
        plus: whether some of them are of C++.
        archive: what `library` has given.
        threads: whether the program has threads though none of its objects calls what starts them.
        movable: whether a running cell can be taken to another process, which costs a few percent of speed. Not with
            information for debuggers, which asyncify cannot keep.
        progress: told what takes long.

    Returns:
        Warnings.

    Raises:
        BuildError: it does not link.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        linked = Path(folder) / "linked.wasm"
        own_functions = sorted(archive.parent.glob("libc/*.o"))
        threads_with = threads_library(progress) if threads or _starts_threads(objects) else []
        shared = _LINK_THREADS if threads_with else []
        before = [
            *compiler(),
            *_TARGET,
            *_optimised(flags),
            *_LINK,
            *shared,
            *(flag for flag in flags if flag not in _WITHIN),
        ]
        libraries = [archive, *threads_with, *_compiler_libraries(progress, plus=plus)]
        behind = [*map(str, [*objects, *libraries]), "-o", str(linked)]
        warnings = _link_with_own_functions(before, own_functions, behind)
        if _NO_MAIN in linked.read_bytes():
            warnings = _link_with_main(before, own_functions, behind, linked)
        if movable and not debugging(flags):
            make_movable(linked, linked)
        elif not debugging(flags):
            linked.write_bytes(without_debugging(linked.read_bytes()))  # that of the C library, which is most of it
        linked.replace(target)
    own = [(Path(each).name, Path(each).read_bytes()) for each in objects if str(each).endswith(".o")]
    return "\n".join(filter(None, [warnings, *risks(own)]))


def _starts_threads(objects: Sequence[Path | str]) -> bool:
    """Whether something in them is OpenMP, or starts a thread itself."""
    return any(name in Path(each).read_bytes() for each in objects for name in _THREAD_STARTERS)


def _link_with_main(before: Sequence[str], own: Sequence[Path], behind: Sequence[str], linked: Path) -> str:
    """Takes `main`, which nothing asks for by a name that is in the program, out of an archive."""
    for name in _MAINS:
        try:
            warnings = _link_with_own_functions([*before, f"-Wl,--export={name}"], own, behind)
        except BuildError as error:
            if f"not found: {name}" not in str(error):
                raise
            continue
        if _NO_MAIN not in linked.read_bytes():
            return warnings
    raise BuildError("error: there is no main; to compile without linking, use -c")


def _link_with_own_functions(before: Sequence[str], objects: Sequence[Path], behind: Sequence[str]) -> str:
    """Links with our versions of functions of the C library, except files of which the program defines a function.

    They do not lie in an archive: from one, a file would be taken for a function that the program lacks, and clash with
    one that it has.
    """
    left = list(objects)
    while True:
        try:
            return run_compiler([*before, *map(str, left), *behind])[1]
        except BuildError as error:
            clashing = [each for each in left if str(each) in str(error)]
            if "duplicate symbol" not in str(error) or not clashing:
                raise
            left = [each for each in left if each not in clashing]


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
        sources: C, C++ or object files, or archives.
        target: the module; it appears whole or not at all.
        flags: for the compiler and the linker, behind our own; those that begin with -Wl, or -l or -L are the linker's.
        progress: told what takes long.
        movable: see `link`.

    Returns:
        The compiler's warnings.

    Raises:
        BuildError: it does not compile or link; what all sources are told.
        InputError: a source is not there.
        MissingExtraError: the extra `cells-build` is not installed.
        UnavailableError: the disk is full, or may not be written.
    """
    for source in sources:
        if not source.is_file():
            raise InputError(f"there is no file {source}")
    archive = library(progress)
    target.parent.mkdir(parents=True, exist_ok=True)
    linking = [flag for flag in flags if flag.startswith(("-Wl,", "-l", "-L"))]
    compiling = [flag for flag in flags if flag not in linking]
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        objects, warnings = _compile_all(sources, Path(folder), compiling, progress)
        progress(f"linking {target.name}")
        plus = any(source.suffix in CPLUSPLUS for source in sources)
        kept = [flag for flag in compiling if flag.startswith(("-g", "-O"))]
        linked = link(
            objects,
            target,
            [*kept, *linking],
            plus=plus,
            archive=archive,
            threads=OPENMP in flags,
            movable=movable,
            progress=progress,
        )
    return "\n".join(filter(None, [*warnings, linked]))


def _compile_all(
    sources: Sequence[Path], folder: Path, flags: Sequence[str], progress: Progress
) -> tuple[list[Path], list[str]]:
    """The objects in the order of the sources; those that are no sources stay what they are."""
    wanted = [source for source in sources if is_source(source)]
    done: list[Path] = []

    def compile_one(index: int, source: Path) -> tuple[Path, str, str]:
        target = folder / str(index) / f"{source.stem}.o"
        target.parent.mkdir()
        try:
            warnings = compile_object(source, target, flags)
        except BuildError as error:
            return target, "", str(error)
        done.append(source)
        progress(f"compiled {source.name}, {len(done)} of {len(wanted)}")
        return target, warnings, ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {
            source: pool.submit(compile_one, at, source) for at, source in enumerate(sources) if is_source(source)
        }
        results = {source: future.result() for source, future in futures.items()}
    if complaints := [error for _, _, error in results.values() if error]:
        raise BuildError("\n".join(complaints))
    objects = [results[source][0] if source in results else source for source in sources]
    return objects, [warnings for _, warnings, _ in results.values()]


def _digest(sources: Sequence[Path]) -> str:
    digest = hashlib.sha256((installed_version("ziglang") or "").encode())
    for file in [Path(__file__), *sources]:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:24]


def library(progress: Progress = _silent) -> Path:
    """The archive of the MPI library, built now if its sources or the compiler are new."""
    generators = [Path(__file__).parent / name for name in ("_profiling_names.py", "_powers.py")]
    digest = _digest([*sorted([*LIBRARY.iterdir(), *_LIBC.iterdir()]), _FILES, *generators])
    return _kept(digest, _build_library, progress) / "libecotone.a"


def threads_library(progress: Progress = _silent) -> list[Path]:
    """What a program with threads is linked with in front of the compiler's libraries, built now if it is new.

    Args:
        progress: told what takes long.

    Returns:
        The objects of the OpenMP library, and the archive of what is different in the C library.
    """
    openmp = _kept(f"{_digest(sorted([*LIBRARY.glob('*.h'), *_OPENMP.iterdir()]))}-openmp", _build_openmp, progress)
    own = [*_THREADS.iterdir(), *_LOCKED.iterdir(), _THREADS_LIBRARY]
    threads = _kept(f"{_digest(sorted(own))}-threads", _build_threads, progress)
    return [*sorted(openmp.glob("*.o")), threads / "libthreads.a"]


def _kept(name: str, build: Callable[[Path, Progress], None], progress: Progress) -> Path:
    """A folder of the cache, filled by `build` if it is not there; it appears whole or not at all."""
    folder = _cache() / "library" / name
    if folder.exists():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-") as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            build(made, progress)
            made.rename(folder)
    except OSError as error:
        if folder.exists():  # somebody else has been faster
            return folder
        raise UnavailableError(
            f"{folder.parent} cannot be written: {error.strerror}; free some space, or set XDG_CACHE_HOME to another "
            "folder"
        ) from None
    return folder


def _package() -> Path:
    """Where the compiler is installed, with the sources of its libraries."""
    return Path(compiler()[0]).parent


def _own_command(source: Path) -> list[str]:
    """How a source of ours is compiled."""
    if source == _FILES:
        sources = _package() / "lib" / "libcxx" / "src"
        return [*compiler(plus=True), *_TARGET, *_DEFINES, *_CPLUSPLUS_FLAGS, f"-I{sources}"]
    if source.parent == _LOCKED or _package() in source.parents:
        return [*compiler(), *_TARGET, *locked_flags(_package(), _LOCKED)]
    own = _LIBC_FLAGS if source.parent in (_LIBC, _THREADS) else _OWN_FLAGS
    own = [flag for flag in own if source.stem != "weak" or flag != "-DECO_NAMES"]
    return [*compiler(), *_TARGET, *own, f"-I{LIBRARY}"]


def _compile_own(sources: Sequence[Path], folder_of: Callable[[Path], Path], what: str, progress: Progress) -> None:
    progress(f"building the {what} library for cells, once")
    done: list[Path] = []

    def compile_one(source: Path) -> None:
        folder = folder_of(source)
        run_compiler([*_own_command(source), f"-I{folder}", "-c", str(source), "-o", str(folder / f"{source.stem}.o")])
        done.append(source)
        progress(f"building the {what} library for cells, {len(done)} of {len(sources)}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, sources))


def _build_library(folder: Path, progress: Progress) -> None:
    header = (LIBRARY / "mpi_functions.h").read_text()
    internal = [path.read_text() for path in sorted(LIBRARY.glob("*.h"))]
    internal = [text for text in internal if "ECO_NAMES" in text or '"internal.h"' in text]
    (folder / "names.h").write_text(names_header(header, "\n".join(internal)))
    (folder / "weak.c").write_text(weak_functions(header))
    (folder / "libc").mkdir()
    (folder / "libc" / "powers.h").write_text(powers_header())
    sources = [*sorted(LIBRARY.glob("*.c")), *sorted(_LIBC.glob("*.c")), folder / "weak.c", _FILES]
    _compile_own(sources, lambda source: folder / ("libc" if source.parent == _LIBC else ""), "MPI", progress)
    _archive_objects(folder, "libecotone.a")


def _archive_objects(folder: Path, name: str) -> None:
    """Moves the objects of a folder into an archive in it."""
    objects = sorted(folder.glob("*.o"))
    run_compiler([compiler()[0], "ar", "rcs", str(folder / name), *map(str, objects)])
    for each in objects:
        each.unlink()


def _build_openmp(folder: Path, progress: Progress) -> None:
    _compile_own(sorted(_OPENMP.glob("*.c")), lambda _source: folder, "OpenMP", progress)


def _build_threads(folder: Path, progress: Progress) -> None:
    archive = next(each for each in _compiler_libraries(progress) if each.name == "libc.a")
    members, _ = run_compiler([compiler()[0], "ar", "t", str(archive)])
    locked = [*locked_sources(_package(), members.decode().split()), *sorted(_LOCKED.glob("*.c"))]
    _compile_own([*sorted(_THREADS.glob("*.c")), *locked], lambda _source: folder, "threads", progress)
    _archive_objects(folder, "libthreads.a")


def _compiler_libraries(progress: Progress, *, plus: bool = False) -> list[Path]:
    """The compiler's libraries, and the object that programs begin in; built now if the compiler is new."""

    def build(folder: Path, progress: Progress) -> None:
        progress(f"building the compiler's {name} library, once, which takes about a minute")
        with tempfile.TemporaryDirectory() as scratch:
            source, thing = Path(scratch) / "main.c", Path(scratch) / "main.o"
            source.write_text("int main(void) { return 0; }\n")
            run_compiler([*compiler(), *_TARGET, "-O2", "-g0", "-c", str(source), "-o", str(thing)])
            asking = asking_for_archives(thing, Path(scratch) / "main.wasm", plus=plus)
            _, told = run_compiler([compiler()[0], *asking])
        for each in archives_told(told):
            if each.name.startswith("libc++") == plus:
                shutil.copyfile(each, folder / each.name)

    name = "C++" if plus else "C"
    found = sorted(_kept(f"{_digest([_THREADS_LIBRARY])}-{name.lower()}", build, progress).iterdir())
    return [*found, *_compiler_libraries(progress)] if plus else found
