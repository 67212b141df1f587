"""What profiling says while it goes on, and what its processes say to each other."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from ecotone.core.application import Component, Value
from ecotone.orchestration.performance.samples import WorkMix

__all__ = [
    "Explored",
    "ExploredRun",
    "Failed",
    "Going",
    "InputFile",
    "Job",
    "Limits",
    "Measured",
    "Message",
    "Progress",
    "Reached",
]

Reached = Literal["accuracy", "budget", "impossible"]
"""Why an exploration ended: it is accurate enough, its time is up, or nothing can be measured any more."""


class Progress(Protocol):
    """Called often, from the thread that called `profile`."""

    def __call__(self, component: str, variant: str, fraction: float, message: str) -> None:
        """`fraction` of the whole profile that is done (0 to 1, never falling); `message` for a person."""
        ...


class _Frozen(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Limits(_Frozen, frozen=True, kw_only=True):
    """When a worker stops, or is stopped.

    Attributes:
        budget_s: time for measuring, after the start.
        spare_s: time on top of it, until `calls_min` calls are made and each input was handled.
        calls_min: calls to make even if the interval is narrow before, as far as the budget goes.
        precision: half-width of the 95 % confidence interval of the mean, as a share of the mean.
        call_max_s: one call may take this long; then the component hangs.
        start_max_s: importing and constructing may take this long.
        memory_max_bytes: resident memory that the worker may reach.
        output_bytes_max: payload of the outputs that are kept as inputs for the next components.
    """

    budget_s: float
    spare_s: float = 0.0
    calls_min: int = 20
    precision: float = 0.05
    call_max_s: float = 20.0
    start_max_s: float = 60.0
    memory_max_bytes: float = 2.0**32
    output_bytes_max: float = 96e6


class InputFile(_Frozen, frozen=True, kw_only=True):
    """Items that a producer emitted; `component` None: requests, as the application's author wrote them."""

    component: Component | None
    path: str


class Job(_Frozen, frozen=True, kw_only=True):
    """One variant to measure.

    Attributes:
        items_per_call: size of the list that each call gets, where calls get lists.
        source_items: outputs that are wanted of a source.
        period_s: expected time from the start of a call to that of the next; 0: they follow each other at once.
        output_path: where to leave the outputs, None: nowhere.
        reference_path: outputs of the first variant for the same inputs, to compare with; None: there is none.
        measure: False when only the outputs are wanted: then each input is handled once.
        sysfs: where the kernel shows its energy counters and power meters.
        cores: how many the component uses, as an assignment has it: its libraries start so many threads, or each rank
            of its cell does, and the process may use no others; None: one thread, on any core.
        only_times: nothing but times and memory is wanted, of lists that are full: items come again to fill one.
    """

    root: str
    module: str
    parameters: dict[str, Value]
    component: Component
    variant: str
    inputs: tuple[InputFile, ...]
    items_per_call: int
    source_items: int
    period_s: float
    output_path: str | None
    reference_path: str | None
    measure: bool
    limits: Limits
    sysfs: str = "/sys"
    cores: int | None = None
    only_times: bool = False


class ExploredRun(_Frozen, frozen=True, kw_only=True):
    """One run of an exploration: medians of its calls, the peak of memory, and what share of the machine others used.

    Attributes:
        values: the configuration, by what is varied.
        foreseen_s, low_s, high_s: `wall_s` as it was predicted before the run, with its 90 % interval; None: nothing
            was expected yet, or the run is of an earlier profile.
        doubt: why it is not believed: "busy", "odd", "drift"; empty: it is.
    """

    values: dict[str, float]
    wall_s: float
    cpu_s: float
    memory_bytes: float
    output_bytes: float
    calls: int
    others: float
    foreseen_s: float | None
    low_s: float | None
    high_s: float | None
    doubt: str


class Explored(_Frozen, frozen=True, kw_only=True):
    """What is known of one variant after an exploration.

    Attributes:
        configurations: how many there are in the grid.
        runs: all that count for the code of today, in their order.
        reached: why it ended: the accuracy was reached, the budget was spent, or nothing could be measured any more.
        expected_error: mean relative error that is expected of the model; None: there is too little to say.
        noise: relative standard deviation between repeats; None: unknown.
        failures: configurations that cannot be measured, and why.
        notes: what disturbed the machine, and what could not be learnt.
        runs_file, models: where the runs and the model of each target are.
    """

    component: str
    variant: str
    configurations: int
    runs: tuple[ExploredRun, ...]
    reached: Reached
    accuracy: float
    expected_error: float | None
    noise: float | None
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    runs_file: str
    models: dict[str, str]


class Going(_Frozen, frozen=True, kw_only=True, tag="going"):
    """A sign of life; `doing` is "starting", "calling" (a call may hang from here on) or "measuring"."""

    doing: str
    calls: int = 0
    fraction: float = 0.0


class Measured(_Frozen, frozen=True, kw_only=True, tag="measured"):
    """What a worker found; the fields are those of `VariantSamples`. `accuracy` is the mean agreement with the
    reference over `compared` calls; `cpu_s` and `wall_s` are of those of the `calls` that were timed."""

    cpu_s: tuple[float, ...]
    wall_s: tuple[float, ...]
    output_bytes: tuple[int, ...]
    outputs: int
    items: int
    calls: int
    took_s: float
    memory_peak_bytes: float
    start_s: float
    accuracy: float | None
    compared: int
    complete: bool
    energy_j: float | None
    energy_noise: float
    energy_meter: str
    energy_note: str
    mix: WorkMix | None


class Failed(_Frozen, frozen=True, kw_only=True, tag="failed"):
    """User code did not do its work. `kind` is the error to raise."""

    kind: Literal["input", "unavailable", "component"]
    message: str


Message = Going | Measured | Failed
