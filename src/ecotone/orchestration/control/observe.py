"""What a run did: telemetry, stream states and events become a `RunReport`. Plain functions of values.

Called by the controller several times a second while the application runs, and once at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ecotone.core.ids import instance_id
from ecotone.core.report import ComponentReport, LayerReport, NodeReport, PathReport, RunReport, TimelinePoint
from ecotone.infrastructure.telemetry.histogram import merge, quantile_s
from ecotone.orchestration.control.reconcile import channels_outside, fused_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ecotone.core.application import Application, Component
    from ecotone.core.continuum import Continuum, Node
    from ecotone.core.messages import (
        AgentTelemetry,
        Deployment,
        Event,
        InstanceTelemetry,
        SeenNode,
    )
    from ecotone.infrastructure.bus import ConsumerState, StreamState

__all__ = [
    "Facts",
    "Sample",
    "count_restarts",
    "lost_items",
    "observe",
    "overloads",
    "sample_of",
    "timeline_point",
    "unaccounted_items",
    "waiting_items",
]

_SATURATED_SHARE_MAX = 0.05
_DRIFTS_MAX = 5
"""The latest drifts, which the notes tell of; all are among the events."""
_OVERLOAD_POINTS_MIN = 8
_OVERLOAD_ITEMS = 3
_OVERLOAD_GROWTH = 0.25
"""A backlog that grows steadily from nothing is 1.4 times as long in the last quarter of a run as in the third."""
_QUANTILES = (0.001, 0.01, *(step / 40 for step in range(1, 40)), 0.99, 0.999)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of all instances at one moment, by component. `time_s` counts from the start of the run.
    `saturated_share` covers the time since the sample before."""

    time_s: float
    instances: Mapping[str, tuple[InstanceTelemetry, ...]]
    saturated_share: float = 0.0

    def of(self, component: str) -> tuple[InstanceTelemetry, ...]:
        return self.instances.get(component, ())

    def count(self, component: Component) -> int:
        """Items that it has handled; of one that begins by itself, those that it has made."""
        begins = component.trigger.kind != "request" and not component.trigger.inputs
        return sum(each.emitted if begins else each.handled for each in self.of(component.name))

    def response(self, component: str) -> dict[int, int]:
        return merge(each.response.counts for each in self.of(component))

    def path(self, index: int) -> dict[int, int]:
        return merge(
            each.paths[index].counts for group in self.instances.values() for each in group if index in each.paths
        )


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a report is made from.

    Attributes:
        started_at: wall time of the start, as text.
        duration_s: since the start.
        now: totals at last.
        second_ago: totals about a second before `now`, for the present rate.
        timeline: one point for every second that has passed.
        saturated_share: share of the run in which this machine's cores were all busy.
        streams, consumers: states by stream, and by stream and consumer; {} while the bus is away.
        seen: by node.
        restarts: by instance, over all lives of its agent.
        failed: instances that died again and again, and did not run since.
        earlier: `unaccounted_items` at the start: of a run that goes on after a crash.
        cores: that replicas have now, of components where it may change.
    """

    run: str
    started_at: str
    duration_s: float
    finished: bool
    now: Sample
    second_ago: Sample
    timeline: tuple[TimelinePoint, ...] = ()
    saturated_share: float = 0.0
    streams: Mapping[str, StreamState] = {}
    consumers: Mapping[tuple[str, str], ConsumerState] = {}
    seen: Mapping[str, SeenNode] = {}
    restarts: Mapping[str, int] = {}
    failed: frozenset[str] = frozenset()
    earlier: Mapping[str, int] = {}
    cores: Mapping[str, int] = {}
    events: tuple[Event, ...] = ()
    outputs: tuple[str, ...] = ()
    start_to_first_item_s: float | None = None


def count_restarts(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Restarts by instance, from the largest number that each life of an agent has told, by instance and boot: a new
    life starts its hosts anew."""
    restarts: dict[str, int] = {}
    for (instance, _), count in counts.items():
        restarts[instance] = restarts[instance] + 1 + count if instance in restarts else count
    return restarts


def sample_of(telemetry: Iterable[AgentTelemetry], time_s: float) -> Sample:
    """The newest message of each agent, put together."""
    instances: dict[str, list[InstanceTelemetry]] = {}
    shares: list[float] = []
    for message in telemetry:
        shares.append(message.saturated_share)
        for each in message.instances:
            instances.setdefault(each.component, []).append(each)
    return Sample(
        time_s=time_s,
        instances={name: tuple(group) for name, group in instances.items()},
        saturated_share=max(shares, default=0.0),
    )


def timeline_point(
    deployment: Deployment,
    before: Sample,
    after: Sample,
    consumers: Mapping[tuple[str, str], ConsumerState] | None = None,
) -> TimelinePoint:
    """What happened between two samples, and what waits at the second by the states of `consumers`."""
    interval_s = max(1e-9, after.time_s - before.time_s)
    components = deployment.application.components
    p95_s = {each.name: _between(before.response(each.name), after.response(each.name), 0.95) for each in components}
    paths = deployment.application.paths
    return TimelinePoint(
        time_s=round(after.time_s, 3),
        rates_per_s={each.name: (after.count(each) - before.count(each)) / interval_s for each in components},
        p95_s={name: value for name, value in p95_s.items() if value is not None},
        waiting=_waiting_by_component(consumers or {}),
        paths_s=tuple(
            _between(before.path(index), after.path(index), path.latency.percentile / 100)
            for index, path in enumerate(paths)
        ),
    )


def _between(before: Mapping[int, int], after: Mapping[int, int], fraction: float) -> float | None:
    return quantile_s({bucket: count - before.get(bucket, 0) for bucket, count in after.items()}, fraction)


def observe(deployment: Deployment, facts: Facts) -> RunReport:
    """The report as of now; `finished` says whether it is the last one. Losses are counted at the end only: before,
    the totals of different processes are of slightly different moments."""
    nodes = {node.name: node for node in deployment.continuum.nodes}
    paid = tuple(_node_report(deployment, node, facts) for node in nodes.values() if _hosts_something(deployment, node))
    components = tuple(_component_report(deployment, each, facts) for each in deployment.application.components)
    link_cost_eur = sum(
        each.link_bytes * _price_eur_per_byte(deployment, each.component, nodes[each.node].site)
        for group in facts.now.instances.values()
        for each in group
        if each.node in nodes
    )
    saturated = facts.saturated_share > _SATURATED_SHARE_MAX
    overloaded = overloads(deployment.application, facts.timeline)
    return RunReport(
        run=facts.run,
        application=deployment.application,
        continuum=deployment.continuum,
        plan=deployment.plan,
        started_at=facts.started_at,
        duration_s=facts.duration_s,
        finished=facts.finished,
        components=components,
        paths=_path_reports(deployment, facts),
        nodes=paid,
        layers=_layer_reports(deployment, facts),
        lost=lost_items(deployment, facts) if facts.finished else 0,
        waiting=waiting_items(facts.consumers),
        cost_eur=sum(each.cost_eur for each in paid) + link_cost_eur,
        energy_j=sum(each.energy_j for each in paid),
        valid=not saturated and not overloaded,
        saturated=saturated,
        overloaded=tuple(overloaded),
        notes=_notes(facts, saturated=saturated, overloaded=overloaded),
        events=facts.events,
        timeline=facts.timeline,
        outputs=facts.outputs,
        start_to_first_item_s=facts.start_to_first_item_s,
    )


def waiting_items(consumers: Mapping[tuple[str, str], ConsumerState]) -> int:
    """Items that were accepted and are still to be acknowledged."""
    return sum(_waiting(each) for each in consumers.values())


def lost_items(deployment: Deployment, facts: Facts) -> int:
    """Accepted items that a consumer has neither handled, nor dropped, nor given up, nor still to come.

    Valid when everything is at rest. Hosts mark each item once, so that a repeat does not hide a loss.
    """
    unaccounted = unaccounted_items(deployment, facts.now, facts.streams, facts.consumers)
    return sum(max(0, count - facts.earlier.get(name, 0)) for name, count in unaccounted.items())


def unaccounted_items(
    deployment: Deployment,
    now: Sample,
    streams: Mapping[str, StreamState],
    consumers: Mapping[tuple[str, str], ConsumerState],
) -> dict[str, int]:
    """For each component: the items that its streams have accepted for it and of which nothing more is known. In a run
    that goes on after a crash these are what the counts of the first part would have told, and no loss."""
    result: dict[str, int] = {}
    channels = channels_outside(deployment.application, deployment.plan)
    for component in deployment.application.components:
        inputs = [name for name in component.trigger.inputs if component.name in channels[name]]
        if inputs:
            accepted = sum(streams[name].accepted for name in inputs if name in streams)
            mine = [each for key, each in consumers.items() if key[0] in inputs and key[1] == component.name]
            waiting = sum(_waiting(each) for each in mine)
            done = sum(each.handled + each.dropped + each.dead for each in now.of(component.name))
            result[component.name] = max(0, accepted - waiting - done)
    return result


def overloads(application: Application, timeline: Sequence[TimelinePoint]) -> dict[str, tuple[int, int]]:
    """The components whose backlog grew over the second half of a run, with its mean length in both halves of that.

    What is handled once in a while has a backlog in between, and is left out. So is the time after the sources' end.
    """
    sources = [each.name for each in application.components if not each.trigger.inputs]
    brought = [sum(point.rates_per_s.get(name, 0.0) for name in sources) for point in timeline]
    usual = sorted(brought)[len(brought) // 2] if brought else 0.0
    count = max((at + 1 for at, rate in enumerate(brought) if rate > usual / 2), default=0)
    if count < _OVERLOAD_POINTS_MIN:
        return {}
    half = timeline[count // 2 : count]
    found: dict[str, tuple[int, int]] = {}
    for component in application.components:
        if component.trigger.kind == "every" or not component.trigger.inputs:
            continue
        waiting = [point.waiting.get(component.name, 0) for point in half]
        early, late = _mean(waiting[: len(half) // 2]), _mean(waiting[len(half) // 2 :])
        if late - early >= max(_OVERLOAD_ITEMS, _OVERLOAD_GROWTH * early) and waiting[-1] > early:
            found[component.name] = round(early), round(late)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _waiting_by_component(consumers: Mapping[tuple[str, str], ConsumerState]) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, component), state in consumers.items():
        found[component] = found.get(component, 0) + _waiting(state)
    return found


def _waiting(state: ConsumerState) -> int:
    return state.pending + state.in_flight


def _component_report(deployment: Deployment, component: Component, facts: Facts) -> ComponentReport:
    name, now = component.name, facts.now
    assignments = deployment.plan.assignments_of(name)
    prediction = deployment.plan.prediction_of(name)
    instances = now.of(name)
    response = now.response(name)
    service = merge(each.service.counts for each in instances)
    promise = component.requirements.latency
    measured_s = quantile_s(response, promise.percentile / 100) if promise else None
    replicas = max(1, sum(each.replicas for each in assignments))
    interval_s = max(1e-9, now.time_s - facts.second_ago.time_s)
    count = now.count(component)
    mean_rate_per_s = count / max(1e-9, facts.duration_s)
    nodes = {node.name: node for node in deployment.continuum.nodes}
    declared_j = sum(_work_j(nodes[each.node], each, deployment) for each in instances if each.node in nodes)
    is_measured = prediction is not None and prediction.energy_source == "measured"
    phases: dict[str, int] = {}
    ids = _instances_of(deployment, name)
    for each in facts.seen.values():
        for one in each.instances:
            if one.id in ids:
                phases[one.phase] = phases.get(one.phase, 0) + 1
    if facts.finished and ids & facts.failed:  # nothing runs any more, and that it had failed would be forgotten
        phases["failed"] = len(ids & facts.failed)
    return ComponentReport(
        component=name,
        variant=", ".join(dict.fromkeys(each.variant for each in assignments)),
        nodes=tuple(each.node for each in assignments),
        cores=facts.cores.get(name, max((each.cores for each in assignments), default=1)),
        count=count,
        emitted=sum(each.emitted for each in instances),
        dropped=sum(each.dropped for each in instances),
        raised=sum(each.raised for each in instances),
        dead=sum(each.dead for each in instances),
        restarts=sum(facts.restarts.get(each, 0) for each in ids),
        rate_per_s=mean_rate_per_s
        if facts.finished
        else max(0.0, (count - facts.second_ago.count(component)) / interval_s),
        mean_rate_per_s=mean_rate_per_s,
        p50_s=quantile_s(response, 0.5),
        p95_s=quantile_s(response, 0.95),
        p99_s=quantile_s(response, 0.99),
        service_p50_s=quantile_s(service, 0.5),
        service_p95_s=quantile_s(service, 0.95),
        predicted_p95_s=prediction.predicted_p95_s if prediction else None,
        promised_s=promise.latency_max_s if promise else None,
        percentile=promise.percentile if promise else 95.0,
        measured_s=measured_s,
        kept=measured_s <= promise.latency_max_s if promise and measured_s is not None else None,
        utilisation=min(1.0, sum(each.busy_s for each in instances) / max(1e-9, facts.duration_s * replicas)),
        memory_bytes=sum(each.memory_bytes for each in instances),
        energy_j=count * prediction.energy_j if is_measured and prediction else declared_j,
        energy_source="measured" if is_measured else "estimated",
        waiting=waiting_items({key: each for key, each in facts.consumers.items() if key[1] == name}),
        phases=phases,
    )


def _instances_of(deployment: Deployment, component: str) -> frozenset[str]:
    """The ids of the instances that run the component, alone or fused behind another."""
    groups = fused_groups(deployment.application, deployment.plan)
    head = next((group[0] for group in groups if component in group), component)
    return frozenset(
        instance_id(head, each.node, replica)
        for each in deployment.plan.assignments_of(head)
        for replica in range(each.replicas)
    )


def _path_reports(deployment: Deployment, facts: Facts) -> tuple[PathReport, ...]:
    predictions = {each.components: each for each in deployment.plan.paths}
    reports: list[PathReport] = []
    for index, path in enumerate(deployment.application.paths):
        counts = facts.now.path(index)
        measured_s = quantile_s(counts, path.latency.percentile / 100)
        predicted = predictions.get(path.components)
        quantiles = tuple((fraction, quantile_s(counts, fraction) or 0.0) for fraction in _QUANTILES if counts)
        reports.append(
            PathReport(
                components=path.components,
                percentile=path.latency.percentile,
                promised_s=path.latency.latency_max_s,
                predicted_s=predicted.predicted_s if predicted else 0.0,
                low_s=predicted.low_s if predicted else 0.0,
                high_s=predicted.high_s if predicted else 0.0,
                measured_s=measured_s,
                count=sum(counts.values()),
                kept=None if measured_s is None else measured_s <= path.latency.latency_max_s,
                quantiles_s=quantiles,
            )
        )
    return tuple(reports)


def _hosts_something(deployment: Deployment, node: Node) -> bool:
    return any(each.node == node.name for each in deployment.plan.assignments)


def _cpu_there_s(node: Node, instance: InstanceTelemetry, deployment: Deployment) -> float:
    """CPU time that the work would have taken on the emulated node."""
    return instance.cpu_s / min(1.0, node.type.speed / deployment.machine_score)


def _work_j(node: Node, instance: InstanceTelemetry, deployment: Deployment) -> float:
    """Energy above that of the idle node, from its declared power."""
    return node.type.power.per_core_w(node.type.cores) * _cpu_there_s(node, instance, deployment)


def _node_report(deployment: Deployment, node: Node, facts: Facts) -> NodeReport:
    here = [each for group in facts.now.instances.values() for each in group if each.node == node.name]
    busy_s = sum(_cpu_there_s(node, each, deployment) for each in here)
    busy_share = min(1.0, busy_s / max(1e-9, node.type.cores * facts.duration_s))
    return NodeReport(
        node=node.name,
        site=node.site,
        layer=node.layer,
        busy_share=busy_share,
        cost_eur=node.type.price_eur_per_h * facts.duration_s / 3600,
        energy_j=node.type.power.at_w(busy_share) * facts.duration_s,
    )


def _layer_reports(deployment: Deployment, facts: Facts) -> tuple[LayerReport, ...]:
    layer_of = {node.name: node.layer for node in deployment.continuum.nodes}
    reports: list[LayerReport] = []
    for layer in dict.fromkeys(layer_of.values()):
        here = [each for group in facts.now.instances.values() for each in group if layer_of.get(each.node) == layer]
        items = sum(each.handled for each in here)
        reports.append(
            LayerReport(
                layer=layer,
                items=items,
                items_per_s=items / max(1e-9, facts.duration_s),
                busy_s=sum(each.busy_s for each in here),
                bytes_in=sum(each.link_bytes for each in here),
            )
        )
    return tuple(reports)


def _price_eur_per_byte(deployment: Deployment, component: str, site: str) -> float:
    """What a byte costs that arrives at `component` on `site`: the price of the way, the mean of the ways when its
    producers are on several other sites."""
    continuum: Continuum = deployment.continuum
    sites = {node.name: node.site for node in continuum.nodes}
    producers = deployment.application.component(component).trigger.inputs
    origins = {sites[each.node] for name in producers for each in deployment.plan.assignments_of(name)} - {site}
    prices = [sum(link.price_eur_per_byte for link in continuum.route(origin, site) or ()) for origin in origins]
    return sum(prices) / len(prices) if prices else 0.0


def _notes(facts: Facts, *, saturated: bool, overloaded: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    notes = [
        f"{name} did not keep up: its backlog grew from about {early} to {late} items in the second half of the run, "
        "so times hang on how long it was; give it more replicas or a faster node, or lower the load"
        for name, (early, late) in overloaded.items()
    ]
    if saturated:
        notes.append(
            f"all cores of this machine were busy for {facts.saturated_share:.0%} of the run: its times say nothing "
            "about the emulated continuum; run on a machine with more cores, or lower the load"
        )
    troubles: Sequence[str] = [
        f"{each.instance or each.node or 'the platform'}: {each.reason}"
        for each in facts.events
        if each.kind in {"host_failed", "bus_died", "agent_died"}
    ]
    notes += list(dict.fromkeys(troubles))[:10]
    notes += [each.reason for each in facts.events if each.kind == "drift"][-_DRIFTS_MAX:]
    changes = [each for each in facts.events if each.kind == "cores_changed"]
    if changes:
        times = f"{len(changes)} time{'s' if len(changes) > 1 else ''}"
        notes.append(f"cores were changed {times} while it ran, the last: {changes[-1].reason}")
    if facts.finished:
        failed = sorted({each.split(".")[0] for each in facts.failed})
        notes += [f"{each} failed for good; what it printed and raised: ecotone logs APP {each}" for each in failed]
        waiting = waiting_items(facts.consumers)
        if waiting:
            notes.append(f"{waiting} accepted items still wait; to go on with them: ecotone run APP --resume")
    return tuple(notes)
