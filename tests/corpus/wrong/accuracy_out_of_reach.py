"""No variant is good enough."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    accuracy=0.95,  # ! contradiction
    variants=[variant("large", accuracy=0.9, size=2), variant("small", accuracy="80 %", size=1)],
)
def detect(frame: bytes, size: int) -> int:
    return size
