"""Components inside other statements."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


if camera:

    @component(on=camera)  # ! not-top-level
    def detect(frame: bytes) -> int:
        return 1


def make():
    @component(on=camera)  # ! not-top-level
    def inner(frame: bytes) -> int:
        return 1

    return inner


class Box:
    @component(on=camera)  # ! not-top-level
    def handle(self, frame: bytes) -> int:
        return 1


@component(on=["detect", "inner"])
def count(number: int) -> int:
    return number


for each in (camera,):
    path(each, latency="1 s")  # ! not-top-level
