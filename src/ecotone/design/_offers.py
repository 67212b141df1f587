"""Whether the continuum has a node for each component: the rules across application and continuum.

Called by `check`. Each requirement is judged alone first, so that the message can name the one that nothing meets and
the nearest miss; only then all together. What depends on profiling (time, cost, energy) is for placement to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ecotone.core.units import Dimension, format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ecotone.core.application import Accelerator, Requirements
    from ecotone.core.continuum import Continuum, Node
    from ecotone.design._keywords import Draft
    from ecotone.design._written import Mistakes

__all__ = ["check_offers"]


class _Need(msgspec.Struct, frozen=True):
    """One requirement: the keyword it comes from, how to test a node, and what to say when none passes."""

    keyword: str
    shown: str
    meets: Callable[[Node], bool]
    nearest: Callable[[Sequence[Node]], str]


def check_offers(
    drafts: Sequence[Draft], private: dict[str, frozenset[str]], continuum: Continuum, mistakes: Mistakes
) -> None:
    """`private` are the layers in which each component's inputs may be, for those that take private data."""
    nodes = _one_of_each(continuum)
    for draft in drafts:
        needs = _needs(draft, private.get(draft.component.name))
        unmet = [need for need in needs if not any(need.meets(node) for node in nodes)]
        for need in unmet:
            message = f"{need.keyword}: no node of {continuum.name} has {need.shown}"
            mistakes.add(draft.place_of(need.keyword), f"no-{_CODES[need.keyword]}", message, need.nearest(nodes))
        judged = not unmet and draft.fields.known(*_CODES)
        if judged and not any(all(need.meets(node) for need in needs) for node in nodes):
            _report_combination(draft, needs, nodes, continuum, mistakes)


_CODES = {
    "layers": "such-layer", "regions": "such-region", "labels": "such-label", "accelerators": "such-accelerator",
    "memory": "such-memory", "confidential": "attested-site", "private": "such-layer", "on": "such-layer",
}  # fmt: skip


def _one_of_each(continuum: Continuum) -> list[Node]:
    """A node of each type: the others are equal."""
    found: dict[tuple[str, str], Node] = {}
    for node in continuum.nodes:
        found.setdefault((node.site, node.type.name), node)
    return list(found.values())


def _needs(draft: Draft, private: frozenset[str] | None) -> list[_Need]:
    requirements = draft.component.requirements
    needs = [*_place_needs(requirements), *_node_needs(requirements)]
    if private is not None:
        allowed = private
        shown = f"the layer {' or '.join(sorted(private))}, where the private data that it takes may be"
        needs.append(_Need("on", shown, lambda node: node.layer in allowed, _list_of("layers", lambda n: n.layer)))
    own = requirements.private
    if own is not None:
        shown = f"the layer {' or '.join(own)}, where its private output may be"
        needs.append(_Need("private", shown, lambda node: node.layer in own, _list_of("layers", lambda n: n.layer)))
    return needs


def _place_needs(requirements: Requirements) -> list[_Need]:
    needs: list[_Need] = []
    if requirements.layers:
        shown = f"the layer {' or '.join(requirements.layers)}"
        layers = requirements.layers
        needs.append(_Need("layers", shown, lambda node: node.layer in layers, _list_of("layers", lambda n: n.layer)))
    if requirements.regions:
        regions = requirements.regions
        shown = f"the region {' or '.join(regions)}"
        needs.append(
            _Need(
                "regions",
                shown,
                lambda node: any(in_region(node.region, each) for each in regions),
                _list_of("regions", lambda n: n.region),
            )
        )
    for key, value in requirements.labels.items():
        needs.append(_label_need(key, value))
    if requirements.confidential:
        needs.append(
            _Need(
                "confidential",
                "an attested site",
                lambda node: node.attested,
                lambda _: "declare trust: {attested: true} for a site that is",
            )
        )
    return needs


def _label_need(key: str, value: str) -> _Need:
    def nearest(nodes: Sequence[Node]) -> str:
        others = sorted({node.type.labels[key] for node in nodes if key in node.type.labels})
        return f"there is {key}: {', '.join(others)}" if others else f"no node has a label {key}"

    return _Need("labels", f"the label {key}: {value}", lambda node: node.type.labels.get(key) == value, nearest)


def in_region(region: str, pattern: str) -> bool:
    """Whether a node's region is the one wanted; a pattern may end in `*`."""
    return region.startswith(pattern[:-1]) if pattern.endswith("*") else region == pattern


def _node_needs(requirements: Requirements) -> list[_Need]:
    needs = [_accelerator_need(each) for each in requirements.accelerators]
    memory_bytes = requirements.memory_bytes
    if memory_bytes is not None:

        def largest(nodes: Sequence[Node]) -> str:
            node = max(nodes, key=lambda each: each.type.memory_bytes)
            return f"the most is {format_quantity(node.type.memory_bytes, Dimension.SIZE)}, on {node.name}"

        shown = format_quantity(memory_bytes, Dimension.SIZE)
        needs.append(_Need("memory", shown, lambda node: node.type.memory_bytes >= memory_bytes, largest))
    return needs


def _accelerator_need(wanted: Accelerator) -> _Need:
    memory = f" of {format_quantity(wanted.memory_bytes, Dimension.SIZE)}" if wanted.memory_bytes else ""

    def meets(node: Node) -> bool:
        fitting = (each for each in node.type.devices
                   if each.kind == wanted.kind and each.memory_bytes >= wanted.memory_bytes)  # fmt: skip
        return sum(each.count for each in fitting) >= wanted.count

    def nearest(nodes: Sequence[Node]) -> str:
        there = [(each, node) for node in nodes for each in node.type.devices if each.kind == wanted.kind]
        if not there:
            kinds = sorted({each.kind for node in nodes for each in node.type.devices})
            return f"there are {', '.join(kinds)}" if kinds else "no node has any device"
        device, node = max(there, key=lambda each: (each[0].memory_bytes, each[0].count))
        size = format_quantity(device.memory_bytes, Dimension.SIZE)
        return f"{node.name} has {device.count} {device.kind} of {size}"

    return _Need("accelerators", f"{wanted.count} {wanted.kind}{memory}", meets, nearest)


def _list_of(what: str, value: Callable[[Node], str]) -> Callable[[Sequence[Node]], str]:
    def nearest(nodes: Sequence[Node]) -> str:
        return f"its {what}: {', '.join(sorted({value(node) or '(none)' for node in nodes}))}"

    return nearest


def _report_combination(
    draft: Draft, needs: Sequence[_Need], nodes: Sequence[Node], continuum: Continuum, mistakes: Mistakes
) -> None:
    """Each need is met somewhere, but not all in one place: name the node that misses least."""
    node = min(nodes, key=lambda each: sum(not need.meets(each) for need in needs))
    missed = [need for need in needs if not need.meets(node)]
    lacking = " and ".join(need.shown for need in missed)
    wanted = "; ".join(need.shown for need in needs)
    message = f"no node of {continuum.name} has all that {draft.component.name} needs: {wanted}"
    hint = f"{node.name} comes nearest, without {lacking}"
    mistakes.add(draft.place_of(missed[0].keyword), "no-such-node", message, hint)
