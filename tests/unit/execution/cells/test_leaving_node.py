"""Ranks leave their node while messages are on their way: none is lost, damaged or comes twice."""

from __future__ import annotations

import os
import random
import select
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from ecotone.core.errors import ConflictError
from ecotone.execution.cells import Folder, Job, RankEnd
from ecotone.execution.cells._compiled import compiled_module
from ecotone.execution.cells._door import Credentials
from ecotone.execution.cells._moving import Gate
from ecotone.execution.cells._network import new_token
from ecotone.execution.cells._passage import Passage
from ecotone.execution.cells._process import RankProcess, start_rank
from ecotone.execution.cells._region import Region, open_region
from ecotone.execution.cells._wires import Address, Order, Wiring

Module = Callable[[str], Path]
DIGEST = "of the test"
LONGEST_S = 20.0


class Node:
    """An emulated node: the memory that its ranks share, and what wakes them."""

    def __init__(self, name: str, ranks: tuple[int, ...], world: int) -> None:
        self.name = name
        self.region: Region = open_region(ranks, world, os.cpu_count() or 1)
        self.bells = tuple(os.eventfd(0) for _ in ranks)
        self.gate = Gate(self.region, self.bells)

    def look_around(self) -> None:
        """All ranks here shall see that others have gone."""
        for place, bell in enumerate(self.bells):
            self.region.ask_to_stop(place, 4)
            os.eventfd_write(bell, 1)

    def close(self) -> None:
        self.gate.close()
        self.region.close()
        for bell in self.bells:
            os.close(bell)


class Movable:
    """A job all of whose ranks begin on one node."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._compiled = compiled_module(job.module)
        self._credentials = Credentials(job="moving", token=new_token(), node="here")
        self._nodes = [Node("first", tuple(range(job.ranks)), job.ranks)]
        self._places = [self._nodes[0]] * job.ranks
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(job.ranks)]
        self._addresses = {rank: self._address(listener, 0) for rank, listener in enumerate(listeners)}
        self._orders: dict[int, socket.socket] = {}
        self._running: dict[int, RankProcess] = {}
        for rank, listener in enumerate(listeners):
            self._start(rank, listener)

    def _address(self, listener: socket.socket, epoch: int) -> Address:
        return Address(node="here", host="127.0.0.1", port=listener.getsockname()[1], epoch=epoch)

    def _start(self, rank: int, listener: socket.socket, snapshot: int = -1) -> None:
        node = self._places[rank]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wiring = Wiring(
            credentials=self._credentials,
            addresses=self._addresses,
            listener=listener,
            orders=theirs,
            bell=node.bells[node.region.ranks.index(rank)],
        )
        self._running[rank] = start_rank(
            self._job, self._compiled, rank, node.region, wiring=wiring, bells=node.bells,
            passage=Passage(DIGEST, node.gate.theirs, snapshot),
        )  # fmt: skip
        self._orders[rank] = ours
        theirs.close()
        listener.close()

    def move(self, rank: int, pause_s: float) -> None:
        """To a node of its own, after a pause in which the others go on."""
        node, process = self._places[rank], self._running[rank]
        snapshot = node.gate.take_out(rank, process.ended, 30.0, leave_node=True)
        end = self._running.pop(rank).collect("")
        assert end.exit_code == 0, end
        self._orders[rank].close()
        time.sleep(pause_s)
        node.region.send_away(rank)
        node.look_around()
        listener = socket.create_server(("127.0.0.1", 0))
        self._addresses[rank] = self._address(listener, self._addresses[rank].epoch + 1)
        order = msgspec.json.encode(Order(rank=rank, address=self._addresses[rank]))
        for other, orders in self._orders.items():
            if other != rank:
                orders.send(order)
        self._nodes.append(Node("next", (rank,), self._job.ranks))
        self._places[rank] = self._nodes[-1]
        self._start(rank, listener, snapshot)
        os.close(snapshot)

    def wait(self) -> list[RankEnd]:
        """Until all ranks have ended; a rank that waits for a lost message never does."""
        for rank, process in sorted(self._running.items()):
            assert select.select([process.ended], [], [], LONGEST_S)[0], f"rank {rank} does not end"
        return [self._running.pop(rank).collect("") for rank in sorted(self._running)]

    def close(self) -> None:
        for process in self._running.values():
            process.kill()
            process.collect("")
        for orders in self._orders.values():
            orders.close()
        for node in self._nodes:
            node.close()


@contextmanager
def started(
    module: Path, ranks: int, *arguments: str, folders: dict[str, Folder] | None = None
) -> Generator[tuple[Movable, Callable[[], str]]]:
    """A job that runs, and what gives the text it has written so far."""
    with tempfile.TemporaryFile() as output:
        descriptor = output.fileno()
        job = Job(
            module=module, ranks=ranks, arguments=arguments, stdout=descriptor, stderr=descriptor, folders=folders or {}
        )
        movable = Movable(job)
        try:
            yield movable, lambda: os.pread(descriptor, 1 << 20, 0).decode()
        finally:
            movable.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ranks_move_from_node_to_node_while_messages_are_on_their_way(module: Module, seed: int) -> None:
    chosen = random.Random(seed)
    with started(module("traffic"), 3, "mixed", str(seed), "400") as (movable, text):
        for _ in range(8):
            time.sleep(chosen.uniform(0.0, 0.1))
            try:
                movable.move(chosen.randrange(3), chosen.choice([0.0, 0.0, 0.05]))
            except ConflictError:
                break  # a fast machine: it has come to its end before
        assert [(end.exit_code, end.reason) for end in movable.wait()] == [(0, "")] * 3
        assert text() == "ok\n"


def test_message_behind_one_without_data_is_whole_after_its_sender_has_left(module: Module, tmp_path: Path) -> None:
    with started(module("leaving"), 2, folders={"go": Folder(path=tmp_path)}) as (movable, text):
        while text() != "sent\n":
            time.sleep(0.005)
        movable.move(0, 0.0)
        (tmp_path / "on").touch()
        assert [(end.exit_code, end.reason) for end in movable.wait()] == [(0, "")] * 2
        assert text() == "sent\nok\n"


def test_rank_that_was_called_in_vain_still_looks_around() -> None:
    """Another may have left while it was called: that call must not be erased together with its own."""
    region = open_region((0,), 1, 1)
    gate = Gate(region)
    ended, other_end = os.pipe()
    os.close(other_end)
    try:
        with pytest.raises(ConflictError):
            gate.take_out(0, ended, 1.0)
        (word,) = struct.unpack("<I", os.pread(region.descriptor, 4, region.stop_offset(0)))
        assert word != 0
        assert word % 4 == 0
    finally:
        os.close(ended)
        gate.close()
        region.close()
