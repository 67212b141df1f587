"""The bus that connects everything: messages, keys with compare-and-set, and durable streams.

Called by agents, hosts, the controller and the session. `interface` says what a bus can do; `connect` opens one over
NATS with JetStream; `spawn_server` starts the bundled server; `MemoryServer` is a bus inside one process, for tests
and the simulator, on asyncio or trio and in virtual time. Names are loaded when they are first used, so that the
command line can start the server before anything heavy is imported.
"""

from __future__ import annotations

from ecotone._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ecotone.infrastructure.bus._address import Address, read_address, with_namespace
    from ecotone.infrastructure.bus._memory import MemoryBus, MemoryServer
    from ecotone.infrastructure.bus._namespace import NamespacedBus
    from ecotone.infrastructure.bus._server import Server, open_server, spawn_server
    from ecotone.infrastructure.bus.interface import (
        BACKLOG,
        MAX_PAYLOAD_BYTES,
        Bus,
        Consumer,
        ConsumerState,
        Delivery,
        Entry,
        KeyValue,
        Message,
        Messaging,
        PublishAck,
        Storage,
        StreamConfig,
        Streams,
        StreamState,
    )

__all__ = [
    "BACKLOG",
    "MAX_PAYLOAD_BYTES",
    "Address",
    "Bus",
    "Consumer",
    "ConsumerState",
    "Delivery",
    "Entry",
    "KeyValue",
    "MemoryBus",
    "MemoryServer",
    "Message",
    "Messaging",
    "NamespacedBus",
    "PublishAck",
    "Server",
    "Storage",
    "StreamConfig",
    "StreamState",
    "Streams",
    "connect",
    "open_server",
    "read_address",
    "spawn_server",
    "with_namespace",
]

__getattr__ = lazy_names(
    __name__,
    {
        "._address": ("Address", "read_address", "with_namespace"),
        "._memory": ("MemoryBus", "MemoryServer"),
        "._namespace": ("NamespacedBus",),
        "._server": ("Server", "open_server", "spawn_server"),
        ".interface": (
            "BACKLOG",
            "MAX_PAYLOAD_BYTES",
            "Bus",
            "Consumer",
            "ConsumerState",
            "Delivery",
            "Entry",
            "KeyValue",
            "Message",
            "Messaging",
            "PublishAck",
            "Storage",
            "StreamConfig",
            "StreamState",
            "Streams",
        ),
    },
)


async def connect(url: str, *, token: str | None = None, name: str = "", patient: bool = True) -> Bus:
    """Connect to a NATS server with JetStream; runs on asyncio.

    Args:
        url: `nats://host:port`, `nats://token@host:port`, `nats://user:password@host:port` or `tls://...`. A path is a
            namespace (`with_namespace`): everything is then kept apart from other namespaces of the same server.
        token: instead of one in `url`; never shown in messages.
        name: how the server's own tools show this connection.
        patient: whether to go on for 5 seconds while nobody listens there; else that is said at once.

    Raises:
        InputError: `url` is not a bus URL.
        UnavailableError: nobody answers within 5 seconds, the token is refused, or the server does not do what we need.
    """
    from ecotone.infrastructure.bus._address import read_address  # noqa: PLC0415
    from ecotone.infrastructure.bus._nats import connect_nats  # noqa: PLC0415  (nats costs 40 ms of CPU)

    address = read_address(url)
    bus = await connect_nats(address, token=token, name=name, patient=patient)
    if not address.namespace:
        return bus
    from ecotone.infrastructure.bus._namespace import NamespacedBus  # noqa: PLC0415

    return NamespacedBus(bus, address.namespace)
