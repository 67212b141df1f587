"""Values out of range."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    latency="0 ms",  # ! out-of-range
    percentile=100,  # ! out-of-range
    memory="-1 GiB",  # ! out-of-range
    accuracy=1.2,  # ! out-of-range
    capacity=0,  # ! out-of-range
    attempts=-1,  # ! out-of-range
    replicas=0,  # ! out-of-range
    throughput="0 items/s",  # ! out-of-range
    energy="1e400 J",  # ! out-of-range
)
def detect(frame: bytes) -> int:
    return 1


@component(every="-1 s")  # ! out-of-range
def tick() -> int:
    return 1


path(camera, detect, latency="100 ms", percentile=0)  # ! out-of-range
