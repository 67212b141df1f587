"""Names that are none."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera, name="face detector")  # ! bad-name
def detect(frame: bytes) -> int:
    return 1


@component(on=camera)  # ! bad-name
def _hidden(frame: bytes) -> int:
    return 1


@component(on=camera, name="dead-letters")  # ! bad-name
def letters(frame: bytes) -> int:
    return 1
