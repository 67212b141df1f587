"""Starts a measuring process, listens to it, and ends it: whatever user code does there, this returns or says why not.

Called by `profile`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import ComponentError, InputError, UnavailableError
from ecotone.design.profiling.interface import Failed, Going, Job, Limits, Measured, Message
from ecotone.infrastructure.threads import thread_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["measure"]

_WAIT_S = 0.25
_LOG_LINES = 5
_LOG_TAIL_BYTES = 8192


def measure(job: Job, scratch: Path, log: Path, going: Callable[[Going], None]) -> Measured:
    """Run one job in a process of its own.

    Args:
        job: what to measure.
        scratch: an existing folder for the job's file and for what the component leaves in `output_dir()`.
        log: file that gets, at its end, what the component prints.
        going: called with each sign of life, several times a second.

    Raises:
        InputError: user code says so of its input (a missing file, a wrong parameter).
        UnavailableError: something that user code needs is not installed.
        ComponentError: user code raised, hung, died, or used too much memory.
    """
    job_path = scratch / "job.msgpack"
    job_path.write_bytes(msgspec.msgpack.encode(job))
    outputs = scratch / "outputs"
    outputs.mkdir(exist_ok=True)
    log.touch()
    log_start = log.stat().st_size
    read_end, write_end = os.pipe()
    try:
        with log.open("ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "ecotone.design.profiling", str(job_path), str(write_end)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                pass_fds=(write_end,),
                env=_environment(os.environ, outputs, job.cores or 1),
                start_new_session=True,
            )
    finally:
        os.close(write_end)
    try:
        return _listen(job, process, read_end, going)
    except ComponentError as error:
        tail = _tail(log, log_start)
        raise ComponentError(f"{error}{tail}") from None
    finally:
        os.close(read_end)
        # The whole session: user code may have started processes of its own.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def scratch_folder(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for one profile, beside the samples: large, and gone afterwards.

    Raises:
        InputError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="profile-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot write there: {error.strerror}; profiling keeps its items there") from None


def _environment(own: Mapping[str, str], outputs: Path, threads: int) -> dict[str, str]:
    folders = dict.fromkeys(("ECOTONE_OUTPUT_DIR", "ECOTONE_SCRATCH_DIR"), str(outputs))
    return {**thread_environment(own, threads), **folders, "PYTHONUNBUFFERED": "1"}


def _listen(job: Job, process: subprocess.Popen[bytes], descriptor: int, going: Callable[[Going], None]) -> Measured:
    name = _name(job)
    data = b""
    doing, heard_s = "starting", time.monotonic()
    while True:
        if select.select([descriptor], [], [], _WAIT_S)[0]:
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                raise ComponentError(f"{name}: its process {_how_it_died(process)} while it was profiled")
            data += chunk
            heard_s = time.monotonic()
        while len(data) >= 4 and len(data) >= 4 + (length := int.from_bytes(data[:4], "little")):
            message = msgspec.msgpack.decode(data[4 : 4 + length], type=Message)
            data = data[4 + length :]
            if isinstance(message, Measured):
                return message
            if isinstance(message, Failed):
                raise _error(name, message)
            doing = message.doing
            going(message)
        _still_alive(name, job.limits, doing, time.monotonic() - heard_s)


def _still_alive(name: str, limits: Limits, doing: str, silent_s: float) -> None:
    """Raises ComponentError when the worker has said nothing for too long."""
    allowed_s = limits.start_max_s if doing == "starting" else limits.call_max_s
    if silent_s > allowed_s:
        what = "its start takes" if doing == "starting" else "one call takes"
        hint = "; if it needs that long, say so with timeout=" if doing != "starting" else ""
        raise ComponentError(f"{name}: it hangs: {what} more than {allowed_s:g} s{hint}")


def _error(name: str, failed: Failed) -> Exception:
    if failed.kind == "input":
        return InputError(f"{name}: {failed.message}")
    if failed.kind == "unavailable":
        return UnavailableError(f"{name}: {failed.message}")
    return ComponentError(f"{name}: {failed.message}")


def _name(job: Job) -> str:
    several = len(job.component.variants) > 1
    return f"{job.component.name} ({job.variant})" if several else job.component.name


def _how_it_died(process: subprocess.Popen[bytes]) -> str:
    try:
        status = process.wait(timeout=5.0)
    except subprocess.TimeoutExpired:
        return "closed its connection"
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
    return f"died by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _tail(log: Path, start: int) -> str:
    """The last lines that this worker wrote, for the end of a message."""
    with log.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(start, size - _LOG_TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    # A traceback is in the log for those who want it; its place is in the message already.
    begin = next((place for place, line in enumerate(lines) if line.startswith("Traceback ")), len(lines))
    printable = ["".join(c if c.isprintable() else "?" for c in line)[:200] for line in lines[:begin][-_LOG_LINES:]]
    return "\n  last it printed:\n" + "\n".join(f"    {line}" for line in printable) if printable else ""
