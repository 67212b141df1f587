"""What JetStream sends, as ours: acknowledgement subjects and errors. (No server: values only.)"""

from __future__ import annotations

import msgspec
import pytest

from ecotone.core.errors import ConflictError, NotFoundError, StreamFullError, UnavailableError
from ecotone.infrastructure.bus._nats_jetstream import ApiAnswer, ConsumerInfo, PubAnswer, StreamInfo, ask
from ecotone.infrastructure.bus._nats_link import Packet
from ecotone.infrastructure.bus._nats_reader import Place, place_of


@pytest.mark.parametrize(
    "token",
    [
        "$JS.ACK.frames.detect.2.41.57.1795391894692151080.3",
        "$JS.ACK.hub.ACCHASH.frames.detect.2.41.57.1795391894692151080.3",
        "$JS.ACK.hub.ACCHASH.frames.detect.2.41.57.1795391894692151080.3.random",
    ],
)
def test_the_place_of_a_delivery_in_old_and_new_form(token: str) -> None:
    assert place_of(token) == Place(attempt=2, sequence=41, count=57, pending=3)


class Answering:
    """A link whose server gives one answer to everything."""

    place = "here:4222"

    def __init__(self, answer: object, status: str = "") -> None:
        self.packet = Packet("inbox", msgspec.json.encode(answer), "", status, {})

    async def call(self, subject: str, data: bytes = b"", **_: object) -> Packet:
        return self.packet


def error(number: int) -> object:
    return {"error": {"code": 400, "err_code": number, "description": "why"}}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        (error(10059), "", NotFoundError),
        (error(10014), "", NotFoundError),
        (error(10058), "", ConflictError),
        (error(10071), "", ConflictError),
        (error(10148), "", ConflictError),
        (error(10077), "", StreamFullError),
        (error(10047), "", UnavailableError),
        (error(10039), "", UnavailableError),
        ({}, "503", UnavailableError),
        (["not", "an", "answer"], "", UnavailableError),
    ],
)
async def test_errors_become_ours_and_say_what_is_meant(answer: object, status: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="stream 'frames'") as caught:
        await ask(Answering(answer, status), "STREAM.INFO.frames", "stream 'frames'", ApiAnswer)
    assert type(caught.value) is kind


@pytest.mark.anyio
async def test_recorded_answers_of_a_server_decode() -> None:
    published = await ask(Answering({"stream": "s", "seq": 3, "duplicate": True}), "x", "x", PubAnswer)
    assert (published.seq, published.duplicate) == (3, True)
    state = {"messages": 0, "first_seq": 0, "first_ts": "0001-01-01T00:00:00Z", "last_seq": 0, "bytes": 0}
    stream = await ask(Answering({"config": {}, "state": state}), "x", "x", StreamInfo)
    assert stream.state is not None
    assert stream.state.messages == 0
    state |= {"messages": 1, "first_ts": "2026-11-22T23:33:45.674831123Z"}
    stream = await ask(Answering({"config": {}, "state": state}), "x", "x", StreamInfo)
    assert stream.state is not None
    assert round(stream.state.first_ts.timestamp(), 3) == 1795390425.675
    consumer = await ask(
        Answering({"config": {"ack_wait": 2_000_000_000}, "num_pending": 4, "delivered": {"consumer_seq": 1}}),
        "x",
        "x",
        ConsumerInfo,
    )
    assert (consumer.config.ack_wait, consumer.num_pending, consumer.delivered.consumer_seq) == (2 * 10**9, 4, 1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
