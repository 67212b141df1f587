"""Ranks that are processes forked in advance. Called by the process that starts jobs for others."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import msgspec

from ecotone.execution.cells._last_words import say
from ecotone.execution.cells._passage import Passage
from ecotone.execution.cells._process import RankProcess, dress_rank, no_rank
from ecotone.execution.cells._rank import rehearse, run_rank
from ecotone.execution.cells._region import Region
from ecotone.execution.cells._spare import ORDER_MOST, Spare
from ecotone.execution.cells.interface import Job, as_path

__all__ = ["as_rank", "rehearse_rank", "start_spare"]

_STREAMS = (0, 1, 2)


class _Order(msgspec.Struct, array_like=True):
    """What a spare process is told when it becomes a rank; with it come the descriptors of `start_spare`."""

    job: Job
    compiled: str
    rank: int
    ranks: tuple[int, ...]
    world: int
    windows_bytes: int
    digest: str
    parent: int


_orders_out = msgspec.msgpack.Encoder(enc_hook=str)
_orders_in = msgspec.msgpack.Decoder(_Order, dec_hook=as_path)


def start_spare(spare: Spare, job: Job, compiled: Path, rank: int, region: Region, *, passage: Passage) -> RankProcess:
    """Makes a rank of a process that waits in `as_rank`; the spare is the rank's from then on.

    Raises:
        OSError: the spare has ended, and is still to be buried.
        UnavailableError: the system has no more descriptors.
    """
    order = _Order(
        job, str(compiled), rank, region.ranks, region.world, region.windows_bytes, passage.digest, os.getpid()
    )
    try:
        words, report = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise no_rank(rank, error) from None
    try:
        cpu_before_s = time.clock_gettime(_clock_of(spare.pid))
        given = [report, region.descriptor, passage.gate.fileno(), job.stdin, job.stdout, job.stderr]
        spare.tell(_orders_out.encode(order), given)
    except OSError:
        os.close(words)
        raise
    finally:
        os.close(report)
    spare.link.close()
    return RankProcess(rank, spare.pid, words, ended=spare.ended, cpu_before_s=cpu_before_s)


def _clock_of(process: int) -> int:
    """The clock that counts the CPU time of another process, as clock_getcpuclockid(3) makes it."""
    return ~process << 3 | 2


def as_rank(order: bytes, descriptors: list[int], _link: socket.socket) -> None:
    """In a spare: becomes the rank that `start_spare` asks for."""
    report, shared, gate, *streams = descriptors
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    told = _orders_in.decode(order)
    job = msgspec.structs.replace(told.job, stdin=0, stdout=1, stderr=2)
    region = Region(shared, told.ranks, told.world)
    region.windows_bytes = told.windows_bytes
    try:
        dress_rank(job, told.rank, region)
        passage = Passage(told.digest, socket.socket(fileno=gate))
        run_rank(
            job=job, compiled=Path(told.compiled), rank=told.rank, region=region, report=report, parent=told.parent,
            passage=passage,
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the outermost edge of this process
        say(report, 1, f"could not start: {error}")
        os._exit(1)


def rehearse_rank(program: Path) -> None:
    """In a spare, before it waits: does once all that it will do as a rank, with a program of our own.

    Args:
        program: compiled, see `_rehearsal.py`.
    """
    order = _orders_out.encode(_Order(Job(module=program), str(program), 0, (0,), 1, 0, "", 0))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        socket.send_fds(ours, [order], [0, 1, 2])
        data, descriptors, _, _ = socket.recv_fds(theirs, ORDER_MOST, len(_STREAMS), socket.MSG_CMSG_CLOEXEC)
    for number, descriptor in zip(_STREAMS, descriptors, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    told = _orders_in.decode(data)
    msgspec.structs.replace(told.job, stdin=0, stdout=1, stderr=2)
    Region(-1, told.ranks, told.world)
    rehearse(program)
