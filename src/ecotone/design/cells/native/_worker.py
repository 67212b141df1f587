"""Compiles one module to native code, behind walls: `python -m ecotone.design.cells.native._worker FOLDER PLAN`.

Started by `_build.py`. FOLDER holds `module.wasm`; in the end it holds `cell.so` and `names`. PLAN is JSON, see `Plan`.
The module may be made by somebody who means harm, and the translators are large programs: whatever happens here,
no file outside of FOLDER is written, and no network is reached. Progress goes to stdout, a line for each part; the
reason of a failure is the last line of stderr. This process ends when its stdin does: who has started it is gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ecotone.core.errors import EcotoneError
from ecotone.design.cells.native._calls import refuse_signals
from ecotone.design.cells.native._errors import CannotTranslateError
from ecotone.design.cells.native._glue import atomic_macros, glue, names_of_functions, override
from ecotone.design.cells.native._module import read_module, rewritten
from ecotone.design.cells.native._spins import with_barriers
from ecotone.design.cells.native._walls import die_with, raise_walls
from ecotone.execution.cells.building import WASM_MAGIC, read_cell

__all__ = ["FAILED", "FEATURES", "FLAGS", "PART_BYTES", "Plan"]

_OWN = Path(__file__).parent
PART_BYTES = 96 << 10
"""Of a module, for each file of C: two cores have something to do, and the compiler needs little memory."""
_PARTS_MOST = 256
_ROOM_LEAST_BYTES = 1 << 20
FAILED = 3
"""Exit status when there is a reason on stderr."""
FEATURES = [
    "--enable-threads",
    "--no-debug-names",
    "--disable-exceptions",
    "--disable-tail-call",
    "--disable-memory64",
    "--disable-multi-memory",
]
# Results are those of wasmtime to the last bit, so no multiplication is fused with an addition. A program that recurses
# without end uses up its stack, page by page, rather than going on for ever.
FLAGS = [
    "-O3",
    "-std=gnu17",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-fstack-clash-protection",
    "-fno-optimize-sibling-calls",
    "-fasynchronous-unwind-tables",
    "-DNDEBUG",
    "-DWASM_RT_NONCONFORMING_ALLOW_OOB_READ_ELIMINATION=1",  # a load whose value nobody uses need not trap
    "-w",
]
_LINK = [
    "-shared",
    "--eh-frame-hdr",
    "--hash-style=gnu",
    "-z",
    "noexecstack",
    "-z",
    "relro",
    "-z",
    "now",
    "--build-id=none",
]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker is given."""

    clang: list[str]
    """The command of the compiler, with the folders of its headers."""
    linker: list[str]
    wasm2c: str
    readable: list[str]
    """Folders that the translators read."""
    jobs: int
    memory_bytes: int
    """Of each process."""
    cpu_s: int
    """Of each process."""
    file_bytes: int
    """Of each file."""


class _OwnerGoneError(Exception):
    """Who has started this process has ended."""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _prepare(parent: int) -> None:
    """Of a compiler, before it runs; it sends no signals, and this process only to its compilers."""
    die_with(parent)
    refuse_signals()


def _run_all(commands: Sequence[Sequence[str]], folder: Path, jobs: int, done: Callable[[int], None]) -> None:
    """Runs commands, so many at a time.

    Raises:
        CannotTranslateError: one has failed.
    """
    left, running, finished = list(commands), dict[int, tuple[subprocess.Popen[bytes], Path]](), 0
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    own = os.getpid()
    try:
        while left or running:
            while left and len(running) < jobs:
                command = left.pop(0)
                told = folder / f"told-{len(left)}"
                with told.open("wb") as file:
                    process = subprocess.Popen(
                        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                        preexec_fn=lambda: _prepare(own),  # noqa: PLW1509 - this process has no threads
                    )  # fmt: skip
                watched = os.pidfd_open(process.pid)
                running[watched] = process, told
                poll.register(watched, select.POLLIN)
            for descriptor, _ in poll.poll():
                if descriptor == 0:
                    raise _OwnerGoneError
                poll.unregister(descriptor)
                process, told = running.pop(descriptor)
                os.close(descriptor)
                _check(process, told)
                finished += 1
                done(finished)
    finally:
        for process, _ in running.values():
            process.kill()
            process.wait()


def _check(process: subprocess.Popen[bytes], told: Path) -> None:
    code = process.wait()
    said = told.read_text(errors="replace").strip().splitlines()
    told.unlink()
    if code:
        name = Path(str(process.args[0])).name  # type: ignore[index]
        how = f"signal {-code}" if code < 0 else f"code {code}"
        reason = next((line for line in said if "error" in line.lower()), said[-1] if said else "")
        if -code == signal.SIGXFSZ:
            reason = os.strerror(errno.EFBIG)
        raise CannotTranslateError(f"{name} ended with {how}{': ' + reason[:300] if reason else ''}")


def _translate(folder: Path, plan: Plan) -> list[str]:
    """Writes C; returns the names of its files."""
    given = (folder / "module.wasm").read_bytes()
    code = given if given.startswith(WASM_MAGIC) else read_cell(folder / "module.wasm").module
    module = read_module(code)
    (folder / "cell.wasm").write_bytes(rewritten(module, code))
    parts = max(2, min(_PARTS_MOST, len(code) // PART_BYTES))
    _say("translating to C")
    command = [plan.wasm2c, "cell.wasm", "-n", "cell", "-o", "cell.c", f"--num-outputs={parts}", *FEATURES]
    _run_all([command], folder, 1, lambda _count: None)
    with (folder / "cell-impl.h").open("a") as header:
        header.write(f'\n#include "{_OWN / "additions.h"}"\n{atomic_macros()}{override(module)}')
    for part in range(parts):
        source = folder / f"cell_{part}.c"
        source.write_text(with_barriers(source.read_text()))
    (folder / "glue.c").write_text(glue(module))
    (folder / "names").write_bytes(names_of_functions(module))
    return [f"cell_{part}.c" for part in range(parts)]


def _compile(folder: Path, plan: Plan) -> None:
    sources = [str(_OWN / "runtime.c"), "glue.c", *_translate(folder, plan)]
    objects = [f"{Path(source).stem}.o" for source in sources]
    total = len(sources)
    _run_all(
        [
            [*plan.clang, *FLAGS, f"-I{_OWN}", "-c", source, "-o", target]
            for source, target in zip(sources, objects, strict=True)
        ],
        folder,
        plan.jobs,
        lambda count: _say(f"compiled {count} of {total} parts"),
    )
    _run_all([[*plan.linker, *_LINK, *objects, "-o", "cell.so"]], folder, 1, lambda _count: None)


def _room_bytes(folder: Path) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def main(folder: Path, plan: Plan) -> int:
    missing = raise_walls(folder, plan.readable, plan.memory_bytes, plan.cpu_s, plan.file_bytes)
    if missing:
        _say(f"without {', '.join(missing)}, which this system does not have")
    try:
        _compile(folder, plan)
    except _OwnerGoneError:
        shutil.rmtree(folder, ignore_errors=True)
        return FAILED
    except (EcotoneError, OSError, MemoryError, RecursionError) as error:
        # Not every translator says so if it cannot write all of a file.
        full = f": {os.strerror(errno.ENOSPC)}" if _room_bytes(folder) < _ROOM_LEAST_BYTES else ""
        sys.stderr.write(f"{str(error) or type(error).__name__}{full}\n")
        return FAILED
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Plan)))
