"""The linear part of a placement problem for OR-Tools CP-SAT; the only module that imports it.

Everything here is a relaxation: figures are rounded in the problem's favour, percentiles appear as the times of idle
stages, shared traffic as its linear bound. So the optimum here is a lower bound there; `solve` adds cuts until the two
meet. One worker, so that the same input gives the same plan.

Variables: a component runs a way (a variant with so many cores) in a site with so many replicas in all (`whole`), so
many of them on a node (`part`); it runs the way on a node at all (`here`), is on the node at all (`on`); the node is
paid for (`used`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from ortools.sat.python import cp_model

from ecotone.core.plan import Assignment
from ecotone.orchestration.placement.problem import UTILISATION_MAX, work_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ecotone.core.application import Component
    from ecotone.core.continuum import NodeType
    from ecotone.orchestration.placement._cuts import Cut, TimeLimit
    from ecotone.orchestration.placement.goal import Goal
    from ecotone.orchestration.placement.problem import Option, Problem, Way

__all__ = ["UNITS", "Answer", "LinearModel"]

UNITS = 1_000_000_000
"""Integer units of one EUR/h or one W."""
_SHARES = 1_000_000
"""Integer units of a busy share where power curves are reckoned with. A bound is about 1 mW low by it."""
_TICKS_PER_S = 10_000_000
_PARTS = 1_000_000_000
"""Integer units of a share."""
_LATENCY_WEIGHT = 10**10
_POWER_WEIGHT = 10**3

Variables = list["cp_model.IntVar"]
Literals = list["cp_model.LiteralT"]
Linear: TypeAlias = "cp_model.LinearExpr | int"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`unknown`: the time was up before anything was found. `bound` is of the objective asked for; `value` is that of
    the goal, in integer units."""

    status: Literal["optimal", "feasible", "infeasible", "unknown"]
    assignments: tuple[Assignment, ...] = ()
    value: int = 0
    bound: int = 0


class LinearModel:
    """Built once for a problem; cuts are added as they are found."""

    def __init__(self, problem: Problem, limits: Sequence[TimeLimit], *, goal: Goal, seed: int) -> None:
        self._problem = problem
        self._limits = limits
        self._seed = seed
        self._model = cp_model.CpModel()
        self._whole: dict[tuple[str, Way, str, int], cp_model.IntVar] = {}
        self._part: dict[tuple[str, Way, int, str], cp_model.IntVar] = {}
        self._here: dict[tuple[str, Way, str], cp_model.IntVar] = {}
        self._on: dict[tuple[str, str], cp_model.IntVar] = {}
        self._used = {name: self._model.new_bool_var(f"used {name}") for name in problem.nodes}
        self._link_costs: dict[str, cp_model.IntVar] = {}
        self._share = math.lcm(*range(1, max(problem.replica_limits.values()) + 1))
        for component in problem.components:
            self._place(component)
        self._limit_nodes()
        self._reach()
        self._carry()
        if not goal.running:  # which of equal nodes it is matters to what runs on one
            self._break_symmetry()
        self._value = self._aim(goal)
        self._latency = self._latencies()
        self._tie_break = self._latency * _LATENCY_WEIGHT + self._rough_power() * _POWER_WEIGHT + self._replicas()

    def _aim(self, goal: Goal) -> Linear:
        """What is minimised; the goal's limits become constraints."""
        nodes = self._problem.nodes
        prices = [int(node.type.price_eur_per_h * UNITS) * self._used[name] for name, node in nodes.items()]
        price = sum([*prices, *self._link_costs.values()])
        power = self._power()
        if goal.price_max_eur_per_h is not None:
            self._model.add(price <= math.ceil(UNITS * goal.price_max_eur_per_h))
        if goal.power_max_w is not None:
            self._model.add(power <= math.ceil(UNITS * goal.power_max_w))
        for name, variant in goal.variants_refused(self._problem):
            self.forbid(name, [variant], nodes)
        if goal.minimise == "power":
            return power
        return price + sum(self._moves(goal))

    def _power(self) -> Linear:
        """Of all nodes; what more than the least has to be done takes more."""
        shares: dict[str, list[tuple[float, cp_model.IntVar]]] = defaultdict(list)
        for component, option, total, part in self._options():
            node = self._problem.nodes[option.node].type
            work = work_of(self._problem, component, option.variant, self._problem.flows_least)
            busy = work.calls_per_s * work.factor * option.cpu_s / total / node.cores
            shares[option.node].append((busy, part))
        terms: list[Linear] = []
        for name, node in self._problem.nodes.items():
            power = node.type.power
            if power.curve:
                terms.append(self._on_curve(node.type, self._used[name], shares[name]))
                continue
            terms.append(int(power.idle_w * UNITS) * self._used[name])
            growing_w = max(0.0, power.busy_w - power.idle_w)
            terms += [int(busy * growing_w * UNITS) * part for busy, part in shares[name]]
        return sum(terms)

    def _on_curve(
        self, kind: NodeType, used: cp_model.IntVar, shares: Sequence[tuple[float, cp_model.IntVar]]
    ) -> cp_model.IntVar:
        """Power of one node: exactly one piece of its curve holds if it is used, and it takes at least what that says.

        Whole numbers are rounded down, so that a bound remains one.
        """
        # A variable of its own: with the sum in each constraint, presolve of OR-Tools 9.15 takes some models for
        # infeasible that are not.
        busy = self._model.new_int_var(0, sum(int(share * _SHARES) for share, _ in shares) * kind.cores, "")
        self._model.add(busy == sum(int(share * _SHARES) * part for share, part in shares))
        found = self._model.new_int_var(0, math.ceil(kind.power.busy_w * UNITS), "")
        points = kind.power.points
        chosen = [self._model.new_bool_var("") for _ in points]
        self._model.add(sum(chosen) == used)
        for piece, (low, low_w), (high, high_w) in zip(chosen, points, [*points[1:], (math.inf, 0.0)], strict=True):
            slope = start = 0
            if high < math.inf:
                slope = math.floor((high_w - low_w) / (high - low) * UNITS / _SHARES)
                start = -slope * math.ceil(low * _SHARES)
                self._model.add(busy <= math.ceil(high * _SHARES)).only_enforce_if(piece)
            start += math.floor(low_w * UNITS)
            self._model.add(busy >= math.floor(low * _SHARES)).only_enforce_if(piece)
            self._model.add(found >= start + slope * busy).only_enforce_if(piece)
        return found

    def _moves(self, goal: Goal) -> Iterable[Linear]:
        """The price of moving each component that runs, unless it stays exactly as it is."""
        price = int(goal.moving_eur_per_h * UNITS)
        running: dict[str, list[Assignment]] = defaultdict(list)
        for row in goal.running:
            running[row.component].append(row)
        for component in self._problem.components:
            rows = running[component.name]
            if not rows or price == 0:
                continue
            total = sum(row.replicas for row in rows)
            parts = [self._part.get((component.name, (row.variant, row.cores), total, row.node)) for row in rows]
            moves = self._model.new_bool_var(f"{component.name} moves")
            for row, part in zip(rows, parts, strict=True):
                if part is None:  # there is no such node any more, or it may not run there
                    self._model.add(moves == 1)
                else:
                    self._model.add(part == row.replicas).only_enforce_if(moves.negated())
            yield price * moves

    # -- asking

    def best(self, *, time_limit_s: float, at_most: int | None = None) -> Answer:
        """The least value of the goal; `at_most` prunes what has more."""
        return self._solve(self._model.clone(), "value", at_most, time_limit_s)

    def fastest(self, *, time_limit_s: float, at_most: int | None = None) -> Answer:
        """Among those of a value `at_most`, the one with the least idle latency of the worst path, then energy, then
        replicas."""
        return self._solve(self._model.clone(), "tie break", at_most, time_limit_s)

    def _solve(self, model: cp_model.CpModel, objective: str, at_most: int | None, time_limit_s: float) -> Answer:
        if at_most is not None:
            model.add(self._value <= at_most)
        model.minimize(self._value if objective == "value" else self._tie_break)
        solver = cp_model.CpSolver()
        # OR-Tools 9.15 may certify a wrong optimum otherwise (google/or-tools#5293, docs/decisions/008).
        solver.parameters.presolve_inclusion_work_limit = 0
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = self._seed
        solver.parameters.max_time_in_seconds = max(0.01, time_limit_s)
        status = solver.solve(model)
        if status == cp_model.INFEASIBLE:
            return Answer(status="infeasible")
        if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
            return Answer(status="unknown", bound=max(0, math.ceil(solver.best_objective_bound - 1e-6)))
        rows = [
            Assignment(component=name, variant=variant, node=node, replicas=count, cores=cores)
            for (name, (variant, cores), _, node), part in self._part.items()
            if (count := solver.value(part))
        ]
        return Answer(
            status="optimal" if status == cp_model.OPTIMAL else "feasible",
            assignments=tuple(rows),
            value=solver.value(self._value),
            bound=math.ceil(solver.best_objective_bound - 1e-6),
        )

    # -- cutting

    def add_cut(self, cut: Cut) -> None:
        literals: Literals = []
        for rows in cut.differs:
            literals += self._differs(rows)
        for name, inside in cut.outside:
            literals += [
                here
                for (component, (variant, cores), node), here in self._here.items()
                if component == name and (variant, cores, node) not in inside
            ]
        literals += [self._on[key] for key in cut.joins if key in self._on]
        self._model.add_bool_or(literals)

    def add_link_cost(self, producer: str, placed: Iterable[tuple[Assignment, ...]], cost: int) -> None:
        """What `producer`'s output costs at least when it and its consumers are placed exactly so."""
        if producer not in self._link_costs:
            return
        exactly = self._model.new_bool_var("")
        self._model.add_bool_or([exactly, *(literal for rows in placed for literal in self._differs(rows))])
        self._model.add(self._link_costs[producer] >= cost).only_enforce_if(exactly)

    def add_value(self, rows: Iterable[tuple[Assignment, ...]], value: int) -> None:
        """What the goal's value is at least when everything is placed exactly so."""
        exactly = self._model.new_bool_var("")
        self._model.add_bool_or([exactly, *(literal for each in rows for literal in self._differs(each))])
        self._model.add(self._value >= value).only_enforce_if(exactly)

    def forbid(self, name: str, variants: Iterable[str], nodes: Iterable[str], cores: Iterable[int] = ()) -> None:
        """`name` must not run any of `variants` on any of `nodes`, with any of `cores` (none: with whatever number)."""
        variants, nodes, cores = set(variants), set(nodes), set(cores)
        for (component, (variant, count), node), here in self._here.items():
            if component == name and variant in variants and node in nodes and (not cores or count in cores):
                self._model.add(here == 0)

    def _differs(self, rows: Sequence[Assignment]) -> Literals:
        total = sum(row.replicas for row in rows)
        name, way = rows[0].component, (rows[0].variant, rows[0].cores)
        whole = self._whole.get((name, way, self._problem.nodes[rows[0].node].site, total))
        if whole is None or any((name, way, total, row.node) not in self._part for row in rows):
            return [self._model.new_constant(1)]
        if total == 1:
            return [self._part[name, way, 1, rows[0].node].negated()]
        literals: Literals = [whole.negated()]
        for row in rows:
            other = self._model.new_bool_var("")
            part = self._part[name, way, total, row.node]
            self._model.add(part != row.replicas).only_enforce_if(other)
            literals.append(other)
        return literals

    # -- building

    def _place(self, component: Component) -> None:
        """One way, one site, one number of replicas, so many on each node; none where one could not keep up."""
        problem, name = self._problem, component.name
        most = problem.replica_limits[name]
        options: dict[tuple[Way, str], list[Option]] = defaultdict(list)
        for option in problem.options[name]:
            options[option.way, problem.nodes[option.node].site].append(option)
        for (way, site), there in options.items():
            for total in range(1, most + 1):
                able = [option for option in there if option.replicas_min <= total]
                self._place_whole(name, way, site, total, able)
        self._model.add_exactly_one(whole for key, whole in self._whole.items() if key[0] == name)
        for option in problem.options[name]:
            self._place_here(option, most)
        for node in problem.nodes_of(name):
            here = [on for (each, _, at), on in self._here.items() if (each, at) == (name, node)]
            if len(here) == 1:
                self._on[name, node] = here[0]
            elif here:
                on = self._on[name, node] = self._model.new_bool_var(f"{name} on {node}")
                self._model.add(sum(here) == on)
        for (component_name, node), on in self._on.items():
            if component_name == name:
                self._model.add_implication(on, self._used[node])

    def _room(self, option: Option) -> int:
        """How many replicas the node has cores for."""
        return self._problem.nodes[option.node].type.cores // option.held

    def _place_whole(self, name: str, way: Way, site: str, total: int, options: Sequence[Option]) -> None:
        if sum(map(self._room, options)) < total:
            return
        model = self._model
        whole = self._whole[name, way, site, total] = model.new_bool_var(f"{name} {way} x{total} in {site}")
        parts: Variables = []
        for option in options:
            part = model.new_int_var(0, min(total, self._room(option)), f"{name} {way} x{total} on {option.node}")
            self._part[name, way, total, option.node] = part
            parts.append(part)
        model.add(sum(parts) == total * whole)

    def _place_here(self, option: Option, most: int) -> None:
        name, way, node = option.component, option.way, option.node
        parts = [
            self._part[name, way, total, node] for total in range(1, most + 1) if (name, way, total, node) in self._part
        ]
        if not parts:
            return
        if most == 1:
            self._here[name, way, node] = parts[0]
            return
        here = self._here[name, way, node] = self._model.new_bool_var(f"{name} {way} on {node}")
        self._model.add(sum(parts) <= min(most, self._room(option)) * here)
        self._model.add(sum(parts) >= here)

    def _options(self) -> Iterable[tuple[Component, Option, int, cp_model.IntVar]]:
        """(component, option, replicas in all, replicas here)."""
        for component in self._problem.components:
            for option in self._problem.options[component.name]:
                for total in range(1, self._problem.replica_limits[component.name] + 1):
                    part = self._part.get((component.name, option.way, total, option.node))
                    if part is not None:
                        yield component, option, total, part

    def _limit_nodes(self) -> None:
        """Cores, memory and devices of each node."""
        problem = self._problem
        load: dict[str, list[Linear]] = defaultdict(list)
        memory: dict[str, list[Linear]] = defaultdict(list)
        devices: dict[tuple[str, str, float], list[Linear]] = defaultdict(list)
        sizes = {(a.kind, a.memory_bytes) for c in problem.components for a in c.requirements.accelerators}
        for component, option, total, part in self._options():
            work = work_of(problem, component, option.variant, problem.flows_least)
            load[option.node].append(int(work.calls_per_s * work.factor * option.held_s / total * _PARTS) * part)
            memory[option.node].append(int(option.memory_bytes) * part)
            for kind, size in sizes:
                wanted = component.requirements.accelerators
                count = sum(each.count for each in wanted if each.kind == kind and each.memory_bytes >= size)
                if count:
                    devices[option.node, kind, size].append(count * part)
        for name, node in problem.nodes.items():
            if problem.carries:
                self._model.add(sum(load[name]) <= math.ceil(UTILISATION_MAX * node.type.cores * _PARTS * (1 + 1e-9)))
            self._model.add(sum(memory[name]) <= math.ceil(node.type.memory_bytes * (1 + 1e-9)))
        for (name, kind, size), terms in devices.items():
            there = problem.nodes[name].type.devices
            self._model.add(sum(terms) <= sum(d.count for d in there if d.kind == kind and d.memory_bytes >= size))

    def _reach(self) -> None:
        """The two ends of a channel are on sites between which there is a way."""
        nodes = self._problem.nodes
        for channel in self._problem.application.channels:
            for source in self._problem.nodes_of(channel.producer):
                for target in self._problem.nodes_of(channel.consumer):
                    ends = (channel.producer, source), (channel.consumer, target)
                    if not all(end in self._on for end in ends):
                        continue
                    if self._problem.continuum.route(nodes[source].site, nodes[target].site) is None:
                        self._model.add_bool_or([self._on[end].negated() for end in ends])

    def _carry(self) -> None:
        """Bytes over links: their price, and what a link can take.

        All replicas of a producer are in one site; from there a share of its output is taken on a node. Consumers
        on one node take the same objects, so the largest share counts; `add_link_cost` corrects that.
        """
        problem = self._problem
        loads: dict[tuple[int, bool], list[Linear]] = defaultdict(list)
        for component in problem.components:
            consumers = problem.application.consumers(component.name)
            terms: list[Linear] = []
            for variant in {option.variant: None for option in problem.options[component.name]}:
                bytes_per_s = self._bytes_per_s(component.name, variant)
                for source in dict.fromkeys(problem.nodes[name].site for name in problem.nodes_of(component.name)):
                    sent = self._in_site(component.name, variant, source)
                    for target in dict.fromkeys(name for each in consumers for name in problem.nodes_of(each)):
                        amount = self._amount(sent, source, target, consumers)
                        if amount is not None:
                            terms += self._charge(amount, bytes_per_s, source, target, loads)
            if terms:
                cost = self._link_costs[component.name] = self._model.new_int_var(0, 1 << 50, f"links {component.name}")
                self._model.add(cost >= sum(terms))
        if not problem.carries:
            return
        for (at, _), terms in loads.items():
            limit = UTILISATION_MAX * problem.continuum.links[at].bandwidth_bytes_per_s * (1 + 1e-9)
            self._model.add(sum(terms) <= math.ceil(limit * self._share))

    def _bytes_per_s(self, name: str, variant: str) -> float:
        problem = self._problem
        flow = problem.timing.flows(problem.quietest | {name: variant})[name]
        return flow.outputs_per_s * problem.model.outputs(name, variant).mean_bytes

    def _in_site(self, name: str, variant: str | None, site: str) -> Variables:
        """Exactly one is true when `name` runs `variant` (None: any) in `site`."""
        return [
            whole
            for (component, (v, _), s, _), whole in self._whole.items()
            if component == name and s == site and variant in {None, v}
        ]

    def _taken(self, name: str, node: str) -> Linear:
        return sum(
            self._share // total * part
            for (component, _, total, n), part in self._part.items()
            if component == name and n == node
        )

    def _amount(self, sent: Variables, source: str, target: str, consumers: Iterable[str]) -> cp_model.IntVar | None:
        """At least what goes from `source` to the node `target`; None where it is free and unlimited."""
        links = self._problem.continuum.route(source, self._problem.nodes[target].site)
        if not links or not sent:
            return None
        amount = self._model.new_int_var(0, self._share, "")
        for consumer in consumers:
            taken = self._taken(consumer, target)
            if not isinstance(taken, int):
                self._model.add(amount >= self._share * (sum(sent) - 1) + taken)
        return amount

    def _charge(
        self,
        amount: cp_model.IntVar,
        bytes_per_s: float,
        source: str,
        target: str,
        loads: dict[tuple[int, bool], list[Linear]],
    ) -> list[Linear]:
        problem = self._problem
        terms: list[Linear] = []
        here = source
        for link in problem.continuum.route(source, problem.nodes[target].site) or ():
            forward = link.between[0] == here
            here = link.between[1] if forward else link.between[0]
            loads[problem.continuum.links.index(link), forward].append(int(bytes_per_s) * amount)
            price = int(bytes_per_s * 3600.0 * link.price_eur_per_byte * UNITS / self._share)
            if price:
                terms.append(price * amount)
        return terms

    def _break_symmetry(self) -> None:
        """Of nodes that differ by name only, the next is used only by whoever comes after a user of the one before."""
        for equal in self._problem.equal_nodes:
            for before, node in pairwise(equal):
                earlier: Literals = []
                for component in self._problem.components:
                    if (component.name, before) in self._on:
                        earlier.append(self._on[component.name, before])
                    if (component.name, node) in self._on:
                        self._model.add_bool_or([self._on[component.name, node].negated(), *earlier])

    # -- latencies

    def _latencies(self) -> cp_model.IntVar:
        """The idle latency of the worst path, in ticks; every promise bounds its own."""
        worst = self._model.new_int_var(0, 1 << 26, "latency")
        problem = self._problem
        for limit in self._limits:
            terms = [self._services(limit, name) for name in limit.idle.route]
            for producer, consumer in limit.idle.channels:
                terms.append(_ticks(limit.idle.additive_floor(limit.idle.hop(producer, consumer))))
                terms.append(self._transfers(limit, producer, consumer))
            total = sum(terms)
            self._model.add(total <= math.ceil(limit.limit_s * _TICKS_PER_S * (1 + 1e-9)))
            if limit.what == "path latency":
                self._model.add(worst * 1000 >= total)
        if not problem.application.paths:
            services = [
                _ticks(option.service_s / total) * part for _, option, total, part in self._options()
            ]  # fmt: skip
            self._model.add(worst * 1000 >= sum(services))
        return worst

    def _services(self, limit: TimeLimit, name: str) -> Linear:
        """Exact for one replica; for more, what the fastest node of the site would take."""
        nodes = self._problem.nodes
        floors = {
            (option.way, option.node): _ticks(
                limit.idle.additive_floor(limit.idle.service(name, option.variant, nodes[option.node], option.cores))
            )
            for option in self._problem.options[name]
        }
        terms: list[Linear] = [
            floors[way, node] * part
            for (component, way, total, node), part in self._part.items()
            if component == name and total == 1
        ]
        for (component, way, site, total), whole in self._whole.items():
            if component == name and total > 1:
                there = [floor for (w, node), floor in floors.items() if w == way and nodes[node].site == site]
                terms.append(min(there) * whole)
        return sum(terms)

    def _transfers(self, limit: TimeLimit, producer: str, consumer: str) -> Linear:
        """What the links take between the sites of the two."""
        problem = self._problem
        time = self._model.new_int_var(0, 1 << 40, "")
        targets = dict.fromkeys(site for name, _, site, _ in self._whole if name == consumer)
        for variant, source in dict.fromkeys((v, site) for name, (v, _), site, _ in self._whole if name == producer):
            leaving = sum(self._in_site(producer, variant, source))
            for target in targets:
                if source == target or problem.continuum.route(source, target) is None:
                    continue
                floor = _ticks(limit.idle.additive_floor(limit.idle.transfer(producer, variant, source, target)))
                arriving = sum(self._in_site(consumer, None, target))
                self._model.add(time >= floor * (leaving + arriving - 1))
        return time

    def _rough_power(self) -> Linear:
        """Milliwatts, roughly: only ties hang on it."""
        problem = self._problem
        idle = [int(node.type.power.idle_w * 1e3) * self._used[name] for name, node in problem.nodes.items()]
        busy = [  # rounded up: the same load on more replicas must not look lighter
            math.ceil(option.energy_j * problem.flows_least[component.name].items_per_s / total * 1e3) * part
            for component, option, total, part in self._options()
        ]
        return sum(idle) + sum(busy)

    def _replicas(self) -> Linear:
        """Weighed by the cores that they hold."""
        return sum(option.held * part for _, option, _, part in self._options())


def _ticks(seconds: float) -> int:
    return int(seconds * _TICKS_PER_S)
