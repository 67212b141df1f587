"""Columns count characters: élan vital."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


é = "30 kg"


@component(on=camera, labels={"stadt": "München"}, latency=é)  # ! no-such-label wrong-unit
def detect(frame: bytes) -> int:
    return 1
