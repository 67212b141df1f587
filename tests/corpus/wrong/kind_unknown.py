"""Nothing installed runs it."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera, kind="pyhton")  # ! unknown-kind
def detect(frame: bytes) -> int:
    return 1
