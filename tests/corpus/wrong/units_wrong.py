"""Quantities of another dimension, unknown units, none."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    latency="30 kg",  # ! wrong-unit
    memory="30 ms",  # ! wrong-unit
    energy="2 W",  # ! wrong-unit
    throughput="25",  # ! wrong-unit
    batch=4,
    batch_wait=0.5,  # ! wrong-unit
)
def detect(frames: list[bytes]) -> int:
    return 1


@component(every=40)  # ! wrong-unit
def tick() -> int:
    return 1
