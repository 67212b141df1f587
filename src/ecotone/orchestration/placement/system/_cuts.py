"""What a placement that breaks a bound teaches about others: everything that is surely as bad is excluded with it.

Called by the search when the formulation alone cannot tell. A bound's time only grows with what its resources are
asked, with fewer copies of them and with more components counted; so as much as can be left out of the reason, while
the bound stays broken, is left out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from ecotone.orchestration.placement.system.evaluate import bound_time_s, demands_of
from ecotone.orchestration.placement.system.laws import Demand
from ecotone.orchestration.placement.system.model import Placement

if TYPE_CHECKING:
    from ecotone.orchestration.placement.system.flows import Flows
    from ecotone.orchestration.placement.system.model import Bound

__all__ = ["LOAD", "Cut", "cut_of"]

LOAD = 10**6
"""Parts of a busy copy in the formulation, which rounds loads down."""
_SLACK = 1e-9


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A reason why a bound is broken: these components deployed on these resources, which have no more copies and are
    asked no less than this. Resources that `copies` or `demands` do not name may have all their copies, and nothing
    else to do."""

    deployments: dict[str, str]
    resources: dict[str, tuple[str, ...]]
    copies: dict[str, int]
    demands: dict[str, Demand]


def cut_of(flows: Flows, bound: Bound, placement: Placement) -> Cut | None:
    """The cut of a placement that breaks `bound`; None where it does so by less than the formulation can tell."""
    lifting = _Lifting(flows, bound, placement)
    return lifting.cut() if lifting.is_broken() else None


class _Lifting:
    def __init__(self, flows: Flows, bound: Bound, placement: Placement) -> None:
        self._flows = flows
        self._bound = bound
        self._placement = placement
        self._copies = dict(placement.copies)
        partitions = sum(len(where) for where in placement.resources.values())
        self._demands = {name: _rounded(each, partitions) for name, each in demands_of(flows, placement).items()}
        self._ignored: set[str] = set()

    def is_broken(self) -> bool:
        placement = msgspec.structs.replace(self._placement, copies=self._copies)
        time_s = bound_time_s(self._flows, placement, self._bound, self._demands, self._ignored)
        return time_s > self._bound.limit_s * (1 + _SLACK)

    def cut(self) -> Cut:
        for name in self._bound.components:
            self._ignored.add(name)
            if not self.is_broken():
                self._ignored.remove(name)
        counted = [name for name in self._bound.components if name not in self._ignored]
        used = sorted({where for name in counted for where in self._placement.resources[name]})
        lasting = [name for name in used if self._flows.resources[name].kind != "serverless"]
        copies = {name: self._copies[name] for name in lasting if not self._with_all_copies(name)}
        own = demands_of(self._flows, self._placement, counted)
        demands = {name: self._demands[name] for name in lasting if not self._with_demand(name, own[name])}
        return Cut(
            deployments={name: self._placement.deployments[name] for name in counted},
            resources={name: self._placement.resources[name] for name in counted},
            copies=copies,
            demands=demands,
        )

    def _with_all_copies(self, name: str) -> bool:
        before = self._copies[name]
        self._copies[name] = self._flows.resources[name].copies_max
        if self.is_broken():
            return True
        self._copies[name] = before
        return False

    def _with_demand(self, name: str, own: Demand) -> bool:
        before = self._demands[name]
        self._demands[name] = own
        if self.is_broken():
            return True
        self._demands[name] = before
        return False


def _rounded(demand: Demand, partitions: int) -> Demand:
    """What the formulation is sure of: it rounds each of the partitions' shares down."""
    return Demand(
        rate_per_s=demand.rate_per_s,
        load=_whole(demand.load, partitions),
        load2=_whole(demand.load2, partitions),
        load3=_whole(demand.load3, partitions),
    )


def _whole(load: float, partitions: int) -> float:
    return max(0, math.floor(LOAD * load) - partitions) / LOAD
