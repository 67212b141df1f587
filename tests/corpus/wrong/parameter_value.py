"""The parameter itself, not its value of this moment."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


period = parameter("period", "1 s")


@component(every=period.value)  # ! not-literal
def tick() -> int:
    return 1
