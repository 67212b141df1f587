"""A constant that does not stay one."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


LAYERS = ["edge"]
LAYERS.append("cloud")
LATENCY = "30 ms"
LATENCY += ""
for MEMORY in ("1 GiB",):
    pass
A, B = ("1 s", "2 s"), "3 s"
FIRST, SECOND = A


@component(
    on=camera,
    layers=LAYERS,  # ! not-literal
    latency=LATENCY,  # ! not-literal
    memory=MEMORY,  # ! not-literal
    timeout=FIRST,  # ! not-literal
)
def detect(frame: bytes) -> int:
    return 1
