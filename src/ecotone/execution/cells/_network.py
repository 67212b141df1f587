"""A job whose ranks are on several nodes, seen from the one that launches it; and what it and its parts say.

Called by whoever runs a job on several nodes: it makes a `Launcher`, starts one part on each node (`_node.py`) with
what `Launcher.part` gives, and waits in `Launcher.run`. The parts meet at the launcher, which tells everybody where the
ranks are called. From then on it hears how ranks end, and ends the job everywhere when one ends badly, a part dies, or
nothing is heard of it. Parts stay until the launcher hangs up, so that nothing they have said is lost.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from ecotone.core.errors import InputError
from ecotone.execution.cells._door import Credentials, Door, Greeting, Identity
from ecotone.execution.cells._wires import Address, Order
from ecotone.execution.cells.interface import RANKS_MOST, Job, JobResult, RankEnd

__all__ = [
    "Beat", "Begin", "Channel", "Ended", "Joined", "Launcher", "Listening", "Part", "Stop", "ToLauncher", "ToPart",
    "new_token",
]  # fmt: skip

BEAT_S = 1.0
_LINE_MOST = 1 << 22
_PORT_MOST = 65535


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done on one node."""

    job: Job
    """The whole job; its descriptors are those of the process that runs the part."""
    ranks: tuple[int, ...]
    """Those of this node."""
    host: str
    """Name or address of this node for the others; its ranks are called there."""
    credentials: Credentials
    meeting: Address
    """Of the launcher."""
    streams: dict[int, tuple[int, int]] = {}
    """Descriptors for the output of ranks that have their own, of the process that runs the part."""
    silence_max_s: float = 10.0
    """A launcher of which nothing is heard for so long is taken to be gone."""


class Joined(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A part has come; its ranks are called at these ports."""

    host: str
    ports: dict[int, int]


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A rank has ended."""

    end: RankEnd


class Listening(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A rank is called at another port now."""

    rank: int
    port: int


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A part cannot be started."""

    reason: str


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All is well."""


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All parts have come: start the ranks."""

    addresses: dict[int, Address]


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Kill the ranks that still run."""

    reason: str


class Tell(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """For a rank of this part, or all of them if `to` is negative."""

    order: Order
    to: int = -1


ToLauncher = Joined | Ended | Listening | Failed | Beat
ToPart = Begin | Stop | Tell | Beat


def new_token() -> bytes:
    """For one job."""
    return secrets.token_bytes(32)


class Channel:
    """Messages in lines over a connection; never blocks for reading, and for writing not for long."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self._over = ""
        self.heard_at = time.monotonic()
        connection.settimeout(0)

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, message: msgspec.Struct) -> None:
        """Raises OSError if the connection is lost, or takes nothing for ten seconds."""
        self._connection.settimeout(10.0)
        try:
            self._connection.sendall(msgspec.json.encode(message) + b"\n")
        finally:
            self._connection.settimeout(0)

    def receive(self) -> list[bytes]:
        """The lines that have come; also the last that were said by one who has gone.

        Raises:
            ConnectionError: the other side has gone, and there is nothing more of it.
        """
        lines: list[bytes] = []
        while not self._over:
            try:
                part = self._connection.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return lines
            except OSError as error:
                self._over = str(error)
                break
            if part:
                self.heard_at = time.monotonic()
                *whole, self._rest = (self._rest + part).split(b"\n")
                lines += whole
            if len(self._rest) > _LINE_MOST:
                self._over = "a message is too long"
            elif not part:
                self._over = "the connection was closed"
        if not lines:
            raise ConnectionResetError(self._over)
        return lines

    def close(self) -> None:
        self._connection.close()


class _WrongMessageError(Exception):
    """A part says what cannot be: it is not ours, or has a bug."""


class _Node:
    """One part, seen from the launcher."""

    def __init__(self, name: str, ranks: tuple[int, ...]) -> None:
        self.name = name
        self.left = set(ranks)
        self.ranks = ranks
        self.channel: Channel | None = None
        self.host = ""
        self.ports: dict[int, int] = {}


class Launcher:
    """One job on several nodes.

    Args:
        job: the whole job.
        nodes: the ranks of each node, by its name.
        node: the name of the node on which this runs.
        host: name or address of this node for the others.
        identity: of this node; then all connections are encrypted, and parts need identities too.
        gather_max_s: how long parts may take to come.
        silence_max_s: a part of which nothing is heard for so long is taken to be gone.

    Raises:
        InputError: the ranks of the nodes are not those of the job, each once.
    """

    def __init__(
        self,
        job: Job,
        nodes: Mapping[str, tuple[int, ...]],
        *,
        node: str = "launcher",
        host: str = "127.0.0.1",
        identity: Identity | None = None,
        gather_max_s: float = 60.0,
        silence_max_s: float = 10.0,
    ) -> None:
        wanted = sorted(rank for ranks in nodes.values() for rank in ranks)
        if wanted != list(range(job.ranks)) or not 1 <= job.ranks <= RANKS_MOST:
            raise InputError(f"ranks 0 to {job.ranks - 1}, {RANKS_MOST} at most, must each be on one node: {wanted}")
        self._job = job
        self._nodes = {name: _Node(name, tuple(ranks)) for name, ranks in nodes.items() if ranks}
        self._credentials = Credentials(job=secrets.token_hex(8), token=new_token(), node=node, identity=identity)
        self._door = Door(self._credentials)
        self._listener = socket.create_server((host, 0), backlog=128)
        self._meeting = Address(node=node, host=host, port=self._listener.getsockname()[1])
        self._gather_max_s = gather_max_s
        self._silence_max_s = silence_max_s
        self._addresses: dict[int, Address] = {}
        self._ends: dict[int, RankEnd] = {}
        self._first: RankEnd | None = None
        self._stopped = ""
        self._begun = False
        self._poll = select.poll()
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._tasks: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()  # of what other threads may use until it is closed
        self._closed = False

    def part(
        self,
        node: str,
        host: str,
        identity: Identity | None = None,
        streams: Mapping[int, tuple[int, int]] | None = None,
    ) -> Part:
        """What is to be run on a node (`run_part`, or `python -m ecotone.execution.cells._node`).

        Args:
            node: its name.
            host: its name or address for the others.
            identity: of that node, with paths that hold there.
            streams: descriptors for the output of ranks that have their own, of the process that runs the part.
        """
        return Part(
            job=self._job,
            ranks=self._nodes[node].ranks,
            host=host,
            credentials=msgspec.structs.replace(self._credentials, node=node, identity=identity),
            meeting=self._meeting,
            streams=dict(streams or {}),
            silence_max_s=self._silence_max_s,
        )

    def move_listener(self, rank: int) -> None:
        """A rank gives up all its connections and is called elsewhere, while it runs. From any thread."""
        self._later(lambda: self._tell(self._node_of(rank), Tell(order=Order(rank=rank), to=rank)))

    def stop(self, reason: str) -> None:
        """Ends the job everywhere. From any thread."""
        self._later(lambda: self._stop(reason))

    def run(self) -> JobResult:
        """Waits for all parts, lets them begin, and waits for the end of the job.

        Returns:
            How it ended; ranks of a node that was lost have the exit code 137.
        """
        threading.Thread(target=self._keep_door, daemon=True).start()
        self._poll.register(self._event, select.POLLIN)
        began = time.monotonic()
        beat_at = 0.0
        try:
            while any(node.left for node in self._nodes.values()):
                now = time.monotonic()
                if now >= beat_at:
                    late_s = now - beat_at if beat_at else 0.0  # this process was stopped: no part is to blame
                    beat_at = now + BEAT_S
                    began += late_s
                    self._turn(0)
                    self._look_after(now - began, late_s)
                self._turn(max(0.0, beat_at - time.monotonic()))
        finally:
            self._close()
        return JobResult(ends=tuple(self._ends[rank] for rank in sorted(self._ends)), first=self._first)

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            os.close(self._event)
        while self._tasks:
            self._tasks.popleft()()  # those who come now are sent away
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the thread at the door
        self._listener.close()
        for node in self._nodes.values():
            if node.channel:
                node.channel.close()

    def _turn(self, wait_s: float) -> None:
        by_descriptor = {node.channel.fileno(): node for node in self._nodes.values() if node.channel}
        for descriptor, _ in self._poll.poll(wait_s * 1000):
            if descriptor == self._event:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._event)
                while self._tasks:
                    self._tasks.popleft()()
            elif descriptor in by_descriptor:
                self._listen_to(by_descriptor[descriptor])

    def _later(self, task: Callable[[], None]) -> bool:
        """From any thread; False if the job has ended."""
        with self._lock:
            if not self._closed:
                self._tasks.append(task)
                os.eventfd_write(self._event, 1)
            return not self._closed

    def _keep_door(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            self._door.wait_for_room()
            self._door.answer_in_thread(caller, self._take_in)

    def _take_in(self, connection: socket.socket, greeting: Greeting) -> None:
        if not self._later(lambda: self._join(greeting.node, connection)):
            connection.close()

    def _join(self, name: str, connection: socket.socket) -> None:
        node = self._nodes.get(name)
        if node is None or node.channel or self._closed:
            connection.close()
            return
        node.channel = Channel(connection)
        self._poll.register(connection, select.POLLIN)
        if self._stopped:
            self._tell(node, Stop(reason=self._stopped))
        self._listen_to(node)

    def _listen_to(self, node: _Node) -> None:
        if node.channel is None:  # lost meanwhile
            return
        try:
            lines = node.channel.receive()
        except OSError as error:
            self._lose(node, f"was lost: {error}" if node.ports else f"could not be started: {error}")
            return
        for line in lines:
            if not self._hear_line(node, line):
                return

    def _hear_line(self, node: _Node, line: bytes) -> bool:
        """False if the node was lost by what it has said."""
        try:
            self._hear(node, msgspec.json.decode(line, type=ToLauncher))
        except (msgspec.MsgspecError, UnicodeDecodeError, _WrongMessageError) as error:
            self._lose(node, f"was lost: it says what it cannot say: {error}")
        return node.channel is not None

    def _hear(self, node: _Node, message: ToLauncher) -> None:
        wrong = self._what_is_wrong(node, message)
        if wrong:
            raise _WrongMessageError(wrong)
        match message:
            case Joined():
                node.host, node.ports = message.host, message.ports
                self._begin_if_all_are_here()
            case Ended():
                self._note(node, message.end)
            case Listening():
                self._announce(node, message.rank, message.port)
            case Failed():
                self._lose(node, f"could not be started: {message.reason}")
            case Beat():
                pass

    def _what_is_wrong(self, node: _Node, message: ToLauncher) -> str:
        match message:
            case Joined():
                is_right = not node.ports and sorted(message.ports) == sorted(node.ranks)
                is_right = is_right and all(0 < port <= _PORT_MOST for port in message.ports.values())
                return "" if is_right else f"its ranks are called at {message.ports}"
            case Ended():
                return "" if message.end.rank in node.left else f"rank {message.end.rank} has ended"
            case Listening():
                is_right = self._begun and message.rank in node.ranks and 0 < message.port <= _PORT_MOST
                return "" if is_right else f"rank {message.rank} is called at port {message.port}"
            case _:
                return ""

    def _begin_if_all_are_here(self) -> None:
        if self._stopped or not all(node.ports for node in self._nodes.values()):
            return
        for node in self._nodes.values():
            for rank, port in node.ports.items():
                self._addresses[rank] = Address(node=node.name, host=node.host, port=port)
        self._begun = True
        self._tell_all(Begin(addresses=self._addresses))

    def _announce(self, node: _Node, rank: int, port: int) -> None:
        epoch = self._addresses[rank].epoch + 1
        address = Address(node=node.name, host=node.host, port=port, epoch=epoch)
        self._addresses[rank] = address
        self._tell_all(Tell(order=Order(rank=rank, address=address)))

    def _note(self, node: _Node, end: RankEnd) -> None:
        node.left.discard(end.rank)
        self._ends[end.rank] = end
        if end.exit_code == 0:
            self._tell_all(Tell(order=Order(rank=end.rank, ended=True)))
        elif self._first is None:
            self._first = end
            self._stop(f"ended because rank {end.rank} on node {node.name} had: {end.reason}")

    def _look_after(self, waited_s: float, late_s: float) -> None:
        if not self._begun and not self._stopped and waited_s > self._gather_max_s:
            missing = [node for node in self._nodes.values() if not node.ports]
            for node in missing:
                self._lose(node, f"did not come within {self._gather_max_s} s")
        for node in self._nodes.values():
            if node.channel is None:
                continue
            silence_s = time.monotonic() - node.channel.heard_at - late_s
            if node.left and silence_s > self._silence_max_s:
                self._lose(node, f"was lost: nothing was heard of it for {silence_s:.0f} s")
            else:
                self._tell(node, Beat())

    def _lose(self, node: _Node, how: str) -> None:
        """A part is gone: its ranks have ended, and so does the job, unless they had ended before."""
        if node.channel:
            self._poll.unregister(node.channel)
            node.channel.close()
            node.channel = None
        left, node.left = sorted(node.left), set[int]()
        for rank in left:
            end = RankEnd(rank=rank, exit_code=137, reason=f"node {node.name} {how}")
            self._ends[rank] = end
            if self._first is None:
                self._first = end
        if left:
            self._stop(f"ended because node {node.name} {how}")

    def _stop(self, reason: str) -> None:
        if self._stopped:
            return
        self._stopped = reason
        self._tell_all(Stop(reason=reason))
        for node in self._nodes.values():
            if not self._begun:  # no rank has been started anywhere
                for rank in node.left:
                    self._ends[rank] = RankEnd(rank=rank, exit_code=137, reason=reason)
                node.left.clear()
            elif node.channel is None and node.left:
                self._lose(node, "was not there")

    def _node_of(self, rank: int) -> _Node:
        return next(node for node in self._nodes.values() if rank in node.ranks)

    def _tell_all(self, message: ToPart) -> None:
        for node in self._nodes.values():
            self._tell(node, message)

    def _tell(self, node: _Node, message: ToPart) -> None:
        if node.channel is None:
            return
        try:
            node.channel.send(message)
        except OSError as error:
            if node.left:
                self._lose(node, f"was lost: {error}")
