"""Times of training steps: what a step is, as plain figures, and the table that a model is learnt from.

`design.training` describes and measures steps; the planner asks for steps that were never run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy

from ecotone.orchestration.performance.learner.answers import predict
from ecotone.orchestration.performance.learner.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.orchestration.performance.learner.answers import Predictions
    from ecotone.orchestration.performance.learner.model import LearnedModel

__all__ = ["MeasuredStep", "TrainingStep", "learn_steps", "predict_steps", "step_table"]

_COLUMNS = ("flops", "activation_bytes", "optimiser_bytes", "operators", "threads")


class TrainingStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of training: forward, backward, and the optimiser.

    Attributes:
        forward_flops, backward_flops: of products and convolutions; a multiplication and an addition are two.
        activation_bytes: what the forward pass keeps for the backward pass.
        parameters: that are trained.
        optimiser_bytes: parameters, gradients and the optimiser's own memory: read or written once a step.
        operators: tensor operations of the forward pass.
    """

    name: str
    batch: int
    forward_flops: float
    backward_flops: float
    activation_bytes: float
    parameters: int
    optimiser_bytes: float
    operators: int

    @property
    def flops(self) -> float:
        """Of the whole step."""
        return self.forward_flops + self.backward_flops


class MeasuredStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that was run with some threads; `waited` is the share of it in which threads waited for a core."""

    step: TrainingStep
    threads: int
    seconds: float
    waited: float
    runs: int
    load: float


def step_table(steps: Sequence[tuple[TrainingStep, int]]) -> Table:
    """What models of training read, of steps with their threads."""
    rows = [[max(1.0, getattr(step, name)) for name in _COLUMNS[:-1]] + [float(threads)] for step, threads in steps]
    return Table(_COLUMNS, numpy.array(rows, dtype=numpy.float64))


def learn_steps(measured: Sequence[MeasuredStep], *, extrapolate: Sequence[str] = ()) -> LearnedModel:
    """Learn the seconds of a step.

    Args:
        measured: at least eight steps.
        extrapolate: of flops, activation_bytes, optimiser_bytes, operators, threads those that will be asked about
            above what was measured.

    Raises:
        InputError: too few steps.
        MissingExtraError: the extra `performance` is not installed.
    """
    from ecotone.orchestration.performance.learner.learn import fit  # noqa: PLC0415 - asking does without the extra

    features = step_table([(each.step, each.threads) for each in measured])
    seconds = numpy.array([each.seconds for each in measured])
    return fit(Table((*_COLUMNS, "seconds"), numpy.c_[features.values, seconds]), "seconds", extrapolate=extrapolate)


def predict_steps(model: LearnedModel, steps: Sequence[tuple[TrainingStep, int]]) -> Predictions:
    """Seconds of steps with their threads."""
    return predict(model, step_table(steps))
