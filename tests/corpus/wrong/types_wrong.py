"""Values of the wrong type."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    latency=["30 ms"],  # ! wrong-type
    live="yes",  # ! wrong-type
    capacity="64",  # ! wrong-type
    attempts=True,  # ! wrong-type
    labels=["disk"],  # ! wrong-type
    regions=[1],  # ! wrong-type
    percentile="95",  # ! wrong-type
    variants=["large"],  # ! wrong-type
    name=7,  # ! wrong-type
    kind=None,
)
def detect(frame: bytes) -> int:
    return 1


@component(on=3)  # ! wrong-type
def count(frame: bytes) -> int:
    return 1


@component(on=camera, labels={"disk": 1, 2: "ssd"})  # ! wrong-type wrong-type
def store(frame: bytes) -> None:
    return None
