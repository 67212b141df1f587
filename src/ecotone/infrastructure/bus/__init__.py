"""The bus that connects everything: messages, keys with compare-and-set, and durable streams.

Called by agents, hosts, the controller and the session. `interface` says what a bus can do; `connect` opens one over
NATS with JetStream; `spawn_server` starts the bundled server; `MemoryServer` is a bus inside one process, for tests
and the simulator, on asyncio or trio and in virtual time. Names are loaded when they are first used, so that the
command line can start the server before anything heavy is imported.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ecotone.infrastructure.bus._memory import MemoryBus, MemoryServer
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
    "PublishAck",
    "Server",
    "Storage",
    "StreamConfig",
    "StreamState",
    "Streams",
    "connect",
    "open_server",
    "spawn_server",
]

_SERVER_NAMES = {"Server", "open_server", "spawn_server"}
_MEMORY_NAMES = {"MemoryBus", "MemoryServer"}


async def connect(url: str, *, token: str | None = None, name: str = "") -> Bus:
    """Connect to a NATS server with JetStream; runs on asyncio.

    Args:
        url: `nats://host:port`, `nats://token@host:port` or `tls://...`.
        token: instead of one in `url`; never shown in messages.
        name: how the server's own tools show this connection.

    Raises:
        UnavailableError: nobody answers within 5 seconds, or the token is refused.
    """
    from ecotone.infrastructure.bus._nats import connect_nats  # noqa: PLC0415  (nats costs 40 ms of CPU)

    return await connect_nats(url, token=token, name=name)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    if name in _SERVER_NAMES:
        from ecotone.infrastructure.bus import _server as module  # noqa: PLC0415
    elif name in _MEMORY_NAMES:
        from ecotone.infrastructure.bus import _memory as module  # noqa: PLC0415
    else:
        from ecotone.infrastructure.bus import interface as module  # noqa: PLC0415
    value: object = getattr(module, name)
    globals()[name] = value
    return value
