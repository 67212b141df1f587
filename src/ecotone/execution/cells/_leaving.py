"""How a rank leaves its process, and goes on in another. Called by a rank; the job's side is `_moving.py`.

The job asks by a word in the shared memory, `stop`: a number of the asking, times four, plus ASKED. The library in the
cell sees it at its next MPI call, or while it waits in one, and calls `eco.safepoint`. The rank tells the job that it
is there, or why it cannot leave, and waits for the word to change: plus LEAVE, and it goes; anything else, and it
stays. So a job that has given up waiting never gets a rank that it does not expect. With LEAVE_NODE instead of LEAVE
the snapshot also has what is in the shared memory, as memory of the cell's own: the messages on their way. A rank that
shares a window with other ranks of its node cannot leave the node, for they would not see what it writes there.

What leaves is a snapshot, handed over by the socket to the job as a descriptor. If it cannot be written, the rank
takes its stack back and goes on.
"""

from __future__ import annotations

import ctypes
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from ecotone.core.errors import InputError
from ecotone.execution.cells._callbacks import define
from ecotone.execution.cells._host import CellHost
from ecotone.execution.cells._libc import advise_huge, clear_fixed, futex_wait, is_zero
from ecotone.execution.cells._memory import CellMemory
from ecotone.execution.cells._passage import ASKED, HERE, LEAVE, LEAVE_NODE, LEFT, MESSAGE, REFUSED, Passage
from ecotone.execution.cells._program import MemoryLimitError, Program
from ecotone.execution.cells._snapshot import (
    PAGE,
    Clocks,
    Header,
    open_snapshot,
    read_pages,
    write_snapshot,
)
from ecotone.execution.cells._threads import CellThreads
from ecotone.execution.cells._unwinder import State, Unwinder
from ecotone.execution.cells._wasi import Wasi

__all__ = ["Leaving"]

_NAP_S = 0.05
_REASON_MOST = 3000
_SHARES_WINDOW = (
    "it shares memory with other ranks of its node (MPI_Win_allocate_shared), and they would be parted: move it "
    "when it has freed that window, or within the node"
)


class Leaving:
    """Leaving and coming back, for one rank.

    Args:
        rank: of the job.
        ranks: of the job.
        passage: by which it goes; None if nobody will ask.
        host: which knows where the shared memory is.
        wasi: with the files, the arguments and the clocks.
        threads: of the cell.
        end: ends this process with a code and a reason.
    """

    def __init__(
        self,
        *,
        rank: int,
        ranks: int,
        passage: Passage | None,
        host: CellHost,
        wasi: Wasi,
        threads: CellThreads,
        end: Callable[[int, str], object],
    ) -> None:
        self._rank = rank
        self._ranks = ranks
        self._passage = passage
        self._host = host
        self._wasi = wasi
        self._threads = threads
        self._end = end
        self._word_seen = 0

    def define(self) -> None:
        """Makes the safe point importable; call `attach` after instantiation and before the cell runs."""
        define(b"eco", b"safepoint", "", self._safe_point, results=0)

    def attach(self, program: Program, memory: CellMemory, unwinder: Unwinder) -> None:
        """Tells what the cell consists of."""
        self._program = program
        self._memory = memory
        self._unwinder = unwinder

    # ---- At the safe point ----

    def _safe_point(self) -> None:
        if not self._threads.is_first:
            return  # its stack is not what would be taken
        try:
            if self._unwinder.state is State.REWINDING:
                self._unwinder.arrive()
            elif self._agreed():
                self._unwinder.begin()
        except Exception as error:  # noqa: BLE001 - nobody above this could see it: the cell is below
            self._end(1, f"could not leave its process: {error}")

    def _tell(self, kind: int, word: int, reason: str = "", snapshot: int = -1) -> None:
        assert self._passage is not None
        data = MESSAGE.pack(kind, self._rank, word) + reason.encode()[:_REASON_MOST]
        socket.send_fds(self._passage.gate, [data], [] if snapshot < 0 else [snapshot])

    def _agreed(self) -> bool:
        """Waits for the job's word; true if the rank shall leave and can."""
        if self._passage is None or not self._host.shared or self._threads.busy:
            return False  # in a parallel region: the job's word is seen again at a later call
        address = self._host.stop_address()
        word = ctypes.c_uint32.from_address(address)
        while (asked := word.value) & 3 == ASKED:
            hindrance = self._hindrance()
            self._tell(REFUSED if hindrance else HERE, asked, hindrance)
            while word.value == asked:
                futex_wait(address, asked, _NAP_S)
        self._word_seen = word.value
        if self._word_seen & 3 == LEAVE_NODE and self._host.windows:
            self._tell(REFUSED, self._word_seen, _SHARES_WINDOW)
            return False
        return self._word_seen & 3 in (LEAVE, LEAVE_NODE)

    def _hindrance(self) -> str:
        if not self._unwinder.movable:
            return "the cell was built without asyncify, or with -g, so its stack cannot be taken; build it as movable"
        return self._wasi.files.hindrance() or self._unwinder.reserve()

    # ---- Leaving ----

    def leave(self) -> bool:
        """Hands this rank over to the job; call it when `_start` has returned with its stack unwound.

        Returns:
            False if it could not be written: then the stack is ready to be taken back in this process.
        """
        self._unwinder.finish()
        try:
            snapshot = self._write()
        except OSError as error:
            self._threads.guard(usable=False)
            self._tell(REFUSED, self._word_seen, f"the snapshot could not be written: {error.strerror}")
            self._unwinder.rewind()
            return False
        self._tell(LEFT, self._word_seen, snapshot=snapshot)
        return True

    def _write(self) -> int:
        assert self._passage is not None
        shared = range(0) if self._word_seen & 3 == LEAVE_NODE else self._host.shared
        windows = self._host.windows
        self._threads.guard(usable=True)
        elsewhere = [shared, self._threads.control]
        header = Header(
            module=self._passage.digest,
            rank=self._rank,
            ranks=self._ranks,
            arguments=self._wasi.arguments,
            environment=self._wasi.environment,
            memory_pages=self._memory.size_bytes() // PAGE,
            shared_start=shared.start,
            shared_bytes=len(shared),
            stack_start=self._unwinder.place or 0,
            stack_bytes=self._unwinder.stack_bytes,
            variables=self._program.variables(),
            files=self._wasi.files.saved(),
            output_left_bytes=self._wasi.output_left_bytes,
            clocks=_clocks_now(self._wasi),
            runs=self._runs([*elsewhere, *(range(start, start + size_bytes) for start, _, size_bytes in windows)]),
            windows=windows,
            control=self._threads.control.start if self._threads.control else None,
            threads=self._threads.saved(),
        )
        return write_snapshot(header, self._page_run)

    def _page_run(self, first: int, count: int) -> memoryview:
        return self._memory.view(first * PAGE, count * PAGE)

    def _runs(self, shared: list[range]) -> list[tuple[int, int]]:
        """Pages that are not zero and not shared, neighbours together."""
        base = self._memory.base
        left_out = {page for part in shared for page in range(part.start // PAGE, part.stop // PAGE)}
        runs: list[tuple[int, int]] = []
        first, count = 0, 0
        for page in range(self._memory.size_bytes() // PAGE):
            if page in left_out or is_zero(base + page * PAGE, PAGE):
                continue
            if page == first + count:
                count += 1
                continue
            if count:
                runs.append((first, count))
            first, count = page, 1
        return [*runs, (first, count)] if count else runs

    # ---- Coming back ----

    def resume(self) -> None:
        """Makes this fresh cell what the snapshot says; call `_start` then, and it goes on where it was.

        Raises:
            InputError: the snapshot is damaged, or of another module or rank.
            OSError: the machine's memory does not suffice.
        """
        assert self._passage is not None
        snapshot = self._passage.snapshot
        header, start = open_snapshot(snapshot)
        self._check(header, self._passage.digest)
        self._wasi.files.restore(header.files)
        self._wasi.resume(header.output_left_bytes, _monotonic_ahead_ns(header.clocks), header.clocks.cpu_ns)
        self._grow_to(header)
        self._clear_gaps(header)
        for first, count in header.runs:
            advise_huge(self._memory.base + first * PAGE, count * PAGE)
        read_pages(snapshot, header, start, self._page_run)
        if header.shared_bytes:
            self._host.map(header.shared_start, header.shared_bytes)
        for window in header.windows:
            self._host.share(*window)
        for one in header.variables:
            self._program.set_variable(one.name, one.value)
        self._threads.resume(header.control, header.threads)
        self._unwinder.place = header.stack_start
        os.close(snapshot)
        self._unwinder.rewind()

    def _check(self, header: Header, digest: str) -> None:
        if header.module != digest:
            raise InputError("the snapshot belongs to another module: build and run the same sources, or start anew")
        if (header.rank, header.ranks) != (self._rank, self._ranks):
            raise InputError(
                f"the snapshot is of rank {header.rank} of {header.ranks}, not of rank {self._rank} of {self._ranks}"
            )
        if not self._unwinder.movable:
            raise InputError("the cell was built without asyncify, so no snapshot of it can be resumed")
        named = {(one.name, one.kind) for one in header.variables}
        if named != {(one.name, one.kind) for one in self._program.variables()}:
            raise InputError("the snapshot has other variables than the module")
        if header.stack_bytes != self._unwinder.stack_bytes:
            raise InputError("the snapshot was made by another version of the platform: its stack has another size")

    def _grow_to(self, header: Header) -> None:
        missing = header.memory_pages - self._memory.size_bytes() // PAGE
        if missing < 0:
            raise InputError("the snapshot has less memory than the module starts with")
        self._unwinder.allow_place()
        try:
            self._memory.grow(missing)
        except MemoryLimitError as error:
            raise InputError(
                f"the snapshot has {header.memory_pages * PAGE >> 20} MiB of memory, more than this cell may have"
            ) from error

    def _clear_gaps(self, header: Header) -> None:
        """What the module starts with is not zero where the snapshot may be."""
        at = 0
        for first, count in [*header.runs, (header.memory_pages, 0)]:
            if first > at:
                clear_fixed(self._memory.base + at * PAGE, (first - at) * PAGE)
            at = first + count


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _clocks_now(wasi: Wasi) -> Clocks:
    return Clocks(
        boot=_boot(),
        real_ns=time.time_ns(),
        monotonic_ns=time.monotonic_ns(),
        monotonic_ahead_ns=wasi.monotonic_ahead_ns,
        cpu_ns=time.process_time_ns() + wasi.cpu_before_ns,
    )


def _monotonic_ahead_ns(clocks: Clocks) -> int:
    """How far the cell's monotonic clock must be ahead of this machine's."""
    if clocks.boot == _boot():
        return clocks.monotonic_ahead_ns
    shown = clocks.monotonic_ns + clocks.monotonic_ahead_ns
    return shown + max(0, time.time_ns() - clocks.real_ns) - time.monotonic_ns()
