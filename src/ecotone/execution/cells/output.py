"""What the ranks of a job write: passed on as it comes, and kept in the job's log by rank. Called by the session.

Each rank writes into channels of its own; a thread of the launcher, started when all ranks are, reads them. Where a
person watches, the channels are terminals, so that programs write line by line.

A line of the log is `RANK STREAM END TEXT`: the stream 1 or 2, the end `.` for a whole line and `+` for a part of one.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = ["LogLine", "Output", "Trouble", "labelled", "read_log"]

_CHUNK = 65536
_LINE_MOST = 65536
_LOG_MOST_BYTES = 64 << 20
_RANKS_APART_MOST = 256

LogLine = tuple[int, int, bool, bytes]
"""Rank, stream (1 or 2), whether the line is whole, and its text."""


class Trouble(NamedTuple):
    """What keeps output from being passed on."""

    exit_code: int
    reason: str


_NOBODY_READS = Trouble(141, "nobody reads its output any more")  # as a shell says it of others: 128 + SIGPIPE
_ADVICE = {errno.ENOSPC: "; free some space and run it again", errno.EDQUOT: "; free some space and run it again"}


class _Channel:
    """Where one rank writes one stream to."""

    def __init__(self, rank: int, stream: int, *, line_by_line: bool) -> None:
        self.rank = rank
        self.stream = stream
        self.rest = b""
        if line_by_line:
            self.reading, self.writing = os.openpty()
            tty.setraw(self.writing)
        else:
            self.reading, self.writing = os.pipe2(os.O_CLOEXEC)

    def read(self) -> bytes:
        """What has come; empty at the end."""
        try:
            return os.read(self.reading, _CHUNK)
        except OSError:  # a terminal says this when nobody can write to it any more
            return b""

    def lines(self, data: bytes) -> Iterator[tuple[bool, bytes]]:
        """Whole lines, and a part if it is too long; `data` empty for the end."""
        *whole, self.rest = (self.rest + data).split(b"\n")
        for line in whole:
            yield True, line
        if self.rest and (not data or len(self.rest) > _LINE_MOST):
            yield False, self.rest
            self.rest = b""


class Output:
    """The channels of a job's ranks.

    Args:
        ranks: of the job.
        log: file that keeps all, up to 64 MiB; None for none.
        label: whether lines are passed on with the rank in front.
        line_by_line: whether programs shall write each line when it is whole.
        pass_on: file descriptors for the two streams; None if nobody listens.
    """

    def __init__(
        self, ranks: int, *, log: Path | None, label: bool, line_by_line: bool, pass_on: tuple[int, int] | None
    ) -> None:
        self._ranks = ranks
        self._label = label
        self._pass_on = pass_on
        self._log: BinaryIO | None = log.open("ab", buffering=0) if log else None
        self._logged = 0
        apart = ranks if ranks <= _RANKS_APART_MOST else 1  # descriptors are few: more ranks share theirs
        _allow_descriptors(4 * apart + 3 * ranks + 128)
        self._channels = [
            _Channel(rank, stream, line_by_line=line_by_line) for rank in range(apart) for stream in (1, 2)
        ]
        self._writing = [channel.writing for channel in self._channels]
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()  # a Thread.join that Ctrl-C cuts off takes its thread for ended
        self.trouble: Trouble | None = None
        """Why output is not passed on any more; the main thread gets a SIGINT when that happens while ranks run."""

    def streams(self, rank: int) -> tuple[int, int]:
        """The descriptors that a rank writes to."""
        first = 2 * rank % len(self._channels)
        return self._channels[first].writing, self._channels[first + 1].writing

    def start(self) -> None:
        """Begins to pass on; when all ranks are started, since it starts a thread."""
        self._thread = threading.Thread(target=self._pump, name="output", daemon=True)
        self._thread.start()

    def close(self, limit_s: float | None = None) -> None:
        """Passes on the rest; when all ranks have ended. Idempotent; what was cut off by Ctrl-C goes on where it was.

        Args:
            limit_s: how long whoever reads may take for it; None for as long as he wants.
        """
        while self._writing:
            os.close(self._writing.pop())
        if self._thread is not None and not self._ended.wait(limit_s):
            return  # the thread still uses what is open, and ends with the process
        while self._channels:
            os.close(self._channels.pop().reading)
        if self._log is not None:
            self._log.close()

    def _pump(self) -> None:
        try:
            self._pass_all_on()
        finally:
            self._ended.set()

    def _pass_all_on(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})  # for the main thread
        open_channels = {channel.reading: channel for channel in self._channels}
        poll = select.poll()
        for descriptor in open_channels:
            poll.register(descriptor, select.POLLIN)
        if self._pass_on is not None:
            poll.register(self._pass_on[0], 0)  # nothing but that the one who reads it has gone
        while open_channels:
            for descriptor, event in poll.poll():
                channel = open_channels.get(descriptor)
                if channel is None:
                    poll.unregister(descriptor)
                    if event & (select.POLLERR | select.POLLHUP):
                        self._give_up(_NOBODY_READS)
                    continue
                data = channel.read()
                self._take(channel, data)
                if not data:
                    poll.unregister(descriptor)
                    del open_channels[descriptor]

    def _take(self, channel: _Channel, data: bytes) -> None:
        if not self._label:
            self._write(channel.stream, data)
        for is_whole, text in channel.lines(data):
            self._keep(channel, is_whole, text)
            if self._label:
                self._write(channel.stream, labelled(channel.rank, self._ranks, text, is_whole=is_whole))

    def _write(self, stream: int, data: bytes) -> None:
        if self._pass_on is None:
            return
        try:
            _write_all(self._pass_on[stream - 1], memoryview(data))
        except BrokenPipeError:
            self._give_up(_NOBODY_READS)
        except OSError as error:
            name = "stdout" if stream == 1 else "stderr"
            self._give_up(Trouble(1, f"{name} cannot be written: {error.strerror}{_ADVICE.get(error.errno or 0, '')}"))

    def _give_up(self, trouble: Trouble) -> None:
        """Who listened has gone, or the disk is full: as for any program, that is the end."""
        self._pass_on = None
        self.trouble = trouble
        main = threading.main_thread().ident
        if main is not None and self._writing:
            signal.pthread_kill(main, signal.SIGINT)

    def _keep(self, channel: _Channel, is_whole: bool, text: bytes) -> None:
        if self._log is None or self._logged > _LOG_MOST_BYTES:
            return
        line = b"%d %d %s %s\n" % (channel.rank, channel.stream, b"." if is_whole else b"+", text)
        self._logged += len(line)
        try:
            self._log.write(line)
        except OSError:
            self._logged = _LOG_MOST_BYTES + 1  # the disk is full: the job goes on


def _write_all(descriptor: int, data: memoryview) -> None:
    """To the end, also where somebody has made the descriptor one that does not wait."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


def labelled(rank: int, ranks: int, text: bytes, *, is_whole: bool = True) -> bytes:
    """A line with its rank in front, all as wide as the widest."""
    width = len(str(ranks - 1))
    return b"%*d| %s%s" % (width, rank, text, b"\n" if is_whole else b"")


def read_log(log: Path, *, follow: Callable[[], bool] = lambda: False) -> Iterator[LogLine]:
    """The lines of a log.

    Args:
        log: the file.
        follow: asked at the end of the file whether more may come; it waits a while if so.
    """
    rest = b""
    with log.open("rb") as file:
        while True:
            goes_on = follow()
            while chunk := file.read(_CHUNK):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from map(_parsed, whole)
            if not goes_on:
                return


def _parsed(line: bytes) -> LogLine:
    rank, stream, end, text = line.split(b" ", 3)
    return int(rank), int(stream), end == b".", text


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
