"""Claim: a step of training with PyTorch is predicted for batches, threads and models that were not measured.

    python -m benchmarks.performance.own_training [--patience SECONDS]

Needs PyTorch (`pip install torch`, or the extra `train`); says so where it is missing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy
from benchmarks._table import median, show

from ecotone.design.training import describe_step, measure_step
from ecotone.orchestration.performance.training import MeasuredStep, learn_steps, predict_steps

WAITED_MAX = 0.05


def run(*, quick: bool = False, patience_s: float = 5.0) -> None:
    """Measure, learn, ask, and print."""
    if find_spec("torch") is None:
        print("training: PyTorch is not installed (pip install torch): nothing measured")
        return
    learnt: list[MeasuredStep] = []
    batches: list[MeasuredStep] = []
    models: list[MeasuredStep] = []
    sizes = (4, 16, 64) if quick else (4, 8, 16, 32, 64)
    for name, (make, shape) in _models().items():
        for threads in (1, 2):
            learnt += [_measured(name, make, shape, batch, threads, patience_s) for batch in sizes]
            batches += [_measured(name, make, shape, batch, threads, patience_s) for batch in (6, 24, 48)]
    for name, (make, shape) in _unseen().items():
        models += [_measured(name, make, shape, batch, threads, patience_s) for batch in (6, 24) for threads in (1, 2)]
    quiet = [each for each in learnt if each.waited <= WAITED_MAX]
    start = time.perf_counter()
    model = learn_steps(quiet)
    took_s = time.perf_counter() - start
    rows = []
    for title, asked in (("unseen batches", batches), ("unseen models", models)):
        for name in dict.fromkeys(each.step.name for each in asked):
            for threads in (1, 2):
                its = [each for each in asked if (each.step.name, each.threads) == (name, threads)]
                counted = [each for each in its if each.waited <= WAITED_MAX]
                row = [title, name, threads, f"{len(counted)}/{len(its)}"]
                if counted:
                    said = predict_steps(model, [(each.step, each.threads) for each in counted])
                    truth = numpy.array([each.seconds for each in counted])
                    errors = numpy.abs(said.prediction / truth - 1)
                    held = (said.low <= truth) & (truth <= said.high)
                    row += [f"{100 * median(errors):.1f} %", f"{held.sum()}/{len(counted)}"]
                    row += [f"{said.supported.sum()}/{len(counted)}"]
                else:
                    row += 3 * ["-"]
                rows.append(row)
    loads = [each.load for each in (*learnt, *batches, *models)]
    header = ["question", "model", "threads", "counted", "median error", "inside 90 %", "supported"]
    show(f"Steps of training; loads {min(loads):.1f} to {max(loads):.1f}, median {median(loads):.1f}", header, rows)
    print(f"learnt from {len(quiet)} of {len(learnt)} steps (the others were disturbed) in {took_s:.0f} s")


def _measured(
    name: str, make: Callable[[], Any], shape: tuple[int, ...], batch: int, threads: int, patience_s: float
) -> MeasuredStep:
    import torch

    module, inputs = make(), (torch.rand(batch, *shape),)
    if threads == 1:
        assert describe_step(module, inputs).batch == batch
    return measure_step(module, inputs, threads=threads, name=name, for_s=0.6, patience_s=patience_s)


def _perceptron(width: int, depth: int) -> Any:
    from torch import nn

    hidden = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(128, width), nn.ReLU(), *hidden, nn.Linear(width, 10))


def _convolutions(width: int, depth: int) -> Any:
    from torch import nn

    layers: list[Any] = [nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def _models() -> dict[str, tuple[Callable[[], Any], tuple[int, ...]]]:
    return {
        "perceptron 256x2": (lambda: _perceptron(256, 2), (128,)),
        "perceptron 1024x3": (lambda: _perceptron(1024, 3), (128,)),
        "convolutions 16x2": (lambda: _convolutions(16, 2), (3, 32, 32)),
        "convolutions 32x4": (lambda: _convolutions(32, 4), (3, 32, 32)),
        "convolutions 64x3": (lambda: _convolutions(64, 3), (3, 32, 32)),
    }


def _unseen() -> dict[str, tuple[Callable[[], Any], tuple[int, ...]]]:
    return {
        "perceptron 512x3": (lambda: _perceptron(512, 3), (128,)),
        "convolutions 32x3": (lambda: _convolutions(32, 3), (3, 32, 32)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance.own_training", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--patience", type=float, default=5.0, metavar="SECONDS", help="to wait for calm, each time")
    arguments = parser.parse_args()
    run(quick=arguments.quick, patience_s=arguments.patience)
