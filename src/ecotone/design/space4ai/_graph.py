"""The graph of a description: what follows each component, how often, and an order of all."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

from ecotone.core.problems import did_you_mean
from ecotone.design.space4ai._tree import Tree, shown
from ecotone.orchestration.placement.system.model import Successor

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GraphReader"]


class GraphReader:
    """`successors` of each component, once `read` was called; of those in `unsure` there were mistakes."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.successors: dict[str, tuple[Successor, ...]] = {}
        self.unsure: set[str] = set()

    def read(self) -> list[str]:
        """Fills `successors`; the names of the components in an order in which successors come later, which is the
        file's own where it is one."""
        tree = self._tree
        nodes, described = tree.names(("DirectedAcyclicGraph",)), tree.names(("Components",))
        targets = {target for node in nodes for target in self._targets(node)}
        # What nothing follows may be left out of the graph: some of their tools do.
        known = nodes + [name for name in described if name not in nodes and (name in targets or not nodes)]
        for name in described:
            if name not in known:
                text = f"component {name} is not in the graph"
                tree.note(("Components", name), "unknown-component", text, did_you_mean(name, nodes))
        for name in nodes:
            if name not in described:
                text, hint = f"{name} is not in Components", did_you_mean(name, described)
                tree.note(("DirectedAcyclicGraph", name), "unknown-component", text, hint)
        if not known and tree.has(("Components",)):
            tree.note(("Components",), "no-component", "there are no components")
        for name in known:
            before = tree.mistakes.count
            self.successors[name] = tuple(self._after(name, known)) if name in nodes else ()
            if tree.mistakes.count > before:
                self.unsure.add(name)
        return self._ordered(known)

    def _targets(self, node: str) -> list[str]:
        found = self._tree.get(("DirectedAcyclicGraph", node, "next"))
        return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []

    def _ordered(self, names: list[str]) -> list[str]:
        place = {name: at for at, name in enumerate(names)}
        waiting = dict.fromkeys(names, 0)
        for each in (successor for successors in self.successors.values() for successor in successors):
            waiting[each.component] += 1
        ready = [place[name] for name, count in waiting.items() if count == 0]
        order: list[str] = []
        while ready:
            order.append(names[heapq.heappop(ready)])
            for successor in self.successors[order[-1]]:
                waiting[successor.component] -= 1
                if waiting[successor.component] == 0:
                    heapq.heappush(ready, place[successor.component])
        left = [name for name in names if waiting[name] > 0]
        if left:
            cycle = self._cycle(left)
            text = f"there is a cycle: {' → '.join([*cycle, cycle[0]])}"
            self._tree.note(("DirectedAcyclicGraph", cycle[0]), "cycle", text)
        return order + left

    def _cycle(self, left: list[str]) -> list[str]:
        """One cycle among components of which each comes after another of them."""
        before = {each.component: name for name in reversed(left) for each in self.successors[name]}
        path = [left[0]]
        while before[path[-1]] not in path:
            path.append(before[path[-1]])
        cycle = path[path.index(before[path[-1]]) :][::-1]
        first = cycle.index(min(cycle, key=left.index))
        return cycle[first:] + cycle[:first]

    def _after(self, name: str, known: list[str]) -> Iterator[Successor]:
        tree, path = self._tree, ("DirectedAcyclicGraph", name)
        if not tree.is_object(path):
            return
        tree.expect(path, ("next", "transition_probability"))
        following = tree.texts((*path, "next"))
        chances = tree.list_((*path, "transition_probability"))
        if len(following) != len(chances) and isinstance(tree.get((*path, "transition_probability")), list):
            text = f"{name}: {len(following)} in next, {len(chances)} in transition_probability; each needs one"
            tree.note(path, "wrong-length", text)
        total, seen = 0.0 if len(following) == len(chances) else math.nan, set[str]()
        for at, target in enumerate(following):
            chance = None
            if at < len(chances):
                chance = tree.number((*path, "transition_probability", at), most=1.0)
            total += math.nan if chance is None else chance
            place = (*path, "next", at)
            if target is None:
                continue
            if target in seen:
                tree.note(place, "repeated-name", f"{name} goes on to {target} twice")
            elif target not in known:
                text = f"{name} goes on to {shown(target)}, which is no component"
                tree.note(place, "unknown-component", text, did_you_mean(target, known))
            else:
                seen.add(target)
                yield Successor(component=target, probability=chance or 0.0)
        if following and abs(total - 1.0) > 1e-6:
            text = f"the probabilities after {name} sum to {total:.6g}, not to 1"
            tree.note((*path, "transition_probability"), "probabilities", text)
