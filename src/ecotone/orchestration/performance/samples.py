"""What profiling measured: the file that travels with an application (`.ecotone/samples.json`).

Written by `design.profiling`; read by the performance model. Plain JSON, seconds and bytes, one number per sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from ecotone.core.calibration import Calibration
from ecotone.core.errors import InputError
from ecotone.core.plan import EnergySource
from ecotone.infrastructure.files import replace_file
from ecotone.orchestration.performance.observed import Observed

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "SAMPLES_VERSION",
    "CoresSamples",
    "Samples",
    "VariantSamples",
    "WorkMix",
    "read_samples",
    "write_samples",
]

SAMPLES_VERSION = 1


class WorkMix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of a call's CPU time (0 to 1, together 1): in the interpreter, in native code, in the kernel."""

    interpreted: float
    native: float
    system: float


class CoresSamples(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same calls with another number of cores: CPU time of all threads and elapsed time of each, peak memory."""

    cores: int
    cpu_s: tuple[float, ...]
    wall_s: tuple[float, ...]
    memory_peak_bytes: float
    complete: bool = True


class VariantSamples(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One variant of one component, measured alone.

    Attributes:
        key: digest of the code, inputs and parameters that this was measured for.
        cpu_s, wall_s: CPU and elapsed time of each call (per call: a batch is one call of `batch_items` items).
        output_bytes: payload size of each output; outputs_per_input: mean number of outputs for one input item.
        memory_peak_bytes: peak resident memory of the host that ran it, above an empty host's.
        start_s: time to construct it (load a model).
        accuracy: 0..1 or None when it is unknown; accuracy_source says what it means.
        complete: the confidence interval of the mean was narrow enough before the budget was spent.
        energy_j: joules of a call above those of the idle machine, None: not measured, and energy_note says why;
            energy_noise is a share of it, energy_meter what was read.
        mix: what kind of work its CPU time is; None: unknown.
        foreseen: how many runs of other configurations the times, memory and sizes were predicted from (0: measured
            themselves); foreseen_error is the standard error of that, as a share.
        cores: with how many cores all of this was measured (of a cell: for each rank); by_cores: with how many others,
            for a component that says that it can use several.
        cramped: how many cores the machine had, where that was fewer than what it holds; 0: it had enough.
    """

    component: str
    variant: str
    key: str
    cpu_s: tuple[float, ...]
    wall_s: tuple[float, ...]
    output_bytes: tuple[int, ...]
    outputs_per_input: float
    memory_peak_bytes: float
    start_s: float
    batch_items: float = 1.0
    accuracy: float | None = None
    accuracy_source: Literal["declared", "agreement", "unknown"] = "unknown"
    complete: bool = True
    energy_j: float | None = None
    energy_noise: float = 0.0
    energy_meter: str = ""
    energy_note: str = ""
    mix: WorkMix | None = None
    foreseen: int = 0
    foreseen_error: float = 0.0
    cores: int = 1
    by_cores: tuple[CoresSamples, ...] = ()
    cramped: int = 0

    @property
    def counts(self) -> tuple[tuple[int, tuple[float, ...], tuple[float, ...]], ...]:
        """(cores, elapsed, CPU time) for each number of cores that was measured, the least first."""
        own = self.cores, self.wall_s, self.cpu_s
        return tuple(sorted([own, *((each.cores, each.wall_s, each.cpu_s) for each in self.by_cores)]))

    @property
    def energy_source(self) -> EnergySource:
        return "estimated" if self.energy_j is None else "measured"


class Samples(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All variants of an application. `machine_score` is the single-thread score of the machine that was measured,
    `calibration` how fast it is at each kind of work; None: nobody asked. `observed`: what running applications taught,
    which is kept in a file of its own; None: nothing."""

    application: str
    machine: str
    machine_score: float
    taken_at: str
    variants: tuple[VariantSamples, ...]
    version: int = SAMPLES_VERSION
    calibration: Calibration | None = None
    observed: Observed | None = None

    def of(self, component: str, variant: str) -> VariantSamples | None:
        return next((v for v in self.variants if v.component == component and v.variant == variant), None)


def read_samples(path: Path) -> Samples | None:
    """The samples in `path`, None when there is no such file.

    Raises:
        InputError: the file is not a samples file of this version.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        samples = msgspec.json.decode(data, type=Samples)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: not a samples file: {error}; delete it, and profiling writes a new one") from None
    if samples.version != SAMPLES_VERSION:
        raise InputError(f"{path}: version {samples.version}, this Ecotone reads {SAMPLES_VERSION}; delete it")
    return samples


def write_samples(path: Path, samples: Samples) -> None:
    """Replace `path` in one step. Raises OSError."""
    replace_file(path, msgspec.json.format(msgspec.json.encode(samples), indent=1))
