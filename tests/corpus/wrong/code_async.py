"""Components are called, not awaited."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera)
async def detect(frame: bytes) -> int:  # ! async-function
    return 1


@component(on=camera)
class Count:
    async def __call__(self, frame: bytes) -> int:  # ! async-function
        return 1
