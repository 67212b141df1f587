"""Times of networks, operator by operator: what an operator is, models learnt per family of operators, and sums.

The design tools describe and measure networks (`design.networks`); the planner asks about parts of them. A part and a
whole network are predicted by the same models: the sum over their operators and what a run costs besides them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy

from ecotone.core.errors import InputError
from ecotone.infrastructure.files import replace_file
from ecotone.orchestration.performance.learner.answers import predict
from ecotone.orchestration.performance.learner.model import LearnedModel
from ecotone.orchestration.performance.learner.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ecotone.orchestration.performance.learner.progress import Progress

__all__ = [
    "MeasuredRun",
    "Network",
    "Operator",
    "OperatorModels",
    "OperatorTime",
    "RunTime",
    "learn_operators",
    "operator_questions",
    "operator_tables",
    "predict_run",
    "predict_runs",
    "read_operators",
    "write_operators",
]

OPERATORS_VERSION = 1
_TARGET = "seconds"
_KIND_ROWS_MIN = 60
"""A kind with so many different configurations gets a model of its own beside that of its family."""
_ROWS_MAX = 160
"""Different configurations that one model is learnt from; more cost time and teach little."""
_WAITED_MAX = 0.05
"""Runs that waited longer for a core teach nothing, where there are others."""
_ANY = "any"

_ELEMENTS = ("input_bytes", "output_bytes", "threads")
_CONVOLUTION = ("depth", "channels_out", "kernel", "stride", "positions", "threads")
_PRODUCT = ("depth", "channels_out", "positions", "threads")
_FEATURES = {
    "convolution": _CONVOLUTION,
    "depthwise convolution": ("channels_out", "kernel", "stride", "positions", "threads"),
    "transposed convolution": _CONVOLUTION,
    "product": _PRODUCT,
    "product of activations": (*_PRODUCT, "weight_bytes"),
    "pooling": ("flops", "output_bytes", "threads"),
    _ANY: ("flops", "input_bytes", "weight_bytes", "output_bytes", "threads"),
}
"""What models read: few columns, and none that follows from the others, so that few runs are enough."""


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Operator(_Data, frozen=True, kw_only=True):
    """One operator of a network, as it runs: after the runtime's own optimisation, for one input size and batch.

    Attributes:
        kind: its type in the runtime, such as "Conv"; "nchwc." before it: in the runtime's blocked layout.
        family: operators that take their time in the same way.
        input_bytes: activations that are read; of a product the first operand.
        weight_bytes: constants that are read; of a product of activations the second operand.
        kernel: elements of the window.
        pixels: positions of one image or sequence in the output.
        inputs, outputs: names of the tensors, without constants.
    """

    name: str
    kind: str
    family: str
    flops: float
    input_bytes: float
    weight_bytes: float
    output_bytes: float
    channels_in: int = 1
    channels_out: int = 1
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    pixels: int = 1
    batch: int = 1
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def depth(self) -> float:
        """Channels that each output is the sum of."""
        return self.channels_in / self.groups

    @property
    def positions(self) -> int:
        """Of the whole batch."""
        return self.pixels * self.batch


class Network(_Data, frozen=True, kw_only=True):
    """The operators of a network in the order in which they run, for one batch and input size."""

    name: str
    batch: int
    input_shapes: dict[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    operators: tuple[Operator, ...]

    def up_to(self, tensors: Iterable[str]) -> tuple[Operator, ...]:
        """The operators that must run before these tensors are there. Raises KeyError for a tensor that is not made."""
        maker = {tensor: operator for operator in self.operators for tensor in operator.outputs}
        needed: set[str] = set()
        left = [maker[tensor] for tensor in tensors]
        while left:
            operator = left.pop()
            if operator.name not in needed:
                needed.add(operator.name)
                left += [maker[tensor] for tensor in operator.inputs if tensor in maker]
        return tuple(operator for operator in self.operators if operator.name in needed)

    def after(self, tensors: Iterable[str]) -> tuple[Operator, ...]:
        """The operators that are left when these tensors are given. Raises KeyError."""
        done = {operator.name for operator in self.up_to(tensors)}
        return tuple(operator for operator in self.operators if operator.name not in done)


class MeasuredRun(_Data, frozen=True, kw_only=True):
    """What one network took with some threads.

    Attributes:
        operator_s: of each operator, in the network's order; None: it never ran.
        total_s: a whole run, measured without looking at its operators.
        waited: share of that time in which threads waited for a core that others had.
        runs: how many runs these are of.
        load: of the machine, while they went on.
    """

    network: Network
    threads: int
    operator_s: tuple[float | None, ...]
    total_s: float
    waited: float
    runs: int
    load: float


class OperatorModels(_Data, frozen=True, kw_only=True):
    """Everything that predictions need, as open data.

    Attributes:
        models: by family; by "family/kind" where a kind was seen often enough; "any" for families never seen.
        run_s, operator_s: what a run costs besides its operators: once, and for each operator.
        share_s: the same, as a share of its operators' time.
        run_error: 90 % of the runs learnt from were this close to their operators' sum, as a share.
        machine, runtime: where the times were measured, and by which version of the runtime.
    """

    models: dict[str, LearnedModel]
    run_s: float
    operator_s: float
    share_s: float
    run_error: float
    machine: str
    runtime: str
    threads: tuple[int, ...]
    version: int = OPERATORS_VERSION


class OperatorTime(NamedTuple):
    """What one operator will take; `model` is the one that said so."""

    operator: Operator
    prediction_s: float
    low_s: float
    high_s: float
    supported: bool
    model: str
    reason: str


class RunTime(NamedTuple):
    """What a run of some operators will take. `supported`: those that carry 90 % of the time are."""

    prediction_s: float
    low_s: float
    high_s: float
    overhead_s: float
    supported: bool
    operators: tuple[OperatorTime, ...]


# Learning.


def learn_operators(
    measured: Sequence[MeasuredRun], *, machine: str, runtime: str, progress: Progress | None = None
) -> OperatorModels:
    """Learn from measured runs of some networks, with some batches, sizes and threads.

    Raises:
        InputError: too few operators to learn from.
        MissingExtraError: the extra `performance` is not installed.
    """
    from ecotone.orchestration.performance.learner.learn import fit  # noqa: PLC0415 - asking does without the extra

    measured = [run for run in measured if run.waited <= _WAITED_MAX] or measured
    tables = operator_tables(measured)
    if _ANY not in tables:
        count = sum(len(run.operator_s) for run in measured)
        raise InputError(f"{count} measured operators are too few to learn from; measure more networks or sizes")
    models: dict[str, LearnedModel] = {}
    for number, (name, table) in enumerate(tables.items()):
        if progress is not None:
            progress(number / len(tables), f"learning {name}")
        models[name] = fit(table, _TARGET)
    run_s, operator_s, share_s, run_error = _overhead(measured)
    if progress is not None:
        progress(1.0, "done")
    return OperatorModels(
        models=models,
        run_s=run_s,
        operator_s=operator_s,
        share_s=share_s,
        run_error=run_error,
        machine=machine,
        runtime=runtime,
        threads=tuple(sorted({run.threads for run in measured})),
    )


_Row = tuple[Operator, int, float]


def operator_tables(measured: Sequence[MeasuredRun]) -> dict[str, Table]:
    """What each model is learnt from, by the model's name; the last column is the time."""
    rows = [
        (operator, run.threads, seconds)
        for run in measured
        for operator, seconds in zip(run.network.operators, run.operator_s, strict=True)
        if seconds is not None and seconds > 0.0
    ]
    by_name: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_name[row[0].family].append(row)
        by_name[_kind_name(row[0])].append(row)
        by_name[_ANY].append(row)
    tables: dict[str, Table] = {}
    kinds_of = Counter(name.partition("/")[0] for name in by_name if "/" in name)
    for name, its in by_name.items():
        table = _chosen(name, its)
        family, slash, _ = name.partition("/")
        if slash and (kinds_of[family] == 1 or len(table) < _KIND_ROWS_MIN):
            continue
        if _learnable(table):
            tables[name] = table
    return tables


def operator_questions(tables: Iterable[str], operators: Sequence[Operator], threads: int) -> dict[str, Table]:
    """Operators by the model that is asked about each; the columns are those of `operator_tables`."""
    known = set(tables)
    by_name: dict[str, list[Operator]] = defaultdict(list)
    for operator in operators:
        by_name[_model_of(known, operator)].append(operator)
    return {name: _asked(name, [(each, threads) for each in its]) for name, its in by_name.items()}


def _asked(name: str, rows: Sequence[tuple[Operator, int]]) -> Table:
    names = _names(name)
    values = [_features(operator, threads, names) for operator, threads in rows]
    return Table(names, numpy.array(values, dtype=numpy.float64))


def _kind_name(operator: Operator) -> str:
    return f"{operator.family}/{operator.kind}"


def _names(model: str) -> tuple[str, ...]:
    family = model.partition("/")[0].removeprefix("blocked ")
    return _FEATURES.get(family, _ELEMENTS)


def _chosen(name: str, rows: Sequence[_Row]) -> Table:
    """One row for each configuration, its median; where there are too many, those that take most of the time, and some
    of all others."""
    names = _names(name)
    times: dict[tuple[float, ...], list[float]] = defaultdict(list)
    for operator, threads, seconds in rows:
        times[_features(operator, threads, names)].append(seconds)
    keys = list(times)
    seconds = numpy.array([float(numpy.median(times[key])) for key in keys])
    if len(keys) > _ROWS_MAX:
        counts = numpy.array([len(times[key]) for key in keys])
        random = numpy.random.default_rng(0)
        chance = numpy.sqrt(seconds * counts)
        kept = numpy.sort(random.choice(len(keys), _ROWS_MAX, replace=False, p=chance / chance.sum()))
    else:
        kept = numpy.arange(len(keys))
    values = numpy.array([keys[index] for index in kept], dtype=numpy.float64)
    return Table((*names, _TARGET), numpy.c_[values, seconds[kept]])


def _features(operator: Operator, threads: int, names: Sequence[str]) -> tuple[float, ...]:
    # Nothing read or nothing computed still costs a call; one byte keeps the logarithm finite.
    return tuple(float(threads) if name == "threads" else max(1.0, float(getattr(operator, name))) for name in names)


def _learnable(table: Table) -> bool:
    varied = [name for name in table.names[:-1] if numpy.ptp(table.column(name)) > 0]
    return len(table) >= 8 and bool(varied)


def _overhead(measured: Sequence[MeasuredRun]) -> tuple[float, float, float, float]:
    """What whole runs take more than their operators: once, per operator, and a share of them; and the error of that.

    By the least absolute relative errors, since a disturbed run shall not count for more than others.
    """
    sums = numpy.array([sum(each or 0.0 for each in run.operator_s) for run in measured])
    counts = numpy.array([float(len(run.operator_s)) for run in measured])
    totals = numpy.array([run.total_s for run in measured])
    columns = numpy.c_[numpy.ones(len(sums)), counts, sums] / totals[:, None]
    wanted = (totals - sums) / totals
    # A pull to zero: few runs cannot tell the three apart.
    scale = numpy.array([1e-4, 1e-5, 0.05])
    weights = numpy.ones(len(sums))
    found = numpy.zeros(3)
    for _ in range(20):
        pulled = numpy.r_[columns * scale * weights[:, None], 0.1 * numpy.eye(3)]
        found = numpy.linalg.lstsq(pulled, numpy.r_[wanted * weights, numpy.zeros(3)], rcond=None)[0] * scale
        weights = 1.0 / numpy.sqrt(numpy.maximum(0.01, numpy.abs(columns @ found - wanted)))
        weights /= weights.max()
    left = numpy.abs(columns @ found - wanted)
    error = float(numpy.quantile(left, 0.9)) if len(left) > 1 else 0.1
    return float(found[0]), float(found[1]), float(found[2]), error


# Asking.


def predict_run(models: OperatorModels, operators: Sequence[Operator], threads: int) -> RunTime:
    """What a run of these operators will take: of a whole network, of `Network.up_to` a cut, or of any others.

    The interval of the sum: operators of one model err together, so their half-widths add up; models err
    independently, so those sums add up in squares, and so does the error of the overhead.
    """
    return predict_runs(models, [(operators, threads)])[0]


def predict_runs(models: OperatorModels, questions: Sequence[tuple[Sequence[Operator], int]]) -> list[RunTime]:
    """`predict_run` of many questions at once, which is faster."""
    known = set(models.models)
    asked: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, (operators, _) in enumerate(questions):
        for place, operator in enumerate(operators):
            asked[_model_of(known, operator)].append((number, place))
    found: dict[tuple[int, int], OperatorTime] = {}
    for name, places in asked.items():
        rows = [(questions[number][0][place], questions[number][1]) for number, place in places]
        said = predict(models.models[name], _asked(name, rows))
        for index, (number, place) in enumerate(places):
            operator = questions[number][0][place]
            reason = said.reasons[index]
            if name == _ANY and not reason:
                reason = f"no {operator.family} was measured"
            found[number, place] = OperatorTime(
                operator=operator,
                prediction_s=float(said.prediction[index]),
                low_s=float(said.low[index]),
                high_s=float(said.high[index]),
                supported=not reason,
                model=name,
                reason=reason,
            )
    return [
        _summed(models, tuple(found[number, place] for place in range(len(operators))))
        for number, (operators, _) in enumerate(questions)
    ]


def _model_of(known: set[str], operator: Operator) -> str:
    names = (_kind_name(operator), operator.family)
    return next((name for name in names if name in known), _ANY)


def _summed(models: OperatorModels, times: tuple[OperatorTime, ...]) -> RunTime:
    total = sum(each.prediction_s for each in times)
    overhead = models.run_s + models.operator_s * len(times) + models.share_s * total if times else 0.0
    below: dict[str, float] = defaultdict(float)
    above: dict[str, float] = defaultdict(float)
    for each in times:
        below[each.model] += each.prediction_s - each.low_s
        above[each.model] += each.high_s - each.prediction_s
    prediction = max(total + overhead, 0.5 * total)
    own = models.run_error * prediction
    low = math.sqrt(sum(value**2 for value in below.values()) + own**2)
    high = math.sqrt(sum(value**2 for value in above.values()) + own**2)
    carried = sum(each.prediction_s for each in times if each.supported)
    return RunTime(
        prediction_s=prediction,
        low_s=max(0.0, prediction - low),
        high_s=prediction + high,
        overhead_s=prediction - total,
        supported=bool(times) and carried >= 0.9 * total,
        operators=times,
    )


# Files.


def read_operators(path: Path) -> OperatorModels:
    """The models in a file.

    Raises:
        InputError: no such file, or not models of this version.
    """
    try:
        models = msgspec.json.decode(path.read_bytes(), type=OperatorModels)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except msgspec.MsgspecError as error:
        raise InputError(
            f"{path}: not a model of operators: {error}; make one with: ecotone performance operators MODEL.onnx "
            f"--output {path}"
        ) from None
    if models.version != OPERATORS_VERSION:
        raise InputError(f"{path}: version {models.version}, this Ecotone reads {OPERATORS_VERSION}; measure again")
    return models


def write_operators(path: Path, models: OperatorModels) -> None:
    """Replace `path` in one step. Raises OSError."""
    replace_file(path, msgspec.json.encode(models) + b"\n")
