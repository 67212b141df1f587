"""Hints that are objects by the time the decorator runs: no future import."""

import typing
from collections.abc import Generator

import msgspec

import ecotone


class Frame(msgspec.Struct):
    number: int


@ecotone.component(source=True, throughput="10 frames/s")
def frames() -> Generator["Frame", None, None]:
    yield Frame(1)


@ecotone.component(on=frames)
def numbers(frame: Frame, scale: float = 1.0) -> typing.Optional[float]:
    return frame.number * scale


@ecotone.component(on="numbers")
class Sum:
    """Adds up."""

    total = 0.0

    def __call__(self, number: "float | int") -> typing.Dict[str, float]:
        self.total += number
        return {"total": self.total}


@ecotone.component(on=Sum)
def show(total: dict[str, float]):
    print(total)


ecotone.path(frames, numbers, Sum, latency="1 s")
