"""Takes one rank of a running job out of its process: the job's side of `_leaving.py`. Called by the job.

Other ranks are not stopped: their messages wait in the memory that they share with the rank, which stays.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple

from ecotone.core.errors import ConflictError, EcotoneError, UnavailableError
from ecotone.execution.cells._libc import futex_wake
from ecotone.execution.cells._passage import ASKED, LEAVE, LEAVE_NODE, LEFT, MESSAGE, REFUSED
from ecotone.execution.cells._region import Region

__all__ = ["LEAVE_MOST_S", "Gate", "MoveRefusedError", "NoSafePointError", "StuckError"]

LOOK_AROUND = 4
"""The word `stop` that asks for nothing but a look at who is still on this node."""
LEAVE_MOST_S = 120.0
"""For 4 GiB of memory and the slowest of machines."""
_MESSAGE_MOST = 4096
_WAKE_EVERY_S = 0.005  # a rank may look for messages just before it is called, and sleep just after
_ROUND_MASK = (1 << 30) - 1


class NoSafePointError(UnavailableError):
    """The rank has not come to a safe point in time; it goes on as if it had not been asked."""


class MoveRefusedError(EcotoneError):
    """The rank cannot leave its process; the message says why. It goes on."""


class StuckError(UnavailableError):
    """The rank has neither left nor said that it stays."""


class _Answer(NamedTuple):
    kind: int
    reason: str
    snapshot: int
    """-1 if there is none."""


class Gate:
    """By which ranks leave: one for the ranks of a job on a node.

    Args:
        region: the memory that these ranks share.
        bells: events that wake them, by place, if they sleep on events.

    Attributes:
        theirs: the end of the socket that the ranks have.
    """

    def __init__(self, region: Region, bells: Sequence[int] = ()) -> None:
        self._region = region
        self._bells = bells
        self._mine, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._mine.setblocking(False)
        self._mapped: mmap.mmap | None = None
        self._round = 0

    def descriptors(self) -> list[int]:
        """What a process that is none of the ranks has no use for."""
        return [self._mine.fileno(), self.theirs.fileno()]

    def close(self) -> None:
        """Nobody can leave any more."""
        self._mine.close()
        self.theirs.close()
        if self._mapped is not None:
            self._mapped.close()

    @property
    def _address(self) -> int:
        """Where the memory lies in this process, which needs it only if a rank leaves."""
        if self._mapped is None:
            self._mapped = mmap.mmap(self._region.descriptor, self._region.bell_offset(len(self._region.ranks)))
        return ctypes.addressof(ctypes.c_char.from_buffer(self._mapped))

    def take_out(
        self, rank: int, ended: int, timeout_s: float, *, leave_node: bool = False, leave_max_s: float = LEAVE_MOST_S
    ) -> int:
        """Calls a rank to its next safe point and takes it out there.

        Args:
            rank: of the job.
            ended: descriptor that is readable when the rank's process has ended.
            timeout_s: how long to wait for the safe point.
            leave_max_s: how long taking out itself may take.
            leave_node: whether the snapshot also has the messages on their way, as it must if it is resumed on another
                node.

        Returns:
            A file descriptor of the snapshot, which the caller closes. The process is about to end.

        Raises:
            ConflictError: the rank has ended.
            MoveRefusedError: it cannot leave.
            NoSafePointError: it makes no MPI call.
            StuckError: it takes too long to leave; the caller ends its process, which may leave at any time.
        """
        place = self._region.ranks.index(rank)
        self._drain()
        self._round = (self._round + 1) & _ROUND_MASK
        asked = self._round << 2 | ASKED
        try:
            self._call(place, asked)
            self._raise_refusal(rank, self._answer(place, rank, asked, ended, timeout_s))
            word = self._round << 2 | (LEAVE_NODE if leave_node else LEAVE)
            self._call(place, word)
            try:
                answer = self._answer(place, rank, word, ended, leave_max_s)
            except NoSafePointError:
                raise StuckError(f"rank {rank} was about to leave its process, and has not done so in time") from None
            self._raise_refusal(rank, answer)
            assert answer.kind == LEFT
            return answer.snapshot
        finally:
            self._call(place, LOOK_AROUND)  # not 0: another rank may have left in the meantime

    def _call(self, place: int, word: int) -> None:
        self._region.ask_to_stop(place, word)
        futex_wake(self._address + self._region.stop_offset(place))
        self._wake(place)

    def _wake(self, place: int) -> None:
        if self._bells:
            os.eventfd_write(self._bells[place], 1)
        futex_wake(self._address + self._region.bell_offset(place))

    def _raise_refusal(self, rank: int, answer: _Answer) -> None:
        if answer.kind == REFUSED:
            raise MoveRefusedError(f"rank {rank} cannot leave its process: {answer.reason}")

    def _answer(self, place: int, rank: int, word: int, ended: int, timeout_s: float | None) -> _Answer:
        poll = select.poll()
        poll.register(self._mine, select.POLLIN)
        poll.register(ended, select.POLLIN)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(_WAKE_EVERY_S * 1000)}
            while answer := self._receive(rank, word):
                if answer.kind >= 0:
                    return answer
            if ended in ready:
                raise ConflictError(f"rank {rank} has ended before it could leave its process")
            if deadline is not None and time.monotonic() >= deadline:
                raise NoSafePointError(
                    f"rank {rank} has reached no safe point within {timeout_s} s: it makes no MPI call; it goes on"
                )
            self._wake(place)

    def _receive(self, rank: int, word: int) -> _Answer | None:
        """What a rank has said; of kind -1 if it answers another question, None if nothing is there."""
        try:
            data, snapshots, _, _ = socket.recv_fds(self._mine, _MESSAGE_MOST, 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        kind, speaker, answered = MESSAGE.unpack_from(data)
        snapshot = snapshots[0] if snapshots else -1
        if (speaker, answered) != (rank, word):
            if snapshot >= 0:
                os.close(snapshot)
            return _Answer(-1, "", -1)
        return _Answer(kind, data[MESSAGE.size :].decode(errors="replace"), snapshot)

    def _drain(self) -> None:
        while self._receive(-1, 0):
            pass
