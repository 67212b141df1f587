"""What controller, agents and hosts say to each other. The controller and the agents meet only here.

Subjects and buckets of the bus:

    key-value  deployment / current         Deployment      controller writes; agents and hosts read
    key-value  wanted / <node>              WantedNode      controller writes; the node's agent follows
    key-value  seen / <node>                SeenNode        the agent writes; the controller follows
    message    telemetry.<agent>            AgentTelemetry  the agent, several times a second
    message    event.<node>                 Event           agent and controller, as things happen
    stream     <producer component>         Item            hosts append and consume
    stream     dead-letters                 DeadLetter      hosts append what raised too often
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from ecotone.core.application import Application, Value
from ecotone.core.continuum import Continuum
from ecotone.core.plan import Plan

__all__ = [
    "BUCKET_DEPLOYMENT",
    "BUCKET_SEEN",
    "BUCKET_WANTED",
    "DEAD_LETTERS",
    "KEY_CURRENT",
    "AgentTelemetry",
    "DeadLetter",
    "Deployment",
    "Event",
    "Histogram",
    "InstanceStatus",
    "InstanceTelemetry",
    "Item",
    "ObjectRef",
    "Phase",
    "SeenNode",
    "WantedInstance",
    "WantedNode",
    "decode",
    "encode",
]

BUCKET_DEPLOYMENT = "deployment"
KEY_CURRENT = "current"
BUCKET_WANTED = "wanted"
BUCKET_SEEN = "seen"
DEAD_LETTERS = "dead-letters"


class _Message(msgspec.Struct, frozen=True, omit_defaults=True):
    pass


class Deployment(_Message, frozen=True, kw_only=True):
    """All that an agent or host needs to know to run its part; hosts derive their own share from it.

    `root` is the folder of the application on this machine and `module` its module's name there; `item_timeouts_s`
    holds one bound for every component; `private_layers` what `Application.private_layers` says.
    """

    run: str
    application: Application
    continuum: Continuum
    plan: Plan
    parameters: dict[str, Value] = {}
    root: str
    module: str
    item_timeouts_s: dict[str, float] = {}
    machine_score: float = 1.0


class WantedInstance(_Message, frozen=True, kw_only=True):
    """One copy that should run. `components` is the component, then those fused behind it in the same host. `threads`
    that its numeric libraries start: of cells, the ranks have them, and this is 1."""

    id: str
    components: tuple[str, ...]
    variants: tuple[str, ...]
    replica: int = 0
    threads: int = 1


class WantedNode(_Message, frozen=True, kw_only=True):
    """All that should run on a node; what is not named should stop. `cores`: components whose replicas there have
    another number of cores than was planned, from their next item on."""

    node: str
    instances: tuple[WantedInstance, ...] = ()
    cores: dict[str, int] = {}


Phase = Literal["starting", "running", "backing_off", "stopping", "stopped", "failed"]


class InstanceStatus(_Message, frozen=True, kw_only=True):
    """One copy as its agent sees it. `restarts` counts starts after the first; `reason` of the last death, if any."""

    id: str
    phase: Phase
    pid: int = 0
    restarts: int = 0
    reason: str = ""
    since_s: float = 0.0


class SeenNode(_Message, frozen=True, kw_only=True):
    """A node as its agent sees it; `boot` differs between two lives of the agent."""

    node: str
    boot: str
    instances: tuple[InstanceStatus, ...] = ()


class Histogram(_Message, frozen=True, kw_only=True):
    """Counts by logarithmic bucket, as `infrastructure.telemetry.histogram` defines the buckets; sparse."""

    counts: dict[int, int] = {}
    sum_s: float = 0.0
    max_s: float = 0.0


class InstanceTelemetry(_Message, frozen=True, kw_only=True):
    """Totals of one instance since its first start (they survive its restarts).

    `handled` items acknowledged, `emitted` outputs accepted, `dropped` items skipped by drop-oldest, `raised`
    handlings that raised, `dead` items given up. `service`: handling alone, padding included; `response`: from arrival
    at the host to the end; `paths` by path index. `memory_bytes`: the most that was seen; `link_bytes`: taken over
    emulated links; `late_s`: by how much emulation ended too late.
    """

    id: str
    component: str
    node: str
    handled: int = 0
    emitted: int = 0
    dropped: int = 0
    raised: int = 0
    dead: int = 0
    busy_s: float = 0.0
    cpu_s: float = 0.0
    memory_bytes: float = 0.0
    restarts: int = 0
    link_bytes: float = 0.0
    late_s: float = 0.0
    service: Histogram = Histogram()
    response: Histogram = Histogram()
    paths: dict[int, Histogram] = {}


class AgentTelemetry(_Message, frozen=True, kw_only=True):
    """Everything one agent carries, at `time_s` (wall clock). `saturated_share`: share of the time since the last
    message in which this machine's real cores were all busy (0 to 1)."""

    agent: str
    time_s: float
    instances: tuple[InstanceTelemetry, ...]
    saturated_share: float = 0.0


class Event(_Message, frozen=True, kw_only=True):
    """Something happened that a person may ask about: `kind` is a stable name such as `host_died`."""

    time_s: float
    kind: str
    node: str = ""
    instance: str = ""
    reason: str = ""


class ObjectRef(_Message, frozen=True, kw_only=True):
    """A payload that did not travel inline: fetch it from `node` under `name`."""

    node: str
    name: str
    size_bytes: int


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One value on a channel, as it is on the wire.

    `origin_s`: wall time at which the first ancestor came into being; `starts_s`: wall time at which the named
    components (those that begin a promised path) started on an ancestor; `sent_s`: wall time of the publish.
    `shape` and `dtype` describe a numpy array, whose bytes are then the payload; `parts` is msgpack followed by the
    bytes of the arrays that it holds.
    """

    id: str
    producer: str
    node: str
    origin_s: float
    sent_s: float
    starts_s: dict[str, float]
    encoding: Literal["msgpack", "bytes", "array", "parts"]
    payload: bytes | ObjectRef
    dtype: str = ""
    shape: tuple[int, ...] = ()
    size_bytes: int = 0


class DeadLetter(_Message, frozen=True, kw_only=True):
    """An item whose handling raised too often, with the last error."""

    component: str
    item: Item
    attempts: int
    error: str


T = TypeVar("T")


def encode(message: Any) -> bytes:
    """Any of the above as msgpack."""
    return msgspec.msgpack.encode(message)


def decode(data: bytes, kind: type[T]) -> T:
    """Raises msgspec.ValidationError when `data` is something else."""
    return msgspec.msgpack.decode(data, type=kind)
