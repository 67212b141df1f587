"""Predicts what profiling would measure for parameters that were never measured, from the models of an exploration.

Called by the session before a plan: what is foreseen with support need not be measured. The shape of the times is that
of what was measured at other parameters; their size, the memory and the size of outputs are the models'.
"""

from __future__ import annotations

import csv
import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy

from ecotone.core.errors import InputError
from ecotone.design.profiling._grid import BATCH, CORES
from ecotone.design.profiling._keys import variant_keys
from ecotone.design.profiling._profile import needed
from ecotone.design.profiling._runs import MODEL_FILES, TARGETS, RunsFile, exploration_key
from ecotone.design.profiling._score import machine_name
from ecotone.orchestration.performance.interface import Z90
from ecotone.orchestration.performance.learner import Table, predict, read_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ecotone.core.application import Application, Component, Value
    from ecotone.orchestration.performance.samples import Samples, VariantSamples

__all__ = ["foresee"]


class _Foreseen(NamedTuple):
    value: float
    error: float
    """Standard error, as a share."""


def foresee(
    application: Application,
    root: Path,
    module: str,
    parameters: Mapping[str, Value],
    *,
    samples: Samples | None,
    folder: Path,
) -> dict[tuple[str, str], VariantSamples]:
    """Samples of the variants that `samples` does not hold for these parameters, where an exploration covers them.

    Args:
        application, root, module, parameters: as for `profile`.
        samples: what was measured on this machine, for whatever parameters.
        folder: of the exploration's files, as for `explore`.
    """
    if samples is None or samples.machine != machine_name():
        return {}
    todo = needed(application, root, module, parameters, samples)
    keys = variant_keys(application, root, module, parameters)
    found: dict[tuple[str, str], VariantSamples] = {}
    for pair in todo:
        component, base = application.component(pair[0]), samples.of(*pair)
        path = folder / f"{pair[0]}.{pair[1]}.csv"
        names = _axes(path)
        if base is None or not names:
            continue
        fixed = {name: value for name, value in parameters.items() if name not in names}
        key = exploration_key(variant_keys(application, root, module, fixed)[pair])
        runs = len(RunsFile(path, names, key).read())
        asked = _question(component, names, parameters, base.cores)
        if not runs or asked is None:
            continue
        said = {target: _ask(path, target, names, asked) for target in TARGETS}
        one = _with_figures(base, said, key=keys[pair], runs=runs)
        if one is not None:
            found[pair] = one
    return found


def _axes(path: Path) -> list[str]:
    """What was varied, from the first line of the file of runs; empty: there is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError):
        return []
    return header[: header.index(TARGETS[0])] if TARGETS[0] in header else []


def _question(
    component: Component, names: list[str], parameters: Mapping[str, Value], cores: int
) -> list[float] | None:
    """The values of the axes as a plan would run the component, with so many cores; None: it is not known how."""
    values: list[float] = []
    for name in names:
        if name == CORES:
            values.append(float(cores))
        elif name == BATCH:
            if component.batching is None:
                return None
            values.append(float(component.batching.items_max))
        else:
            value = parameters.get(name)
            if not isinstance(value, (int, float)):
                return None
            values.append(float(value))
    return values


def _ask(path: Path, target: str, names: list[str], asked: list[float]) -> _Foreseen | None:
    """None: there is no model, or it does not carry this."""
    file = path.with_name(f"{path.stem}{MODEL_FILES[target]}.json")
    if not file.exists():
        return None
    try:
        said = predict(read_model(file), Table(names, numpy.array([asked])))
    except InputError:
        return None
    if target == "memory_bytes":  # noisy where it is small; the upper end is safe however wide the interval is
        return _Foreseen(float(said.high[0]), 0.0) if math.isfinite(said.high[0]) else None
    if not said.supported[0]:
        return None
    value = float(said.prediction[0])
    return _Foreseen(value, (float(said.high[0]) / value - 1.0) / Z90)


def _with_figures(
    base: VariantSamples, said: Mapping[str, _Foreseen | None], *, key: str, runs: int
) -> VariantSamples | None:
    wall, cpu, memory = said["wall_s"], said["cpu_s"], said["memory_bytes"]
    outputs = said["output_bytes"]
    emits = any(base.output_bytes)
    if wall is None or cpu is None or memory is None or (emits and outputs is None):
        return None
    faster = cpu.value / statistics.median(base.cpu_s)
    longer = wall.value / statistics.median(base.wall_s)
    if not (math.isfinite(faster) and math.isfinite(longer)):
        return None
    larger = outputs.value / statistics.fmean(base.output_bytes) if outputs is not None and emits else 1.0
    declared = base.accuracy_source == "declared"
    return msgspec.structs.replace(
        base,
        key=key,
        cpu_s=tuple(each * faster for each in base.cpu_s),
        wall_s=tuple(each * longer for each in base.wall_s),
        output_bytes=tuple(round(each * larger) for each in base.output_bytes),
        memory_peak_bytes=memory.value,
        by_cores=tuple(
            msgspec.structs.replace(
                each,
                cpu_s=tuple(one * faster for one in each.cpu_s),
                wall_s=tuple(one * longer for one in each.wall_s),
                memory_peak_bytes=max(memory.value, each.memory_peak_bytes),
            )
            for each in base.by_cores
        ),
        accuracy=base.accuracy if declared else None,
        accuracy_source="declared" if declared else "unknown",
        energy_j=None,
        energy_note="foreseen times have no measured energy",
        foreseen=runs,
        foreseen_error=max(wall.error, cpu.error),
    )
