"""An application: components, the channels between them, and what each promises.

Built by the static reader (`design.read`) and, equally, by the decorators (`design.annotations`); read by profiling,
placement, hosts and the report. Seconds, bytes, items per second, joules, fractions.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "Accelerator",
    "Application",
    "Batching",
    "Cell",
    "Channel",
    "Component",
    "LatencyPromise",
    "Layer",
    "Parameter",
    "PathPromise",
    "Requirements",
    "State",
    "Trigger",
    "Value",
    "Variant",
]

Layer = Literal["device", "edge", "cloud"]
Value = str | int | float | bool
"""What a parameter or setting may hold."""


class _Frozen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Parameter(_Frozen, frozen=True, kw_only=True):
    """A value that the user of an application may set (`--set NAME=VALUE`)."""

    name: str
    type: Literal["str", "int", "float", "bool"]
    default: Value
    help: str = ""


class Trigger(_Frozen, frozen=True, kw_only=True):
    """What makes a component run.

    - `data`: each item that arrives on `inputs`; several inputs merge by arrival, or are joined when `join_key` names
      the field that must be equal (one call with one item of each input).
    - `every`: once per `period_s`; with `inputs`, the call gets the list of what arrived since the last one.
    - `request`: each request, answered with the return value within `timeout_s`.
    - `source`: a generator that yields items at its own pace; `throughput` says how many to expect.
    """

    kind: Literal["data", "every", "request", "source"]
    inputs: tuple[str, ...] = ()
    join_key: str | None = None
    period_s: float | None = None
    timeout_s: float | None = None


class LatencyPromise(_Frozen, frozen=True, kw_only=True):
    """At most `latency_max_s` at `percentile` (0 < percentile < 100)."""

    latency_max_s: float
    percentile: float = 95.0


class PathPromise(_Frozen, frozen=True, kw_only=True):
    """A latency promise from the start of the first component's work on an item to the end of the last one's."""

    components: tuple[str, ...]
    latency: LatencyPromise

    @property
    def name(self) -> str:
        return f"{self.components[0]} -> {self.components[-1]}"


class Accelerator(_Frozen, frozen=True, kw_only=True):
    """`count` devices of `kind` (for instance "gpu") with at least `memory_bytes` each."""

    kind: str
    count: int = 1
    memory_bytes: float = 0.0


class Requirements(_Frozen, frozen=True, kw_only=True):
    """What a component needs, and where it and its output may be.

    Attributes:
        latency: bound on the time from an item's arrival at the component to the end of its handling.
        throughput_min_per_s: items per second it must be able to carry; for a source, what it is expected to emit.
        memory_bytes: memory it may use; the planner reserves it and the host enforces it. None: what was profiled.
        energy_max_j: bound on the energy per item.
        accuracy_min: variants below it are not admissible (0 to 1).
        layers, regions, labels: where it may run; empty means anywhere. Regions may end in `*`.
        accelerators: devices that each replica takes for itself.
        private: the layers that its raw output, and whatever is derived from it, may be in; None: not private.
        releases: its output is no longer private (it anonymises, aggregates).
        confidential: only sites that declare themselves attested.
        replicas_max: most replicas in total; a stateful component has one.
    """

    latency: LatencyPromise | None = None
    throughput_min_per_s: float | None = None
    memory_bytes: float | None = None
    energy_max_j: float | None = None
    accuracy_min: float | None = None
    layers: tuple[Layer, ...] = ()
    regions: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    accelerators: tuple[Accelerator, ...] = ()
    private: tuple[Layer, ...] | None = None
    releases: bool = False
    confidential: bool = False
    replicas_max: int | None = None


class Variant(_Frozen, frozen=True, kw_only=True):
    """One implementation of a component.

    `target` is the name of the function or class in the module when it differs from the component's; `settings` are
    keyword arguments (to the class's constructor, or to every call of a function). `accuracy` (0 to 1) is declared,
    or None: then profiling measures the agreement with the component's first variant.
    """

    name: str
    target: str | None = None
    settings: dict[str, Value] = {}
    accuracy: float | None = None


class Batching(_Frozen, frozen=True, kw_only=True):
    """The component is called with a list of up to `items_max` items, after `wait_max_s` at the latest."""

    items_max: int
    wait_max_s: float = 0.01


class State(_Frozen, frozen=True, kw_only=True):
    """The component keeps state between items: it is one replica, and after a crash it is restored.

    With `snapshot_every_s`, its `snapshot()` is stored that often and `restore(state)` is called on a new host; inputs
    are acknowledged when a snapshot holds them, so that no accepted item's effect is lost. With None it is stateful
    without hooks: a crash starts it empty.
    """

    snapshot_every_s: float | None = 1.0


class Cell(_Frozen, frozen=True, kw_only=True):
    """The program of a component of kind `cell`: a file, from the application's folder on, and its number of ranks."""

    file: str
    ranks: int = 1


class Component(_Frozen, frozen=True, kw_only=True):
    """One unit of code. `kind` chooses the runner; `target` is the object's name in the application's module.

    `live` says that its output is worth nothing when old: a full channel drops the oldest item, counted, instead of
    making the component wait. `capacity` bounds its output channel, in items. `item_timeout_s` None: 20 times the
    profiled p99. `agreement` names a function `(output, reference) -> float` in 0..1 that compares variants.
    `cores` are the least and the most that a replica can use at once: the threads of its numeric libraries, or of each
    rank of its cell. `input_type` and `output_type` are normalised source text of the hints, "" when there is none.
    """

    name: str
    target: str
    trigger: Trigger
    kind: str = "python"
    requirements: Requirements = Requirements()
    variants: tuple[Variant, ...] = (Variant(name="default"),)
    batching: Batching | None = None
    state: State | None = None
    cell: Cell | None = None
    cores: tuple[int, int] = (1, 1)
    live: bool = False
    capacity: int = 64
    item_timeout_s: float | None = None
    attempts_max: int = 3
    agreement: str | None = None
    input_type: str = ""
    output_type: str = ""
    help: str = ""

    def variant(self, name: str) -> Variant:
        """Raises KeyError when there is no such variant."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise KeyError(name)

    @property
    def core_counts(self) -> tuple[int, ...]:
        """What a plan chooses from: the least, the most, and the powers of two between them."""
        least, most = self.cores
        powers = (2**power for power in range(most.bit_length()))
        return tuple(sorted({least, most} | {each for each in powers if least < each < most}))

    def held(self, cores: int) -> int:
        """How many cores of its node a replica with `cores` holds while it works: a cell's ranks have so many each."""
        return cores * (1 if self.cell is None else self.cell.ranks)


class Channel(_Frozen, frozen=True, kw_only=True):
    """Everything that `producer` emits goes to `consumer`."""

    producer: str
    consumer: str


class Application(_Frozen, frozen=True, kw_only=True):
    """Components in the order of the file, the paths that promise something, and the parameters."""

    name: str
    components: tuple[Component, ...]
    paths: tuple[PathPromise, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    help: str = ""

    def component(self, name: str) -> Component:
        """Raises KeyError when there is no such component."""
        for component in self.components:
            if component.name == name:
                return component
        raise KeyError(name)

    @property
    def channels(self) -> tuple[Channel, ...]:
        return tuple(
            Channel(producer=producer, consumer=component.name)
            for component in self.components
            for producer in component.trigger.inputs
        )

    def consumers(self, producer: str) -> tuple[str, ...]:
        """The components that take `producer`'s output, in the order of the file."""
        return tuple(component.name for component in self.components if producer in component.trigger.inputs)

    def in_data_order(self) -> tuple[Component, ...]:
        """Producers before consumers; the file's order where that leaves a choice. The channels have no cycle."""
        done: dict[str, Component] = {}
        waiting = list(self.components)
        while waiting:
            ready = [each for each in waiting if all(name in done for name in each.trigger.inputs)]
            assert ready, "an application that was read has no cycle and no unknown input"
            done |= {each.name: each for each in ready[:1]}
            waiting.remove(ready[0])
        return tuple(done.values())

    def private_layers(self) -> dict[str, frozenset[Layer]]:
        """For each component whose *output* is private: the layers it may be in. Privacy is inherited along the
        channels until a component that `releases`; several private inputs intersect."""
        result: dict[str, frozenset[Layer]] = {}
        for component in self.in_data_order():
            own = component.requirements.private
            inherited = [result[name] for name in component.trigger.inputs if name in result]
            if component.requirements.releases:
                inherited = []
            sets = inherited + ([frozenset(own)] if own is not None else [])
            if sets:
                result[component.name] = frozenset.intersection(*sets)
        return result
