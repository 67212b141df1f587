"""A parameter's default must fit where it is used."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


bound = parameter("bound", "30 kg")
number = parameter("number", 0.1)


@component(on=camera, latency=bound)  # ! wrong-unit
def detect(frame: bytes) -> int:
    return 1


@component(on=camera, latency=number)  # ! wrong-unit
def count(frame: bytes) -> int:
    return 1
