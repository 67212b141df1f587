"""The decorator without its keywords."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component  # ! not-called
def detect(frame: bytes) -> int:
    return 1


@component(on=detect)
def count(number: int) -> int:
    return number
