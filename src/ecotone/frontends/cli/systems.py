"""`ecotone plan --space4ai`: a system that is described in SPACE4AI's format instead of an application. Loaded by
`planning` when it is asked for."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ecotone.core.errors import UnavailableError
from ecotone.frontends.cli.main import DONE, FAILED, INTERRUPTED
from ecotone.frontends.cli.written import check_written, write_front
from ecotone.session.systems import (
    front_document,
    front_of,
    judge_solution,
    largest_load_of,
    load_document,
    plan_system,
    system_document,
    write_solution,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from rich.console import RenderableType

    from ecotone.design.space4ai import Mode
    from ecotone.frontends.cli.output import Output
    from ecotone.frontends.terminal.system import SearchLine
    from ecotone.session.systems import By, Objective, Progress, SystemPlan

__all__ = ["front_of_system", "judge_system", "largest_load_of_system", "search_system"]

_SHOW_CURSOR = b"\x1b[?25h\n"


def search_system(
    file: Path,
    output: Output,
    *,
    load_per_s: float | None,
    semantics: Mode,
    time_limit_s: float,
    gap: float,
    seed: int,
    written: Path | None,
    objective: Objective = "price",
    running: Path | None = None,
    moving_eur_per_h: float = 0.0,
) -> int:
    """Search, show what was found, and write the solution to `written`; the exit status."""
    check_written(written)
    with _interruptible() as stop, _SearchProgress("W" if objective == "power" else "EUR/h") as progress:
        plan = plan_system(
            file,
            load_per_s=load_per_s,
            semantics=semantics,
            objective=objective,
            running=running,
            moving_eur_per_h=moving_eur_per_h,
            time_limit_s=time_limit_s,
            gap=gap,
            seed=seed,
            progress=progress,
            stop=stop,
        )
    return _show(plan, output, written)


def judge_system(
    file: Path, solution: Path, output: Output, *, load_per_s: float | None, semantics: Mode, written: Path | None
) -> int:
    """Judge a solution instead; the exit status."""
    check_written(written)
    return _show(judge_solution(file, solution, load_per_s=load_per_s, semantics=semantics), output, written)


def front_of_system(
    file: Path,
    by: By,
    output: Output,
    *,
    load_per_s: float | None,
    semantics: Mode,
    time_limit_s: float,
    seed: int,
    plot: Path | None,
) -> int:
    """Find every compromise, show them, and draw them into `plot`; the exit status."""
    if plot is not None:
        from ecotone.frontends.report.front import need_matplotlib

        check_written(plot, "--plot")
        need_matplotlib()
    with _interruptible() as stop, _SearchProgress("EUR/h") as progress:
        found = front_of(
            file,
            by,
            load_per_s=load_per_s,
            semantics=semantics,
            time_limit_s=time_limit_s,
            seed=seed,
            progress=progress,
            stop=stop,
        )

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.system import front_view

        return front_view(found, width)

    output.show(picture, lambda: front_document(found))
    status = INTERRUPTED if found.interrupted else DONE if found.front.points else FAILED
    if plot is not None and found.front.points:
        from ecotone.frontends.report.front import FrontPoint

        points = [
            FrontPoint(
                price_eur_per_h=each.price_eur_per_h,
                other=each.power_w if by == "power" else each.accuracy or 0.0,
                proven=each.proven,
            )
            for each in found.front.points
        ]
        name, is_complete = found.system.name, found.front.complete
        return status if write_front(plot, output, name, by, points, complete=is_complete) else FAILED
    if plot is not None:
        output.say(f"there is nothing to draw into {plot}")
    return status


def largest_load_of_system(
    file: Path,
    output: Output,
    *,
    solution: Path | None,
    load_per_s: float | None,
    semantics: Mode,
    time_limit_s: float,
    seed: int,
) -> int:
    """Find the largest load, of any placement or of the one in `solution`; the exit status."""
    with _interruptible() as stop:
        load = largest_load_of(
            file,
            solution=solution,
            load_per_s=load_per_s,
            semantics=semantics,
            time_limit_s=time_limit_s,
            seed=seed,
            stop=stop,
        )

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.system import load_view

        return load_view(load, width)

    output.show(picture, lambda: load_document(load))
    return INTERRUPTED if load.interrupted else DONE if load.found.factor is not None else FAILED


def _show(plan: SystemPlan, output: Output, written: Path | None) -> int:
    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.system import system_view

        return system_view(plan, width)

    output.show(picture, lambda: system_document(plan))
    status = INTERRUPTED if plan.interrupted else DONE if plan.feasible else FAILED
    if written is None:
        return status
    if not plan.feasible:
        output.say(f"there is no solution to write to {written}")
        return status
    try:
        write_solution(plan, written)
    except UnavailableError as error:  # what was found has been shown: it is not lost
        output.say(f"error: {error}")
        return FAILED
    output.say(f"wrote {written}")
    return status


class _SearchProgress:
    """A line on stderr while a person watches it; nothing otherwise."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._line: SearchLine | None = None

    def __enter__(self) -> _SearchProgress:
        if sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb":
            from ecotone.frontends.terminal.system import SearchLine

            self._line = SearchLine(sys.stderr, self._unit)
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.close()

    def __call__(self, told: Progress) -> None:
        if self._line is not None:
            self._line.update(told.value, told.lower_bound)


@contextmanager
def _interruptible() -> Generator[threading.Event]:
    """While this lasts, a first SIGINT, SIGTERM or SIGHUP sets the event; a second one ends this process at once.

    The solver works without Python, so no handler of ours would run, and it takes SIGINT for itself: the signals are
    blocked, and a thread waits for them. The handlers are for what reaches a thread that was there before.
    """
    stop, over = threading.Event(), threading.Event()
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    handlers = {each: handler for each, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}  # nohup
    if not handlers or threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(*_: object) -> None:
        if stop.is_set():
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), _SHOW_CURSOR)
            os._exit(INTERRUPTED)
        stop.set()

    def listen() -> None:
        while True:
            signal.sigwait(handlers.keys())
            if over.is_set():
                return
            ask()

    before = signal.pthread_sigmask(signal.SIG_BLOCK, handlers.keys())
    listening = threading.Thread(target=listen, name="signals", daemon=True)
    listening.start()
    for each in handlers:
        signal.signal(each, ask)
    try:
        yield stop
    finally:
        over.set()
        assert listening.ident is not None
        signal.pthread_kill(listening.ident, next(iter(handlers)))
        listening.join()
        for each, handler in handlers.items():
            signal.signal(each, handler)  # the solver leaves its own behind
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
