"""Code that cannot be called as annotated."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera)
def no_item() -> int:  # ! no-item-argument
    return 1


@component(on=camera)
def two_items(frame: bytes, other: bytes) -> int:  # ! required-argument
    return 1


@component(on=camera)
def keyword(frame: bytes, *, size: int) -> int:  # ! required-argument
    return 1


@component(every="1 s")
def tick(item: int) -> int:  # ! required-argument
    return item


@component(on=camera)
class NeedsSetting:
    def __init__(self, size: int) -> None:  # ! required-argument
        self.size = size

    def __call__(self, frame: bytes) -> int:
        return self.size


@component(on=camera)
class NoCall:  # ! missing-call
    def handle(self, frame: bytes) -> int:
        return 1


@component(on=camera)
class Itemless:
    def __call__(self) -> int:  # ! no-item-argument
        return 1
