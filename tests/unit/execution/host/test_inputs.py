"""The receiving end of a channel: what is known to be done is counted once and goes no further."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecotone.core.application import Component, Trigger
from ecotone.core.messages import Item, encode
from ecotone.execution.host.inputs import Input, TokenSlots
from ecotone.execution.host.ledger import Ledger
from ecotone.execution.host.objects import Objects
from ecotone.execution.host.state import Handled
from ecotone.execution.page import InstancePage
from ecotone.infrastructure.bus import MemoryServer, StreamConfig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ecotone.execution.host.entry import Entry

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[InstancePage]:
    page = InstancePage.create(tmp_path / "page")
    yield page
    page.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger")
    yield ledger
    ledger.close()


async def receive(source: Input, items: int) -> int:
    """Send `items` through a bus to `source`; returns how many are still unacknowledged."""
    server = MemoryServer()
    bus = server.connect()
    await bus.create_stream(StreamConfig(name="numbers", consumers=("total",)))
    for number in range(items):
        item = Item(f"n{number}", "numbers", "n", 0.0, 0.0, {}, "msgpack", b"\x01")
        await bus.append("numbers", encode(item), item_id=item.id)
    async with bus.consume("numbers", "total", prefetch=items) as deliveries:
        left = items
        async for delivery in deliveries:
            await source.receive(delivery)
            left -= 1
            if not left:
                break
        kept = (await bus.stream_state("numbers")).kept
    await bus.close()
    return kept


def build(tmp_path: Path, page: InstancePage, ledger: Ledger, delivered: list[Entry]) -> Input:
    return Input(
        producer=Component(name="numbers", target="numbers", trigger=Trigger(kind="source")),
        consumer=Component(name="total", target="total", trigger=Trigger(kind="data", inputs=("numbers",))),
        prefetch=8,
        page=page,
        slots=TokenSlots(page),
        ledger=ledger,
        objects=Objects(tmp_path, "n"),
        route_from=lambda _: None,
        deliver=delivered.append,
        give_up=lambda *_: None,
    )


async def test_what_a_stored_snapshot_holds_is_counted_though_its_host_died_before(
    tmp_path: Path, page: InstancePage, ledger: Ledger
) -> None:
    delivered: list[Entry] = []
    source = build(tmp_path, page, ledger, delivered)
    source.handled = Handled(3)
    ledger.mark(1)  # the host that died had come so far
    assert await receive(source, 5) == 2
    assert page.telemetry(instance="", component="", node="").handled == 2
    assert [entry.item.id for entry in delivered] == ["n3", "n4"]


async def test_what_is_done_is_acknowledged_again_and_not_counted_again(
    tmp_path: Path, page: InstancePage, ledger: Ledger
) -> None:
    delivered: list[Entry] = []
    for sequence in (1, 2):
        ledger.mark(sequence)
    assert await receive(build(tmp_path, page, ledger, delivered), 3) == 1
    assert page.telemetry(instance="", component="", node="").handled == 0
    assert [entry.item.id for entry in delivered] == ["n2"]
    assert len(page.tokens()) == 1
