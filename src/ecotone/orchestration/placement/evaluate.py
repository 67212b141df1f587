"""The independent judge: takes any assignment, computes what it costs and does, and names every promise it breaks.

The solver's answers are always checked here, and here only are percentiles computed. It shares with the solver the
rules for single placements (`problem.node_refusals`) and nothing else.
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import product
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.plan import Assignment, ComponentPrediction, LatencyPrediction, PathPrediction
from ecotone.core.units import Dimension, format_quantity
from ecotone.orchestration.performance import Estimate, Flow, Timing
from ecotone.orchestration.placement.problem import (
    UTILISATION_MAX,
    Problem,
    accelerators_fit,
    groups_of,
    most_replicas,
    node_refusals,
    pressed_s,
    work_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ecotone.core.application import Accelerator, Component
    from ecotone.core.continuum import Node
    from ecotone.orchestration.performance import ComponentTiming

__all__ = ["Evaluation", "Evaluator", "LinkUse", "NodeUse", "Violation"]

_SLACK = 1e-9
"""Relative: sums of floats that are equal on paper."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One broken promise or rule: whose (`subject`), which (`what`), in base units where it is a number, in words."""

    subject: str
    what: str
    message: str
    limit: float | None = None
    value: float | None = None


class NodeUse(msgspec.Struct, frozen=True, kw_only=True):
    """A node that hosts something; `utilisation` is the share of its cores that are held by someone who computes."""

    node: str
    components: tuple[str, ...]
    utilisation: float
    memory_bytes: float
    price_eur_per_h: float
    power_w: float


class LinkUse(msgspec.Struct, frozen=True, kw_only=True):
    """One direction of a link, from site to site, that carries something."""

    link: str
    source: str
    target: str
    bytes_per_s: float
    utilisation: float
    price_eur_per_h: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of an assignment. With broken structure (unknown names, unreachable nodes) there are no
    times; `timing` is then None and `components` and `paths` are empty."""

    assignments: tuple[Assignment, ...]
    groups: tuple[tuple[str, ...], ...] = ()
    violations: tuple[Violation, ...] = ()
    cost_eur_per_h: float = 0.0
    power_w: float = 0.0
    nodes: tuple[NodeUse, ...] = ()
    links: tuple[LinkUse, ...] = ()
    components: tuple[ComponentPrediction, ...] = ()
    paths: tuple[PathPrediction, ...] = ()
    timing: Timing | None = None

    @property
    def feasible(self) -> bool:
        return not self.violations


class Evaluator:
    """Judges assignments of one problem, and remembers its judgements."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._known: dict[tuple[tuple[Assignment, ...], bool], Evaluation] = {}

    def statics(self, assignments: Sequence[Assignment]) -> Evaluation:
        """The judgement of everything but times, in well under a millisecond."""
        broken = tuple(_structure(self._problem, assignments))
        if broken:
            return Evaluation(assignments=tuple(assignments), violations=broken)
        return _Judgement(self._problem, tuple(assignments), ()).statics()

    def evaluate(self, assignments: Sequence[Assignment], *, intervals: bool = False) -> Evaluation:
        """The judgement; with `intervals`, predictions carry both ends of their intervals, else only what promises are
        held against. Fused where the problem allows, unless that breaks a promise that separate hosts keep."""
        rows = tuple(
            sorted(assignments, key=lambda row: (row.component, row.node, row.variant, row.replicas, row.cores))
        )
        key = rows, intervals
        if key not in self._known:
            self._known[key] = self._judge(rows, intervals)
        return self._known[key]

    def link_costs(self, assignments: Sequence[Assignment]) -> dict[str, float]:
        """What each producer's output costs on links, in EUR/h, for an assignment of sound structure."""
        return _Judgement(self._problem, tuple(assignments), ()).link_prices()

    def _judge(self, rows: tuple[Assignment, ...], intervals: bool) -> Evaluation:
        broken = list(_structure(self._problem, rows))
        if broken:
            return Evaluation(assignments=rows, violations=tuple(broken))
        apart = _Judgement(self._problem, rows, ())
        groups = groups_of(self._problem, rows, apart.pressed)
        if groups:
            fused = _Judgement(self._problem, rows, groups).evaluation(intervals)
            if fused.feasible:
                return fused
        return apart.evaluation(intervals)


def _structure(problem: Problem, rows: Sequence[Assignment]) -> Iterator[Violation]:
    """What makes an assignment meaningless: names, missing or doubled rows, nodes out of reach of each other."""
    known = {component.name: component for component in problem.components}
    for row in rows:
        component = known.get(row.component)
        if component is None:
            yield Violation(subject=row.component, what="component", message=f"there is no component {row.component}")
        elif row.variant not in {variant.name for variant in component.variants}:
            yield _violation(component, "variant", f"there is no variant {row.variant}")
        if row.node not in problem.nodes:
            yield Violation(subject=row.component, what="node", message=f"there is no node {row.node}")
        elif row.replicas < 1:
            yield Violation(subject=row.component, what="replicas", message=f"{row.replicas} replicas on {row.node}")
        elif row.cores < 1:
            yield Violation(subject=row.component, what="cores", message=f"{row.cores} cores on {row.node}")
    for component in problem.components:
        mine = [row for row in rows if row.component == component.name]
        if not mine:
            yield _violation(component, "component", "it is not placed")
        if len({row.variant for row in mine}) > 1:
            yield _violation(component, "variant", "all replicas run the same variant")
        if len({row.cores for row in mine}) > 1:
            yield _violation(component, "cores", "all replicas use the same number of cores")
        if len({row.node for row in mine}) < len(mine):
            yield _violation(component, "node", "two rows for one node")
        yield from _unreachable(problem, component, mine, rows)


def _unreachable(
    problem: Problem, component: Component, mine: Sequence[Assignment], rows: Sequence[Assignment]
) -> Iterator[Violation]:
    sources = [row for row in rows if row.component in component.trigger.inputs and row.node in problem.nodes]
    for source, target in product(sources, [row for row in mine if row.node in problem.nodes]):
        if problem.continuum.route(problem.nodes[source.node].site, problem.nodes[target.node].site) is None:
            text = f"no link leads from {source.node}, where {source.component} is, to {target.node}"
            yield _violation(component, "reachable", text)


def _violation(
    component: Component, what: str, message: str, limit: float | None = None, value: float | None = None
) -> Violation:
    message = f"{component.name}: {message}"
    return Violation(subject=component.name, what=what, message=message, limit=limit, value=value)


class _Judgement:
    """One evaluation in the making, for an assignment of sound structure."""

    def __init__(self, problem: Problem, rows: tuple[Assignment, ...], groups: tuple[tuple[str, ...], ...]) -> None:
        self.problem = problem
        self.rows = rows
        self.groups = groups
        self.placed: dict[str, list[Assignment]] = defaultdict(list)
        for row in rows:
            self.placed[row.component].append(row)
        self.variants = {name: placed[0].variant for name, placed in self.placed.items()}
        self.cores = {name: placed[0].cores for name, placed in self.placed.items()}
        self.replicas = {name: sum(row.replicas for row in placed) for name, placed in self.placed.items()}
        self.flows: dict[str, Flow] = problem.timing.flows(self.variants)
        self.core_load: dict[tuple[str, str], float] = {}
        self.cpu_load: dict[tuple[str, str], float] = {}
        self.busy: dict[str, float] = {}
        self.pressed: dict[str, float] = {}
        self._load()

    def _load(self) -> None:
        """Cores that each component keeps busy on each node, and the busy share of its busiest replica: as predicted,
        and as capacity reckons."""
        for component in self.problem.components:
            name, variant = component.name, self.variants[component.name]
            work = work_of(self.problem, component, variant, self.flows)
            calls_per_s = work.calls_per_s * work.factor / self.replicas[name]
            services: list[Estimate] = []
            for row in self.placed[name]:
                kind = self.problem.nodes[row.node].type
                model = self.problem.model
                calls_here_per_s = calls_per_s * row.replicas
                self.core_load[name, row.node] = calls_here_per_s * model.held_s(name, variant, kind, row.cores)
                self.cpu_load[name, row.node] = calls_here_per_s * model.cpu_s(name, variant, kind, row.cores)
                services.append(model.service(name, variant, kind, row.cores))
            self.busy[name] = calls_per_s * max(service.value for service in services)
            self.pressed[name] = calls_per_s * max(pressed_s(service) for service in services)
        for group in self.groups:
            self.busy |= dict.fromkeys(group, sum(self.busy[name] for name in group))
            self.pressed |= dict.fromkeys(group, sum(self.pressed[name] for name in group))

    def statics(self) -> Evaluation:
        """Everything but times."""
        nodes = self._nodes()
        links, _ = self._links()
        violations = [*self._rules(), *self._capacity(), *self._node_limits(), *self._link_limits(links)]
        return Evaluation(
            assignments=self.rows,
            groups=self.groups,
            violations=tuple(violations),
            cost_eur_per_h=math.fsum([*(n.price_eur_per_h for n in nodes), *(link.price_eur_per_h for link in links)]),
            power_w=sum(node.power_w for node in nodes),
            nodes=nodes,
            links=links,
        )

    def evaluation(self, intervals: bool) -> Evaluation:
        problem, statics = self.problem, self.statics()
        interval = "whole" if intervals else problem.interval
        timing = problem.timing.predict(self.rows, groups=self.groups, interval=interval, contended=problem.carries)
        link_prices = self.link_prices()
        paths = tuple(
            PathPrediction(
                components=path.components,
                percentile=path.latency.percentile,
                promised_s=path.latency.latency_max_s,
                predicted_s=found.predicted_s,
                low_s=found.low_s,
                high_s=found.high_s,
            )
            for path, found in zip(problem.application.paths, timing.paths, strict=True)
        )
        return msgspec.structs.replace(
            statics,
            violations=(*statics.violations, *self._late(timing)),
            components=tuple(self._prediction(c, timing, statics.nodes, link_prices) for c in problem.components),
            paths=paths,
            timing=timing,
        )

    def link_prices(self) -> dict[str, float]:
        """EUR/h, by producer."""
        return self._links()[1]

    def _nodes(self) -> tuple[NodeUse, ...]:
        uses: list[NodeUse] = []
        for name, node in self.problem.nodes.items():
            here = [row for row in self.rows if row.node == name]
            if not here:
                continue
            cores = node.type.cores
            utilisation = sum(self.core_load[row.component, name] for row in here) / cores
            uses.append(
                NodeUse(
                    node=name,
                    components=tuple(row.component for row in here),
                    utilisation=utilisation,
                    memory_bytes=sum(row.replicas * self._memory(row) for row in here),
                    price_eur_per_h=node.type.price_eur_per_h,
                    power_w=node.type.power.at_w(sum(self.cpu_load[row.component, name] for row in here) / cores),
                )
            )
        return tuple(uses)

    def _memory(self, row: Assignment) -> float:
        component = self.problem.application.component(row.component)
        return self.problem.model.memory_bytes(component, row.variant, row.cores)

    def _links(self) -> tuple[tuple[LinkUse, ...], dict[str, float]]:
        """What every direction of every link carries, and what each producer's output costs on the way.

        An object goes once to each node where some consumer takes it; replicas take equal shares, independently.
        """
        problem = self.problem
        carried: dict[tuple[int, bool], float] = defaultdict(float)
        prices: dict[str, float] = defaultdict(float)
        for producer, rows in self.placed.items():
            size = problem.model.outputs(producer, self.variants[producer]).mean_bytes
            bytes_per_s = self.flows[producer].outputs_per_s * size
            missed: dict[str, float] = {}
            for consumer in problem.application.consumers(producer):
                for row in self.placed[consumer]:
                    share = row.replicas / self.replicas[consumer]
                    missed[row.node] = missed.get(row.node, 1.0) * (1.0 - share)
            for row in rows:
                sent = bytes_per_s * row.replicas / self.replicas[producer]
                for receiver, share_missed in missed.items():
                    if receiver == row.node:
                        continue
                    here = problem.nodes[row.node].site
                    for link in problem.continuum.route(here, problem.nodes[receiver].site) or ():
                        forward = link.between[0] == here
                        here = link.between[1] if forward else link.between[0]
                        amount = sent * (1.0 - share_missed)
                        carried[problem.continuum.links.index(link), forward] += amount
                        prices[producer] += amount * 3600.0 * link.price_eur_per_byte
        uses: list[LinkUse] = []
        for (at, forward), amount in sorted(carried.items()):
            link = problem.continuum.links[at]
            source, target = link.between if forward else link.between[::-1]
            uses.append(
                LinkUse(
                    link=link.name,
                    source=source,
                    target=target,
                    bytes_per_s=amount,
                    utilisation=amount / link.bandwidth_bytes_per_s,
                    price_eur_per_h=amount * 3600.0 * link.price_eur_per_byte,
                )
            )
        return tuple(uses), prices

    def _rules(self) -> Iterator[Violation]:
        problem = self.problem
        for component in problem.components:
            needs = component.requirements
            for row in self.placed[component.name]:
                node = problem.nodes[row.node]
                for what, reason in node_refusals(problem.application, problem.private_layers, component, node):
                    yield _violation(component, what, reason)
                energy = problem.model.energy(component.name, row.variant, node.type, row.cores)
                judged_j = problem.judged_j(energy)
                if needs.energy_max_j is not None and judged_j > needs.energy_max_j * (1 + _SLACK):
                    text = _broken_text(energy.value, judged_j, needs.energy_max_j, Dimension.ENERGY)
                    text = f"an item on {row.node} would take {text}"
                    yield _violation(component, "energy", text, needs.energy_max_j, judged_j)
                yield from _too_wide(component, row, node)
            least, most = component.cores
            if not least <= self.cores[component.name] <= most:
                text = (
                    f"{self.cores[component.name]} cores, it can use {least if least == most else f'{least} to {most}'}"
                )
                yield _violation(component, "cores", text, most, self.cores[component.name])
            accuracy = problem.model.outputs(component.name, self.variants[component.name]).accuracy
            if needs.accuracy_min is not None and (accuracy is None or accuracy < needs.accuracy_min):
                found = "unknown" if accuracy is None else f"{accuracy:.3g}"
                text = f"accuracy of {self.variants[component.name]} is {found}, promised {needs.accuracy_min:.3g}"
                yield _violation(component, "accuracy", text, needs.accuracy_min, accuracy)
            limit = most_replicas(component)
            limit = problem.replica_limits[component.name] if limit is None else limit
            if len({problem.nodes[row.node].site for row in self.placed[component.name]}) > 1:
                yield _violation(component, "replicas", "its replicas are in more than one site")
            if self.replicas[component.name] > limit:
                text = f"{self.replicas[component.name]} replicas, at most {limit}"
                yield _violation(component, "replicas", text, limit, self.replicas[component.name])

    def _capacity(self) -> Iterator[Violation]:
        if not self.problem.carries:
            return
        for component in self.problem.components:
            busy, pressed = self.busy[component.name], self.pressed[component.name]
            if pressed > UTILISATION_MAX * (1 + _SLACK):
                text = f"each replica would be busy {busy:.0%} of the time, at most {UTILISATION_MAX:.0%} lasts"
                if busy <= UTILISATION_MAX:
                    most = pressed / UTILISATION_MAX
                    text = (
                        f"each replica would be busy {busy:.0%} of the time, perhaps {most:.0%}: it might not keep up"
                    )
                yield _violation(component, "throughput", text, UTILISATION_MAX, pressed)

    def _node_limits(self) -> Iterator[Violation]:
        for use in self._nodes():
            kind = self.problem.nodes[use.node].type
            if self.problem.carries and use.utilisation > UTILISATION_MAX * (1 + _SLACK):
                text = f"{use.node}: its cores would be busy {use.utilisation:.0%}, at most {UTILISATION_MAX:.0%}"
                yield Violation(
                    subject=use.node, what="cores", message=text, limit=UTILISATION_MAX, value=use.utilisation
                )
            if use.memory_bytes > kind.memory_bytes * (1 + _SLACK):
                needs, has = _show(use.memory_bytes, Dimension.SIZE), _show(kind.memory_bytes, Dimension.SIZE)
                yield Violation(
                    subject=use.node, what="memory", message=f"{use.node}: {needs} needed, it has {has}",
                    limit=kind.memory_bytes, value=use.memory_bytes,
                )  # fmt: skip
            wanted: list[Accelerator] = []
            for row in self.rows:
                if row.node == use.node:
                    wanted += self.problem.application.component(row.component).requirements.accelerators * row.replicas
            lacking = accelerators_fit(wanted, self.problem.nodes[use.node])
            if lacking:
                yield Violation(subject=use.node, what="accelerators", message=f"{use.node}: {lacking}")

    def _link_limits(self, links: Sequence[LinkUse]) -> Iterator[Violation]:
        for use in links:
            if self.problem.carries and use.utilisation > UTILISATION_MAX * (1 + _SLACK):
                rate = _show(use.bytes_per_s, Dimension.BANDWIDTH)
                way = f"link {use.link} from {use.source} to {use.target}"
                text = f"{way}: {rate} is {use.utilisation:.0%} of what it carries, at most {UTILISATION_MAX:.0%}"
                yield Violation(
                    subject=use.link, what="bandwidth", message=text, limit=UTILISATION_MAX, value=use.utilisation
                )

    def _late(self, timing: Timing) -> Iterator[Violation]:
        for component in self.problem.components:
            promise = component.requirements.latency
            if promise is None:
                continue
            found, limit = timing.of(component.name), promise.latency_max_s
            judged_s = self.problem.judged_s(found)
            if judged_s > limit * (1 + _SLACK):
                text = _broken_text(found.at_promise_s, judged_s, limit, Dimension.DURATION)
                text = f"p{promise.percentile:g} would be {text}"
                yield _violation(component, "latency", text, limit, judged_s)
        for path, found in zip(self.problem.application.paths, timing.paths, strict=True):
            limit = path.latency.latency_max_s
            judged_s = self.problem.judged_s(found)
            if judged_s > limit * (1 + _SLACK):
                text = _broken_text(found.predicted_s, judged_s, limit, Dimension.DURATION)
                text = f"{path.name}: p{path.latency.percentile:g} would be {text}"
                yield Violation(subject=path.name, what="path latency", message=text, limit=limit, value=judged_s)

    def _prediction(
        self, component: Component, timing: Timing, nodes: Sequence[NodeUse], link_prices: dict[str, float]
    ) -> ComponentPrediction:
        name, problem = component.name, self.problem
        times = timing.of(name)
        variant = self.variants[name]
        cost = link_prices.get(name, 0.0)
        energy = energy_high = memory = 0.0
        sources = {
            problem.model.energy_source(name, variant, problem.nodes[row.node].type) for row in self.placed[name]
        }
        for row in self.placed[name]:
            use = next(each for each in nodes if each.node == row.node)
            busy = sum(self.core_load[other, row.node] for other in use.components)
            share = self.core_load[name, row.node] / busy if busy > 0 else 1.0 / len(use.components)
            cost += use.price_eur_per_h * share
            kind = problem.nodes[row.node].type
            item = problem.model.energy(name, variant, kind, row.cores)
            energy += item.value * row.replicas / self.replicas[name]
            energy_high = max(energy_high, item.high)
            memory += row.replicas * self._memory(row)
        return ComponentPrediction(
            component=name,
            rate_per_s=self.flows[name].items_per_s,
            service_mean_s=times.service_mean_s,
            predicted_p50_s=times.p50_s,
            predicted_p95_s=times.p95_s,
            low_s=times.low_s * times.p95_s / times.at_promise_s if times.at_promise_s else times.low_s,
            high_s=times.high_s * times.p95_s / times.at_promise_s if times.at_promise_s else times.high_s,
            utilisation=self.busy[name],
            memory_bytes=memory,
            energy_j=energy,
            energy_high_j=energy_high,
            energy_source="measured" if sources == {"measured"} else "estimated",
            promise=_promised(component, times),
            accuracy=problem.model.outputs(name, variant).accuracy,
            cost_eur_per_h=cost,
        )


def _too_wide(component: Component, row: Assignment, node: Node) -> Iterator[Violation]:
    """Replicas of one component hold no more cores together than their node has."""
    held, cores = component.held(row.cores), node.type.cores
    if held > cores:
        text = f"each replica uses {held} cores at once, {row.node} has {cores}"
        yield _violation(component, "cores", text, cores, held)
    elif row.replicas * held > cores:
        each = "" if held == 1 else f" with {held} cores each"
        text = f"{row.replicas} replicas{each} on {row.node}, which has {cores} cores"
        yield _violation(component, "replicas", text, cores, row.replicas * held)


def _promised(component: Component, times: ComponentTiming) -> LatencyPrediction | None:
    promise = component.requirements.latency
    if promise is None:
        return None
    return LatencyPrediction(
        percentile=promise.percentile,
        promised_s=promise.latency_max_s,
        predicted_s=times.at_promise_s,
        low_s=times.low_s,
        high_s=times.high_s,
    )


def _broken_text(value: float, judged: float, limit: float, dimension: Dimension) -> str:
    """What is expected against what is promised; what may be, where that alone breaks the promise."""
    perhaps = f", perhaps {_show(judged, dimension)}" if value <= limit else ""
    return f"{_show(value, dimension)}{perhaps}, promised {_show(limit, dimension)}"


def _show(value: float, dimension: Dimension) -> str:
    return format_quantity(value, dimension)
