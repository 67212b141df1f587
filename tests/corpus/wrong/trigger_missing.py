"""Nothing makes it run."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(latency="30 ms")  # ! missing-trigger
def detect(frame: bytes) -> int:
    return 1
