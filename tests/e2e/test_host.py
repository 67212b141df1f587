"""Hosts as real processes on a real bus server: nothing accepted is lost, whatever dies and whenever."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import numpy as np
import pytest

from ecotone.core.continuum import Continuum, Link, NodeType, Site
from ecotone.core.messages import BUCKET_DEPLOYMENT, DEAD_LETTERS, KEY_CURRENT, DeadLetter, encode
from ecotone.execution.page import FAILED, STOPPED
from ecotone.infrastructure.bus import StreamConfig
from ecotone.infrastructure.telemetry.histogram import quantile_s
from tests.support.hosts import ONE_NODE, Rig, rig, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


CHAIN = '''
from ecotone import component

@component(source=True, throughput="100 items/s")
def numbers():
    yield from ()

@component(on=numbers)
def double(number: int) -> int:
    return 2 * number

@component(on=double)
def collect(number: int) -> int:
    return number + 1
'''


def told(host: Any) -> Any:
    return host.page.telemetry(instance="", component="", node="")


async def test_items_pass_and_are_counted(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run.deploy(CHAIN, probes=["collect"])
        await run.start("double", "collect")
        ids = [await run.feed("numbers", number) for number in range(20)]
        found = await run.collect("collect", 20)
        assert [value for _, value in found] == [2 * number + 1 for number in range(20)]
        assert [item.id for item, _ in found] == [f"collect/0<double/0<{each}" for each in ids]
        assert await run.hosts["double"].stop() == 0
        assert await run.hosts["collect"].stop() == 0
        for name in ("double", "collect"):
            counted = told(run.hosts[name])
            assert (counted.handled, counted.emitted, counted.raised, counted.dropped) == (20, 20, 0, 0)
            assert sum(counted.response.counts.values()) == sum(counted.service.counts.values()) == 20
            assert run.hosts[name].page.phase == STOPPED
            assert run.hosts[name].page.tokens() == ()
        assert (await run.bus.stream_state("numbers")).kept == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_killed_at_any_moment_no_item_is_lost_or_repeated(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    total = 400
    async with rig(tmp_path) as run:
        await run.deploy(CHAIN, probes=["collect"])
        await run.start("double", "collect")
        found: list[Any] = []

        async def feed() -> None:
            for number in range(total):
                await anyio.sleep(0.004)
                while True:
                    try:
                        await run.feed("numbers", number)
                        break
                    except Exception:
                        run._numbers -= 1
                        await anyio.sleep(0.01)

        async def kill() -> None:
            for _ in range(6):
                await anyio.sleep(chance.uniform(0.05, 0.4))
                host = run.hosts[chance.choice(["double", "collect"])]
                await host.kill()
                host.start()

        async def collect() -> None:
            found.extend(await run.collect("collect", total))

        async with anyio.create_task_group() as group:
            for task in (feed, kill, collect):
                group.start_soon(task)
        assert sorted(value for _, value in found) == sorted(2 * number + 1 for number in range(total)), f"seed {seed}"
        assert len({item.id for item, _ in found}) == total
        for name in ("double", "collect"):
            await run.hosts[name].ready()
            assert await run.hosts[name].stop() == 0
            assert told(run.hosts[name]).handled == total, f"seed {seed}"
        assert (await run.bus.stream_state("collect")).accepted == total
