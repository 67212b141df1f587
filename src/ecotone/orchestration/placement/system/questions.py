"""What else there is to know of a system: the compromises between price and power or accuracy, the largest load, why
there is no placement and how little would have to change, and what to move when something has changed.

Each answer comes from searches, and says what of it is proven. Called by `session.systems` and by notebooks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ecotone.core.clock import SYSTEM_CLOCK, Clock
from ecotone.core.errors import InputError
from ecotone.orchestration.placement.questions import (
    Answer,
    Reached,
    Reply,
    frontier,
    largest,
    least_change,
    minimal_conflict,
)
from ecotone.orchestration.placement.system.evaluate import Judgement, judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.model import MEAN, Component, Goal, Option, Placement, System
from ecotone.orchestration.placement.system.search import CHEAPEST, Found, search

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ecotone.orchestration.placement.system.search import Progress

__all__ = [
    "By",
    "Conflict",
    "Front",
    "FrontPoint",
    "Item",
    "LargestLoad",
    "Relaxation",
    "Replanned",
    "explain_infeasible",
    "items_of",
    "largest_load",
    "only",
    "pareto",
    "replan",
    "states_accuracy",
    "states_power",
    "with_load",
]

By = Literal["power", "accuracy"]

_POWER_STEP_W = 1e-4
"""Less than this is the same power."""
_SAME_PRICE = 3e-6
"""More than the search takes for the same price."""
_NO_LOAD = 1e-6
_CLOSE = 0.01
_FACTOR_MAX = 1e6
_EACH = 0.25
"""Of the time that is left, for one question among many."""


class _Limits:
    """What all searches of one question share."""

    def __init__(
        self,
        time_limit_s: float,
        seed: int,
        stop: threading.Event | None,
        clock: Clock,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._deadline_s = self._started_s + time_limit_s
        self._seed = seed
        self._stop = stop
        self._progress = progress

    def search(self, system: System, goal: Goal = CHEAPEST, *, share: float = 1.0, **more: Any) -> Found:
        return search(
            system,
            goal,
            time_limit_s=share * self._left_s,
            seed=self._seed,
            stop=self._stop,
            clock=self._clock,
            progress=self._progress,
            **more,
        )

    @property
    def _left_s(self) -> float:
        return max(0.0, self._deadline_s - self._clock.monotonic_s())

    @property
    def passed_s(self) -> float:
        return self._clock.monotonic_s() - self._started_s

    def is_over(self) -> bool:
        return self._left_s <= 0.0 or (self._stop is not None and self._stop.is_set())


def states_power(system: System) -> bool:
    """Whether any resource states that it takes power."""
    return any(resource.idle_w or resource.busy_w for resource in system.resources)


def states_accuracy(system: System) -> bool:
    """Whether any deployment states its accuracy."""
    return bool(_accuracies(system))


def _accuracies(system: System) -> list[float]:
    stated = {each.accuracy for component in system.components for each in component.deployments}
    return sorted(each for each in stated if each is not None)


# Compromises


class FrontPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One placement. `accuracy`: the least of its deployments, None where none states any; `proven`: nothing costs less
    without being worse in the other objective, or the other way round."""

    judged: Judgement
    price_eur_per_h: float
    power_w: float
    accuracy: float | None
    proven: bool


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """The compromises between price and power or accuracy, the cheapest first; `complete`: all, and proven."""

    by: By
    points: tuple[FrontPoint, ...]
    complete: bool
    wall_s: float


def pareto(
    system: System,
    by: By = "power",
    *,
    time_limit_s: float = 300.0,
    points_max: int = 1000,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Front:
    """The exact front of price against power in W, or against the least accuracy of the deployments.
    A placement none of whose deployments states its accuracy counts as the best that is stated.

    Raises:
        InputError: the system states no power, or no accuracy.
    """
    if by == "power" and not states_power(system):
        raise InputError("the description states no power: without it every placement takes 0 W")
    if by == "accuracy" and not states_accuracy(system):
        raise InputError("the description states no accuracy of its deployments")
    limits = _Limits(time_limit_s, seed, stop, clock, progress)
    asking = _Compromises(system, by, limits)
    found = frontier(
        asking.ask,
        asking.below,
        improve=asking.improve if by == "power" else None,
        is_proven_empty=lambda: asking.is_empty,
        same=_SAME_PRICE,
        points_max=points_max,
        is_over=limits.is_over,
    )
    points = tuple(
        FrontPoint(
            judged=each.answer,
            price_eur_per_h=each.answer.price_eur_per_h,
            power_w=each.answer.power_w,
            accuracy=each.answer.accuracy,
            proven=each.proven,
        )
        for each in found.points
    )
    return Front(by=by, points=points, complete=found.complete, wall_s=limits.passed_s)


class _Compromises:
    """Price and the other objective, of which less is better: W, or accuracy times -1."""

    def __init__(self, system: System, by: By, limits: _Limits) -> None:
        self._system = system
        self._by = by
        self._limits = limits
        self._levels = _accuracies(system)
        self.is_empty = False

    def ask(self, limit: float | None) -> Answer[Judgement] | None:
        goal = CHEAPEST
        if limit is not None:
            goal = Goal(power_max_w=limit) if self._by == "power" else Goal(accuracy_min=-limit)
        found = self._limits.search(self._system, goal)
        self.is_empty = found.infeasible
        return None if found.best is None else self._answer(found.best, found)

    def improve(self, answer: Answer[Judgement]) -> Answer[Judgement]:
        """The least power for this price."""
        goal = Goal(minimise="power", price_max_eur_per_h=answer.first + _SAME_PRICE / 3)
        found = self._limits.search(self._system, goal, start=answer.answer.placement)
        return self._answer(answer.answer if found.best is None else found.best, found)

    def below(self, second: float) -> float | None:
        if self._by == "power":
            return second - _POWER_STEP_W if second > _POWER_STEP_W else None
        return next((-level for level in self._levels if level > -second), None)

    def _answer(self, judged: Judgement, found: Found) -> Answer[Judgement]:
        second = judged.power_w
        if self._by == "accuracy":
            second = -(self._levels[-1] if judged.accuracy is None else judged.accuracy)
        return Answer(answer=judged, first=judged.price_eur_per_h, second=second, proven=found.optimal)


# The largest load


class LargestLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Of the requests per second that enter: `factor` and `load_per_s` are possible, with `judged`; `impossible_per_s`
    and more are proven not to be. None: not found, not proven."""

    factor: float | None
    load_per_s: float | None
    impossible_per_s: float | None
    judged: Judgement | None
    tolerance: float
    wall_s: float

    @property
    def proven(self) -> bool:
        """Whether nothing is left between what is possible and what is not but the tolerance."""
        reached = Reached(possible=self.load_per_s, impossible=self.impossible_per_s)
        return reached.within(self.tolerance * (1 + 1e-9))


def with_load(system: System, factor: float) -> System:
    """The system with so many times the requests."""
    rates = {name: factor * rate for name, rate in system.rates_per_s.items()}
    return msgspec.structs.replace(system, rates_per_s=rates)


def largest_load(
    system: System,
    *,
    placement: Placement | None = None,
    tolerance: float = 0.001,
    time_limit_s: float = 300.0,
    seed: int = 0,
    stop: threading.Event | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> LargestLoad:
    """How many times the requests some placement carries within every bound and rule; or a given one, copies and all.

    More load only makes queues longer, but functions warmer. So that nothing is possible above a load is proven with
    functions that are always warm.

    Args:
        placement: the one that is asked about; None: any.
        tolerance: relative, between what is possible and what is not.
    """
    limits = _Limits(time_limit_s, seed, stop, clock)
    asking = _Loads(system, placement, limits, tolerance)
    total = math.fsum(system.rates_per_s.values())
    assert total > 0.0, "something must enter"
    found = largest(asking.ask, 1.0, 2.0, tolerance=tolerance, most=_FACTOR_MAX, is_over=limits.is_over)
    return LargestLoad(
        factor=found.possible,
        load_per_s=None if found.possible is None else total * found.possible,
        impossible_per_s=None if found.impossible is None else total * found.impossible,
        judged=asking.judged,
        tolerance=tolerance,
        wall_s=limits.passed_s,
    )


class _Loads:
    """Whether a factor is possible; `judged`: at the largest that was."""

    def __init__(self, system: System, placement: Placement | None, limits: _Limits, tolerance: float) -> None:
        self._system = system
        self._placement = placement
        self._limits = limits
        self._tolerance = tolerance
        self._warm = _always_warm(system)
        self._largest = 0.0
        self.judged: Judgement | None = None

    def ask(self, factor: float) -> Reply:
        placement = self._carried(self._system, factor)
        if isinstance(placement, Placement):
            reached = self._furthest(placement, factor)
            if reached > self._largest:
                self._largest, self.judged = reached, judge(with_load(self._system, reached), placement)
            return Reply(possible=True, reached=reached)
        if placement is False and self._warm is not self._system:
            placement = self._carried(self._warm, factor)
        return Reply(possible=False if placement is False else None)

    def _carried(self, system: System, factor: float) -> Placement | bool | None:
        """A placement that carries it; False: there is none; None: nobody knows."""
        scaled = with_load(system, factor)
        if self._placement is not None:
            return self._placement if judge(scaled, self._placement).feasible else False
        found = self._limits.search(scaled, share=_EACH, any_will_do=True)
        if found.best is None:
            return False if found.infeasible else None
        return found.best.placement

    def _furthest(self, placement: Placement, factor: float) -> float:
        """What this placement carries at least, though it was found for less."""
        if self._placement is not None:
            return factor

        def carries(more: float) -> Reply:
            return Reply(possible=judge(with_load(self._system, more), placement).feasible)

        found = largest(carries, factor, 2.0 * factor, tolerance=self._tolerance / 4, most=4.0 * _FACTOR_MAX)
        return factor if found.possible is None else max(factor, found.possible)


def _always_warm(system: System) -> System:
    """The system with functions that never have to start: nothing takes longer there. Itself if none has to."""
    lasting = {resource.name for resource in system.resources if resource.kind != "serverless"}
    changed = _with_options(
        system,
        lambda option: (
            option
            if option.resource in lasting or option.starting_s == option.service_s
            else msgspec.structs.replace(option, service_s=min(option.service_s, option.starting_s), cold_s=None)
        ),
    )
    return system if changed == system else changed


def _with_options(system: System, change: Callable[[Option], Option]) -> System:
    replace = msgspec.structs.replace
    components = tuple(
        replace(
            component,
            deployments=tuple(
                replace(
                    deployment,
                    partitions=tuple(
                        replace(partition, options=tuple(change(option) for option in partition.options))
                        for partition in deployment.partitions
                    ),
                )
                for deployment in component.deployments
            ),
        )
        for component in system.components
    )
    return replace(system, components=components)


# Why there is no placement


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is asked: `what` is bound, load, memory, accuracy_min, layers, private_layers, regions or
    confidential; `subject`: the bound, resource or component, empty for the load; `sentence` says it."""

    what: str
    subject: str
    sentence: str


class Relaxation(msgspec.Struct, frozen=True, kw_only=True):
    """A change after which there is a placement, everything else as it is. `value`: what `asked` has to become, in s,
    bytes, requests per second or accuracy; None where a rule has to go, or where `item.what` is several, since no
    change of one item helps.

    `price_eur_per_h`: of the best placement that was found for it; `price_proven`: none costs less.
    """

    item: Item
    sentence: str
    asked: float | None
    value: float | None
    relative_change: float
    price_eur_per_h: float
    price_proven: bool


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Why a system has no placement: these items cannot hold together; `minimal`: any fewer of them can. Without items:
    not even with nothing asked. `relaxations`: the smallest relative change first."""

    items: tuple[Item, ...]
    relaxations: tuple[Relaxation, ...]
    minimal: bool
    wall_s: float


def explain_infeasible(
    system: System,
    *,
    is_known: bool = False,
    time_limit_s: float = 60.0,
    seed: int = 0,
    stop: threading.Event | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Conflict | None:
    """A minimal conflict of a system and the least changes that help; None if there is a placement, or nobody knows.

    Numbers of copies, one type in a layer, networks and that nothing returns to an edge count as given.

    Args:
        is_known: that there is no placement: it need not be proven again.
    """
    limits = _Limits(time_limit_s, seed, stop, clock)
    items = items_of(system)

    def holds(some: Sequence[Item]) -> bool | None:
        if is_known and len(some) == len(items):
            return False
        kept = only(system, items, some)
        found = limits.search(kept, share=_EACH, any_will_do=True)
        return True if found.best is not None else False if found.infeasible else None

    conflict = minimal_conflict(holds, items)
    if conflict is None:
        return None
    relaxing = _Relaxing(system, limits)
    relaxations = [found for item in conflict.items for found in relaxing.relax(item)]
    if not relaxations and conflict.items:  # it is not the only conflict
        relaxations = list(_together(system, items, holds, limits))
    relaxations.sort(key=lambda each: each.relative_change)
    return Conflict(
        items=conflict.items, relaxations=tuple(relaxations), minimal=conflict.minimal, wall_s=limits.passed_s
    )


def items_of(system: System) -> tuple[Item, ...]:
    """Everything that is asked; what a reader most likely has in hand comes first."""
    return tuple(_items(system))


def _items(system: System) -> Iterator[Item]:
    for bound in system.bounds:
        at = "on average" if bound.percentile == MEAN else f"at p{bound.percentile:g}"
        yield Item(what="bound", subject=bound.name, sentence=f"{bound.name} takes at most {bound.limit_s:.6g} s {at}")
    for component in system.components:
        yield from _rules(component)
    yield _load_of(system)
    needed: dict[str, float] = {}
    for component in system.components:
        for name, memory in _most_memory(component).items():
            needed[name] = needed.get(name, 0.0) + memory
    for resource in system.resources:
        if needed.get(resource.name, 0.0) > resource.memory_bytes:
            there = f"{resource.name} has {_bytes(resource.memory_bytes)} of memory"
            yield Item(what="memory", subject=resource.name, sentence=there)


def _load_of(system: System) -> Item:
    total = math.fsum(system.rates_per_s.values())
    return Item(what="load", subject="", sentence=f"{total:.6g} requests per second enter")


def _rules(component: Component) -> Iterator[Item]:
    name = component.name
    if component.layers:
        text = f"{name} runs in {_or(component.layers)} only"
        yield Item(what="layers", subject=name, sentence=text)
    if component.private_layers:
        text = f"the output of {name} is private to {_or(component.private_layers)}"
        yield Item(what="private_layers", subject=name, sentence=text)
    if component.regions:
        yield Item(what="regions", subject=name, sentence=f"{name} runs in region {_or(component.regions)} only")
    if component.confidential:
        yield Item(what="confidential", subject=name, sentence=f"{name} runs on attested resources only")
    if component.accuracy_min is not None:
        text = f"the accuracy of {name} is at least {component.accuracy_min:g}"
        yield Item(what="accuracy_min", subject=name, sentence=text)


def _or(names: Iterable[str]) -> str:
    return " or ".join(sorted(names))


def _bytes(value: float) -> str:
    return f"{value / 2**30:.3g} GiB" if value >= 2**30 else f"{value / 2**20:.3g} MiB"


def _most_memory(component: Component) -> dict[str, float]:
    """By resource: what a component can need there at most."""
    most: dict[str, float] = {}
    for deployment in component.deployments:
        here: dict[str, float] = {}
        for partition in deployment.partitions:
            for option in partition.options:
                here[option.resource] = here.get(option.resource, 0.0) + option.memory_bytes
        for name, memory in here.items():
            most[name] = max(most.get(name, 0.0), memory)
    return most


_NO_RULE: dict[str, Any] = {
    "layers": frozenset[str](),
    "private_layers": frozenset[str](),
    "regions": (),
    "confidential": False,
    "accuracy_min": None,
}


def only(system: System, items: Sequence[Item], some: Sequence[Item]) -> System:
    """The system in which only some of the items are asked."""
    kept = {(each.what, each.subject) for each in some}
    for each in items:
        if (each.what, each.subject) not in kept:
            system = _without(system, each)
    return system


def _without(system: System, item: Item) -> System:
    if item.what == "load":  # nothing waits, and no function is cold for want of requests
        return with_load(_always_warm(system), _NO_LOAD)
    if item.what == "bound":
        return msgspec.structs.replace(
            system, bounds=tuple(bound for bound in system.bounds if bound.name != item.subject)
        )
    if item.what == "memory":
        needed = math.fsum(_most_memory(component).get(item.subject, 0.0) for component in system.components)
        return _with_memory(system, item.subject, needed)
    return _with_rule(system, item, _NO_RULE[item.what])


def _with_memory(system: System, name: str, memory_bytes: float) -> System:
    return msgspec.structs.replace(
        system,
        resources=tuple(
            msgspec.structs.replace(each, memory_bytes=memory_bytes) if each.name == name else each
            for each in system.resources
        ),
    )


def _with_rule(system: System, item: Item, value: Any) -> System:
    return msgspec.structs.replace(
        system,
        components=tuple(
            msgspec.structs.replace(each, **{item.what: value}) if each.name == item.subject else each
            for each in system.components
        ),
    )


def _with_limit(system: System, name: str, limit_s: float) -> System:
    return msgspec.structs.replace(
        system,
        bounds=tuple(
            msgspec.structs.replace(each, limit_s=limit_s) if each.name == name else each for each in system.bounds
        ),
    )


def _together(
    system: System, items: Sequence[Item], holds: Callable[[Sequence[Item]], bool | None], limits: _Limits
) -> Iterator[Relaxation]:
    """Where there are several conflicts: one change of a few items. As many as can hold are kept, load and rules before
    bounds; then each of the others is asked again, as much of it as can be."""
    kept: list[Item] = []
    changed: list[Item] = []
    order = {"load": 0, "memory": 1, "bound": 3}
    for item in sorted(items, key=lambda each: order.get(each.what, 2)):
        (kept if holds([*kept, item]) else changed).append(item)
    relaxed: list[Relaxation] = []
    for at, item in enumerate(changed):
        asked = only(system, items, [each for each in items if each not in changed[at + 1 :]])
        found = next(_Relaxing(asked, limits).relax(item), None)
        if found is None:
            return
        relaxed.append(found)
        system = _without(system, item) if found.value is None else _changed_to(system, item, found.value)
    if relaxed:
        yield msgspec.structs.replace(
            relaxed[-1],
            item=Item(what="several", subject="", sentence="; ".join(each.item.sentence for each in relaxed)),
            sentence="together: " + "; ".join(each.sentence for each in relaxed),
            asked=None,
            value=None,
            relative_change=max(each.relative_change for each in relaxed),
        )


def _changed_to(system: System, item: Item, value: float) -> System:
    if item.what == "bound":
        return _with_limit(system, item.subject, value)
    if item.what == "memory":
        return _with_memory(system, item.subject, value)
    if item.what == "load":
        return with_load(system, value / math.fsum(system.rates_per_s.values()))
    return _with_rule(system, item, value)


class _Relaxing:
    """The least change of one item with which there is a placement."""

    def __init__(self, system: System, limits: _Limits) -> None:
        self._system = system
        self._limits = limits

    def relax(self, item: Item) -> Iterator[Relaxation]:
        """Nothing, where it does not help, or where the time was up."""
        if self._limits.is_over():
            return
        if item.what == "bound":
            yield from self._more_time(item)
        elif item.what == "load":
            yield from self._less_load(item)
        elif item.what == "memory":
            yield from self._more_memory(item)
        elif item.what == "accuracy_min":
            yield from self._less_accuracy(item)
        else:
            system = _without(self._system, item)
            found = self._limits.search(system, share=_EACH)
            if found.best is not None:
                text = f"give up that {item.sentence} (it could then run on {_where(found.best, item)})"
                yield self._rule_gone(item, text, found, math.inf)

    def _more_time(self, item: Item) -> Iterator[Relaxation]:
        bound = next(each for each in self._system.bounds if each.name == item.subject)

        def reached(judged: Judgement) -> float:
            judged = judge(self._system, judged.placement)
            return next(each.time_s for each in judged.bounds if each.bound == bound.name)

        yield from self._grown(
            item, bound.limit_s, reached, lambda limit_s: _with_limit(self._system, bound.name, limit_s),
            lambda asked, value: f"allow {bound.name} {value:.6g} s instead of {asked:.6g} s",
        )  # fmt: skip

    def _more_memory(self, item: Item) -> Iterator[Relaxation]:
        resource = next(each for each in self._system.resources if each.name == item.subject)
        of_copies = self._system.semantics.memory_of_copies and resource.kind != "serverless"

        def reached(judged: Judgement) -> float:
            use = next((each for each in judged.uses if each.resource == resource.name), None)
            if use is None:
                return resource.memory_bytes
            return use.memory_bytes / (max(1, use.copies) if of_copies else 1)

        yield from self._grown(
            item, resource.memory_bytes, reached, lambda value: _with_memory(self._system, resource.name, value),
            lambda asked, value: f"give {resource.name} {_bytes(value)} of memory instead of {_bytes(asked)}",
        )  # fmt: skip

    def _grown(
        self,
        item: Item,
        asked: float,
        reached: Callable[[Judgement], float],
        changed: Callable[[float], System],
        sentence: Callable[[float, float], str],
    ) -> Iterator[Relaxation]:
        """The least value above `asked`; `reached`: the value that a placement needs."""
        free = self._any(_without(self._system, item))
        if free is None:
            return
        most = reached(free)
        if not math.isfinite(most):
            return

        def ask(value: float) -> Reply:
            return self._reply(changed(value), reached)

        least = least_change(ask, asked, most, tolerance=_CLOSE, is_over=self._limits.is_over).possible
        assert least is not None, "it began with one that is possible"
        shown = _rounded(least, up=True)
        found = self._limits.search(changed(shown), share=_EACH)
        if found.best is not None:
            yield self._changed(item, sentence(asked, shown), found, asked, shown)

    def _less_load(self, item: Item) -> Iterator[Relaxation]:
        total = math.fsum(self._system.rates_per_s.values())
        asking = _Loads(self._system, None, self._limits, _CLOSE)

        def ask(factor: float) -> Reply:
            return asking.ask(factor) if factor < 1.0 else Reply(possible=False)

        # functions answer more slowly when less is asked of them, so less is not always possible
        found = largest(ask, 0.5, 1.0, tolerance=_CLOSE, most=1.0, is_over=self._limits.is_over)
        if found.possible is None or found.possible >= 1.0:
            return
        shown = _rounded(total * found.possible, up=False)
        searched = self._limits.search(with_load(self._system, shown / total), share=_EACH)
        if searched.best is not None:
            text = f"let {shown:.6g} requests per second enter instead of {total:.6g}"
            yield self._changed(item, text, searched, total, shown)

    def _less_accuracy(self, item: Item) -> Iterator[Relaxation]:
        component = next(each for each in self._system.components if each.name == item.subject)
        asked = component.accuracy_min
        assert asked is not None, "it is an item only then"
        stated = {each.accuracy for each in component.deployments if each.accuracy is not None}
        for level in sorted((each for each in stated if each < asked), reverse=True):
            if self._limits.is_over():
                return
            found = self._limits.search(_with_rule(self._system, item, level), share=_EACH)
            if found.best is not None:
                text = f"lower the accuracy of {component.name} from {asked:g} to {level:g}"
                yield self._changed(item, text, found, asked, level)
                return

    def _any(self, system: System) -> Judgement | None:
        return self._limits.search(system, share=_EACH, any_will_do=True).best

    def _reply(self, system: System, reached: Callable[[Judgement], float]) -> Reply:
        found = self._limits.search(system, share=_EACH, any_will_do=True)
        if found.best is None:
            return Reply(possible=False if found.infeasible else None)
        return Reply(possible=True, reached=reached(found.best))

    @staticmethod
    def _rule_gone(item: Item, sentence: str, found: Found, relative_change: float) -> Relaxation:
        return Relaxation(
            item=item,
            sentence=sentence,
            asked=None,
            value=None,
            relative_change=relative_change,
            price_eur_per_h=found.value,
            price_proven=found.optimal,
        )

    @staticmethod
    def _changed(item: Item, sentence: str, found: Found, asked: float, value: float) -> Relaxation:
        return Relaxation(
            item=item,
            sentence=sentence,
            asked=asked,
            value=value,
            relative_change=abs(value - asked) / asked if asked else math.inf,
            price_eur_per_h=found.value,
            price_proven=found.optimal,
        )


def _where(judged: Judgement, item: Item) -> str:
    return ", ".join(sorted(set(judged.placement.resources[item.subject])))


def _rounded(value: float, *, up: bool) -> float:
    """To four significant digits, on the side that is easier to keep."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 3)
    steps = math.ceil(value / unit - 1e-9) if up else math.floor(value / unit + 1e-9)
    return steps * unit


# What to move


class Replanned(msgspec.Struct, frozen=True, kw_only=True):
    """What was found beside what runs. `moved`: components that change; `lost`: those that cannot stay; of the value of
    `found`, `moving_eur_per_h` is for moving."""

    found: Found
    moved: tuple[str, ...]
    lost: tuple[str, ...]
    moving_eur_per_h: float


def replan(
    system: System,
    running: Placement,
    moving_eur_per_h: dict[str, float],
    *,
    time_limit_s: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Replanned:
    """The cheapest placement, what it costs to move to it included, searched from the one that runs.

    Args:
        system: as it is now: with another load, without resources that are gone.
        running: where components run, maybe on resources that are gone; a component that is not there is new.
        moving_eur_per_h: by component: what a move costs, divided by the hours for which it pays. A component that is
            new has not moved.
    """
    here = {component.name for component in system.components} & running.deployments.keys()
    goal = Goal(
        running=running, moving_eur_per_h={name: each for name, each in moving_eur_per_h.items() if name in here}
    )
    start, lost = _repaired(system, running)
    found = search(
        system,
        goal,
        time_limit_s=time_limit_s,
        gap=gap,
        seed=seed,
        start=start,
        progress=progress,
        stop=stop,
        clock=clock,
    )
    placed = None if found.best is None else found.best.placement
    return Replanned(
        found=found,
        moved=() if placed is None else tuple(name for name in goal.moved(placed) if name in here),
        lost=lost,
        moving_eur_per_h=0.0 if placed is None else goal.moving_price_eur_per_h(placed),
    )


def _repaired(system: System, running: Placement) -> tuple[Placement | None, tuple[str, ...]]:
    """What runs, with each component that cannot stay where the fewest new resources are taken, and as many copies as
    are there if it needs more; None if some can be nowhere. And the components that cannot stay."""
    flows = Flows(system)
    copies_max = {each.name: each.copies_max for each in system.resources if each.kind != "serverless"}
    taken = {name for name, copies in running.copies.items() if copies and name in copies_max}
    deployments: dict[str, str] = {}
    resources: dict[str, tuple[str, ...]] = {}
    lost: list[str] = []
    for component in system.components:
        name = component.name
        ways = list(_ways(flows, component, taken))
        stays = (running.deployments.get(name), running.resources.get(name))
        if not _can_stay(flows, component, running):
            if name in running.deployments:
                lost.append(name)
            if not ways:
                return None, tuple(lost)
            stays = min(ways, key=lambda way: sum(each not in taken for each in way[1]))
        deployment, where = stays
        assert deployment is not None
        assert where is not None
        deployments[name], resources[name] = deployment, where
        taken |= {each for each in where if each in copies_max}
    used = {each for where in resources.values() for each in where if each in copies_max}
    few = {name: max(1, min(running.copies.get(name, 1), copies_max[name])) for name in used}
    repaired = Placement(deployments=deployments, resources=resources, copies=few)
    if not judge(system, repaired, flows).feasible:
        repaired = msgspec.structs.replace(repaired, copies={name: copies_max[name] for name in used})
    return repaired, tuple(lost)


def _can_stay(flows: Flows, component: Component, running: Placement) -> bool:
    chosen, where = running.deployments.get(component.name), running.resources.get(component.name, ())
    deployment = next((each for each in component.deployments if each.name == chosen), None)
    if deployment is None or len(deployment.partitions) != len(where):
        return False
    return all(
        any(option.resource == name and _is_there(flows, option) for option in flows.allowed(component, partition))
        for partition, name in zip(deployment.partitions, where, strict=True)
    )


def _is_there(flows: Flows, option: Option) -> bool:
    resource = flows.resources[option.resource]
    return resource.kind == "serverless" or resource.copies_max > 0


def _ways(flows: Flows, component: Component, taken: set[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """For each deployment: where it takes the fewest new resources, then the fastest."""
    for deployment in component.deployments:
        options = [
            [option for option in flows.allowed(component, partition) if _is_there(flows, option)]
            for partition in deployment.partitions
        ]
        if all(options):
            yield (
                deployment.name,
                tuple(min(each, key=lambda o: (o.resource not in taken, o.service_s)).resource for each in options),
            )
