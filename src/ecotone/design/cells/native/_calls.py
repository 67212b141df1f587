"""System calls that a compiler of untrusted code has no use for, refused by a filter. Called by `_walls.py`.

No sockets, by `io_uring` neither; nothing with other processes, shared memory, keys, namespaces and mounts; and no
change of the owner, the mode, the times or the attributes of files, which Landlock does not look at.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

__all__ = ["refuse_calls", "refuse_signals"]

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_SECCOMP, _SECCOMP_FILTER = 22, 2
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_MACHINE, _AT_ARGUMENTS = 0, 4, 16
_REFUSE, _UNKNOWN, _ALLOW, _KILL = 0x00050001, 0x00050026, 0x7FFF0000, 0x80000000  # with EPERM, with ENOSYS
_OTHER_NUMBERS = 0x40000000  # of x86: a second set of numbers for the same calls
_NAMESPACES = 0x7E020000  # in the flags of clone
_CLONE_3 = 435  # its flags cannot be seen; libraries use clone then
_Steps = list[tuple[int, int, int, int]]

_EVERYWHERE = [
    *(425, 426, 427),  # io_uring_setup, _enter, _register
    *(428, 429, 430, 431, 432, 433, 442),  # open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
    *(438, 440, 452, 463, 466),  # pidfd_getfd, process_madvise, fchmodat2, setxattrat, removexattrat
]
_X86 = [
    *(41, 42, 43, 44, 46, 49, 50, 53, 288, 307),  # sockets
    *(101, 310, 311, 312, 298, 321, 323),  # ptrace, process_vm_*, kcmp, perf_event_open, bpf, userfaultfd
    *(29, 30, 31, 64, 65, 66, 220, 68, 69, 70, 71, 240),  # shm*, sem*, msg*, mq_open
    *(248, 249, 250),  # keys
    *(272, 308, 155, 161, 165, 166, 304),  # unshare, setns, pivot_root, chroot, mount, umount2, open_by_handle_at
    *(90, 91, 268, 92, 93, 94, 260),  # chmod, chown
    *(132, 235, 261, 280),  # times
    *(188, 189, 190, 197, 198, 199),  # attributes
    *(142, 144, 314, 251, 256, 279),  # scheduling, and memory of other processes
]
_ARM = [
    *(198, 203, 202, 206, 211, 200, 201, 199, 242, 269),
    *(117, 270, 271, 272, 241, 280, 282),
    *(194, 195, 196, 190, 191, 192, 193, 186, 187, 188, 189, 180),
    *(217, 218, 219),
    *(97, 268, 41, 51, 40, 39, 265),
    *(52, 53, 54, 55),
    *(88,),
    *(5, 6, 7, 14, 15, 16),
    *(118, 119, 274, 30, 238, 239),
]
# By machine: what the kernel calls it, what is refused, clone, what is refused unless an argument is 0 (this process:
# prlimit64, sched_setaffinity, setpriority), and what sends signals.
_MACHINES: dict[str, tuple[int, Sequence[int], int, Sequence[tuple[int, int]], Sequence[int]]] = {
    "x86_64": (0xC000003E, _X86, 56, ((302, 0), (203, 0), (141, 1)), (62, 200, 129, 297, 424)),
    "aarch64": (0xC00000B7, _ARM, 220, ((261, 0), (122, 0), (140, 1)), (129, 130, 138, 240, 424)),
}


class _Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def refuse_calls() -> bool:
    """Refuses them to this process and its children; false if the system cannot."""
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    name, refused, clone, own_only, _ = machine
    steps: _Steps = [
        *[(_LOAD, 0, 0, _AT_MACHINE), (_JUMP_EQUAL, 1, 0, name), (_RETURN, 0, 0, _KILL)],
        *[(_LOAD, 0, 0, _AT_NUMBER), (_JUMP_AT_LEAST, 0, 1, _OTHER_NUMBERS), (_RETURN, 0, 0, _REFUSE)],
        *[(_JUMP_EQUAL, 0, 1, _CLONE_3), (_RETURN, 0, 0, _UNKNOWN)],
        *_refusing([*_EVERYWHERE, *refused]),
        *_looking(clone, 0, (_JUMP_IF_SET, 1, 0, _NAMESPACES)),
    ]
    for number, argument in own_only:
        steps += _looking(number, argument, (_JUMP_EQUAL, 0, 1, 0))
    return _install([*steps, (_RETURN, 0, 0, _ALLOW)])


def refuse_signals() -> bool:
    """Refuses signals to other processes to this one and its children, behind `refuse_calls`."""
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    return _install([(_LOAD, 0, 0, _AT_NUMBER), *_refusing(machine[4]), (_RETURN, 0, 0, _ALLOW)])


def _refusing(numbers: Sequence[int]) -> _Steps:
    return [step for number in numbers for step in ((_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE))]


def _looking(number: int, argument: int, test: tuple[int, int, int, int]) -> _Steps:
    """Refuses a call if a test of the lower half of an argument jumps over one step."""
    return [
        (_JUMP_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _AT_ARGUMENTS + 8 * argument),
        test,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def _install(steps: _Steps) -> bool:
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    return _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(_Filter(len(steps), code)), 0, 0) == 0
