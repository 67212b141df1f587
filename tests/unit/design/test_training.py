"""Steps of training: described without values, and measured. Skipped where PyTorch is not there."""

from __future__ import annotations

import pytest

from ecotone.core.errors import InputError
from ecotone.design.training import describe_step, measure_step
from ecotone.orchestration.performance.training import learn_steps, predict_steps

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")


def _perceptron(width=64):
    return torch.nn.Sequential(torch.nn.Linear(32, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))


def test_figures_of_a_step():
    step = describe_step(_perceptron(), (torch.zeros(8, 32),), optimiser="adam")
    assert step.batch == 8
    assert step.parameters == 32 * 64 + 64 + 64 * 10 + 10
    assert step.forward_flops == 2 * 8 * (32 * 64 + 64 * 10)
    # The gradient of the input of the first layer is not needed.
    assert step.backward_flops == 2 * 8 * (32 * 64 + 2 * 64 * 10)
    assert step.optimiser_bytes == 4 * step.parameters * 7
    assert step.operators == 3
    assert 8 * (32 + 64) * 4 <= step.activation_bytes <= 8 * (32 + 3 * 64 + 10) * 4
    twice = describe_step(_perceptron(), (torch.zeros(16, 32),), optimiser="adam")
    assert twice.activation_bytes == pytest.approx(2 * step.activation_bytes)


def test_an_optimiser_that_is_not_there_is_told():
    with pytest.raises(InputError, match="no optimiser 'newton'; there are: sgd, momentum, adam"):
        describe_step(_perceptron(), (torch.zeros(8, 32),), optimiser="newton")


def test_steps_are_measured_and_learnt():
    """What was given stays as it was."""
    measured = []
    for width in (64, 256):
        module = _perceptron(width)
        before = module[0].weight.detach().clone()
        measured += [measure_step(module, (torch.zeros(batch, 32),), for_s=0.02) for batch in (8, 32, 128, 512)]
        assert torch.equal(module[0].weight, before)
    model = learn_steps(measured)
    said = predict_steps(model, [(describe_step(_perceptron(256), (torch.zeros(256, 32),)), 1)])
    assert 0.0 < said.low[0] < said.prediction[0] < said.high[0] < 1.0
