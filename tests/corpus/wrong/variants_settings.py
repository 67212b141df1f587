"""Settings that do not fit the code."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    variants=[
        variant("large", width=640, height=288),
        variant("small", width=320),  # ! missing-setting
        variant("odd", width=320, hight=100),  # ! unknown-setting
        variant("item", width=1, height=1, frame=3),  # ! unknown-setting
    ],
)
class Detect:
    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)

    def __call__(self, frame: bytes) -> int:
        return 1


@component(on=camera, variants=[variant("one", level=1), variant("two", frame=2)])  # ! unknown-setting
def grade(frame: bytes, level: int = 0) -> int:
    return level


@component(on=camera, variants=[variant("one", level=1)])  # ! unknown-setting
class Plain:
    def __call__(self, frame: bytes) -> int:
        return 1
