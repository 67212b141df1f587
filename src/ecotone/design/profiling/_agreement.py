"""How well a variant's outputs agree with those of the first one, by the function that the component names.

Called by the worker. Without labels this is what accuracy means.
"""

from __future__ import annotations

import inspect
import sys
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.core.errors import ComponentError
from ecotone.design.profiling._items import ItemReader
from ecotone.execution.host.codec import Decoder

if TYPE_CHECKING:
    from ecotone.design.profiling.interface import Job

__all__ = ["Agreement"]


class Agreement:
    """Compares call by call; does nothing for the first variant or without a function."""

    def __init__(self, job: Job) -> None:
        self._name = job.component.agreement
        self._scores: list[float] = []
        self._reader: ItemReader | None = None
        if self._name is None or job.reference_path is None:
            return
        module = sys.modules[job.module]
        self._function: Any = getattr(module, self._name, None)
        if not callable(self._function):
            raise ComponentError(f"its agreement function {self._name} is not in the module {job.module}")
        hint = _output_hint(getattr(module, job.component.target, None))
        self._reader = ItemReader(Path(job.reference_path), Decoder(hint))

    def compare(self, call: int, outputs: tuple[object, ...]) -> None:
        """Compare the first output of a call with the reference's for the same input.

        Two that emit nothing agree, but say nothing; one that emits where the other does not agrees in nothing.

        Raises:
            ComponentError: the function returned something else than 0 to 1 or None.
        """
        if self._reader is None or call > self._reader.last_call:
            return
        there, wanted = self._reader.of_call(call)
        if not there or not outputs:
            if there or outputs:
                self._scores.append(0.0)
            return
        score: object = self._function(outputs[0], wanted)
        if score is None:
            return
        if not isinstance(score, (int, float)) or not 0.0 <= score <= 1.0:
            raise ComponentError(f"its agreement function {self._name} returned {score!r}; it must be 0 to 1, or None")
        self._scores.append(float(score))

    def mean(self) -> tuple[float | None, int]:
        """Mean over the calls that said something, and their number."""
        count = len(self._scores)
        return (round(sum(self._scores) / count, 4) if count else None), count

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()


def _output_hint(target: object) -> object:
    """The type that a component emits, as its author wrote it; None when that is not to be had."""
    function = getattr(target, "__call__", None) if inspect.isclass(target) else target  # noqa: B004 - unbound
    try:
        hint: object = typing.get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):
        return None
    if getattr(hint, "__name__", "") in {"Iterator", "Iterable", "Generator"}:
        return next(iter(typing.get_args(hint)), None)
    return hint
