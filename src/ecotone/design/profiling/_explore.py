"""Measures the configurations that teach the most, until models of an application are accurate enough.

Called by the session, for `ecotone profile APP --vary ...`. What is measured, when to stop and what to believe is
decided by `_exploration`; this runs the workers, keeps every run at once, and learns the models at the end.
"""

from __future__ import annotations

import itertools
import math
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy

from ecotone.core.errors import ComponentError, InputError
from ecotone.design.profiling._belief import Entry
from ecotone.design.profiling._child import measure, scratch_folder
from ecotone.design.profiling._counts import counts_to_measure
from ecotone.design.profiling._exploration import Exploration, Foreseen
from ecotone.design.profiling._grid import Configuration, axes_of, configurations, features
from ecotone.design.profiling._jobs import Jobs, is_input, steps_for
from ecotone.design.profiling._keys import variant_keys
from ecotone.design.profiling._runs import MODEL_FILES, TARGETS, Run, RunsFile, exploration_key
from ecotone.design.profiling.interface import Explored, ExploredRun, Going, Limits, Reached
from ecotone.infrastructure.machine import cpu_time, own_cores
from ecotone.orchestration.performance.learner import ROWS_MIN, Table, fit, write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ecotone.core.application import Application, Component, Value
    from ecotone.design.profiling.interface import Progress

__all__ = ["explore"]

_SOURCE_ITEMS = 60
_LISTS = 2
"""How many different lists of the largest size there shall be."""
_KEPT_INPUTS = 4
"""Sets of parameters whose items are kept; more of them are made again when they are needed."""
_FAILURES_MAX = 3
"""Configurations that may fail before any works; then it is the component that fails."""
_BUSY = 0.10
_DRIFTS_SHOWN = 3
RUN_LIMITS = Limits(budget_s=0.6, spare_s=2.4, calls_min=8, precision=0.02)


def explore(
    application: Application,
    root: Path,
    module: str,
    parameters: Mapping[str, Value],
    *,
    with_parameters: Callable[[dict[str, Value]], Application],
    vary: Sequence[str],
    folder: Path,
    accuracy: float,
    budget_s: float,
    only: str | None = None,
    progress: Progress | None = None,
    limits: Limits = RUN_LIMITS,
) -> tuple[Explored, ...]:
    """Measure and learn; for every variant of every component, or of one.

    An interruption loses nothing: the next call with the same code goes on from the runs in `folder`.

    Args:
        application, root, module, parameters: as for `profile`.
        with_parameters: the application as it is with other values of its parameters, which annotations may read.
        vary: `NAME=VALUE,VALUE,...` each.
        folder: gets COMPONENT.VARIANT.csv and the models.
        accuracy: mean relative error of call times at configurations that were not measured (0.1: 10 %).
        budget_s: for all together; a run that has begun is not cut short.
        only: name of a component.
        progress: is told how far it is.
        limits: for each worker.

    Raises:
        InputError: what is varied, or `only`, is wrong; a component says that its input is.
        UnavailableError: a package that the application needs is missing.
        ComponentError: a component failed in every configuration that was tried.
        MissingExtraError: the extra `performance` is not installed.
    """
    names = [component.name for component in application.components]
    if only is not None and only not in names:
        raise InputError(f"there is no component {only!r}; there are: {', '.join(sorted(names))}")
    if not vary:
        raise InputError("nothing is varied: name what to vary with --vary, for example --vary cores=1,2")
    axes = axes_of(application, vary, own_cores())
    varied = {axis.name for axis in axes}
    keys = variant_keys(application, root, module, {k: v for k, v in parameters.items() if k not in varied})
    grids = {
        component.name: configurations(application, component, axes, parameters)
        for component in application.components
        if only in {None, component.name}
    }
    chosen = [(component, variant.name) for component in application.components for variant in component.variants]
    chosen = [(component, variant) for component, variant in chosen if component.name in grids]
    found: list[Explored] = []
    course = _Course(budget_s, progress)
    with scratch_folder(folder) as scratch:
        for place, (component, variant) in enumerate(chosen):
            grid = grids[component.name]
            worker = _Worker(
                with_parameters,
                root=root,
                module=module,
                component=component,
                variant=variant,
                grid=grid,
                scratch=Path(scratch),
                limits=limits,
            )
            key = exploration_key(keys[component.name, variant])
            file = RunsFile(folder / f"{component.name}.{variant}.csv", list(grid[0].values), key)
            share_s = course.left_s() / (len(chosen) - place)
            one = _One(component.name, variant, grid=grid, file=file, worker=worker, accuracy=accuracy)
            one.run(course, share_s)
            course.say(component.name, variant, "learning models")
            found.append(one.result(folder))
    if progress is not None:
        progress(chosen[-1][0].name, chosen[-1][1], 1.0, "done")
    return tuple(found)


class _Course:
    """The time of the whole exploration."""

    def __init__(self, budget_s: float, progress: Progress | None) -> None:
        self._start_s = time.monotonic()
        self._budget_s = budget_s
        self._progress = progress

    def gone_s(self) -> float:
        return time.monotonic() - self._start_s

    def left_s(self) -> float:
        return max(0.0, self._budget_s - self.gone_s())

    def say(self, component: str, variant: str, message: str) -> None:
        if self._progress is not None:
            self._progress(component, variant, min(1.0, self.gone_s() / self._budget_s), message)


class _Figures(NamedTuple):
    wall_s: float
    cpu_s: float
    memory_bytes: float
    output_bytes: float
    calls: int
    others: float


class _Worker:
    """Runs one variant in a configuration, on items that its producers make under the same parameters."""

    def __init__(
        self,
        with_parameters: Callable[[dict[str, Value]], Application],
        *,
        root: Path,
        module: str,
        component: Component,
        variant: str,
        grid: Sequence[Configuration],
        scratch: Path,
        limits: Limits,
    ) -> None:
        self._with_parameters, self._root, self._module = with_parameters, root, module
        self._component, self._variant = component, variant
        self._scratch, self._limits = scratch, limits
        self._source_items = max(_SOURCE_ITEMS, _LISTS * max(each.batch or 1 for each in grid))
        self._prepared: dict[tuple[tuple[str, Value], ...], tuple[Jobs, Component, Path]] = {}
        self._folders = itertools.count()

    def run(self, configuration: Configuration, say: _Say) -> _Figures:
        """Raises ComponentError, InputError and UnavailableError, as user code does."""
        jobs, component, folder = self._jobs(configuration, say)
        limits = msgspec.structs.replace(
            self._limits,
            call_max_s=component.item_timeout_s or self._limits.call_max_s,
            memory_max_bytes=component.requirements.memory_bytes or self._limits.memory_max_bytes,
        )
        job = jobs.job(component, self._variant, limits, is_measured=True, is_input=False)
        items = configuration.batch or job.items_per_call
        job = msgspec.structs.replace(
            job,
            cores=configuration.cores or next(iter(counts_to_measure(component, own_cores())), 1),
            items_per_call=items,
            period_s=job.period_s * items / job.items_per_call,
            reference_path=None,
            only_times=True,
        )
        start_s, before = time.monotonic(), cpu_time()
        measured = measure(job, folder, folder / "log", say)
        took_s, after = time.monotonic() - start_s, cpu_time()
        if not measured.wall_s:
            raise ComponentError(f"{component.name}: it made no call that could be timed")
        foreign_s = after.others_s - before.others_s + after.stolen_s - before.stolen_s
        return _Figures(
            wall_s=_rounded(statistics.median(measured.wall_s)),
            cpu_s=_rounded(statistics.median(measured.cpu_s)),
            memory_bytes=_rounded(measured.memory_peak_bytes),
            output_bytes=_rounded(statistics.fmean(measured.output_bytes or (0,))),
            calls=len(measured.wall_s),
            others=round(min(1.0, max(0.0, foreign_s / (took_s * (os.cpu_count() or 1)))), 3),
        )

    def _jobs(self, configuration: Configuration, say: _Say) -> tuple[Jobs, Component, Path]:
        """With the items that the component gets under these parameters, made now if they are not there."""
        key = tuple(sorted(configuration.parameters.items()))
        if key in self._prepared:
            self._prepared[key] = self._prepared.pop(key)  # the last one used goes last
            return self._prepared[key]
        while len(self._prepared) >= _KEPT_INPUTS:
            _, _, old = self._prepared.pop(next(iter(self._prepared)))
            for file in old.iterdir():
                if file.is_file():
                    file.unlink()
        folder = self._scratch / f"{self._component.name}.{self._variant}.{next(self._folders)}"
        folder.mkdir()
        application = self._with_parameters(configuration.parameters)  # annotations may read them, too
        jobs = Jobs(
            application,
            self._root,
            self._module,
            configuration.parameters,
            scratch=folder,
            limits=self._limits,
            source_items=self._source_items,
        )
        steps = steps_for(application, {(self._component.name, self._variant)})
        for number, (component, variant, _) in enumerate(steps):
            if component.name == self._component.name:
                continue
            reads = is_input(component.name, steps)
            job = jobs.job(component, variant, self._limits, is_measured=False, is_input=reads)
            jobs.note(component, variant, job, measure(job, folder, folder / "log", say))
            jobs.forget_inputs(component, steps[number + 1 :])
        self._prepared[key] = jobs, application.component(self._component.name), folder
        return self._prepared[key]


class _Say(NamedTuple):
    """Passes signs of life of a worker on."""

    course: _Course
    component: str
    variant: str
    message: str

    def __call__(self, _: Going) -> None:
        self.course.say(self.component, self.variant, self.message)


class _One:
    """The exploration of one variant."""

    def __init__(
        self,
        component: str,
        variant: str,
        *,
        grid: Sequence[Configuration],
        file: RunsFile,
        worker: _Worker,
        accuracy: float,
    ) -> None:
        self._component, self._variant = component, variant
        self._grid, self._file, self._worker, self._accuracy = grid, file, worker, accuracy
        self._index = index = {tuple(each.values.values()): place for place, each in enumerate(grid)}
        names = list(grid[0].values)
        kept = [(run, index.get(tuple(run.values[name] for name in names))) for run in file.read()]
        known = [(run, place) for run, place in kept if place is not None]
        self._runs = [run for run, _ in known]
        self._foreseen: list[Foreseen | None] = [None] * len(known)
        entries = [Entry(place, run.wall_s, run.others) for run, place in known]
        self._exploration = Exploration(features(grid), accuracy, entries)
        self._failures: list[str] = []
        self._ended: Reached = "budget"

    def run(self, course: _Course, share_s: float) -> None:
        """Raises what user code does, when it does so in every configuration that was tried."""
        end_s, longest_s = course.gone_s() + share_s, 0.0
        exploration = self._exploration
        while True:
            index = exploration.next()
            if index is None and self._runs:
                index = self._again()
            if index is None:
                self._ended = "accuracy" if exploration.reached() else "impossible"
                return
            if self._runs and course.gone_s() + longest_s > end_s:
                return
            started_s = course.gone_s()
            self._measure(index, course)
            longest_s = max(longest_s, course.gone_s() - started_s)

    def _again(self) -> int | None:
        """The configuration with the fewest runs while there are too few to learn a model from; None: there are
        enough."""
        doubts = self._exploration.belief.doubts
        if sum(not doubt for doubt in doubts) >= ROWS_MIN or len(doubts) >= 2 * ROWS_MIN:
            return None
        known = [tuple(run.values.values()) for run in self._runs]
        return min((self._index[values] for values in known), key=lambda place: known.count(self._values(place)))

    def _values(self, place: int) -> tuple[float, ...]:
        return tuple(self._grid[place].values.values())

    def _measure(self, index: int, course: _Course) -> None:
        configuration = self._grid[index]
        exploration = self._exploration
        error = exploration.expected_error()
        shown = f"; expected error {error:.0%}" if error < 1.0 else ""
        message = f"run {len(self._runs) + 1}: {_text(configuration.values)}{shown}"
        course.say(self._component, self._variant, message)
        foreseen = exploration.foreseen(index)
        try:
            figures = self._worker.run(configuration, _Say(course, self._component, self._variant, message))
        except ComponentError as failure:
            exploration.fail(index)
            self._failures.append(f"{_text(configuration.values)}: {failure}")
            if not self._runs and len(self._failures) >= min(_FAILURES_MAX, len(self._grid)):
                raise
            return
        run = Run(values=configuration.values, **figures._asdict())
        self._file.append(run)
        self._runs.append(run)
        self._foreseen.append(foreseen)
        exploration.add(Entry(index, run.wall_s, run.others))

    def result(self, folder: Path) -> Explored:
        """With the models learnt and written."""
        exploration = self._exploration
        doubts = exploration.belief.doubts
        believed = [run for run, doubt in zip(self._runs, doubts, strict=True) if not doubt]
        models, notes = _learn(believed, folder / f"{self._component}.{self._variant}")
        error, noise = exploration.expected_error(), exploration.noise
        return Explored(
            component=self._component,
            variant=self._variant,
            configurations=len(self._grid),
            runs=tuple(map(_explored, self._runs, self._foreseen, doubts)),
            reached=self._ended,
            accuracy=self._accuracy,
            expected_error=round(error, 4) if math.isfinite(error) else None,
            noise=round(noise, 4) if math.isfinite(noise) else None,
            failures=tuple(self._failures),
            notes=(*_machine_notes(self._runs, exploration), *notes),
            runs_file=str(folder / f"{self._component}.{self._variant}.csv"),
            models=models,
        )


def _explored(run: Run, foreseen: Foreseen | None, doubt: str) -> ExploredRun:
    return ExploredRun(
        **msgspec.structs.asdict(run),
        foreseen_s=None if foreseen is None else foreseen.value,
        low_s=None if foreseen is None else foreseen.low,
        high_s=None if foreseen is None else foreseen.high,
        doubt=doubt,
    )


def _machine_notes(runs: Sequence[Run], exploration: Exploration) -> list[str]:
    notes: list[str] = []
    drifts = exploration.belief.drifts
    for drift in drifts[-_DRIFTS_SHOWN:]:
        how = f"{abs(drift.change):.0%} {'slower' if drift.change > 0 else 'faster'}"
        since = "since the earlier profile" if drift.after < 0 else f"after run {drift.after + 1}"
        notes.append(f"the machine became {how} {since} (seen at run {drift.seen + 1}): what was before does not count")
    if len(drifts) > _DRIFTS_SHOWN:
        notes.append(f"it drifted {len(drifts)} times in all: let it settle, stop what else runs, and profile again")
    busy = exploration.belief.doubts.count("busy")
    if busy:
        notes.append(f"{busy} runs were made again: others used much more of the machine than usual")
    usual = statistics.median(run.others for run in runs) if runs else 0.0
    if usual > _BUSY:
        notes.append(f"other processes used {usual:.0%} of the machine: the figures hold for a machine that is so busy")
    return notes


def _learn(runs: Sequence[Run], stem: Path) -> tuple[dict[str, str], list[str]]:
    """A model of each target, by target; and why there is none."""
    models: dict[str, str] = {}
    notes: list[str] = []
    for target in TARGETS:
        path = stem.with_name(f"{stem.name}{MODEL_FILES[target]}.json")
        path.unlink(missing_ok=True)  # a model of other runs would be believed
        figures = [float(getattr(run, target)) for run in runs]
        if not runs or not runs[0].values:
            notes.append(f"no model of {target}: nothing that was varied applies")
            continue
        if target == "output_bytes" and not all(figures):
            continue  # it emits nothing, or not always
        names = list(runs[0].values)
        values = numpy.array([[*run.values.values(), figure] for run, figure in zip(runs, figures, strict=True)])
        try:
            model = fit(Table([*names, target], values), target)
        except InputError as error:
            notes.append(f"no model of {target}: {error}")
            continue
        write_model(path, model)
        models[target] = str(path)
    return models, notes


def _text(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items()) or "as it is"


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
