"""A street camera that protects privacy, with everything that an application usually has.

More text that is not the first line.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import ecotone
from ecotone import component, parameter, path, variant

APPLICATION = "street"

clip = parameter("clip", "bikes", help="a video file")
period = parameter("period", "40 ms")
width = parameter("width", 640)
RATE = "25 items/s"
EDGES = ["device", "edge"]
SMALL = variant("small", width=320, height=160, accuracy="90 %")
Frame = bytes
Faces = list[tuple[int, int]]


def f1(output: object, reference: object) -> float:
    return float(output == reference)


def traced(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@component(every=period, live=True, throughput=RATE, layers=["device"], private=EDGES)
def camera() -> Frame:
    """The camera.

    Reads frames.
    """
    return bytes(10)


@component(
    on=camera,
    latency="30 ms",
    percentile=95,
    variants=[variant("large", width=width, height=288, accuracy=0.97), SMALL],
    agreement=f1,
)
class FaceDetector:
    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)

    def __call__(self, frame: Frame) -> Faces | None:
        return [self.size]


@component(on=[camera, "face_detector"], join="number", releases=True, accelerators="gpu 1 GiB", memory="1.5 GB")
@traced
def anonymise(both: dict[str, object]) -> "Frame":
    return b""


@ecotone.component(name="site-statistics", on=anonymise, every="1 s", snapshot_every="500 ms", labels={"disk": "ssd"})
class Statistics:
    def __init__(self):
        self.seen = 0

    def __call__(self, frames: list[Frame]) -> Iterator[dict[str, float]]:
        self.seen += len(frames)
        yield {"seen": self.seen}

    def snapshot(self) -> object:
        return self.seen

    def restore(self, state: object) -> None:
        self.seen = state


@component(request=True, timeout="2 s", regions="eu-*", confidential=True, replicas=3)
def ask(question: str) -> str:
    return question


@component(source=True, throughput="3 req/min", timeout="5 s", capacity=3, attempts=1)
def pulses() -> Iterator[int]:
    yield 1


@component(on=pulses, batch=8, batch_wait="20 ms", energy="2 mWh", accuracy=0.5, layers="cloud")
def total(numbers: list[int]) -> int:
    return sum(numbers)


path(camera, FaceDetector, anonymise, latency="100 ms")
path("camera", "anonymise", latency="0.2 s", percentile=99.9)
