"""Measures an application: its components in the order of the data, each on what the ones before it really emitted.

Called by the session, for `ecotone profile` and before a plan when something is not measured yet.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from ecotone.core.errors import InputError
from ecotone.design.profiling._child import measure, scratch_folder
from ecotone.design.profiling._counts import counts_to_measure
from ecotone.design.profiling._jobs import Jobs, is_input, steps_for
from ecotone.design.profiling._keys import variant_keys
from ecotone.design.profiling._score import machine_name, machine_score
from ecotone.design.profiling.interface import Going, Job, Limits, Measured, Progress
from ecotone.infrastructure.machine import own_cores
from ecotone.infrastructure.power import SYSFS
from ecotone.orchestration.performance.samples import (
    CoresSamples,
    Samples,
    VariantSamples,
    read_samples,
    write_samples,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ecotone.core.application import Application, Component, Value

__all__ = ["needed", "profile"]

_BUDGET_MIN_S = 0.5


def needed(
    application: Application,
    root: Path,
    module: str,
    parameters: Mapping[str, Value],
    samples: Samples | None,
) -> tuple[tuple[str, str], ...]:
    """The (component, variant) pairs that `samples` does not hold for the code and parameters of today."""
    keys = variant_keys(application, root, module, parameters)
    return tuple(pair for pair, key in keys.items() if not _is_known(samples, pair, key))


def profile(
    application: Application,
    root: Path,
    module: str,
    parameters: Mapping[str, Value],
    *,
    samples_path: Path,
    budget_s: float = 40.0,
    progress: Progress | None = None,
    only: Collection[str] | None = None,
    again: bool = False,
    limits: Limits | None = None,
    sysfs: Path = SYSFS,
) -> Samples:
    """Measure every variant that is not known yet, and keep the samples in `samples_path`.

    The file is written after each variant, so an interrupted profile goes on where it was.

    Args:
        application: what the static reader found.
        root: folder from which `module` is imported.
        module: name of the application's module.
        parameters: the values of all its parameters.
        samples_path: where the samples are, and will be; scratch files go to its folder for the while.
        budget_s: time for measuring, without the starts of the processes, shared by what is to be measured.
        progress: is told how far it is.
        only: names of components to measure; None: all.
        again: measure also what is known.
        limits: for each process; `budget_s` in it is ignored.
        sysfs: where energy counters and power meters are looked for.

    Raises:
        InputError: `only` names no component; the samples file is unreadable; a component says its input is wrong.
        UnavailableError: a package that the application needs is missing.
        ComponentError: a component raised, hung, died or let nothing pass; what was measured before it is kept.
    """
    names = {component.name for component in application.components}
    if only is not None and (unknown := sorted(set(only) - names)):
        raise InputError(f"there is no component {unknown[0]!r}; there are: {', '.join(sorted(names))}")
    keys = variant_keys(application, root, module, parameters)
    known = read_samples(samples_path)
    wanted = {pair for pair in keys if only is None or pair[0] in only}
    if known is not None and known.machine != machine_name() and not again:
        # Figures of two machines cannot be compared: what the other one measured is measured again, if anything is.
        again = any(not _is_known(known, pair, keys[pair]) for pair in wanted)
    todo = {pair for pair in wanted if again or not _is_known(known, pair, keys[pair])}
    session = _Profile(
        application,
        root=root,
        module=module,
        parameters=dict(parameters),
        keys=keys,
        known=known,
        limits=limits or Limits(budget_s=budget_s),
        sysfs=sysfs,
    )
    if todo:
        with scratch_folder(samples_path.parent) as scratch:
            session.run(todo, Path(scratch), samples_path, budget_s, progress)
    return session.samples()


def _is_known(samples: Samples | None, pair: tuple[str, str], key: str) -> bool:
    found = samples.of(*pair) if samples is not None else None
    return found is not None and found.key == key


class _Course:
    """The time of all runs of a profile, and how far they are."""

    def __init__(self, budget_s: float, runs: int, progress: Progress | None) -> None:
        self._share_s = max(_BUDGET_MIN_S, budget_s / max(1, runs))
        self._left_s, self._runs, self._done = budget_s, runs, 0
        self._progress = progress

    def next_s(self) -> tuple[float, float]:
        """The share of the next run, and what earlier ones have left over."""
        return self._share_s, max(0.0, self._left_s - self._share_s * (self._runs - self._done))

    def measure(self, job: Job, scratch: Path) -> Measured:
        """One run. Raises what `measure` raises."""
        with_cores = "" if job.cores is None else f", {job.cores} core{'s' if job.cores > 1 else ''}"

        def going(state: Going) -> None:
            if self._progress is not None:
                message = "starting" if state.doing == "starting" else f"{state.calls} calls"
                fraction = (self._done + state.fraction) / self._runs
                self._progress(job.component.name, job.variant, fraction, message + with_cores)

        measured = measure(job, scratch, scratch / "log", going)
        self._left_s -= measured.took_s
        self._done += 1
        return measured


def _with_cores(cores: int, measured: Measured) -> CoresSamples:
    return CoresSamples(
        cores=cores,
        cpu_s=measured.cpu_s,
        wall_s=measured.wall_s,
        memory_peak_bytes=measured.memory_peak_bytes,
        complete=measured.complete,
    )


class _Profile:
    """One run of `profile`."""

    def __init__(
        self,
        application: Application,
        *,
        root: Path,
        module: str,
        parameters: dict[str, Value],
        keys: dict[tuple[str, str], str],
        known: Samples | None,
        limits: Limits,
        sysfs: Path,
    ) -> None:
        self._application = application
        self._sysfs = sysfs
        self._root, self._module, self._parameters = root, module, parameters
        self._keys = keys
        self._limits = limits
        self._found = {(v.component, v.variant): v for v in (known.variants if known is not None else ())}
        self._machine = machine_name()
        same = known is not None and known.machine == self._machine
        self._score = known.machine_score if known is not None and same else machine_score()
        self._calibration = known.calibration if known is not None and same else None

    def samples(self) -> Samples:
        """What is known now, in the order of the application; what it no longer has is left out."""
        return Samples(
            application=self._application.name,
            machine=self._machine,
            machine_score=self._score,
            taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
            variants=tuple(self._found[pair] for pair in self._keys if pair in self._found),
            calibration=self._calibration,
        )

    def run(
        self,
        todo: set[tuple[str, str]],
        scratch: Path,
        samples_path: Path,
        budget_s: float,
        progress: Progress | None,
    ) -> None:
        steps = steps_for(self._application, todo)
        jobs = Jobs(
            self._application,
            self._root,
            self._module,
            self._parameters,
            scratch=scratch,
            limits=self._limits,
            sysfs=self._sysfs,
        )
        counts = [
            counts_to_measure(component, own_cores()) if is_measured else () for component, _, is_measured in steps
        ]
        course = _Course(budget_s, sum(max(1, len(each)) for each in counts), progress)
        for number, (component, variant, is_measured) in enumerate(steps):
            reads = is_input(component.name, steps)
            limits = self._limits_of(component, course)
            job = jobs.job(component, variant, limits, is_measured=is_measured, is_input=reads)
            job = msgspec.structs.replace(job, cores=next(iter(counts[number]), None))
            measured = course.measure(job, scratch)
            jobs.note(component, variant, job, measured)
            if is_measured:
                others: list[CoresSamples] = []
                for count in counts[number][1:]:
                    job = msgspec.structs.replace(
                        job,
                        cores=count,
                        limits=self._limits_of(component, course),
                        output_path=None,
                        reference_path=None,
                        only_times=True,
                    )
                    others.append(_with_cores(count, course.measure(job, scratch)))
                found = self._as_samples(component, variant, measured)
                least = next(iter(counts[number]), 1)
                found = msgspec.structs.replace(
                    found,
                    cores=least,
                    by_cores=tuple(others),
                    cramped=own_cores() if component.held(least) > own_cores() else 0,
                )
                self._found[component.name, variant] = found
                write_samples(samples_path, self.samples())
            jobs.forget_inputs(component, steps[number + 1 :])
        if progress is not None and steps:
            progress(steps[-1][0].name, steps[-1][1], 1.0, "done")

    def _limits_of(self, component: Component, course: _Course) -> Limits:
        """Of the next run of the component."""
        share_s, spare_s = course.next_s()
        return msgspec.structs.replace(
            self._limits,
            budget_s=share_s,
            spare_s=spare_s,
            call_max_s=component.item_timeout_s or self._limits.call_max_s,
            memory_max_bytes=component.requirements.memory_bytes or self._limits.memory_max_bytes,
        )

    def _as_samples(self, component: Component, variant: str, measured: Measured) -> VariantSamples:
        declared = component.variant(variant).accuracy
        source: Literal["declared", "agreement", "unknown"]
        accuracy, source = measured.accuracy, "unknown" if measured.accuracy is None else "agreement"
        if component.agreement is not None and variant == component.variants[0].name:
            accuracy, source = 1.0, "agreement"
        if declared is not None:
            accuracy, source = declared, "declared"
        items = measured.items if component.trigger.inputs or component.trigger.kind == "request" else measured.calls
        return VariantSamples(
            component=component.name,
            variant=variant,
            key=self._keys[component.name, variant],
            cpu_s=measured.cpu_s,
            wall_s=measured.wall_s,
            output_bytes=measured.output_bytes,
            outputs_per_input=measured.outputs / max(1, items),
            memory_peak_bytes=measured.memory_peak_bytes,
            start_s=measured.start_s,
            batch_items=max(1.0, items / max(1, measured.calls)),
            accuracy=accuracy,
            accuracy_source=source,
            complete=measured.complete,
            energy_j=measured.energy_j,
            energy_noise=measured.energy_noise,
            energy_meter=measured.energy_meter,
            energy_note=measured.energy_note,
            mix=measured.mix,
        )
