"""The JetStream API in the few words that we use: its configurations, its answers, and its errors as ours.

Called by `_nats_streams` and `_nats_keyvalue`. Numbers of JetStream errors are from `server/errors.json` of
nats-server.
"""

from __future__ import annotations

import contextlib
import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ecotone.core.errors import ConflictError, EcotoneError, NotFoundError, StreamFullError, UnavailableError

if TYPE_CHECKING:
    from ecotone.infrastructure.bus._nats_link import Link, Packet

__all__ = [
    "API_LIMIT_S",
    "BUCKET_PREFIX",
    "ApiAnswer",
    "ConsumerInfo",
    "NanoSeconds",
    "PubAnswer",
    "StreamInfo",
    "StreamNames",
    "ask",
    "nanoseconds",
    "publish_acknowledged",
    "remove",
    "stream_names",
]

API_LIMIT_S = 10.0
BUCKET_PREFIX = "KV_"
"""What the JetStream stream of a bucket is called, before the bucket's name."""
NO_RESPONDERS = "503"
_RETRY_S = 0.05

_STREAM_NOT_FOUND = 10059
_CONSUMER_NOT_FOUND = 10014
_CONFLICTS = {
    10058,  # stream name in use with another configuration
    10065,  # subjects overlap with an existing stream
    10071,  # wrong last sequence of the subject
    10148,  # consumer exists with another configuration
    10164,  # wrong last sequence
}
_MAXIMUM_MESSAGES = 10077
_NO_JETSTREAM = {
    10039,  # not for this account
    10076,  # not at all
}
_NO_ROOM = {
    10023,  # insufficient resources
    10047,  # insufficient storage resources
}

NanoSeconds = int


def nanoseconds(seconds: float) -> NanoSeconds:
    """JetStream counts all durations so."""
    return round(seconds * 1e9)


class ApiError(msgspec.Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class ApiAnswer(msgspec.Struct, frozen=True, kw_only=True):
    error: ApiError | None = None


class PubAnswer(ApiAnswer, frozen=True, kw_only=True):
    seq: int = 0
    duplicate: bool = False


class _StreamNumbers(msgspec.Struct, frozen=True):
    messages: int
    first_seq: int
    last_seq: int
    first_ts: datetime.datetime


class StreamInfo(ApiAnswer, frozen=True, kw_only=True):
    state: _StreamNumbers | None = None


class StreamNames(ApiAnswer, frozen=True, kw_only=True):
    """One page of the names of all streams; `total` counts those on all pages."""

    total: int = 0
    streams: tuple[str, ...] | None = None


class _Place(msgspec.Struct, frozen=True):
    consumer_seq: int = 0
    stream_seq: int = 0


class _ConsumerConfig(msgspec.Struct, frozen=True):
    ack_wait: NanoSeconds = 0


class ConsumerInfo(ApiAnswer, frozen=True, kw_only=True):
    config: _ConsumerConfig = _ConsumerConfig()
    delivered: _Place = _Place()
    ack_floor: _Place = _Place()
    num_ack_pending: int = 0
    num_redelivered: int = 0
    num_pending: int = 0


Answer = TypeVar("Answer", bound=ApiAnswer)
_DECODERS: dict[type[ApiAnswer], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (ApiAnswer, PubAnswer, StreamInfo, StreamNames, ConsumerInfo)
}


async def ask(link: Link, operation: str, what: str, kind: type[Answer], request: object = None) -> Answer:
    """One request to the JetStream API, such as `STREAM.INFO.name`; all of ours may be repeated.

    Args:
        what: the thing meant, in a person's words, for messages ("stream 'frames'").

    Raises:
        NotFoundError, ConflictError, UnavailableError: see `ecotone.core.errors`.
    """
    data = b"" if request is None else msgspec.json.encode(request)
    packet = await link.call(f"$JS.API.{operation}", data, timeout_s=API_LIMIT_S, repeat=True)
    if packet.status == NO_RESPONDERS:
        raise UnavailableError(
            f"the bus at {link.place} has no JetStream, so there can be no {what}; start it with JetStream "
            "(`nats-server -js`, or `jetstream {}` in its configuration)",
            retry_after_s=1.0,
        )
    return _read(packet, what, kind)


async def publish_acknowledged(
    link: Link, subject: str, data: bytes, what: str, *, headers: dict[str, str], timeout_s: float
) -> PubAnswer | None:
    """Store `data`; None when no stream listens on `subject`. `headers` must hold a message id, or something else
    that makes it harmless to send the message again."""
    packet = await link.call(subject, data, timeout_s=timeout_s, headers=headers, repeat=True)
    if packet.status == NO_RESPONDERS:
        return None
    return _read(packet, what, PubAnswer)


async def stream_names(link: Link) -> list[str]:
    """All JetStream streams that the server holds, those of buckets too."""
    names: list[str] = []
    while True:
        page = await ask(link, "STREAM.NAMES", "list of streams", StreamNames, {"offset": len(names)})
        names += page.streams or ()
        if not page.streams or len(names) >= page.total:
            return names


async def remove(link: Link, stream: str, what: str) -> None:
    """Delete a JetStream stream, if it is there."""
    with contextlib.suppress(NotFoundError):
        await ask(link, f"STREAM.DELETE.{stream}", what, ApiAnswer)


def _read(packet: Packet, what: str, kind: type[Answer]) -> Answer:
    try:
        answer: Answer = _DECODERS[kind].decode(packet.data)
    except msgspec.MsgspecError as error:
        raise UnavailableError(f"the bus answered about {what} what we cannot read: {error}") from None
    if answer.error is not None:
        raise _translated(answer.error, what)
    return answer


def _translated(error: ApiError, what: str) -> EcotoneError:
    if error.err_code == _MAXIMUM_MESSAGES:
        return StreamFullError(f"{what} is full: wait for its readers and append again", retry_after_s=0.05)
    if error.err_code in _CONFLICTS:
        return ConflictError(f"{what}: {error.description}")
    if error.err_code in {_STREAM_NOT_FOUND, _CONSUMER_NOT_FOUND}:
        return NotFoundError(f"there is no {what}")
    if error.err_code in _NO_JETSTREAM:
        return UnavailableError(f"{what}: JetStream is off for our account; turn it on in the bus's configuration")
    if error.err_code in _NO_ROOM:
        return UnavailableError(f"{what}: the bus has no room left on its disk; free some space", retry_after_s=5.0)
    return UnavailableError(f"{what}: the bus says '{error.description}'", retry_after_s=1.0)
