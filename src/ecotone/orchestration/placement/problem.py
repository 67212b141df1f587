"""The placement problem as values: who may run where, with how many replicas, and why not elsewhere.

Compiled once from an application, a continuum and samples; read by the solver, the evaluator and `explain`. Nothing
here decides. Options are necessary conditions of single placements; what depends on several is the evaluator's.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import InputError
from ecotone.core.plan import Confidence
from ecotone.core.units import Dimension, format_quantity
from ecotone.orchestration.performance import (
    OVERHEADS,
    Flow,
    Overheads,
    PathTiming,
    TimingModel,
    fusable,
    sampled_model,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ecotone.core.application import Accelerator, Application, Component
    from ecotone.core.continuum import Continuum, Node, NodeType
    from ecotone.core.plan import Assignment
    from ecotone.orchestration.performance import ComponentTiming, Estimate
    from ecotone.orchestration.performance.interface import Interval
    from ecotone.orchestration.performance.samples import Samples

__all__ = [
    "UTILISATION_MAX",
    "Given",
    "Option",
    "Problem",
    "Refusal",
    "Way",
    "Work",
    "accelerators_fit",
    "compile_problem",
    "groups_of",
    "most_replicas",
    "node_refusals",
    "pressed_s",
    "work_of",
]

UTILISATION_MAX = 0.9
"""Busy share of a replica, of a node's cores and of a link that a plan may use: beyond it queues grow long."""
_REPLICAS_USUAL = 4


Way = tuple[str, int]
"""A variant, and with how many cores: how all replicas of a component do their work."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One variant of a component on one node with so many cores: admissible by itself. Figures are of one replica."""

    component: str
    variant: str
    node: str
    cores: int = 1
    held: int = 1
    """Cores of the node that it holds while it works."""
    service_s: float
    cpu_s: float
    held_s: float
    """Seconds of cores that one call takes from others."""
    energy_j: float
    memory_bytes: float
    replicas_min: int
    """The least replicas in all with which one here keeps up."""

    @property
    def way(self) -> Way:
        return self.variant, self.cores


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a component may not run on `node` ("": nowhere) with `variant` ("": any) and `cores` (0: any); `what` names
    the requirement."""

    component: str
    variant: str = ""
    node: str = ""
    cores: int = 0
    what: str
    reason: str


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a component must be able to do: calls per second when it is pressed, and how much longer than profiled
    each takes because more items come with it."""

    calls_per_s: float
    factor: float


class Problem:
    """See the module. `carries` False leaves queueing and capacity out: only idle times count then. `confidence` says
    what promises are held against; `judged_s` and `judged_j` are the only ones who ask."""

    def __init__(
        self,
        application: Application,
        continuum: Continuum,
        timing: TimingModel,
        *,
        fuse: bool,
        carries: bool,
        confidence: Confidence,
    ) -> None:
        self.application = application
        self.continuum = continuum
        self.timing = timing
        self.model = timing.model
        self.fuse = fuse
        self.carries = carries
        self.confidence: Confidence = confidence
        self.nodes: dict[str, Node] = {node.name: node for node in continuum.nodes}
        self.components = application.in_data_order()
        self.private_layers = application.private_layers()
        self.fusable = fusable(application) if fuse else frozenset[tuple[str, str]]()
        self.refusals: list[Refusal] = []
        self.equal_nodes: list[tuple[str, ...]] = _equal_nodes(continuum)
        variants = {component.name: self._variants(component) for component in self.components}
        self.quietest = {name: self._quietest(name, allowed) for name, allowed in variants.items()}
        self.flows_least: dict[str, Flow] = timing.flows(self.quietest)
        self.options: dict[str, tuple[Option, ...]] = {
            component.name: tuple(self._options(component, variants[component.name])) for component in self.components
        }
        self.replica_limits: dict[str, int] = {
            component.name: self._replica_limit(component) for component in self.components
        }

    @property
    def interval(self) -> Interval:
        """What must be known of the intervals of times to judge the promises."""
        promised = self.application.paths or any(each.requirements.latency for each in self.components)
        return "upper" if promised and self.confidence == "upper" else "none"

    def judged_s(self, found: PathTiming | ComponentTiming) -> float:
        """What is held against a promised latency."""
        if self.confidence == "upper":
            return found.high_s
        return found.predicted_s if isinstance(found, PathTiming) else found.at_promise_s

    def judged_j(self, energy: Estimate) -> float:
        """What is held against a promised energy of an item."""
        return energy.high if self.confidence == "upper" else energy.value

    def nodes_of(self, component: str) -> tuple[str, ...]:
        """Where some variant of it may run, in the order of the continuum."""
        allowed = {option.node for option in self.options[component]}
        return tuple(name for name in self.nodes if name in allowed)

    def _variants(self, component: Component) -> tuple[str, ...]:
        """Those that are accurate enough."""
        least = component.requirements.accuracy_min
        allowed: list[str] = []
        for variant in component.variants:
            outputs = self.model.outputs(component.name, variant.name)
            if least is None or (outputs.accuracy is not None and outputs.accuracy >= least):
                allowed.append(variant.name)
                continue
            known = f"is {outputs.accuracy:.3g}" if outputs.accuracy is not None else "is unknown"
            reason = f"accuracy of {variant.name} {known}, at least {least:.3g} is required"
            self._refuse(component.name, "accuracy", reason, variant=variant.name)
        return tuple(allowed)

    def _refuse(
        self, component: str, what: str, reason: str, *, variant: str = "", node: str = "", cores: int = 0
    ) -> None:
        refusal = Refusal(component=component, variant=variant, node=node, cores=cores, what=what, reason=reason)
        self.refusals.append(refusal)

    def _quietest(self, name: str, allowed: Iterable[str]) -> str:
        """The variant that emits least; any where none is allowed, since nothing will be placed."""
        candidates = list(allowed) or [variant.name for variant in self.application.component(name).variants]
        return min(candidates, key=lambda variant: self.model.outputs(name, variant).per_input)

    def _options(self, component: Component, variants: tuple[str, ...]) -> Iterator[Option]:
        for node in self.nodes.values():
            refused = list(node_refusals(self.application, self.private_layers, component, node))
            for what, reason in refused:
                self._refuse(component.name, what, reason, node=node.name)
            if refused:
                continue
            for cores in component.core_counts:
                if component.held(cores) > node.type.cores:
                    reason = f"it uses {_cores(component, cores)}, {node.name} has {node.type.cores}"
                    self._refuse(component.name, "cores", reason, node=node.name, cores=cores)
                    continue
                for variant in variants:
                    option = self._option(component, variant, node, cores)
                    if option is not None:
                        yield option

    def _option(self, component: Component, variant: str, node: Node, cores: int) -> Option | None:
        name = component.name
        of_several = len(component.core_counts) > 1
        said = f"{variant} with {_cores(component, cores)}" if of_several else variant
        memory = self.model.memory_bytes(component, variant, cores)
        if memory > node.type.memory_bytes:
            needs, has = _size(memory), _size(node.type.memory_bytes)
            reason = f"{said} needs {needs}, {node.name} has {has}"
            self._refuse(name, "memory", reason, variant=variant, node=node.name, cores=cores)
            return None
        energy = self.model.energy(name, variant, node.type, cores)
        energy_max = component.requirements.energy_max_j
        if energy_max is not None and self.judged_j(energy) > energy_max * (1 + 1e-9):
            allowed, takes = _energy(energy_max), _energy(energy.value)
            if energy.value <= energy_max:
                takes += f", perhaps {_energy(energy.high)},"
            reason = f"{said} takes {takes} an item on {node.name}, at most {allowed} is allowed"
            self._refuse(name, "energy", reason, variant=variant, node=node.name, cores=cores)
            return None
        work = work_of(self, component, variant, self.flows_least)
        service = self.model.service(name, variant, node.type, cores)
        needed = 1
        if self.carries:
            needed = max(1, math.ceil(work.calls_per_s * pressed_s(service) * work.factor / UTILISATION_MAX - 1e-9))
        limit = most_replicas(component)
        if limit is not None and needed > limit:
            reason = (
                f"{said} takes {_time(service.value)} a call on {node.name}: {needed} replicas would be needed for "
                f"{work.calls_per_s:.3g} calls/s, {limit} {'is' if limit == 1 else 'are'} allowed"
            )
            self._refuse(name, "throughput", reason, variant=variant, node=node.name, cores=cores)
            return None
        return Option(
            component=name,
            variant=variant,
            node=node.name,
            cores=cores,
            held=component.held(cores),
            service_s=service.value,
            cpu_s=self.model.cpu_s(name, variant, node.type, cores),
            held_s=self.model.held_s(name, variant, node.type, cores),
            energy_j=energy.value,
            memory_bytes=memory,
            replicas_min=needed,
        )

    def _replica_limit(self, component: Component) -> int:
        """As declared; else what the slowest option needs to keep up, and a few where more could shorten waiting."""
        options = self.options[component.name]
        room = {option.node: 0 for option in options}
        for option in options:
            room[option.node] = max(room[option.node], self.nodes[option.node].type.cores // option.held)
        most = most_replicas(component)
        if most is None:
            most = max([_REPLICAS_USUAL, *(min(16, option.replicas_min) for option in options)])
        return max(1, min(most, sum(room.values())))


def compile_problem(
    application: Application,
    continuum: Continuum,
    samples: Samples,
    *,
    fuse: bool = False,
    load: float = 1.0,
    carries: bool = True,
    confidence: Confidence = "upper",
    seed: int = 0,
    overheads: Overheads = OVERHEADS,
) -> Problem:
    """The problem that everything else in this package works on; `load` multiplies the rates of all sources.

    Raises:
        InputError: no nodes, no components, figures that no node can have, or samples that are missing or wrong.
    """
    if not continuum.nodes:
        raise InputError(f"the continuum {continuum.name} has no nodes; add a site with a node type")
    if not application.components:
        raise InputError(f"the application {application.name} has no components")
    for kind in {node.type.name: node.type for node in continuum.nodes}.values():
        _check_node(kind)
    for link in continuum.links:
        figures = (link.latency_s, link.bandwidth_bytes_per_s, link.price_eur_per_byte)
        if not all(math.isfinite(x) and x >= 0 for x in figures) or link.bandwidth_bytes_per_s == 0:
            raise InputError(f"link {link.name}: latency, bandwidth and price must be finite and not negative")
    model = sampled_model(application, samples, overheads)
    timing = TimingModel(application, continuum, model, load=load, seed=seed, overheads=overheads)
    return Problem(application, continuum, timing, fuse=fuse, carries=carries, confidence=confidence)


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """All that a problem is made from, to ask again with one thing changed."""

    application: Application
    continuum: Continuum
    samples: Samples
    fuse: bool = False
    confidence: Confidence = "upper"
    seed: int = 0
    overheads: Overheads = OVERHEADS

    def problem(self, application: Application | None = None, *, load: float = 1.0, carries: bool = True) -> Problem:
        """Raises InputError as `compile_problem` does."""
        return compile_problem(
            self.application if application is None else application,
            self.continuum,
            self.samples,
            fuse=self.fuse,
            load=load,
            carries=carries,
            confidence=self.confidence,
            seed=self.seed,
            overheads=self.overheads,
        )


def _check_node(kind: NodeType) -> None:
    power = kind.power
    figures = (kind.speed, kind.memory_bytes, kind.price_eur_per_h, power.idle_w, power.busy_w)
    if not all(math.isfinite(x) and x >= 0 for x in figures) or kind.speed == 0 or kind.cores < 1:
        raise InputError(
            f"node type {kind.name}: speed above 0, at least one core, memory, price and power finite and not negative"
        )
    steps = pairwise(power.points)
    if power.curve and not all(low < high and low_w <= high_w for (low, low_w), (high, high_w) in steps):
        raise InputError(f"node type {kind.name}: its power curve must grow, from idle at 0 to busy at 1")


def _equal_nodes(continuum: Continuum) -> list[tuple[str, ...]]:
    """Nodes that differ by name only."""
    groups: dict[tuple[str, str], list[str]] = {}
    for node in continuum.nodes:
        groups.setdefault((node.site, node.type.name), []).append(node.name)
    return [tuple(names) for names in groups.values()]


def pressed_s(service: Estimate) -> float:
    """Seconds of a call that capacity reckons with: such that a replica that is busy for `UTILISATION_MAX` of the time
    still keeps up if the call takes as long as the upper end of the estimate."""
    return max(service.value, UTILISATION_MAX * service.high)


def most_replicas(component: Component) -> int | None:
    """As declared, None without a declaration; one where copies would each do the same again, or share state."""
    once = component.state is not None or component.trigger.kind in {"every", "source"}
    return 1 if once else component.requirements.replicas_max


def work_of(problem: Problem, component: Component, variant: str, flows: dict[str, Flow]) -> Work:
    """The calls that a component must be able to make: its flow, or the throughput that it promises if that is more;
    full batches, since a backlog fills them."""
    flow = flows[component.name]
    profiled = problem.model.batch_items(component.name, variant)
    if component.trigger.kind == "every":
        factor = max(1.0, flow.items_per_call / profiled) if component.trigger.inputs else 1.0
        return Work(calls_per_s=flow.calls_per_s, factor=factor)
    items_per_s = max(flow.items_per_s, component.requirements.throughput_min_per_s or 0.0)
    if component.batching is None:
        return Work(calls_per_s=items_per_s, factor=1.0)
    items = component.batching.items_max
    return Work(calls_per_s=items_per_s / items, factor=max(1.0, items / profiled))


def node_refusals(
    application: Application, private_layers: Mapping[str, frozenset[str]], component: Component, node: Node
) -> Iterator[tuple[str, str]]:
    """What the component's rules have against a node: (requirement, sentence); nothing when it may run there."""
    needs = component.requirements
    if needs.layers and node.layer not in needs.layers:
        yield "layers", f"{node.name} is in layer {node.layer}, allowed: {', '.join(needs.layers)}"
    if needs.regions and not any(_in_region(node.region, pattern) for pattern in needs.regions):
        yield "regions", f"{node.name} is in region {node.region or '(none)'}, allowed: {', '.join(needs.regions)}"
    for key, value in needs.labels.items():
        if node.type.labels.get(key) != value:
            yield "labels", f"{node.name} has no label {key}: {value}"
    if needs.confidential and not node.attested:
        yield "confidential", f"site {node.site} of {node.name} is not attested"
    for name in (component.name, *component.trigger.inputs):
        allowed = private_layers.get(name)
        if allowed is not None and node.layer not in allowed:
            what = "output" if name == component.name else f"input from {name}"
            yield "private", f"its {what} is private to {', '.join(sorted(allowed))}, {node.name} is in {node.layer}"
    lacking = accelerators_fit(needs.accelerators, node)
    if lacking:
        yield "accelerators", f"{node.name} has not enough accelerators: {lacking}"


def _in_region(region: str, pattern: str) -> bool:
    return region.startswith(pattern[:-1]) if pattern.endswith("*") else region == pattern


def accelerators_fit(wanted: Iterable[Accelerator], node: Node) -> str:
    """What does not fit on an otherwise empty node, "" when all does.

    A device serves every demand up to its memory, so it is enough to count, for each size of demand, those at least
    as large against the devices at least as large.
    """
    demands = list(wanted)
    for demand in demands:
        asked = sum(d.count for d in demands if d.kind == demand.kind and d.memory_bytes >= demand.memory_bytes)
        there = sum(
            d.count for d in node.type.devices if d.kind == demand.kind and d.memory_bytes >= demand.memory_bytes
        )
        if asked > there:
            size = f" with {_size(demand.memory_bytes)}" if demand.memory_bytes else ""
            return f"{asked} {demand.kind}{size} asked, {there} there"
    return ""


def groups_of(
    problem: Problem, assignments: Iterable[Assignment], busy: Mapping[str, float]
) -> tuple[tuple[str, ...], ...]:
    """Chains of components that share a host under these assignments: as long as their `busy` shares allow one host to
    do all of it; none without `fuse`."""
    alone: dict[str, str | None] = {}
    for row in assignments:
        alone[row.component] = row.node if row.replicas == 1 and row.component not in alone else None
    behind = {
        producer: consumer
        for producer, consumer in problem.fusable
        if alone.get(producer) is not None and alone.get(producer) == alone.get(consumer)
    }
    first = {component.name for component in problem.components} - set(behind.values())
    groups: list[list[str]] = []
    for component in problem.components:
        if component.name not in first:
            continue
        groups.append([component.name])
        while groups[-1][-1] in behind:
            following = behind[groups[-1][-1]]
            if sum(busy[name] for name in (*groups[-1], following)) <= UTILISATION_MAX:
                groups[-1].append(following)
            else:
                groups.append([following])
    return tuple(tuple(group) for group in groups if len(group) > 1)


def _cores(component: Component, cores: int) -> str:
    """In words: a cell's cores are those of all its ranks."""
    held = component.held(cores)
    text = f"{held} core{'s' if held > 1 else ''} at once"
    return text if held == cores else f"{text} ({held // cores} ranks with {cores} each)"


def _size(value: float) -> str:
    return format_quantity(value, Dimension.SIZE)


def _time(value: float) -> str:
    return format_quantity(value, Dimension.DURATION)


def _energy(value: float) -> str:
    return format_quantity(value, Dimension.ENERGY)
