"""Replicas with several cores as real processes: what their hosts are told."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.e2e.conftest import Command
from tests.support.deployments import deployment_of, running

from ecotone.core.messages import BUCKET_WANTED, Deployment, WantedNode, decode, encode

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

APP = """
import os
from ecotone import component

print("imported with", os.environ["OMP_NUM_THREADS"], flush=True)

@component(every="50 ms")
def tick() -> int:
    return 1

@component(on=tick, cores=(1, 2))
def several(number: int) -> int:
    print("works with", os.environ["OPENBLAS_NUM_THREADS"])
    return number

@component(on=several)
def sink(number: int) -> None:
    print("works with", os.environ["OPENBLAS_NUM_THREADS"])
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def with_cores(deployment: Deployment, component: str, cores: int) -> Deployment:
    rows = tuple(
        msgspec.structs.replace(row, cores=cores) if row.component == component else row
        for row in deployment.plan.assignments
    )
    return msgspec.structs.replace(deployment, plan=msgspec.structs.replace(deployment.plan, assignments=rows))


async def test_a_host_with_several_cores_imports_its_module_with_as_many_threads(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "app.py").write_text(textwrap.dedent(APP))
    folder = tmp_path / "run"
    folder.mkdir()
    async with running(with_cores(deployment_of(app), "several", 2), folder) as run:
        await run.controller.wait_running(20)
        await run.wait_for(lambda: "works with" in run.log("sink.edge-1.0"), "an item has come through")
        pid = await run.pid_of("several")
        os.kill(pid, signal.SIGKILL)
        await run.event("host_died")
        await run.wait_for(lambda: run.log("several.edge-1.0").count("imported with 2") == 2, "it is started again")
        report = await run.controller.drain_and_stop(10.0)

    assert "works with 2" in run.log("several.edge-1.0")
    assert "imported" not in run.log("sink.edge-1.0")  # forked from where it was imported already
    assert "works with 1" in run.log("sink.edge-1.0")
    assert report.lost == 0
    assert {each.component: each.cores for each in report.components} == {"tick": 1, "several": 2, "sink": 1}


FALLING = """
import time
from ecotone import CellRun, component, path

@component(source=True, throughput="20 items/s")
def orders():
    number = 0
    while True:
        number += 1
        yield number
        time.sleep(0.25)

@component(on=orders, cell="never-run.cell", cores=(1, 2), replicas=1)
def program(number: int, run: CellRun) -> int:
    print("threads", run.threads)
    time.sleep(0.024 / run.threads)  # whatever else this machine does
    return number

@component(on=program)
def sink(number: int) -> None:
    pass

path(orders, program, sink, latency="2 s")
"""
HOME = """
sites:
  home: {layer: edge, nodes: {box: {cores: 2, price: 0.1 EUR/h}}}
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="nothing can be measured on two cores")
def test_where_a_source_brings_less_than_it_said_a_cell_does_with_fewer_cores(
    ecotone: Callable[..., Command], tmp_path: Path
) -> None:
    """Checked, profiled, planned, run, and in the report, without a hand in it."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "app.py").write_text(textwrap.dedent(FALLING))
    (app / "continuum.yaml").write_text(HOME)
    (app / "never-run.cell").touch()
    assert ecotone("profile", app, "--budget", "4s", "--json").finish() == 0
    command = ecotone("run", app, "--for", "13s", "--json")
    assert command.finish(120) == 0, command.stderr.decode()
    document = command.document
    planned = {each["component"]: each["cores"] for each in document["plan"]["assignments"]}
    assert planned == {"orders": 1, "program": 2, "sink": 1}
    (decision,) = document["decisions"]
    assert decision["component"] == "program"
    assert decision["reason"].startswith("program: 2 to 1 cores, the sources bring ")
    assert decision["reason"].endswith(" of what was planned: one core is enough for every promise")
    assert document["components"]["program"]["cores"] == 1
    assert document["components"]["program"]["restarts"] == document["lost"] == 0
    threads = [line[-1] for line in next(app.glob(".ecotone/runs/*/logs/program.*.log")).read_text().splitlines()[1:]]
    assert threads == sorted(threads, reverse=True)
    assert set(threads) == {"1", "2"}


CHANGING = """
from ecotone import CellRun, component

@component(every="50 ms")
def tick() -> int:
    return 1

@component(on=tick, cell="never-run.cell", cores=(1, 4))
def program(number: int, run: CellRun) -> int:
    print("threads", run.threads)
    return number
"""


async def test_a_cell_gets_another_number_of_threads_with_its_next_item(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "app.py").write_text(textwrap.dedent(CHANGING))
    (app / "never-run.cell").touch()
    folder = tmp_path / "run"
    folder.mkdir()
    async with running(with_cores(deployment_of(app), "program", 4), folder) as run:
        await run.controller.wait_running(20)
        await run.wait_for(lambda: "threads 4" in run.log("program.edge-1.0"), "as planned")
        before = await run.pid_of("program")
        entry = await run.bus.get(BUCKET_WANTED, "edge-1")
        assert entry is not None and entry.value is not None
        wanted = decode(entry.value, WantedNode)
        changed = msgspec.structs.replace(wanted, cores={"program": 2})
        await run.bus.put(BUCKET_WANTED, "edge-1", encode(changed))
        await run.wait_for(lambda: "threads 2" in run.log("program.edge-1.0"), "fewer")
        await run.bus.put(BUCKET_WANTED, "edge-1", encode(wanted))
        await run.wait_for(lambda: run.log("program.edge-1.0").rstrip().endswith("threads 4"), "as planned again")
        assert await run.pid_of("program") == before
        os.kill(before, signal.SIGKILL)
        await run.bus.put(BUCKET_WANTED, "edge-1", encode(changed))
        await run.event("host_died")
        await run.wait_for(lambda: run.log("program.edge-1.0").rstrip().endswith("threads 2"), "a new host knows it")
        report = await run.controller.drain_and_stop(10.0)

    assert report.lost == 0
