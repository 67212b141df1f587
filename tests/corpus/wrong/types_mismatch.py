"""What is given is not what is taken."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


class Face:
    pass


class Car:
    pass


class Red(Car):
    pass


Faces = list[Face]


@component(on=camera)  # bytes
def detect(frame: bytes) -> Faces | None:
    return []


@component(on=camera)  # ! type-mismatch
def count(faces: Faces) -> int:
    return 1


@component(on=detect)  # ! type-mismatch
def describe(faces: list[Car]) -> str:
    return ""


@component(on=[camera, count, describe])  # ! type-mismatch
def store(value: bytes | int) -> None:
    return None


@component(on=store)  # ! type-mismatch
def after(value: int) -> int:
    return 1


@component(on=count, batch=4)  # ! type-mismatch
def single(number: int) -> Red:
    return Red()


@component(on=count, every="1 s")  # ! type-mismatch
def seconds(numbers: list[str]) -> Car:
    return Car()


@component(on=seconds)  # ! type-mismatch
def drive(car: Red) -> int:
    return 1


@component(on=[count, describe], join="number")  # ! type-mismatch
def joined(both: dict[str, int]) -> float:
    return 1.0


@component(on=joined)  # ! type-mismatch
def whole(number: int) -> int:
    return number
