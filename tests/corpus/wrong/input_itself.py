"""It takes its own output."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=["camera", "detect"])  # ! self-input
def detect(frame: bytes) -> bytes:
    return frame
