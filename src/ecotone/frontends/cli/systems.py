"""`ecotone plan --space4ai`: a system that is described in SPACE4AI's format instead of an application. Loaded by
`planning` when it is asked for."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ecotone.core.errors import InputError, MissingExtraError, UnavailableError
from ecotone.frontends.cli.main import DONE, FAILED, INTERRUPTED
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
    from ecotone.session.systems import By, Objective, Progress, SystemFront, SystemPlan

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
    _check_written(written)
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
    _check_written(written)
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
    _check_written(plot, "--plot")
    if plot is not None:
        _matplotlib()
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
    if plot is None:
        return status
    if not found.front.points:
        output.say(f"there is nothing to draw into {plot}")
        return status
    try:
        plot.write_text(front_plot(found))
    except OSError as error:
        output.say(f"error: {plot} cannot be written: {error.strerror}")
        return FAILED
    output.say(f"wrote {plot}")
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


def _check_written(file: Path | None, option: str = "--output") -> None:
    """What cannot be written is told before the search, not after it. Raises InputError."""
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        what = f"{file} is a folder" if file.is_dir() else f"there is no folder {file.parent}"
        raise InputError(f"{option} {file}: {what}; name a file in a folder that is there")


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


# The plot of a front: a file of its own, light, that any viewer shows

_INK, _SOFT, _LINE, _MAIN = "#1d2426", "#5c686b", "#dfe3e1", "#2f6fc1"
_APART = (0.24, 0.07)
"""Shares of width and height between labels."""


def _matplotlib() -> tuple[Any, Any]:
    """The package and its Figure class. Raises MissingExtraError where it is not installed."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import matplotlib as package
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "report") from None
    return package, Figure


def front_plot(found: SystemFront) -> str:
    """The compromises as an SVG: what is above the stairs can be had, what is below them cannot.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    package, figure_class = _matplotlib()
    front = found.front
    points = [
        (each.price_eur_per_h, each.power_w if front.by == "power" else (each.accuracy or 0.0), each.proven)
        for each in front.points
    ]
    rules = {
        "svg.fonttype": "none", "svg.hashsalt": "ecotone", "font.family": ["sans-serif"], "font.size": 10,
        "text.color": _INK, "axes.edgecolor": _LINE, "axes.labelcolor": _SOFT, "axes.titlesize": 11,
        "axes.titleweight": "semibold", "axes.titlelocation": "left", "axes.spines.top": False,
        "axes.spines.right": False, "xtick.color": _SOFT, "ytick.color": _SOFT, "axes.grid": True, "grid.color": _LINE,
        "grid.linewidth": 0.7, "axes.axisbelow": True, "legend.frameon": False, "legend.fontsize": 9,
    }  # fmt: skip
    with package.rc_context(rules):
        figure = figure_class(figsize=(7.5, 4.6), layout="constrained")
        _draw_front(figure.add_subplot(), found, points)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _draw_front(axes: Any, found: SystemFront, points: list[tuple[float, float, bool]]) -> None:
    by = found.front.by
    prices, others = [each[0] for each in points], [each[1] for each in points]
    margins = [0.1 * ((max(each) - min(each)) or abs(max(each)) or 1.0) for each in (prices, others)]
    left, right = min(prices) - margins[0], max(prices) + 1.6 * margins[0]
    bottom, top = max(0.0, min(others) - margins[1]), max(others) + 1.6 * margins[1]
    stairs_x = [prices[0], *prices, right]
    # for a price the compromise holds until the next dearer one
    start = top if by == "power" else bottom
    axes.fill_between(
        stairs_x, [start, *others, others[-1]], start, step="post", color=_MAIN, alpha=0.08, linewidth=0,
        label="no better than one of these",
    )  # fmt: skip
    axes.step(stairs_x, [start, *others, others[-1]], where="post", color=_MAIN, linewidth=1.4, alpha=0.7)
    for is_proven, label, face in ((True, "proven: nothing is better in both", _MAIN), (False, "not proven", "white")):
        chosen = [each for each in points if each[2] == is_proven]
        if chosen:
            axes.scatter(
                [each[0] for each in chosen], [each[1] for each in chosen], s=34, facecolor=face, edgecolor=_MAIN,
                linewidth=1.4, zorder=3, label=label,
            )  # fmt: skip
    for price, other in _labelled(points, right - left, top - bottom):
        text = f"{price:.2f} EUR/h, {other:.4g}{' W' if by == 'power' else ''}"
        is_right = price > left + 0.75 * (right - left)
        axes.annotate(
            text, (price, other), textcoords="offset points", fontsize=8.5, color=_INK,
            ha="right" if is_right else "left", xytext=(-8, -12) if is_right else (8, 5),
        )  # fmt: skip
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_xlabel("EUR/h")
    axes.set_ylabel("W" if by == "power" else "least accuracy of the deployments")
    whole = "all compromises" if found.front.complete else "compromises found in time"
    axes.set_title(f"{found.system.name}: {whole} between price and {by}")
    axes.legend(loc="upper right" if by == "power" else "lower right")


def _labelled(points: list[tuple[float, float, bool]], width: float, height: float) -> list[tuple[float, float]]:
    """Points whose labels do not cover each other: both ends first, then from the cheapest on."""
    chosen: list[tuple[float, float]] = []
    for price, other, _ in (points[0], points[-1], *points[1:-1]):
        if all(abs(price - x) > _APART[0] * width or abs(other - y) > _APART[1] * height for x, y in chosen):
            chosen.append((price, other))
    return chosen
