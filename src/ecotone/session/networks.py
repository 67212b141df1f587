"""Networks in ONNX format: what their operators take, predicted and measured. Called by `ecotone performance network`
and `ecotone performance operators`, and by notebooks.

from ecotone.session.networks import learn_networks, network_times
learn_networks([Path("a.onnx"), Path("b.onnx")], output=Path("here.json"), batches=[1, 4], threads=[1, 2])
network_times(Path("c.onnx"), models=Path("here.json")).predicted
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ecotone.core.errors import InputError, UnavailableError
from ecotone.design.networks import measure, prepare, runtime
from ecotone.design.profiling import machine_name
from ecotone.orchestration.performance.operators import (
    MeasuredRun,
    Network,
    OperatorModels,
    RunTime,
    learn_operators,
    predict_run,
    read_operators,
    write_operators,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ecotone.orchestration.performance.learner.progress import Progress

__all__ = [
    "MeasuredRun",
    "Network",
    "NetworkTimes",
    "OperatorModels",
    "RunTime",
    "learn_networks",
    "network_document",
    "network_times",
]

MEASURED_S = 0.8
"""For each batch, size and number of threads."""
_LEARNING_STARTS = 0.7


class NetworkTimes(NamedTuple):
    """A network, and what a run of it takes; None where nobody asked."""

    network: Network
    threads: int
    predicted: RunTime | None
    measured: MeasuredRun | None


def network_times(
    file: Path,
    *,
    batch: int | None = None,
    size: Sequence[int] | None = None,
    threads: int = 1,
    models: Path | None = None,
    measured: bool = False,
) -> NetworkTimes:
    """What each operator of a network takes.

    Args:
        file: the network, in ONNX format.
        batch: the first dimension of every input; None: as in the file, 1 where the file leaves it open.
        size: height and width of images, or the length of sequences; None: as in the file.
        threads: of the runtime.
        models: a file that `learn_networks` wrote, to predict from.
        measured: run it here, for about a second.

    Raises:
        InputError: not a network, sizes that it cannot take, or not such a file.
        MissingExtraError: the extra `onnx` is not installed.
    """
    known = None if models is None else read_operators(models)
    prepared = prepare(file, batch=batch, size=size)
    return NetworkTimes(
        network=prepared.network,
        threads=threads,
        predicted=None if known is None else predict_run(known, prepared.network.operators, threads),
        measured=measure(prepared, threads=threads, for_s=MEASURED_S, patience_s=2.0) if measured else None,
    )


def learn_networks(
    files: Sequence[Path],
    *,
    output: Path,
    batches: Sequence[int] = (1, 2, 4),
    sizes: Sequence[Sequence[int]] = (),
    threads: Sequence[int] = (1, 2),
    progress: Progress | None = None,
) -> OperatorModels:
    """Measure networks on this machine, and learn what their operators take.

    Args:
        files: networks in ONNX format; the more kinds of operators, the better.
        output: gets the models.
        batches: each network is run with each of them,
        sizes: with each of these (height and width, or the length of sequences; none: the file's own)
        threads: and with each number of threads.
        progress: is told how far it is.

    Raises:
        InputError: not networks, or sizes that they cannot take.
        MissingExtraError: the extras `onnx` and `performance` are not installed.
        UnavailableError: `output` cannot be written.
    """
    if not files:
        raise InputError("no network to learn from")
    runs: list[MeasuredRun] = []
    questions = [(file, batch, size) for file in files for size in (sizes or (None,)) for batch in batches]
    for number, (file, batch, size) in enumerate(questions):
        if progress is not None:
            progress(_LEARNING_STARTS * number / len(questions), f"measuring {file.name}, batch {batch}")
        prepared = prepare(file, batch=batch, size=size)
        runs += [measure(prepared, threads=each, for_s=MEASURED_S, patience_s=5 * MEASURED_S) for each in threads]

    def learning(fraction: float, message: str) -> None:
        if progress is not None:
            progress(_LEARNING_STARTS + (1.0 - _LEARNING_STARTS) * fraction, message)

    found = learn_operators(runs, machine=machine_name(), runtime=runtime().__version__, progress=learning)
    try:
        write_operators(output, found)
    except OSError as error:
        raise UnavailableError(f"{output} cannot be written: {error.strerror}") from None
    return found


def network_document(times: NetworkTimes) -> dict[str, Any]:
    """For programs: milliseconds, as everywhere in Ecotone's documents."""
    network, predicted, measured = times.network, times.predicted, times.measured
    operators: list[dict[str, Any]] = []
    for place, operator in enumerate(network.operators):
        row: dict[str, Any] = {
            "name": operator.name,
            "kind": operator.kind,
            "family": operator.family,
            "flops": operator.flops,
            "input_bytes": operator.input_bytes,
            "weight_bytes": operator.weight_bytes,
            "output_bytes": operator.output_bytes,
            "outputs": list(operator.outputs),
        }
        if predicted is not None:
            said = predicted.operators[place]
            row |= {
                "predicted_ms": 1e3 * said.prediction_s,
                "low_ms": 1e3 * said.low_s,
                "high_ms": 1e3 * said.high_s,
                "supported": said.supported,
                "reason": said.reason,
            }
        if measured is not None:
            seconds = measured.operator_s[place]
            row["measured_ms"] = None if seconds is None else 1e3 * seconds
        operators.append(row)
    document: dict[str, Any] = {
        "network": network.name,
        "batch": network.batch,
        "threads": times.threads,
        "inputs": {name: list(shape) for name, shape in network.input_shapes.items()},
        "flops": sum(each.flops for each in network.operators),
        "operators": operators,
    }
    if predicted is not None:
        document |= {
            "predicted_ms": 1e3 * predicted.prediction_s,
            "low_ms": 1e3 * predicted.low_s,
            "high_ms": 1e3 * predicted.high_s,
            "overhead_ms": 1e3 * predicted.overhead_s,
            "supported": predicted.supported,
        }
    if measured is not None:
        document |= {"measured_ms": 1e3 * measured.total_s, "waited": measured.waited, "load": measured.load}
    return document
