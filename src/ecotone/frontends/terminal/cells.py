"""Cells as tables: what was built, what runs, what a file holds; and the line that shows a build."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Group
from rich.text import Text

from ecotone.frontends.terminal.style import block, console, heading, plain_table
from ecotone.frontends.words import NOTHING, bar_text, count_text, elapsed_text, percent_text, size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType
    from rich.progress import Progress

    from ecotone.execution.cells.building import Manifest
    from ecotone.session.cells import InspectedCell, SeenJob

__all__ = ["BuildLine", "built_view", "cell_view", "jobs_view", "top_view", "watch"]

_STATE_STYLES = {"running": "bold", "done": "kept", "failed": "broken", "lost": "broken"}
_SHOWN_IMPORTS = 6


class BuildLine:
    """What a build does just now, on one line of `stream` that goes at the end; plain lines where nobody watches."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Progress | None = None
        self._said = ""

    def __enter__(self) -> BuildLine:
        if self._stream.isatty():
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=console(self._stream),
                transient=True,
            )
            self._bar.add_task("starting", total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, text: str) -> None:
        """Says what is done now; from any thread."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=text)
            return
        first = text.partition(",")[0]
        if first != self._said:  # of what is counted, the first is enough
            self._said = first
            self._stream.write(f"{text}\n")
            self._stream.flush()


def built_view(target: Path, manifest: Manifest, took_s: float) -> RenderableType:
    """What was built, and how to run it."""
    ready = f", ready for {_machines(manifest)}" if manifest.compiled else ""
    line = Text.assemble((str(target), "bold"), f"  {size_text(target.stat().st_size)}")
    line.append(f"  module {size_text(manifest.module_bytes)}{ready}, in {time_text(took_s)}", style="quiet")
    ranks = manifest.needs.ranks
    run = f"ecotone cell run {target}" + ("" if ranks else " -n 4" if _knows_mpi(manifest) else "")
    return Group(line, Text(f"run it with: {run}", style="quiet"))


def _knows_mpi(manifest: Manifest) -> bool:
    return any(name.startswith("eco.") for name in manifest.needs.imports)


def _machines(manifest: Manifest) -> str:
    return ", ".join(sorted({name.partition("-")[0] for name in manifest.compiled}))


def jobs_view(jobs: Sequence[SeenJob], width: int, *, ended: bool) -> RenderableType:
    """All jobs as a table, the newest last."""
    if not jobs:
        return Text("no jobs" if ended else "no job runs; see also: ecotone cell ps --all", style="quiet")
    table = plain_table()
    table.add_column("job", style="name", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for name in (_ranks_title(jobs), "CPU", "memory", "age"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why" if ended else "cell", overflow="fold")
    for job in jobs:
        table.add_row(*_cells(job), Text(job.reason or job.entry.record.cell if ended else job.entry.record.cell))
    return block(table)


def _ranks_title(jobs: Sequence[SeenJob]) -> str:
    return "ranks x threads" if any(job.threads for job in jobs) else "ranks"


def _ranks_text(job: SeenJob) -> str:
    """With the threads of the newest parallel region, where there has been one."""
    ranks, sizes = job.entry.record.ranks, sorted({use.size for use in job.threads if use.size})
    if not sizes:
        return str(ranks)
    return f"{ranks} x {sizes[0]}" if len(sizes) == 1 else f"{ranks} x {sizes[0]}-{sizes[-1]}"


def _cells(job: SeenJob) -> Iterator[RenderableType]:
    yield Text(job.entry.record.job)
    yield Text(job.state, style=_STATE_STYLES[job.state])
    yield _ranks_text(job)
    yield time_text(job.cpu_s) if job.cpu_s else NOTHING
    yield size_text(job.memory_bytes) if job.memory_bytes else NOTHING
    yield elapsed_text(job.age_s)


def top_view(jobs: Sequence[SeenJob], shares: Mapping[str, float], width: int) -> RenderableType:
    """The running jobs with what they use just now; `shares` in cores, by job."""
    used = sum(shares.values())
    head = heading("cells", count_text(len(jobs), "job"), count_text(sum(j.entry.record.ranks for j in jobs), "rank"))
    head.append(f"  {used:.2f} cores in use", style="quiet")
    if not jobs:
        return Group(head, block(Text("no job runs", style="quiet")))
    table = plain_table()
    table.add_column("job", style="name", no_wrap=True)
    for name in (_ranks_title(jobs), "cores", ""):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name in ("busy", "CPU", "memory", "age"):
        table.add_column(name, justify="right", no_wrap=True)
    for job in sorted(jobs, key=lambda each: -shares[each.entry.record.job]):
        name = job.entry.record.job
        share = shares[name] / max(job.entry.record.ranks, sum(use.size for use in job.threads))
        bar = Text(bar_text(share, max(4, min(20, width - 76))), style="bar.predicted")
        table.add_row(
            name, _ranks_text(job), f"{shares[name]:.2f}", bar, percent_text(share), time_text(job.cpu_s),
            size_text(job.memory_bytes), elapsed_text(job.age_s),
        )  # fmt: skip
    return Group(head, block(table))


def watch(looks: Iterator[tuple[list[SeenJob], dict[str, float]]]) -> None:
    """Shows each look in the place of the one before, until Ctrl-C."""
    import sys  # noqa: PLC0415

    from rich.live import Live  # noqa: PLC0415

    screen = console(sys.stdout)
    try:
        with Live(console=screen, auto_refresh=False, screen=True) as live:
            for jobs, shares in looks:
                foot = block(Text("Ctrl-C to leave", style="quiet"))
                live.update(Group(top_view(jobs, shares, screen.width), foot), refresh=True)
    except KeyboardInterrupt:
        return


def cell_view(path: Path, found: InspectedCell, width: int) -> RenderableType:
    """What a cell file holds."""
    table = plain_table()
    table.show_header = False
    table.add_column("", style="quiet", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, text in _rows(found):
        table.add_row(name, text)
    return Group(heading(str(path), "whole: the module is the one that was built"), block(table))


def _rows(found: InspectedCell) -> Iterator[tuple[str, str]]:
    needs, built = found.needs, found.built
    yield "module", f"{size_text(found.module_bytes)}, SHA-256 {found.digest[:16]}..."
    yield "ranks", str(needs.ranks) if needs.ranks else "any number"
    yield "threads", str(needs.threads or "any number")
    yield "memory", f"{size_text(needs.memory_bytes)} of each rank at its start"
    own = [name.partition(".")[2] for name in needs.imports if name.startswith("eco.")]
    system = [name.partition(".")[2] for name in needs.imports if name.startswith("wasi_")]
    yield "MPI", _some(own) if own else "not used"
    yield "system", _some(system)
    for name in (each for each in needs.imports if not each.startswith(("eco.", "wasi_"))):
        yield "unknown", f"{name}: no host of ours has it"
    if built is not None:
        yield "built by", f"ecotone {built.ecotone}, {built.compiler}"
        yield "from", " ".join(built.sources) or NOTHING
        yield "flags", " ".join(built.flags) or NOTHING
    for machine, state in found.machines.items():
        yield "compiled", f"for {machine}: {state}"
    if not found.machines:
        yield "compiled", "for no machine: done when it first runs"


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN_IMPORTS
    return ", ".join(names[:_SHOWN_IMPORTS]) + (f" and {rest} more" if rest > 0 else "")
