"""The continuum: sites with their nodes and devices, and the links between them.

Built by the continuum reader; read by placement, emulation and the report. Seconds, bytes, EUR, watts.
"""

from __future__ import annotations

import heapq
from itertools import count, pairwise

import msgspec

from ecotone.core.application import Layer
from ecotone.core.calibration import Calibration

__all__ = ["Continuum", "Device", "Link", "Node", "NodeType", "Power", "Site", "Trust"]


class _Frozen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Device(_Frozen, frozen=True, kw_only=True):
    """`count` accelerators of one kind ("gpu", "npu") with `memory_bytes` each."""

    kind: str
    count: int = 1
    memory_bytes: float = 0.0


class Power(_Frozen, frozen=True, kw_only=True):
    """Electrical power of one node: `idle_w` when it does nothing, `busy_w` with all cores busy; between them a
    straight line, or straight lines through the `curve`: (busy share of the cores, watts), both growing."""

    idle_w: float = 0.0
    busy_w: float = 0.0
    curve: tuple[tuple[float, float], ...] = ()

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """The curve with its ends: from (0, idle) to (1, busy)."""
        return ((0.0, self.idle_w), *self.curve, (1.0, max(self.idle_w, self.busy_w)))

    def at_w(self, busy_share: float) -> float:
        """Power when this share of the cores is busy (0 to 1; more counts as 1)."""
        share = min(1.0, max(0.0, busy_share))
        for (low, low_w), (high, high_w) in pairwise(self.points):
            if share <= high:
                return low_w + (high_w - low_w) * (share - low) / (high - low)
        return self.busy_w

    def per_core_w(self, cores: int) -> float:
        """What one more busy core takes, on the average from idle to busy."""
        return max(0.0, self.busy_w - self.idle_w) / cores


class Trust(_Frozen, frozen=True, kw_only=True):
    """What a site declares of itself. `attested`: its nodes can prove what they run (a claim until attestation)."""

    attested: bool = False


class NodeType(_Frozen, frozen=True, kw_only=True):
    """`count` equal nodes. `speed` is the single-thread score relative to the machine that took the samples;
    `calibration` says more of it: how fast it is at each kind of work."""

    name: str
    count: int = 1
    cores: int = 1
    speed: float = 1.0
    memory_bytes: float = 2.0**30
    devices: tuple[Device, ...] = ()
    labels: dict[str, str] = {}
    price_eur_per_h: float = 0.0
    power: Power = Power()
    calibration: Calibration | None = None


class Site(_Frozen, frozen=True, kw_only=True):
    """Nodes in one place under one administration."""

    name: str
    layer: Layer
    region: str = ""
    trust: Trust = Trust()
    node_types: tuple[NodeType, ...]


class Link(_Frozen, frozen=True, kw_only=True):
    """Both directions between two sites: one-way `latency_s`, `bandwidth_bytes_per_s` in each direction."""

    between: tuple[str, str]
    latency_s: float = 0.0
    bandwidth_bytes_per_s: float = 125e6
    price_eur_per_byte: float = 0.0

    @property
    def name(self) -> str:
        return "--".join(self.between)


class Node(_Frozen, frozen=True, kw_only=True):
    """One node: `edge: count 2` makes `edge-1` and `edge-2`, a count of 1 keeps the type's name."""

    name: str
    site: str
    layer: Layer
    region: str
    attested: bool
    type: NodeType


class Continuum(_Frozen, frozen=True, kw_only=True):
    """Where an application can run."""

    name: str
    sites: tuple[Site, ...]
    links: tuple[Link, ...] = ()
    emulated: bool = True

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every single node, in the order of the file."""
        return tuple(
            Node(
                name=kind.name if kind.count == 1 else f"{kind.name}-{number}",
                site=site.name,
                layer=site.layer,
                region=site.region,
                attested=site.trust.attested,
                type=kind,
            )
            for site in self.sites
            for kind in site.node_types
            for number in range(1, kind.count + 1)
        )

    def node(self, name: str) -> Node:
        """Raises KeyError when there is no such node."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def route(self, source: str, target: str) -> tuple[Link, ...] | None:
        """The links from one site to another with the least total latency (then the fewest links); () within a
        site, None when there is no way."""
        if source == target:
            return ()
        order = count()  # equal ways are taken in the order of the file
        queue: list[tuple[float, int, int, str, tuple[Link, ...]]] = [(0.0, 0, next(order), source, ())]
        seen: set[str] = set()
        while queue:
            latency_s, hops, _, here, links = heapq.heappop(queue)
            if here == target:
                return links
            if here in seen:
                continue
            seen.add(here)
            for link in self.links:
                if here in link.between:
                    there = link.between[1] if link.between[0] == here else link.between[0]
                    if there not in seen:
                        step = (latency_s + link.latency_s, hops + 1, next(order), there, (*links, link))
                        heapq.heappush(queue, step)
        return None

    def transfer_s(self, source: str, target: str, size_bytes: float) -> float | None:
        """Time for `size_bytes` from site to site on idle links, bandwidth before latency on each; None: no way."""
        links = self.route(source, target)
        if links is None:
            return None
        return sum(link.latency_s + size_bytes / link.bandwidth_bytes_per_s for link in links)
