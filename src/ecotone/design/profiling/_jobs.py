"""What a measuring process is told: the component, its inputs as the ones before it emitted them, and how often.

Called by `profile` and `search`, which run the jobs in the order of the data and note what came out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import ComponentError, InputError
from ecotone.design.profiling._items import ItemWriter
from ecotone.design.profiling.interface import InputFile, Job, Limits, Measured
from ecotone.execution.host.codec import Encoder
from ecotone.infrastructure.power import SYSFS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ecotone.core.application import Application, Component, Value

__all__ = ["Jobs", "Step", "is_input", "steps_for"]

SOURCE_ITEMS = 250
"""Items wanted of a source, as far as `Limits.output_bytes_max` lets them be kept."""
DEFAULT_RATE_PER_S = 10.0
"""Assumed of a source that does not say its throughput; it only sizes the lists of periodic components."""
_RATE_MIN_PER_S = 1e-6

Step = tuple["Component", str, bool]
"""A component, its variant, and whether it is measured or only run for its outputs."""


class Jobs:
    """For one set of parameters; knows what was emitted so far and at what rate."""

    def __init__(
        self,
        application: Application,
        root: Path,
        module: str,
        parameters: Mapping[str, Value],
        *,
        scratch: Path,
        limits: Limits,
        sysfs: Path = SYSFS,
        source_items: int = SOURCE_ITEMS,
    ) -> None:
        """Args: scratch: an existing folder, where items are kept."""
        self._application = application
        self._root, self._module, self._parameters = root, module, dict(parameters)
        self._scratch = scratch
        self._limits = limits
        self._sysfs = sysfs
        self._source_items = source_items
        self._emitted: dict[str, Path] = {}
        self._rates: dict[str, float] = {}

    def job(self, component: Component, variant: str, limits: Limits, *, is_measured: bool, is_input: bool) -> Job:
        """Raises ComponentError or InputError when there is nothing to call it with."""
        is_first = variant == component.variants[0].name
        reference = self._emitted.get(component.name)
        output = self._scratch / f"{component.name}.items"
        return Job(
            root=str(self._root.absolute()),
            module=self._module,
            parameters=self._parameters,
            component=component,
            variant=variant,
            inputs=self._inputs(component),
            items_per_call=self._items_per_call(component),
            source_items=self._source_items,
            period_s=self._period_s(component),
            output_path=str(output) if is_first and is_input else None,
            reference_path=None if is_first or reference is None else str(reference),
            measure=is_measured,
            limits=limits,
            sysfs=str(self._sysfs),
        )

    def _inputs(self, component: Component) -> tuple[InputFile, ...]:
        files: list[InputFile] = []
        for name in component.trigger.inputs:
            path = self._emitted[name]
            if path.stat().st_size == 0:
                raise ComponentError(
                    f"{name}: it let none of its sample items pass, so {component.name} has nothing to be profiled with"
                )
            files.append(InputFile(component=self._application.component(name), path=str(path)))
        if component.trigger.kind == "request":
            files.append(InputFile(component=None, path=str(self._requests(component))))
        return tuple(files)

    def _requests(self, component: Component) -> Path:
        """The sample requests that the author keeps beside the application, encoded.

        Raises:
            InputError: there are none, or they are not a JSON list.
        """
        source = self._root / "samples" / f"{component.name}.json"
        try:
            requests = msgspec.json.decode(source.read_bytes(), type=list[object])
        except FileNotFoundError:
            requests = []
        except (OSError, msgspec.MsgspecError) as error:
            raise InputError(f"{source}: not a JSON list of requests: {error}") from None
        if not requests:
            raise InputError(
                f"{component.name}: profiling needs sample requests; write some as a JSON list to {source}"
            )
        path = self._scratch / f"{component.name}.requests"
        writer = ItemWriter(path, self._limits.output_bytes_max)
        encoder = Encoder(component.name)
        for number, request in enumerate(requests):
            writer.write(number, encoder.encode(request))
        writer.close()
        return path

    def _items_per_call(self, component: Component) -> int:
        if component.batching is not None:
            return component.batching.items_max
        period_s = component.trigger.period_s
        if component.trigger.kind == "every" and component.trigger.inputs and period_s:
            return max(1, round(period_s * sum(self._rates[name] for name in component.trigger.inputs)))
        return 1

    def _period_s(self, component: Component) -> float:
        """Between two calls of one replica that gets all there is."""
        if component.trigger.period_s:
            return component.trigger.period_s
        if not component.trigger.inputs:
            return 1.0 / (component.requirements.throughput_min_per_s or DEFAULT_RATE_PER_S)
        if component.trigger.join_key is not None:
            return 1.0 / max(_RATE_MIN_PER_S, min(self._rates[name] for name in component.trigger.inputs))
        arriving_per_s = sum(self._rates[name] for name in component.trigger.inputs)
        return self._items_per_call(component) / max(_RATE_MIN_PER_S, arriving_per_s)

    def note(self, component: Component, variant: str, job: Job, measured: Measured) -> None:
        """Remember what the first variant emitted, and at what rate it would."""
        if job.output_path is not None:
            self._emitted[component.name] = Path(job.output_path)
        if variant != component.variants[0].name:
            return
        per_call = measured.outputs / max(1, measured.calls)
        trigger = component.trigger
        if trigger.inputs:
            arriving_per_s = sum(self._rates[name] for name in trigger.inputs)
            rate_per_s = arriving_per_s * measured.outputs / max(1, measured.items)
        elif trigger.period_s:
            rate_per_s = per_call / trigger.period_s
        else:
            rate_per_s = component.requirements.throughput_min_per_s or DEFAULT_RATE_PER_S
        self._rates[component.name] = rate_per_s

    def forget_inputs(self, component: Component, later: Sequence[Step]) -> None:
        """Delete the files that nothing that comes later reads: items may be large."""
        read = {name for each, _, _ in later for name in (*each.trigger.inputs, each.name)}
        for name in component.trigger.inputs:
            if name not in read and name in self._emitted:
                self._emitted.pop(name).unlink(missing_ok=True)


def steps_for(application: Application, todo: Collection[tuple[str, str]]) -> list[Step]:
    """What to start, in the order of the data: what is to be measured, and the first variant of each component
    whose output is an input of that or whose agreement is asked for."""
    order = application.in_data_order()
    helping: set[str] = set()
    for component in reversed(order):
        named = [variant.name for variant in component.variants if (component.name, variant.name) in todo]
        if named or component.name in helping:
            helping.update(component.trigger.inputs)
        if any(name != component.variants[0].name for name in named) and component.agreement is not None:
            helping.add(component.name)
    return [
        (component, variant.name, (component.name, variant.name) in todo)
        for component in order
        for index, variant in enumerate(component.variants)
        if (component.name, variant.name) in todo or (index == 0 and component.name in helping)
    ]


def is_input(name: str, steps: Sequence[Step]) -> bool:
    """Whether anything to be started reads what this component emits."""
    return (
        any(name in each.trigger.inputs for each, _, _ in steps) or sum(each.name == name for each, _, _ in steps) > 1
    )
