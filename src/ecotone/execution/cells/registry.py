"""Jobs of this user on this machine: what runs, what has ended and how, and what it wrote. Called by the session.

    $XDG_STATE_HOME/ecotone/cells/jobs/<job>/   job.json, log, end.json when it has ended, kill while it shall end

The entry of a launcher that was killed says nothing false: whether a job runs is read from its process, by its number
and start time, each time it is asked.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

import msgspec

from ecotone.core.errors import ConflictError, NotFoundError, UnavailableError
from ecotone.execution.cells._control import ThreadUse, read_threads, write_cap
from ecotone.execution.cells._region import control_pages
from ecotone.execution.cells._trust import state_folder

__all__ = ["Entry", "JobEnd", "JobRecord", "ThreadUse", "Usage", "enter", "entries", "find", "process_start"]

_KEPT = 50
_DRAWS_MOST = 100
_BOOT = "/proc/sys/kernel/random/boot_id"


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A job that was started."""

    job: str
    """Its name on this machine."""
    cell: str
    """The file it was started from."""
    ranks: int
    arguments: tuple[str, ...]
    launcher: int
    """Process number of the one who started the ranks, and whose children they are."""
    launcher_start: int
    """When that process was started, in ticks since the machine was."""
    boot: str
    """Names the machine's own last start."""
    started_at: float
    """Seconds since 1970."""


class JobEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended."""

    exit_code: int
    reason: str
    """Empty if it ended well."""
    stack: tuple[str, ...] = ()
    """Functions of the rank that ended it, the innermost first."""
    rank: int | None = None
    """The rank that ended it."""
    wall_s: float
    cpu_s: float
    tier: str = "wasmtime"
    """What the ranks ran on at the end: wasmtime, or native."""
    events: tuple[str, ...] = ()
    """What the platform did about it while the job ran, in order."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What the ranks of a running job have used."""

    ranks: int
    cpu_s: float
    memory_bytes: int
    threads: tuple[ThreadUse, ...] = ()
    """Of each rank that has threads."""


class Entry:
    """A job's folder."""

    def __init__(self, folder: Path, record: JobRecord) -> None:
        self.folder = folder
        self.record = record

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def is_running(self) -> bool:
        """Whether the launcher lives."""
        record = self.record
        return record.boot == _boot() and process_start(record.launcher) == record.launcher_start

    def end(self) -> JobEnd | None:
        """How it ended; None if it runs, or if its launcher was killed and could not say."""
        try:
            return msgspec.json.decode((self.folder / "end.json").read_bytes(), type=JobEnd)
        except (OSError, msgspec.MsgspecError):
            return None

    def cpu_s(self) -> float:
        """CPU time that the ranks that run now have used."""
        return sum(map(_cpu_s, _last_descendants(self.record.launcher)))

    def usage(self) -> Usage:
        """What its ranks use now. They are children of the launcher, or of one that it has started for each node."""
        ranks = _last_descendants(self.record.launcher)
        return Usage(
            ranks=len(ranks),
            cpu_s=sum(map(_cpu_s, ranks)),
            memory_bytes=sum(map(_memory_bytes, ranks)),
            threads=tuple(filter(None, (read_threads(file, offset) for file, offset in control_pages(ranks)))),
        )

    def scale(self, threads: int) -> int:
        """Sets how many threads the next parallel region of each rank may have; the number of ranks that were told."""
        told = 0
        for file, offset in control_pages(_last_descendants(self.record.launcher)):
            write_cap(file, offset, threads)
            told += 1
        return told

    def finish(self, end: JobEnd) -> None:
        """Keeps how it ended; without room for that, only the log is left."""
        with contextlib.suppress(OSError):
            _write(self.folder / "end.json", msgspec.json.encode(end))

    def ask_to_end(self, reason: str) -> None:
        """Leaves the reason for the launcher, which is then to be told by a signal."""
        _write(self.folder / "kill", _plain(reason).encode())

    def asked_to_end(self) -> str | None:
        """The reason that someone has left for the launcher, None if nobody has."""
        try:
            return (self.folder / "kill").read_text()
        except OSError:
            return None


def _jobs() -> Path:
    return state_folder() / "jobs"


def _boot() -> str:
    try:
        return Path(_BOOT).read_text().strip()
    except OSError:
        return ""


def process_start(process: int) -> int | None:
    """When a process was started, in ticks since the machine was; None if there is none, or it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []


def _last_descendants(process: int) -> list[int]:
    return [rank for child in _children(process) for rank in _last_descendants(child) or [child]]


def _cpu_s(process: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _memory_bytes(process: int) -> int:
    """Its share of memory: what several have in common is divided among them."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing, also where other machines use the same home."""
    scratch = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        scratch.write_bytes(data)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _plain(text: str) -> str:
    """Without the bytes that are no text, which arguments and names of files may have."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _new_folder(stem: str) -> Path:
    """A name has few letters, since people write it; those that are taken are drawn again."""
    _jobs().mkdir(parents=True, exist_ok=True, mode=0o700)
    for _ in range(_DRAWS_MOST):
        folder = _jobs() / f"{stem}-{os.urandom(2).hex()}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise FileExistsError(errno.EEXIST, f"{_DRAWS_MOST} names of jobs were all taken")


def enter(cell: Path, ranks: int, arguments: tuple[str, ...], now: float) -> Entry:
    """Enters a job whose launcher is this process.

    Args:
        cell: the file it is started from.
        ranks: of the job.
        arguments: of the program.
        now: seconds since 1970.

    Raises:
        UnavailableError: the folder cannot be written.
    """
    stem = "".join(letter if letter.isalnum() else "-" for letter in cell.stem)[:24].strip("-") or "cell"
    folder: Path | None = None
    try:
        folder = _new_folder(_plain(stem))
        record = _record(folder.name, cell, ranks, arguments, now)
        _write(folder / "job.json", msgspec.json.encode(record))
    except OSError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise UnavailableError(
            f"{folder or _jobs()} cannot be written: {error.strerror}; free some space, or set XDG_STATE_HOME to"
            " another folder"
        ) from None
    _forget_old()
    return Entry(folder, record)


def _record(name: str, cell: Path, ranks: int, arguments: tuple[str, ...], now: float) -> JobRecord:
    return JobRecord(
        job=name,
        cell=_plain(str(cell.resolve())),
        ranks=ranks,
        arguments=tuple(map(_plain, arguments)),
        launcher=os.getpid(),
        launcher_start=process_start(os.getpid()) or 0,
        boot=_boot(),
        started_at=now,
    )


def _forget_old() -> None:
    ended = [entry for entry in entries() if not entry.is_running()]
    for entry in ended[:-_KEPT]:
        shutil.rmtree(entry.folder, ignore_errors=True)


def entries() -> list[Entry]:
    """All jobs, the oldest first."""
    found: list[Entry] = []
    try:
        folders = list(_jobs().iterdir())
    except OSError:
        return []
    for folder in folders:
        with contextlib.suppress(OSError, msgspec.MsgspecError):  # one that is just made, or being removed
            found.append(Entry(folder, msgspec.json.decode((folder / "job.json").read_bytes(), type=JobRecord)))
    return sorted(found, key=lambda entry: entry.record.started_at)


def find(name: str) -> Entry:
    """A job by its name, or by the beginning of its name.

    Raises:
        ConflictError: several begin like that.
        NotFoundError: none does.
    """
    known = entries()
    matching = [entry for entry in known if entry.record.job == name]
    matching = matching or [entry for entry in known if entry.record.job.startswith(name)]
    if not matching:
        raise NotFoundError(f"there is no job {name} of yours on this machine; see: ecotone cell ps --all")
    if len(matching) > 1:
        names = ", ".join(entry.record.job for entry in matching)
        raise ConflictError(f"several jobs are called {name}...: {names}; write more of its name")
    return matching[0]
