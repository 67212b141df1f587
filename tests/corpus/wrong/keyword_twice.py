"""The same keyword again."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    latency="30 ms",
    latency="40 ms",  # ! duplicate-key
)
def detect(frame: bytes) -> int:
    return 1
