"""Types that differ in words, or that only a running program could tell apart: nothing to complain about."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, Optional, Protocol, TypedDict, TypeVar, Union

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from ecotone import component

Celsius = NewType("Celsius", float)
Image = np.ndarray
T = TypeVar("T")


class Shape(Protocol):
    area: float


class Point(TypedDict):
    x: float


class Square(Struct):
    area: float


class Small(Square):
    pass


class Colour(str, enum.Enum):
    RED = "red"


@component(every="1 s")
def images() -> Image:
    return np.zeros(3)


@component(on=images)
def same(image: npt.NDArray[np.float64]) -> Optional[Square]:
    return None


@component(on=same)
def protocol(shape: Shape) -> Small | None:
    return None


@component(on=protocol)
def base(square: Square) -> Colour:
    return Colour.RED


@component(on=base)
def text(colour: str) -> Celsius:
    return Celsius(1.0)


@component(on=text)
def number(value: float) -> bool:
    return True


@component(on=number)
def widened(value: complex) -> dict[str, Any]:
    return {}


@component(on=widened)
def typed(point: Point) -> Mapping[str, float]:
    return point


@component(on=typed)
def decoded(square: Square) -> tuple[int, ...]:
    return (1,)


@component(on=decoded)
def listed(values: Sequence[int]) -> Iterator[int]:
    yield from values


@component(on=[listed, number, text])
def merged(value: Union[int, float]) -> Literal["yes", "no"]:
    return "yes"


@component(on=merged)
def literal(answer: str) -> Annotated[int, "metres"]:
    return 1


@component(on=literal, batch=3)
def batched(values: Iterable[int]) -> list[Any]:
    return list(values)


@component(on=batched)
def exact(values: list[int]) -> object:
    return values


@component(on=exact)
def anything(value: bytes) -> T:
    return value


@component(on=[anything, exact], join="number")
def joined(both: Mapping[str, int]) -> Iterable[bytes]:
    yield b""


@component(on=joined, every="1 s")
def unhinted(values):
    return values


@component(on=unhinted)
def last(value: int, /) -> None:
    pass


@component(on=joined)
def many(*values: bytes) -> None:
    pass
