"""Where an application's state and its runs are kept. Called by the session, before and after the heavy imports.

<application>/.ecotone/      samples.json, plans/, machine.json, last-plan.json
<application>/.ecotone/runs/<run>/   bus/, logs/, outputs/, plan.json, report.json, report.html, events.jsonl
/dev/shm/ecotone-<uid>-<run>/        pages, objects, links: gone when the run ends
"""
# This module is on the way from the command to the first item: it imports neither pathlib nor tempfile.
# ruff: noqa: PTH103, PTH208

from __future__ import annotations

import fcntl
import os
import time

__all__ = ["RunFolders", "newest_run", "open_run", "remove_stale_shared", "state_folder_of"]

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - folders in it are made with mode 0700 and an unguessable part
_SHARED_MIN_BYTES = 16 << 20


class RunFolders:
    """The folders of one run: `folder` for what is kept, `shared` in memory where there is such a place."""

    def __init__(self, run: str, folder: str) -> None:
        self.run = run
        self.folder = folder
        self._lock = -1
        self.shared = f"{_SHARED_MEMORY}/ecotone-{os.getuid()}-{run}" if _has_fast_memory() else f"{folder}/shared"

    @property
    def bus(self) -> str:
        return f"{self.folder}/bus"

    @property
    def outputs(self) -> str:
        return f"{self.folder}/outputs"

    def make(self) -> None:
        """Create them, readable by this user alone, and hold them until `remove_shared` or the end of this process.

        Raises:
            BlockingIOError: another process holds them: the run is still going on.
            OSError: they cannot be created.
        """
        # The shared one is last: should the disk be full, nothing is left in memory.
        for path in (self.folder, f"{self.folder}/logs", self.outputs, self.shared):
            os.makedirs(path, mode=0o700, exist_ok=True)
        self._lock = os.open(f"{self.shared}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """The run has not begun, and will not: leave nothing. Idempotent."""
        import shutil  # noqa: PLC0415

        self.remove_shared()
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_shared(self) -> None:
        """The run is over: free the memory. Idempotent."""
        import shutil  # noqa: PLC0415

        if self._lock >= 0:
            shutil.rmtree(self.shared, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _has_fast_memory() -> bool:
    """Whether this user may write to shared memory and it has room: a container may have little or none."""
    if not os.access(_SHARED_MEMORY, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(_SHARED_MEMORY)
    return found.f_bavail * found.f_frsize >= _SHARED_MIN_BYTES


def state_folder_of(application_folder: str, module: str) -> str:
    """`.ecotone` beside `app.py`; other files of the same folder have one each below it."""
    folder = f"{application_folder}/.ecotone"
    return folder if module.rpartition(".")[2] == "app" else f"{folder}/{module}"


def open_run(state_folder: str, *, resume: bool = False) -> RunFolders:
    """The folders of a new run, or of the newest one to go on with, made and held.

    Raises:
        FileNotFoundError: there is nothing to resume.
        OSError: see `RunFolders.make`.
    """
    runs = f"{state_folder}/runs"
    run = newest_run(state_folder) if resume else f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(3).hex()}"
    if run is None:
        raise FileNotFoundError(runs)
    folders = RunFolders(run, f"{runs}/{run}")
    folders.make()
    return folders


def newest_run(state_folder: str) -> str | None:
    """The id of the last run; None when there was none."""
    try:
        return max(os.listdir(f"{state_folder}/runs"), default=None)
    except FileNotFoundError:
        return None


def remove_stale_shared() -> None:
    """Free the memory of runs of this user whose processes are all dead: they were killed and could not tidy up.

    A run's folder is in use while a process holds the lock in it.
    """
    import shutil  # noqa: PLC0415

    prefix = f"ecotone-{os.getuid()}-"
    try:
        names = [name for name in os.listdir(_SHARED_MEMORY) if name.startswith(prefix)]
    except OSError:
        return
    for name in names:
        path = f"{_SHARED_MEMORY}/{name}"
        try:
            descriptor = os.open(f"{path}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
