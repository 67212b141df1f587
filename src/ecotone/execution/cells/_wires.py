"""Wires: TCP connections from one rank to the ranks of other nodes. Called by the host functions of a cell.

For each peer the cell has two rings in its memory (`struct ring` in `transport.h`), and a rank has two connections: it
calls the peer to send, and is called to receive. What is sent is the plain stream of bytes; on the way back come pairs
of numbers: how far the receiver has got, and its credit. The first pair after a call says where to begin. Bytes stay in
the sender's ring until the pair says that they are in the receiver's memory, so a connection may break at any moment,
and either side may move: nothing is lost or comes twice. Nothing but the sockets is outside of the cell's memory.

Greetings take place in threads, since the rank may be computing; finished connections are handed over in `_arrived`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import msgspec

from ecotone.execution.cells._door import Credentials, Door, Greeting, RefusedError
from ecotone.execution.cells._region import RING_HEAD

__all__ = ["Address", "Order", "Wires", "Wiring"]

# 32-bit words of `struct ring`.
_TAIL, _HEAD, _CONSUMED = 0, 16, 18
_SENT = 19  # host: of the bytes to send, how far they have been given to the connection
_TOLD, _TOLD_CONSUMED = 19, 20  # host: what the sender has been told
_WORDS = RING_HEAD // 4
_MASK = 0xFFFFFFFF
_PAIR = struct.Struct("<II")
_READ_MOST = 256 * 1024  # at once: stays in the processor's cache until the cell takes it
_CREDIT_STEP = 128 * 1024
_DRY_TURNS = 64
_RETRY_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_PATIENCE_S = 30.0
_ROOM_WAIT_S = 0.05  # then it is looked whether there are orders
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a rank is called."""

    node: str
    host: str
    port: int
    epoch: int = 0
    """Grows each time the rank moves: the larger one is right."""


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a running rank is told: another has a new address, or has ended; or, about itself, to take a new one."""

    rank: int
    address: Address | None = None
    ended: bool = False
    """It needs nothing any more, whether or not it has said so."""


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """All that a rank needs to reach others and to be reached."""

    credentials: Credentials
    addresses: dict[int, Address]
    """Of all ranks of the job."""
    listener: socket.socket
    """Where this rank is called."""
    orders: socket.socket
    """From the part of the job that started it: an `Order` in each message. Ports taken anew are answered."""
    bell: int
    """Event that wakes this rank."""
    foreign: tuple[socket.socket, ...] = ()
    """What the forked process had for other ranks: closed here, for a port is called in vain while anyone holds it."""


class _Sending:
    def __init__(self, peer: int) -> None:
        self.peer = peer
        self.words = memoryview(bytearray(RING_HEAD)).cast("I")
        self.data = memoryview(b"")
        self.socket: socket.socket | None = None
        self.calling = False
        self.ready = False  # the receiver has said where to begin
        self.blocked = False
        self.pairs = b""
        self.tries = 0
        self.retry_at = 0.0
        self.failing_since: float | None = None
        self.over = False  # it had all, and hung up


class _Receiving:
    def __init__(self, peer: int) -> None:
        self.peer = peer
        self.words = memoryview(bytearray(RING_HEAD)).cast("I")
        self.data = memoryview(b"")
        self.socket: socket.socket | None = None
        self.rest = b""  # of a pair of which only a part could be sent
        self.more = False  # TLS may hold bytes that no poll will tell of


class Wires:
    """The wires of one rank.

    Args:
        rank: of the job.
        wiring: addresses and credentials.
        end: called with a code and a reason when a peer refuses us or cannot be reached.
    """

    def __init__(self, rank: int, wiring: Wiring, end: Callable[[int, str], NoReturn]) -> None:
        for each in wiring.foreign:
            each.close()
        self._rank = rank
        self._addresses = dict(wiring.addresses)
        self._end = end
        self._door = Door(wiring.credentials)
        self._encrypted = wiring.credentials.identity is not None
        self._listener = wiring.listener
        self._orders = wiring.orders
        self._bell = wiring.bell
        self._sending: dict[int, _Sending] = {}
        self._receiving: dict[int, _Receiving] = {}
        self._early: dict[int, socket.socket] = {}  # called before the cell has made its rings
        self._epoll = select.epoll()
        self._epoll.register(self._bell, select.EPOLLIN)
        self._handlers: dict[int, Callable[[int], int]] = {self._bell: self._woken}
        self._arrived: deque[Callable[[], None]] = deque()  # done by the cell's thread, which alone touches rings
        self._ended: set[int] = set()
        self._dry = 0
        os.set_blocking(self._bell, False)
        threading.Thread(target=self._keep_door, daemon=True).start()

    # ---- Called by the cell, through its host ----

    def connect(self, peer: int, to: memoryview, source: memoryview) -> None:
        """The cell's rings for a peer; again when they, or this process, are others than before."""
        if peer not in self._addresses or peer == self._rank:
            self._end(1, f"asked for a wire to rank {peer}, which is not on another node")
        sending = self._sending.setdefault(peer, _Sending(peer))
        receiving = self._receiving.setdefault(peer, _Receiving(peer))
        sending.words, sending.data = to[:RING_HEAD].cast("I"), to[RING_HEAD:]
        receiving.words, receiving.data = source[:RING_HEAD].cast("I"), source[RING_HEAD:]
        early = self._early.pop(peer, None)
        if early:
            self._called(peer, early)

    def pump(self, peer: int) -> None:
        """The cell has written for a peer."""
        sending = self._sending.get(peer)
        if sending is None:
            self._end(1, f"wrote to rank {peer}, to which it has no wire")
        if sending.ready:
            if not sending.blocked:
                self._send(sending)
        elif sending.socket is None and not sending.calling and sending.tries == 0:
            self._call(sending)

    def poll(self) -> int:
        """Moves what can move; returns how much that was."""
        moved = self._turn(0)
        if moved:
            self._dry = 0
        else:
            self._dry += 1
            if self._dry % _DRY_TURNS == 0:
                self._tidy()
        return moved

    def settled(self) -> int:
        """1 if all has arrived that this rank has sent, and all it has received is acknowledged."""
        self._tidy()
        for sending in self._sending.values():
            if sending.words[_HEAD] != sending.words[_TAIL] and not sending.over:
                return 0
        return int(not any(receiving.rest for receiving in self._receiving.values()))

    def idle(self, bell_address: int, seen: int, timeout_s: float) -> None:
        """Sleeps until something comes, or the word at `bell_address` is not `seen`."""
        self._tidy()
        if ctypes.c_uint32.from_address(bell_address).value == seen:
            self._turn(timeout_s)

    # ---- Moving bytes ----

    def _turn(self, timeout_s: float) -> int:
        moved = 0
        while self._arrived:
            self._arrived.popleft()()
            moved += 1
        if self._encrypted:
            for receiving in self._receiving.values():
                if receiving.more:
                    moved += self._receive(receiving)
        for descriptor, events in self._epoll.poll(0 if moved else timeout_s, 64):
            handler = self._handlers.get(descriptor)
            if handler:
                moved += handler(events)
        return moved

    def _woken(self, _events: int) -> int:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        return 0

    def _send(self, sending: _Sending) -> None:
        connection, words, data = sending.socket, sending.words, sending.data
        assert connection is not None
        sent, tail, size = words[_SENT], words[_TAIL], len(data)
        blocked = False
        while sent != tail and not blocked:
            start = sent & (size - 1)
            count = min((tail - sent) & _MASK, size - start)
            try:
                part = connection.send(data[start : start + count])
            except _WOULD_BLOCK:
                blocked = True
            except OSError:
                self._lose_sending(sending)
                return
            else:
                sent = (sent + part) & _MASK
        words[_SENT] = sent
        if blocked != sending.blocked:
            sending.blocked = blocked
            self._epoll.modify(connection, select.EPOLLIN | (select.EPOLLOUT if blocked else 0))

    def _sending_event(self, sending: _Sending, events: int) -> int:
        if events & ~select.EPOLLOUT and not self._read_pairs(sending):
            return 1
        if sending.ready and (sending.blocked or sending.words[_SENT] != sending.words[_TAIL]):
            self._send(sending)
        return 1

    def _read_pairs(self, sending: _Sending) -> bool:
        """Takes what the receiver says; False if the connection is lost."""
        assert sending.socket is not None
        try:
            while True:  # TLS: until it has no more, since no poll tells of what it holds
                part = sending.socket.recv(4096)
                if not part:
                    self._lose_sending(sending)
                    return False
                sending.pairs += part
                if not self._encrypted:
                    break
        except _WOULD_BLOCK:
            pass
        except OSError:
            self._lose_sending(sending)
            return False
        whole = len(sending.pairs) // _PAIR.size * _PAIR.size
        if whole:
            first, last = sending.pairs[: _PAIR.size], sending.pairs[whole - _PAIR.size : whole]
            sending.pairs = sending.pairs[whole:]
            self._hear(sending, *_PAIR.unpack(last), begin=_PAIR.unpack(first)[0])
        return True

    def _hear(self, sending: _Sending, head: int, consumed: int, begin: int) -> None:
        words = sending.words
        if (head - words[_HEAD]) & _MASK > (words[_TAIL] - words[_HEAD]) & _MASK:
            self._end(1, f"rank {sending.peer} has not the messages that it had: it was restored from too old a state")
        words[_HEAD] = head
        words[_CONSUMED] = consumed
        if not sending.ready:
            sending.ready = True
            words[_SENT] = begin
            sending.tries = 0
            sending.failing_since = None

    def _receive(self, receiving: _Receiving) -> int:
        connection, words, data = receiving.socket, receiving.words, receiving.data
        if connection is None:
            receiving.more = False
            return 0
        tail, size, taken, full = words[_TAIL], len(data), 0, False
        try:
            while taken < _READ_MOST:
                room = size - ((tail - words[_HEAD]) & _MASK)
                full = room == 0
                if full:
                    break
                start = tail & (size - 1)
                count = min(room, size - start, _READ_MOST)
                part = connection.recv_into(data[start : start + count])
                if part == 0:
                    self._lose_receiving(receiving)
                    break
                taken += part
                tail = (tail + part) & _MASK
                if part < count and not self._encrypted:
                    break
            receiving.more = self._encrypted and receiving.socket is not None
        except _WOULD_BLOCK:
            receiving.more = False
        except OSError:
            self._lose_receiving(receiving)
        words[_TAIL] = tail
        if (tail - words[_TOLD]) & _MASK >= size // 4 or (
            words[_CONSUMED] - words[_TOLD_CONSUMED]
        ) & _MASK >= _CREDIT_STEP:
            self._tell(receiving)
        return taken

    def _tell(self, receiving: _Receiving) -> None:
        """Acknowledges what has come."""
        connection, words = receiving.socket, receiving.words
        if connection is None:
            return
        pair = receiving.rest
        if not pair:
            words[_TOLD], words[_TOLD_CONSUMED] = words[_TAIL], words[_CONSUMED]
            pair = _PAIR.pack(words[_TOLD], words[_TOLD_CONSUMED])
        try:
            receiving.rest = pair[connection.send(pair) :]
        except _WOULD_BLOCK:
            receiving.rest = pair
        except OSError:
            self._lose_receiving(receiving)

    def _tidy(self) -> None:
        """What can wait until nothing else is to be done: acknowledgements of little, and calling again."""
        for receiving in self._receiving.values():
            words = receiving.words
            if receiving.rest or words[_TOLD] != words[_TAIL] or words[_TOLD_CONSUMED] != words[_CONSUMED]:
                self._tell(receiving)
        now = time.monotonic()
        for sending in self._sending.values():
            idle = sending.socket is None and not sending.calling and sending.peer not in self._ended
            if idle and sending.words[_HEAD] != sending.words[_TAIL] and now >= sending.retry_at:
                self._call(sending)

    # ---- Connections ----

    def _lose_sending(self, sending: _Sending) -> None:
        if sending.socket:
            self._drop(sending.socket)
        if sending.ready and sending.words[_HEAD] == sending.words[_TAIL]:
            sending.over = True
        sending.socket = None
        sending.ready = sending.blocked = False
        sending.pairs = b""

    def _lose_receiving(self, receiving: _Receiving) -> None:
        if receiving.socket:
            self._drop(receiving.socket)
        receiving.socket = None
        receiving.rest = b""
        receiving.more = False

    def _drop(self, connection: socket.socket) -> None:
        self._handlers.pop(connection.fileno(), None)
        with contextlib.suppress(OSError):
            self._epoll.unregister(connection)
        connection.close()

    def _watch(self, connection: socket.socket, handler: Callable[[int], int]) -> None:
        connection.setblocking(False)
        self._handlers[connection.fileno()] = handler
        self._epoll.register(connection, select.EPOLLIN)

    def _hand_over(self, what: Callable[[], None]) -> None:
        """From another thread: to be done by the cell's own, which is woken if it sleeps."""
        self._arrived.append(what)
        os.eventfd_write(self._bell, 1)

    def _call(self, sending: _Sending) -> None:
        sending.calling = True
        address = self._addresses[sending.peer]
        try:
            threading.Thread(target=self._call_blocking, args=(sending, address), daemon=True).start()
        except RuntimeError as error:
            self._call_failed(sending, address, str(error))

    def _call_blocking(self, sending: _Sending, address: Address) -> None:
        try:
            connection = self._door.call(address.node, (address.host, address.port), self._rank, sending.peer)
        except RefusedError as error:
            if self._addresses[sending.peer] == address:
                self._end(1, f"rank {sending.peer} cannot be reached: {error}")
            self._hand_over(lambda: self._call_failed(sending, address, ""))
        except OSError as error:
            reason = str(error)
            self._hand_over(lambda: self._call_failed(sending, address, reason))
        else:
            self._hand_over(lambda: self._call_answered(sending, address, connection))

    def _call_failed(self, sending: _Sending, address: Address, reason: str) -> None:
        sending.calling = False
        now = time.monotonic()
        if self._addresses[sending.peer] != address:  # it has moved meanwhile
            sending.failing_since, sending.tries = None, 0
        elif sending.failing_since is None:
            sending.failing_since = now
        elif now - sending.failing_since > _PATIENCE_S:
            where = f"on node {address.node} ({address.host} port {address.port})"
            self._end(1, f"rank {sending.peer} {where} cannot be reached for {_PATIENCE_S:.0f} s: {reason}")
        sending.retry_at = now + _RETRY_S[min(sending.tries, len(_RETRY_S) - 1)]
        sending.tries += 1

    def _call_answered(self, sending: _Sending, address: Address, connection: socket.socket) -> None:
        sending.calling = False
        if self._addresses[sending.peer] != address:
            connection.close()
            self._call(sending)
            return
        sending.socket = connection
        self._watch(connection, lambda events: self._sending_event(sending, events))
        if self._encrypted:
            self._sending_event(sending, select.EPOLLIN)  # the greeting may have read what follows

    def _called(self, peer: int, connection: socket.socket) -> None:
        """A peer calls: it may send from where we are."""
        receiving = self._receiving.get(peer)
        if receiving is None:
            old = self._early.pop(peer, None)
            if old:
                old.close()
            self._early[peer] = connection
            return
        if receiving.socket:
            self._receive(receiving)
            self._lose_receiving(receiving)
        receiving.socket = connection
        self._watch(connection, lambda _events: self._receive(receiving))
        self._tell(receiving)
        receiving.more = self._encrypted

    # ---- The thread at the door ----

    def _keep_door(self) -> None:
        poll = select.poll()
        poll.register(self._orders, select.POLLIN)
        poll.register(self._listener, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._orders.fileno():
                    message = self._orders.recv(65536)
                    if not message:
                        return  # the part of the job has ended, and this process with it
                    old = self._listener
                    self._obey(msgspec.json.decode(message, type=Order))
                    if self._listener is not old:
                        poll.unregister(old)
                        old.close()
                        poll.register(self._listener, select.POLLIN)
                elif descriptor == self._listener.fileno() and self._door.wait_for_room(_ROOM_WAIT_S):
                    with contextlib.suppress(OSError):
                        caller, _ = self._listener.accept()
                        self._door.answer_in_thread(caller, self._take_in)

    def _take_in(self, connection: socket.socket, greeting: Greeting) -> None:
        address = self._addresses.get(greeting.source)
        if greeting.target != self._rank or address is None or address.node != greeting.node:
            connection.close()  # it has an old address of another rank, or says that it is a rank of another node
            return
        self._hand_over(lambda: self._called(greeting.source, connection))

    def _obey(self, order: Order) -> None:
        if order.ended:
            self._hand_over(lambda: self._forget(order.rank))
        elif order.address is None:
            host = self._listener.getsockname()[0]
            self._listener = socket.create_server((host, 0), backlog=1024)
            self._orders.send(msgspec.json.encode(self._listener.getsockname()[1]))
            self._hand_over(self._hang_up_all)
        elif order.rank != self._rank and order.address.epoch > self._addresses[order.rank].epoch:
            self._addresses[order.rank] = order.address
            self._hand_over(lambda: self._hang_up(order.rank))

    def _hang_up(self, peer: int) -> None:
        """The peer is elsewhere: call it there when there is something to send."""
        sending, receiving = self._sending.get(peer), self._receiving.get(peer)
        if sending:
            self._lose_sending(sending)
            sending.over = peer in self._ended
            sending.tries, sending.retry_at = 0, 0.0
            if sending.words[_HEAD] != sending.words[_TAIL] and not sending.calling:
                self._call(sending)
        if receiving:
            self._receive(receiving)
            self._lose_receiving(receiving)

    def _forget(self, peer: int) -> None:
        self._ended.add(peer)
        if peer in self._sending:
            self._sending[peer].over = True

    def _hang_up_all(self) -> None:
        for peer in list(self._sending):
            self._hang_up(peer)
