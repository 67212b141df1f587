"""The page an instance shares with its agent: what the host is doing, and everything it has counted.

The agent creates one file for each component of an instance, hands the paths to the host, and reads them: for hung
hosts (heartbeat, the item's start), for what a dead host had open (delivery tokens) and for telemetry. The file
outlives the host, so that totals survive restarts. The host writes plain 8-byte words through a memory map; each word
has one writing thread, a torn read shows a value that is one item old at worst.

In a host that runs several fused components the first page is the instance's: heartbeat, process, phase, reason and
tokens stand there; each page has its own component's item start and counts.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Self

from ecotone.core.messages import Histogram, InstanceTelemetry
from ecotone.infrastructure.telemetry.histogram import BUCKETS, bucket_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DRAINING", "FAILED", "PATHS_MAX", "READY", "STARTING", "STOPPED", "TOKENS_MAX", "InstancePage"]

STARTING, READY, DRAINING, STOPPED, FAILED = range(5)
"""Phases. FAILED: the host could not start or refused to; `reason` says why."""

TOKENS_MAX = 64
PATHS_MAX = 16

_MAGIC = 0x65636F746F6E6532
_TOKEN_BYTES = 2 + 255
_REASON_BYTES = 1024

# Words, 8 bytes each.
(
    _MAGIC_WORD, _PID, _PHASE, _HEARTBEAT, _ITEM_STARTED,
    _HANDLED, _EMITTED, _DROPPED, _RAISED, _DEAD, _REFUSED,
    _BUSY, _CPU, _LINK_BYTES, _LATE, _CORES,
) = range(16)  # fmt: skip
_SUMMARIES = 16  # of each histogram: count, sum_s, max_s
_HISTOGRAMS = 2 + PATHS_MAX
_COUNTS = _SUMMARIES + 3 * _HISTOGRAMS
_TOKENS_OFFSET = 8 * (_COUNTS + BUCKETS * _HISTOGRAMS)
_REASON_OFFSET = _TOKENS_OFFSET + TOKENS_MAX * _TOKEN_BYTES
_SIZE = _REASON_OFFSET + _REASON_BYTES
_SERVICE, _RESPONSE, _FIRST_PATH = 0, 1, 2


class InstancePage:
    """One component's page, memory-mapped. Times are CLOCK_MONOTONIC seconds unless said otherwise."""

    def __init__(self, data: mmap.mmap) -> None:
        """Use `create` or `open`."""
        self._data = data
        view = memoryview(data)[: 8 * (_COUNTS + BUCKETS * _HISTOGRAMS)]
        self._words = view.cast("q")
        self._reals = view.cast("d")

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty page with mode 0600; what was at `path` is replaced."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _SIZE)  # no room is an error here, and not a SIGBUS later
            page = cls(mmap.mmap(descriptor, _SIZE))
        finally:
            os.close(descriptor)
        page._words[_MAGIC_WORD] = _MAGIC
        return page

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map a page that exists.

        Raises:
            FileNotFoundError: there is none.
            ValueError: the file is not a page of this version.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size != _SIZE:
                raise ValueError(f"{path} is not an instance page of this version")
            page = cls(mmap.mmap(descriptor, _SIZE))
        finally:
            os.close(descriptor)
        if page._words[_MAGIC_WORD] != _MAGIC:
            page.close()
            raise ValueError(f"{path} is not an instance page of this version")
        return page

    def close(self) -> None:
        """Unmap; the file stays. Idempotent."""
        self._words.release()
        self._reals.release()
        self._data.close()

    # What the host is doing.

    @property
    def pid(self) -> int:
        return self._words[_PID]

    @pid.setter
    def pid(self, value: int) -> None:
        self._words[_PID] = value

    @property
    def phase(self) -> int:
        """STARTING, READY, DRAINING, STOPPED or FAILED."""
        return self._words[_PHASE]

    @phase.setter
    def phase(self, value: int) -> None:
        self._words[_PHASE] = value

    @property
    def heartbeat_s(self) -> float:
        """When the host's own thread last ran; 0 before its first beat."""
        return self._reals[_HEARTBEAT]

    @heartbeat_s.setter
    def heartbeat_s(self, value: float) -> None:
        self._reals[_HEARTBEAT] = value

    @property
    def item_started_s(self) -> float:
        """When user code took the item it is working on; 0 when it works on none."""
        return self._reals[_ITEM_STARTED]

    @item_started_s.setter
    def item_started_s(self, value: float) -> None:
        self._reals[_ITEM_STARTED] = value

    @property
    def reason(self) -> str:
        """Why the host FAILED; "" otherwise."""
        return self._text(_REASON_OFFSET, _REASON_BYTES)

    @reason.setter
    def reason(self, value: str) -> None:
        self._set_text(_REASON_OFFSET, _REASON_BYTES, value)

    @property
    def cores(self) -> int:
        """How many a replica has from its next item on, said by the agent; 0: as planned."""
        return self._words[_CORES]

    @cores.setter
    def cores(self, value: int) -> None:
        self._words[_CORES] = value

    def restart(self) -> None:
        """Called by the agent before it starts a host: forget the last host, keep what was counted."""
        for word in (_PID, _PHASE, _HEARTBEAT, _ITEM_STARTED):
            self._words[word] = 0
        self.reason = ""
        self.clear_tokens()

    # What it has open: the agent gives these deliveries back when the host is dead.

    def set_token(self, slot: int, token: str) -> None:
        """Note an open delivery in `slot`, 0 to TOKENS_MAX - 1."""
        self._set_text(_TOKENS_OFFSET + slot * _TOKEN_BYTES, _TOKEN_BYTES, token)

    def clear_token(self, slot: int) -> None:
        """The delivery in `slot` is acknowledged or given back."""
        offset = _TOKENS_OFFSET + slot * _TOKEN_BYTES
        self._data[offset : offset + 2] = b"\0\0"

    def tokens(self) -> tuple[str, ...]:
        """Every open delivery's token."""
        texts = (self._text(_TOKENS_OFFSET + slot * _TOKEN_BYTES, _TOKEN_BYTES) for slot in range(TOKENS_MAX))
        return tuple(text for text in texts if text)

    def clear_tokens(self) -> None:
        for slot in range(TOKENS_MAX):
            self.clear_token(slot)

    # What it has counted.

    def add_handled(self, count: int = 1) -> None:
        """Items acknowledged, or about to be."""
        self._words[_HANDLED] += count

    def add_emitted(self, count: int = 1) -> None:
        """Outputs that the stream accepted."""
        self._words[_EMITTED] += count

    def add_dropped(self, count: int) -> None:
        """Items that a full live channel discarded; negative when one turns up after all."""
        self._words[_DROPPED] += count

    def add_raised(self) -> None:
        self._words[_RAISED] += 1

    def add_dead(self) -> None:
        self._words[_DEAD] += 1

    def add_refused(self) -> None:
        """A publish found its stream full and waited."""
        self._words[_REFUSED] += 1

    @property
    def refused(self) -> int:
        return self._words[_REFUSED]

    def add_link_bytes(self, count: int) -> None:
        self._reals[_LINK_BYTES] += count

    def add_late_s(self, duration_s: float) -> None:
        """Emulation finished this much later than it should have."""
        self._reals[_LATE] += duration_s

    def record_service(self, service_s: float, cpu_s: float) -> None:
        """One handling: elapsed time with padding, and the CPU time that user code used."""
        self._reals[_BUSY] += service_s
        self._reals[_CPU] += cpu_s
        self._count(_SERVICE, service_s)

    def record_response(self, response_s: float) -> None:
        """Arrival at the host to the end of the handling."""
        self._count(_RESPONSE, response_s)

    def record_path(self, path: int, duration_s: float) -> None:
        """The end of the application's promised path number `path`, 0 to PATHS_MAX - 1; what is beyond is ignored."""
        if path < PATHS_MAX:
            self._count(_FIRST_PATH + path, duration_s)

    def _count(self, histogram: int, duration_s: float) -> None:
        words, reals = self._words, self._reals
        words[_COUNTS + histogram * BUCKETS + bucket_of(duration_s)] += 1
        summary = _SUMMARIES + 3 * histogram
        words[summary] += 1
        reals[summary + 1] += duration_s
        reals[summary + 2] = max(reals[summary + 2], duration_s)

    def histogram(self, histogram: int) -> Histogram:
        """0 service, 1 response, from 2 on the paths."""
        summary = _SUMMARIES + 3 * histogram
        if not self._words[summary]:
            return Histogram()
        start = _COUNTS + histogram * BUCKETS
        counts = self._words[start : start + BUCKETS].tolist()
        return Histogram(
            counts={bucket: count for bucket, count in enumerate(counts) if count},
            sum_s=self._reals[summary + 1],
            max_s=self._reals[summary + 2],
        )

    def telemetry(
        self, *, instance: str, component: str, node: str, restarts: int = 0, memory_bytes: float = 0.0
    ) -> InstanceTelemetry:
        """All totals as a message; what the page cannot know is passed in."""
        words, reals = self._words, self._reals
        paths = {index: self.histogram(_FIRST_PATH + index) for index in range(PATHS_MAX)}
        return InstanceTelemetry(
            id=instance,
            component=component,
            node=node,
            handled=words[_HANDLED],
            emitted=words[_EMITTED],
            dropped=words[_DROPPED],
            raised=words[_RAISED],
            dead=words[_DEAD],
            busy_s=reals[_BUSY],
            cpu_s=reals[_CPU],
            memory_bytes=memory_bytes,
            restarts=restarts,
            link_bytes=reals[_LINK_BYTES],
            late_s=reals[_LATE],
            service=self.histogram(_SERVICE),
            response=self.histogram(_RESPONSE),
            paths={index: histogram for index, histogram in paths.items() if histogram.counts},
        )

    # Texts: two bytes of length, then UTF-8, cut to fit.

    def _set_text(self, offset: int, room: int, text: str) -> None:
        data = text.encode()[: room - 2]
        end = offset + 2 + len(data)
        self._data[offset + 2 : end] = data
        self._data[offset : offset + 2] = len(data).to_bytes(2, "little")

    def _text(self, offset: int, room: int) -> str:
        size = min(int.from_bytes(self._data[offset : offset + 2], "little"), room - 2)
        return self._data[offset + 2 : offset + 2 + size].decode(errors="replace")
