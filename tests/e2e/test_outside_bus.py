"""Runs on an operator's own NATS server: kept apart from each other, gone without a trace, and clear about trouble."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from tests.e2e.conftest import APPS, Command, wait_until

from ecotone.infrastructure.bus import Bus, Server, connect, open_server
from ecotone.infrastructure.bus._server import _find_binary

pytestmark = pytest.mark.e2e

Start = Callable[..., Command]
Prepare = Callable[[str], Path]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = open_server(tmp_path_factory.mktemp("operator") / "bus")
    yield server
    server.stop()


@pytest.fixture
def traces(server: Server) -> Iterator[Callable[[], set[str]]]:
    """The runs that have something on the server; none may be left at the end of a test."""

    async def look() -> set[str]:
        async with _open(server) as bus:
            return {each.partition("_")[0] for each in (*await bus.streams(), *await bus.buckets())}

    yield lambda: anyio.run(look)
    assert not anyio.run(look)


@asynccontextmanager
async def _open(server: Server) -> AsyncIterator[Bus]:
    bus = await connect(server.url, name="operator")
    try:
        yield bus
    finally:
        await bus.close()


@pytest.fixture
def unmeasured(tmp_path: Path) -> Path:
    """An application that would be profiled first: what is wrong with the bus must be said before."""
    return Path(shutil.copytree(APPS / "numbers", tmp_path / "numbers", ignore=shutil.ignore_patterns(".ecotone")))


def _arrived(app: Path) -> list[int]:
    files = list(app.glob(".ecotone/runs/*/outputs/numbers.txt"))
    return [int(line) for line in files[0].read_text().split()] if files else []


def _runs(app: Path) -> set[str]:
    return {f"ecotone-{each.name}" for each in app.glob(".ecotone/runs/*")}


def test_two_runs_on_one_server_do_not_see_each_other(
    ecotone: Start, prepared: Prepare, server: Server, traces: Callable[[], set[str]]
) -> None:
    apps = (prepared("numbers"), prepared("numbers"))
    commands = (
        ecotone("run", apps[0], "--json", "--bus-url", server.url),
        ecotone("run", apps[1], "--json", ECOTONE_BUS_URL=server.url),
    )
    for app in apps:
        wait_until(lambda app=app: len(_arrived(app)) >= 50, "numbers arrive")
    assert traces() == _runs(apps[0]) | _runs(apps[1])

    for command in commands:
        command.process.send_signal(signal.SIGINT)
    for command, app in zip(commands, apps, strict=True):
        assert command.finish() == 0, command.stderr.decode()
        document, numbers = command.document, _arrived(app)
        assert (document["lost"], document["waiting"]) == (0, 0)
        assert not any("still there" in note for note in document["notes"])
        assert numbers == [2 * number for number in range(1, len(numbers) + 1)], "all, once, and nobody else's"
        assert document["components"]["sink"]["count"] == len(numbers) >= 50
        assert not (next(app.glob(".ecotone/runs/*")) / "bus").exists()


def test_a_server_that_is_restarted_is_found_again(
    ecotone: Start, prepared: Prepare, server: Server, traces: Callable[[], set[str]]
) -> None:
    app = prepared("numbers")
    command = ecotone("run", app, "--json", "--bus-url", server.url)
    wait_until(lambda: len(_arrived(app)) > 20, "numbers arrive")
    server.kill()
    server.restart()
    server.wait_ready()
    before = len(_arrived(app))
    wait_until(lambda: len(_arrived(app)) > before + 50, "numbers arrive again")
    command.process.send_signal(signal.SIGINT)
    assert command.finish() == 0, command.stderr.decode()
    assert command.document["lost"] == 0
    numbers = set(_arrived(app))
    assert numbers == set(range(2, max(numbers) + 2, 2))
    assert not traces()


def test_ctrl_c_leaves_nothing(
    ecotone: Start, prepared: Prepare, server: Server, traces: Callable[[], set[str]]
) -> None:
    app = prepared("numbers")
    command = ecotone("run", app, "--json", "--bus-url", server.url)
    wait_until(traces, "the run has made something")  # it is still starting
    command.process.send_signal(signal.SIGINT)
    assert command.finish() in {0, 130}, command.stderr.decode()
    assert b"Traceback" not in command.stderr
    assert not traces()


def test_a_failed_start_leaves_nothing(
    ecotone: Start, prepared: Prepare, server: Server, traces: Callable[[], set[str]]
) -> None:
    command = ecotone("run", prepared("refuses"), "--json", "--bus-url", server.url)
    assert command.finish() == 1
    assert "not in a run" in command.document["error"]["message"]
    assert not traces()


def test_a_killed_run_stays_and_can_be_resumed_and_then_leaves_nothing(
    ecotone: Start, prepared: Prepare, server: Server, traces: Callable[[], set[str]]
) -> None:
    app = prepared("numbers")
    command = ecotone("run", app, "--json", "--bus-url", server.url)
    wait_until(lambda: len(_arrived(app)) > 20, "numbers arrive")
    command.process.kill()
    wait_until(lambda: not command.pids(), "all its processes are gone", 5)
    assert traces() == _runs(app)

    again = ecotone("run", app, "--for", "1s", "--json", "--bus-url", server.url, "--resume")
    assert again.finish() == 0, again.stderr.decode()
    numbers = set(_arrived(app))
    assert numbers == set(range(2, max(numbers) + 2, 2)), "nothing that was accepted is lost"
    assert again.document["lost"] == 0
    assert not traces()

    nothing = ecotone("run", app, "--for", "1s", "--json", "--bus-url", server.url, "--resume")
    assert nothing.finish() == 2
    assert "run it without --resume" in nothing.document["error"]["message"]


@pytest.fixture
def plain_server(tmp_path: Path) -> Iterator[int]:
    """The port of a server without JetStream."""
    command = [_find_binary(), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        file = tmp_path / f"nats-server_{process.pid}.ports"
        wait_until(lambda: file.exists() and file.read_text().rstrip().endswith("}"), "the server listens")
        yield int(file.read_text().partition("nats://")[2].partition('"')[0].rpartition(":")[2])
        process.terminate()


def _refused(ecotone: Start, app: Path, url: str) -> tuple[int, str]:
    """Exit status and what a person reads; nothing may have been made."""
    command = ecotone("run", app, "--no-live", "--bus-url", url)
    status = command.finish()
    text = " ".join(command.stderr.decode().split())
    assert "Traceback" not in text
    assert "secret" not in text
    assert not command.stdout
    assert not (app / ".ecotone").exists()
    return status, text


def test_trouble_with_the_server_is_said_before_anything_is_measured(
    ecotone: Start, unmeasured: Path, server: Server, plain_server: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    here = f"127.0.0.1:{server.port}"
    for url, said in (
        (f"nats://secret@{here}", f"the bus at {here} refuses the token; pass the one that it was started with"),
        (f"nats://{here}", f"the bus at {here} wants a token, or a user and a password: put it before the host"),
        (f"nats://secret@127.0.0.1:{closed}", f"no bus answers at 127.0.0.1:{closed} (connection refused); check the"),
        (f"nats://127.0.0.1:{plain_server}", f"the bus at 127.0.0.1:{plain_server} has no JetStream"),
    ):
        status, text = _refused(ecotone, unmeasured, url)
        assert status == 1
        assert said in text


@pytest.mark.parametrize("url", ["http://secret@127.0.0.1:4222", "nats://secret@here:port", "nats://secret@here/mine"])
def test_what_is_not_a_bus_url_is_wrong_input(ecotone: Start, unmeasured: Path, url: str) -> None:
    status, text = _refused(ecotone, unmeasured, url)
    assert status == 2
    assert "a bus URL is nats://[TOKEN@]HOST[:PORT]" in text or "a bus URL ends with its port" in text
