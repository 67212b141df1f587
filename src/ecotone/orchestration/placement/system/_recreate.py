"""A good placement at once: some components are taken away and put back greedily, again and again.

Ruin and recreate (Schrimpf, Schneider, Stamm-Wilbrandt, Dueck, Journal of Computational Physics 159, 2000), accepting a
little worse ones less and less. Called by the search before the exact solver, which starts from what is found here.
Times are rough here (no networks, means); the search judges what comes out, and says when it was too rough.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import msgspec

from ecotone.orchestration.placement.system.laws import pressure
from ecotone.orchestration.placement.system.model import MEAN, Placement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ecotone.orchestration.placement.system.flows import Flows
    from ecotone.orchestration.placement.system.model import Component, Deployment, Goal

__all__ = ["recreate"]

_FULL = (0.999, 0.94, 0.82)
"""Shares of busy time up to which copies are filled, in turn."""
_NOISE = 0.35
"""Prices are multiplied by exp(gauss(0, this)) each time, so that each time something else looks cheap."""
_SCARCITY = 0.05
_SCARCITY_NOISE = 1.5
"""What a busy copy adds to the price of a resource that has room, and its noise: so that now this, now that is filled
first."""
_WORSE = 0.06
"""What is this share worse is still gone on from, at the beginning."""
_SECOND = 1e-4
"""Of functions that cost the same the faster one is taken: what a second costs."""
_PERCENTILE_FACTOR = 2.0
"""A percentile is taken to be so often the mean; the judge knows better."""
_ROUGH = 0.95
"""A bound is taken to be tighter by this each time that the judge finds it broken."""


class _Place(msgspec.Struct, frozen=True, gc=False):
    """One option of one partition. `time_s`: of a function; `price`: of a function."""

    at: int
    load: float
    memory_bytes: float
    service_s: float
    time_s: float
    price: float


class _Step(msgspec.Struct, frozen=True, gc=False):
    """One partition: the share of requests that reaches it, and its places."""

    share: float
    edges: tuple[_Place, ...]
    machines: tuple[_Place, ...]
    functions: tuple[_Place, ...]

    def only(self, place: _Place) -> _Step:
        """The same with one place left."""
        kept = [
            tuple(each for each in places if each is place) for places in (self.edges, self.machines, self.functions)
        ]
        return _Step(self.share, *kept)


class _Way(msgspec.Struct, frozen=True, gc=False):
    """A deployment that some place is left for."""

    name: str
    steps: tuple[_Step, ...]


_Chosen = tuple[int, tuple[_Place, ...]]
"""The number of a way, and a place for each step."""


class _Attempt:
    """How prices look this time, and what the component that is being placed adds to each resource so far. `away`: it
    cannot be at an edge any more; `stays`: it must be at one."""

    def __init__(self, prices: Sequence[float], scarce: Sequence[float]) -> None:
        self.prices = prices
        self.scarce = scarce
        self.load: dict[int, float] = {}
        self.memory: dict[int, float] = {}
        self.arrives_away = self.away = self.stays = False

    def begin(self) -> None:
        self.load.clear()
        self.memory.clear()
        self.away = self.arrives_away


def recreate(
    flows: Flows,
    *,
    rounds: int,
    seed: int,
    goal: Goal,
    start: Placement | None,
    is_kept: Callable[[Placement], bool],
    go_on: Callable[[], bool],
) -> None:
    """Offer better and better placements to `is_kept`, which tells whether they keep every bound and rule.

    Args:
        rounds: how often to ruin and recreate.
        goal: what is minimised; its limits on price and power are left to `is_kept`.
        start: where to begin; None: from nothing.
        go_on: asked now and then; False ends it.
    """
    _Recreation(flows, random.Random(seed), goal).run(rounds, start, is_kept, go_on)  # noqa: S311


class _Recreation:
    def __init__(self, flows: Flows, draw: random.Random, goal: Goal) -> None:
        system = flows.system
        self._flows = flows
        self._draw = draw
        self._resources = system.resources
        self._number = {resource.name: at for at, resource in enumerate(system.resources)}
        self._in_watts = goal.minimise == "power"
        self._price = [
            0.0 if each.kind == "serverless" else each.idle_w if self._in_watts else each.price_eur_per_h
            for each in system.resources
        ]
        self._lasts = [each.kind != "serverless" for each in system.resources]
        self._is_edge = [each.kind == "edge" for each in system.resources]
        self._most_ever = [each.copies_max for each in system.resources]
        self._most = list(self._most_ever)
        self._room = [each.memory_bytes for each in system.resources]
        self._memory_of_copies = system.semantics.memory_of_copies
        self._room_ever = [
            room * (most if self._memory_of_copies else 1)
            for room, most in zip(self._room, self._most_ever, strict=True)
        ]
        layers = {name: at for at, name in enumerate(sorted(system.one_type_layers))}
        self._layer = [layers.get(each.layer, -1) if lasts else -1 for each, lasts in zip(
            system.resources, self._lasts, strict=True)]  # fmt: skip
        self._names = [component.name for component in system.components]
        order = {name: at for at, name in enumerate(self._names)}
        self._ways = [tuple(self._ways_of(component, goal)) for component in system.components]
        self._before = [_mask(order[each] for each in flows.predecessors[name]) for name in self._names]
        self._after = [_mask(order[each.component] for each in component.successors) for component in system.components]
        self._returns = system.semantics.returns
        self._bounds = [[order[name] for name in bound.components] for bound in system.bounds]
        self._limits = [
            bound.limit_s / (1.0 if bound.percentile == MEAN else _PERCENTILE_FACTOR) for bound in system.bounds
        ]
        count = len(system.resources)
        self._load, self._memory, self._users = [0.0] * count, [0.0] * count, [0] * count
        self._type = [-1] * len(layers)
        self._chosen: list[_Chosen | None] = [None] * len(self._names)
        self._full = _FULL[0]
        running = None if self._in_watts else goal.running
        self._homes = [None if running is None else self._chosen_in(running, at) for at in range(len(self._names))]
        self._moving = [0.0 if running is None else goal.moving_eur_per_h.get(name, 0.0) for name in self._names]

    def _ways_of(self, component: Component, goal: Goal) -> Iterator[_Way]:
        for deployment in component.deployments:
            if not (component.accepts(deployment) and goal.accepts(deployment)):
                continue
            steps = tuple(
                self._step(component, deployment, at, share)
                for at, share in enumerate(self._flows.reaching(deployment))
            )
            if all(step.edges or step.machines or step.functions for step in steps):
                yield _Way(deployment.name, steps)

    def _step(self, component: Component, deployment: Deployment, at: int, share: float) -> _Step:
        places: list[_Place] = []
        for option in self._flows.allowed(component, deployment.partitions[at]):
            terms = self._flows.terms(component, deployment, at, option)
            time_s = 0.0 if terms.response is None else terms.response.mean_s
            price = 0.0 if self._in_watts else terms.price_eur_per_h
            number = self._number[option.resource]
            places.append(_Place(number, terms.load, option.memory_bytes, option.service_s, time_s, price))
        kinds = [self._resources[place.at].kind for place in places]
        return _Step(share, *(
            tuple(place for place, found in zip(places, kinds, strict=True) if found == kind)
            for kind in ("edge", "vm", "serverless")
        ))  # fmt: skip

    def run(
        self, rounds: int, start: Placement | None, is_kept: Callable[[Placement], bool], go_on: Callable[[], bool]
    ) -> None:
        if not all(self._ways):
            return
        if start is not None:
            self._load_from(start)
        best, current = math.inf, math.inf
        for number in range(rounds):
            if number % 16 == 15 and not go_on():
                return
            self._full = _FULL[self._draw.randrange(len(_FULL))]
            before = list(self._chosen)
            if not self._rebuild(self._ruin()):
                self._restore(before)
                continue
            copies = self._copies()
            price = math.inf if copies is None else self._total(copies)
            if copies is not None and price < best - 1e-9:
                if is_kept(self._placement(copies)):
                    best = price
                else:
                    self._doubt()
                    price = math.inf
            tolerance = 1.0 + _WORSE * (1.0 - number / rounds)
            if price <= max(current, best * tolerance):
                current = price
            else:
                self._restore(before)

    # Taking away

    def _ruin(self) -> list[int]:
        """Which components to take away; a resource that they leave may have to do with a copy less from then on."""
        draw = self._draw
        self._most = list(self._most_ever)
        missing = [at for at, chosen in enumerate(self._chosen) if chosen is None]
        if missing:
            return missing
        everyone = range(len(self._chosen))
        used = [at for at, users in enumerate(self._users) if users and self._lasts[at]]
        if used and draw.random() < 0.6:
            left = {draw.choice(used)}
            for at in left:
                if draw.random() < 0.7:
                    copies = max(1, math.ceil(self._load[at]))
                    self._most[at] = draw.choice([0, copies - 1])
            if draw.random() < 0.4:
                left.add(draw.choice(used))
            gone = {at for at in everyone if any(place.at in left for place in self._places(at))}
        else:
            gone = set[int]()
        count = min(len(everyone), int(draw.expovariate(0.4)) + (not gone))
        first = draw.choice(everyone)
        gone.update(sorted(everyone, key=lambda at: abs(at - first) * draw.random())[:count])
        return sorted(gone)

    def _places(self, component: int) -> tuple[_Place, ...]:
        chosen = self._chosen[component]
        return () if chosen is None else chosen[1]

    def _remove(self, component: int) -> None:
        for place in self._places(component):
            self._load[place.at] -= place.load
            self._memory[place.at] -= place.memory_bytes
            self._users[place.at] -= 1
            layer = self._layer[place.at]
            if self._users[place.at] == 0:
                self._load[place.at] = self._memory[place.at] = 0.0
                if layer >= 0:
                    self._type[layer] = -1
        self._chosen[component] = None

    def _put(self, component: int, chosen: _Chosen) -> None:
        for place in chosen[1]:
            self._load[place.at] += place.load
            self._memory[place.at] += place.memory_bytes
            self._users[place.at] += 1
            if self._layer[place.at] >= 0:
                self._type[self._layer[place.at]] = place.at
        self._chosen[component] = chosen

    def _restore(self, before: Sequence[_Chosen | None]) -> None:
        changed = [at for at, chosen in enumerate(before) if chosen is not self._chosen[at]]
        for at in changed:
            self._remove(at)
        for at in changed:
            chosen = before[at]
            if chosen is not None:
                self._put(at, chosen)

    def _load_from(self, start: Placement) -> None:
        for at in range(len(self._names)):
            chosen = self._chosen_in(start, at)
            if chosen is not None:
                self._put(at, chosen)

    def _chosen_in(self, placement: Placement, component: int) -> _Chosen | None:
        """Where a component is in a placement, if it may be there."""
        name = self._names[component]
        for number, way in enumerate(self._ways[component]):
            if placement.deployments.get(name) != way.name or len(placement.resources[name]) != len(way.steps):
                continue
            wanted = [self._number.get(each) for each in placement.resources[name]]
            places = [
                next((place for place in (*step.edges, *step.machines, *step.functions) if place.at == where), None)
                for step, where in zip(way.steps, wanted, strict=True)
            ]
            found = tuple(place for place in places if place is not None)
            if len(found) == len(places):
                return number, found
        return None

    # Putting back

    def _rebuild(self, gone: Sequence[int]) -> bool:
        for at in gone:
            self._remove(at)
        gauss, exp = self._draw.gauss, math.exp
        noisy = [price * exp(gauss(0.0, _NOISE)) for price in self._price]
        scarce = [_SCARCITY * price * exp(gauss(0.0, _SCARCITY_NOISE)) for price in self._price]
        attempt = _Attempt(noisy, scarce)
        needs_edge = self._needing_edges()
        away = 0
        for at in range(len(self._names)):
            attempt.arrives_away = bool(self._before[at] & away)
            if self._chosen[at] is None:
                attempt.stays = bool(self._after[at] & needs_edge)
                chosen = self._cheapest(at, attempt)
                if chosen is None:
                    return False
                self._put(at, chosen)
            if not self._returns and (
                attempt.arrives_away or not all(self._is_edge[place.at] for place in self._places(at))
            ):
                away |= 1 << at
        return True

    def _needing_edges(self) -> int:
        """A mask of the components that use an edge, or that come before one that does."""
        found = 0
        if not self._returns:
            for at in range(len(self._names) - 1, -1, -1):
                if self._after[at] & found or any(self._is_edge[place.at] for place in self._places(at)):
                    found |= 1 << at
        return found

    def _cheapest(self, component: int, attempt: _Attempt) -> _Chosen | None:
        """Where this component costs least, the others being where they are."""
        best: _Chosen | None = None
        least = math.inf
        home = self._homes[component]
        if home is not None:
            way = self._ways[component][home[0]]
            steps = tuple(step.only(place) for step, place in zip(way.steps, home[1], strict=True))
            price, places = self._cheapest_way(_Way(way.name, steps), attempt, least)
            if price < least:
                least, best = price - self._moving[component], home
        for number, way in enumerate(self._ways[component]):
            price, places = self._cheapest_way(way, attempt, least)
            if price < least:
                least, best = price, (number, tuple(places))
        return best

    def _cheapest_way(self, way: _Way, attempt: _Attempt, limit: float) -> tuple[float, list[_Place]]:
        attempt.begin()
        total = 0.0
        places: list[_Place] = []
        for step in way.steps:
            price, place = self._cheapest_function(step, attempt)
            if not attempt.away:
                price, place = self._cheapest_of(step.edges, attempt, price, place)
            if not attempt.stays:
                price, place = self._cheapest_of(step.machines, attempt, price, place)
            total += price
            if place is None or total >= limit:
                return math.inf, places
            places.append(place)
            attempt.load[place.at] = attempt.load.get(place.at, self._load[place.at]) + place.load
            attempt.memory[place.at] = attempt.memory.get(place.at, self._memory[place.at]) + place.memory_bytes
            if not self._is_edge[place.at] and not self._returns:
                attempt.away = True
        return total, places

    def _cheapest_function(self, step: _Step, attempt: _Attempt) -> tuple[float, _Place | None]:
        least, best = math.inf, None
        if not attempt.stays:
            for place in step.functions:
                needed = attempt.memory.get(place.at, self._memory[place.at]) + place.memory_bytes
                price = place.price + _SECOND * place.time_s
                if price < least and needed <= self._room[place.at]:
                    least, best = price, place
        return least, best

    def _cheapest_of(
        self, places: tuple[_Place, ...], attempt: _Attempt, least: float, best: _Place | None
    ) -> tuple[float, _Place | None]:
        for place in places:
            at = place.at
            layer = self._layer[at]
            if layer >= 0 and self._type[layer] not in (-1, at):
                continue
            before = attempt.load.get(at, self._load[at])
            copies = (before + place.load) / self._full
            if copies > self._most[at]:
                continue
            if attempt.memory.get(at, self._memory[at]) + place.memory_bytes > self._room_ever[at]:
                continue
            had = -int(-before / self._full // 1) or int(self._users[at] > 0 or at in attempt.load)
            price = attempt.prices[at] * (max(-int(-copies // 1), 1) - had) + attempt.scarce[at] * place.load
            if price < least:
                least, best = price, place
        return least, best

    # What it costs

    def _copies(self) -> list[int] | None:
        """The fewest copies with which resources carry their loads and bounds seem to be kept; None: there are none."""
        copies = [0] * len(self._resources)
        for at, users in enumerate(self._users):
            if not users or not self._lasts[at]:
                continue
            copies[at] = max(1, math.floor(self._load[at] * (1 + 1e-9)) + 1)
            if self._memory_of_copies:
                copies[at] = max(copies[at], math.ceil(self._memory[at] / self._room[at]))
            if copies[at] > self._most_ever[at]:
                return None
        for bound, limit_s in zip(self._bounds, self._limits, strict=True):
            while self._time_s(bound, copies) > limit_s:
                slowest = self._slowest(bound, copies)
                if slowest is None:
                    return None
                copies[slowest] += 1
        return copies

    def _stretch(self, at: int, copies: int) -> float:
        return 1.0 + pressure(self._resources[at].law, self._load[at] / copies, copies)

    def _time_s(self, bound: Sequence[int], copies: Sequence[int]) -> float:
        total = 0.0
        for component in bound:
            chosen = self._chosen[component]
            assert chosen is not None
            for step, place in zip(self._ways[component][chosen[0]].steps, chosen[1], strict=True):
                if self._lasts[place.at]:
                    total += step.share * place.service_s * self._stretch(place.at, copies[place.at])
                else:
                    total += step.share * place.time_s
        return total

    def _slowest(self, bound: Sequence[int], copies: Sequence[int]) -> int | None:
        """Where another copy would shorten it most for its price."""
        gains: dict[int, float] = {}
        for component in bound:
            chosen = self._chosen[component]
            assert chosen is not None
            for step, place in zip(self._ways[component][chosen[0]].steps, chosen[1], strict=True):
                at = place.at
                if self._lasts[at] and copies[at] < self._most_ever[at]:
                    faster = self._stretch(at, copies[at]) - self._stretch(at, copies[at] + 1)
                    gains[at] = gains.get(at, 0.0) + step.share * place.service_s * faster / max(self._price[at], 1e-9)
        return max(gains, key=lambda at: gains[at]) if gains else None

    def _total(self, copies: Sequence[int]) -> float:
        functions = sum(place.price for at in range(len(self._names)) for place in self._places(at))
        moves = sum(price for at, price in enumerate(self._moving) if price and self._chosen[at] != self._homes[at])
        return functions + moves + sum(price * count for price, count in zip(self._price, copies, strict=True))

    def _doubt(self) -> None:
        """The judge found it broken: be stricter where it was nearly so."""
        copies = self._copies()
        if copies is None:
            return
        tightness = [self._time_s(b, copies) / limit for b, limit in zip(self._bounds, self._limits, strict=True)]
        if tightness:
            worst = max(range(len(tightness)), key=lambda at: tightness[at])
            self._limits[worst] *= _ROUGH

    def _placement(self, copies: Sequence[int]) -> Placement:
        deployments: dict[str, str] = {}
        resources: dict[str, tuple[str, ...]] = {}
        for at, (name, chosen) in enumerate(zip(self._names, self._chosen, strict=True)):
            assert chosen is not None
            deployments[name] = self._ways[at][chosen[0]].name
            resources[name] = tuple(self._resources[place.at].name for place in chosen[1])
        taken = {self._resources[at].name: count for at, count in enumerate(copies) if count}
        return Placement(deployments=deployments, resources=resources, copies=taken)


def _mask(numbers: Iterable[int]) -> int:
    return sum(1 << each for each in set(numbers))
