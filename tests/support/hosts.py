"""A deployment without controller or agent: a real bus server, and host processes that a test starts and kills."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from ecotone.core.application import Application
from ecotone.core.continuum import Continuum, NodeType, Site
from ecotone.core.errors import StreamFullError
from ecotone.core.messages import BUCKET_DEPLOYMENT, KEY_CURRENT, Deployment, Item, WantedInstance, encode
from ecotone.core.plan import Assignment, Plan
from ecotone.design.read import read_application
from ecotone.execution.host import HostSpec
from ecotone.execution.host.codec import Decoder, Encoder
from ecotone.execution.page import READY, InstancePage
from ecotone.infrastructure.bus import Bus, Server, connect, open_server
from ecotone.orchestration.control.reconcile import streams_of, wanted_nodes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

__all__ = ["ONE_NODE", "Host", "Rig", "plan_of", "rig", "until"]

_DRIVER = """
import sys, msgspec
from ecotone.execution.host import HostSpec, run_host
sys.exit(run_host(msgspec.json.decode(sys.argv[1], type=HostSpec)))
"""

ONE_NODE = Continuum(
    name="one", sites=(Site(name="here", layer="edge", node_types=(NodeType(name="n", cores=8, speed=1000.0),)),)
)


async def until(condition: Callable[[], Any], what: str, limit_s: float = 30.0) -> None:
    """Wait until `condition` holds. Its limit only ends a test that hangs."""
    give_up_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_s, f"waited {limit_s} s in vain: {what}"
        await anyio.sleep(0.01)


def plan_of(application: Application, nodes: dict[str, str] | None = None, **changes: Any) -> Plan:
    """Everything on node `n`, or where `nodes` says; first variants."""
    assignments = tuple(
        Assignment(component=each.name, variant=each.variants[0].name, node=(nodes or {}).get(each.name, "n"))
        for each in application.components
    )
    plan = Plan(
        application=application.name,
        continuum="",
        fingerprint="",
        assignments=assignments,
        cost_eur_per_h=0.0,
        lower_bound_eur_per_h=0.0,
        optimal=True,
        gap=0.0,
    )
    return msgspec.structs.replace(plan, **changes)


class Host:
    """One instance, started and killed as its agent would."""

    def __init__(self, rig: Rig, wanted: WantedInstance, node: str) -> None:
        self._rig = rig
        folder = rig.root / "pages"
        folder.mkdir(exist_ok=True)
        paths = tuple(str(folder / f"{wanted.id}.{number}") for number in range(len(wanted.components)))
        self.pages = [InstancePage.create(Path(path)) for path in paths]
        self.log = rig.root / f"{wanted.id}.log"
        self.spec = HostSpec(
            bus_url=f"nats://127.0.0.1:{rig.server.port}",
            bus_token=rig.server.token,
            run="test",
            node=node,
            instance=wanted,
            pages=paths,
            shared_root=str(rig.root),
            output_dir=str(rig.root / "outputs"),
            log_path=str(self.log),
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def page(self) -> InstancePage:
        return self.pages[0]

    def start(self) -> None:
        for page in self.pages:
            page.restart()
        with self.log.open("ab") as log:
            command = [sys.executable, "-c", _DRIVER, msgspec.json.encode(self.spec).decode()]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    async def ready(self) -> None:
        assert self.process is not None
        process = self.process
        await until(lambda: self.page.phase == READY or process.poll() is not None, f"{self.spec.instance.id} is ready")
        assert process.poll() is None, self.log.read_text()

    async def kill(self) -> None:
        """SIGKILL, and what the agent then does: give back what it had open."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        for token in self.page.tokens():
            await self._rig.bus.give_back(token)

    async def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        return await self.exit(signal.SIGTERM)

    async def exit(self, number: int | None = None) -> int:
        assert self.process is not None
        process = self.process
        if number is not None:
            process.send_signal(number)
        await until(lambda: process.poll() is not None, f"{self.spec.instance.id} ends", 60.0)
        return process.returncode


class Rig:
    """What a test works with."""

    def __init__(self, server: Server, bus: Bus, root: Path) -> None:
        self.server = server
        self.bus = bus
        self.root = root
        self.hosts: dict[str, Host] = {}
        self._numbers = 0

    async def deploy(
        self,
        source: str,
        *,
        continuum: Continuum = ONE_NODE,
        nodes: dict[str, str] | None = None,
        changes: dict[str, Any] | None = None,
        parameters: dict[str, Any] | None = None,
        machine_score: float = 1.0,
        probes: Iterable[str] = (),
    ) -> Deployment:
        """Write the application and its deployment, make the streams, and hosts that are not started yet.

        `probes`: components whose stream has one more consumer, `probe`, for the test to read.
        """
        folder = self.root / "application"
        folder.mkdir()
        (folder / "app.py").write_text(source)
        application = read_application(folder).require()
        deployment = Deployment(
            run="test",
            application=application,
            continuum=continuum,
            plan=plan_of(application, nodes, **(changes or {})),
            parameters=parameters or {},
            root=str(folder),
            module="app",
            machine_score=machine_score,
        )
        for config in streams_of(deployment):
            consumers = (*config.consumers, "probe") if config.name in set(probes) else config.consumers
            await self.bus.create_stream(msgspec.structs.replace(config, consumers=consumers))
        await self.bus.put(BUCKET_DEPLOYMENT, KEY_CURRENT, encode(deployment))
        for node in wanted_nodes(deployment).values():
            for wanted in node.instances:
                self.hosts[wanted.id.removesuffix(".0").split(".")[0]] = Host(self, wanted, node.node)
        (self.root / "outputs").mkdir()
        return deployment

    async def start(self, *names: str) -> None:
        """Start these hosts (all when none is named) and wait until they are ready."""
        hosts = [self.hosts[name] for name in names or self.hosts]
        for host in hosts:
            host.start()
        for host in hosts:
            await host.ready()

    async def feed(self, producer: str, value: object, **changes: Any) -> str:
        """Append an item as if `producer` had emitted it, waiting while its stream is full; returns its id."""
        self._numbers += 1
        encoded = Encoder(producer).encode(value)
        item = Item(
            id=f"{producer}@test.{self._numbers}",
            producer=producer,
            node="n",
            origin_s=time.time(),
            sent_s=time.time(),
            starts_s={},
            encoding=encoded.encoding,
            payload=b"".join(encoded.buffers),
            dtype=encoded.dtype,
            shape=encoded.shape,
            size_bytes=encoded.size_bytes,
        )
        data = encode(msgspec.structs.replace(item, **changes))
        while True:
            try:
                await self.bus.append(producer, data, item_id=item.id)
            except StreamFullError:
                await anyio.sleep(0.01)
            else:
                return item.id

    async def collect(self, stream: str, count: int, limit_s: float = 60.0) -> list[tuple[Item, Any]]:
        """The next `count` items of a probed stream, with their values (of those that travel inline)."""
        found: list[tuple[Item, Any]] = []
        with anyio.fail_after(limit_s):
            async with self.bus.consume(stream, "probe", prefetch=64) as deliveries:
                async for delivery in deliveries:
                    item = msgspec.msgpack.decode(delivery.data, type=Item)
                    value = None
                    if isinstance(item.payload, bytes):
                        value = Decoder().decode(item.encoding, item.payload, item.dtype, item.shape)
                    found.append((item, value))
                    await delivery.ack()
                    if len(found) == count:
                        break
        return found

    def close(self) -> None:
        for host in self.hosts.values():
            if host.process is not None and host.process.poll() is None:
                host.process.kill()
                host.process.wait()
            for page in host.pages:
                page.close()


@asynccontextmanager
async def rig(root: Path) -> AsyncGenerator[Rig, None]:
    """A rig whose files are under `root`."""
    server = open_server(root / "bus")
    try:
        bus = await connect(server.url)
        made = Rig(server, bus, root)
        try:
            yield made
        finally:
            made.close()
            await bus.close()
    finally:
        server.kill()
