"""Variants that are the same."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    variants=[
        variant("large", size=2),
        variant("large", size=1),  # ! duplicate-variant
        variant("huge", size=2),  # ! duplicate-variant
    ],
)
def detect(frame: bytes, size: int) -> int:
    return size
