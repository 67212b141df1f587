"""What an accelerator looks like."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera, accelerators=["gpu:0"])  # ! out-of-range
def one(frame: bytes) -> int:
    return 1


@component(on=camera, accelerators=["gpu 4 ms"])  # ! wrong-unit
def two(frame: bytes) -> int:
    return 1


@component(on=camera, accelerators="4 GiB gpu")  # ! wrong-type
def three(frame: bytes) -> int:
    return 1


@component(on=camera, accelerators=[2])  # ! wrong-type
def four(frame: bytes) -> int:
    return 1
