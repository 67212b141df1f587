"""Describes a step of training of a PyTorch module without running it, and measures it. Needs the extra `train`."""

from __future__ import annotations

import copy
import os
import time
from typing import TYPE_CHECKING, Any

from ecotone.core.errors import InputError, MissingExtraError
from ecotone.design.networks import Run, waited_s, whole_run
from ecotone.orchestration.performance.training import MeasuredStep, TrainingStep

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["describe_step", "measure_step"]

_STATES = {"sgd": 0, "momentum": 1, "adam": 2}
"""Tensors of each parameter's size that an optimiser keeps."""
_WARM_UP = 2
_RUNS_MIN = 5


def describe_step(
    module: Any, inputs: tuple[Any, ...], *, optimiser: str = "sgd", name: str | None = None
) -> TrainingStep:
    """What a step does; its loss is the mean of the output.

    The module is copied to PyTorch's `meta` device, where tensors have shapes and no values: nothing is computed.

    Args:
        module: the torch.nn.Module.
        inputs: tensors; the first dimension of the first one is the batch. Their values do not matter.
        optimiser: "sgd", "momentum" or "adam".
        name: what to call it; None: as its class is called.

    Raises:
        InputError: no such optimiser, or a module that needs values to go on.
        MissingExtraError: PyTorch is not installed.
    """
    torch = _torch()
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    states = _states(optimiser)
    kept: dict[int, float] = {}
    count = 0

    def keep(tensor: Any) -> Any:
        # A view of what is kept already takes no more.
        storage = tensor.untyped_storage()
        kept[storage._cdata] = float(storage.nbytes())
        held.append(storage)
        return tensor

    def given(tensor: Any) -> Any:
        return tensor

    def counted(_module: Any, _inputs: Any, _output: Any) -> None:
        nonlocal count
        count += 1

    held: list[Any] = []
    shadow = copy.deepcopy(module).to("meta").train()
    parameters = [each for each in shadow.parameters() if each.requires_grad]
    for each in shadow.modules():
        if not list(each.children()):
            each.register_forward_hook(counted)
    try:
        with FlopCounterMode(display=False) as counter:
            with torch.autograd.graph.saved_tensors_hooks(keep, given):
                loss = shadow(*[each.to("meta") for each in inputs]).mean()
            forward = counter.get_total_flops()
            loss.backward()
    except (NotImplementedError, RuntimeError) as error:
        raise InputError(f"{type(module).__name__} cannot be described without its values: {error}") from None
    own = {each.untyped_storage()._cdata for each in parameters}
    size_bytes = sum(float(each.numel() * each.element_size()) for each in parameters)
    return TrainingStep(
        name=name or type(module).__name__,
        batch=int(inputs[0].shape[0]),
        forward_flops=float(forward),
        backward_flops=float(counter.get_total_flops() - forward),
        activation_bytes=sum(value for key, value in kept.items() if key not in own),
        parameters=sum(each.numel() for each in parameters),
        optimiser_bytes=size_bytes * (3 + 2 * states),
        operators=count,
    )


def measure_step(
    module: Any,
    inputs: tuple[Any, ...],
    *,
    threads: int = 1,
    optimiser: str = "sgd",
    name: str | None = None,
    for_s: float = 0.5,
    patience_s: float = 0.0,
) -> MeasuredStep:
    """Train a copy of the module for a while, and time its steps.

    Args:
        module: stays as it is.
        inputs: tensors, given at every step.
        threads: of PyTorch; set back afterwards.
        optimiser: "sgd", "momentum" or "adam".
        name: what to call it.
        for_s: how long; longer where five steps take longer.
        patience_s: how much longer, while others disturb it.

    Raises:
        InputError: no such optimiser.
        MissingExtraError: PyTorch is not installed.
    """
    torch = _torch()
    step = describe_step(module, inputs, optimiser=optimiser, name=name)
    trained = copy.deepcopy(module).train()
    make: dict[str, Callable[[Any], Any]] = {
        "sgd": lambda its: torch.optim.SGD(its, lr=1e-4),
        "momentum": lambda its: torch.optim.SGD(its, lr=1e-4, momentum=0.9),
        "adam": lambda its: torch.optim.Adam(its, lr=1e-4),
    }
    steps = make[optimiser](trained.parameters())
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        runs: list[Run] = []
        calm = 0
        end = time.perf_counter() + for_s
        number = 0
        while len(runs) < _RUNS_MIN or time.perf_counter() < end + (patience_s if calm < _RUNS_MIN else 0.0):
            waited, cpu, start = waited_s(), time.thread_time(), time.perf_counter()
            steps.zero_grad()
            trained(*inputs).mean().backward()
            steps.step()
            wall_s, cpu_s = time.perf_counter() - start, time.thread_time() - cpu
            number += 1
            if number > _WARM_UP:
                runs.append(Run(wall_s, cpu_s, max(0.0, waited_s() - waited)))
                calm += runs[-1].calm
    finally:
        torch.set_num_threads(threads_before)
    # The backward pass runs in a thread of PyTorch's own, so the calling thread's time is not all of it.
    seconds, share = whole_run(runs, max(2, threads))
    return MeasuredStep(
        step=step, threads=threads, seconds=seconds, waited=share, runs=len(runs), load=os.getloadavg()[0]
    )


def _states(optimiser: str) -> int:
    if optimiser not in _STATES:
        raise InputError(f"no optimiser {optimiser!r}; there are: {', '.join(_STATES)}")
    return _STATES[optimiser]


def _torch() -> Any:
    try:
        import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra
    except ImportError:
        raise MissingExtraError("torch", "train") from None
    return torch
