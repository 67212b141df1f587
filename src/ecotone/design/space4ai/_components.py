"""Components of a description: deployments, their partitions, and where those may run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecotone.core.problems import did_you_mean
from ecotone.design.space4ai._modes import MB
from ecotone.design.space4ai._tree import MEMORY_MAX_MB, Path, Tree, dotted, shown
from ecotone.orchestration.placement.system.model import Component, Deployment, Option, Partition, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ecotone.design.space4ai._continuum import ContinuumReader
    from ecotone.design.space4ai._graph import GraphReader

__all__ = ["ComponentsReader"]

_DATA_MAX_MB = 1e9
_SERVICE_MAX_S = 1e6


class ComponentsReader:
    """`least_s`: of each component that was read without mistakes, the shortest time that it can take."""

    def __init__(self, tree: Tree, continuum: ContinuumReader, graph: GraphReader) -> None:
        self._tree = tree
        self._continuum = continuum
        self._resources = continuum.resources
        self._graph = graph
        self.least_s: dict[str, float] = {}

    def component(self, name: str) -> Component | None:
        tree, path = self._tree, ("Components", name)
        before = tree.mistakes.count
        if not tree.has(path):
            return None
        names = tree.names(path)
        if not names and isinstance(tree.get(path), dict):
            tree.note(path, "empty-component", f"{name} has no deployment")
        deployments = [self._deployment(name, each) for each in names]
        if names and tree.mistakes.count == before:
            self.least_s[name] = min(_least_s(each, self._resources) for each in deployments)
        return Component(name=name, deployments=tuple(deployments), successors=self._graph.successors[name])

    def _deployment(self, component: str, deployment: str) -> Deployment:
        tree, path = self._tree, ("Components", component, deployment)
        steps = [each for each in tree.names(path) if self._tree.is_object((*path, each))]
        order, is_chain = self._chain(path, steps)
        partitions: list[Partition] = []
        outputs: dict[str, float] = {}
        for at, step in enumerate(order):
            here, is_last = (*path, step), is_chain and at == len(order) - 1
            tree.expect(here, ("next", "data_size", "early_exit_probability"))
            absent = 0.0 if is_last else None
            exits = tree.number((*here, "early_exit_probability"), most=1.0, default=absent) or 0.0
            handed = self._outputs(here, f"{component}.{step}")
            if is_last:
                outputs = {target: size for target, size in handed if target is not None}
                if exits > 0:
                    text = f"{component}.{step} is the last partition: nothing can leave before it"
                    tree.note((*here, "early_exit_probability"), "exit-of-last", text)
                if component not in self._graph.unsure:
                    self._compare_with_graph(here, component)
            partitions.append(
                Partition(
                    name=step,
                    options=tuple(self._options(component, step)),
                    exit_probability=exits,
                    output_bytes=0.0 if is_last or not handed else handed[0][1],
                )
            )
        return Deployment(
            name=deployment,
            partitions=tuple(partitions),
            output_bytes=outputs,
            accuracy=self._accuracy(component, deployment),
        )

    def _accuracy(self, component: str, deployment: str) -> float | None:
        path = ("Accuracy", component, deployment)
        return self._tree.number(path, most=1.0) if self._tree.has(path) else None

    def _compare_with_graph(self, path: tuple[str, str, str, str], component: str) -> None:
        """The last partition goes on to what follows the component."""
        after = [successor.component for successor in self._graph.successors[component]]
        targets = [each for each in self._tree.texts((*path, "next")) if each is not None]
        if sorted(targets) != sorted(after):
            text = f"{component}.{path[-1]} goes on to {_names(targets)}, in the graph it is {_names(after)}"
            self._tree.note((*path, "next"), "not-as-graph", text)

    def _outputs(self, path: Path, name: str) -> list[tuple[str | None, float]]:
        """What a partition goes on to, and bytes to each."""
        tree = self._tree
        targets = tree.texts((*path, "next")) if tree.has((*path, "next")) else []
        given = tree.list_((*path, "data_size")) if targets else []
        if len(given) != len(targets) and isinstance(tree.get((*path, "data_size")), list):
            text = f"{name}: {len(targets)} in next, {len(given)} in data_size; each needs one"
            tree.note(path, "wrong-length", text)
        count = min(len(given), len(targets))
        sizes = [tree.number((*path, "data_size", at), most=_DATA_MAX_MB) or 0.0 for at in range(count)]
        return [(target, size * MB) for target, size in zip(targets, sizes, strict=False)]

    def _chain(self, path: tuple[str, str, str], steps: list[str]) -> tuple[list[str], bool]:
        """The partitions of a deployment in the order of their `next`, and whether they have one."""
        tree, before = self._tree, self._tree.mistakes.count
        if not steps and tree.get(path) == {}:
            tree.note(path, "empty-deployment", f"{dotted(path)} has no partitions")
        following = {step: self._following((*path, step), steps) for step in steps}
        if tree.mistakes.count > before:
            return steps, False
        within = {step: [each for each in targets if each in steps] for step, targets in following.items()}
        reached = [target for each in within.values() for target in each]
        first = [step for step in steps if step not in reached]
        order = first[:1]
        while order and (after := within[order[-1]]) and after[0] not in order:
            order.append(after[0])
        if len(order) == len(steps) and all(len(following[step]) == 1 for step in order[:-1]):
            return order, True
        text = f"the partitions of {dotted(path)} are not one chain"
        tree.note(path, "no-chain", text, "each goes on to one other, the last to the next components")
        return steps, False

    def _following(self, path: tuple[str, ...], steps: list[str]) -> list[str]:
        """The partitions or components that a partition goes on to."""
        tree = self._tree
        tree.expect(path, ("next", "data_size", "early_exit_probability"))
        found: list[str] = []
        for at, target in enumerate(tree.texts((*path, "next"))):
            if target is None:
                continue
            found.append(target)
            if target not in steps and target not in self._graph.successors:
                text = f"{path[1]}.{path[-1]} goes on to {shown(target)}, which is no partition and no component"
                hint = did_you_mean(target, [*steps, *self._graph.successors])
                tree.note((*path, "next", at), "unknown-component", text, hint)
        return found

    # Where partitions may run

    def _options(self, component: str, step: str) -> Iterator[Option]:
        tree, path = self._tree, ("CompatibilityMatrix", component, step)
        if not tree.has(path):
            if tree.has(("CompatibilityMatrix",)):
                tree.note(
                    path, "no-resource", f"{component}.{step} can run nowhere", f"name resources in {dotted(path)}"
                )
            return
        seen: set[str] = set()
        given = tree.list_(path)
        for at in range(len(given)):
            here = (*path, at)
            if not self._tree.is_object(here):
                continue
            tree.expect(here, ("resource", "memory"))
            name = tree.get((*here, "resource"))
            memory = tree.number((*here, "memory"), most=MEMORY_MAX_MB)
            if not isinstance(name, str) or name not in self._resources:
                self._note_resource((*here, "resource"), f"{component}.{step}", name)
            elif name in seen:
                tree.note(here, "repeated-name", f"{component}.{step} names {name} twice")
            else:
                seen.add(name)
                option = self._option(("Performance", component, step, name), self._resources[name], memory or 0.0)
                if option is not None:
                    yield option
        if not given and tree.get(path) == []:
            tree.note(path, "no-resource", f"{component}.{step} can run nowhere")

    def _note_resource(self, path: Path, who: str, name: Any) -> None:
        if not self._tree.has(path):
            self._tree.note(path, "missing-key", f"{dotted(path)} is missing")
        elif isinstance(name, str) and not self._continuum.complete:
            pass  # it may be one of those that were left out
        elif isinstance(name, str):
            text, hint = f"{who} may run on {shown(name)}, which is no resource", did_you_mean(name, self._resources)
            self._tree.note(path, "unknown-resource", text, hint)
        else:
            text = f"{dotted(path)} is {shown(name)}; it must be the name of a resource"
            self._tree.note(path, "wrong-type", text)

    def _option(self, path: tuple[str, ...], resource: Resource, memory: float) -> Option | None:
        tree = self._tree
        if not tree.has(path):
            if tree.has(("Performance",)):
                text = f"there is no performance model of {path[1]}.{path[2]} on {resource.name}"
                tree.note(path, "missing-figure", text)
            return None
        if not self._tree.is_object(path):
            return None
        wanted = ("demandWarm", "demandCold") if resource.kind == "serverless" else ("demand",)
        if tree.has((*path, "regressor_file")) and not all(tree.has((*path, each)) for each in wanted):
            text = f"{dotted(path)} names a regressor, which cannot be read here"
            tree.note(path, "regressor", text, f"state {' and '.join(wanted)} in seconds")
            return None
        tree.expect(path, wanted)
        times = [tree.number((*path, each), positive=True, most=_SERVICE_MAX_S) for each in wanted]
        service, cold = times[0], times[-1]
        if service is None or cold is None:
            return None
        cold_s = cold if resource.kind == "serverless" else None
        return Option(resource=resource.name, service_s=service, memory_bytes=memory * MB, cold_s=cold_s)


def _least_s(deployment: Deployment, resources: dict[str, Resource]) -> float:
    """What a deployment takes at least: every partition on its fastest resource, with nothing else to do there."""
    share, total_s = 1.0, 0.0
    for partition in deployment.partitions:
        times = [
            min(option.service_s, option.starting_s)
            if resources[option.resource].kind == "serverless"
            else option.service_s
            for option in partition.options
        ]
        total_s += share * min(times, default=0.0)
        share *= 1.0 - partition.exit_probability
    return total_s


def _names(names: Sequence[str]) -> str:
    return ", ".join(shown(name) for name in names) or "nothing"
