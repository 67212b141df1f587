"""Keywords only."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(camera, latency="30 kg")  # ! positional-argument wrong-unit
def detect(frame: bytes) -> int:
    return 1
