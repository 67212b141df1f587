"""An event simulation of one assignment: items through queues, replicas, shared cores and links.

Textbook formulas assume random arrivals; cameras and timers are regular, and stages in tandem pass that regularity on,
so the formulas overestimate waiting badly. Service times come in as tables indexed by the number of the item, so two
assignments differ only by what they decide (common random numbers), and the same input gives the same output.

Rules: handling is not interrupted; a replica handles one item (or batch) at a time in order of arrival; it needs its
cores of its node while it computes, all of them at once, first come first served; items are dealt evenly over the nodes
of a component's replicas; a link sends one object after the other in each direction. Called by `_queueing` only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import floor, inf
from typing import Any

__all__ = ["Result", "Server", "Simulation", "Source", "Stage", "Step"]

Mark = tuple[int, int, float]
"""On its way along a path: which path, how many of its components are done, when the first of them started."""
Entry = tuple[float, int, "tuple[Mark, ...]", "list[Entry] | None"]
"""Something to handle: when it arrived, its number, its marks, and the items of a batch or period."""

_SOURCE, _ARRIVE, _DONE, _CORE, _TIMER, _TICK = range(6)


@dataclass(slots=True, eq=False)
class Stage:
    """One component. `roles`: its place in each path it belongs to, by path; `begins`: paths that start here."""

    index: int
    consumers: tuple[int, ...] = ()
    outputs_per_input: float = 1.0
    joined_inputs: int = 0
    period_s: float = 0.0
    batch_max: int = 0
    batch_wait_s: float = 0.0
    batch_profiled: float = 1.0
    roles: dict[int, int] = field(default_factory=dict[int, int])
    begins: tuple[int, ...] = ()
    size_bytes: list[float] = field(default_factory=list[float])
    hop_s: list[float] = field(default_factory=list[float])
    warm: int = 0
    deal: tuple[int, ...] = ()
    """Servers, one entry for each replica; empty for a stage fused behind another."""


@dataclass(slots=True, eq=False)
class Step:
    """What a server does for one stage: seconds of computing and of waiting, by item number."""

    stage: int
    computing_s: list[float]
    wait_s: list[float]


@dataclass(slots=True, eq=False)
class Server:
    """The equal replicas of one stage on one node, with one queue; further steps are stages fused behind it. Each
    replica holds so many `cores` while it computes, at most all of the node."""

    node: int
    steps: tuple[Step, ...]
    idle: int
    cores: int = 1
    queue: deque[Entry] = field(default_factory=deque[Entry])
    wants_core: bool = False


@dataclass(slots=True, frozen=True)
class Source:
    """Items that come from outside: at `times_s`, into `stage`."""

    stage: int
    times_s: list[float]


@dataclass(slots=True, eq=False)
class _Node:
    """`releases` has one entry for each core that is taken: when it is free again."""

    free: int
    contended: bool
    releases: list[float] = field(default_factory=list[float])
    wake_at: float = inf
    waiting: deque[Server] = field(default_factory=deque["Server"])

    def take(self, now: float, cores: int, *, is_its_turn: bool = False) -> bool:
        """So many cores, unless there are fewer, or someone who waits for more than there are came before."""
        while self.releases and self.releases[0] <= now:
            heappop(self.releases)
            self.free += 1
        is_behind = bool(self.waiting) and self.waiting[0].cores > self.free and not is_its_turn
        if self.free < cores or is_behind:
            return False
        self.free -= cores
        return True


@dataclass(slots=True)
class Result:
    """Per stage and per path what every counted item met, and sums for means."""

    responses: list[list[float]]
    waited_s: list[float]
    link_s: list[float]
    arrived: list[int]
    path_s: list[list[float]]
    path_numbers: list[list[int]]


class Simulation:
    """One run, used once.

    `routes[a][b]` are (link direction, latency, seconds per byte) between nodes; `paths` holds
    for each path how many components it names, and the first item number that counts. Not `contended`: as if everyone
    had replicas, cores and links to themselves.
    """

    def __init__(
        self,
        *,
        stages: list[Stage],
        servers: list[Server],
        cores: list[int],
        routes: list[list[tuple[tuple[int, float, float], ...]]],
        paths: list[tuple[int, int]],
        turnaround_s: float,
        hop_s_per_byte: float = 0.0,
        contended: bool = True,
    ) -> None:
        demand = [0] * len(cores)
        for server in servers:
            demand[server.node] += server.idle * server.cores
        self._contended = contended
        self._stages = stages
        self._servers = servers
        self._nodes = [_Node(free=count, contended=contended and demand[at] > count) for at, count in enumerate(cores)]
        self._routes = routes
        self._path_lengths = [length for length, _ in paths]
        self._path_warm = [warm for _, warm in paths]
        self._turnaround_s = turnaround_s
        self._hop_s_per_byte = hop_s_per_byte
        self._events: list[tuple[float, int, int, Any, Any]] = []
        self._sequence = 0
        self._link_free: dict[int, float] = {}
        self._joining: dict[tuple[int, int], tuple[int, tuple[Mark, ...]]] = {}
        self._collected: dict[int, list[Entry]] = {stage.index: [] for stage in stages if stage.period_s}
        count = len(stages)
        self.result = Result(
            responses=[[] for _ in range(count)],
            waited_s=[0.0] * count,
            link_s=[0.0] * count,
            arrived=[0] * count,
            path_s=[[] for _ in paths],
            path_numbers=[[] for _ in paths],
        )

    def run(self, sources: list[Source], horizon_s: float) -> Result:
        """Everything that arrives before `horizon_s`, until all of it is handled."""
        for source in sources:
            self._push(source.times_s[0], _SOURCE, source, 0)
        for stage in self._stages:
            if stage.period_s:
                self._push(stage.period_s * 0.5, _TICK, stage, (0, horizon_s))
        events = self._events
        while events:
            now, _, code, what, detail = heappop(events)
            if code == _ARRIVE:
                self._arrive(now, what, detail)
            elif code == _DONE:
                self._done(now, what, detail)
            elif code == _SOURCE:
                self._arrive(now, self._stages[what.stage], (now, detail, (), None))
                if detail + 1 < len(what.times_s):
                    self._push(what.times_s[detail + 1], _SOURCE, what, detail + 1)
            elif code == _CORE:
                self._core_free(now, what)
            elif code == _TIMER:
                self._start_ready(what, now)
            else:
                self._tick(now, what, *detail)
        return self.result

    def _push(self, at: float, code: int, what: object, detail: object) -> None:
        self._sequence += 1
        heappush(self._events, (at, self._sequence, code, what, detail))

    def _arrive(self, now: float, stage: Stage, entry: Entry) -> None:
        if stage.period_s and entry[3] is None:
            self._collected[stage.index].append(entry)
            return
        if stage.joined_inputs:
            key = stage.index, entry[1]
            seen, marks = self._joining.pop(key, (0, ()))
            if seen + 1 < stage.joined_inputs:
                self._joining[key] = seen + 1, marks + entry[2]
                return
            furthest = {mark[0]: mark for mark in sorted(marks + entry[2], key=lambda mark: mark[1])}
            entry = (now, entry[1], tuple(furthest.values()), None)
        server = self._servers[stage.deal[entry[1] % len(stage.deal)]]
        server.queue.append(entry)
        self._start_ready(server, now)

    def _tick(self, now: float, stage: Stage, number: int, horizon_s: float) -> None:
        items, self._collected[stage.index] = self._collected[stage.index], []
        marks = {mark[0]: mark for item in reversed(items) for mark in item[2]}
        self._arrive(now, stage, (now, number, tuple(marks.values()), items))
        if now + stage.period_s < horizon_s:
            self._push(now + stage.period_s, _TICK, stage, (number + 1, horizon_s))

    def _start_ready(self, server: Server, now: float, *, is_its_turn: bool = False) -> None:
        """Start what has an item, an idle replica and its cores. `is_its_turn`: nobody waits for cores before it."""
        queue = server.queue
        node = self._nodes[server.node]
        stage = self._stages[server.steps[0].stage]
        while queue and server.idle:
            if stage.batch_max and len(queue) < stage.batch_max:
                due = queue[0][0] + stage.batch_wait_s
                if due > now:
                    self._push(due, _TIMER, server, None)
                    return
            if node.contended and not node.take(now, server.cores, is_its_turn=is_its_turn):
                if not server.wants_core:
                    server.wants_core = True
                    node.waiting.append(server)
                self._wake(node)
                return
            is_its_turn = False
            server.idle -= self._contended
            if stage.batch_max:
                items = [queue.popleft() for _ in range(min(len(queue), stage.batch_max))]
                self._start(server, now, node, (items[0][0], items[0][1], (), items))
            else:
                self._start(server, now, node, queue.popleft())

    def _wake(self, node: _Node) -> None:
        if node.releases[0] < node.wake_at:
            node.wake_at = node.releases[0]
            self._push(node.wake_at, _CORE, node, None)

    def _core_free(self, now: float, node: _Node) -> None:
        if now >= node.wake_at:
            node.wake_at = inf
        while node.waiting and node.take(now, node.waiting[0].cores, is_its_turn=True):
            server = node.waiting.popleft()
            node.free += server.cores  # only looked: the server takes them itself
            server.wants_core = False
            self._start_ready(server, now, is_its_turn=True)
        if node.waiting:
            self._wake(node)

    def _start(self, server: Server, now: float, node: _Node, entry: Entry) -> None:
        """Handling is not interrupted, so all that will happen to the entry here is known now."""
        end = now
        core_until = now
        copies = 1
        outputs = [entry]
        for step in server.steps:
            stage = self._stages[step.stage]
            number = entry[1]
            factor = copies * self._batch_factor(stage, entry)
            computing = step.computing_s[number % len(step.computing_s)] * factor
            core_until = end + computing
            begun, end = end, end + computing + step.wait_s[number % len(step.wait_s)] * factor
            outputs = self._handled(stage, outputs, begun, end)
            copies = len(outputs)
            if not copies:
                break
        if node.contended:
            for _ in range(server.cores):
                heappush(node.releases, core_until)
        self._push(end + self._turnaround_s, _DONE, server, (end, outputs))

    def _batch_factor(self, stage: Stage, entry: Entry) -> float:
        if not stage.batch_max or entry[3] is None:
            return 1.0
        return max(1.0, len(entry[3]) / stage.batch_profiled)

    def _handled(self, stage: Stage, entries: list[Entry], begun: float, end: float) -> list[Entry]:
        """Record what the entries met at `stage`; returns what it emits for them."""
        result = self.result
        index = stage.index
        outputs: list[Entry] = []
        for whole in entries:
            is_batch = stage.batch_max > 0 and whole[3] is not None
            for arrived, number, marks, items in whole[3] or () if is_batch else (whole,):
                for came, counted, _, _ in ((arrived, number, (), None),) if items is None else items:
                    if counted >= stage.warm:
                        result.responses[index].append(end - came)
                        result.waited_s[index] += begun - came
                if items and stage.roles:
                    for item in items:
                        self._along_paths(stage, item[1], item[2], begun, end)
                if stage.roles:
                    marks = self._along_paths(stage, number, marks, begun, end, record=not items)  # noqa: PLW2901
                per_input = stage.outputs_per_input
                count = 1 if per_input == 1.0 else floor((number + 1) * per_input) - floor(number * per_input)
                outputs.extend([(end, number, marks, None)] * count)
        return outputs

    def _along_paths(
        self, stage: Stage, number: int, marks: tuple[Mark, ...], begun: float, end: float, *, record: bool = True
    ) -> tuple[Mark, ...]:
        roles = stage.roles
        kept: list[Mark] = []
        for path, done, start in marks + tuple((path, 0, begun) for path in stage.begins):
            if roles.get(path, -1) != done:
                kept.append((path, done, start))
            elif done + 1 < self._path_lengths[path]:
                kept.append((path, done + 1, start))
            elif record and number >= self._path_warm[path]:
                self.result.path_s[path].append(end - start)
                self.result.path_numbers[path].append(number)
        return tuple(kept)

    def _done(self, now: float, server: Server, detail: tuple[float, list[Entry]]) -> None:
        end, outputs = detail
        stage = self._stages[server.steps[-1].stage]
        server.idle += self._contended
        for output in outputs:
            sent: dict[int, float] = {}
            copied_s = self._hop_s_per_byte * stage.size_bytes[output[1] % len(stage.size_bytes)]
            for consumer in stage.consumers:
                target = self._stages[consumer]
                ready = self._transferred(end, server.node, target, output[1], sent, stage.size_bytes)
                self.result.link_s[consumer] += ready - end
                self.result.arrived[consumer] += 1
                at = max(now, ready + copied_s + target.hop_s[output[1] % len(target.hop_s)])
                self._push(at, _ARRIVE, target, (at, output[1], output[2], None))
        self._start_ready(server, now)

    def _transferred(  # noqa: PLR0917  (the innermost call: keywords would cost a tenth of the run)
        self, end: float, node: int, target: Stage, number: int, sent: dict[int, float], sizes: list[float]
    ) -> float:
        """When an output is on the node where `target` takes it; `sent` holds the nodes that have it already."""
        receiver = self._servers[target.deal[number % len(target.deal)]].node
        ready = sent.get(receiver)
        if ready is None:
            size = sizes[number % len(sizes)]
            ready = end
            for link, latency_s, s_per_byte in self._routes[node][receiver]:
                free = max(ready, self._link_free.get(link, -inf)) + size * s_per_byte
                if self._contended:
                    self._link_free[link] = free
                ready = free + latency_s
            sent[receiver] = ready
        return ready
