"""Bus URLs: what they may be, what is said when they are not, and the namespace in them."""

from __future__ import annotations

import pytest

from ecotone.core.errors import InputError
from ecotone.infrastructure.bus import Address, read_address, with_namespace


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("nats://here", Address(scheme="nats", host="here", port=4222)),
        ("here:4333", Address(scheme="nats", host="here", port=4333)),
        ("nats://secret@here:1", Address(scheme="nats", host="here", port=1, token="secret")),
        ("nats://s%40cr%2Ft@here/", Address(scheme="nats", host="here", port=4222, token="s@cr/t")),
        ("tls://me:pa%3Ass@here", Address(scheme="tls", host="here", port=4222, user="me", password="pa:ss")),
        ("nats://[::1]:4222/run-1", Address(scheme="nats", host="::1", port=4222, namespace="run-1")),
    ],
)
def test_a_url_has_parts(url: str, address: Address) -> None:
    assert read_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://secret@here:4222",
        "ws://secret@here",
        "nats://",
        "nats://secret@:4222",
        "nats://secret@here:port",
        "nats://secret@here:99999",
        "nats://secret@here:0",
        "nats://secret@[::1",
        "nats://secret@here:1,nats://there:2",
        "nats://secret@here/a_b",
        "nats://secret@here/a/b",
        "nats://secret@here/" + "x" * 33,
        "nats://secret@here?tls=1",
        "nats://secret@here#here",
    ],
)
def test_what_is_not_a_bus_url_is_said_without_its_secret(url: str) -> None:
    with pytest.raises(InputError, match=r"bus URL is nats://\[TOKEN@\]HOST") as caught:
        read_address(url)
    assert "secret" not in str(caught.value)


def test_people_see_host_and_port() -> None:
    address = read_address("tls://me:secret@[fe80::1]:4333/run-1")
    assert address.place == "[fe80::1]:4333"
    assert address.server == "tls://[fe80::1]:4333"


@pytest.mark.parametrize("url", ["nats://secret@here:4222", "nats://secret@here:4222/", "here"])
def test_a_namespace_is_added_to_a_url_that_has_none(url: str) -> None:
    address = read_address(with_namespace(url, "ecotone-20310504-100000-1a2b3c"))
    assert address.namespace == "ecotone-20310504-100000-1a2b3c"
    assert (address.host, address.port) == ("here", 4222)
    with pytest.raises(InputError, match="ends with its port"):
        with_namespace("nats://secret@here/mine", "run-1")
