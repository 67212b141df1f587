"""Processes forked in advance: they wait to be told what to be, since forking takes longer than the rest of a start.

Called by the process that starts jobs for others (`_serving.py`). A spare ends with the process that has made it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterable
from typing import NoReturn

from ecotone.core.errors import UnavailableError
from ecotone.execution.cells._libc import die_with_parent, name_process

__all__ = ["ORDER_MOST", "Spare", "Work"]

ORDER_MOST = 1 << 20
"""Bytes of what a spare is told; the system takes less."""
_DESCRIPTORS_MOST = 8

Work = Callable[[bytes, list[int], socket.socket], None]
"""What a spare does with what it is told: the text, descriptors that are its own, and the way back to its parent."""


class Spare:
    """One process that waits.

    Args:
        work: what it does when it is told something; when that returns, it ends.
        others: descriptors of this process that are none of its business.
        ready: what it does before it waits.

    Attributes:
        pid: of the process.
        ended: descriptor that is readable when it has ended.
        link: to the process.

    Raises:
        UnavailableError: the system has no more processes or descriptors.
    """

    def __init__(self, work: Work, others: Iterable[int], ready: Callable[[], None] | None = None) -> None:
        parent = os.getpid()
        try:
            self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise UnavailableError(f"no process can be forked: {error.strerror}") from None
        try:
            self.pid = os.fork()
        except OSError as error:
            self.link.close()
            theirs.close()
            raise UnavailableError(f"no process can be forked: {error.strerror}") from None
        if self.pid == 0:
            _wait_and_work(theirs, parent, work, [self.link.fileno(), *others], ready)
        theirs.close()
        try:
            self.ended = os.pidfd_open(self.pid)
        except OSError as error:
            self.link.close()
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise UnavailableError(f"no process can be watched: {error.strerror}") from None

    def tell(self, order: bytes, descriptors: list[int]) -> None:
        """Say what it is to be; once.

        Raises:
            OSError: it has ended.
        """
        socket.send_fds(self.link, [order], descriptors)

    def kill(self) -> None:
        """Ends it; it is still to be buried. Idempotent."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.ended, signal.SIGKILL)

    def bury(self) -> None:
        """Ends it if it has not ended, waits until it has, and leaves nothing of it."""
        self.kill()
        os.waitpid(self.pid, 0)
        os.close(self.ended)
        self.link.close()


def _wait_and_work(
    link: socket.socket, parent: int, work: Work, others: list[int], ready: Callable[[], None] | None
) -> NoReturn:
    """In the child."""
    code = 1
    try:
        die_with_parent(signal.SIGKILL, parent)
        for each in others:
            os.close(each)
        if ready is not None:
            ready()
        name_process("cell-spare")
        order, descriptors, _, _ = socket.recv_fds(link, ORDER_MOST, _DESCRIPTORS_MOST, socket.MSG_CMSG_CLOEXEC)
        if order:
            work(order, descriptors, link)
        code = 0
    except BaseException:  # noqa: BLE001 - nothing of the child may run into the code of who has forked it
        traceback.print_exc()
    finally:
        os._exit(code)
