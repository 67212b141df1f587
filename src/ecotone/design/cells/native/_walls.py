"""What keeps a compiler of untrusted code in its folder. Called by `_worker.py`, in its own process, once.

Landlock, where the kernel has it, lets only the folder be written, and only what the compilers need be read. Else a
mount namespace lets only the folder be written, and all is read that the user can read. A filter of system calls takes
away the network, other processes, and changes to the metadata of files; capabilities are dropped; limits of the process
bound memory, time and files. Children inherit all of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from ecotone.design.cells.native._calls import refuse_calls

__all__ = ["die_with", "landlock", "landlock_version", "only_here", "raise_walls"]

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_NICE = 19
_FILES_MOST = 256
_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/nix", "/opt", "/sys/devices/system/cpu"),
    *("/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ld-musl-x86_64.path", "/etc/ld-musl-aarch64.path"),
    *("/etc/localtime", "/proc/self", "/proc/cpuinfo", "/proc/meminfo"),
)

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38


def die_with(parent: int) -> None:
    """This process is killed when its parent ends; call it in a child, before it runs another program."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def raise_walls(
    folder: Path, readable: Sequence[str], memory_bytes: int, cpu_s: int, file_bytes: int
) -> tuple[str, ...]:
    """Shuts this process and its children in.

    Args:
        folder: which alone can be written.
        readable: folders that can be read, apart from those of the system and of Python.
        memory_bytes: of each process.
        cpu_s: of each process.
        file_bytes: of each file.

    Returns:
        Which walls this system does not have.
    """
    os.nice(_NICE)
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, _FILES_MOST),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(limit)
        least = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (least, least))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails, and its reason is told
    missing: list[str] = []
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if not landlock(folder, readable):
        around = "what can be read (Landlock)" if only_here(folder) else "files (Landlock, or user namespaces)"
        missing.append(f"a wall around {around}")
    if not _drop_capabilities():
        missing.append("a process without capabilities")
    if not refuse_calls():
        missing.append("a wall to the network and to other processes (seccomp)")
    return tuple(missing)


# ---- Files: Landlock ----

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER, _REMOVE_FOLDER = 1, 2, 4, 8, 16
_ALL_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many rights there are to files
_NETWORK_SINCE, _NETWORK = 4, 3  # binding and connecting
_SCOPE_SINCE, _SCOPE = 6, 3  # sockets without a file, and signals to processes that are not behind the same walls


def landlock_version() -> int:
    """What the kernel has of Landlock; 0 if nothing."""
    version = _libc.syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    return max(0, version)


def landlock(folder: Path, readable: Sequence[str]) -> bool:
    """Lets this process write to the folder alone, and read what it needs; false if the kernel cannot."""
    version = landlock_version()
    if not version:
        return False
    rights = (1 << _ALL_OF_VERSION.get(version, 16)) - 1
    handled = struct.pack("=QQQ", rights, _NETWORK, _SCOPE)
    size = 24 if version >= _SCOPE_SINCE else 16 if version >= _NETWORK_SINCE else 8
    rules = _libc.syscall(ctypes.c_long(_CREATE_RULESET), handled, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if rules < 0:
        return False
    try:
        to_read = [*_SYSTEM, sys.prefix, sys.base_prefix, *readable]
        for path in to_read:
            _allow(rules, path, _EXECUTE | _READ_FILE | (_READ_FOLDER if Path(path).is_dir() else 0))
        _allow(rules, "/dev/null", _WRITE_FILE | _READ_FILE)
        _allow(rules, "/dev/urandom", _READ_FILE)
        _allow(rules, str(folder.parent), _REMOVE_FOLDER)  # so that an empty one can be cleared away
        if not _allow(rules, str(folder), rights):
            return False
        return _libc.syscall(ctypes.c_long(_RESTRICT_SELF), ctypes.c_int(rules), ctypes.c_uint32(0)) == 0
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> bool:
    with contextlib.suppress(OSError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = struct.pack("=Qi", rights, place)
            added = _libc.syscall(
                ctypes.c_long(_ADD_RULE), ctypes.c_int(rules), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0)
            )
            return added == 0
        finally:
            os.close(place)
    return False


# ---- Files: a mount namespace ----

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_PRIVATE_BELOW, _BIND = 0x44000, 0x1000
_MOUNT_SETATTR, _HERE, _ALL_BELOW, _READ_ONLY = 442, -100, 0x8000, 1


def only_here(folder: Path) -> bool:
    """Makes all but the folder read-only for this process; false if it may not."""
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(_NEW_MOUNTS | (_NEW_USERS if user else 0)):
        return False
    if user:
        try:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        except OSError:
            return False
    own = os.fsencode(folder)
    return (
        _libc.mount(None, b"/", None, ctypes.c_ulong(_PRIVATE_BELOW), None) == 0
        and _libc.mount(own, own, None, ctypes.c_ulong(_BIND), None) == 0
        and _set_mount(b"/", _ALL_BELOW, set_flags=_READ_ONLY)
        and _set_mount(own, 0, clear_flags=_READ_ONLY)
    )


def _set_mount(path: bytes, how: int, *, set_flags: int = 0, clear_flags: int = 0) -> bool:
    attributes = struct.pack("=QQQQ", set_flags, clear_flags, 0, 0)
    done = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR), ctypes.c_int(_HERE), path, ctypes.c_uint(how), attributes,
        ctypes.c_size_t(len(attributes)),
    )  # fmt: skip
    return done == 0


# ---- Capabilities ----

_CAPABILITIES_VERSION, _CAPABILITIES_MOST = 0x20080522, 64
_READ_ALL = 1 << 2  # kept, if root has it: Python may lie in a folder of another user


def _drop_capabilities() -> bool:
    """What root may do, and what a namespace of users gives, is given up for good; false if it cannot be."""
    for number in range(_CAPABILITIES_MOST):
        if 1 << number != _READ_ALL:
            _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0)  # only who has any may
    header, held = struct.pack("=Ii", _CAPABILITIES_VERSION, 0), ctypes.create_string_buffer(24)
    if _libc.capget(header, held):
        return False
    keep = struct.unpack("=6I", held.raw)[1] & _READ_ALL
    return _libc.capset(header, struct.pack("=6I", keep, keep, 0, 0, 0, 0)) == 0
