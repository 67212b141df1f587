"""The function that compares variants."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


def one_argument(output: int) -> float:
    return 1.0


@component(
    on=camera,
    agreement="f2",  # ! unknown-function
    variants=[variant("a", size=1), variant("b", size=2)],
)
def detect(frame: bytes, size: int) -> int:
    return size


@component(
    on=camera,
    agreement=one_argument,  # ! wrong-signature
    variants=[variant("a", size=1), variant("b", size=2)],
)
def count(frame: bytes, size: int) -> int:
    return size


@component(
    on=camera,
    agreement=0.5,  # ! wrong-type
    variants=[variant("a", size=1), variant("b", size=2)],
)
def total(frame: bytes, size: int) -> int:
    return size
