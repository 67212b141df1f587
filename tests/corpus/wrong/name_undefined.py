"""Names that nothing binds, or only later."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    latency=LATENCI,  # ! undefined-name
    memory=MEMORY,  # ! undefined-name
)
def detect(frame: bytes) -> int:
    return 1


LATENCY = "30 ms"
MEMORY = "1 GiB"


@component(on=[camra, later])  # ! undefined-name undefined-name
def count(frame: bytes) -> int:
    return 1


@component(on=camera)
def later(frame: bytes) -> bytes:
    return frame
