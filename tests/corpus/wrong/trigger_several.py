"""Two triggers at once."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    request=True,  # ! several-triggers
)
def detect(frame: bytes) -> int:
    return 1


@component(every="1 s", source=True)  # ! several-triggers
def tick():
    yield 1
