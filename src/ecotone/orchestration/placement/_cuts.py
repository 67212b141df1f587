"""Cuts: what a broken promise proves about other assignments, so that the solver never proposes them again.

A cut says that at least one of its parts must differ. It is valid for every assignment, so what the solver proves with
it is proven of the problem. Two kinds: *idle* cuts, from times without any waiting, which cover whole sets of variants
and nodes at once; and *exact* cuts, which exclude one placement of all that the broken promise depends on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy

from ecotone.core.plan import Assignment
from ecotone.orchestration.performance import IdleTimes, ancestors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ecotone.orchestration.performance.interface import Floats
    from ecotone.orchestration.placement.evaluate import Evaluation, Violation
    from ecotone.orchestration.placement.problem import Problem

__all__ = ["Choice", "Cut", "TimeLimit", "cuts_of", "time_limits"]

Choice = tuple[str, int, str]
"""A variant with so many cores on a node."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """At least one must hold: a component of `differs` is not placed exactly so; one of `outside` uses a choice that
    is not in its set; one of `joins` is on that node."""

    differs: tuple[tuple[Assignment, ...], ...] = ()
    outside: tuple[tuple[str, frozenset[Choice]], ...] = ()
    joins: tuple[tuple[str, str], ...] = ()


class TimeLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A latency promise, of a path or of a component (then the route is that component), as idle times see it.
    `subject` and `what` are those of its violation."""

    subject: str
    what: str
    limit_s: float
    idle: IdleTimes


def time_limits(problem: Problem) -> tuple[TimeLimit, ...]:
    """Every latency promise: the paths in their order, then the components."""
    paths = [
        TimeLimit(
            subject=path.name,
            what="path latency",
            limit_s=path.latency.latency_max_s,
            idle=_idle(problem, path.components, path.latency.percentile),
        )
        for path in problem.application.paths
    ]
    components = [
        TimeLimit(
            subject=component.name,
            what="latency",
            limit_s=promise.latency_max_s,
            idle=_idle(problem, (component.name,), promise.percentile),
        )
        for component in problem.components
        if (promise := component.requirements.latency) is not None
    ]
    return (*paths, *components)


def _idle(problem: Problem, components: tuple[str, ...], percentile: float) -> IdleTimes:
    """Below what `Problem.judged_s` holds against a promise."""
    upper = problem.confidence == "upper"
    return IdleTimes(problem.timing, components, percentile, problem.fusable, upper=upper)


def cuts_of(problem: Problem, limits: Sequence[TimeLimit], judged: Evaluation) -> list[Cut]:
    """Cuts that exclude a judged assignment, at least one, each as wide as can be proven."""
    cuts: list[Cut] = []
    for violation in judged.violations:
        late = [limit for limit in limits if (limit.subject, limit.what) == (violation.subject, violation.what)]
        idle = [cut for limit in late if (cut := _IdleCut(problem, limit, judged).widest()) is not None]
        cuts += idle or [_exact_cut(problem, judged, violation)]
    return cuts


class _IdleCut:
    """Grows the placement of a route that is too slow even when idle to a set of which that is still true."""

    def __init__(self, problem: Problem, limit: TimeLimit, judged: Evaluation) -> None:
        self._problem = problem
        self._limit = limit
        self._services: dict[tuple[str, Choice], Floats] = {}
        self._transfers: dict[tuple[str, str, str, str], Floats] = {}
        route = limit.idle.route
        self._sets: dict[str, set[Choice]] = {
            name: {(row.variant, row.cores, row.node) for row in judged.assignments if row.component == name}
            for name in route
        }
        self._all: dict[str, set[Choice]] = {
            name: {(option.variant, option.cores, option.node) for option in problem.options[name]} | self._sets[name]
            for name in route
        }

    def widest(self) -> Cut | None:
        """None when it is fast enough when idle."""
        if not self._too_slow():
            return None
        for name in self._sets:
            self._try(name, self._all[name])
        for name, chosen in self._sets.items():
            for choice in sorted(self._all[name] - chosen):
                self._try(name, self._sets[name] | {choice})
        return Cut(
            outside=tuple((name, frozenset(chosen)) for name, chosen in self._sets.items() if chosen != self._all[name])
        )

    def _try(self, name: str, wider: set[Choice]) -> None:
        before = self._sets[name]
        self._sets[name] = wider
        if not self._too_slow():
            self._sets[name] = before

    def _too_slow(self) -> bool:
        """Whether every combination of the sets breaks the promise: even the fastest part of each together does."""
        idle = self._limit.idle
        total = sum(self._fastest(name) for name in idle.route)
        for producer, consumer in idle.channels:
            total = total + idle.hop(producer, consumer) + self._fastest_transfer(producer, consumer)
        assert isinstance(total, numpy.ndarray)
        return idle.percentile_of(total) > self._limit.limit_s * (1 + 1e-9)

    def _fastest(self, name: str) -> Floats:
        return numpy.minimum.reduce([self._service(name, choice) for choice in sorted(self._sets[name])])

    def _service(self, name: str, choice: Choice) -> Floats:
        key = name, choice
        if key not in self._services:
            variant, cores, node = choice
            self._services[key] = self._limit.idle.service(name, variant, self._problem.nodes[node], cores)
        return self._services[key]

    def _fastest_transfer(self, producer: str, consumer: str) -> Floats:
        nodes = self._problem.nodes
        sources = {(variant, nodes[node].site) for variant, _, node in self._sets[producer]}
        targets = {nodes[node].site for _, _, node in self._sets[consumer]}
        found = [
            self._transfer(producer, variant, source, target)
            for variant, source in sorted(sources)
            for target in sorted(targets)
            if self._problem.continuum.route(source, target) is not None
        ]
        return numpy.minimum.reduce(found)

    def _transfer(self, producer: str, variant: str, source: str, target: str) -> Floats:
        key = producer, variant, source, target
        if key not in self._transfers:
            self._transfers[key] = self._limit.idle.transfer(producer, variant, source, target)
        return self._transfers[key]


def _exact_cut(problem: Problem, judged: Evaluation, violation: Violation) -> Cut:
    """What the broken promise depends on, as it is placed, must differ, or something else must come near it."""
    placed = {
        component.name: tuple(row for row in judged.assignments if row.component == component.name)
        for component in problem.components
    }
    concerned = _concerned(problem, placed, violation)
    touched = {row.node for name in concerned for row in placed[name]}
    joins: list[tuple[str, str]] = []
    for name, rows in placed.items():
        if name not in concerned:
            sites = {problem.nodes[row.node].site for row in rows}
            away = {node for node in problem.nodes_of(name) if problem.nodes[node].site not in sites}
            joins += [(name, node) for node in problem.nodes_of(name) if node in away | touched]
    return Cut(differs=tuple(placed[name] for name in sorted(concerned)), joins=tuple(joins))


def _concerned(problem: Problem, placed: dict[str, tuple[Assignment, ...]], violation: Violation) -> set[str]:
    """The components on which a late path or component depends: those before it, and whoever shares a node or a link
    with one of them. For any other violation, and where hosts may be fused, all."""
    everyone = set(placed)
    if violation.what not in {"latency", "path latency"} or problem.fusable:
        return everyone
    if violation.what == "latency":
        found = {violation.subject}
    else:
        found = {path.components[-1] for path in problem.application.paths if path.name == violation.subject}
    while True:
        wider = found | {name for each in found for name in ancestors(problem.application, each)}
        nodes = {row.node for name in wider for row in placed[name]}
        wider |= {name for name, rows in placed.items() if any(row.node in nodes for row in rows)}
        wider |= _sharing_links(problem, placed, wider)
        if wider == found:
            return found
        found = wider


def _sharing_links(problem: Problem, placed: dict[str, tuple[Assignment, ...]], concerned: Iterable[str]) -> set[str]:
    """Both ends of each channel that uses a direction of a link on which something concerned arrives."""
    uses = {
        (channel.producer, channel.consumer): {
            step[0]
            for source in placed[channel.producer]
            for target in placed[channel.consumer]
            for step in problem.timing.route(problem.nodes[source.node].site, problem.nodes[target.node].site)
        }
        for channel in problem.application.channels
    }
    wanted = set(concerned)
    shared = {direction for (_, consumer), directions in uses.items() if consumer in wanted for direction in directions}
    return {name for ends, directions in uses.items() if directions & shared for name in ends}
