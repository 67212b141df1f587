"""What profiling measured, as a table, and the bar that shows how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Group
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ecotone.frontends.terminal.style import block, console, heading, plain_table, widest
from ecotone.frontends.words import NOTHING, energy_text, percent_text, quantile, size_text, time_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ecotone.orchestration.performance.samples import Samples, VariantSamples

__all__ = ["ProfileBar", "profile_view"]


class ProfileBar:
    """A bar on `stream` that goes when it is closed."""

    def __init__(self, stream: TextIO) -> None:
        screen = console(stream)
        self._bar = Progress(
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=24, complete_style="kept", finished_style="kept"),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[message]}", style="quiet"),
            console=screen,
            transient=True,
            refresh_per_second=5,
        )
        self._task = self._bar.add_task("profiling", total=1.0, message="")
        self._bar.start()

    def update(self, component: str, variant: str, fraction: float, message: str) -> None:
        self._bar.update(self._task, completed=fraction, description=_title(component, variant), message=message)

    def close(self) -> None:
        self._bar.stop()


def _title(component: str, variant: str) -> str:
    return component if variant in ("", "default") else f"{component} ({variant})"


def profile_view(samples: Samples, width: int) -> RenderableType:
    """Every variant: how often it was called, how long it took, what it needs, how accurate it is."""
    table = widest(width - 1, _table(samples, wide=True), _table(samples, wide=False))
    remarks = [
        f"measured alone on one core of {samples.machine} (score {samples.machine_score:.3g}), {samples.taken_at[:16]}"
    ]
    if any(not each.complete for each in samples.variants):
        remarks.append("* the budget ended before the mean was certain to 5 %: give more with --budget")
    if any(each.accuracy_source == "agreement" for each in samples.variants):
        remarks.append("accuracy marked ~ is agreement with the largest variant, not with labels")
    remarks += _cores_remarks(samples)
    remarks += _energy_remarks(samples)
    title = heading(f"profile of {samples.application}")
    return Group(title, block(table), block(*(Text(each, style="quiet") for each in remarks)))


def _cores_remarks(samples: Samples) -> list[str]:
    """A call with each number of cores that was measured, and what of its CPU time that is."""
    found: list[str] = []
    for each in samples.variants:
        if len(each.counts) < 2:
            continue
        said = [
            f"{cores}: {time_text(quantile(wall_s, 0.5))} ({time_text(quantile(cpu_s, 0.5))} CPU)"
            for cores, wall_s, cpu_s in each.counts
        ]
        found.append(f"p50 of {_title(each.component, each.variant)} by cores: {', '.join(said)}")
    return found


def _energy_remarks(samples: Samples) -> list[str]:
    """Where joules are from, and for what is not measured, why."""
    meters = dict.fromkeys(each.energy_meter for each in samples.variants if each.energy_j is not None)
    found = [f"energy of a call above the idle machine, measured by {', '.join(meters)}"] if meters else []
    unknown = [each for each in samples.variants if each.energy_j is None and each.energy_note]
    if len(unknown) == len(samples.variants) and len({each.energy_note for each in unknown}) == 1:
        return [f"energy is estimated from declared power: {unknown[0].energy_note}"]
    found += [f"energy of {_title(each.component, each.variant)} is estimated: {each.energy_note}" for each in unknown]
    return found


def _table(samples: Samples, *, wide: bool) -> Table:
    table = plain_table()
    table.add_column("component", style="name", no_wrap=True, max_width=24 if wide else 18)
    table.add_column("variant", no_wrap=True, max_width=12 if wide else 9)
    for each in ("calls", "p50", "p95"):
        table.add_column(each, justify="right", no_wrap=True)
    if wide:
        table.add_column("CPU", justify="right", no_wrap=True)
    for each in ("memory", "output", *(["out/in", "start", "energy"] if wide else [])):
        table.add_column(each, justify="right", no_wrap=True)
    table.add_column("accuracy", justify="right", no_wrap=True)
    last = ""
    for each in samples.variants:
        table.add_row(*_cells(each, wide=wide, name="" if each.component == last else each.component))
        last = each.component
    return table


def _cells(each: VariantSamples, *, wide: bool, name: str) -> list[RenderableType]:
    wall_s, cpu_s = sum(each.wall_s), sum(each.cpu_s)
    accuracy = NOTHING
    if each.accuracy is not None:
        accuracy = ("~" if each.accuracy_source == "agreement" else "") + f"{each.accuracy:.2f}"
    output = quantile(each.output_bytes, 0.5)
    cells: list[RenderableType] = [
        Text(name),
        Text(each.variant),
        f"{len(each.wall_s)}{'' if each.complete else '*'}",
        time_text(quantile(each.wall_s, 0.5)),
        time_text(quantile(each.wall_s, 0.95)),
    ]
    if wide:
        cells.append(percent_text(cpu_s / wall_s) if wall_s > 0 else NOTHING)
    cells += [size_text(each.memory_peak_bytes), NOTHING if output is None else size_text(output)]
    if wide:
        energy = NOTHING if each.energy_j is None else energy_text(each.energy_j)
        cells += [f"{each.outputs_per_input:.2g}", time_text(each.start_s), energy]
    return [*cells, accuracy]
