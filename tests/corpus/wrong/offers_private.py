"""Private data, and what it needs is elsewhere."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="1 s", private=["device"])
def microphone() -> bytes:
    return b""


@component(on=microphone, memory="8 GiB")  # ! no-such-node
def transcribe(sound: bytes) -> str:
    return ""
