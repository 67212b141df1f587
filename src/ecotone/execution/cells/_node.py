"""The part of a job that is on one node: `python -m ecotone.execution.cells._node`, with a `Part` on standard input.

Called where a job's ranks shall run, by what starts things there; agents call `run_part` in a process that they have
forked. It meets the launcher, starts its ranks, passes orders to them, and tells how they end. If the launcher is gone,
or nothing is heard of it, the ranks are killed: nothing is left behind.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time
from pathlib import Path

import msgspec

from ecotone.core.errors import EcotoneError, UnavailableError
from ecotone.execution.cells._control import control_words
from ecotone.execution.cells._door import Door
from ecotone.execution.cells._network import (
    BEAT_S,
    Beat,
    Begin,
    Channel,
    Ended,
    Failed,
    Joined,
    Listening,
    Part,
    Stop,
    Tell,
    ToPart,
)
from ecotone.execution.cells._process import RankProcess, kill_all, start_rank
from ecotone.execution.cells._region import open_region
from ecotone.execution.cells._tier import code_of
from ecotone.execution.cells._wires import Address, Wiring
from ecotone.execution.cells.interface import as_path

__all__ = ["decode_part", "encode_part", "run_part"]

_ORDER_MOST = 4096
_MEET_LIMIT_S = 20.0
_REFUSED_LIMIT_S = 1.0


def encode_part(part: Part) -> bytes:
    """For another process or node."""
    return msgspec.json.encode(part, enc_hook=str)


def decode_part(data: bytes) -> Part:
    """Raises msgspec.ValidationError if it is not one."""
    return msgspec.json.decode(data, type=Part, dec_hook=as_path)


def run_part(part: Part) -> None:
    """Runs ranks to their end. This process must not run threads: it is forked for each rank.

    Raises:
        RefusedError: the launcher refuses this node.
        UnavailableError: the launcher cannot be reached.
    """
    channel = Channel(_call_launcher(part))
    try:
        running = _PartRun(part, channel)
    except (EcotoneError, OSError) as error:
        channel.send(Failed(reason=str(error)))
        channel.close()
        return
    running.run()


def _call_launcher(part: Part) -> socket.socket:
    """Calls until it is there: a part may be started while a network comes up. A port that is closed stays closed."""
    door, meeting = Door(part.credentials), part.meeting
    began = time.monotonic()
    while True:
        try:
            return door.call(meeting.node, (meeting.host, meeting.port))
        except OSError as error:
            limit_s = _REFUSED_LIMIT_S if isinstance(error, ConnectionRefusedError) else _MEET_LIMIT_S
            if time.monotonic() - began > limit_s:
                where = f"{meeting.node} ({meeting.host} port {meeting.port})"
                raise UnavailableError(f"the launcher of the job, {where}, cannot be reached: {error}") from error
            time.sleep(0.1)


class _PartRun:
    def __init__(self, part: Part, channel: Channel) -> None:
        self._part = part
        self._channel = channel
        self._compiled: Path = code_of(part.job)
        self._listeners = {rank: socket.create_server((part.host, 0), backlog=1024) for rank in part.ranks}
        self._ranks: dict[int, RankProcess] = {}  # by the descriptor that tells of the end
        self._orders: dict[int, socket.socket] = {}  # to each rank
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._killed = ""
        self._hung_up = False

    def run(self) -> None:
        ports = {rank: listener.getsockname()[1] for rank, listener in self._listeners.items()}
        self._channel.send(Joined(host=self._part.host, ports=ports))
        beat_at = time.monotonic() + BEAT_S
        try:
            while self._ranks or not self._hung_up:
                for descriptor, _ in self._poll.poll(max(0.0, beat_at - time.monotonic()) * 1000):
                    self._attend(descriptor)
                late_s = time.monotonic() - beat_at
                if late_s >= 0:
                    beat_at = time.monotonic() + BEAT_S
                    self._beat(late_s)
        finally:
            kill_all(self._ranks.values())
            for rank in self._ranks.values():
                rank.collect("")
            self._channel.close()

    def _attend(self, descriptor: int) -> None:
        if descriptor == self._channel.fileno():
            self._listen()
        elif descriptor in self._ranks:
            self._poll.unregister(descriptor)
            rank = self._ranks.pop(descriptor)
            orders = self._orders.pop(rank.rank)
            self._poll.unregister(orders)
            orders.close()
            self._say(Ended(end=rank.collect(self._killed)))
        else:
            for rank, orders in self._orders.items():
                if orders.fileno() == descriptor:
                    self._hear_rank(rank, orders)

    def _hear_rank(self, rank: int, orders: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            data = orders.recv(_ORDER_MOST)
            if data:
                self._say(Listening(rank=rank, port=msgspec.json.decode(data, type=int)))
            else:
                self._poll.modify(orders, 0)  # it ends

    def _listen(self) -> None:
        try:
            lines = self._channel.receive()
        except OSError as error:
            self._poll.unregister(self._channel)
            self._hung_up = True
            self._kill(f"ended because the launcher was lost: {error}")
            return
        for line in lines:
            try:
                message: ToPart = msgspec.json.decode(line, type=ToPart)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._kill(f"ended because the launcher says what cannot be read: {error}")
                return
            match message:
                case Begin():
                    self._begin(message.addresses)
                case Stop():
                    self._kill(message.reason)
                case Tell():
                    self._tell(message)
                case Beat():
                    pass

    def _tell(self, message: Tell) -> None:
        data = msgspec.json.encode(message.order)
        for rank, orders in self._orders.items():
            if message.to in (-1, rank):
                with contextlib.suppress(OSError):  # it has ended
                    orders.send(data)

    def _beat(self, late_s: float) -> None:
        """So much later than it should be: this process was stopped, and the launcher is not to blame for that."""
        silence_s = time.monotonic() - self._channel.heard_at - late_s
        if silence_s > self._part.silence_max_s:
            self._hung_up = True
            self._kill(f"ended because nothing was heard of the launcher for {silence_s:.0f} s")
        if not self._hung_up:
            self._say(Beat())

    def _say(self, message: msgspec.Struct) -> None:
        try:
            self._channel.send(message)
        except OSError as error:
            self._hung_up = True
            self._kill(f"ended because the launcher was lost: {error}")

    def _kill(self, reason: str) -> None:
        self._killed = self._killed or reason
        kill_all(self._ranks.values())

    def _begin(self, addresses: dict[int, Address]) -> None:
        part = self._part
        control = control_words(part.job, len(part.ranks))
        region = open_region(part.ranks, part.job.ranks, len(os.sched_getaffinity(0)), control)
        bells = tuple(os.eventfd(0, os.EFD_CLOEXEC) for _ in part.ranks)
        try:
            for place, rank in enumerate(part.ranks):
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                wiring = Wiring(
                    credentials=part.credentials,
                    addresses=addresses,
                    listener=self._listeners[rank],
                    orders=theirs,
                    bell=bells[place],
                    foreign=(
                        ours,
                        *self._orders.values(),
                        *(self._listeners[each] for each in part.ranks if each != rank),
                    ),
                )
                stdout, stderr = part.streams.get(rank, (part.job.stdout, part.job.stderr))
                job = msgspec.structs.replace(part.job, stdout=stdout, stderr=stderr)
                process = start_rank(job, self._compiled, rank, region, wiring=wiring, bells=bells)
                theirs.close()
                self._orders[rank] = ours
                self._ranks[process.ended] = process
                self._poll.register(process.ended, select.POLLIN)
                self._poll.register(ours, select.POLLIN)
        finally:
            region.close()
            for descriptor in bells:
                os.close(descriptor)
            for listener in self._listeners.values():
                listener.close()


def main() -> int:
    """Exits with 1 if the launcher could not be met; how ranks end is the launcher's to tell."""
    part = decode_part(sys.stdin.buffer.read())
    try:
        run_part(part)
    except (EcotoneError, OSError) as error:
        sys.stderr.write(f"ecotone: node {part.credentials.node}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
