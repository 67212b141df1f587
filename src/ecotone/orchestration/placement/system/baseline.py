"""The baseline: random greedy and local search, the way SPACE4AI looks for placements. Called by benchmarks, to tell
what the exact search gains over it.

The algorithms are those of two published code bases of the AI-SPRINT project, both Apache-2.0, written anew:

- `ai-sprint-eu-project/space4ai-r-optimizer` (C++). `RandomGreedy` draws one resource type of each edge and cloud
  layer, a deployment for each component, and for each partition one of those types or any function; takes all copies
  that there are; if everything holds, gives copies back one by one, VMs first. `LocalSearch` tries six moves per
  iteration on each of the best (`_Moves`). The default numbers are its command line's.
- `hamta/SPACE4AID` (Python). Where to draw from leaves out what would return from the cloud to an edge
  (`create_random_initial_solution_smart`); the C++ draws it and rejects it afterwards.

What is different is in favour of the baseline. Not drawn: what is full, what rules forbid. Not examined: draws that
would be too expensive with the fewest copies that can bear their load. Kept once: equal placements. Added: more types
of a layer on request; a seventh move that gives copies of any resource back, not only of one just changed; rounds.

The original is compiled, so this is not left to the evaluator, which explains all that it finds: `Numbers` and
`_Sheet` compute prices, loads and times on lists of numbers, exactly where resources share their processor and bounds
are on means; for other laws and bounds the evaluator is asked. It has the last word on each answer anyway.
"""

from __future__ import annotations

import math
from bisect import insort
from itertools import count, pairwise
from operator import attrgetter, mul
from random import Random
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.clock import SYSTEM_CLOCK, Clock
from ecotone.core.errors import InputError
from ecotone.orchestration.placement.system.evaluate import Judgement, judge
from ecotone.orchestration.placement.system.flows import Flows
from ecotone.orchestration.placement.system.model import MEAN, Placement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ecotone.orchestration.placement.system.flows import Terms
    from ecotone.orchestration.placement.system.model import Bound, Component, Deployment, Kind, Option, System

__all__ = ["BaselineFound", "Improvement", "Numbers", "baseline", "local_search", "random_greedy"]

_SLACK = 1e-9
"""The evaluator's."""
_GREEDY_ITERATIONS, _LOCAL_ITERATIONS, _ELITE = 1000, 10, 10

_Chosen = list[list[int]]
"""The numbers of the options on which each component's partitions run."""


class Improvement(msgspec.Struct, frozen=True, kw_only=True):
    """A placement that is cheaper than all before, and when it was found."""

    wall_s: float
    price_eur_per_h: float


class BaselineFound(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended. `best` None, at an infinite price: nothing was found, which proves nothing. `iterations`: draws."""

    best: Judgement | None
    price_eur_per_h: float
    iterations: int
    wall_s: float
    improvements: tuple[Improvement, ...]


def random_greedy(
    system: System,
    *,
    iterations: int = _GREEDY_ITERATIONS,
    elite: int = _ELITE,
    types_per_layer: int = 1,
    seed: int = 0,
    time_limit_s: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
    progress: Callable[[Improvement], None] | None = None,
) -> list[Judgement]:
    """The cheapest placements among random ones, at most `elite`, cheapest first; all keep every bound and rule.

    Args:
        iterations: how many are drawn; fewer when `time_limit_s` is up.
        elite: how many are kept, at least 1.
        types_per_layer: how many resource types are drawn at most of a layer in which the system allows several.
        seed: the same gives the same placements.
        progress: called whenever the cheapest so far gets cheaper.
    """
    run = _Run(system, time_limit_s, clock, progress, types_per_layer=types_per_layer)
    kept = run.greedy(_random(seed, 0), iterations, elite)
    judged = (judge(system, run.numbers.placement(each), run.flows) for each in kept)
    return [each for each in judged if each.feasible]


def local_search(
    system: System,
    start: Placement,
    *,
    iterations: int = _LOCAL_ITERATIONS,
    seed: int = 0,
    time_limit_s: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
    progress: Callable[[Improvement], None] | None = None,
) -> Judgement:
    """A placement that is as cheap as `start` or cheaper, reached by random moves none of which is for the worse.

    Args:
        iterations: how often all kinds of moves are tried; less often when `time_limit_s` is up.
        seed: the same gives the same placement.
        progress: called whenever it gets cheaper.

    Returns:
        The judgement of the start itself if that breaks a bound or rule, or no move was better.
    """
    run = _Run(system, time_limit_s, clock, progress)
    judged = judge(system, start, run.flows)
    state = run.numbers.state_of(start) if judged.feasible else None
    if state is None:
        return judged
    run.best, run.price = judged, state.price
    run.local(state, _random(seed), iterations)
    return run.best


def baseline(
    system: System,
    *,
    iterations: int = _GREEDY_ITERATIONS,
    elite: int = _ELITE,
    types_per_layer: int = 1,
    local_iterations: int = _LOCAL_ITERATIONS,
    rounds: int | None = 1,
    seed: int = 0,
    time_limit_s: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
    progress: Callable[[Improvement], None] | None = None,
) -> BaselineFound:
    """What SPACE4AI would find: random greedy, then local search on each of the best.

    Args:
        iterations, elite, types_per_layer: of the random greedy.
        local_iterations: of the local search, on each.
        rounds: how often all this is done, each time anew; None: until `time_limit_s` is up.
        seed: the same finds the same, unless the time was up.
        progress: called whenever the cheapest so far gets cheaper.

    Raises:
        InputError: neither rounds nor time are limited.
    """
    if rounds is None and time_limit_s is None:
        raise InputError("a baseline needs a number of rounds or a time limit")
    run = _Run(system, time_limit_s, clock, progress, types_per_layer=types_per_layer)
    for number in count() if rounds is None else range(rounds):
        if run.is_over():
            break
        kept = run.greedy(_random(seed, number), iterations, elite)
        for rank, state in enumerate(kept):
            run.local(state, _random(seed, number, rank), local_iterations)
    return BaselineFound(
        best=run.best,
        price_eur_per_h=math.inf if run.best is None else run.best.price_eur_per_h,
        iterations=run.drawn,
        wall_s=run.wall_s(),
        improvements=tuple(run.improvements),
    )


def _random(*seed: int) -> Random:
    return Random("/".join(map(str, seed)))  # noqa: S311  (no secrets here)


class _Step(msgspec.Struct, eq=False):
    """A partition. `way`: the number of its deployment; `lasting`: its options by resource, functions aside;
    `onward_s`: seconds to the next partition, weighted by how often requests go on, by row and column of layers."""

    way: int
    onward_s: list[float]
    lasting: dict[int, int] = {}
    functions: list[int] = []


class _Way(msgspec.Struct):
    """A deployment of a component that its rules allow."""

    name: str
    steps: list[_Step]


class _Limit(msgspec.Struct):
    """A bound on a mean. `hops`: between each two components, seconds from the partitions of one to the other, weighted
    by how often requests leave it there, by row and column of layers."""

    components: list[int]
    limit_s: float
    hops: list[dict[_Step, list[float]]]


class Numbers:
    """A system as lists of numbers: resources and components in their order, and the options that rules allow.

    A function counts as one copy of a resource that costs nothing and is never busy; what it costs and how long it
    takes is known of each option. `types_per_layer`: how many are drawn where the system allows several.
    """

    def __init__(self, system: System, flows: Flows, *, types_per_layer: int = 1) -> None:
        self.system = system
        self.flows = flows
        # By resource.
        self.resources = system.resources
        self._numbers = {each.name: number for number, each in enumerate(self.resources)}
        self.kinds: list[Kind] = [each.kind for each in self.resources]
        self.is_edge = [kind == "edge" for kind in self.kinds]
        self.is_function = [kind == "serverless" for kind in self.kinds]
        self.copies_max = [1 if each.kind == "serverless" else each.copies_max for each in self.resources]
        self.prices = [0.0 if each.kind == "serverless" else each.price_eur_per_h for each in self.resources]
        self.rooms = [each.memory_bytes * (1 + _SLACK) for each in self.resources]
        self.memory_scales = system.semantics.memory_of_copies
        copies = self.copies_max if self.memory_scales else [1] * len(self.rooms)
        self.most_rooms = list(map(mul, self.rooms, copies))
        self._set_layers(types_per_layer)
        # By option.
        self.on: list[int] = []
        self.loads: list[float] = []
        self.memories: list[float] = []
        self.option_prices: list[float] = []
        self.weights_s: list[float] = []  # mean response where nothing else runs, by how often it is called
        self.rows: list[int] = []  # where its layer begins in tables by two layers
        self.steps: list[_Step] = []
        # By component.
        self.ways = [self._ways(component) for component in system.components]
        places = {component.name: at for at, component in enumerate(system.components)}
        # Its own bit, and those of its predecessors: sets of components are integers.
        self.bits = [
            (1 << at, sum(1 << places[name] for name in set(flows.predecessors[each.name])))
            for at, each in enumerate(system.components)
        ]
        self.limits = [self._limit(bound, places) for bound in system.bounds]
        self.timed = sorted({at for limit in self.limits for at in limit.components})
        lasting = [each for each in self.resources if each.kind != "serverless"]
        self.is_common = all(e.law == "ps" for e in lasting) and all(e.percentile == MEAN for e in system.bounds)

    def _set_layers(self, types_per_layer: int) -> None:
        names = list(dict.fromkeys(each.layer for each in self.resources))
        self.layers = [names.index(each.layer) for each in self.resources]
        members = [[number for number, layer in enumerate(self.layers) if layer == at] for at in range(len(names))]
        # Between two others of the same layers it takes as long.
        pairs = [(one[0], other[-1]) for one in members for other in members]
        self._layer_pairs = [(self.resources[one].name, self.resources[other].name) for one, other in pairs]
        self.types = [
            [each for each in layer if self.copies_max[each] and not self.is_function[each]] for layer in members
        ]
        self.drawn_types = [
            types
            for name, types in zip(names, self.types, strict=True)
            for _ in range(1 if name in self.system.one_type_layers else types_per_layer)
            if types
        ]

    def _ways(self, component: Component) -> list[_Way]:
        found: list[_Way] = []
        for deployment in component.deployments:
            if not component.accepts(deployment):
                continue
            allowed = [
                [
                    option
                    for option in self.flows.allowed(component, partition)
                    if self.copies_max[self._numbers[option.resource]]
                ]
                for partition in deployment.partitions
            ]
            if all(allowed):
                found.append(_Way(deployment.name, self._steps(component, deployment, allowed, way=len(found))))
        return found

    def _steps(
        self, component: Component, deployment: Deployment, allowed: Sequence[Sequence[Option]], *, way: int
    ) -> list[_Step]:
        found: list[_Step] = []
        shares = (*Flows.reaching(deployment), 0.0)
        for at, (partition, options) in enumerate(zip(deployment.partitions, allowed, strict=True)):
            step = _Step(way, self._table(partition.output_bytes, shares[at + 1]))
            for option in options:
                self._add(step, self.flows.terms(component, deployment, at, option), shares[at])
            found.append(step)
        return found

    def _add(self, step: _Step, terms: Terms, share: float) -> None:
        number, resource = len(self.on), self._numbers[terms.resource.name]
        if self.is_function[resource]:
            step.functions.append(number)
        else:
            step.lasting[resource] = number
        self.on.append(resource)
        self.loads.append(terms.load)
        self.memories.append(terms.option.memory_bytes)
        self.option_prices.append(terms.price_eur_per_h)
        self.weights_s.append(share * (terms.option.service_s if terms.response is None else terms.response.mean_s))
        self.rows.append(self.layers[resource] * len(self.types))
        self.steps.append(step)

    def _table(self, size_bytes: float, weight: float) -> list[float]:
        """Seconds for that much between two layers, times the weight."""
        return [weight and weight * self.flows.delay_s(*pair, size_bytes) for pair in self._layer_pairs]

    def _limit(self, bound: Bound, places: dict[str, int]) -> _Limit:
        hops = [self._hop(places[one], other) for one, other in pairwise(bound.components)]
        return _Limit([places[name] for name in bound.components], bound.limit_s * (1 + _SLACK), hops)

    def _hop(self, at: int, following: str) -> dict[_Step, list[float]]:
        found: dict[_Step, list[float]] = {}
        deployments = {each.name: each for each in self.system.components[at].deployments}
        for way in self.ways[at]:
            deployment = deployments[way.name]
            size_bytes, shares = deployment.output_bytes.get(following, 0.0), self.flows.leaving(deployment)
            for step, share in zip(way.steps, shares, strict=True):
                found[step] = self._table(size_bytes, share)
        return found

    # Placements

    def price(self, placement: Placement) -> float | None:
        """EUR/h of a placement that keeps every bound and rule, None of any other."""
        state = self.state_of(placement)
        if state is None:
            return None
        taken = [resource for resource, copies in enumerate(state.copies) if copies and not self.is_function[resource]]
        layers = [self.layers[each] for each in taken if self.resources[each].layer in self.system.one_type_layers]
        if len(set(layers)) < len(layers) or self.returns(state.chosen) or not state.sheet.holds(state.copies):
            return None
        return state.price

    def state_of(self, placement: Placement) -> _State | None:
        """None of a placement that makes no sense, or breaks the rule of a component."""
        chosen: _Chosen = []
        for component, ways in zip(self.system.components, self.ways, strict=True):
            name = placement.deployments.get(component.name)
            way = next((each for each in ways if each.name == name), None)
            options = None if way is None else self._options(way, placement.resources.get(component.name, ()))
            if options is None:
                return None
            chosen.append(options)
        sheet = self.sheet(chosen)
        copies = [1 if function and r in sheet.used else 0 for r, function in enumerate(self.is_function)]
        for name, taken in placement.copies.items():
            number = self._numbers.get(name)
            if number is None or self.is_function[number] or not 0 <= taken <= self.copies_max[number]:
                return None
            copies[number] = taken
        return _State(sheet, copies)

    def _options(self, way: _Way, names: Sequence[str]) -> list[int] | None:
        if len(names) != len(way.steps):
            return None
        found: list[int] = []
        for step, name in zip(way.steps, names, strict=True):
            number = self._numbers.get(name, -1)
            option = step.lasting.get(number)
            if option is None:
                option = next((each for each in step.functions if self.on[each] == number), None)
            if option is None:
                return None
            found.append(option)
        return found

    def placement(self, state: _State) -> Placement:
        components = self.system.components
        return Placement(
            deployments={
                each.name: self.ways[at][self.steps[state.chosen[at][0]].way].name for at, each in enumerate(components)
            },
            resources={
                each.name: tuple(self.resources[self.on[option]].name for option in state.chosen[at])
                for at, each in enumerate(components)
            },
            copies={
                self.resources[resource].name: copies
                for resource, copies in enumerate(state.copies)
                if copies and not self.is_function[resource]
            },
        )

    def sheet(self, chosen: _Chosen) -> _Sheet:
        loads, memories = [0.0] * len(self.resources), [0.0] * len(self.resources)
        used: set[int] = set()
        for options in chosen:
            for option in options:
                resource = self.on[option]
                used.add(resource)
                loads[resource] += self.loads[option]
                memories[resource] += self.memories[option]
        return _Sheet(self, chosen, used, loads, memories)

    def returns(self, chosen: _Chosen) -> bool:
        """Whether anything comes back from a cloud or a function to an edge, and must not."""
        if self.system.semantics.returns:
            return False
        gone = 0
        for options, (bit, before) in zip(chosen, self.bits, strict=True):
            if gone & before:
                gone |= bit
            for option in options:
                if not self.is_edge[self.on[option]]:
                    gone |= bit
                elif gone & bit:
                    return True
        return False

    def draw(self, random: Random) -> _Sheet | None:
        """A random choice that respects rules, memory and the way to the cloud; None when it got stuck."""
        draw, on, is_edge, returns = random.random, self.on, self.is_edge, self.system.semantics.returns
        demands, option_loads, rooms = self.memories, self.loads, self.most_rooms
        picked = [types[int(draw() * len(types))] for types in self.drawn_types]
        clouds = [resource for resource in picked if not is_edge[resource]]
        loads, memories = [0.0] * len(rooms), [0.0] * len(rooms)
        gone = 0
        chosen: _Chosen = []
        for ways, (bit, before) in zip(self.ways, self.bits, strict=True):
            open_ = clouds if gone & before else picked
            options: list[int] = []
            for step in ways[int(draw() * len(ways))].steps:
                lasting = step.lasting
                among = [lasting[each] for each in open_ if each in lasting] + step.functions
                while among:
                    option = among[int(draw() * len(among))]
                    resource = on[option]
                    if memories[resource] + demands[option] <= rooms[resource]:
                        break
                    among = [each for each in among if each != option]
                else:
                    return None
                memories[resource] += demands[option]
                loads[resource] += option_loads[option]
                options.append(option)
                if not (returns or is_edge[resource]):
                    open_ = clouds
            chosen.append(options)
            if open_ is clouds:
                gone |= bit
        used = {on[option] for options in chosen for option in options}
        return _Sheet(self, chosen, used, loads, memories)


class _Sheet:
    """What follows from a choice of options, whatever the copies. `used`: the numbers of its resources."""

    __slots__ = ("_delays_s", "_function_price", "chosen", "loads", "memories", "numbers", "used")

    def __init__(
        self, numbers: Numbers, chosen: _Chosen, used: set[int], loads: list[float], memories: list[float]
    ) -> None:
        self.numbers = numbers
        self.chosen = chosen
        self.used = used
        self.loads = loads
        self.memories = memories
        self._function_price: float | None = None
        self._delays_s: list[float] | None = None

    def price(self, copies: list[int]) -> float:
        return sum(map(mul, copies, self.numbers.prices)) + self._functions()

    def price_min(self) -> float:
        """With so few copies that they are busy all the time."""
        prices, loads = self.numbers.prices, self.loads
        return sum([prices[each] * (math.ceil(loads[each]) or 1) for each in self.used]) + self._functions()

    def _functions(self) -> float:
        if self._function_price is None:
            prices = self.numbers.option_prices
            if self.numbers.system.semantics.shared_serverless_once:
                most: dict[int, float] = {}
                for options in self.chosen:
                    for option in options:
                        resource = self.numbers.on[option]
                        most[resource] = max(most.get(resource, 0.0), prices[option])
                self._function_price = sum(most.values())
            else:
                self._function_price = sum([prices[option] for options in self.chosen for option in options])
        return self._function_price

    def holds(self, copies: list[int]) -> bool:
        """Whether memory, load and every bound are kept with so many copies."""
        numbers, loads, memories = self.numbers, self.loads, self.memories
        stretches = [0.0] * len(copies)
        for resource in self.used:
            taken = copies[resource]
            if not taken or memories[resource] > numbers.rooms[resource] * (taken if numbers.memory_scales else 1):
                return False
            busy = loads[resource] / taken
            if busy < 1.0:
                stretches[resource] = 1.0 / (1.0 - busy)
            elif busy == 1.0 and numbers.system.semantics.saturation:
                stretches[resource] = math.inf
            else:
                return False
        if not numbers.is_common:
            placement = numbers.placement(_State(self, copies))
            return judge(numbers.system, placement, numbers.flows).feasible
        return self._in_time(stretches)

    def _in_time(self, stretches: list[float]) -> bool:
        numbers, chosen = self.numbers, self.chosen
        weights_s, on = numbers.weights_s, numbers.on
        times_s = {
            at: sum([weights_s[option] * stretches[on[option]] for option in chosen[at]]) for at in numbers.timed
        }
        if self._delays_s is None:
            self._delays_s = self._delays()
        for limit, delay_s in zip(numbers.limits, self._delays_s, strict=True):
            # Not a number is late, too.
            if not sum([times_s[at] for at in limit.components], delay_s) <= limit.limit_s:
                return False
        return True

    def _delays(self) -> list[float]:
        """On networks, of each limit."""
        within_s = {at: self._within(self.chosen[at]) for at in self.numbers.timed}
        return [
            sum([within_s[at] for at in limit.components])
            + sum(
                [
                    self._between(self.chosen[one], self.chosen[other][0], hop)
                    for (one, other), hop in zip(pairwise(limit.components), limit.hops, strict=True)
                ]
            )
            for limit in self.numbers.limits
        ]

    def _within(self, options: list[int]) -> float:
        numbers = self.numbers
        on, rows, layers = numbers.on, numbers.rows, numbers.layers
        return sum(
            [
                numbers.steps[one].onward_s[rows[one] + layers[on[other]]]
                for one, other in pairwise(options)
                if on[one] != on[other]
            ]
        )

    def _between(self, options: list[int], target: int, hop: dict[_Step, list[float]]) -> float:
        numbers = self.numbers
        there = numbers.on[target]
        column = numbers.layers[there]
        return sum(
            [
                hop[numbers.steps[option]][numbers.rows[option] + column]
                for option in options
                if numbers.on[option] != there
            ]
        )


class _State:
    """A placement, with its price in EUR/h."""

    __slots__ = ("chosen", "copies", "price", "sheet")

    def __init__(self, sheet: _Sheet, copies: list[int]) -> None:
        self.sheet = sheet
        self.chosen = sheet.chosen
        self.copies = copies
        self.price = sheet.price(copies)

    def shrink(self, resource: int) -> None:
        """Take fewer copies for as long as everything holds."""
        while self.copies[resource] > 1:
            fewer = self.copies.copy()
            fewer[resource] -= 1
            if not self.sheet.holds(fewer):
                return
            self.copies, self.price = fewer, self.sheet.price(fewer)

    def is_same(self, other: _State) -> bool:
        return self.chosen == other.chosen and self.copies == other.copies


class _Run:
    """One run: its clock, and the best that the evaluator has confirmed."""

    def __init__(
        self,
        system: System,
        time_limit_s: float | None,
        clock: Clock,
        progress: Callable[[Improvement], None] | None,
        *,
        types_per_layer: int = 1,
    ) -> None:
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._limit_s = math.inf if time_limit_s is None else time_limit_s
        self._progress = progress
        self.flows = Flows(system)
        self.numbers = Numbers(system, self.flows, types_per_layer=types_per_layer)
        self.best: Judgement | None = None
        self.price = math.inf
        self.drawn = 0
        self.improvements: list[Improvement] = []

    def wall_s(self) -> float:
        return self._clock.monotonic_s() - self._started_s

    def is_over(self) -> bool:
        return self.wall_s() >= self._limit_s

    def greedy(self, random: Random, iterations: int, size: int) -> list[_State]:
        """The cheapest of so many draws, cheapest first."""
        assert size > 0, "an elite of nothing has no cheapest"
        kept: list[_State] = []
        if not all(self.numbers.ways):
            return kept
        for _ in range(iterations):
            if self.is_over():
                break
            self.drawn += 1
            sheet = self.numbers.draw(random)
            if sheet is None or (len(kept) == size and sheet.price_min() >= kept[-1].price):
                continue
            state = self._shrunk(sheet)
            if state is not None and not any(state.is_same(each) for each in kept):
                insort(kept, state, key=attrgetter("price"))
                del kept[size:]
                self.offer(state)
        return kept

    def _shrunk(self, sheet: _Sheet) -> _State | None:
        numbers = self.numbers
        copies = [0] * len(numbers.resources)
        for resource in sheet.used:
            copies[resource] = numbers.copies_max[resource]
        if not sheet.holds(copies):
            return None
        state = _State(sheet, copies)
        for resource in sorted(sheet.used, key=lambda each: (numbers.is_edge[each], each)):
            state.shrink(resource)
        return state

    def local(self, state: _State, random: Random, iterations: int) -> None:
        moves = _Moves(self.numbers, state, random)
        for _ in range(iterations):
            if self.is_over():
                break
            moves.all()
            self.offer(moves.state)

    def offer(self, state: _State) -> None:
        """Keep it if it is the cheapest so far and the evaluator agrees."""
        if state.price >= self.price:
            return
        judged = judge(self.numbers.system, self.numbers.placement(state), self.flows)
        if not judged.feasible:
            return
        self.best, self.price = judged, state.price
        found = Improvement(wall_s=self.wall_s(), price_eur_per_h=judged.price_eur_per_h)
        self.improvements.append(found)
        if self._progress is not None:
            self._progress(found)


class _Moves:
    """The moves of the local search. Only what is taken already, functions, and what replaces a resource come in."""

    def __init__(self, numbers: Numbers, state: _State, random: Random) -> None:
        self._numbers = numbers
        self._random = random
        self.state = state

    def all(self) -> None:
        self._functions_to_vms()
        self._first_cloud_to_edge()
        self._function_to_cheaper()
        self._change_deployment()
        self._drop_resource()
        self._change_resource()
        self._shrink_some()

    def _draw(self, number: int) -> int:
        return int(self._random.random() * number)

    def _first_cloud(self) -> tuple[int, int] | None:
        """The first component and its partition that are on a VM or a function."""
        numbers = self._numbers
        for component, options in enumerate(self.state.chosen):
            for at, option in enumerate(options):
                if not numbers.is_edge[numbers.on[option]]:
                    return component, at
        return None

    def _from_first_cloud(self) -> int | None:
        """A random component from there on."""
        first = self._first_cloud()
        return None if first is None else first[0] + self._draw(len(self.state.chosen) - first[0])

    def _functions_to_vms(self) -> None:
        component = self._from_first_cloud()
        if component is None:
            return
        numbers = self._numbers
        for at in range(len(self.state.chosen[component])):
            if numbers.is_function[numbers.on[self.state.chosen[component][at]]]:
                self._migrate(component, at, "vm")

    def _first_cloud_to_edge(self) -> None:
        first = self._first_cloud()
        if first is not None:
            self._migrate(*first, "edge")

    def _migrate(self, component: int, at: int, kind: Kind) -> None:
        """To a resource of that kind that is taken anyway, which never costs more."""
        numbers, copies = self._numbers, self.state.copies
        step = numbers.steps[self.state.chosen[component][at]]
        among = [option for each, option in step.lasting.items() if copies[each] and numbers.kinds[each] == kind]
        if among:
            chosen = self._with(component, at, among[self._draw(len(among))])
            self._try(chosen, copies, cheaper=False)

    def _function_to_cheaper(self) -> None:
        component = self._from_first_cloud()
        if component is None:
            return
        numbers = self._numbers
        prices = numbers.option_prices
        for at, option in enumerate(self.state.chosen[component]):
            if not numbers.is_function[numbers.on[option]]:
                continue
            others = numbers.steps[option].functions
            cheaper = next((each for each in others if prices[each] < prices[option]), None)
            if cheaper is not None:
                self._try(self._with(component, at, cheaper), self.state.copies)
                return

    def _change_deployment(self) -> None:
        numbers = self._numbers
        component = self._draw(len(self.state.chosen))
        ways = numbers.ways[component]
        way = self._draw(len(ways))
        if way == numbers.steps[self.state.chosen[component][0]].way:
            way = (way + 1) % len(ways)
        options = [self._placed(step) for step in ways[way].steps]
        placed = [option for option in options if option is not None]
        if len(placed) == len(options):
            chosen = self.state.chosen.copy()
            chosen[component] = placed
            self._try(chosen, self.state.copies)

    def _placed(self, step: _Step, but: int = -1) -> int | None:
        """A random option on what is taken, except on `but`, or on a function."""
        copies = self.state.copies
        among = [option for each, option in step.lasting.items() if copies[each] and each != but]
        among += step.functions
        return among[self._draw(len(among))] if among else None

    def _some_taken(self) -> int | None:
        is_function = self._numbers.is_function
        taken = [each for each, copies in enumerate(self.state.copies) if copies and not is_function[each]]
        return taken[self._draw(len(taken))] if taken else None

    def _drop_resource(self) -> None:
        dropped = self._some_taken()
        if dropped is None:
            return
        numbers = self._numbers
        chosen = [options.copy() for options in self.state.chosen]
        for options in chosen:
            for at, option in enumerate(options):
                if numbers.on[option] != dropped:
                    continue
                other = self._placed(numbers.steps[option], but=dropped)
                if other is None:
                    return
                options[at] = other
        self._try(chosen, self.state.copies)

    def _change_resource(self) -> None:
        """All that runs on a resource moves to another one of its kind, of which more copies are taken for the money:
        to one that is taken, or to a random type in a layer of which none is."""
        numbers = self._numbers
        old = self._some_taken()
        if old is None:
            return
        copies = self.state.copies.copy()
        spent, copies[old] = copies[old] * numbers.prices[old], 0
        new = self._affordable(self._replacements(old), spent)
        if new is None:
            return
        bought = int(spent / numbers.prices[new]) if numbers.prices[new] else numbers.copies_max[new]
        copies[new] = min(copies[new] + bought, numbers.copies_max[new])
        chosen = [options.copy() for options in self.state.chosen]
        for options in chosen:
            for at, option in enumerate(options):
                if numbers.on[option] != old:
                    continue
                other = numbers.steps[option].lasting.get(new)
                if other is None:
                    return
                options[at] = other
        if self._try(chosen, copies):
            self.state.shrink(new)

    def _replacements(self, old: int) -> list[int]:
        numbers, copies, kind = self._numbers, self.state.copies, self._numbers.kinds[old]
        found = [each for each, taken in enumerate(copies) if taken and each != old and numbers.kinds[each] == kind]
        closed = {numbers.layers[each] for each, taken in enumerate(copies) if taken}
        for layer, types in enumerate(numbers.types):
            fitting = [each for each in types if numbers.kinds[each] == kind]
            if layer not in closed and fitting:
                found.append(fitting[self._draw(len(fitting))])
        return found

    def _affordable(self, among: list[int], spent: float) -> int | None:
        """The first, from a random one on, that is taken or of which the money buys one copy."""
        first = self._draw(len(among))
        for each in (*among[first:], *among[:first]):
            if self.state.copies[each] or spent >= self._numbers.prices[each]:
                return each
        return None

    def _shrink_some(self) -> None:
        resource = self._some_taken()
        if resource is not None:
            self.state.shrink(resource)

    def _with(self, component: int, at: int, option: int) -> _Chosen:
        chosen = self.state.chosen.copy()
        chosen[component] = chosen[component].copy()
        chosen[component][at] = option
        return chosen

    def _try(self, chosen: _Chosen, copies: list[int], *, cheaper: bool = True) -> bool:
        """Go there if everything holds and it is cheaper, or at least no dearer."""
        numbers = self._numbers
        sheet = numbers.sheet(chosen)
        taken = [0] * len(copies)
        for resource in sheet.used:
            taken[resource] = 1 if numbers.is_function[resource] else copies[resource]
        state = _State(sheet, taken)
        if state.price > self.state.price or (cheaper and state.price >= self.state.price - _SLACK):
            return False
        if numbers.returns(chosen) or not sheet.holds(taken):
            return False
        self.state = state
        return True
