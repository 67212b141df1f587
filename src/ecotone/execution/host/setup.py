"""Puts a host together: loads user code, and builds stages and inputs from the deployment."""

from __future__ import annotations

from collections import deque
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ecotone.execution.host import share
from ecotone.execution.host.codec import Decoder, Encoder
from ecotone.execution.host.cores import allow_cores, allowed_cores
from ecotone.execution.host.emulation import CoreSlots, Route
from ecotone.execution.host.inputs import Input, TokenSlots
from ecotone.execution.host.kinds import load
from ecotone.execution.host.ledger import Ledger
from ecotone.execution.host.loop import Snapshots
from ecotone.execution.host.meter import Meter
from ecotone.execution.host.outbox import GivenUp, Outlet
from ecotone.execution.host.stages import Stage
from ecotone.execution.host.state import StateStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ecotone.core.application import Component
    from ecotone.core.messages import Deployment
    from ecotone.execution.host import HostSpec
    from ecotone.execution.host.entry import Entry
    from ecotone.execution.host.kinds import Handler
    from ecotone.execution.host.objects import Objects
    from ecotone.execution.host.outbox import Job
    from ecotone.execution.host.stages import Sender
    from ecotone.execution.page import InstancePage

__all__ = ["build_inputs", "build_snapshots", "build_stages", "decoders_of"]


def build_stages(
    spec: HostSpec, deployment: Deployment, pages: Sequence[InstancePage], sender: Sender, cpu_clock: int
) -> list[Stage]:
    """One stage for each component of the instance, in its order. Imports and constructs user code.

    Raises:
        Whatever `kinds.load` raises.
    """
    application = deployment.application
    speed = share.node_speed(deployment, spec.node)
    components = [application.component(name) for name in spec.instance.components]
    planned = {each.name: share.cores_of(deployment, each.name, spec.node) for each in components}
    for name, count in planned.items():
        allow_cores(name, count)
    cores = share.cores_contended(deployment, spec.node)
    held = max(each.held(planned[each.name]) for each in components)
    slots = CoreSlots(Path(spec.shared_root) / "cores" / spec.node, cores, held) if cores else None
    handlers = [_load(deployment, *each) for each in zip(components, spec.instance.variants, strict=True)]
    stages: dict[str, Stage] = {}
    for component, handler, page in reversed(list(zip(components, handlers, pages, strict=True))):
        consumers = application.consumers(component.name)
        outside = tuple(name for name in consumers if name not in spec.instance.components)
        stages[component.name] = Stage(
            component=component,
            handler=handler,
            encoder=Encoder(component.name),
            page=page,
            meter=Meter(speed, slots, cpu_clock, waits=component.trigger.kind == "source"),
            sender=sender,
            outlet=_outlet(component, outside, page) if outside or not consumers else None,
            followers=[stages[name] for name in consumers if name in stages],
            starts_path=share.starts_path(application, component.name),
            ends=share.path_ends(application, component.name),
            before_call=_following_cores(component, planned[component.name], page, slots),
        )
    return [stages[component.name] for component in components]


def _load(deployment: Deployment, component: Component, variant: str) -> Handler:
    return load(deployment.root, deployment.module, component, variant, deployment.parameters)


def _following_cores(
    component: Component, planned: int, page: InstancePage, slots: CoreSlots | None
) -> Callable[[], None] | None:
    """Takes over what the agent says; None where it cannot change: numeric libraries have started their threads."""
    if component.cell is None:
        return None

    def follow() -> None:
        cores = page.cores or planned
        if cores != allowed_cores(component.name):
            allow_cores(component.name, cores)
            if slots is not None:
                slots.held = component.held(cores)

    return follow


def _outlet(component: Component, consumers: tuple[str, ...], page: InstancePage) -> Outlet:
    return Outlet(component.name, consumers, component.live, component.capacity, page, deque())


def decoders_of(deployment: Deployment, stage: Stage) -> dict[str, Decoder]:
    """For each producer, and "" for requests: how its items are decoded."""
    application = deployment.application
    decoders = {
        name: Decoder(stage.handler.hint_for(application.component(name))) for name in stage.component.trigger.inputs
    }
    return decoders | {"": Decoder(stage.handler.hint_for(None))}


def build_inputs(
    spec: HostSpec,
    deployment: Deployment,
    stage: Stage,
    objects: Objects,
    *,
    deliver: Callable[[Entry], None],
    post: Callable[[Job], None],
) -> list[Input]:
    """The channels that the first component takes."""
    root = Path(spec.shared_root)
    slots = TokenSlots(stage.page)

    def give_up(entry: Entry, error: str) -> None:
        attempts = entry.delivery.attempt if entry.delivery is not None else 0
        post(GivenUp(entry, stage.page, attempts, error))

    def build(name: str) -> Input:
        producer = deployment.application.component(name)
        return Input(
            producer=producer,
            consumer=stage.component,
            prefetch=share.prefetch(deployment, producer, stage.component, spec.node),
            page=stage.page,
            slots=slots,
            ledger=Ledger(root / "ledgers" / f"{stage.name}@{name}"),
            objects=objects,
            route_from=_routes(spec, deployment, name),
            deliver=deliver,
            give_up=give_up,
        )

    return [build(name) for name in stage.component.trigger.inputs]


def _routes(spec: HostSpec, deployment: Deployment, producer: str) -> Callable[[str], Route | None]:
    """From which node to which emulated links; None for a node of the same site."""
    continuum = deployment.continuum
    sites = {node.name: node.site for node in continuum.nodes}
    site = sites[spec.node]
    shares = share.shares_objects(deployment, producer, spec.node)
    folder = Path(spec.shared_root) / "links"

    @cache
    def route_from(node: str) -> Route | None:
        source = sites.get(node, site)  # a node that has left the continuum sends nothing new
        links = continuum.route(source, site) if continuum.emulated else ()
        return Route(folder, source, links, node=spec.node, share=shares) if links else None

    return route_from


def build_snapshots(
    spec: HostSpec,
    deployment: Deployment,
    stage: Stage,
    inputs: Sequence[Input],
    *,
    stored: bytes | None,
    post: Callable[[Job], None],
) -> Snapshots | None:
    """Restore the state that is stored, and keep storing it; None when the component has no hooks.

    Raises:
        NotFoundError: a snapshot's file is gone.
        Exception: whatever `restore` raises.
    """
    state = stage.component.state
    if state is None or state.snapshot_every_s is None or not stage.handler.keeps_state:
        return None
    store = StateStore(Path(spec.run_dir or spec.shared_root), stage.name)
    if stored is not None:
        value, handled = store.unpack(stored)
        stage.handler.restore(value)
        for each in inputs:
            each.handled = handled.get(each.stream, each.handled)
    store.remove_leftovers()
    return Snapshots(
        stage,
        store,
        inputs,
        every_s=state.snapshot_every_s,
        items_max=share.snapshot_items_max(deployment.application, stage.component),
        post=post,
    )
