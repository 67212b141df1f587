"""Sums over operators: learnt from made-up times that follow a law, asked about networks that were never measured."""

from __future__ import annotations

import random

import pytest

from ecotone.core.errors import InputError
from ecotone.orchestration.performance.operators import (
    MeasuredRun,
    Network,
    Operator,
    OperatorModels,
    learn_operators,
    predict_run,
    predict_runs,
    read_operators,
    write_operators,
)

RUN_S = 50e-6


def _conv(number: int, into: int, out: int, pixels: int, batch: int = 1) -> Operator:
    return Operator(
        name=f"conv {number}",
        kind="Conv",
        family="convolution",
        flops=2.0 * into * out * 9 * pixels * batch,
        input_bytes=4.0 * into * pixels * batch,
        weight_bytes=36.0 * into * out,
        output_bytes=4.0 * out * pixels * batch,
        channels_in=into,
        channels_out=out,
        kernel=9,
        pixels=pixels,
        batch=batch,
        inputs=(f"t{number - 1}",),
        outputs=(f"t{number}",),
    )


def _add(number: int, pixels: int, batch: int = 1) -> Operator:
    size = 64.0 * pixels * batch
    name = f"add {number}"
    return Operator(
        name=name,
        kind="Add",
        family="element-wise",
        flops=size / 4,
        input_bytes=2 * size,
        weight_bytes=0.0,
        output_bytes=size,
        pixels=pixels,
        batch=batch,
        inputs=(f"t{number - 1}",),
        outputs=(f"t{number}",),
    )


def _network(seed: int, batch: int = 1) -> Network:
    draw = random.Random(seed)
    pixels = draw.choice([256, 400, 576, 1024])
    operators: list[Operator] = []
    for number in range(6):
        if number % 3 == 2:
            operators.append(_add(number, pixels, batch))
        else:
            operators.append(_conv(number, draw.choice([8, 16, 32, 48]), draw.choice([8, 16, 32, 64]), pixels, batch))
    shapes = {"x": (batch, 3, 64, 64)}
    return Network(name=f"n{seed}", batch=batch, input_shapes=shapes, outputs=("t5",), operators=tuple(operators))


def _law_s(operator: Operator, threads: int) -> float:
    if operator.family == "convolution":
        return 3e-6 + operator.flops / 3e10 / threads**0.9
    return 2e-6 + operator.output_bytes / 1e10


def _run(seed: int, batch: int, threads: int) -> MeasuredRun:
    network = _network(seed, batch)
    draw = random.Random(seed * 100 + batch * 10 + threads)
    times = tuple(_law_s(each, threads) * draw.uniform(0.98, 1.02) for each in network.operators)
    return MeasuredRun(
        network=network, threads=threads, operator_s=times, total_s=sum(times) + RUN_S, waited=0.0, runs=9, load=0.1
    )


@pytest.fixture(scope="module")
def models() -> OperatorModels:
    runs = [_run(seed, batch, threads) for seed in range(4) for batch in (1, 4) for threads in (1, 2)]
    return learn_operators(runs, machine="here", runtime="none")


def test_a_network_that_was_never_measured_is_predicted(models):
    questions = [_run(seed, batch, threads) for seed in (10, 11, 12) for batch in (1, 2, 3) for threads in (1, 2)]
    answers = predict_runs(models, [(each.network.operators, each.threads) for each in questions])
    errors = sorted(abs(a.prediction_s / q.total_s - 1) for a, q in zip(answers, questions, strict=True))
    assert errors[len(errors) // 2] < 0.1
    inside = [a.low_s <= q.total_s <= a.high_s for a, q in zip(answers, questions, strict=True)]
    assert sum(inside) >= 0.8 * len(inside)


def test_parts_add_up_to_the_whole(models):
    network = _network(10, 2)
    first, rest = network.up_to(["t2"]), network.after(["t2"])
    whole, head, tail = (predict_run(models, part, 2) for part in (network.operators, first, rest))
    assert [each.operator.name for each in head.operators + tail.operators] == [each.name for each in network.operators]
    # Each part is a run of its own.
    assert head.prediction_s + tail.prediction_s - models.run_s == pytest.approx(whole.prediction_s)
    for each in (whole, head, tail):
        assert each.low_s < each.prediction_s < each.high_s


def test_what_runs_cost_besides_their_operators_is_found(models):
    run = _run(10, 1, 1)
    assert predict_run(models, run.network.operators, 1).overhead_s == pytest.approx(RUN_S, rel=0.5)


def test_a_family_that_was_never_measured_is_not_supported(models):
    strange = Operator(
        name="x", kind="LSTM", family="recurrent", flops=1e6, input_bytes=1e4, weight_bytes=1e4, output_bytes=1e4
    )
    (time,) = predict_run(models, [strange], 1).operators
    assert (time.model, time.supported, time.reason) == ("any", False, "no recurrent was measured")


def test_nothing_takes_no_time(models):
    assert predict_run(models, (), 1).prediction_s == 0.0


def test_models_are_written_and_read(models, tmp_path):
    file = tmp_path / "operators.json"
    write_operators(file, models)
    assert read_operators(file) == models
    file.write_text("{}")
    with pytest.raises(InputError, match="not a model of operators"):
        read_operators(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_operators(tmp_path / "none.json")


def test_too_few_operators_are_told():
    with pytest.raises(InputError, match="6 measured operators are too few"):
        learn_operators([_run(1, 1, 1)], machine="here", runtime="none")
