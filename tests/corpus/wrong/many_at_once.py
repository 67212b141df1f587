"""Every mistake is found in one pass."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


bound = parameter("bound", "fast")


@component(on="camra", latency=bound, layers=["fog"], variants=[variant("a", hight=1)])  # ! unknown-input wrong-unit unknown-layer unknown-setting
class Detect:
    def __init__(self, height: int = 1) -> None:
        self.height = height

    def __call__(self, frame: bytes) -> int:
        return 1


path(camera, Detect, latency="1 GiB")  # ! wrong-unit
path(Detect, Detect, latency="1 s")  # ! path-repeats
