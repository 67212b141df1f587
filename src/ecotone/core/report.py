"""What a run did, against what was promised and predicted: the value that the live view and the report show.

Made by the controller from telemetry, several times a second while the application runs and once at its end.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ecotone.core.application import Application
from ecotone.core.continuum import Continuum
from ecotone.core.messages import Event
from ecotone.core.plan import SCHEMA_VERSION, EnergySource, Plan, plan_document

__all__ = [
    "ComponentReport",
    "LayerReport",
    "NodeReport",
    "PathReport",
    "RunReport",
    "TimelinePoint",
    "report_document",
]


DECISIONS = frozenset({"cores_changed"})
"""Kinds of events by which the controller has changed what runs; wall clock."""


class _Frozen(msgspec.Struct, frozen=True):
    pass


class ComponentReport(_Frozen, frozen=True, kw_only=True):
    """One component over all its replicas. Percentiles are of the response time (arrival to end), None before the
    first item; `cores` are those that each replica has now (of a cell: each of its ranks); `rate_per_s` is that of the
    last second, `mean_rate_per_s` that of the whole run. `kept` is None without a promise or a measurement. `phases`
    counts instances by phase. `energy_j` is above the idle nodes; that it is measured means that profiling measured
    what one item takes."""

    component: str
    variant: str
    nodes: tuple[str, ...]
    cores: int = 1
    count: int = 0
    emitted: int = 0
    dropped: int = 0
    raised: int = 0
    dead: int = 0
    restarts: int = 0
    rate_per_s: float = 0.0
    mean_rate_per_s: float = 0.0
    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    service_p50_s: float | None = None
    service_p95_s: float | None = None
    predicted_p95_s: float | None = None
    promised_s: float | None = None
    percentile: float = 95.0
    measured_s: float | None = None
    kept: bool | None = None
    utilisation: float = 0.0
    memory_bytes: float = 0.0
    energy_j: float = 0.0
    energy_source: EnergySource = "estimated"
    waiting: int = 0
    phases: dict[str, int] = {}


class PathReport(_Frozen, frozen=True, kw_only=True):
    """One promised path; `measured_s` at the promise's percentile; `quantiles_s` holds (fraction, seconds) pairs."""

    components: tuple[str, ...]
    percentile: float
    promised_s: float
    predicted_s: float
    low_s: float
    high_s: float
    measured_s: float | None = None
    count: int = 0
    kept: bool | None = None
    quantiles_s: tuple[tuple[float, float], ...] = ()


class NodeReport(_Frozen, frozen=True, kw_only=True):
    """One node that is paid for. `busy_share` of its cores (0 to 1); energy is an estimate from declared power."""

    node: str
    site: str
    layer: str
    busy_share: float = 0.0
    cost_eur: float = 0.0
    energy_j: float = 0.0


class LayerReport(_Frozen, frozen=True, kw_only=True):
    """The work done in one layer: items handled, CPU time spent, bytes that came in over links."""

    layer: str
    items: int = 0
    items_per_s: float = 0.0
    busy_s: float = 0.0
    bytes_in: float = 0.0


class TimelinePoint(_Frozen, frozen=True, kw_only=True):
    """The state about `time_s` seconds after the first item: per component its rate and p95 of the last interval, and
    the items that wait for it or are with it."""

    time_s: float
    rates_per_s: dict[str, float] = {}
    p95_s: dict[str, float] = {}
    waiting: dict[str, int] = {}
    paths_s: tuple[float | None, ...] = ()


class RunReport(_Frozen, frozen=True, kw_only=True):
    """A run, finished or going on (`finished`).

    `lost`: accepted items that were neither handled, nor dropped, nor given up, nor still waiting. `saturated`: this
    machine's cores were all busy, so that times say nothing about the emulated continuum. `overloaded`: components that
    did not keep up, so that times hang on how long the run was. `valid`: neither; `notes` says which in words.
    `outputs` are files that components wrote, relative to the run's folder.
    """

    run: str
    application: Application
    continuum: Continuum
    plan: Plan
    started_at: str
    duration_s: float
    finished: bool
    components: tuple[ComponentReport, ...]
    paths: tuple[PathReport, ...]
    nodes: tuple[NodeReport, ...] = ()
    layers: tuple[LayerReport, ...] = ()
    lost: int = 0
    waiting: int = 0
    cost_eur: float = 0.0
    energy_j: float = 0.0
    valid: bool = True
    saturated: bool = False
    overloaded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    timeline: tuple[TimelinePoint, ...] = ()
    outputs: tuple[str, ...] = ()
    start_to_first_item_s: float | None = None


def _ms(value_s: float | None) -> float | None:
    return None if value_s is None else round(value_s * 1e3, 4)


def report_document(report: RunReport) -> dict[str, Any]:
    """The report as plain data for `--json`: latencies in milliseconds, one document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": report.run,
        "application": report.application.name,
        "started_at": report.started_at,
        "duration_s": round(report.duration_s, 3),
        "start_to_first_item_s": report.start_to_first_item_s,
        "plan": plan_document(report.plan),
        "components": {
            each.component: {
                "variant": each.variant,
                "nodes": list(each.nodes),
                "cores": each.cores,
                "count": each.count,
                "emitted": each.emitted,
                "dropped": each.dropped,
                "raised": each.raised,
                "dead_letters": each.dead,
                "restarts": each.restarts,
                "rate_per_s": round(each.mean_rate_per_s, 3),
                "p50_ms": _ms(each.p50_s),
                "p95_ms": _ms(each.p95_s),
                "p99_ms": _ms(each.p99_s),
                "predicted_p95_ms": _ms(each.predicted_p95_s),
                "promised_ms": _ms(each.promised_s),
                "kept": each.kept,
                "utilisation": round(each.utilisation, 4),
                "memory_bytes": each.memory_bytes,
                "energy_j": round(each.energy_j, 3),
                "energy_source": each.energy_source,
            }
            for each in report.components
        },
        "paths": [
            {
                "components": list(each.components),
                "promised_ms": _ms(each.promised_s),
                "percentile": each.percentile,
                "predicted_ms": _ms(each.predicted_s),
                "low_ms": _ms(each.low_s),
                "high_ms": _ms(each.high_s),
                "measured_ms": _ms(each.measured_s),
                "count": each.count,
                "kept": each.kept,
            }
            for each in report.paths
        ],
        "nodes": [msgspec.to_builtins(each) for each in report.nodes],
        "layers": [msgspec.to_builtins(each) for each in report.layers],
        "lost": report.lost,
        "waiting": report.waiting,
        "cost_eur": report.cost_eur,
        "energy_j": round(report.energy_j, 3),
        "energy_source": "estimated",
        "valid": report.valid,
        "saturated": report.saturated,
        "overloaded": list(report.overloaded),
        "decisions": [
            {"time_s": round(each.time_s, 3), "kind": each.kind, "component": each.instance, "reason": each.reason}
            for each in report.events
            if each.kind in DECISIONS
        ],
        "notes": list(report.notes),
        "outputs": list(report.outputs),
    }
