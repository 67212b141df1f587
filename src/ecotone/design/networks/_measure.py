"""Runs a network on random inputs and takes the time of every operator, from the runtime's own profile.

Times are of the calm runs: those in which the kernel let the threads of this process wait least for a core. Whole runs
are timed after the profile has ended, since looking takes time, too.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy

from ecotone.core.errors import InputError
from ecotone.design.networks._describe import runtime
from ecotone.orchestration.performance.operators import MeasuredRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.design.networks._describe import Prepared

__all__ = ["Run", "measure", "random_inputs", "time_runs", "undisturbed", "waited_s", "whole_run"]

_TASKS = Path("/proc/self/task")
_WARM_UP = 2
_RUNS_MIN = 5
_CALM = 0.02
"""Share of a run that its threads may wait for a core."""
_PAUSE_S = 0.03
_LOOKING_MAX_S = 5e-6
_LEAST = 0.1
_RUNS_MAX = 400
_KERNEL = "_kernel_time"
_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(bool)": "bool",
}


class _Event(msgspec.Struct):
    name: str = ""
    cat: str = ""
    dur: float = 0.0


def measure(prepared: Prepared, *, threads: int = 1, for_s: float = 0.8, patience_s: float = 0.0) -> MeasuredRun:
    """Time a network that `prepare` has made, and each of its operators.

    Args:
        prepared: the network.
        threads: of the runtime's pool, with the one that calls it.
        for_s: how long to run it, half of that with the profile; longer where five runs take longer.
        patience_s: how much longer to go on while others disturb it; half of that with the profile.

    Raises:
        InputError: the network cannot be run on random inputs.
    """
    onnxruntime = runtime()
    with tempfile.TemporaryDirectory(prefix="ecotone-network-") as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # It is optimised already, and shall run under the names that it has.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(prepared.model, options, ["CPUExecutionProvider"])
        inputs = random_inputs(session)
        profiled = time_runs(session, inputs, for_s / 2, warm_up=_WARM_UP, patience_s=patience_s / 2)
        events = msgspec.json.decode(Path(session.end_profiling()).read_bytes(), type=list[_Event])
    runs = time_runs(session, inputs, for_s / 2, warm_up=1, patience_s=patience_s / 2)
    total_s, waited = whole_run(runs, threads)
    by_name: dict[str, list[float]] = defaultdict(list)
    for event in events:
        if event.cat == "Node" and event.name.endswith(_KERNEL):
            by_name[event.name.removesuffix(_KERNEL)].append(event.dur * 1e-6)
    times = [by_name.get(each.name, [])[_WARM_UP:] for each in prepared.network.operators]
    seen_s, also_waited = _of_operators(times, profiled, threads)
    disturbed = max(waited, also_waited) > _CALM
    return MeasuredRun(
        network=prepared.network,
        threads=threads,
        operator_s=seen_s if disturbed else without_looking(seen_s, total_s),
        total_s=total_s,
        waited=max(waited, also_waited),
        runs=len(runs),
        load=os.getloadavg()[0],
    )


def _of_operators(
    times: Sequence[Sequence[float]], runs: Sequence[Run], threads: int
) -> tuple[tuple[float | None, ...], float]:
    """Seconds of each operator, None for one that never ran; and the share of waiting that is in them."""
    calm = _calm(runs)
    waited = float(numpy.median([runs[number].waited_s / runs[number].wall_s for number in calm]))
    if waited <= _CALM or threads > 1:
        chosen = [[each[number] for number in calm if number < len(each)] for each in times]
        return tuple(undisturbed(each) if each else None for each in chosen), waited
    # No run was calm. Short operators were, at times; the others waited in proportion to what they take.
    least = [float(numpy.quantile(each, 0.1)) if each else None for each in times]
    own_s = undisturbed([run.cpu_s for run in runs])
    share = min(1.0, own_s / max(1e-9, sum(each or 0.0 for each in least)))
    return tuple(each if each is None else each * share for each in least), 0.0


def without_looking(seen_s: Sequence[float | None], total_s: float) -> tuple[float | None, ...]:
    """Operators' times without what the profile itself takes, about 2 us each: where they add up to more than a whole
    run without a profile, the excess is taken off all of them alike, as far as they took that long."""
    known = numpy.array([each or 0.0 for each in seen_s])
    low, high = 0.0, float(known.max(initial=0.0))
    if known.sum() <= total_s:
        return tuple(seen_s)
    for _ in range(40):
        cost = (low + high) / 2.0
        left = numpy.maximum(known - cost, _LEAST * known)
        low, high = (cost, high) if left.sum() > total_s else (low, cost)
    cost = min(high, _LOOKING_MAX_S)
    return tuple(None if each is None else max(each - cost, _LEAST * each) for each in seen_s)


class Run(NamedTuple):
    """Of one run: elapsed time, the calling thread's own, and how long threads of this process waited for a core."""

    wall_s: float
    cpu_s: float
    waited_s: float

    @property
    def calm(self) -> bool:
        """Whether it hardly waited."""
        return self.waited_s <= _CALM * self.wall_s


def undisturbed(values: Sequence[float]) -> float:
    """The mean from the 10th to the 50th percentile: nearly as steady as a median, and blind to the upper half."""
    ordered = numpy.sort(numpy.asarray(values))
    first = len(ordered) // 10
    return float(ordered[first : max(first + 1, len(ordered) // 2)].mean())


def whole_run(runs: Sequence[Run], threads: int) -> tuple[float, float]:
    """Seconds of a calm run, and the share of waiting that is in them.

    One thread's own time has no waiting in it, so all runs count. One of several threads that waits lets the others
    wait, so the elapsed time counts.
    """
    if threads == 1:
        return undisturbed([run.cpu_s for run in runs]), 0.0
    calm = [runs[number] for number in _calm(runs)]
    waited = float(numpy.median([run.waited_s / run.wall_s for run in calm]))
    return undisturbed([run.wall_s for run in calm]), waited


def _calm(runs: Sequence[Run]) -> list[int]:
    """The numbers of the runs that hardly waited; where they are few, those that waited least."""
    shares = [run.waited_s / run.wall_s for run in runs]
    order = sorted(range(len(runs)), key=lambda number: shares[number])
    return order[: max(_RUNS_MIN, sum(run.calm for run in runs))]


def time_runs(
    session: Any, inputs: dict[str, Any], for_s: float, *, warm_up: int, patience_s: float = 0.0
) -> list[Run]:
    """Times of runs, after some that do not count.

    Args:
        session: of the runtime.
        inputs: as from `random_inputs`.
        for_s: how long to go on.
        warm_up: runs that do not count.
        patience_s: how much longer, while fewer than five runs were calm.

    Raises:
        InputError: the network does not take random inputs.
    """
    names = [each.name for each in session.get_outputs()]
    try:
        for _ in range(warm_up):
            session.run(names, inputs)
    except Exception as error:
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        raise InputError(f"the network cannot be run on random inputs: {error}") from None
    taken: list[Run] = []
    calm = 0
    end = time.perf_counter() + for_s
    while len(taken) < _RUNS_MIN or (
        time.perf_counter() < end + (patience_s if calm < _RUNS_MIN else 0.0)
        and (len(taken) < _RUNS_MAX or calm < _RUNS_MIN)
    ):
        if calm < _RUNS_MIN and time.perf_counter() > end:
            # Who sleeps now and then is served sooner, and has not worn out what others wait for.
            time.sleep(_PAUSE_S)
        waiting, cpu, start = waited_s(), time.thread_time(), time.perf_counter()
        session.run(names, inputs)
        wall_s, cpu_s = time.perf_counter() - start, time.thread_time() - cpu
        taken.append(Run(wall_s, cpu_s, max(0.0, waited_s() - waiting)))
        calm += taken[-1].calm
    return taken


def waited_s() -> float:
    """How long the threads of this process were ready while others had the cores; 0 where the kernel does not tell."""
    total = 0
    for task in _TASKS.iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[1])
        except (OSError, IndexError):  # a thread that has ended
            continue
    return total * 1e-9


def random_inputs(session: Any) -> dict[str, Any]:
    """Inputs of the shapes that the session asks for; whole numbers are 0 or 1, so that they are indices of anything.

    Raises:
        InputError: an input of a type that is not known here.
    """
    random = numpy.random.default_rng(0)
    found: dict[str, Any] = {}
    for each in session.get_inputs():
        kind = _TYPES.get(each.type)
        if kind is None:
            raise InputError(f"the input {each.name} is a {each.type}; only tensors of numbers can be made up")
        shape = [size if isinstance(size, int) else 1 for size in each.shape]
        floating = kind.startswith("float")
        found[each.name] = (random.random(shape) if floating else random.integers(0, 2, shape)).astype(kind)
    return found
