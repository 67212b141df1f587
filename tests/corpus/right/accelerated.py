"""What its own continuum has, and the default one has not."""

from __future__ import annotations

from ecotone import component


@component(every="1 s", regions="lab", labels={"camera": "yes"})
def frames() -> bytes:
    return b""


@component(on=frames, accelerators=["gpu:2 4 GiB", "npu"], memory="32 GiB")
def detect(frame: bytes) -> int:
    return 1
