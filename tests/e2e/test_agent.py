"""Agent, fork server, hosts, bus and controller as real processes: killed, frozen, and held to what they promise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from tests.support.deployments import Run, deployment_of, running

from ecotone.core.errors import ComponentError
from ecotone.core.messages import DEAD_LETTERS, DeadLetter, decode
from ecotone.core.report import RunReport

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

APP = Path(__file__).parent / "apps" / "agent"
PLACES = {"numbers": "edge-1", "work": "edge-2", "sink": "cloud", "ask": "edge-1"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def numbers(run: Run) -> list[int]:
    return [int(line) for line in run.output("numbers.txt")]


async def some_numbers(run: Run, more: int = 50) -> None:
    before = len(numbers(run))
    await run.wait_for(lambda: len(numbers(run)) >= before + more, f"{more} more numbers")


async def nothing_lost(run: Run) -> RunReport:
    """The run is drained: every number has arrived, and the report says the same."""
    report = await run.controller.drain_and_stop(10.0)
    arrived = set(numbers(run))
    assert arrived == set(range(1, max(arrived) + 1))
    assert report.lost == 0
    assert report.waiting == 0
    return report


def descendants(pid: int) -> list[int]:
    """Every process below `pid`."""
    found: list[int] = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *descendants(int(child))]
    return found


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}/stat").exists() and _state(pid) != "Z"]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def noticed(what: str, duration_s: float) -> None:
    print(f"{what}: noticed after {duration_s * 1e3:.1f} ms")


async def test_everything_runs_drains_and_is_reported(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES), tmp_path) as run:
        await run.controller.wait_running(20)
        await some_numbers(run, 150)
        going = run.controller.snapshot()
        report = await nothing_lost(run)

    assert not going.finished
    assert {each.component: each.phases for each in going.components}["work"] == {"running": 1}
    assert report.finished
    counts = {each.component: each.count for each in report.components}
    assert counts["numbers"] == counts["work"] == counts["sink"] == max(numbers(run))
    assert sum(each.restarts for each in report.components) == 0
    assert report.start_to_first_item_s is not None
    assert report.events[0].kind == "deployed"
    assert report.cost_eur > 0
    assert report.energy_j > 0
    assert {each.node for each in report.nodes} == {"edge-1", "edge-2", "cloud"}
    assert "start 1 variant default" in run.log("work.edge-2.0")
    assert not alive([run.agent.pid, run.server.pid])


async def test_a_killed_host_is_noticed_at_once_and_loses_nothing(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES), tmp_path) as run:
        await run.controller.wait_running(20)
        for component in ("work", "numbers", "sink"):
            await some_numbers(run)
            pid = await run.pid_of(component)
            killed_s = time.time()
            os.kill(pid, signal.SIGKILL)
            died = await run.event("host_died", killed_s)
            noticed("killed host", died.time_s - killed_s)
            assert died.instance.startswith(component)
            assert died.reason == "killed by SIGKILL"
            await some_numbers(run)
        report = await nothing_lost(run)

    restarts = {each.component: each.restarts for each in report.components}
    assert restarts == {"numbers": 1, "work": 1, "sink": 1, "ask": 0}


async def test_a_frozen_host_is_found_and_replaced(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES), tmp_path) as run:
        await run.controller.wait_running(20)
        await some_numbers(run, 200)  # long enough for the agent to trust ages
        frozen_s = time.time()
        os.kill(await run.pid_of("work"), signal.SIGSTOP)
        hung = await run.event("host_hung", frozen_s)
        noticed("frozen host", hung.time_s - frozen_s)
        await some_numbers(run)
        await nothing_lost(run)

    assert "no heartbeat for 1." in hung.reason


async def test_user_code_that_hangs_is_ended_by_the_timeout_of_its_item(tmp_path: Path) -> None:
    deployment = deployment_of(APP, PLACES, parameters={"trouble": "hang"}, item_timeouts_s={"work": 1.0})
    async with running(deployment, tmp_path) as run:
        hung = await run.event("host_hung")
        await some_numbers(run, 60)
        await nothing_lost(run)

    assert hung.reason.startswith("hung: work has worked on one item for 1.")


async def test_a_killed_agent_is_replaced_with_all_its_hosts_and_nothing_is_lost(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES), tmp_path) as run:
        await run.controller.wait_running(20)
        await some_numbers(run)
        before = descendants(run.agent.pid)
        killed_s = time.time()
        os.kill(run.agent.pid, signal.SIGKILL)
        died = await run.event("agent_died", killed_s)
        noticed("killed agent", died.time_s - killed_s)
        await run.wait_for(lambda: not alive(before), "the hosts of the dead agent are gone")
        await some_numbers(run)
        report = await nothing_lost(run)

    assert len(before) == 5, "the fork server and four hosts"
    assert died.reason == "the agent died: killed by SIGKILL"
    assert report.components[0].count >= max(numbers(run)), "totals survive the agent"


async def test_a_killed_fork_server_takes_its_hosts_along_and_is_replaced(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES), tmp_path) as run:
        await run.controller.wait_running(20)
        await some_numbers(run)
        fork_server, *hosts = descendants(run.agent.pid)
        os.kill(fork_server, signal.SIGKILL)
        await run.wait_for(lambda: not alive(hosts), "the hosts of the dead fork server are gone")
        await some_numbers(run)
        await nothing_lost(run)


async def test_a_killed_bus_is_restarted_on_its_directory_and_nothing_is_lost(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES), tmp_path) as run:
        await run.controller.wait_running(20)
        await some_numbers(run, 100)
        killed_s = time.time()
        os.kill(run.server.pid, signal.SIGKILL)
        died = await run.event("bus_died", killed_s)
        noticed("killed bus", died.time_s - killed_s)
        await some_numbers(run)
        report = await nothing_lost(run)

    assert sum(each.restarts for each in report.components) == 0, "hosts wait for the bus, nobody kills them"


@pytest.mark.parametrize("stopped_first", [False, True])
async def test_when_the_controlling_process_is_killed_nothing_stays(tmp_path: Path, stopped_first: bool) -> None:
    code = (
        "import anyio, sys\n"
        "from pathlib import Path\n"
        "from tests.support.deployments import deployment_of, running\n"
        "async def main():\n"
        "    app, folder = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "    async with running(deployment_of(app, parameters={'trouble': 'helper'}), folder) as run:\n"
        "        await run.controller.wait_running(20)\n"
        "        print('running', flush=True)\n"
        "        await anyio.sleep_forever()\n"
        "anyio.run(main)\n"
    )
    command = [sys.executable, "-c", code, str(APP), str(tmp_path)]
    root = Path(__file__).parents[2]
    process = await anyio.open_process(command, cwd=root, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 100) == b"running"
    before = descendants(process.pid)
    if stopped_first:  # a fork server or host that does not run cannot clean up by itself
        os.kill(before[-1], signal.SIGSTOP)
    process.kill()
    await process.wait()
    with anyio.move_on_after(10):
        while alive(before):  # noqa: ASYNC110 - other people's processes
            await anyio.sleep(0.01)

    assert len(before) >= 8, "bus, agent, fork server, four hosts and a helper of one of them"
    assert not alive(before)


@pytest.mark.parametrize("helper", ["helper", "detached"])
async def test_what_a_host_started_does_not_outlive_the_run(tmp_path: Path, helper: str) -> None:
    async with running(deployment_of(APP, PLACES, parameters={"trouble": helper}), tmp_path) as run:
        await run.controller.wait_running(20)
        await some_numbers(run)
        before = descendants(run.agent.pid)
        helpers = [pid for pid in before if _name(pid) == "sleep"]
        os.kill(await run.pid_of("work"), signal.SIGKILL)
        if helper == "helper":
            await run.wait_for(lambda: not alive(helpers), "the helper of the killed host is gone")
        await some_numbers(run)

    assert helpers
    assert not alive(before)


async def test_a_host_that_uses_too_much_memory_is_killed_and_told_why(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES, parameters={"trouble": "leak"}), tmp_path) as run:
        killed = await run.event("host_killed")

    assert killed.reason.startswith("used ")
    assert killed.reason.endswith("may use 600 MiB")


async def test_a_component_that_cannot_start_fails_with_its_reason(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES, parameters={"trouble": "start"}), tmp_path) as run:
        with pytest.raises(ComponentError, match=r"work.edge-2.0 does not start: .*no model here"):
            await run.controller.wait_running(20)
        assert "ValueError: no model here" in run.log("work.edge-2.0")


async def test_items_that_raise_too_often_become_dead_letters(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES, parameters={"trouble": "poison"}), tmp_path) as run:
        await run.controller.wait_running(20)
        await some_numbers(run, 120)
        report = await run.controller.drain_and_stop(10.0)
        state = await run.bus.consumer_state(DEAD_LETTERS, "kept")
        async with run.bus.consume(DEAD_LETTERS, "kept") as letters:
            async for delivery in letters:
                letter = decode(delivery.data, DeadLetter)
                break

    dead = {each.component: each.dead for each in report.components}
    assert dead["work"] == state.pending
    assert dead["work"] == max(numbers(run)) // 50 or dead["work"] == max(numbers(run)) // 50 + 1
    assert report.lost == 0
    assert "I do not like this one" in letter.error
    assert letter.attempts == 3


async def test_a_flood_of_output_is_cut(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES, parameters={"trouble": "flood"}), tmp_path) as run:
        cut = await run.event("log_cut")
        log = tmp_path / "logs" / "work.edge-2.0.log"

    assert "work.edge-2.0.log" in cut.reason
    assert log.with_name(log.name + ".1").stat().st_size <= 10_000_000
    assert log.stat().st_size <= 60_000_000


async def test_the_module_is_imported_once_with_the_parameters_bound(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES, parameters={"trouble": "none"}), tmp_path) as run:
        await run.controller.wait_running(20)
        imported = (tmp_path / "logs" / "forkserver.log").read_text()
        logs = [run.log(f"{name}.{node}.0") for name, node in PLACES.items()]

    assert imported == "imported with trouble none\n"
    assert not any("imported" in log for log in logs)


async def test_a_module_that_starts_threads_is_imported_by_each_host(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES, parameters={"trouble": "threads"}), tmp_path) as run:
        told = await run.event("fork_server")
        await run.controller.wait_running(20)
        await some_numbers(run)
        logs = [run.log(f"{name}.{node}.0") for name, node in PLACES.items()]
        await nothing_lost(run)

    assert "starts threads" in told.reason
    assert all("imported with trouble threads" in log for log in logs)


async def test_a_module_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES, parameters={"trouble": "import"}), tmp_path) as run:
        told = await run.event("fork_server")
        with pytest.raises(ComponentError, match="a library is missing"):
            await run.controller.wait_running(20)
        log = run.log("work.edge-2.0")

    assert told.reason == "app cannot be imported: ImportError: a library is missing"
    assert "ImportError: a library is missing" in log


async def test_requests_over_http(tmp_path: Path) -> None:
    def post(address: str, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
        request = urllib.request.Request(address, data=body, headers={"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    async with running(deployment_of(APP, PLACES), tmp_path) as run:
        await run.controller.wait_running(20)
        assert run.controller.gateway is not None
        (address,) = run.controller.gateway.addresses
        answers = [
            await anyio.to_thread.run_sync(post, address, body)
            for body in (b'{"a": 1, "b": 2}', b'{"a": 0, "b": 2}', b"{")
        ]
        unknown = await anyio.to_thread.run_sync(post, run.controller.gateway.address + "/nobody", b"{}")

    assert answers[0] == (200, {"sum": 3})
    assert answers[1][0] == 500
    assert "a must not be 0" in answers[1][1]["error"]
    assert answers[2][0] == 400
    assert unknown[0] == 404


async def test_ctrl_c_reaches_nobody_but_the_session(tmp_path: Path) -> None:
    async with running(deployment_of(APP, PLACES), tmp_path) as run:
        await run.controller.wait_running(20)
        everybody = [run.agent.pid, *descendants(run.agent.pid)]
        for pid in everybody:
            os.kill(pid, signal.SIGINT)
        await some_numbers(run)
        report = await nothing_lost(run)
        groups = Counter(os.getpgid(pid) for pid in everybody if alive([pid]))

    assert sum(each.restarts for each in report.components) == 0
    assert os.getpgid(0) not in groups
