"""What ** holds is not known."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


COMMON = {"latency": "30 ms"}


@component(**COMMON)  # ! not-literal
def detect(frame: bytes) -> int:
    return 1
