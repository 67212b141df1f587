"""Components stand in the application's own file."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


from json import dumps


@component(on=dumps)  # ! not-a-component
def detect(text: str) -> int:
    return 1
