"""What keeps a compiler of untrusted code in its folder. Called by `_worker.py`, in its own process, once.

Landlock, where the kernel has it, else a mount namespace, lets only the folder be written; seccomp, else a network
namespace, takes the network away; limits of the process bound memory, time and files. Children inherit all of it.
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

__all__ = ["die_with", "raise_walls"]

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_NICE = 19
_FILES_MOST = 256
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc", "/proc", "/sys/devices/system/cpu", "/nix", "/opt")

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22
_SECCOMP_FILTER = 2


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
    if not _landlock(folder, readable):
        missing.append("a wall around files (Landlock)")
    if not _no_sockets():
        missing.append("a wall to the network (seccomp)")
    return tuple(missing)


# ---- Files: Landlock ----

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_ALL_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many rights there are to files
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE
_NETWORK_SINCE, _NETWORK = 4, 3  # binding and connecting


def _landlock(folder: Path, readable: Sequence[str]) -> bool:
    version = _libc.syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    if version < 1:
        return False
    rights = (1 << _ALL_OF_VERSION.get(version, 16)) - 1
    network = _NETWORK if version >= _NETWORK_SINCE else 0
    handled = struct.pack("=QQ", rights, network)
    size = len(handled) if network else 8
    rules = _libc.syscall(ctypes.c_long(_CREATE_RULESET), handled, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if rules < 0:
        return False
    try:
        to_read = [*_SYSTEM, sys.prefix, sys.base_prefix, *readable]
        for path in to_read:
            _allow(rules, path, _EXECUTE | _READ_FILE | _READ_FOLDER)
        _allow(rules, "/dev/null", _WRITE_FILE | _READ_FILE)
        _allow(rules, "/dev/urandom", _READ_FILE)
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


# ---- The network: a filter of system calls ----

# By machine: what the kernel calls it, and the numbers of socket, connect and ptrace.
_MACHINES = {"x86_64": (0xC000003E, (41, 42, 101)), "aarch64": (0xC00000B7, (198, 203, 117))}
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_AT_NUMBER, _AT_MACHINE = 0, 4
_REFUSE, _ALLOW, _KILL = 0x00050001, 0x7FFF0000, 0x80000000  # refuse: with EPERM
_OTHER_NUMBERS = 0x40000000  # of x86: a second set of numbers for the same calls


class _Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def _no_sockets() -> bool:
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    name, refused = machine
    steps = [(_LOAD, 0, 0, _AT_MACHINE), (_JUMP_EQUAL, 1, 0, name), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _AT_NUMBER)]
    steps += [(_JUMP_AT_LEAST, len(refused) + 1, 0, _OTHER_NUMBERS)]
    for at, number in enumerate(refused):
        steps.append((_JUMP_EQUAL, len(refused) - at, 0, number))
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    return _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(_Filter(len(steps), code)), 0, 0) == 0
