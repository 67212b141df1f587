"""A system to be placed, as plain values: components with alternative deployments, resources that they share, bounds.

Readers and the generator make a `System`; the evaluator, the solver, the simulation and the baseline work on it.
Seconds, bytes, EUR/h, requests per second; nothing here decides or computes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "MEAN",
    "PERCENTILE_MIN",
    "Bound",
    "Component",
    "Copies",
    "Deployment",
    "Domain",
    "Goal",
    "Kind",
    "Law",
    "Option",
    "Partition",
    "Placement",
    "Resource",
    "Semantics",
    "Starts",
    "Successor",
    "System",
]

Kind = Literal["edge", "vm", "serverless"]
Law = Literal["ps", "mm1", "mg1", "mmc"]
"""How a resource with several copies answers: `ps` M/G/1 processor sharing and `mm1` M/M/1 first come first served,
each copy with an equal share of the requests; `mg1` the same with the resource's own variation of services; `mmc` one
queue for all copies. Serverless resources have their own."""

Starts = Literal["parallel", "queued"]
"""How instances of a serverless function start: `parallel` whenever a request finds none free; `queued` each after the
one before, which is what pacsltk computes, and so the published figures."""

MEAN = 0.0
"""The `percentile` of a bound on a mean."""

PERCENTILE_MIN = 80.0
"""Below it a percentile may fall when times spread more, and nothing could be proven by what is surely worse."""


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Resource(_Frozen, frozen=True, kw_only=True):
    """A type of machine, of which up to `copies_max` equal ones may be taken, or a serverless function.

    Attributes:
        price_eur_per_h: of one copy that is taken, busy or not; of a serverless function for an hour of being busy.
        memory_bytes: of one copy.
        service_cv2: squared coefficient of variation of the service times, for `mg1`.
        idle_s: how long a serverless instance is kept without work.
        busy_w, idle_w: power of one copy.
        region, attested: for the components' rules.
    """

    name: str
    kind: Kind
    layer: str
    price_eur_per_h: float
    copies_max: int = 1
    memory_bytes: float
    law: Law = "ps"
    service_cv2: float = 1.0
    idle_s: float = 600.0
    idle_w: float = 0.0
    busy_w: float = 0.0
    region: str = ""
    attested: bool = False

    @property
    def cv2(self) -> float:
        """Squared coefficient of variation of its services: exponential, unless it says otherwise."""
        return self.service_cv2 if self.law == "mg1" else 1.0


class Option(_Frozen, frozen=True, kw_only=True):
    """A resource that a partition may run on. `service_s`: mean of one call, warm where serverless; `cold_s`: then of a
    call that has to start an instance, None if it takes no longer. `memory_bytes`: of the partition there."""

    resource: str
    service_s: float
    memory_bytes: float
    cold_s: float | None = None

    @property
    def starting_s(self) -> float:
        """Mean of a call that has to start an instance."""
        return self.service_s if self.cold_s is None else self.cold_s


class Partition(_Frozen, frozen=True, kw_only=True):
    """One step of a deployment. `exit_probability`: that what reaches it goes no further within its component;
    `output_bytes`: what it hands to the next partition."""

    name: str
    options: tuple[Option, ...]
    exit_probability: float = 0.0
    output_bytes: float = 0.0


class Successor(_Frozen, frozen=True, kw_only=True):
    """An edge of the graph: with `probability` a request goes on to `component`."""

    component: str
    probability: float


class Deployment(_Frozen, frozen=True, kw_only=True):
    """One way to run a component: a chain of partitions. `output_bytes`: what it hands to each successor."""

    name: str
    partitions: tuple[Partition, ...]
    output_bytes: dict[str, float] = {}
    accuracy: float | None = None


class Component(_Frozen, frozen=True, kw_only=True):
    """A node of the graph, with rules on where it may run: empty and None allow all.

    Attributes:
        layers: where it may run.
        private_layers: where its output may be read; so its successors run there, too, unless it `releases` it.
        regions: exact, or a prefix with `*`.
        accuracy_min: of the chosen deployment.
    """

    name: str
    deployments: tuple[Deployment, ...]
    successors: tuple[Successor, ...] = ()
    layers: frozenset[str] = frozenset()
    private_layers: frozenset[str] = frozenset()
    releases: bool = False
    regions: tuple[str, ...] = ()
    confidential: bool = False
    accuracy_min: float | None = None

    def accepts(self, deployment: Deployment) -> bool:
        """Whether it is known to be accurate enough."""
        least, found = self.accuracy_min, deployment.accuracy
        return least is None or (found is not None and found >= least)


class Domain(_Frozen, frozen=True, kw_only=True):
    """A network that joins layers; between two resources the fastest common one is taken."""

    name: str
    layers: frozenset[str]
    delay_s: float
    bandwidth_bytes_per_s: float


class Bound(_Frozen, frozen=True, kw_only=True):
    """A promise: the response time of one component, or of components that follow each other in the graph, is at most
    `limit_s`, on average (`MEAN`) or at `percentile`, which is from `PERCENTILE_MIN` to below 100."""

    name: str
    components: tuple[str, ...]
    limit_s: float
    percentile: float = MEAN


class Semantics(_Frozen, frozen=True, kw_only=True):
    """Where the published code bases disagree; the defaults are ours.

    Attributes:
        serverless_time_rate, serverless_price_rate: requests that a serverless function answers, and is paid for: those
            that reach the partition, or all that reach its component.
        serverless_starts: of its instances.
        leaving: requests go on to the next component from where they exit, or all, on paper, from the last partition;
            the simulation knows only the first.
        memory_of_copies: a resource of n copies has n times the memory of one.
        shared_serverless_once: a function that several partitions run on is paid for the busiest of them only.
        saturation: a resource may be busy all the time, and then answers never.
        returns: what has gone to a cloud or a function may go on at an edge.
    """

    serverless_time_rate: Literal["partition", "component"] = "partition"
    serverless_price_rate: Literal["partition", "component"] = "partition"
    serverless_starts: Starts = "parallel"
    leaving: Literal["exits", "last"] = "exits"
    memory_of_copies: bool = True
    shared_serverless_once: bool = False
    saturation: bool = False
    returns: bool = False


class System(_Frozen, frozen=True, kw_only=True):
    """What is to be placed. `rates_per_s`: requests that enter from outside, by component; `one_type_layers`: layers in
    which resources of at most one type are taken. Components are in an order in which successors come later."""

    name: str
    components: tuple[Component, ...]
    resources: tuple[Resource, ...]
    domains: tuple[Domain, ...] = ()
    rates_per_s: dict[str, float]
    bounds: tuple[Bound, ...] = ()
    one_type_layers: frozenset[str] = frozenset()
    semantics: Semantics = Semantics()


Copies = dict[str, int]


class Placement(_Frozen, frozen=True, kw_only=True):
    """An answer, by component: which deployment, and the resource of each of its partitions. `copies`: how many of each
    resource are taken, serverless ones aside."""

    deployments: dict[str, str]
    resources: dict[str, tuple[str, ...]]
    copies: Copies


class Goal(_Frozen, frozen=True, kw_only=True):
    """What is to be made least, and what else must hold; the default is the cheapest placement.

    Attributes:
        minimise: the price in EUR/h or the power in W.
        price_max_eur_per_h, power_max_w: of the whole placement, that of moving aside.
        accuracy_min: of every component whose deployments state their accuracy.
        running: the placement from which components are moved, at `moving_eur_per_h` for each one that changes its
            deployment or any of its resources. What a move costs once is divided by the hours for which it pays; it is
            added to the price.
    """

    minimise: Literal["price", "power"] = "price"
    price_max_eur_per_h: float | None = None
    power_max_w: float | None = None
    accuracy_min: float | None = None
    running: Placement | None = None
    moving_eur_per_h: dict[str, float] = {}

    def accepts(self, deployment: Deployment) -> bool:
        """Whether it is not known to be too inaccurate."""
        least, found = self.accuracy_min, deployment.accuracy
        return least is None or found is None or found >= least

    def moved(self, placement: Placement) -> tuple[str, ...]:
        """The components that are not where they run now, in their order."""
        if self.running is None:
            return ()
        return tuple(
            name
            for name, deployment in placement.deployments.items()
            if self.running.deployments.get(name) != deployment
            or self.running.resources.get(name) != placement.resources[name]
        )

    def moving_price_eur_per_h(self, placement: Placement) -> float:
        return sum(self.moving_eur_per_h.get(name, 0.0) for name in self.moved(placement))
