"""Private data of two kinds that may never meet."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="1 s", private=["device"])
def left() -> bytes:
    return b""


@component(every="1 s", private=["edge"])
def right() -> bytes:
    return b""


@component(on=[left, right])  # ! contradiction
def both(sound: bytes) -> bytes:
    return sound


@component(on=left, private=["cloud"])  # ! contradiction
def cloudy(sound: bytes) -> bytes:
    return sound
