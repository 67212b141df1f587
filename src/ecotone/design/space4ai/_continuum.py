"""Resources and networks of a description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.core.problems import did_you_mean
from ecotone.design.space4ai._modes import KINDS, MB, Reading
from ecotone.design.space4ai._tree import MEMORY_MAX_MB, TIME_MAX_S, Path, Tree, shown
from ecotone.orchestration.placement.system.model import Domain, Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ContinuumReader"]

_IGNORED = "transition_cost"
"""Stands among serverless resources or their layers; no cost of theirs contains it."""
_JOINED = ("computationallayers", "computationalLayers")
"""The layers of a network, as the Python and the C++ code spell them."""
_POWER = ("idle_power_w", "busy_power_w")
"""Keys of ours, of one copy."""
_POWER_MAX_W = 1e6
_PRICE_MAX = 1e4
_BANDWIDTH_MAX = 1e12
_COPIES_MAX = 1000
_PERIOD_MAX = 1e6


class ContinuumReader:
    """`resources` by name, and `layers` with the part of the document that they are in, once `read` was called;
    `complete`: none of them was left out because of mistakes, so that another name is a mistake of its own."""

    def __init__(self, tree: Tree, reading: Reading) -> None:
        self._tree = tree
        self._reading = reading
        self.resources: dict[str, Resource] = {}
        self.layers: dict[str, str] = {}
        self.complete = True

    def read(self) -> None:
        tree = self._tree
        period = tree.number(("Time",), positive=True, most=_PERIOD_MAX, default=1.0) or 1.0
        edge_share = tree.number(("EnergyCostPct",), most=_PERIOD_MAX, default=1.0)
        for key, kind in KINDS.items():
            factor = period * (edge_share if kind == "edge" and edge_share is not None else 1.0)
            before = tree.mistakes.count
            for layer in tree.names((key,)):
                if layer == _IGNORED:
                    continue
                if layer in self.layers:
                    tree.note((key, layer), "repeated-name", f"the layer {layer} is in {self.layers[layer]} already")
                    continue
                self.layers[layer] = key
                names = tree.names((key, layer))
                self.complete = self.complete and tree.mistakes.count == before
                for name in names:
                    if name != _IGNORED:
                        self._read_resource((key, layer, name), kind, factor)
                before = tree.mistakes.count
            self.complete = self.complete and tree.mistakes.count == before
        if not self.resources and self.complete:
            self.complete = False
            text = "there are no resources; describe EdgeResources, CloudResources or FaaSResources"
            tree.note((), "empty-continuum", text)

    def _read_resource(self, path: tuple[str, str, str], kind: Kind, factor: float) -> None:
        tree, (_, layer, name) = self._tree, path
        if name in self.resources:
            text = f"there is another resource {name}, in {self.resources[name].layer}"
            tree.note(path, "repeated-name", text)
            return
        is_serverless = kind == "serverless"
        if not tree.is_object(path):
            # Known, so that whatever speaks of it is no mistake, too.
            self.resources[name] = Resource(name=name, kind=kind, layer=layer, price_eur_per_h=0.0, memory_bytes=0.0)
            return
        tree.expect(path, ("cost", "memory", "idle_time_before_kill" if is_serverless else "number"))
        price = tree.number((*path, "cost"), most=_PRICE_MAX)
        memory = tree.number((*path, "memory"), positive=True, most=MEMORY_MAX_MB)
        copies = 1 if is_serverless else tree.whole((*path, "number"), most=_COPIES_MAX)
        idle = 600.0
        if is_serverless:
            idle = tree.number((*path, "idle_time_before_kill"), positive=True, most=TIME_MAX_S)
        idle_w, busy_w = (0.0, 0.0) if is_serverless else (self._power(path, key) for key in _POWER)
        self.resources[name] = Resource(
            name=name,
            kind=kind,
            layer=layer,
            price_eur_per_h=(price or 0.0) * factor,
            copies_max=copies or 0,
            memory_bytes=(memory or 0.0) * MB,
            idle_s=idle or 600.0,
            idle_w=idle_w,
            busy_w=busy_w,
        )

    def _power(self, path: tuple[str, str, str], key: str) -> float:
        return self._tree.number((*path, key), most=_POWER_MAX_W, default=0.0) or 0.0

    def domains(self) -> Iterator[Domain]:
        tree, joined = self._tree, set[str]()
        before = tree.mistakes.count
        for name in tree.names(("NetworkTechnology",)):
            path = ("NetworkTechnology", name)
            if not tree.is_object(path):
                continue
            tree.expect(path, ("AccessDelay", "Bandwidth", *(() if tree.has((*path, _JOINED[1])) else _JOINED[:1])))
            layers = self._joined((*path, next((key for key in _JOINED if tree.has((*path, key))), _JOINED[0])))
            joined |= layers
            delay = tree.number((*path, "AccessDelay"), most=TIME_MAX_S)
            bandwidth = tree.number((*path, "Bandwidth"), positive=True, most=_BANDWIDTH_MAX)
            if delay is not None and bandwidth is not None:
                rate = bandwidth * MB / self._reading.bits_per_byte
                yield Domain(name=name, layers=frozenset(layers), delay_s=delay, bandwidth_bytes_per_s=rate)
        if len(self.resources) > 1 and self.complete and tree.mistakes.count == before:
            for layer in sorted({each.layer for each in self.resources.values()} - joined):
                text = f"no network joins {layer}: what runs there reaches nothing else"
                tree.note(("NetworkTechnology",), "no-network", text, "name it in computationallayers")

    def _joined(self, path: Path) -> set[str]:
        found: set[str] = set()
        for at, layer in enumerate(self._tree.texts(path)):
            if layer is None:
                continue
            if layer in self.layers:
                found.add(layer)
            elif self.complete:
                hint = did_you_mean(layer, self.layers)
                self._tree.note((*path, at), "unknown-layer", f"there is no layer {shown(layer)}", hint)
        return found
