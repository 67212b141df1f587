"""How a person sees a run that goes on: a live picture on a terminal, else a line now and then on stderr.

The run calls `show` with each new report, several times a second; drawing happens in a thread of its own, so that the
run never waits for a terminal.
"""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from ecotone.frontends.words import count_text, elapsed_text, percentile_text, rate_text, time_text

if TYPE_CHECKING:
    from types import TracebackType

    from ecotone.core.report import RunReport

__all__ = ["Watcher", "status_line"]

_PICTURE_EVERY_S = 0.25
_LINE_EVERY_S = 5.0


class Watcher:
    """Shows the newest report until it is closed. A context manager around the run."""

    def __init__(self, *, live: bool, for_s: float | None) -> None:
        self._live = live
        self._for_s = for_s
        self._report: RunReport | None = None
        self._fresh = threading.Event()
        self._closed = threading.Event()
        self._stopping = False
        self._next_line_s = _LINE_EVERY_S
        self._thread = threading.Thread(target=self._draw, name="live-view", daemon=True)

    def __enter__(self) -> Watcher:
        if self._live:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._fresh.set()
        if self._live:
            self._thread.join()

    def show(self, report: RunReport) -> None:
        """Take a new report; returns at once."""
        self._report = report
        if self._live:
            self._fresh.set()
        elif report.duration_s >= self._next_line_s:
            self._next_line_s = report.duration_s + _LINE_EVERY_S
            sys.stderr.write(status_line(report) + "\n")
            sys.stderr.flush()

    def stopping(self) -> None:
        """Someone asked the run to stop."""
        self._stopping = True
        if not self._live:
            sys.stderr.write("stopping; a second Ctrl-C kills\n")
            sys.stderr.flush()
        self._fresh.set()

    def _draw(self) -> None:
        self._fresh.wait()  # rich is imported once the first items flow, not before
        if self._closed.is_set():
            return
        from rich.live import Live

        from ecotone.frontends.terminal.live import live_view
        from ecotone.frontends.terminal.style import console

        screen = console(sys.stdout)
        with Live(console=screen, screen=True, auto_refresh=False) as live:
            while not self._closed.is_set():
                self._fresh.clear()
                if self._report is not None:
                    view = live_view(self._report, screen.width, screen.height, self._for_s, stopping=self._stopping)
                    live.update(view, refresh=True)
                self._closed.wait(_PICTURE_EVERY_S)
                self._fresh.wait()


def status_line(report: RunReport) -> str:
    """A run in one line: "0:15  2.4k items  camera 25/s  p95 68 ms of 100 ms  4 dropped"."""
    parts = [elapsed_text(report.duration_s)]
    if report.components:
        first = report.components[0]
        parts.append(f"{first.component} {rate_text(first.rate_per_s)}")
    for each in report.paths:
        measured = f"{percentile_text(each.percentile)} {time_text(each.measured_s)}"
        parts.append(f"{each.components[-1]} {measured} of {time_text(each.promised_s)}")
    dropped = sum(each.dropped for each in report.components)
    restarts = sum(each.restarts for each in report.components)
    if dropped:
        parts.append(f"{dropped} dropped")
    if restarts:
        parts.append(count_text(restarts, "restart"))
    return "  ".join(parts)
