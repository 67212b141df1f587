"""Layers that do not exist, empty and repeated lists."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    layers=["edges"],  # ! unknown-layer
    private=[],  # ! empty-list
)
def detect(frame: bytes) -> int:
    return 1


@component(
    on=camera,
    layers=["edge", "edge"],  # ! duplicate-value
    regions="",  # ! wrong-type
)
def count(frame: bytes) -> int:
    return 1
