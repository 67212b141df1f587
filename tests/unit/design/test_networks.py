"""Networks operator by operator: tiny ones, built here, in the real runtime."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

import onnxruntime
from onnx import helper
from tests.support.networks import model, shuffling, stack, weights

from ecotone.core.errors import InputError
from ecotone.design.networks import describe, measure, prepare
from ecotone.design.networks._measure import Run, whole_run, without_looking
from ecotone.design.networks._sizes import load, reshaped, sized


def test_operators_are_those_that_run_with_their_figures():
    network = describe(stack(["n", 3, "h", "w"]), batch=2, size=(32, 48))
    assert network.batch == 2
    assert network.input_shapes == {"x": (2, 3, 32, 48)}
    by_family = {each.family.removeprefix("blocked "): each for each in network.operators}
    full = by_family["convolution"]
    assert full.flops == 2 * (2 * 16 * 16 * 24) * 3 * 9
    assert (full.channels_in, full.channels_out, full.kernel, full.stride, full.pixels) == (3, 16, 9, 4, 16 * 24)
    assert full.depth == 3
    assert full.positions == 2 * 16 * 24
    deep = by_family["depthwise convolution"]
    assert deep.groups == 16
    assert deep.flops == 2 * (2 * 16 * 16 * 24) * 9
    last = by_family["product"]
    assert last.flops == 2 * 2 * 16 * 10
    assert last.input_bytes == 2 * 16 * 4
    assert last.weight_bytes == 16 * 10 * 4
    assert not any(each.kind == "Relu" for each in network.operators), "it is part of the convolution when it runs"


def test_a_part_is_what_a_tensor_needs():
    network = describe(stack([1, 3, 32, 32]))
    cut = network.operators[1].outputs[0]
    first, rest = network.up_to([cut]), network.after([cut])
    assert first == network.operators[:2]
    assert first + rest == network.operators
    assert network.up_to(network.outputs) == network.operators
    with pytest.raises(KeyError):
        network.up_to(["nothing"])


@pytest.mark.parametrize(("batch", "size"), [(1, (32, 32)), (1, (48, 64)), (3, (32, 32)), (2, (16, 24))])
def test_sizes_in_reshapes_follow_the_input(batch, size):
    """The changed network computes what one exported with these sizes computes."""
    found, shapes = sized(load(shuffling((1, 3, 32, 32))), batch, size)
    assert shapes == {"x": (batch, 3, *size)}
    x = numpy.random.default_rng(0).random((batch, 3, *size), dtype=numpy.float32)
    given, wanted = (
        onnxruntime.InferenceSession(each, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for each in (found.SerializeToString(), shuffling((batch, 3, *size)))
    )
    numpy.testing.assert_allclose(given, wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("was", "made", "now", "grown", "target"),
    [
        ((1, 48, 44, 44), (1, 2, 24, 44, 44), (1, 48, 32, 40), (32 / 44, 40 / 44), [1, 2, 24, 32, 40]),
        ((1, 48, 44, 44), (24, 2, 1936), (2, 48, 44, 44), None, [48, 2, 1936]),
        ((1, 85, 22, 22), (1, 85, 484), (1, 85, 11, 22), (0.5, 1.0), [1, 85, 242]),
        ((1, 8, 4, 4), (1, 128), (1, 8, 2, 2), (0.5, 0.5), [1, 32]),
        ((4, 6), (3, 8), (4, 9), (1.5, 1.5), None),
    ],
)
def test_what_a_reshape_becomes(was, made, now, grown, target):
    assert reshaped(was, made, now, grown) == target


def test_what_cannot_be_sized_is_told():
    with pytest.raises(InputError, match=r"leaves the shape of its input x open: \[1, 3, \?, \?\]"):
        describe(stack(["n", 3, "h", "w"]))
    with pytest.raises(InputError, match="no input takes the size 7"):
        describe(stack([1, 3, 32, 32]), size=(7,))
    with pytest.raises(InputError, match="not a network"):
        describe(b"no network at all")
    with pytest.raises(InputError, match="cannot be read"):
        describe(Path("/nowhere/at/all.onnx"))
    wrong = model([helper.make_node("Add", ["x", "w"], ["y"])], [weights("w", 1, 3, 32, 32)], [1, 3, "h", "w"])
    with pytest.raises(InputError, match="cannot be run with such inputs"):
        describe(wrong, size=(31, 32))


def test_every_operator_is_measured():
    prepared = prepare(stack(["n", 3, "h", "w"]), size=(32, 32), name="tiny")
    run = measure(prepared, threads=1, for_s=0.1)
    assert run.network.name == "tiny"
    assert len(run.operator_s) == len(run.network.operators)
    assert all(each is not None and each >= 0.0 for each in run.operator_s)
    assert 0.0 < run.total_s < 1.0
    assert run.waited == 0.0


def test_runs_that_waited_do_not_count():
    calm = [Run(wall_s=1.0, cpu_s=0.9, waited_s=0.0)] * 6
    disturbed = [Run(wall_s=3.0, cpu_s=0.9, waited_s=2.0)] * 20
    assert whole_run(disturbed + calm, 2) == (pytest.approx(1.0), 0.0)
    assert whole_run(disturbed, 1) == (pytest.approx(0.9), 0.0)
    seconds, waited = whole_run(disturbed, 2)
    assert seconds == pytest.approx(3.0)
    assert waited == pytest.approx(2 / 3)


def test_what_looking_costs_is_taken_off():
    seen = (2e-6, 10e-6, None, 100e-6)
    assert without_looking(seen, 200e-6) == seen, "a run takes more than its operators: nothing is known of looking"
    found = without_looking(seen, 107e-6)
    assert sum(each or 0.0 for each in found) == pytest.approx(107e-6, rel=1e-3)
    assert found[2] is None
    assert found[3] == pytest.approx(97.5e-6, rel=1e-2)
    assert without_looking(seen, 1e-6)[3] == pytest.approx(95e-6), "whatever is wrong there, it is not the profile"
