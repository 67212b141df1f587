"""Components of kind `cell`: a Python function that feeds a program, and the program, which runs in cells.

The function gets the item and, behind it, a `CellRun` by which it runs the program as often as it likes:

    @component(on=scenes, cell="heat.cell", ranks=2)
    def simulate(scene: Scene, run: CellRun) -> Picture:
        done = run("--size", "512", files={"scene.txt": scene.text.encode()})
        return Picture(done.files["picture.ppm"])

In a test of one's own: `simulate(scene, CellRun("heat.cell", ranks=2))`.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ecotone.core.errors import ComponentError, InputError, UnavailableError
from ecotone.execution.cells.interface import Folder, Job
from ecotone.execution.host.cores import allowed_cores
from ecotone.execution.host.kinds import PythonRunner
from ecotone.execution.host.used import add_cpu_s

if TYPE_CHECKING:
    from ecotone.core.application import Component
    from ecotone.execution.cells._heat import Heat
    from ecotone.execution.cells.server import CellServer, Done

__all__ = ["CellDone", "CellRun", "CellRunner"]

_TOLD_MOST = 2000
_COLD_S = 1.0
_MEMORY_MOST_BYTES = 1 << 32  # what a cell can address


class CellDone(NamedTuple):
    """What a run of a cell gave. `files` are those it has made or changed, by their paths in its folder."""

    stdout: bytes
    stderr: bytes
    files: dict[str, bytes]
    cpu_s: float
    wall_s: float


class CellRun:
    """Runs one program, each time as a job of its own, in an empty folder.

    Args:
        cell: the file.
        ranks: of each job.
        threads: of each rank; a function says it anew for each run, None leaves it to the program.
        memory_bytes: of all ranks together; None for what a cell can address, which is 4 GiB for each.
        result_max_bytes: of what a run gives, its streams and files together: all of it is held in memory here.
    """

    def __init__(
        self,
        cell: str | os.PathLike[str],
        ranks: int = 1,
        *,
        threads: int | Callable[[], int] | None = None,
        memory_bytes: float | None = None,
        result_max_bytes: int = 256 << 20,
    ) -> None:
        self._module = Path(cell).absolute()
        self._ranks = ranks
        self._threads = threads
        asked = _MEMORY_MOST_BYTES if memory_bytes is None else int(memory_bytes / ranks)
        self._memory_bytes = min(asked, _MEMORY_MOST_BYTES)
        self._result_max_bytes = result_max_bytes
        self._server: CellServer | None = None
        self._cpu_s = 0.0
        self._heat: Heat | None = None
        self._may_heat = True
        if not self._module.is_file():
            raise InputError(f"there is no cell {self._module}; build it: ecotone cell build -o {cell} SOURCES...")

    @property
    def threads(self) -> int | None:
        """How many each rank of the next run has; None: what the program asks for."""
        return self._threads() if callable(self._threads) else self._threads

    def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        files: Mapping[str, bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        time_max_s: float | None = None,
    ) -> CellDone:
        """Run the program to its end.

        Args:
            arguments: of the program.
            stdin: what it can read.
            files: what lies in its folder when it starts, by relative path.
            environment: its variables.
            time_max_s: after which it is ended.

        Raises:
            ComponentError: it did not end well; the message has the rank, the reason and the end of what it said. Or
                it made more than `result_max_bytes`.
            InputError: it could not be started.
            UnavailableError: its processes were killed from outside, such as for want of memory.
        """
        threads = self.threads
        job = Job(
            module=self._module,
            ranks=self._ranks,
            threads=threads,
            threads_most=threads,
            arguments=arguments,
            environment=dict(environment or {}),
            memory_max_bytes=self._memory_bytes,
            output_max_bytes=self._result_max_bytes,
            time_max_s=time_max_s,
        )
        try:
            return self._in_new_folder(job, stdin, files or {})
        except UnavailableError:
            if self._server is None or not self._server.has_ended():
                raise
            self.close()  # it was killed, and all its jobs with it: this one is tried once more, from its beginning
            return self._in_new_folder(job, stdin, files or {})

    def _in_new_folder(self, job: Job, stdin: bytes, files: Mapping[str, bytes]) -> CellDone:
        with tempfile.TemporaryDirectory(dir=_scratch(), prefix="ecotone-cell-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            given = _write(folder / "work", files)
            (folder / "stdin").write_bytes(stdin)
            job = msgspec.structs.replace(job, folders={".": Folder(path=folder / "work")})
            done = self._run(job, folder)
            return self._read(done, folder, given)

    def close(self) -> None:
        """Let go of the process that starts the jobs. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._heat is not None:
            self._heat.close(self._cpu_s, finish=False)
            self._heat = None

    def _warm(self, cpu_s: float) -> None:
        """Has the program compiled natively when it has been used much; the next runs find that by themselves."""
        self._cpu_s += cpu_s
        if self._heat is None and self._may_heat and self._cpu_s > _COLD_S:
            from ecotone.execution.cells._heat import heat_of  # noqa: PLC0415 - most programs end before

            self._may_heat = False
            self._heat = heat_of(self._module, _tell)
        if self._heat is not None and self._heat.look(self._cpu_s) is not None:
            self._heat.close(self._cpu_s, finish=False)
            self._heat = None

    def _run(self, job: Job, folder: Path) -> Done:
        from ecotone.execution.cells.server import CellServer  # noqa: PLC0415 - where a cell is run at all

        if self._server is None:
            self._server = CellServer()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND
        streams = [os.open(folder / each, flags, 0o600) for each in ("stdin", "stdout", "stderr")]
        try:
            job = msgspec.structs.replace(job, stdout=streams[1], stderr=streams[2])
            running = self._server.start(job, stdin=streams[0])
            try:
                return running.wait()
            finally:
                running.close()
        finally:
            for each in streams:
                os.close(each)

    def _read(self, done: Done, folder: Path, given: set[str]) -> CellDone:
        add_cpu_s(done.cpu_s)
        self._warm(done.cpu_s)
        assert done.result is not None, "wait raises for a job without a result"
        first = done.result.first
        if first is not None:
            said = (_end_of(folder / "stderr") or _end_of(folder / "stdout")).decode(errors="replace").strip()
            raise ComponentError(
                f"{self._module.name}: rank {first.rank}: {first.reason}" + (f"; it said: {said}" if said else "")
            )
        changed = _changed(folder / "work", given)
        streams = [folder / "stdout", folder / "stderr"]
        size = sum(path.stat().st_size for path in (*streams, *changed.values()))
        if size > self._result_max_bytes:
            raise ComponentError(
                f"{self._module.name}: its files and what it said have {size} bytes together, and a run may give"
                f" {self._result_max_bytes}; write less, or give CellRun a larger result_max_bytes"
            )
        stdout, stderr = (path.read_bytes() for path in streams)
        files = {name: path.read_bytes() for name, path in changed.items()}
        return CellDone(stdout, stderr, files, done.cpu_s, done.wall_s)


def _tell(line: str) -> None:
    """In the log of the component."""
    sys.stderr.write(f"{line}\n")


def _scratch() -> str | None:
    """Where the folders of jobs are made: in a run's own folder, which goes with the run, else where temporary files
    are."""
    folder = os.environ.get("ECOTONE_SCRATCH_DIR")
    if folder:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder or None


def _end_of(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TOLD_MOST))
        return file.read(_TOLD_MOST)


def _write(folder: Path, files: Mapping[str, bytes]) -> set[str]:
    """Lay out the files as if changed in 1970: any change is later, however soon it comes. Returns their names."""
    folder.mkdir(mode=0o700)
    given: set[str] = set()
    for name, data in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"the file {name!r} would lie outside of the cell's folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(0, 0))
        given.add(str(path.relative_to(folder)))
    return given


def _changed(folder: Path, given: set[str]) -> dict[str, Path]:
    """The files that are new or were changed, by their paths in the folder."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name, seen = str(path.relative_to(folder)), path.lstat()
        if stat.S_ISREG(seen.st_mode) and (name not in given or seen.st_mtime_ns != 0):
            found[name] = path
    return found


class CellRunner(PythonRunner):
    """Loads components of kind `cell`."""

    def further(self, module_root: str, component: Component) -> tuple[object, ...]:
        cell = component.cell
        assert cell is not None, "a component of kind cell names one"
        run = CellRun(
            Path(module_root) / cell.file,
            cell.ranks,
            threads=partial(allowed_cores, component.name),
            memory_bytes=component.requirements.memory_bytes,
        )
        return (run,)
