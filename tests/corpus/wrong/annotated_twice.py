"""One annotation each."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera)
@component(on="camera")  # ! duplicate-annotation
def detect(frame: bytes) -> int:
    return 1
