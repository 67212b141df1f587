"""What a variant may hold."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    variants=[
        variant("large", sizes=[1, 2]),  # ! wrong-type
        variant("small", accuracy=2.0),  # ! out-of-range
        variant(accuracy=0.5),  # ! missing-key
        variant("big number", size=1),  # ! bad-name
        variant("huge", size=99999999999999999999),  # ! out-of-range
        variant("twice", "again"),  # ! positional-argument
    ],
)
def detect(frame: bytes, size: int = 1) -> int:
    return size
