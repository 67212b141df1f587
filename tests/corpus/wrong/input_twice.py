"""One input, named twice."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=[camera, "camera"])  # ! duplicate-value
def detect(frame: bytes) -> int:
    return 1
