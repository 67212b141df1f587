"""Not a decorator."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


def twice(frame: bytes) -> bytes:
    return frame + frame


double = component(on=camera)(twice)  # ! not-a-decorator
