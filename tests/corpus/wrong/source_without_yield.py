"""A source is a generator."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(source=True, throughput="1 item/s")
def pulses() -> int:  # ! source-without-yield
    def inner():
        yield 1

    return next(inner())


@component(source=True, throughput="1 item/s")
class Reader:
    def __call__(self) -> list[int]:  # ! source-without-yield
        return [1]
