"""The process that measures one variant: started by `_child` as `python -m ecotone.design.profiling JOB DESCRIPTOR`.

User code runs here and nowhere else in profiling. What it prints goes to the log that the parent opened; what this
module has to say goes to the descriptor, as frames of msgpack.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import math
import os
import signal
import statistics
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core import parameters as bound
from ecotone.core.errors import ComponentError, InputError, NotFoundError, UnavailableError
from ecotone.core.units import Dimension, format_quantity
from ecotone.design.profiling._agreement import Agreement
from ecotone.design.profiling._energy import CallEnergy, measure_energy, needed_s
from ecotone.design.profiling._inputs import CallInputs
from ecotone.design.profiling._items import ItemWriter
from ecotone.design.profiling._mix import measure_mix
from ecotone.design.profiling._statistics import RunningMean, thinned
from ecotone.design.profiling.interface import Failed, Going, Job, Measured, Message
from ecotone.execution.host.codec import Encoder
from ecotone.execution.host.cores import allow_cores
from ecotone.execution.host.kinds import load
from ecotone.execution.host.used import used_cpu_s
from ecotone.infrastructure.power import find_meter
from ecotone.infrastructure.waiting import CoreWait
from ecotone.orchestration.performance.samples import WorkMix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecotone.execution.host.kinds import Handler

__all__ = ["main"]

_SAY_EVERY_S = 0.05
_KEPT_SAMPLES = 500
_WARM_UP_CALLS = 3
_CALLS_MAX = 20_000
_TIMED_CALLS = 50
"""How many calls of the first pass over the inputs are timed, evenly spread over them."""
_REST_MAX_S = 0.04
_REST_SHARE = 0.5
"""Of the budget that may go into rests."""
_MIX_S, _MIX_SHARE = 0.4, 0.2
_LONG_CALL_S = 2.0
_ENERGY_MIN_S = 4.0
"""Measuring energy may take this long however small the budget is."""
_PR_SET_PDEATHSIG = 1


class _Voice:
    """Frames on the parent's descriptor; signs of life at most every 50 ms."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._last_s = 0.0

    def say(self, message: Message) -> None:
        data = msgspec.msgpack.encode(message)
        frame = memoryview(len(data).to_bytes(4, "little") + data)
        while frame:
            frame = frame[os.write(self._descriptor, frame) :]

    def going(self, calls: int, fraction: float) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s >= _SAY_EVERY_S:
            self._last_s = now_s
            self.say(Going(doing="calling", calls=calls, fraction=fraction))


class _Call(msgspec.Struct, frozen=True):
    """One call: what it took, None for a call that is made for its outputs only, and what came out of it. `items` were
    in it."""

    times_s: tuple[float, float] | None
    items: int
    outputs: tuple[Any, ...]


class _Closer(msgspec.Struct, frozen=True):
    """What calls after the measured ones told."""

    energy: CallEnergy = CallEnergy(None)
    meter: str = ""
    mix: WorkMix | None = None


class _ExhaustedError(Exception):
    """A source has no more items."""


def main(job_path: str, descriptor: int) -> int:
    """Run one job; returns the exit status, 0 also when user code failed and that was said."""
    _die_with_parent()
    voice = _Voice(descriptor)
    job = msgspec.msgpack.decode(Path(job_path).read_bytes(), type=Job)
    if job.cores is not None:
        # Before anything starts a thread, since threads keep the cores that they began with.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-job.component.held(job.cores) :])
        allow_cores(job.component.name, job.cores)
    try:
        voice.say(_measure(job, voice))
    except (InputError, NotFoundError) as error:
        voice.say(Failed(kind="input", message=str(error)))
    except UnavailableError as error:
        voice.say(Failed(kind="unavailable", message=str(error)))
    except ComponentError as error:
        voice.say(Failed(kind="component", message=str(error)))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever user code raises
        traceback.print_exc()
        voice.say(_failure(error, job))
    return 0


def _die_with_parent() -> None:
    """Nobody would stop this process if the parent were killed."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == 1:
        os._exit(1)


def _failure(error: BaseException, job: Job) -> Failed:
    """What was raised, and at which line of the application."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        message = f"it needs the package {package}, which is not installed; install it (often: pip install {package})"
        return Failed(kind="unavailable", message=message)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SystemExit):
        what = f"it called sys.exit({error.code!r})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(job.root)]
    where = f" ({os.path.relpath(frames[-1].filename, job.root)}:{frames[-1].lineno})" if frames else ""
    return Failed(kind="component", message=what + where)


def _measure(job: Job, voice: _Voice) -> Measured:
    voice.say(Going(doing="starting"))
    empty_bytes = _memory_bytes("VmRSS")
    bound.bind(job.parameters)
    if job.root not in sys.path:
        sys.path.insert(0, job.root)
    with contextlib.suppress(ModuleNotFoundError):  # `load` says which one, better
        importlib.import_module(job.module)
    start_s = time.perf_counter()
    handler = load(job.root, job.module, job.component, job.variant, job.parameters)
    start_s = time.perf_counter() - start_s
    session = _Session(job, handler, voice)
    try:
        session.run()
        peak_bytes = max(0.0, _memory_bytes("VmHWM") - empty_bytes)
        closer = session.look_closer() if job.measure and not job.only_times else _Closer()
        return session.result(start_s, peak_bytes, closer)
    finally:
        session.close()


class _Session:
    """Calls until the mean is known well enough, the budget is spent, or a source is exhausted."""

    def __init__(self, job: Job, handler: Handler, voice: _Voice) -> None:
        self._job = job
        self._voice = voice
        self._handler = handler
        self._inputs = CallInputs(job, handler)
        self._encoder = Encoder(job.component.name)
        self._writer: ItemWriter | None = None
        if job.output_path is not None:
            self._writer = ItemWriter(Path(job.output_path), job.limits.output_bytes_max)
        self._agreement = Agreement(job)
        self._stopwatch = _Stopwatch()
        self._source: Iterator[object] | None = None
        if job.component.trigger.kind == "source":
            self._source = iter(handler.handle())
        self._cpu = RunningMean()
        self._times: list[tuple[float, float]] = []
        self._sizes: list[int] = []
        self._calls = self._items = self._outputs = self._more = 0
        self._pace = _Pace(job, self._inputs.count)
        self._checked_s = self._took_s = 0.0
        self._complete = False

    def run(self) -> None:
        limits = self._job.limits
        budget_s = limits.budget_s + limits.spare_s
        start_s = time.monotonic()
        for number in range(_CALLS_MAX):
            spent = (time.monotonic() - start_s) / max(budget_s, 1e-9)
            self._voice.going(number, min(1.0, spent))
            try:
                call = self._call(number)
            except _ExhaustedError:
                self._complete = True
                break
            self._note(number, call)
            self._complete = self._enough()
            self._took_s = time.monotonic() - start_s
            if self._complete or self._took_s >= (limits.budget_s if self._has_passed() else budget_s):
                break

    def look_closer(self) -> _Closer:
        """What more calls tell: joules, and the kind of work. User code that fails now did well all the time before:
        then this is not known."""
        call_s = statistics.median(wall_s for _, wall_s in self._times) if self._times else 0.0
        meter, reason = (found := find_meter(Path(self._job.sysfs))).meter, found.reason
        energy, mix = CallEnergy(None, note=reason), None
        budget_s = self._job.limits.budget_s
        try:
            if 0 < call_s <= _LONG_CALL_S:
                mix = measure_mix(self._again, call_s=call_s, for_s=min(_MIX_S, _MIX_SHARE * budget_s))
            if meter is not None and (wanted_s := needed_s(meter, call_s)) > max(_ENERGY_MIN_S, budget_s):
                note = f"{meter.source} needs {wanted_s:.0f} s: give profiling more time with --budget"
                energy = CallEnergy(None, note=note)
            elif meter is not None:
                energy = measure_energy(meter, self._again, clock=time.monotonic, sleep=time.sleep)
        except _ExhaustedError:
            energy = CallEnergy(None, note="it has no more items to measure with")
        except Exception as error:  # noqa: BLE001 - whatever user code raises
            energy = CallEnergy(None, note=f"it raised {type(error).__name__} when it was called again")
        return _Closer(energy, "" if meter is None else meter.source, mix)

    def _again(self) -> None:
        """One more call, whose outputs nobody needs."""
        self._calls += 1
        self._more += 1
        self._voice.going(self._calls, 1.0)
        if self._source is not None:
            self._next_of_source()
            return
        arguments, _ = self._inputs.of_call(self._calls)
        for _ in self._handler.handle(*arguments):
            pass

    def result(self, start_s: float, memory_peak_bytes: float, closer: _Closer) -> Measured:
        accuracy, compared = self._agreement.mean()
        warm = self._times[min(_WARM_UP_CALLS, len(self._times) // 4) :]
        times = thinned(warm, _KEPT_SAMPLES)
        return Measured(
            cpu_s=tuple(cpu_s for cpu_s, _ in times),
            wall_s=tuple(wall_s for _, wall_s in times),
            output_bytes=thinned(self._sizes, _KEPT_SAMPLES),
            outputs=self._outputs,
            items=self._items,
            calls=self._calls - self._more,
            took_s=self._took_s,
            memory_peak_bytes=memory_peak_bytes,
            start_s=start_s,
            accuracy=accuracy,
            compared=compared,
            complete=self._complete,
            energy_j=closer.energy.energy_j,
            energy_noise=closer.energy.noise,
            energy_meter=closer.meter,
            energy_note=closer.energy.note,
            mix=closer.mix,
        )

    def close(self) -> None:
        self._inputs.close()
        self._agreement.close()
        self._stopwatch.close()
        if self._writer is not None:
            self._writer.close()

    def _call(self, number: int) -> _Call:
        arguments, items = self._inputs.of_call(number) if self._source is None else ((), 0)
        work = self._next_of_source if self._source is not None else lambda: tuple(self._handler.handle(*arguments))
        if not self._pace.is_timed(number):
            return _Call(None, items, work())
        self._pace.rest(self._times[-1][1] if self._times else 0.0)
        cpu_s, wall_s, outputs = self._stopwatch.timed(work)
        if self._source is not None:
            wall_s = min(cpu_s, wall_s)  # its own pace is not work: what it waits between two items does not count
        return _Call((round(cpu_s, 7), round(wall_s, 7)), items, outputs)

    def _next_of_source(self) -> tuple[object, ...]:
        assert self._source is not None
        for item in self._source:
            return (item,)
        raise _ExhaustedError

    def _note(self, number: int, call: _Call) -> None:
        if call.times_s is not None:
            self._times.append(call.times_s)
            if len(self._times) > _WARM_UP_CALLS:
                self._cpu.add(call.times_s[0])
        self._calls += 1
        self._items += call.items
        self._outputs += len(call.outputs)
        first_time = number < self._inputs.count or not self._inputs.count
        for output in call.outputs:
            encoded = self._encoder.encode(output)
            self._sizes.append(encoded.size_bytes)
            if self._writer is not None and first_time:
                self._writer.write(number, encoded)
        if first_time:
            self._agreement.compare(number, call.outputs)
        now_s = time.monotonic()
        if now_s - self._checked_s >= _SAY_EVERY_S:
            self._checked_s = now_s
            self._check_memory(number + 1)

    def _enough(self) -> bool:
        return self._has_passed() and (not self._job.measure or self._cpu.half_width() <= self._job.limits.precision)

    def _has_passed(self) -> bool:
        """Whether each input was handled, a source emitted what is wanted, and as much was timed as must be."""
        if self._inputs.count:
            passed = self._calls >= self._inputs.count
        else:
            wanted = self._job.source_items if self._writer is not None else 0
            passed = self._outputs >= wanted or (self._writer is not None and self._writer.full)
        timed = not self._job.measure or len(self._times) >= self._job.limits.calls_min + _WARM_UP_CALLS
        return passed and timed

    def _check_memory(self, calls: int) -> None:
        bound_bytes = self._job.limits.memory_max_bytes
        used_bytes = _memory_bytes("VmRSS")
        if used_bytes > bound_bytes:
            raise ComponentError(
                f"it uses {format_quantity(used_bytes, Dimension.SIZE)} of memory after {calls} calls, over the bound "
                f"of {format_quantity(bound_bytes, Dimension.SIZE)}; does it keep what it is given?"
            )


class _Pace:
    """Which calls are timed, and the rest before each of them.

    In a run a component waits for its next item, and its core goes idle or works for others meanwhile; the same call
    then takes up to twice as long as right after the one before. So a timed call comes as late as it would in a run, as
    far as the budget lets it.
    """

    def __init__(self, job: Job, inputs: int) -> None:
        calls = inputs or (job.source_items if job.output_path is not None else 0)
        self._first_pass = calls
        self._stride = max(1, math.ceil(calls / _TIMED_CALLS))
        rests = max(calls // self._stride, job.limits.calls_min + _WARM_UP_CALLS)
        self._rest_max_s = min(_REST_MAX_S, _REST_SHARE * job.limits.budget_s / rests)
        self._period_s = job.period_s
        self._measure = job.measure

    def is_timed(self, number: int) -> bool:
        return self._measure and (number % self._stride == 0 or number >= self._first_pass)

    def rest(self, call_s: float) -> None:
        """`call_s`: how long a call takes, which is not rest."""
        time.sleep(max(0.0, min(self._period_s - call_s, self._rest_max_s)))


class _Stopwatch:
    """Times work as if this process had its core for itself: what the thread waited while another had it is taken off,
    since that says something of this machine's load, and nothing of the component."""

    def __init__(self) -> None:
        self._core = CoreWait()

    def timed(self, work: Callable[[], tuple[Any, ...]]) -> tuple[float, float, tuple[Any, ...]]:
        """CPU time of all threads, elapsed time, and the result."""
        waited_s = self._core.waited_s()
        wall_s, cpu_s = time.perf_counter(), used_cpu_s()
        result = work()
        cpu_s, wall_s = used_cpu_s() - cpu_s, time.perf_counter() - wall_s
        return cpu_s, max(0.0, wall_s - (self._core.waited_s() - waited_s)), result

    def close(self) -> None:
        self._core.close()


def _memory_bytes(field: str) -> float:
    """A line of /proc/self/status in bytes (`VmRSS` now, `VmHWM` the most so far); 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return float(line.split()[1]) * 1024
    return 0.0
