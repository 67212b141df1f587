"""Whatever dies, and whenever: nothing accepted is lost, nothing is left behind, and the next run works."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import Command, wait_until

pytestmark = pytest.mark.e2e

Start = Callable[..., Command]
Prepare = Callable[[str], Path]


def _arrived(app: Path) -> list[int]:
    (file,) = app.glob(".ecotone/runs/*/outputs/numbers.txt")
    return [int(line) for line in file.read_text().split()]


def _running(app: Path, least: int = 20) -> Callable[[], bool]:
    def condition() -> bool:
        files = list(app.glob(".ecotone/runs/*/outputs/numbers.txt"))
        return bool(files) and len(_arrived(app)) >= least

    return condition


def _assert_nothing_lost(command: Command, app: Path) -> None:
    assert command.document["lost"] == 0
    assert command.document["waiting"] == 0
    numbers = sorted({number // 2 for number in _arrived(app)})
    assert numbers == list(range(1, numbers[-1] + 1)), "every number up to the last one has arrived"
    assert len(numbers) >= 100


def _hosts(command: Command) -> list[int]:
    """Hosts are the grandchildren of the agent: what the fork server forked."""
    parents = {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in command.pids()}
    agent = command.pids("ecotone.execution.agent")
    servers = {pid for pid, parent in parents.items() if parent in agent and parents.get(parent) not in agent}
    return [pid for pid, parent in parents.items() if parent in servers]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_hosts_lose_nothing(ecotone: Start, prepared: Prepare, seed: int) -> None:
    app, rng = prepared("numbers"), random.Random(seed)
    command = ecotone("run", app, "--for", "5s", "--json")
    wait_until(_running(app), "numbers arrive")
    for _ in range(5):
        command.kill(rng.choice(wait_until(lambda: _hosts(command), "there are hosts")))
        time.sleep(rng.uniform(0.05, 0.5))

    assert command.finish() == 0, command.stderr.decode()
    _assert_nothing_lost(command, app)
    assert sum(each["restarts"] for each in command.document["components"].values()) >= 3


@pytest.mark.parametrize("words", [("nats-server",), ("ecotone.execution.agent",)], ids=["bus", "agent"])
def test_a_killed_bus_or_agent_is_started_again_and_nothing_is_lost(
    ecotone: Start, prepared: Prepare, words: tuple[str, ...]
) -> None:
    app = prepared("numbers")
    command = ecotone("run", app, "--for", "6s", "--json")
    wait_until(_running(app), "numbers arrive")
    for pid in command.pids(*words):
        command.kill(pid)
    before = len(_arrived(app))
    wait_until(_running(app, before + 50), "numbers arrive again")

    assert command.finish() == 0, command.stderr.decode()
    _assert_nothing_lost(command, app)


def test_a_stopped_host_is_found_and_replaced(ecotone: Start, prepared: Prepare) -> None:
    app = prepared("numbers")
    command = ecotone("run", app, "--for", "6s", "--json")
    wait_until(_running(app), "numbers arrive")
    command.kill(random.Random(1).choice(_hosts(command)), signal.SIGSTOP)

    assert command.finish() == 0, command.stderr.decode()
    _assert_nothing_lost(command, app)


def test_when_ecotone_is_killed_nothing_stays_and_the_next_run_works(ecotone: Start, prepared: Prepare) -> None:
    app = prepared("numbers")
    command = ecotone("run", app, "--for", "30s", "--json")
    wait_until(_running(app), "numbers arrive")
    command.process.kill()
    wait_until(lambda: not command.pids(), "all its processes are gone", 5)

    again = ecotone("run", app, "--for", "1s", "--json")
    assert again.finish() == 0, again.stderr.decode()
    assert again.document["components"]["sink"]["count"] > 0


def test_after_a_crash_a_run_resumes_on_request(ecotone: Start, prepared: Prepare) -> None:
    app = prepared("numbers")
    command = ecotone("run", app, "--for", "30s", "--json")
    wait_until(_running(app, 100), "numbers arrive")
    command.process.kill()
    wait_until(lambda: not command.pids(), "all its processes are gone", 5)

    again = ecotone("run", app, "--for", "1s", "--json", "--resume")
    assert again.finish() == 0, again.stderr.decode()
    _assert_nothing_lost(again, app)


@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.3, 0.6, 1.5])
def test_ctrl_c_at_any_moment_ends_cleanly(ecotone: Start, prepared: Prepare, after_s: float) -> None:
    app = prepared("numbers")
    command = ecotone("run", app, "--json")
    time.sleep(after_s)
    command.process.send_signal(signal.SIGINT)
    command.finish(timeout_s=20)

    if b"_get_module_details" not in command.stderr:  # Python itself was still starting, and knew nothing of us
        assert b"Traceback" not in command.stderr
    wait_until(lambda: not command.pids(), "all its processes are gone", 5)
    leftovers = [each for each in Path("/dev/shm").glob(f"ecotone-{os.getuid()}-*") if _of(each, app)]
    assert not leftovers


def _of(shared: Path, app: Path) -> bool:
    runs = {each.name for each in app.glob(".ecotone/runs/*")}
    return any(shared.name.endswith(run) for run in runs)


_TROUBLES = ("raise", "spin", "leak", "fork", "close")
_TROUBLES_MORE = ("exit", "garbage", "hang", "interrupt", "words")  # 15 s each; they end as the others do


@pytest.fixture
def asked_for(request: pytest.FixtureRequest) -> None:
    """Leaves out what is marked slow, without `-m slow`."""
    if request.node.get_closest_marker("slow") and "slow" not in request.config.option.markexpr:
        pytest.skip("long; run it with -m slow")


@pytest.mark.usefixtures("asked_for")
@pytest.mark.parametrize(
    "trouble", [*_TROUBLES, *(pytest.param(each, marks=pytest.mark.slow) for each in _TROUBLES_MORE)]
)
def test_a_component_that_misbehaves_is_dealt_with_and_named(ecotone: Start, prepared: Prepare, trouble: str) -> None:
    app = prepared("trouble")
    command = ecotone("run", app, "--for", "5s", "--json", "--set", f"trouble={trouble}")
    status = command.finish()

    assert status in {0, 1}, command.stderr.decode()
    assert command.document["lost"] == 0
    misbehaved = command.document["components"]["misbehave"]
    if trouble == "raise":
        assert misbehaved["dead_letters"] > 0
    elif trouble in {"exit", "hang", "spin", "leak"}:
        assert misbehaved["restarts"] == 1
    else:
        assert misbehaved["restarts"] == 0
    assert command.document["components"]["sink"]["count"] > 50
    logs = ecotone("logs", app, "misbehave")
    assert logs.finish() == 0
    if trouble == "raise":
        assert b"told to raise" in logs.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("after_s", [0.3, 1.2])
def test_other_signals_tidy_up_as_ctrl_c_does(ecotone: Start, prepared: Prepare, number: int, after_s: float) -> None:
    app = prepared("numbers")
    command = ecotone("run", app)
    wait_until(lambda: list(Path("/dev/shm").glob("ecotone-*")), "a run begins")
    time.sleep(after_s)
    command.process.send_signal(number)
    status = command.finish(timeout_s=20)

    assert status in {0, 130}, command.stderr.decode()
    assert not [each for each in Path("/dev/shm").glob(f"ecotone-{os.getuid()}-*") if _of(each, app)]
