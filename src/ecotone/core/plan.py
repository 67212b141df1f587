"""A plan: which variant of each component runs on which node, how many copies, and what is predicted of it.

Made by placement; carried out by the controller; shown by every front end. `encode_plan` is what `ecotone plan --json`
prints and `decode_plan` what `ecotone run --plan` reads: there latencies are milliseconds, here seconds.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ecotone.core.errors import InputError

__all__ = [
    "SCHEMA_VERSION",
    "Assignment",
    "ComponentPrediction",
    "Confidence",
    "EnergySource",
    "LatencyPrediction",
    "PathPrediction",
    "Plan",
    "decode_plan",
    "encode_plan",
    "in_milliseconds",
    "plan_differences",
    "plan_document",
]

SCHEMA_VERSION = 1
EnergySource = Literal["measured", "estimated"]
"""Where joules come from: a counter or meter of the machine that was profiled, or declared power."""
Confidence = Literal["upper", "expected"]
"""What promises are held against: the upper end of a prediction's 90 % interval, or what is expected."""


class _Frozen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Assignment(_Frozen, frozen=True, kw_only=True):
    """`replicas` copies of one variant of a component on one node, each with so many `cores` (of a cell: each of its
    ranks); one row for a component on a node."""

    component: str
    variant: str
    node: str
    replicas: int = 1
    cores: int = 1


class LatencyPrediction(_Frozen, frozen=True, kw_only=True):
    """A latency that is promised: `promised_s` at `percentile`, and the prediction with its 90 % interval."""

    percentile: float
    promised_s: float
    predicted_s: float
    low_s: float
    high_s: float

    def judged_s(self, confidence: Confidence) -> float:
        """What is held against the promise."""
        return self.high_s if confidence == "upper" else self.predicted_s


class ComponentPrediction(_Frozen, frozen=True, kw_only=True):
    """What a component will do under the plan.

    `predicted_*_s`: time from an item's arrival to the end of its handling (waiting and service); `low_s` and `high_s`
    bound the p95 (a 90 % interval of the model's own error). `utilisation`: busy share of one replica (0 to 1).
    `cost_eur_per_h` is the component's share of its nodes and links. `energy_j` is of one item, above the idle node, on
    the mean of its replicas; `energy_high_j` is what an item may take at most where it takes most. `promise`: of a
    component that promises a latency.
    """

    component: str
    rate_per_s: float
    service_mean_s: float
    predicted_p50_s: float
    predicted_p95_s: float
    low_s: float
    high_s: float
    utilisation: float
    memory_bytes: float
    energy_j: float
    energy_high_j: float = 0.0
    energy_source: EnergySource = "estimated"
    promise: LatencyPrediction | None = None
    accuracy: float | None = None
    cost_eur_per_h: float = 0.0


class PathPrediction(LatencyPrediction, frozen=True, kw_only=True):
    """A promised path, from the start of its first component to the end of its last."""

    components: tuple[str, ...]


class Plan(_Frozen, frozen=True, kw_only=True):
    """Where everything runs. `fingerprint` names the application, continuum, parameters and samples it was made for.

    `gap` = (cost - lower bound) / cost; `optimal` says that the gap was closed by proof. `groups`: chains of stateless
    components on one node that share a host process (fused). `notes` are sentences about what the figures rest on.
    `confidence`: what the promises were held against. `objective`: what was minimised; the gap is of that, and of the
    two lower bounds only its own is known. `moved`: components that do not stay where they ran, where the plan was made
    from a running one.
    """

    application: str
    continuum: str
    fingerprint: str
    assignments: tuple[Assignment, ...]
    components: tuple[ComponentPrediction, ...] = ()
    paths: tuple[PathPrediction, ...] = ()
    cost_eur_per_h: float
    lower_bound_eur_per_h: float
    optimal: bool
    gap: float
    power_w: float = 0.0
    confidence: Confidence = "expected"
    objective: Literal["price", "power"] = "price"
    lower_bound_w: float = 0.0
    moved: tuple[str, ...] = ()
    wall_s: float = 0.0
    groups: tuple[tuple[str, ...], ...] = ()
    parameters: dict[str, str | int | float | bool] = {}
    notes: tuple[str, ...] = ()

    @property
    def least_accuracy(self) -> float | None:
        """Of the least accurate component of which it is known."""
        return min((each.accuracy for each in self.components if each.accuracy is not None), default=None)

    def assignments_of(self, component: str) -> tuple[Assignment, ...]:
        return tuple(each for each in self.assignments if each.component == component)

    def prediction_of(self, component: str) -> ComponentPrediction | None:
        return next((each for each in self.components if each.component == component), None)


def plan_differences(before: Plan | None, after: Plan) -> list[str]:
    """What carrying out `after` changes, as sentences; everything starts when there is nothing `before`."""
    old = _placed(before) if before is not None else {}
    new = _placed(after)
    lines: list[str] = []
    for component in sorted(old.keys() | new.keys()):
        was, will = old.get(component), new.get(component)
        if was is None:
            lines.append(f"{component} starts: {_where(will or {})}")
        elif will is None:
            lines.append(f"{component} stops: {_where(was)}")
        elif was != will:
            lines.append(f"{component} changes from {_where(was)} to {_where(will)}")
    costs = [f"{each.cost_eur_per_h:.4g}" for each in (before, after) if each is not None]
    if before is not None and len(set(costs)) > 1:  # measured anew, costs differ in digits that nobody sees
        lines.append(f"the cost changes from {costs[0]} to {costs[1]} EUR/h")
    return lines


def _placed(plan: Plan) -> dict[str, dict[tuple[str, str, int], int]]:
    placed: dict[str, dict[tuple[str, str, int], int]] = {}
    for each in plan.assignments:
        placed.setdefault(each.component, {})[each.variant, each.node, each.cores] = each.replicas
    return placed


def _where(copies: dict[tuple[str, str, int], int]) -> str:
    return " and ".join(
        (f"{replicas} x " if replicas > 1 else "") + f"{variant} on {node}" + (f", {cores} cores" if cores > 1 else "")
        for (variant, node, cores), replicas in sorted(copies.items())
    )


_COMMAND_DURATIONS = {"wall_s"}


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as plain data for JSON, with latencies in `_ms` and a schema version."""
    return {"schema_version": SCHEMA_VERSION} | _rename(msgspec.to_builtins(plan), "_s", "_ms", 1e3)


def in_milliseconds(document: Any) -> Any:
    """Plain data with every latency `x_s`, in seconds, as `x_ms`."""
    return _rename(document, "_s", "_ms", 1e3)


def encode_plan(plan: Plan) -> bytes:
    """The plan as an indented JSON document."""
    return msgspec.json.format(msgspec.json.encode(plan_document(plan)), indent=2) + b"\n"


def decode_plan(data: bytes, source: str = "plan") -> Plan:
    """Read what `encode_plan` wrote.

    Raises:
        InputError: not JSON, another schema version, or a field that does not fit; the message names `source`.
    """
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
        version = document.pop("schema_version", None)
        if version != SCHEMA_VERSION:
            raise InputError(
                f"{source}: schema_version is {version!r}, this Ecotone reads {SCHEMA_VERSION}; "
                "make a plan with: ecotone plan APP --json"
            )
        return msgspec.convert(_rename(document, "_ms", "_s", 1e-3), Plan)
    except msgspec.MsgspecError as error:
        raise InputError(f"{source}: not a plan: {error}; make one with: ecotone plan APP --json") from None


def _rename(value: Any, old: str, new: str, factor: float) -> Any:
    if isinstance(value, (list, tuple)):
        return [_rename(each, old, new, factor) for each in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, each in value.items():
        is_latency = key.endswith(old) and not key.endswith("_per" + old) and key not in _COMMAND_DURATIONS
        if is_latency and isinstance(each, (int, float)):
            # What is rounded to 1e-9 ms comes back as it went.
            result[key.removesuffix(old) + new] = round(each * factor, 9 if factor > 1 else 12)
        else:
            result[key] = each if key == "parameters" else _rename(each, old, new, factor)
    return result
