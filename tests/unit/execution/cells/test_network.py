"""Jobs whose ranks are on several nodes, which are emulated: a part each, in a process of its own, over TCP."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from _pytest.mark import ParameterSet
from tests.unit.execution.cells.conftest import children

from ecotone.core.errors import InputError
from ecotone.execution.cells import Job, JobResult, _door
from ecotone.execution.cells._door import Credentials, Door, Identity, RefusedError
from ecotone.execution.cells._network import Launcher, new_token
from ecotone.execution.cells._node import encode_part
from ecotone.execution.cells._wires import Address, Wires, Wiring


def long(*values: tuple[object, ...]) -> Iterator[ParameterSet]:
    """Parameters of a test that say little more than the others: only with `-m slow`."""
    return (pytest.param(*each, marks=pytest.mark.slow) for each in values)


@pytest.fixture(autouse=True)
def only_when_asked_for(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("slow") and "slow" not in request.config.option.markexpr:
        pytest.skip("long; run it with -m slow")


PART = [sys.executable, "-m", "ecotone.execution.cells._node"]
Module = Callable[[str], Path]


class Cluster:
    """One job on emulated nodes."""

    def __init__(self, job: Job, nodes: int, identities: dict[str, Identity] | None = None, **options: float) -> None:
        names = [f"node{number}" for number in range(nodes)]
        spread = {name: tuple(range(job.ranks))[number::nodes] for number, name in enumerate(names)}
        own = (identities or {}).get("launcher")
        self.launcher = Launcher(job, spread, identity=own, **options)  # type: ignore[arg-type]
        self.parts: dict[str, subprocess.Popen[bytes]] = {}
        for name in names:
            part = self.launcher.part(name, "127.0.0.1", (identities or {}).get(name))
            self.parts[name] = start_part(encode_part(part), job.stdout)

    def run(self) -> JobResult:
        result = self.launcher.run()
        for part in self.parts.values():
            part.wait(20)
        return result


def start_part(data: bytes, errors: int | None = None) -> subprocess.Popen[bytes]:
    descriptors = [] if errors is None else [errors]
    part = subprocess.Popen(PART, stdin=subprocess.PIPE, stderr=errors, pass_fds=descriptors)
    assert part.stdin is not None
    part.stdin.write(data)
    part.stdin.close()
    return part


@pytest.fixture
def output() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


def text(output: int) -> str:
    return os.pread(output, 1 << 20, 0).decode()


def job_of(module: Path, ranks: int, output: int, *arguments: str) -> Job:
    return Job(module=module, ranks=ranks, arguments=arguments, stdout=output, stderr=output)


@pytest.mark.parametrize(("ranks", "nodes"), [(2, 2), (5, 3), *long((3, 2), (4, 3), (8, 2))])
@pytest.mark.parametrize("program", ["point", "collectives", "communicators"])
def test_program_finds_nothing_wrong(module: Module, output: int, program: str, ranks: int, nodes: int) -> None:
    result = Cluster(job_of(module(program), ranks, output), nodes).run()
    assert text(output) == "ok\n"
    assert result.first is None
    assert [end.exit_code for end in result.ends] == [0] * ranks


def test_ranks_of_a_node_share_windows_and_those_of_two_do_not(module: Module, output: int) -> None:
    Cluster(job_of(module("shared"), 4, output, "nodes"), 2).run()
    assert text(output) == "ok\n"


@pytest.mark.parametrize("seed", ["1", "2"])
def test_messages_of_all_sizes(module: Module, output: int, seed: str) -> None:
    Cluster(job_of(module("traffic"), 4, output, "mixed", seed, "8"), 2).run()
    assert text(output) == "ok\n"


def test_sender_waits_for_slow_receivers(module: Module, output: int) -> None:
    Cluster(job_of(module("traffic"), 3, output, "flood", "2000"), 3).run()
    assert text(output) == "ok\n"


def test_sixty_four_ranks_on_two_nodes(module: Module, output: int) -> None:
    Cluster(job_of(module("communicators"), 64, output), 2).run()
    assert text(output) == "ok\n"


@pytest.mark.parametrize("rounds", [40, *long((400,))])
def test_nothing_is_lost_when_ranks_are_wired_anew_at_any_moment(module: Module, output: int, rounds: int) -> None:
    """Each time a rank drops all its connections, with what is in them, and is called at another port from then on."""
    cluster = Cluster(job_of(module("traffic"), 4, output, "mixed", "3", str(rounds)), 2)
    chosen, over, times = random.Random(5), threading.Event(), 0

    def wire_anew() -> None:
        nonlocal times
        while not over.wait(chosen.uniform(0.001, 0.03)):
            cluster.launcher.move_listener(chosen.randrange(4))
            times += 1

    thread = threading.Thread(target=wire_anew)
    thread.start()
    result = cluster.run()
    over.set()
    thread.join()
    assert result.first is None
    assert text(output) == "ok\n"
    assert times >= rounds // 5


def test_a_port_that_a_rank_has_left_is_closed(module: Module, output: int) -> None:
    """Were it held by another rank of the node, those who call it would wait for an answer in vain."""
    cluster, closed = Cluster(job_of(module("traffic"), 4, output, "wait"), 2), list[bool]()

    def move_and_call() -> None:
        launcher = cluster.launcher
        old = launcher._addresses[0]
        launcher.move_listener(0)
        wait_until(lambda: launcher._addresses[0].epoch > old.epoch)
        closed.append(wait_until(lambda: is_refused(old.port)))
        launcher.stop("the test has ended")

    later(move_and_call, 1.0)
    later(lambda: cluster.launcher.stop("too late"), 20.0)
    cluster.run()
    assert closed == [True]


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


def test_killed_rank_ends_the_job_everywhere(module: Module, output: int) -> None:
    cluster = Cluster(job_of(module("traffic"), 4, output, "wait"), 2)
    later(lambda: os.kill(children(cluster.parts["node1"].pid, 2)[0], signal.SIGKILL))
    result = cluster.run()
    assert result.first is not None
    assert (result.first.rank, result.first.exit_code) == (1, 137)
    assert "SIGKILL" in result.first.reason
    assert "because rank 1 on node node1 had: killed by SIGKILL" in result.ends[0].reason


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_lost_node_ends_the_job_and_leaves_nothing(module: Module, output: int, how: signal.Signals) -> None:
    """A node that dies hangs up; of one that hangs, or cannot be reached any more, nothing is heard."""
    cluster = Cluster(job_of(module("traffic"), 4, output, "wait"), 2, silence_max_s=2.5)
    victim, survivors = cluster.parts["node1"], list[int]()

    def strike() -> None:
        survivors.extend([*children(cluster.parts["node0"].pid, 2), *children(victim.pid, 2)])
        victim.send_signal(how)

    later(strike)
    try:
        result = cluster.launcher.run()
    finally:
        victim.send_signal(signal.SIGCONT)
    assert result.first is not None
    assert "node node1 was lost" in result.first.reason
    assert "ended because node node1 was lost" in result.ends[0].reason
    for part in cluster.parts.values():
        part.wait(20)
    wait_for_end(survivors)


def test_ranks_end_with_the_launcher(module: Module) -> None:
    program = f"""
from pathlib import Path
from tests.unit.execution.cells.test_network import Cluster, Job
cluster = Cluster(Job(module=Path({str(module("traffic"))!r}), ranks=2, arguments=("wait",)), 2)
print(*[part.pid for part in cluster.parts.values()], flush=True)
cluster.run()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        parts = [int(word) for word in launcher.stdout.readline().split()]
        processes = [*parts, *(rank for part in parts for rank in children(part, 1))]
        launcher.kill()
    wait_for_end(processes)


def test_part_that_cannot_be_started_tells_why(tmp_path: Path, output: int) -> None:
    wrong = tmp_path / "wrong.wasm"
    wrong.write_bytes(b"not a module")
    result = Cluster(job_of(wrong, 2, output), 2).run()
    assert result.first is not None
    assert "could not be started" in result.first.reason
    assert str(wrong) in result.first.reason


def test_part_that_does_not_come_ends_the_job(module: Module, output: int) -> None:
    launcher = Launcher(job_of(module("traffic"), 2, output, "wait"), {"here": (0,), "there": (1,)}, gather_max_s=1.5)
    part = start_part(encode_part(launcher.part("here", "127.0.0.1")))
    result = launcher.run()
    part.wait(20)
    assert result.first is not None
    assert result.first.reason == "node there did not come within 1.5 s"


def test_ranks_must_each_be_on_one_node(module: Module) -> None:
    with pytest.raises(InputError, match="must each be on one node"):
        Launcher(Job(module=module("traffic"), ranks=3), {"a": (0, 1), "b": (1,)})


@pytest.mark.parametrize("how", ["outside", "crooked", "self", "nobody", "pump nobody"])
def test_forged_wires_are_refused(module: Module, output: int, how: str) -> None:
    result = Cluster(job_of(module("forged"), 2, output, how), 2).run()
    assert result.first is not None
    assert result.first.rank == 1
    assert "wire" in result.first.reason


def pretend(launcher: Launcher, node: str, said: bytes) -> None:
    """A part that says this, and hangs up."""
    part = launcher.part(node, "127.0.0.1")
    connection = Door(part.credentials).call(part.meeting.node, (part.meeting.host, part.meeting.port))
    connection.sendall(said)
    connection.close()


JOINED = b'{"type":"Joined","host":"127.0.0.1","ports":{"0":9}}\n'


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b'{"type":"Failed","reason":"no room"}\n', "node a could not be started: no room"),
        (b"nonsense\n", "node a was lost: it says what it cannot say"),
        (b"\xff\xfe\n", "node a was lost: it says what it cannot say"),
        (b'{"type":"Ended","end":{"rank":1,"exit_code":0,"reason":""}}\n', "cannot say: rank 1 has ended"),
        (b'{"type":"Joined","host":"h","ports":{"1":9}}\n', "cannot say: its ranks are called at {1: 9}"),
        (b'{"type":"Joined","host":"h","ports":{"0":99999}}\n', "cannot say: its ranks are called at {0: 99999}"),
        (b'{"type":"Listening","rank":0,"port":9}\n', "cannot say: rank 0 is called at port 9"),
        (JOINED + JOINED, "cannot say: its ranks are called at"),
        (JOINED, "node a was lost: the connection was closed"),
        (b"x" * (5 << 20), "node a could not be started: a message is too long"),
    ],
)
def test_what_a_part_says_last_is_heard_and_what_it_cannot_say_ends_only_the_job(
    module: Module, output: int, said: bytes, told: str
) -> None:
    launcher = Launcher(job_of(module("traffic"), 2, output, "wait"), {"a": (0,), "b": (1,)}, gather_max_s=15)
    later(lambda: pretend(launcher, "a", said), 0.0)
    result = launcher.run()
    assert result.first is not None
    assert told in result.first.reason
    assert [end.rank for end in result.ends] == [0, 1]


def test_launcher_that_was_stopped_blames_no_part(module: Module, output: int) -> None:
    launcher = Launcher(job_of(module("traffic"), 2, output, "wait"), {"a": (0,), "b": (1,)}, silence_max_s=1.5)
    patient = [msgspec.structs.replace(launcher.part(name, "127.0.0.1"), silence_max_s=60) for name in ("a", "b")]
    parts = [start_part(encode_part(part), output) for part in patient]
    later(lambda: launcher._later(lambda: time.sleep(2.5)), 1.0)
    later(lambda: launcher.stop("the test has ended"), 4.2)
    result = launcher.run()
    for part in parts:
        part.wait(20)
    assert {end.reason for end in result.ends} == {"the test has ended"}


# ---- Who may come in ----


def test_a_greeting_has_one_limit_for_all_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_door, "_GREETING_LIMIT_S", 0.4)
    ours, theirs = socket.socketpair()

    def drip() -> None:
        with contextlib.suppress(OSError):
            for each in b"ECOTONE1\x00\x04" + b" " * 20:
                theirs.sendall(bytes([each]))
                time.sleep(0.1)
        theirs.close()

    later(drip, 0.0)
    with pytest.raises(TimeoutError):
        Door(Credentials(job="j", token=new_token(), node="a")).answer(Tcp(fileno=ours.detach()))


class Tcp(socket.socket):
    """A pair of sockets that takes the options of TCP."""

    def setsockopt(self, *_options: object) -> None:  # type: ignore[override]
        pass


def test_those_who_do_not_greet_hold_few_threads_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_door, "_GREETING_LIMIT_S", 1.0)
    launcher = Launcher(Job(module=Path("none"), ranks=1), {"a": (0,)}, gather_max_s=20)
    meeting, before = launcher.part("a", "127.0.0.1").meeting, threading.active_count()
    idle = [socket.create_connection((meeting.host, meeting.port)) for _ in range(100)]
    most = [0]

    def come() -> None:
        time.sleep(0.3)
        most[0] = threading.active_count()
        time.sleep(1.0)
        pretend(launcher, "a", b'{"type":"Failed","reason":"came"}\n')

    later(come, 0.0)
    result = launcher.run()
    for connection in idle:
        connection.close()
    assert "came" in result.ends[0].reason
    assert 64 <= most[0] - before <= 64 + 3


def test_a_rank_is_only_heard_from_its_own_node() -> None:
    token, before = new_token(), set(threading.enumerate())
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    wiring = Wiring(
        credentials=Credentials(job="j", token=token, node="a"),
        addresses={rank: Address(node=node, host="127.0.0.1", port=port) for rank, node in ((0, "a"), (1, "b"))},
        listener=listener,
        orders=theirs,
        bell=os.eventfd(0),
    )
    wires = Wires(0, wiring, lambda code, reason: pytest.fail(reason))
    liar = Door(Credentials(job="j", token=token, node="c")).call("a", ("127.0.0.1", port), 1, 0)
    liar.settimeout(20)
    assert liar.recv(1) == b""
    own = Door(Credentials(job="j", token=token, node="b")).call("a", ("127.0.0.1", port), 1, 0)
    deadline = time.monotonic() + 20
    while not wires._early:
        assert time.monotonic() < deadline
        wires.poll()
        time.sleep(0.01)
    assert list(wires._early) == [1]
    for each in (liar, own, ours, *wires._early.values()):
        each.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(20)  # the one at the door ends when nobody can give it orders
    listener.close()
    theirs.close()


def test_wrong_token_is_refused(module: Module, output: int) -> None:
    launcher = Launcher(job_of(module("traffic"), 1, output, "wait"), {"a": (0,)}, gather_max_s=1.5)
    own = launcher.part("a", "127.0.0.1")
    data = encode_part(own).replace(encode_part(own).split(b'"token":"')[1][:8], b"AAAAAAAA")
    part = start_part(data, output)
    assert "did not come" in launcher.run().ends[0].reason
    assert part.wait(20) == 1
    assert "does not have the token of job" in text(output)


def greet(host: Credentials, caller: Credentials, name: str = "host") -> tuple[object, object]:
    """What both sides of one greeting get: a connection, or an error."""
    listener = socket.create_server(("127.0.0.1", 0))
    results: list[object] = []

    def answer() -> None:
        try:
            connection, _ = Door(host).answer(listener.accept()[0])
            connection.close()
            results.append(connection)
        except (RefusedError, OSError) as error:
            results.append(error)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        connection: object = Door(caller).call(name, listener.getsockname())
        connection.close()  # type: ignore[attr-defined]
    except (RefusedError, OSError) as error:
        connection = error
    thread.join()
    listener.close()
    return results[0], connection


def test_caller_with_another_token_learns_nothing_and_is_told() -> None:
    host = Credentials(job="j", token=new_token(), node="host")
    caller = Credentials(job="j", token=new_token(), node="caller")
    hosts, callers = greet(host, caller)
    assert isinstance(hosts, OSError)
    assert isinstance(callers, RefusedError)
    assert "does not have the token of job j" in str(callers)


def test_caller_of_another_job_is_refused() -> None:
    token = new_token()
    hosts, callers = greet(Credentials(job="j", token=token, node="host"), Credentials(job="k", token=token, node="c"))
    assert isinstance(hosts, RefusedError)
    assert "of job k" in str(hosts)
    assert isinstance(callers, RefusedError)
    assert "refused the token" in str(callers)


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity]:
    """Certificates of one authority, and of a stranger."""
    folder = tmp_path_factory.mktemp("identities")
    for authority in ("ours", "theirs"):
        make(folder, authority, ["-x509", "-subj", f"/CN={authority}", "-days", "2"])
    known = {"node0": "ours", "node1": "ours", "launcher": "ours", "stranger": "theirs"}
    for name, authority in known.items():
        signed = ["-x509", "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-days", "2"]
        names = ["-addext", f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE"]
        make(folder, name, [*signed, "-subj", f"/CN={name}", *names])
    return {
        name: Identity(
            certificate=folder / f"{name}.crt", key=folder / f"{name}.key", authority=folder / f"{authority}.crt"
        )
        for name, authority in known.items()
    }


def make(folder: Path, name: str, options: list[str]) -> None:
    command = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
    subprocess.run([*command, *files, *options], cwd=folder, check=True, capture_output=True)


def test_encrypted_job(module: Module, output: int, identities: dict[str, Identity]) -> None:
    result = Cluster(job_of(module("traffic"), 4, output, "mixed", "4", "8"), 2, identities).run()
    assert text(output) == "ok\n"
    assert result.first is None


def test_encrypted_job_survives_being_wired_anew(module: Module, output: int, identities: dict[str, Identity]) -> None:
    cluster = Cluster(job_of(module("traffic"), 2, output, "mixed", "5", "40"), 2, identities)
    for number in range(10):
        later(lambda number=number: cluster.launcher.move_listener(number % 2), 0.3 + 0.05 * number)
    assert cluster.run().first is None
    assert text(output) == "ok\n"


def test_a_connection_that_breaks_during_the_greeting_is_no_refusal(identities: dict[str, Identity]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def break_off() -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.close()

    later(break_off, 0.0)
    caller = Credentials(job="j", token=new_token(), node="node0", identity=identities["node0"])
    with pytest.raises(OSError, match=r"(?i)eof|reset"):
        Door(caller).call("node1", listener.getsockname())
    listener.close()


def test_certificates_of_others_are_refused(identities: dict[str, Identity]) -> None:
    token = new_token()
    ours = Credentials(job="j", token=token, node="node0", identity=identities["node0"])
    stranger = Credentials(job="j", token=token, node="stranger", identity=identities["stranger"])
    hosts, callers = greet(ours, stranger, "node0")
    assert isinstance(hosts, (RefusedError, OSError))
    assert "is not a node of this deployment" in str(callers)
    hosts, callers = greet(stranger, ours, "stranger")
    assert "is not a node of this deployment" in str(callers)
    hosts, callers = greet(ours, Credentials(job="j", token=token, node="node1"), "node0")
    assert isinstance(hosts, RefusedError)
    assert isinstance(callers, OSError)


def test_node_cannot_say_that_it_is_another(identities: dict[str, Identity]) -> None:
    token = new_token()
    host = Credentials(job="j", token=token, node="node0", identity=identities["node0"])
    liar = Credentials(job="j", token=token, node="node0", identity=identities["node1"])
    hosts, callers = greet(host, liar, "node0")
    assert isinstance(hosts, RefusedError)
    assert "says it is node node0" in str(hosts)
    hosts, callers = greet(liar, host, "node0")
    assert isinstance(callers, RefusedError)
    assert "node0" in str(callers)


# ---- Helpers ----


def later(act: Callable[[], object], wait_s: float = 0.5) -> None:
    timer = threading.Timer(wait_s, act)
    timer.daemon = True
    timer.start()


def wait_for_end(processes: list[int]) -> None:
    deadline = time.monotonic() + 20
    for process in processes:
        with contextlib.suppress(FileNotFoundError):
            while Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                assert time.monotonic() < deadline, f"process {process} is still there"
                time.sleep(0.01)
