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
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ecotone.core.errors import ComponentError, InputError
from ecotone.execution.cells.interface import Folder, Job
from ecotone.execution.host.kinds import PythonRunner
from ecotone.execution.host.used import add_cpu_s

if TYPE_CHECKING:
    from ecotone.core.application import Component
    from ecotone.execution.cells.server import CellServer

__all__ = ["CellDone", "CellRun", "CellRunner"]

_TOLD_MOST = 2000


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
        memory_bytes: of all ranks together; None for what a cell can address.
    """

    def __init__(self, cell: str | os.PathLike[str], ranks: int = 1, *, memory_bytes: float | None = None) -> None:
        self._module = Path(cell).absolute()
        self._ranks = ranks
        self._memory_bytes = (1 << 32) if memory_bytes is None else int(memory_bytes / ranks)
        self._server: CellServer | None = None
        if not self._module.is_file():
            raise InputError(f"there is no cell {self._module}; build it: ecotone cell build -o {cell} SOURCES...")

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
            ComponentError: it did not end well; the message has the rank, the reason and the end of what it said.
            InputError: it could not be started.
        """
        with tempfile.TemporaryDirectory(dir=_scratch(), prefix="ecotone-cell-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            given = _write(folder / "work", files or {})
            (folder / "stdin").write_bytes(stdin)
            job = Job(
                module=self._module,
                ranks=self._ranks,
                arguments=arguments,
                environment=dict(environment or {}),
                folders={".": Folder(path=folder / "work")},
                memory_max_bytes=self._memory_bytes,
                time_max_s=time_max_s,
            )
            return self._run(job, folder, given)

    def close(self) -> None:
        """Let go of the process that starts the jobs. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _run(self, job: Job, folder: Path, given: dict[str, int]) -> CellDone:
        from ecotone.execution.cells.server import CellServer  # noqa: PLC0415 - where a cell is run at all

        if self._server is None:
            self._server = CellServer()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND
        streams = [os.open(folder / each, flags, 0o600) for each in ("stdin", "stdout", "stderr")]
        try:
            job = msgspec.structs.replace(job, stdout=streams[1], stderr=streams[2])
            running = self._server.start(job, stdin=streams[0])
            try:
                done = running.wait()
            finally:
                running.close()
        finally:
            for each in streams:
                os.close(each)
        add_cpu_s(done.cpu_s)
        stdout, stderr = ((folder / each).read_bytes() for each in ("stdout", "stderr"))
        assert done.result is not None, "wait raises for a job without a result"
        first = done.result.first
        if first is not None:
            said = (stderr or stdout)[-_TOLD_MOST:].decode(errors="replace").strip()
            raise ComponentError(
                f"{self._module.name}: rank {first.rank}: {first.reason}" + (f"; it said: {said}" if said else "")
            )
        return CellDone(stdout, stderr, _changed(folder / "work", given), done.cpu_s, done.wall_s)


def _scratch() -> str | None:
    """Where the folders of jobs are made: in a run's own folder, which goes with the run, else where temporary files
    are."""
    folder = os.environ.get("ECOTONE_SCRATCH_DIR")
    if folder:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder or None


def _write(folder: Path, files: Mapping[str, bytes]) -> dict[str, int]:
    """Lay out the files; returns when each was changed last."""
    folder.mkdir(mode=0o700)
    given: dict[str, int] = {}
    for name, data in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"the file {name!r} would lie outside of the cell's folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        given[name] = path.stat().st_mtime_ns
    return given


def _changed(folder: Path, given: Mapping[str, int]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not path.is_symlink() and given.get(name) != path.stat().st_mtime_ns:
            found[name] = path.read_bytes()
    return found


class CellRunner(PythonRunner):
    """Loads components of kind `cell`."""

    def further(self, module_root: str, component: Component) -> tuple[object, ...]:
        cell = component.cell
        assert cell is not None, "a component of kind cell names one"
        return (CellRun(Path(module_root) / cell.file, cell.ranks, memory_bytes=component.requirements.memory_bytes),)
