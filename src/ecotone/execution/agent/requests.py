"""What the agent and its fork server say to each other, as msgpack over a pair of SOCK_SEQPACKET sockets."""

from __future__ import annotations

import msgspec

from ecotone.execution.host import HostSpec

__all__ = [
    "MESSAGE_BYTES_MAX",
    "ExitedReply",
    "KillRequest",
    "ReadyReply",
    "Reply",
    "Request",
    "StartRequest",
    "StartedReply",
    "encode_reply",
]

MESSAGE_BYTES_MAX = 128 * 1024


class StartRequest(msgspec.Struct, frozen=True, tag=True):
    """Fork a host; answered with StartedReply, or ExitedReply when there can be none."""

    spec: HostSpec
    attempt: int


class KillRequest(msgspec.Struct, frozen=True, tag=True):
    """Send a signal to a host; SIGKILL also goes to what the host has started. Nothing happens if it is gone."""

    instance: str
    attempt: int
    signal_number: int


class ReadyReply(msgspec.Struct, frozen=True, tag=True):
    """Preloading is over. `problem` says why the user's module was not preloaded, "" if it was; without `usable` the
    fork server is about to exit and another one, without the module, has to take its place."""

    problem: str = ""
    usable: bool = True


class StartedReply(msgspec.Struct, frozen=True, tag=True):
    """The host is forked."""

    instance: str
    attempt: int
    pid: int


class ExitedReply(msgspec.Struct, frozen=True, tag=True):
    """The host is gone, or could not be made. `status` is -1 unless it exited by itself."""

    instance: str
    attempt: int
    pid: int
    status: int
    reason: str


Request = StartRequest | KillRequest
Reply = ReadyReply | StartedReply | ExitedReply


def encode_reply(reply: Reply) -> bytes:
    """As `Reply` decodes it. A reason is cut to fit a message."""
    if isinstance(reply, ReadyReply) and len(reply.problem) > 4096:
        reply = msgspec.structs.replace(reply, problem=reply.problem[:4096])
    return msgspec.msgpack.encode(reply)
