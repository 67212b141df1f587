"""The rules that need the whole application: names, inputs, cycles, privacy, paths.

Called by `read` once everything in the file is known. Each rule keeps silent about what depends on a mistake that was
already reported, so that one mistake is one problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ecotone.core.application import Application
from ecotone.core.problems import Place, did_you_mean
from ecotone.design._code import help_line
from ecotone.design._code_rules import check_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.design._keywords import Draft
    from ecotone.design._module import PathDraft, Source
    from ecotone.design._written import Mistakes

__all__ = ["Judged", "check_application"]


class Judged(msgspec.Struct, frozen=True):
    """The application, which holds only if there is no problem; and for each component that certainly takes private
    data the layers in which it may be."""

    application: Application
    private_inputs: dict[str, frozenset[str]]


def check_application(source: Source, mistakes: Mistakes) -> Judged | None:
    """Judge the application as a whole; None when it has no component."""
    drafts = _distinct(source.drafts, mistakes)
    if not source.drafts:
        if not source.misplaced:
            place = Place(source.scope.places.file, 1, 1)
            mistakes.add(place, "no-component", "the application has no component", "decorate one with @component(...)")
        return None
    graph = _Graph(source, drafts)
    graph.check_inputs(mistakes)
    graph.check_cycles(mistakes)
    private_inputs = _check_privacy(graph, mistakes) if graph.is_sound else {}
    _check_paths(source.paths, graph, mistakes)
    check_code(source, {name: graph.inputs(name) for name in drafts}, mistakes)
    application = Application(
        name=source.name,
        components=tuple(each.component for each in source.drafts),
        paths=tuple(each.promise for each in source.paths),
        parameters=source.parameters,
        help=help_line(source.tree),
    )
    return Judged(application, private_inputs)


def _distinct(drafts: Sequence[Draft], mistakes: Mistakes) -> dict[str, Draft]:
    found: dict[str, Draft] = {}
    for draft in drafts:
        name = draft.component.name
        if name in found and "name" not in draft.fields.broken:
            line = found[name].place.line
            message = f"there are two components {name!r}: the first is on line {line}"
            mistakes.add(draft.place_of("name"), "duplicate-name", message, "give each its own name")
        found.setdefault(name, draft)
    return found


class _Graph:
    """The channels, as far as they were named rightly."""

    def __init__(self, source: Source, drafts: dict[str, Draft]) -> None:
        self.drafts = drafts
        self.misplaced = source.misplaced
        self.names_unsure = any("name" in each.fields.broken for each in source.drafts)
        self._inputs = {
            name: [each for each in draft.component.trigger.inputs if each in drafts and each != name]
            for name, draft in drafts.items()
        }
        self.is_sound = True

    def inputs(self, name: str) -> list[str]:
        """The producers of a component that exist, without itself."""
        return self._inputs[name]

    def feeding(self, name: str) -> bool:
        """Whether the component's inputs are known for certain."""
        return self.drafts[name].fields.known("on")

    def check_inputs(self, mistakes: Mistakes) -> None:
        for name, draft in self.drafts.items():
            for each, place in draft.fields.elements("on"):
                if each == name:
                    message = f"{name} takes its own output"
                    mistakes.add(place, "self-input", message, "name another component in on=")
                elif each not in self.drafts and not self.may_be_elsewhere(each):
                    message = f"on: there is no component {each!r}"
                    mistakes.add(place, "unknown-input", message, did_you_mean(each, self.drafts.keys() - {name}))
                elif each not in self.drafts:
                    draft.fields.broken.add("on")

    def may_be_elsewhere(self, name: str) -> bool:
        """Whether an unknown name may belong to a component whose own name or place was already found wrong."""
        return self.names_unsure or name in self.misplaced

    def check_cycles(self, mistakes: Mistakes) -> None:
        reported: set[str] = set()
        for name in self.drafts:
            cycle = self._cycle_from(name) if name not in reported else None
            if cycle is None:
                continue
            self.is_sound = False
            if reported.isdisjoint(cycle):
                draft = self.drafts[name]
                place = draft.fields.place_of("on", draft.component.trigger.inputs.index(cycle[1]))
                shown = " -> ".join(reversed(cycle))
                message = f"the components feed each other in a circle: {shown}"
                mistakes.add(place, "cycle", message, "leave one of these inputs out")
            reported.update(cycle)

    def _cycle_from(self, start: str) -> list[str] | None:
        """A shortest way from `start` along its inputs back to it."""
        came: dict[str, str] = {}
        waiting = [start]
        for here in waiting:
            for each in self._inputs[here]:
                if each == start:
                    way = [start, here]
                    while way[-1] != start:
                        way.append(came[way[-1]])
                    return [start, *reversed(way[1:-1]), start]
                if each not in came:
                    came[each] = here
                    waiting.append(each)
        return None

    def in_data_order(self) -> list[str]:
        """Producers before consumers; the channels have no cycle."""
        done: dict[str, None] = {}
        waiting = list(self.drafts)
        while waiting:
            left: list[str] = []
            for name in waiting:
                if all(each in done for each in self._inputs[name]):
                    done[name] = None
                else:
                    left.append(name)
            assert len(left) < len(waiting), "the channels have no cycle"
            waiting = left
        return list(done)

    def way(self, first: str, last: str) -> list[str]:
        """The components on a shortest way along the channels, ends included; empty when there is none."""
        came: dict[str, str] = {}
        waiting = [last]
        for here in waiting:
            for each in self._inputs[here]:
                if each not in came:
                    came[each] = here
                    waiting.append(each)
        if first not in came:
            return []
        way = [first]
        while way[-1] != last:
            way.append(came[way[-1]])
        return way


class _Privacy(msgspec.Struct, frozen=True):
    """Where a component's output may be: `layers` None is anywhere. `certain` is False after a mistake."""

    layers: frozenset[str] | None
    certain: bool


def _check_privacy(graph: _Graph, mistakes: Mistakes) -> dict[str, frozenset[str]]:
    """Privacy is inherited along the channels, as `Application.private_layers` says."""
    outputs: dict[str, _Privacy] = {}
    private_inputs: dict[str, frozenset[str]] = {}
    for name in graph.in_data_order():
        draft = graph.drafts[name]
        inputs = [outputs[each] for each in graph.inputs(name)]
        certain = draft.fields.known("on", "private", "releases", "layers") and all(each.certain for each in inputs)
        sets = [each.layers for each in inputs if each.layers is not None]
        taken = frozenset[str].intersection(*sets) if sets else None
        if certain:
            certain = _check_private_inputs(draft, taken, mistakes)
        if certain and taken is not None:
            private_inputs[name] = taken
        outputs[name] = _Privacy(_private_output(draft, taken), certain)
    return private_inputs


def _private_output(draft: Draft, taken: frozenset[str] | None) -> frozenset[str] | None:
    needs = draft.component.requirements
    inherited = None if needs.releases else taken
    if needs.private is None:
        return inherited
    return frozenset[str](needs.private) if inherited is None else inherited & frozenset[str](needs.private)


def _check_private_inputs(draft: Draft, taken: frozenset[str] | None, mistakes: Mistakes) -> bool:
    """Whether the component can be where its private inputs may be."""
    needs = draft.component.requirements
    if taken is None:
        if needs.releases:
            message = "releases has no effect: nothing that this component takes is private"
            mistakes.add(draft.place_of("releases"), "no-effect", message, "remove it, or mark a producer private=")
        return True
    may_be = " or ".join(sorted(taken))
    if not taken:
        message = "its inputs are private, and no layer may have them all"
        mistakes.add(draft.place_of("on"), "contradiction", message, "let their private= share a layer")
    elif needs.layers and not taken & set(needs.layers):
        message = f"layers: it takes private data that may only be in {may_be}"
        hint = f"allow {may_be}, or put a component with releases=True between"
        mistakes.add(draft.place_of("layers"), "contradiction", message, hint)
    elif needs.private is not None and not needs.releases and not taken & set(needs.private):
        message = f"private: it is made from data that may only be in {may_be}"
        mistakes.add(draft.place_of("private"), "contradiction", message, f"add {may_be}, or releases=True")
    else:
        return True
    return False


def _check_paths(paths: Sequence[PathDraft], graph: _Graph, mistakes: Mistakes) -> None:
    seen: dict[tuple[tuple[str, ...], float], PathDraft] = {}
    for path in paths:
        names = path.promise.components
        if not _all_known(path, graph, mistakes):
            continue
        if len(set(names)) < len(names):
            index = next(i for i, name in enumerate(names) if name in names[:i])
            message = f"path: {names[index]} is in it twice"
            mistakes.add(path.components[index].place, "path-repeats", message, "name each component once")
            continue
        _check_connected(path, graph, mistakes)
        key = (names, path.promise.latency.percentile)
        if key in seen:
            message = f"the same path has a promise on line {seen[key].place.line}"
            mistakes.add(path.place, "duplicate-path", message, "remove one, or give it another percentile")
        seen.setdefault(key, path)


def _all_known(path: PathDraft, graph: _Graph, mistakes: Mistakes) -> bool:
    unknown = [(name, each.place) for name, each in zip(path.promise.components, path.components, strict=True)
               if name not in graph.drafts]  # fmt: skip
    for name, place in unknown:
        if not graph.may_be_elsewhere(name):
            message = f"path: there is no component {name!r}"
            mistakes.add(place, "unknown-component", message, did_you_mean(name, graph.drafts))
    return not unknown


def _check_connected(path: PathDraft, graph: _Graph, mistakes: Mistakes) -> None:
    names = path.promise.components
    for index in range(1, len(names)):
        before, name = names[index - 1], names[index]
        if before in graph.inputs(name) or not _fed_for_certain(graph, name, before):
            continue
        way = graph.way(before, name)
        hint = f"between them: {', '.join(way[1:-1])}" if len(way) > 2 else f"add {before} to on= of {name}"
        message = f"path: {name} does not take what {before} gives"
        mistakes.add(path.components[index].place, "path-not-connected", message, hint)


def _fed_for_certain(graph: _Graph, name: str, before: str) -> bool:
    """Whether no mistake in `on=` of `name` can be why `before` does not feed it."""
    inputs = graph.drafts[name].component.trigger.inputs
    return before in graph.drafts and graph.feeding(name) and all(each in graph.drafts for each in inputs)
