"""What a cell may ask of its host, apart from WASI: the functions of the import module `eco`. Called by a rank.

The library in the cell does everything else in its own memory. `map` lays the job's shared region over a part of the
cell's linear memory, after which the ranks of a node exchange data without the host; `share` does so with a window that
several ranks use as their own memory. The other functions are for waiting, and for wires to ranks of other nodes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from ecotone.execution.cells._callbacks import define, define_native
from ecotone.execution.cells._libc import clear_fixed, futex_wait, futex_wake, map_fixed, remove_shared, yield_core
from ecotone.execution.cells._memory import CellMemory, FaultError
from ecotone.execution.cells._region import RING_HEAD, Region

if TYPE_CHECKING:  # only a job of several nodes loads the network
    from ecotone.execution.cells._wires import Wires

__all__ = ["CellHost"]

_MODULE = b"eco"
_PAGE = 65536
_NAP_S = 0.05


class CellHost:
    """The host functions of one rank.

    Args:
        rank: of the job.
        region: shared with the other ranks of this node.
        end: called with a code and a reason when the program ends itself or asks for what it may not have.
        wires: to the ranks of other nodes, if there are any.
        bells: one event for each place of the region, if ranks sleep on events: where there are wires.
    """

    def __init__(
        self,
        rank: int,
        region: Region,
        end: Callable[[int, str], NoReturn],
        wires: Wires | None = None,
        bells: tuple[int, ...] = (),
    ) -> None:
        self._rank = rank
        self._region = region
        self._end = end
        self._wires = wires
        self._bells = bells
        self._memory: CellMemory | None = None
        self._start: int | None = None
        self._windows: dict[int, tuple[int, int]] = {}

    def define(self) -> None:
        """Makes the functions importable; call `attach` after instantiation and before the cell runs."""
        define(_MODULE, b"shared_bytes", "", lambda: self._region.size_bytes, results=1)
        define(_MODULE, b"map", "ii", self.map, results=1)
        define(_MODULE, b"share", "iii", self.share, results=0)
        define(_MODULE, b"unshare", "i", self._unshare, results=0)
        define(_MODULE, b"idle", "ii", self._idle, results=0)
        define(_MODULE, b"wake", "i", self._wake, results=0)
        define_native(_MODULE, b"yield", yield_core)
        define(_MODULE, b"moved", "", self._moved, results=1)
        define(_MODULE, b"abort", "i", self._abort, results=0)
        define(_MODULE, b"wire", "iiii", self._wire, results=0)
        wires = self._wires
        define(_MODULE, b"pump", "i", wires.pump if wires else self._no_wires, results=0)
        define(_MODULE, b"poll", "", wires.poll if wires else self._no_wires, results=1)
        define(_MODULE, b"settled", "", wires.settled if wires else self._no_wires, results=1)

    def attach(self, memory: CellMemory) -> None:
        """Tells where the cell's memory is."""
        self._memory = memory

    @property
    def shared(self) -> range:
        """The part of the cell's memory that is shared with other ranks; empty before it is mapped."""
        return range(0) if self._start is None else range(self._start, self._start + self._region.size_bytes)

    @property
    def windows(self) -> list[tuple[int, int, int]]:
        """Windows shared with other ranks: where each is mapped, its first page of the region's windows, its bytes."""
        return [(start, page, size_bytes) for start, (page, size_bytes) in self._windows.items()]

    def stop_address(self) -> int:
        """The host's address of the word by which the job calls this rank; only when memory is mapped."""
        assert self._memory is not None
        assert self._start is not None
        return self._memory.base + self._start + self._region.stop_offset(self._region.ranks.index(self._rank))

    def _word(self, address: int) -> int:
        """The host's address of a 32-bit word of the shared region; ends the cell if it lies elsewhere."""
        memory, start = self._memory, self._start
        if memory is None or start is None or address % 4 or not start <= address < start + self._region.size_bytes:
            self._end(1, "asked to wait on memory that is not shared")
        return memory.base + address

    def map(self, start: int, size_bytes: int) -> int:
        """Lays the shared region over a part of the cell's memory, once; ends the cell if it may not be there."""
        memory = self._memory
        if memory is None or self._start is not None or size_bytes != self._region.size_bytes:
            self._end(1, f"refused to map {size_bytes} bytes of shared memory")
        if start % _PAGE or start + size_bytes > memory.size_bytes():
            self._end(1, f"refused to map shared memory at {start}, which is not in the cell's own memory")
        map_fixed(memory.base + start, size_bytes, self._region.descriptor)
        self._start = start
        return self._rank

    def share(self, start: int, page: int, size_bytes: int) -> None:
        """Lays a part of the region's windows, from a page on, over memory of the cell; ends the cell if it may not.

        The memory is the cell's own, so it is within the job's limit, and so is what it stands for: a part that is laid
        nowhere any more holds nothing.
        """
        memory, region, end = self._memory, self._region, start + size_bytes
        if memory is None or self._start is None or not size_bytes or (start | size_bytes) % _PAGE:
            self._end(1, f"refused to share {size_bytes} bytes at {start}")
        if end > memory.size_bytes():
            self._end(1, f"refused to share {size_bytes} bytes at {start}, which are not in the cell's own memory")
        windows = (range(at, at + size) for at, _, size in self.windows)
        if any(start < other.stop and other.start < end for other in (self.shared, *windows)):
            self._end(1, f"refused to share {size_bytes} bytes at {start}, which are shared already")
        if page * _PAGE + size_bytes > region.windows_bytes:
            self._end(
                1, f"refused to share {size_bytes} bytes from page {page} on, which this node's windows do not have"
            )
        map_fixed(memory.base + start, size_bytes, region.descriptor, region.size_bytes + page * _PAGE)
        self._windows[start] = page, size_bytes

    def _unshare(self, start: int) -> None:
        """Takes a window away and empties it, for all who still have it."""
        window, memory = self._windows.pop(start, None), self._memory
        if window is None or memory is None:
            self._end(1, f"asked to give back a window at {start}, and there is none")
        remove_shared(memory.base + start, window[1])
        clear_fixed(memory.base + start, window[1])

    def _idle(self, bell: int, seen: int) -> None:
        word = self._word(bell)
        if self._wires is None:
            futex_wait(word, seen, _NAP_S)
        else:
            self._wires.idle(word, seen, _NAP_S)

    def _wake(self, bell: int) -> None:
        word = self._word(bell)
        if not self._bells:
            futex_wake(word)
            return
        place = self._region.place_of_bell(bell - (self._start or 0))
        if not 0 <= place < len(self._bells):
            self._end(1, "asked to wake what is not a rank")
        os.eventfd_write(self._bells[place], 1)

    def _moved(self) -> int:
        """A cell that has been taken out of another process finds that nothing is mapped here."""
        return int(self._start is None)

    def _wire(self, peer: int, to: int, source: int, ring_bytes: int) -> None:
        memory, wires = self._memory, self._wires
        if memory is None or wires is None or ring_bytes & (ring_bytes - 1) or (to | source) % 4:
            self._end(1, f"refused to make a wire to rank {peer}")
        try:
            rings = [memory.view(ring, RING_HEAD + ring_bytes) for ring in (to, source)]
        except FaultError:
            self._end(1, f"refused to make a wire to rank {peer} in what is not the cell's memory")
        wires.connect(peer, rings[0], rings[1])

    def _no_wires(self, *_peer: int) -> int:
        self._end(1, "asked for ranks of other nodes, and there are none")

    def _abort(self, code: int) -> None:
        signed = code - (1 << 32) if code >> 31 else code
        self._end(code & 0xFF or 1, f"the program ended the job with code {signed}")
