"""From a linked module to a cell file. Called by `ecotone cell build` and by the compiler drivers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from ecotone._version import __version__
from ecotone.core.errors import InputError
from ecotone.design.cells._build import Progress, build_module
from ecotone.execution.cells.building import (
    Built,
    Compiled,
    Manifest,
    Needs,
    compiled_module,
    has_threads,
    machine_kind,
    module_imports,
    module_memory_bytes,
    sign,
    write_cell,
)
from ecotone.infrastructure.files import replace_file
from ecotone.infrastructure.packages import installed_version

__all__ = ["build_cell", "pack_cell"]


def _silent(_line: str) -> None:
    """Progress that nobody wants to see."""


def build_cell(
    sources: Sequence[Path],
    target: Path,
    flags: Sequence[str] = (),
    *,
    ranks: int | None = None,
    progress: Progress = _silent,
) -> tuple[Manifest, str]:
    """Builds a cell file from sources, compiled for this machine too if it can run cells.

    Args:
        sources: C, C++ or object files, or archives.
        target: the cell file, or a plain module if its name ends in `.wasm`; it appears whole or not at all.
        flags: for the compiler and the linker.
        ranks: how many the program is meant for, None if any number will do.
        progress: told what takes long.

    Returns:
        The head of the cell file, and the compiler's warnings.

    Raises:
        BuildError: it does not compile or link.
        InputError: a source is not there, or the target is one of them, or its folder is missing.
        MissingExtraError: the extra `cells-build` is not installed.
        UnavailableError: the disk is full, or may not be written.
    """
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}; make it, or name another file after -o")
    if target.is_dir() or any(source.exists() and target.exists() and source.samefile(target) for source in sources):
        raise InputError(f"{target} would be replaced by the cell; name another file after -o")
    with tempfile.TemporaryDirectory(prefix="ecotone-cell-") as folder:
        linked = Path(folder) / f"{target.stem}.wasm"
        warnings = build_module(sources, linked, flags, progress)
        names = tuple(source.name for source in sources)
        is_runnable = find_spec("wasmtime") is not None
        if is_runnable:
            progress("compiling for this machine")
        manifest = pack_cell(linked, target, flags, names, ranks=ranks, precompile=is_runnable)
    return manifest, warnings


def pack_cell(
    linked: Path,
    target: Path,
    flags: Sequence[str],
    sources: Sequence[str],
    *,
    ranks: int | None = None,
    precompile: bool,
) -> Manifest:
    """Makes a cell file of a linked module; a plain module if the target's name ends in `.wasm`.

    Args:
        linked: the module.
        target: the cell file.
        flags: it was built with.
        sources: names of what it was built from.
        ranks: how many it is meant for, None if any number will do.
        precompile: whether to compile it for this machine now, rather than when it first runs.

    Raises:
        UnavailableError: the disk is full, or may not be written.
    """
    module = linked.read_bytes()
    digest = sha256(module).hexdigest()
    compiled: dict[str, bytes] = {}
    if precompile:
        compiled[machine_kind()] = compiled_module(linked).read_bytes()
    manifest = Manifest(
        digest=digest,
        module_bytes=len(module),
        needs=Needs(
            ranks=ranks,
            threads=None if has_threads(module) else 1,
            memory_bytes=module_memory_bytes(module),
            imports=module_imports(module),
        ),
        built=Built(
            ecotone=__version__,
            compiler=f"ziglang {installed_version('ziglang')}",
            flags=tuple(flags),
            sources=tuple(sources),
        ),
        compiled={
            machine: Compiled(size_bytes=len(code), signature=sign(digest, machine, code))
            for machine, code in compiled.items()
        },
    )
    if target.suffix == ".wasm":
        replace_file(target, module)
    else:
        write_cell(target, manifest, module, compiled)
    return manifest
