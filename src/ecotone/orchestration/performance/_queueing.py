"""Times of whole assignments: an application and a continuum compiled once, then simulated for each assignment.

`TimingModel` serves placement, which asks about many assignments of one problem; `predict_paths` is the same for one.
Services are independent of each other here, from item to item and from component to component.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy

from ecotone.orchestration.performance._rates import propagate
from ecotone.orchestration.performance._routes import ancestors, only_route
from ecotone.orchestration.performance._scaling import sampled_model
from ecotone.orchestration.performance._simulation import Result, Server, Simulation, Source, Stage, Step
from ecotone.orchestration.performance.interface import (
    OVERHEADS,
    Z90,
    ComponentTiming,
    Floats,
    Flow,
    Interval,
    Overheads,
    PathTiming,
    PerformanceModel,
    StageTiming,
    Timing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ecotone.core.application import Application, Component, PathPromise
    from ecotone.core.continuum import Continuum, Node
    from ecotone.core.plan import Assignment
    from ecotone.orchestration.performance.samples import Samples

__all__ = ["TABLE_ITEMS", "TimingModel", "predict_paths"]

TABLE_ITEMS = 1024
"""Service times drawn for each variant; item `i` gets entry `i % TABLE_ITEMS`."""
_SERVICES = 2600
_SERVICES_MAX = 12000
_PATH_ITEMS_MIN = 150
_WARM_SHARE = 0.1
_SAMPLING_DRAWS = 80
_HOP_ERROR = 0.3


def predict_paths(
    assignments: Sequence[Assignment],
    application: Application,
    continuum: Continuum,
    samples: Samples,
    *,
    groups: Sequence[tuple[str, ...]] = (),
    seed: int = 0,
    overheads: Overheads = OVERHEADS,
) -> Timing:
    """Response times of every component and every promised path, with 90 % intervals.

    Raises:
        InputError: variants without samples, sources without a rate.
    """
    model = sampled_model(application, samples, overheads)
    timing = TimingModel(application, continuum, model, seed=seed, overheads=overheads)
    return timing.predict(assignments, groups=groups, interval="whole")


class TimingModel:
    """One application on one continuum; `load` multiplies the rates of all sources."""

    def __init__(
        self,
        application: Application,
        continuum: Continuum,
        model: PerformanceModel,
        *,
        load: float = 1.0,
        seed: int = 0,
        overheads: Overheads = OVERHEADS,
    ) -> None:
        self.application = application
        self.model = model
        self.overheads = overheads
        self.nodes: dict[str, Node] = {node.name: node for node in continuum.nodes}
        self.routes = [only_route(application, path.components) or path.components for path in application.paths]
        self._continuum = continuum
        self._load = load
        self._seed = seed
        self._order = {component.name: at for at, component in enumerate(application.components)}
        self._times: dict[tuple[str, str, int], tuple[Floats, Floats]] = {}
        self._sizes: dict[tuple[str, str], Floats] = {}
        self._steps: dict[tuple[str, str, int, float, float, float], tuple[list[float], list[float]]] = {}
        self._site_routes: dict[tuple[str, str], tuple[tuple[int, float, float], ...]] = {}

    def flows(self, variants: Mapping[str, str]) -> dict[str, Flow]:
        """What every component has to do when these variants are chosen."""

        def profiled(component: Component) -> tuple[float, float]:
            variant = variants[component.name]
            per_input = self.model.outputs(component.name, variant).per_input
            return per_input, self.model.batch_items(component.name, variant)

        return propagate(self.application, profiled, load=self._load)

    @cached_property
    def most(self) -> dict[str, Flow]:
        """The flows when every component runs the variant that emits most: how long to simulate does not depend on
        what is decided."""
        return self.flows({component.name: self._loudest(component) for component in self.application.components})

    def _loudest(self, component: Component) -> str:
        per_input = {each.name: self.model.outputs(component.name, each.name).per_input for each in component.variants}
        return max(per_input, key=lambda name: per_input[name])

    @cached_property
    def horizon_s(self) -> float:
        """Simulated time: enough items for each promised path, within a budget of handled items."""
        calls = sum(max(flow.calls_per_s, flow.items_per_s) for flow in self.most.values())
        wanted = _SERVICES / calls
        for path in self.application.paths:
            wanted = max(wanted, _PATH_ITEMS_MIN / self._rate_of(self.numbered_by(path.components[-1], arriving=True)))
        return min(wanted, _SERVICES_MAX / calls)

    def numbered_by(self, component: str, *, arriving: bool = False) -> str:
        """The slowest component whose count numbers the items of `component` (or those that reach it)."""
        trigger = self.application.component(component).trigger
        if not trigger.inputs or (trigger.kind == "every" and not arriving):
            return component
        return min((self.numbered_by(name) for name in trigger.inputs), key=self._rate_of)

    def _rate_of(self, component: str) -> float:
        return self.most[component].calls_per_s

    def counted(self, component: str, *, arriving: bool = False) -> tuple[int, int]:
        """The numbers of the items that count at `component`: from the first, to but not including the last."""
        base = self.numbered_by(component, arriving=arriving)
        last = max(1, math.ceil(self.horizon_s * self._rate_of(base)))
        return int(last * _WARM_SHARE), last

    def times(self, component: str, variant: str, cores: int) -> tuple[Floats, Floats]:
        """Computing and waiting seconds of a call at speed 1, by item number."""
        found = self._times.get((component, variant, cores))
        if found is None:
            samples = self.model.samples(component, variant, cores)
            at = self._strata(component, "service", len(samples.computing_s))
            factor = 1.0
            if self.application.component(component).trigger.kind == "every":
                factor = max(1.0, self.most[component].items_per_call / samples.batch_items)
            found = samples.computing_s[at] * factor, samples.wait_s[at] * factor
            self._times[component, variant, cores] = found
        return found

    def sizes(self, component: str, variant: str) -> Floats:
        """Bytes of an output, by item number."""
        found = self._sizes.get((component, variant))
        if found is None:
            # However many cores: the same for all.
            output_bytes = self.model.samples(component, variant, self._least_cores(component)).output_bytes
            found = output_bytes[self._strata(component, "size", len(output_bytes))]
            self._sizes[component, variant] = found
        return found

    def _least_cores(self, component: str) -> int:
        return self.application.component(component).cores[0]

    def hops(self, component: str) -> Floats:
        """Seconds that the platform takes to bring an item to `component`, by item number."""
        spread = math.log(self.overheads.hop_p95_s / self.overheads.hop_p50_s) / Z90
        ranks = self._strata(component, "hop", TABLE_ITEMS).astype(numpy.float64)
        normal = _normal_quantiles((ranks + 0.5) / TABLE_ITEMS)
        return self.overheads.hop_p50_s * numpy.exp(spread * normal)

    def _strata(self, component: str, purpose: str, count: int) -> numpy.ndarray:
        """For each item number an index below `count`: all equally often, in a random order of the seed's."""
        seed = zlib.crc32(f"{self._seed}/{component}/{purpose}".encode())
        ranks = numpy.random.default_rng(seed).permutation(TABLE_ITEMS)
        return ((ranks + 0.5) / TABLE_ITEMS * count).astype(numpy.int64)

    def step(self, component: str, variant: str, node: Node, cores: int, z: float) -> tuple[list[float], list[float]]:
        """Computing and waiting seconds with so many cores of `node`, by item number, `z` standard errors above the
        estimate."""
        slower = self.model.slowdown(component, variant, node.type, cores)
        error = self.model.service_error(component, variant, node.type, cores)
        key = component, variant, cores, slower, error, z
        found = self._steps.get(key)
        if found is None:
            computing, wait = self.times(component, variant, cores)
            factor = math.exp(z * error)
            computing, wait = computing * slower * factor, wait * factor
            if self._continuum.emulated:  # a host holds its emulated core from the beginning to the end
                computing, wait = computing + wait, wait * 0.0
            found = self._steps[key] = (computing.tolist(), wait.tolist())
        return found

    def route(self, source: str, target: str) -> tuple[tuple[int, float, float], ...]:
        """Between sites: (direction of a link, latency, seconds per byte). Raises KeyError when there is no way."""
        found = self._site_routes.get((source, target))
        if found is None:
            links = self._continuum.route(source, target)
            if links is None:
                raise KeyError((source, target))
            hops: list[tuple[int, float, float]] = []
            here = source
            for link in links:
                forward = link.between[0] == here
                direction = 2 * self._continuum.links.index(link) + (0 if forward else 1)
                hops.append((direction, link.latency_s, 1.0 / link.bandwidth_bytes_per_s))
                here = link.between[1] if forward else link.between[0]
            found = self._site_routes[source, target] = tuple(hops)
        return found

    def predict(
        self,
        assignments: Sequence[Assignment],
        *,
        groups: Sequence[tuple[str, ...]] = (),
        interval: Interval = "none",
        contended: bool = True,
    ) -> Timing:
        """Simulate one assignment. Every component has one, on nodes that its channels can reach. Not `contended`,
        nothing waits for anything else."""
        rows = sorted(assignments, key=lambda row: (self._order[row.component], list(self.nodes).index(row.node)))
        placed: dict[str, list[Assignment]] = defaultdict(list)
        for row in rows:
            placed[row.component].append(row)
        sources = self._sources()

        def simulated(z: float) -> Result:
            return _Compiler(self, placed, groups, z).simulation(contended=contended).run(sources, self.horizon_s)

        longest = simulated(Z90) if interval != "none" else None
        shortest = simulated(-Z90) if interval == "whole" else None
        reading = _Reading(self, placed, simulated(0.0), shortest, longest)
        return Timing(
            components=tuple(reading.component(component) for component in self.application.components),
            paths=tuple(reading.path(at, path) for at, path in enumerate(self.application.paths)),
        )

    def _sources(self) -> list[Source]:
        sources: list[Source] = []
        for at, component in enumerate(self.application.components):
            if component.trigger.inputs:
                continue
            period_s = 1.0 / self.most[component.name].calls_per_s
            count = max(1, math.ceil(self.horizon_s / period_s))
            if component.trigger.kind == "request":
                seed = zlib.crc32(f"{self._seed}/{component.name}/arrivals".encode())
                times = numpy.random.default_rng(seed).exponential(period_s, count).cumsum()
            else:
                phase = at * 0.618034 % 1.0
                times = (numpy.arange(count) + phase) * period_s
            sources.append(Source(stage=at, times_s=times.tolist()))
        return sources

    def roots(self, component: str) -> frozenset[str]:
        """The sources whose items reach `component`."""
        every = ancestors(self.application, component) | {component}
        return frozenset(name for name in every if not self.application.component(name).trigger.inputs)


class _Compiler:
    """Turns an assignment into stages and servers with numbers instead of names."""

    def __init__(
        self, timing: TimingModel, placed: Mapping[str, list[Assignment]], groups: Sequence[tuple[str, ...]], z: float
    ) -> None:
        self._timing = timing
        self._z = z
        self._placed = placed
        self._components = timing.application.components
        self._index = {component.name: at for at, component in enumerate(self._components)}
        self._nodes = list(dict.fromkeys(row.node for rows in placed.values() for row in rows))
        self._group_of = {group[0]: group for group in groups}
        self._behind = {name for group in groups for name in group[1:]}

    def simulation(self, *, contended: bool) -> Simulation:
        timing = self._timing
        stages = [self._stage(component) for component in self._components]
        servers: list[Server] = []
        for component, stage in zip(self._components, stages, strict=True):
            if component.name not in self._behind:
                self._serve(component, stage, servers)
        sites = [timing.nodes[name] for name in self._nodes]
        routes = [
            [() if one is other else self._route(one.site, other.site) for other in sites]
            for one in sites
        ]  # fmt: skip
        paths = [
            (len(path.components), timing.counted(path.components[-1], arriving=True)[0])
            for path in timing.application.paths
        ]
        cores = [node.type.cores for node in sites]
        return Simulation(
            stages=stages,
            servers=servers,
            cores=cores,
            routes=routes,
            paths=paths,
            turnaround_s=timing.overheads.turnaround_s,
            hop_s_per_byte=timing.overheads.hop_s_per_byte,
            contended=contended,
        )

    def _route(self, source: str, target: str) -> tuple[tuple[int, float, float], ...]:
        try:
            return self._timing.route(source, target)
        except KeyError:
            return ()  # no channel goes this way: `evaluate` refuses such assignments first

    def _stage(self, component: Component) -> Stage:
        timing = self._timing
        name, trigger = component.name, component.trigger
        variant = self._placed[name][0].variant
        per_input = timing.model.outputs(name, variant).per_input
        profiled_items = timing.model.batch_items(name, variant)
        promised = list(enumerate(timing.application.paths))
        is_periodic = trigger.kind == "every" and bool(trigger.inputs)
        if is_periodic:
            per_input *= profiled_items
        return Stage(
            index=self._index[name],
            consumers=tuple(self._index[each] for each in timing.application.consumers(name)),
            outputs_per_input=1.0 if trigger.kind == "source" else per_input,
            joined_inputs=len(trigger.inputs) if trigger.join_key is not None else 0,
            period_s=1.0 / timing.most[name].calls_per_s if is_periodic else 0.0,
            batch_max=component.batching.items_max if component.batching else 0,
            batch_wait_s=component.batching.wait_max_s if component.batching else 0.0,
            batch_profiled=profiled_items,
            roles={at: path.components.index(name) for at, path in promised if name in path.components},
            begins=tuple(at for at, path in promised if path.components[0] == name),
            size_bytes=timing.sizes(name, variant).tolist(),
            hop_s=timing.hops(name).tolist(),
            warm=timing.counted(name, arriving=True)[0],
        )

    def _serve(self, component: Component, stage: Stage, servers: list[Server]) -> None:
        deal: list[int] = []
        for row in self._placed[component.name]:
            node = self._timing.nodes[row.node]
            steps: list[Step] = []
            for name in self._group_of.get(component.name, (component.name,)):
                first = self._placed[name][0]
                computing, wait = self._timing.step(name, first.variant, node, first.cores, self._z)
                steps.append(Step(stage=self._index[name], computing_s=computing, wait_s=wait))
            deal += [len(servers)] * row.replicas
            servers.append(
                Server(
                    node=self._nodes.index(row.node),
                    steps=tuple(steps),
                    idle=row.replicas,
                    # More than the node has is refused elsewhere; a simulation must end all the same.
                    cores=min(node.type.cores, self._timing.model.held(component.name, row.cores)),
                )
            )
        stage.deal = tuple(deal)


class _Reading:
    """Turns what simulations recorded into predictions; `shortest` and `longest` were run with all services as short,
    and as long, as they may be."""

    def __init__(
        self,
        timing: TimingModel,
        placed: Mapping[str, list[Assignment]],
        result: Result,
        shortest: Result | None,
        longest: Result | None,
    ) -> None:
        self._timing = timing
        self._placed = placed
        self._result = result
        self._shortest, self._longest = shortest, longest
        self._index = {component.name: at for at, component in enumerate(timing.application.components)}

    def component(self, component: Component) -> ComponentTiming:
        name = component.name
        at = self._index[name]
        responses = numpy.asarray(self._result.responses[at] or [self._service_mean(name)])
        percentile = component.requirements.latency.percentile if component.requirements.latency else 95.0
        p50, p95, promised = (float(x) for x in numpy.quantile(responses, [0.5, 0.95, percentile / 100]))
        low = high = promised
        if self._longest is not None:
            other = 0.0
            if component.requirements.latency is not None:
                other = Z90 * _sampling_error(at, responses, percentile)
            low, high = self._ends(lambda result: result.responses[at], percentile, promised, other)
        return ComponentTiming(
            component=name,
            service_mean_s=self._service_mean(name),
            waiting_mean_s=self._result.waited_s[at] / len(responses),
            p50_s=p50,
            p95_s=p95,
            at_promise_s=promised,
            low_s=low,
            high_s=high,
        )

    def path(self, at: int, path: PathPromise) -> PathTiming:
        percentile = path.latency.percentile
        route = self._timing.routes[at]
        # Nothing came through within the horizon: the idle time is all that can be said.
        values = numpy.asarray(self._result.path_s[at] or [sum(self._service_mean(name) for name in route)])
        p50, predicted = (float(x) for x in numpy.quantile(values, [0.5, percentile / 100]))
        low = high = predicted
        if self._longest is not None:
            other = Z90 * math.hypot(self._hop_error_s(route), _sampling_error(at, values, percentile))
            low, high = self._ends(lambda result: result.path_s[at], percentile, predicted, other)
        return PathTiming(
            components=path.components,
            route=route,
            percentile=percentile,
            predicted_s=predicted,
            low_s=low,
            high_s=high,
            mean_s=float(values.mean()),
            p50_s=p50,
            stages=tuple(self._stage(name, before) for before, name in zip((None, *route), route, strict=False)),
        )

    def _ends(
        self, times: Callable[[Result], list[float]], percentile: float, predicted: float, other_s: float
    ) -> tuple[float, float]:
        """Of an interval: what wrong services do, and independently of it other errors, which are `other_s` long."""

        def reach(result: Result | None, sign: float) -> float:
            found = _quantile(times(result), percentile, predicted) if result is not None else predicted
            return max(0.0, sign * (found - predicted))

        low = predicted
        if self._shortest is not None:
            low = max(0.0, predicted - math.hypot(reach(self._shortest, -1.0), other_s))
        return low, predicted + math.hypot(reach(self._longest, 1.0), other_s)

    def _stage(self, name: str, before: str | None) -> StageTiming:
        at = self._index[name]
        timing = self._timing
        is_first = before is None
        hop_s = 0.0
        if before is not None and self._result.arrived[at]:  # not fused behind it
            sizes = timing.sizes(before, self._placed[before][0].variant)
            hop_s = float(timing.hops(name).mean() + sizes.mean() * timing.overheads.hop_s_per_byte)
        return StageTiming(
            component=name,
            link_s=0.0 if is_first else self._result.link_s[at] / max(1, self._result.arrived[at]),
            hop_s=hop_s,
            waiting_s=0.0 if is_first else self._result.waited_s[at] / max(1, len(self._result.responses[at])),
            service_s=self._service_mean(name),
        )

    def _service_mean(self, name: str) -> float:
        total = replicas = 0.0
        for row in self._placed[name]:
            computing, wait = self._timing.times(name, row.variant, row.cores)
            node = self._timing.nodes[row.node]
            slower = self._timing.model.slowdown(name, row.variant, node.type, row.cores)
            total += row.replicas * float(computing.mean() * slower + wait.mean())
            replicas += row.replicas
        return total / replicas

    def _hop_error_s(self, route: tuple[str, ...]) -> float:
        return _HOP_ERROR * self._timing.overheads.hop_p50_s * (len(route) - 1)


def _quantile(values: list[float], percentile: float, otherwise: float) -> float:
    return float(numpy.quantile(values, percentile / 100)) if values else otherwise


def _sampling_error(at: int, values: Floats, percentile: float) -> float:
    """Standard error of the percentile of a path's times, since other items are met next time."""
    random = numpy.random.default_rng(zlib.crc32(f"interval/{at}".encode()))
    met = random.integers(0, len(values), (_SAMPLING_DRAWS, len(values)))
    return float(numpy.quantile(values[met], percentile / 100, axis=1).std())


def _normal_quantiles(shares: Floats) -> Floats:
    """The inverse of the normal distribution, by interpolation in its distribution function."""
    grid = numpy.linspace(-4.0, 4.0, 801)
    below = numpy.asarray([0.5 * (1.0 + math.erf(x / math.sqrt(2.0))) for x in grid])
    return numpy.interp(shares, below, grid)
