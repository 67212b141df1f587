"""Compiler drivers: `ecotone-cc`, `ecotone-c++`, `ecotone-mpicc`, `ecotone-mpicxx`, and `ecotone-ar`, `ecotone-ranlib`.

They stand where a Makefile, a configure script or CMake expects a compiler, and make cells: what they link is a cell
file that a shell can run. They are the entry points of the package's scripts. All of them know MPI.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ecotone._version import __version__
from ecotone.core.errors import EcotoneError, InputError
from ecotone.design.cells._build import (
    CPLUSPLUS,
    LIBRARY,
    OPENMP,
    BuildError,
    compile_object,
    compiler,
    compiler_flags,
    is_source,
    library,
    link,
    run_compiler,
)
from ecotone.design.cells._command_line import CommandLine, understand
from ecotone.execution.cells.building import is_object

__all__ = ["ar", "cc", "cplusplus", "ranlib", "run_driver"]

_FAILED = 1
_INTERRUPTED = 130
# Libraries of other machines that are in every cell, or stand for what it cannot have and nobody calls.
_KNOWN = frozenset({
    "m", "c", "mpi", "mpich", "mpicxx", "mpi_cxx", "mpi++", "pthread", "rt", "dl", "util", "nsl", "resolv", "gcc",
    "gcc_s", "stdc++", "c++", "supc++", "gomp", "omp", "iomp5",
})  # fmt: skip
_OPENMP_LIBRARIES = frozenset({"-lgomp", "-lomp", "-liomp5"})
_ARCHIVE_MAGIC = b"!<arch>\n"
_ELF = b"\x7fELF"


def cc() -> None:
    """The command `ecotone-cc`, also called `ecotone-mpicc`."""
    sys.exit(_guarded(sys.argv[1:], plus=False))


def cplusplus() -> None:
    """The command `ecotone-c++`, also called `ecotone-mpicxx`."""
    sys.exit(_guarded(sys.argv[1:], plus=True))


def ar() -> None:
    """The command `ecotone-ar`, which makes archives of objects."""
    _become("ar")


def ranlib() -> None:
    """The command `ecotone-ranlib`."""
    _become("ranlib")


def _become(tool: str) -> None:
    try:
        program = compiler()[0]
    except EcotoneError as error:
        sys.exit(f"ecotone-{tool}: {error}")
    os.execv(program, [program, tool, *sys.argv[1:]])  # noqa: S606 - a program of our own choice


def _guarded(arguments: Sequence[str], *, plus: bool) -> int:
    name = "ecotone-c++" if plus else "ecotone-cc"
    try:
        return run_driver(arguments, plus=plus)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
    except EcotoneError as error:
        sys.stderr.write(f"{name}: error: {error}\n")
    except OSError as error:
        sys.stderr.write(f"{name}: error: {error.filename or 'a file'}: {error.strerror}\n")
    except KeyboardInterrupt:
        return _INTERRUPTED
    return _FAILED


def run_driver(arguments: Sequence[str], *, plus: bool) -> int:
    """Does what a command line asks for.

    Args:
        arguments: without the program's name.
        plus: whether it is the driver for C++.

    Returns:
        The exit status.

    Raises:
        BuildError: it does not compile or link.
        InputError: the command line asks for what is not there.
        MissingExtraError: the extra `cells-build` is not installed.
    """
    line = understand(arguments)
    _warn("\n".join(line.warnings))
    if line.tells and (not line.inputs or line.tells != ["-v"]):
        return _tell(line.tells, plus=plus)
    if not line.inputs:
        raise InputError("no input files")
    if line.mode == "link":
        _link(line, plus=plus)
    elif line.mode == "compile":
        _compile_each(line, plus=plus)
    else:
        _pass_on(line, plus=plus)
    return 0


def _warn(text: str) -> None:
    if text:
        sys.stderr.write(f"{text}\n")


def _tell(asked: Sequence[str], *, plus: bool) -> int:
    """Answers questions: about MPI those that `mpicc` answers, about itself, and else what the compiler says."""
    for question in asked:
        if question in ("--version", "-v", "-V"):
            sys.stdout.write(f"ecotone-{'c++' if plus else 'cc'} {__version__}, for WebAssembly cells\n")
        if question.startswith(("-show", "--show", "-compile_info", "-link_info")):
            sys.stdout.write(f"{_shown(question.lstrip('-'), plus=plus)}\n")
            continue
        out, told = run_compiler([*compiler(plus=plus), "-target", "wasm32-wasi", question])
        sys.stdout.write(out.decode(errors="replace"))
        sys.stderr.write(told)
    return 0


def _shown(question: str, *, plus: bool) -> str:
    answers = {
        "showme:compile": f"-I{LIBRARY}", "showme-compile": f"-I{LIBRARY}", "compile_info": f"-I{LIBRARY}",
        "showme:link": "-lmpi", "showme-link": "-lmpi", "link_info": "-lmpi",
        "showme:incdirs": str(LIBRARY), "showme:libdirs": "", "showme:libs": "mpi",
        "showme:version": f"ecotone {__version__}",
    }  # fmt: skip
    return answers.get(question, f"ecotone-{'c++' if plus else 'cc'} -I{LIBRARY} -lmpi")


def _compile_each(line: CommandLine, *, plus: bool) -> None:
    sources = [(name, language) for name, language in line.inputs if not name.startswith("-l")]
    if line.output is not None and len(sources) > 1:
        raise InputError("-o names one file, but there are several sources: leave it out")
    for name, language in sources:
        target = Path(line.output or f"{Path(name).stem if name != '-' else 'stdin'}.o")
        _compile(name, language, target, _with_dependencies(line.flags, target), plus=plus)


def _with_dependencies(flags: Sequence[str], target: Path) -> list[str]:
    """`-MD` writes the list beside the object, as other compilers do, wherever ours is compiled."""
    wanted = any(flag in ("-MD", "-MMD") for flag in flags)
    if not wanted or any(flag.startswith("-MF") for flag in flags):
        return list(flags)
    named = [] if any(flag.startswith(("-MT", "-MQ")) for flag in flags) else ["-MT", str(target)]
    return [*flags, "-MF", str(target.with_suffix(".d")), *named]


def _compile(name: str, language: str, target: Path, flags: Sequence[str], *, plus: bool) -> None:
    is_plus = plus or language.startswith("c++")
    if name == "-" and not language:
        raise InputError("a source from standard input needs its language: -x c or -x c++")
    if name == "-":
        command = [*compiler(plus=is_plus), *compiler_flags(flags), "-x", language, "-c", "-", "-o", str(target)]
        _, warnings = run_compiler(command, given=sys.stdin.buffer.read())
        _warn(warnings)
        return
    if not Path(name).is_file():
        raise InputError(f"there is no file {name}")
    chosen = ["-x", language] if language else ["-x", "c++"] if plus and Path(name).suffix == ".c" else []
    _warn(compile_object(Path(name), target, [*flags, *chosen], plus=is_plus))


def _pass_on(line: CommandLine, *, plus: bool) -> None:
    """Preprocessing, assembly and checking, whose result is text."""
    names = [(name, language) for name, language in line.inputs if not name.startswith("-l")]
    given = sys.stdin.buffer.read() if any(name == "-" for name, _ in names) else None
    for name, language in names:
        chosen = ["-x", language] if language else ["-x", "c++" if plus else "c"] if name == "-" else []
        start = [*compiler(plus=plus or language.startswith("c++") or Path(name).suffix in CPLUSPLUS)]
        command = [*start, *compiler_flags(line.flags), *chosen]
        if line.mode == "preprocess":
            output = [] if line.output in (None, "-") else ["-o", str(line.output)]
            out, warnings = run_compiler([*command, "-E", name, *output], given=given)
            sys.stdout.flush()
            sys.stdout.buffer.write(out)
        else:
            warnings = _made_aside(line, command, name, given)
        _warn(warnings)


def _made_aside(line: CommandLine, command: Sequence[str], name: str, given: bytes | None) -> str:
    """zig writes no assembly to stdout, and does not only check: a file is made and moved, or thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        _, warnings = run_compiler(
            [*command, "-S" if line.mode == "assembly" else "-c", name, "-o", str(made)], given=given
        )
        if line.mode == "assembly" and line.output == "-":
            sys.stdout.write(made.read_text())
        elif line.mode == "assembly":
            Path(line.output or f"{Path(name).stem}.s").write_bytes(made.read_bytes())
    return warnings


def _link(line: CommandLine, *, plus: bool) -> None:
    from ecotone.design.cells._package import pack_cell  # noqa: PLC0415 - compiling does not need it

    target = Path(line.output or "a.out")
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}")
    archive = library(_say)
    with tempfile.TemporaryDirectory(prefix="ecotone-cell-") as folder:
        objects: list[Path | str] = []
        for at, (name, language) in enumerate(line.inputs):
            if name.startswith("-l"):
                objects += _library(name[2:], line.folders)
            elif language or name == "-" or is_source(Path(name)):
                made = Path(folder) / str(at) / f"{Path(name).stem}.o"
                made.parent.mkdir()
                _compile(name, language, made, line.flags, plus=plus)
                objects.append(made)
            else:
                objects.append(_checked(Path(name)))
        plus = plus or any(name in ("-lstdc++", "-lc++") for name, _ in line.inputs)
        plus = plus or any(Path(name).suffix in CPLUSPLUS for name, _ in line.inputs)
        linked = Path(folder) / f"{target.stem}.wasm"
        threads = OPENMP in line.flags or any(name in _OPENMP_LIBRARIES for name, _ in line.inputs)
        kept = [flag for flag in line.flags if flag.startswith(("-g", "-O"))]
        flags = [*kept, *line.linking]
        _warn(link(objects, linked, flags, plus=plus, archive=archive, threads=threads, progress=_say))
        names = [name for name, _ in line.inputs]
        pack_cell(linked, target, [*line.flags, *line.linking], names, precompile=False)


def _say(text: str) -> None:
    """Only to a person: what configure finds on stderr may change its mind."""
    if sys.stderr.isatty():
        sys.stderr.write(f"ecotone: {text}\n")


def _library(name: str, folders: Sequence[str]) -> list[Path | str]:
    native: Path | None = None
    for folder in folders:
        found = Path(folder) / f"lib{name}.a"
        if found.is_file():
            if _is_for_cells(found):
                return [found]
            native = found
    if name in _KNOWN:
        return []
    if native is not None:
        raise InputError(f"{native} is for this machine, not for cells; {_REBUILD}")
    raise InputError(
        f"-l{name}: there is no lib{name}.a for cells in the folders given with -L; build that library with "
        "CC=ecotone-cc AR=ecotone-ar"
    )


_REBUILD = "remove what was built before and build again with CC=ecotone-cc AR=ecotone-ar"


def _checked(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    if not _is_for_cells(path):
        if path.suffix in (".so", ".dylib"):
            raise InputError(f"{path} is a shared library, which cells do not have: link its objects or its .a")
        raise InputError(f"{path} is not an object or archive for cells; {_REBUILD}")
    return path


def _is_for_cells(path: Path) -> bool:
    data = path.read_bytes()
    if not data.startswith(_ARCHIVE_MAGIC):
        return is_object(data)
    return _ELF not in _first_members(data)


def _first_members(archive: bytes) -> set[bytes]:
    """How the members of an archive begin, four bytes of each."""
    found: set[bytes] = set()
    at = len(_ARCHIVE_MAGIC)
    while at + 60 <= len(archive):
        size = archive[at + 48 : at + 58].strip()
        if not size.isdigit():
            break
        found.add(archive[at + 60 : at + 64])
        at += 60 + int(size) + int(size) % 2
    return found
