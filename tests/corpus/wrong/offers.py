"""What no node of the default continuum has."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera, accelerators=["gpu:2 4 GiB"])  # ! no-such-accelerator
def detect(frame: bytes) -> int:
    return 1


@component(on=camera, memory="64 GiB")  # ! no-such-memory
def count(frame: bytes) -> int:
    return 1


@component(on=camera, regions=["us-*"])  # ! no-such-region
def store(frame: bytes) -> int:
    return 1


@component(on=camera, labels={"camera": "no", "disk": "ssd"})  # ! no-such-label no-such-label
def film(frame: bytes) -> int:
    return 1


@component(
    on=camera,
    layers=["device"],
    memory="2 GiB",  # ! no-such-node
)
def heavy(frame: bytes) -> int:
    return 1


@component(
    on=camera,
    layers=["device"],
    confidential=True,  # ! no-such-node
)
def secret(frame: bytes) -> int:
    return 1
