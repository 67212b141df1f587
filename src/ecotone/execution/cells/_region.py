"""The memory that the ranks of a job on one node share: its size and its head. Called by the job.

The layout is that of `transport.h` in `ecotone/design/cells/library`, which is built into every cell: 64 bytes of head,
the place of every rank of the job, 64 bytes for each place's bell, then a ring for each ordered pair of places. Behind
all that, from `size_bytes` on, each place has 4 GiB for windows that its rank shares with others: ranks map parts of it
when they need them (`CellHost.share`), and what nobody has written takes no memory. The last 64 KiB for each place are
the page of its threads (`_control.py`).
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ecotone.execution.cells.interface import RANKS_MOST

__all__ = ["CONTROL_BYTES", "RING_HEAD", "Region", "control_pages", "open_region", "region_bytes", "ring_bytes"]

_LINE = 64
RING_HEAD = 2 * _LINE
_RING_LEAST = 4096
_RING_MOST = 1024 * 1024
_WIRE_LEAST = 32 * 1024
_WIRE_MOST = 1024 * 1024
_RINGS_TOGETHER = 64 * 1024 * 1024
_WASM_PAGE = 65536
CONTROL_BYTES = _WASM_PAGE
_NAME = "ecotone-cells"
_HEAD_PLACES = 16  # where the head has the number of places
_WINDOWS_EACH = 1 << 32
_CREDIT_LEAST = 64 * 1024
_CREDIT_MOST = 1024 * 1024


class Region:
    """The memory itself, anonymous: it is gone when the last process that has it is gone.

    `ranks` are those of this node, by their place; `size_bytes` is a multiple of WebAssembly's page; behind it are
    `windows_bytes`, or none if this process may not have files so large (`ulimit -f`).
    """

    def __init__(self, descriptor: int, ranks: tuple[int, ...], world: int) -> None:
        self.descriptor = descriptor
        self.ranks = ranks
        self.world = world
        self.size_bytes = region_bytes(len(ranks), world)
        self.windows_bytes = len(ranks) * _WINDOWS_EACH

    def control_offset(self, place: int) -> int:
        """Where the page lies that tells the rank at a place of its threads."""
        return self.size_bytes + self.windows_bytes + place * CONTROL_BYTES

    def place_of_bell(self, offset: int) -> int:
        """Whose bell lies `offset` bytes from the beginning; negative or too large if there is none."""
        return (offset - _controls_offset(self.world)) // _LINE

    def bell_offset(self, place: int) -> int:
        """Where the word lies on which the rank at a place sleeps."""
        return _controls_offset(self.world) + place * _LINE

    def stop_offset(self, place: int) -> int:
        """Where the word lies that calls the rank at a place to its next safe point; see `_leaving.py`."""
        return self.bell_offset(place) + 8

    def ask_to_stop(self, place: int, word: int) -> None:
        """Calls the rank at a place to its next safe point, or lets it go on (0); it must be woken too."""
        os.pwrite(self.descriptor, struct.pack("<I", word), self.stop_offset(place))

    def send_away(self, rank: int) -> None:
        """From their next safe point on, the ranks of this node reach `rank` by wires."""
        os.pwrite(self.descriptor, struct.pack("<i", -1), _LINE + 4 * rank)

    def close(self) -> None:
        os.close(self.descriptor)


def ring_bytes(ranks: int) -> int:
    """Room of each ring: a power of two, so that all of them together stay below 64 MiB where they can.

    Messages larger than a ring make both sides wait for each other: with 1 MiB, one of 1 MiB takes a third of the time
    that it takes with 256 KiB; more makes exchanges of small messages slower, which fall out of the cache.
    """
    size = _RING_MOST
    while size > _RING_LEAST and ranks * ranks * size > _RINGS_TOGETHER:
        size //= 2
    return size


def _wire_bytes(places: int, world: int) -> int:
    """Room of each ring of a wire; both for all ranks elsewhere stay below 64 MiB where they can."""
    size = _WIRE_MOST
    while size > max(_WIRE_LEAST, ring_bytes(places)) and 2 * (world - places) * size > _RINGS_TOGETHER:
        size //= 2
    return size


def _round_up(size: int, to: int) -> int:
    return -(-size // to) * to


def _controls_offset(world: int) -> int:
    return _LINE + _round_up(4 * world, _LINE)


def region_bytes(places: int, world: int) -> int:
    """Size of the whole for so many ranks of this node and of the job."""
    used = _controls_offset(world) + places * _LINE + places * places * (RING_HEAD + ring_bytes(places))
    return _round_up(used, _WASM_PAGE)


def open_region(ranks: Sequence[int], world: int, cores: int, control: bytes = b"") -> Region:
    """Makes the region; the caller closes it.

    Args:
        ranks: those of this node.
        world: number of ranks of the job.
        cores: that the ranks share; it decides how they wait for each other.
        control: how the page of each rank's threads begins.
    """
    here = tuple(ranks)
    region = Region(os.memfd_create(_NAME, os.MFD_CLOEXEC), here, world)
    try:
        os.ftruncate(region.descriptor, region.control_offset(len(here)))
    except OSError:
        region.windows_bytes = 0
        os.ftruncate(region.descriptor, region.control_offset(len(here)))
    for place in range(len(here)):
        os.pwrite(region.descriptor, control, region.control_offset(place))
    credit = max(_CREDIT_LEAST, min(_CREDIT_MOST, _RINGS_TOGETHER // world))
    places = [-1] * world
    for place, rank in enumerate(here):
        places[rank] = place
    wire = _wire_bytes(len(here), world)
    window_pages = region.windows_bytes // len(here) // _WASM_PAGE
    head = struct.pack("<7I", world, ring_bytes(len(here)), cores, credit, len(here), wire, window_pages)
    os.pwrite(region.descriptor, head.ljust(_LINE, b"\0") + struct.pack(f"<{world}i", *places), 0)
    return region


def control_pages(processes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The pages of all ranks whose processes these are, and of those that share memory with them.

    Yields:
        A descriptor that is open until the next one, and where the page lies behind it; none for a process that has
        ended or is not this user's.
    """
    seen: set[int] = set()
    for process in processes:
        with contextlib.suppress(OSError):
            for entry in Path(f"/proc/{process}/fd").iterdir():
                if entry.readlink().name.startswith(f"memfd:{_NAME} ") and entry.stat().st_ino not in seen:
                    seen.add(entry.stat().st_ino)
                    yield from _pages_in(entry)


def _pages_in(region: Path) -> Iterator[tuple[int, int]]:
    with region.open("r+b", buffering=0) as file:
        places = int.from_bytes(os.pread(file.fileno(), 4, _HEAD_PLACES), "little")
        size_bytes = os.fstat(file.fileno()).st_size
        if not 0 < places * CONTROL_BYTES < size_bytes or places > RANKS_MOST:
            return  # its ranks can write there, and have
        for place in range(places):
            yield file.fileno(), size_bytes - (places - place) * CONTROL_BYTES
