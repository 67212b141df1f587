"""Two components of one name."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera)
def detect(frame: bytes) -> int:
    return 1


@component(on=camera)  # ! duplicate-name
def detect(frame: bytes) -> str:
    return ""


@component(on=camera, name="camera")  # ! duplicate-name
def other(frame: bytes) -> int:
    return 1
